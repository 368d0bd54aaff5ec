"""The shadow price of a cost that shares no order with another, in compiled loops.

For portfolio prices s the shadow price λ of a cost is the root of
    F(λ) = sum_j g_j x_j(s_j - g_j λ) - y(λ),
which never decreases. Where the cost's own curve is flat, y may be anything between the ends of the
flat: then λ stays at the flat's price and y follows the orders. Everything else is as in `kernels`:
a block stands on one straight piece of each of its curves, responds linearly while it stays there,
and a step looks closely only at blocks that leave: `blocks` has the loops over them, `separate` the
algebra.
"""

from typing import NamedTuple

import numpy as np

from walras.clearing.book import Floats, Ints
from walras.clearing.jit import inline_kernel, kernel
from walras.clearing.kernels import Products, demand, locate

__all__ = ["Blocks", "Stand", "member", "own", "predicted", "root", "stay"]

_ROUNDING = 4e-16  # of the terms of F: below that its sign means nothing


class Blocks(NamedTuple):
    """B costs and their n orders, block after block.

    member (B+1,): first order of each block; share (n,): coefficient g; legs and curves of the
    orders, with softness and centre, as in `kernels`; joint_*: the costs' own curves; unit (B,):
    shadow price that matters.
    """

    member: Ints
    share: Floats
    leg_ptr: Ints
    leg_product: Products
    leg_weight: Floats
    curve_ptr: Ints
    rate: Floats
    price: Floats
    soft: Floats
    centre: Floats
    joint_ptr: Ints
    joint_rate: Floats
    joint_price: Floats
    unit: Floats


class Stand(NamedTuple):
    """Where the blocks stand, and how they move along a search.

    level, move (n,): portfolio prices; piece (n, 4) as in `kernels`, at the level less g λ;
    shadow, drift (B,): λ and its move; bend (B,): 1 / F', 0 where λ does not move; joint (B, 4):
    the piece of the cost's curve, or (low rate, high rate, 0, inf) on a flat.
    """

    level: Floats
    move: Floats
    piece: Floats
    shadow: Floats
    drift: Floats
    bend: Floats
    joint: Floats


@inline_kernel
def member(
    blocks: Blocks, j: int, level: float, shadow: float
) -> tuple[float, float, float, float]:
    """The piece that order j stands on."""
    return locate(
        blocks.rate,
        blocks.price,
        blocks.curve_ptr[j],
        blocks.curve_ptr[j + 1] - 1,
        blocks.soft[j],
        blocks.centre[j],
        level - blocks.share[j] * shadow,
    )


@inline_kernel
def own(blocks: Blocks, b: int, shadow: float) -> tuple[float, float, float, float]:
    """The piece of the cost's own curve."""
    first, last = blocks.joint_ptr[b], blocks.joint_ptr[b + 1] - 1
    return locate(blocks.joint_rate, blocks.joint_price, first, last, 0.0, 0.0, shadow)


@kernel
def weigh(
    blocks: Blocks, stand: Stand, b: int, step: float, shadow: float
) -> tuple[float, float, float]:
    """sum g x after `step` at the shadow price, its derivative, and the size of its terms."""
    total = 0.0
    slope = 0.0
    size = 0.0
    for j in range(blocks.member[b], blocks.member[b + 1]):
        level = stand.level[j] + step * stand.move[j]
        share = blocks.share[j]
        top, bottom, left, a = member(blocks, j, level, shadow)
        x = demand(top, bottom, left, a, level - share * shadow)
        total += share * x
        slope += share * share * a
        size += abs(share) * (abs(x) + a * (abs(level) + abs(share * shadow)))
    return total, slope, size


@kernel
def _flat(blocks: Blocks, stand: Stand, b: int, step: float) -> tuple[float, float, float, float]:
    """(below, above, low, high): λ lies between the first two; on the flat low..high if equal."""
    below = -np.inf
    above = np.inf
    for n in range(blocks.joint_ptr[b] + 1, blocks.joint_ptr[b + 1]):
        low, high = blocks.joint_rate[n - 1], blocks.joint_rate[n]
        price = blocks.joint_price[n]
        if high > low and blocks.joint_price[n - 1] == price and below < price < above:
            total, _, _ = weigh(blocks, stand, b, step, price)
            if total < low:
                below = price
            elif total > high:
                above = price
            else:
                return price, price, low, high
    return below, above, 0.0, 0.0


@kernel
def root(
    blocks: Blocks, stand: Stand, b: int, step: float, guess: float
) -> tuple[float, float, float]:
    """λ of block b after `step`; then the ends of the flat it is on, equal when on none."""
    below, above, low, high = _flat(blocks, stand, b, step)
    if below == above:
        return below, low, high
    shadow = max(guess, below)
    if shadow >= above:
        shadow = np.nextafter(above, -np.inf)
    reach = 0.01 * blocks.unit[b]
    last = np.inf
    for _ in range(300):
        total, slope, size = weigh(blocks, stand, b, step, shadow)
        top, bottom, left, bend = own(blocks, b, shadow)
        y = demand(top, bottom, left, bend, shadow)
        excess = total - y
        if abs(excess) <= _ROUNDING * (size + abs(y) + bend * abs(shadow)):
            break
        if excess > 0.0:
            above = shadow
        else:
            below = shadow
        target = shadow - excess / (slope + bend) if slope + bend > 0.0 else np.nan
        slow = abs(excess) > 0.5 * last
        last = abs(excess)
        bounded = above - below < np.inf
        if not below < target < above or (slow and bounded):
            if bounded:
                target = 0.5 * below + 0.5 * above
            else:
                reach *= 4.0
                target = shadow - reach if excess > 0.0 else shadow + reach
        if target == shadow or not below < target < above:
            break
        shadow = target
    return shadow, 0.0, 0.0


@kernel
def stay(blocks: Blocks, stand: Stand, b: int, step: float) -> bool:
    """Whether `step` leaves the block on all its pieces."""
    drift = stand.drift[b]
    kept = True
    total = 0.0
    for j in range(blocks.member[b], blocks.member[b + 1]):
        share = blocks.share[j]
        s = stand.level[j] - share * stand.shadow[b] + step * (stand.move[j] - share * drift)
        kept &= stand.piece[j, 1] <= s < stand.piece[j, 0]
        total += share * predicted(stand, j, s)
    if stand.joint[b, 3] == np.inf:
        return kept and stand.joint[b, 0] <= total <= stand.joint[b, 1]
    return kept and stand.joint[b, 1] <= stand.shadow[b] + step * drift < stand.joint[b, 0]


@inline_kernel
def predicted(stand: Stand, j: int, level: float) -> float:
    """What order j demands at `level` on its present piece."""
    piece = stand.piece
    return demand(piece[j, 0], piece[j, 1], piece[j, 2], piece[j, 3], level)
