"""The inner loops over costs that share no order with another; `joint` has the words.

What `kernels` does order by order these do block by block: a block is one cost and its orders.
"""

from typing import NamedTuple

import numpy as np

from walras.clearing.book import Floats, Ints
from walras.clearing.jit import inline_kernel, kernel
from walras.clearing.joint import Blocks, Stand, member, own, predicted, root, stay
from walras.clearing.kernels import demand

__all__ = ["Room", "along", "commit", "curves", "follow", "leavers", "refresh", "replace", "watch"]


class Room(NamedTuple):
    """Scratch for one block's curvature: pull (K,) zero, mark (K,) zero, touched (K,)."""

    pull: Floats
    mark: Ints
    touched: Ints


@kernel
def watch(blocks: Blocks, stand: Stand, radius: Floats, source: Ints, watched: Ints) -> int:
    """List in `watched` the blocks of `source` with a piece that can end within `radius` (K,).

    Levels must be up to date. Soft orders as in `kernels.watch`.
    """
    count = 0
    for n in range(len(source)):
        b = source[n]
        drift = 0.0
        for j in range(blocks.member[b], blocks.member[b + 1]):
            margin = _margin(blocks, j, radius)
            drift += abs(blocks.share[j]) * stand.piece[j, 3] * margin
        slide = drift * stand.bend[b]
        inside = True
        total = 0.0
        for j in range(blocks.member[b], blocks.member[b + 1]):
            share = blocks.share[j]
            s = stand.level[j] - share * stand.shadow[b]
            margin = _margin(blocks, j, radius) + abs(share) * slide
            top, bottom = stand.piece[j, 0], stand.piece[j, 1]
            if blocks.soft[j] != 0.0:
                first, last = blocks.curve_ptr[j], blocks.curve_ptr[j + 1] - 1
                if top == np.inf and blocks.centre[j] == blocks.rate[first]:
                    bottom = blocks.price[first]
                elif bottom == -np.inf and blocks.centre[j] == blocks.rate[last]:
                    top = blocks.price[last]
                else:
                    top = bottom
            inside &= s - margin >= bottom and s + margin < top
            total += share * predicted(stand, j, s)
        low, high = stand.joint[b, 1], stand.joint[b, 0]
        if stand.joint[b, 3] == np.inf:
            inside &= stand.joint[b, 0] <= total - drift and total + drift <= stand.joint[b, 1]
        else:
            inside &= low <= stand.shadow[b] - slide and stand.shadow[b] + slide < high
        watched[count] = b
        count += not inside
    return count


@inline_kernel
def _margin(blocks: Blocks, j: int, radius: Floats) -> float:
    margin = 0.0
    for a in range(blocks.leg_ptr[j], blocks.leg_ptr[j + 1]):
        margin += abs(blocks.leg_weight[a]) * radius[blocks.leg_product[a]]
    return margin


@kernel
def leavers(
    blocks: Blocks,
    stand: Stand,
    direction: Floats,
    step: float,
    watched: Ints,
    leaving: Ints,
) -> int:
    """Move and drift of the `watched` blocks; lists those that `step` carries off a piece."""
    count = 0
    for n in range(len(watched)):
        b = watched[n]
        pull = 0.0
        for j in range(blocks.member[b], blocks.member[b + 1]):
            total = 0.0
            for a in range(blocks.leg_ptr[j], blocks.leg_ptr[j + 1]):
                total += blocks.leg_weight[a] * direction[blocks.leg_product[a]]
            stand.move[j] = total
            pull += blocks.share[j] * stand.piece[j, 3] * total
        stand.drift[b] = stand.bend[b] * pull
        leaving[count] = b
        count += not stay(blocks, stand, b, step)
    return count


@kernel
def along(blocks: Blocks, stand: Stand, leaving: Ints, step: float) -> tuple[float, float]:
    """What leaving blocks add to the dual's first and second derivative along the search."""
    first = 0.0
    second = 0.0
    for n in range(len(leaving)):
        b = leaving[n]
        if stay(blocks, stand, b, step):
            continue
        guess = stand.shadow[b] + step * stand.drift[b]
        shadow, low, high = root(blocks, stand, b, step, guess)
        pull = 0.0
        force = 0.0 if low < high else own(blocks, b, shadow)[3]
        for j in range(blocks.member[b], blocks.member[b + 1]):
            share, move = blocks.share[j], stand.move[j]
            level = stand.level[j] + step * move
            top, bottom, left, a = member(blocks, j, level, shadow)
            s = stand.level[j] - share * stand.shadow[b] + step * (move - share * stand.drift[b])
            first -= move * (
                demand(top, bottom, left, a, level - share * shadow) - predicted(stand, j, s)
            )
            second += move * (a * move - stand.piece[j, 3] * (move - share * stand.drift[b]))
            pull += share * a * move
            force += share * share * a
        if low == high and force > 0.0:
            second -= pull * pull / force
    return first, second


@kernel
def commit(blocks: Blocks, stand: Stand, watched: Ints, step: float) -> None:
    """Move levels and shadow prices of the `watched` blocks by `step`."""
    for n in range(len(watched)):
        b = watched[n]
        stand.shadow[b] += step * stand.drift[b]
        for j in range(blocks.member[b], blocks.member[b + 1]):
            stand.level[j] += step * stand.move[j]


