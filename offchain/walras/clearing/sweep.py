"""One exact sweep over all auths and costs: the certificate's arithmetic in compiled loops.

Every curve is a sum of ramps. A ramp of side s = 1 (buy) or -1 (sell) demands, at the price π,

    s · width · clamp((top - s·π) / drop, 0, 1)

which is one step of SPEC §3: `top` is its m, on the mirrored side for sells. What is left of an
auth's cumulative limits cuts the sum.
"""

from typing import NamedTuple

import numpy as np

from walras.clearing.jit import inline_kernel, kernel
from walras.clearing.limbs import BITS, MASK, Floats, Ints, carry, divide, positive

__all__ = ["DROP", "GUARD", "PRICE_BITS", "QUANTITY", "QUANTITY_BITS", "Response", "Rows", "sweep"]

GUARD = 28
PRICE_BITS = 84 + GUARD
QUANTITY_BITS = 44 + GUARD
DROP = 5  # limbs of drops: at most 2^113
QUANTITY = 5  # limbs of one auth's demand: at most 2^(92 + GUARD)
_WHOLE = QUANTITY_BITS // BITS  # limb where whole units begin
_COARSE = ~((1 << GUARD - BITS) - 1)  # what X44 keeps of the second limb of X72


class Rows(NamedTuple):
    """The auths, then the costs, as arrays: N curves, R ramps, P limbs of prices.

    leg_ptr (N+1,), leg_product, leg_weight: portfolios, over products and then costs. ramp_ptr
    (N+1,), ramp_side, ramp_width (R,) whole units, ramp_top (R, P) limbs X112, ramp_drop (R, 5)
    limbs X40: curves, with tops falling within each side; high and fall (R,): the floats next to
    top and drop, both X112. limited (N,): 1 where room (N, 2, 5) limbs X72 cuts what may be bought
    and sold. auths: how many of the curves are auths.
    """

    leg_ptr: Ints
    leg_product: Ints
    leg_weight: Ints
    ramp_ptr: Ints
    ramp_side: Ints
    ramp_width: Ints
    ramp_top: Ints
    ramp_drop: Ints
    high: Floats
    fall: Floats
    limited: Ints
    room: Ints
    auths: int


class Response(NamedTuple):
    """What a book demands at one vector of prices and shadow prices: K products, then G costs.

    demand (K+G, 5): lots X72 the auths want, net, in limbs; of a cost S - s, what its curve asks
    for beyond what its auths do. tolerance (K+G,): c of SPEC §6, c - 2 of SPEC §3. sloped (K+G,):
    how many auths on a slope touch it. ramp (N,): the ramp a curve's price lies on, or -1.
    """

    demand: Ints
    tolerance: Ints
    sloped: Ints
    ramp: Ints


@kernel
def sweep(rows: Rows, prices: Ints, prices_near: Floats, on_chain: bool, answer: Response) -> None:
    """SPEC §3 for every curve, added to the products and costs of its legs.

    Floats with a bound on their error settle which curves are far from every slope; the others,
    and all quantities, are exact.
    """
    limbs = rows.ramp_top.shape[1]
    level = np.empty(limbs, np.int64)
    rate = np.empty(QUANTITY, np.int64)
    below = np.empty(limbs, np.int64)
    beyond = np.empty(limbs, np.int64)
    for row in range(len(rows.leg_ptr) - 1):
        first, last = rows.leg_ptr[row], rows.leg_ptr[row + 1]
        near, size, gross = _near_level(rows, prices_near, first, last)
        exact = False
        sloped = False
        side = 1
        rate[:] = 0
        for step in range(rows.ramp_ptr[row], rows.ramp_ptr[row + 1]):
            top = rows.high[step]
            gap = top - rows.ramp_side[step] * near
            margin = 2.0**-47 * (size + abs(top) + rows.fall[step]) + 2.0**GUARD * 2 * gross
            if gap < -margin:
                continue
            if gap > rows.fall[step] + margin:
                side = rows.ramp_side[step]
                _add_width(rows.ramp_width[step], rate)
                continue
            if not exact:
                _exact_level(rows, prices, first, last, level)
                exact = True
            _measure(rows, step, level, below, beyond)
            if below[limbs - 1] >= 0:
                side = rows.ramp_side[step]
                if positive(beyond):
                    _add_fraction(rows, step, below, on_chain, rate)
                    answer.ramp[row] = step
                else:
                    _add_width(rows.ramp_width[step], rate)
            sloped = _within_window(below, beyond, gross) or sloped
        carry(rate)
        if rows.limited[row]:
            sloped = _cut(rows, row, side, rate, answer.ramp) and sloped
        _deliver(rows, first, last, rate, side, sloped and row < rows.auths, answer)


