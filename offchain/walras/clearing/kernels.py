# ruff: noqa: PLR0913, PLR0917 (a kernel's arguments are the arrays it touches)
"""The inner loops over the orders.

Notation: order i has legs (product, weight) and a demand curve through (rate, price). Prices are
deviations q = p - reference, and so are curve prices (price - w·reference), which keeps the two or
three digits that absolute prices would lose. A proximal slope `soft[i]` around `centre[i]` tilts a
curve,
    price'(x) = price(x) - soft (x - centre),
so that flat steps get a slope; `soft = 0` is the order itself.

Every order stands on one straight piece of its curve: at levels bottom <= s < top it demands
left + (top - s) slope. While it stays there, its part of the gradient moves with the curvature
alone, so a step has to look closely only at orders that leave their piece. Every kernel has a
NumPy reading in tests/unit/clearing/reading.py.
"""

import numpy as np
from numpy.typing import NDArray

from walras.clearing.book import Floats, Ints
from walras.clearing.jit import inline_kernel, kernel

Products = NDArray[np.int32]

__all__ = [
    "along",
    "commit",
    "curve",
    "demand",
    "fills",
    "leavers",
    "locate",
    "refresh",
    "replace",
    "watch",
]


@inline_kernel
def locate(
    rate: Floats, price: Floats, first: int, last: int, soft: float, centre: float, level: float
) -> tuple[float, float, float, float]:
    """The piece (top, bottom, left, slope) of breakpoints first..last that `level` is on."""
    left = rate[first]
    top = price[first] - soft * (left - centre)
    if level >= top:
        return np.inf, top, left, 0.0
    for j in range(first + 1, last + 1):
        right = rate[j]
        bottom = price[j] - soft * (right - centre)
        if level >= bottom:
            return top, bottom, left, (right - left) / (top - bottom)
        left = right
        top = bottom
    return top, -np.inf, left, 0.0


@inline_kernel
def demand(top: float, bottom: float, left: float, slope: float, level: float) -> float:
    """Demanded rate at `level`, also beyond the piece.

    Measured from the nearer end: close to rate 0 a long step would round small fills away.
    """
    if slope == 0.0:
        return left
    if top - level <= level - bottom:
        return left + (top - level) * slope
    return left + (top - bottom) * slope - (level - bottom) * slope


@kernel
def refresh(
    leg_ptr: Ints,
    leg_product: Products,
    leg_weight: Floats,
    curve_ptr: Ints,
    rate: Floats,
    price: Floats,
    soft: Floats,
    centre: Floats,
    q: Floats,
    level: Floats,
    piece: Floats,
    gradient: Floats,
    hessian: Floats,
    bend: bool,
) -> None:
    """From scratch at prices q: level = W q, pieces, gradient -= W'x, hessian += W' diag(slope) W.

    piece (N, 4) holds top, bottom, left, slope; of the hessian only the lower triangle is kept, so
    the products of an order must ascend. Without `bend` the hessian is left alone.
    """
    for i in range(len(leg_ptr) - 1):
        begin, end = leg_ptr[i], leg_ptr[i + 1]
        s = 0.0
        for a in range(begin, end):
            s += leg_weight[a] * q[leg_product[a]]
        level[i] = s
        top, bottom, left, slope = locate(
            rate, price, curve_ptr[i], curve_ptr[i + 1] - 1, soft[i], centre[i], s
        )
        piece[i, 0], piece[i, 1], piece[i, 2], piece[i, 3] = top, bottom, left, slope
        x = demand(top, bottom, left, slope, s)
        if x != 0.0 or slope != 0.0:
            for a in range(begin, end):
                row = leg_product[a]
                gradient[row] -= leg_weight[a] * x
                if bend and slope != 0.0:
                    scaled = slope * leg_weight[a]
                    for b in range(begin, a + 1):
                        hessian[row, leg_product[b]] += scaled * leg_weight[b]


@kernel
def curve(
    leg_ptr: Ints, leg_product: Products, leg_weight: Floats, piece: Floats, hessian: Floats
) -> None:
    """hessian += W' diag(slope) W on the present pieces, lower triangle."""
    for i in range(len(piece)):
        slope = piece[i, 3]
        if slope != 0.0:
            for a in range(leg_ptr[i], leg_ptr[i + 1]):
                scaled = slope * leg_weight[a]
                for b in range(leg_ptr[i], a + 1):
                    hessian[leg_product[a], leg_product[b]] += scaled * leg_weight[b]