@kernel
def _place(blocks: Blocks, stand: Stand, b: int, shadow: float, low: float, high: float) -> None:
    """Stand block b on its pieces at λ = `shadow`, on the flat low..high when these differ."""
    stand.shadow[b] = shadow
    top, bottom, left, force = own(blocks, b, shadow)
    if low < high:
        top, bottom, left, force = low, high, 0.0, np.inf
    joint = stand.joint
    joint[b, 0], joint[b, 1], joint[b, 2], joint[b, 3] = top, bottom, left, force
    piece = stand.piece
    for j in range(blocks.member[b], blocks.member[b + 1]):
        top, bottom, left, a = member(blocks, j, stand.level[j], shadow)
        piece[j, 0], piece[j, 1], piece[j, 2], piece[j, 3] = top, bottom, left, a
        force += blocks.share[j] * blocks.share[j] * a
    stand.bend[b] = 1.0 / force if force > 0.0 else 0.0


@kernel
def _curve(blocks: Blocks, stand: Stand, b: int, sign: float, room: Room, hessian: Floats) -> None:
    """hessian += sign (sum a w w' - bend B B') with B = sum g a w, lower triangle."""
    count = 0
    for j in range(blocks.member[b], blocks.member[b + 1]):
        slope = stand.piece[j, 3]
        if slope == 0.0:
            continue
        for m in range(blocks.leg_ptr[j], blocks.leg_ptr[j + 1]):
            row = blocks.leg_product[m]
            scaled = slope * blocks.leg_weight[m]
            for n in range(blocks.leg_ptr[j], m + 1):
                hessian[row, blocks.leg_product[n]] += sign * scaled * blocks.leg_weight[n]
            if room.mark[row] == 0:
                room.mark[row] = 1
                room.touched[count] = row
                count += 1
            room.pull[row] += blocks.share[j] * scaled
    for m in range(count):
        row = room.touched[m]
        scaled = sign * stand.bend[b] * room.pull[row]
        if scaled != 0.0:
            for n in range(count):
                column = room.touched[n]
                if column <= row:
                    hessian[row, column] -= scaled * room.pull[column]
    for m in range(count):
        room.mark[room.touched[m]] = 0
        room.pull[room.touched[m]] = 0.0


@kernel
def _supply(blocks: Blocks, stand: Stand, b: int, sign: float, gradient: Floats) -> None:
    """gradient += sign W'x of one block."""
    for j in range(blocks.member[b], blocks.member[b + 1]):
        x = predicted(stand, j, stand.level[j] - blocks.share[j] * stand.shadow[b])
        if x != 0.0:
            for a in range(blocks.leg_ptr[j], blocks.leg_ptr[j + 1]):
                gradient[blocks.leg_product[a]] += sign * blocks.leg_weight[a] * x


@kernel
def refresh(
    blocks: Blocks, stand: Stand, gradient: Floats, hessian: Floats, bend: bool, room: Room
) -> None:
    """From scratch at the present levels; without `bend` the hessian is left alone."""
    for b in range(len(blocks.member) - 1):
        shadow, low, high = root(blocks, stand, b, 0.0, stand.shadow[b])
        _place(blocks, stand, b, shadow, low, high)
        _supply(blocks, stand, b, -1.0, gradient)
        if bend:
            _curve(blocks, stand, b, 1.0, room, hessian)


@kernel
def curves(blocks: Blocks, stand: Stand, room: Room, hessian: Floats) -> None:
    """hessian += curvature of all blocks on the present pieces."""
    for b in range(len(blocks.member) - 1):
        _curve(blocks, stand, b, 1.0, room, hessian)


@kernel
def follow(blocks: Blocks, stand: Stand, q: Floats, listed: Ints) -> None:
    """Bring levels and shadow prices of the `listed` blocks to prices q.

    Blocks that are not watched have stayed on their pieces.
    """
    for n in range(len(listed)):
        b = listed[n]
        pull = 0.0
        for j in range(blocks.member[b], blocks.member[b + 1]):
            total = 0.0
            for a in range(blocks.leg_ptr[j], blocks.leg_ptr[j + 1]):
                total += blocks.leg_weight[a] * q[blocks.leg_product[a]]
            pull += blocks.share[j] * stand.piece[j, 3] * (total - stand.level[j])
            stand.level[j] = total
        stand.shadow[b] += stand.bend[b] * pull


@kernel
def replace(
    blocks: Blocks, stand: Stand, listed: Ints, gradient: Floats, hessian: Floats, room: Room
) -> int:
    """Find the pieces of the `listed` blocks anew; correct gradient and hessian.

    Returns how many blocks changed a slope.
    """
    changed = 0
    for n in range(len(listed)):
        b = listed[n]
        shadow, low, high = root(blocks, stand, b, 0.0, stand.shadow[b])
        flat = low < high
        bent = flat != (stand.joint[b, 3] == np.inf)
        bent |= not flat and own(blocks, b, shadow)[3] != stand.joint[b, 3]
        for j in range(blocks.member[b], blocks.member[b + 1]):
            bent |= member(blocks, j, stand.level[j], shadow)[3] != stand.piece[j, 3]
        _supply(blocks, stand, b, 1.0, gradient)
        if bent:
            _curve(blocks, stand, b, -1.0, room, hessian)
        _place(blocks, stand, b, shadow, low, high)
        _supply(blocks, stand, b, -1.0, gradient)
        if bent:
            _curve(blocks, stand, b, 1.0, room, hessian)
            changed += 1
    return changed