@inline_kernel
def _near_level(rows: Rows, prices_near: Floats, first: int, last: int) -> tuple[float, float, int]:
    """Π in floating point, the sum of the sizes of its terms, and W + G."""
    near = 0.0
    size = 0.0
    gross = 0
    for leg in range(first, last):
        term = rows.leg_weight[leg] * prices_near[rows.leg_product[leg]]
        near += term
        size += abs(term)
        gross += abs(rows.leg_weight[leg])
    return near, size, gross


@inline_kernel
def _exact_level(rows: Rows, prices: Ints, first: int, last: int, level: Ints) -> None:
    """Π X112, not carried."""
    level[:] = 0
    for leg in range(first, last):
        for i in range(len(level)):
            level[i] += rows.leg_weight[leg] * prices[rows.leg_product[leg], i]


@inline_kernel
def _measure(rows: Rows, step: int, level: Ints, below: Ints, beyond: Ints) -> None:
    """How far the price lies below the top of a ramp, and above its bottom; both carried."""
    for i in range(len(level)):
        below[i] = rows.ramp_top[step, i] - rows.ramp_side[step] * level[i]
        beyond[i] = -below[i]
    for i in range(DROP):
        beyond[i + _WHOLE] += rows.ramp_drop[step, i]
    carry(below)
    carry(beyond)


@inline_kernel
def _within_window(below: Ints, beyond: Ints, gross: int) -> bool:
    """Sloped: within W + G, in X84, of the inside of the ramp. Overwrites both measures."""
    below[1] += gross << (GUARD - BITS)
    beyond[1] += gross << (GUARD - BITS)
    carry(below)
    carry(beyond)
    return positive(below) and positive(beyond)


@inline_kernel
def _add_width(width: int, rate: Ints) -> None:
    rate[_WHOLE] += width & MASK
    rate[_WHOLE + 1] += width >> BITS


@kernel
def _add_fraction(rows: Rows, step: int, below: Ints, on_chain: bool, rate: Ints) -> None:
    """Add ⌊below · width / drop⌋ to a rate."""
    product = np.zeros(len(below) + 2, np.int64)
    remainder = np.empty(DROP + 1, np.int64)
    quotient = np.empty(QUANTITY, np.int64)
    low, high = rows.ramp_width[step] & MASK, rows.ramp_width[step] >> BITS
    for i in range(len(below)):
        product[i] += below[i] * low
        product[i + 1] += below[i] * high
    carry(product)
    divide(product, rows.ramp_drop[step], remainder, quotient)
    if on_chain:
        quotient[0] = 0
        quotient[1] &= _COARSE
    for i in range(QUANTITY):
        rate[i] += quotient[i]


@kernel
def _cut(rows: Rows, row: int, side: int, rate: Ints, ramp: Ints) -> bool:
    """Cut a rate to what is left of its limits; whether it was within an ulp of X44 of that."""
    room = rows.room[row, (1 - side) // 2]
    over = rate - room
    carry(over)
    if not positive(over):
        return True
    rate[:] = room
    ramp[row] = -1
    over[1] -= 1 << (GUARD - BITS)
    carry(over)
    return not positive(over)


@inline_kernel
def _deliver(
    rows: Rows, first: int, last: int, rate: Ints, side: int, sloped: bool, answer: Response
) -> None:
    """Add a curve's legs to the demand of their products, and to the tolerances if sloped."""
    for leg in range(first, last):
        product = rows.leg_product[leg]
        weight = side * rows.leg_weight[leg]
        for i in range(QUANTITY):
            answer.demand[product, i] += weight * rate[i]
        if sloped:
            answer.tolerance[product] += abs(weight) + 1
            answer.sloped[product] += 1