@kernel
def watch(
    leg_ptr: Ints,
    leg_product: Products,
    leg_weight: Floats,
    curve_ptr: Ints,
    rate: Floats,
    price: Floats,
    soft: Floats,
    centre: Floats,
    q: Floats,
    radius: Floats,
    level: Floats,
    piece: Floats,
    source: Ints,
    watched: Ints,
) -> int:
    """level = W q; lists in `watched` the orders whose piece can end within `radius` (K,) of q.

    Looks at the orders `source` only.

    A soft order is left out only at an end of its bare curve that is its centre too: there, moving
    centres and changing softness leave it alone.
    """
    count = 0
    for n in range(len(source)):
        i = source[n]
        s = 0.0
        margin = 0.0
        for a in range(leg_ptr[i], leg_ptr[i + 1]):
            s += leg_weight[a] * q[leg_product[a]]
            margin += abs(leg_weight[a]) * radius[leg_product[a]]
        level[i] = s
        top, bottom = piece[i, 0], piece[i, 1]
        if soft[i] != 0.0:
            first, last = curve_ptr[i], curve_ptr[i + 1] - 1
            if top == np.inf and centre[i] == rate[first]:
                bottom = price[first]
            elif bottom == -np.inf and centre[i] == rate[last]:
                top = price[last]
            else:
                top = bottom
        watched[count] = i
        count += not (s - margin >= bottom and s + margin < top)
    return count


@kernel
def leavers(
    leg_ptr: Ints,
    leg_product: Products,
    leg_weight: Floats,
    direction: Floats,
    step: float,
    level: Floats,
    piece: Floats,
    watched: Ints,
    move: Floats,
    leaving: Ints,
) -> int:
    """move = W direction for the `watched` orders.

    Lists those that a `step` carries off their piece.
    """
    count = 0
    for n in range(len(watched)):
        i = watched[n]
        total = 0.0
        for a in range(leg_ptr[i], leg_ptr[i + 1]):
            total += leg_weight[a] * direction[leg_product[a]]
        move[i] = total
        s = level[i] + step * total
        leaving[count] = i
        count += not (piece[i, 1] <= s < piece[i, 0])
    return count


@kernel
def along(
    curve_ptr: Ints,
    rate: Floats,
    price: Floats,
    soft: Floats,
    centre: Floats,
    level: Floats,
    piece: Floats,
    move: Floats,
    leaving: Ints,
    step: float,
) -> tuple[float, float]:
    """What leaving orders add to the dual's first and second derivative along the search."""
    first = 0.0
    second = 0.0
    for n in range(len(leaving)):
        i = leaving[n]
        s = level[i] + step * move[i]
        if not (piece[i, 1] <= s < piece[i, 0]):
            top, bottom, left, slope = locate(
                rate, price, curve_ptr[i], curve_ptr[i + 1] - 1, soft[i], centre[i], s
            )
            old = demand(piece[i, 0], piece[i, 1], piece[i, 2], piece[i, 3], s)
            first -= move[i] * (demand(top, bottom, left, slope, s) - old)
            second += move[i] * move[i] * (slope - piece[i, 3])
    return first, second


@kernel
def replace(
    leg_ptr: Ints,
    leg_product: Products,
    leg_weight: Floats,
    curve_ptr: Ints,
    rate: Floats,
    price: Floats,
    soft: Floats,
    centre: Floats,
    level: Floats,
    piece: Floats,
    listed: Ints,
    gradient: Floats,
    hessian: Floats,
) -> int:
    """Find the pieces of the `listed` orders anew; correct gradient and hessian.

    Returns how many slopes changed: none means that the step stayed on one quadratic.
    """
    changed = 0
    for n in range(len(listed)):
        i = listed[n]
        s = level[i]
        before = demand(piece[i, 0], piece[i, 1], piece[i, 2], piece[i, 3], s)
        top, bottom, left, slope = locate(
            rate, price, curve_ptr[i], curve_ptr[i + 1] - 1, soft[i], centre[i], s
        )
        x = demand(top, bottom, left, slope, s) - before
        bend = slope - piece[i, 3]
        piece[i, 0], piece[i, 1], piece[i, 2], piece[i, 3] = top, bottom, left, slope
        changed += bend != 0.0
        if x != 0.0 or bend != 0.0:
            for a in range(leg_ptr[i], leg_ptr[i + 1]):
                row = leg_product[a]
                gradient[row] -= leg_weight[a] * x
                if bend != 0.0:
                    scaled = bend * leg_weight[a]
                    for b in range(leg_ptr[i], a + 1):
                        hessian[row, leg_product[b]] += scaled * leg_weight[b]
    return changed


@kernel
def commit(watched: Ints, level: Floats, move: Floats, step: float) -> None:
    """level += step · move for the `watched` orders."""
    for n in range(len(watched)):
        i = watched[n]
        level[i] += step * move[i]


@kernel
def fills(level: Floats, piece: Floats, fill: Floats) -> None:
    """fill = demand at the present level."""
    for i in range(len(level)):
        fill[i] = demand(piece[i, 0], piece[i, 1], piece[i, 2], piece[i, 3], level[i])
