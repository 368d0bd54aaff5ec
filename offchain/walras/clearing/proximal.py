# ruff: noqa: PLR0913, PLR0917 (a kernel's arguments are the arrays it touches)
"""Loops over the orders whose proximal centres move; `kernels` has the words."""

from walras.clearing.book import Floats, Ints
from walras.clearing.jit import kernel
from walras.clearing.kernels import Products, demand

__all__ = ["foresee", "recentre"]


@kernel
def recentre(
    soft: Floats,
    gross: Floats,
    level: Floats,
    piece: Floats,
    listed: Ints,
    centre: Floats,
    lean: Floats,
) -> tuple[float, float]:
    """Move the centres of the `listed` orders to their fills; lean (N,) = how far, signed.

    Returns the cash they were worth, and the largest shift of a price over the order's `gross`.
    """
    cash = 0.0
    shift = 0.0
    for n in range(len(listed)):
        i = listed[n]
        x = demand(piece[i, 0], piece[i, 1], piece[i, 2], piece[i, 3], level[i])
        lean[i] = x - centre[i]
        moved = soft[i] * abs(lean[i])
        cash += moved * abs(lean[i])
        if moved > shift * gross[i]:
            shift = moved / gross[i]
        centre[i] = x
    return cash, shift


@kernel
def foresee(
    leg_ptr: Ints,
    leg_product: Products,
    leg_weight: Floats,
    soft: Floats,
    former: Floats,
    lean: Floats,
    level: Floats,
    piece: Floats,
    listed: Ints,
    gradient: Floats,
    hessian: Floats,
) -> int:
    """After `recentre`, tilt pieces as if they had no ends; correct gradient and hessian.

    On a slope 1/(b + former) around the centre before, the fill was off the bare curve by former ·
    lean; around the new one it is to move by former · lean / (b + soft). Returns how many slopes
    changed.
    """
    changed = 0
    for n in range(len(listed)):
        i = listed[n]
        slope = piece[i, 3]
        if slope == 0.0:
            continue
        own = 1.0 / slope - former[i] + soft[i]
        if soft[i] == former[i] or own <= 0.0:
            own = 1.0 / slope
        width = (piece[i, 0] - piece[i, 1]) * slope
        before = demand(piece[i, 0], piece[i, 1], piece[i, 2], slope, level[i])
        x = before + former[i] * lean[i] / own
        bend = 0.0 if soft[i] == former[i] else 1.0 / own - slope
        piece[i, 0] = level[i] + (x - piece[i, 2]) * own
        piece[i, 1] = piece[i, 0] - width * own
        piece[i, 3] = slope + bend
        changed += bend != 0.0
        for a in range(leg_ptr[i], leg_ptr[i + 1]):
            row = leg_product[a]
            gradient[row] -= leg_weight[a] * (x - before)
            if bend != 0.0:
                scaled = bend * leg_weight[a]
                for b in range(leg_ptr[i], a + 1):
                    hessian[row, leg_product[b]] += scaled * leg_weight[b]
    return changed
