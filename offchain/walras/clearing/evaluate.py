"""One judge for every engine: the distance from the optimum, proved from the answer alone.

For any prices and fills, by weak duality and term by term non-negative,
    optimal welfare - welfare  <=  sum of regrets + sum |price · residual|,
where the regret of an order is the integral of |limit - price| between its fill and its demand. It
is summed piece by piece, never as primal minus dual, which would cancel.
"""

import math
from dataclasses import dataclass

import numpy as np

from walras.clearing.book import Book, Floats, Ints
from walras.clearing.jit import kernel

__all__ = ["Verdict", "evaluate"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement.

    regrets (N + G,): cash each order, then each group, leaves behind at the prices;
    residual (K,): lots bought less lots sold, the maker included; group_residual (G,) likewise;
    gap: cash by which welfare may fall short of the optimum; surplus: cash gained by trading;
    certificate: gap / surplus, infinite when undefined.
    """

    regrets: Floats
    residual: Floats
    group_residual: Floats
    gap: float
    surplus: float
    certificate: float


def evaluate(
    book: Book, prices: Floats, fills: Floats, group_prices: Floats | None = None
) -> Verdict:
    """Judge `prices` (K,), `fills` (N,) and the shadow prices of the groups (G,) against `book`."""
    shadow = np.zeros(book.groups) if group_prices is None else np.asarray(group_prices, float)
    fills = np.asarray(fills, float)
    prices = np.asarray(prices, float)
    deviation = prices - book.reference_price
    members = np.repeat(np.arange(book.groups), np.diff(book.group_ptr))
    relief = np.zeros(book.orders)
    np.add.at(relief, book.group_order, book.group_coefficient * shadow[members])
    lost = np.empty(book.orders + book.groups)
    bought = np.zeros(book.products)
    surplus = _judge(
        book.leg_ptr,
        book.leg_product,
        book.leg_weight,
        book.curve_ptr,
        book.curve_rate,
        book.curve_price,
        book.reference_price,
        deviation,
        relief,
        fills,
        lost,
        bought,
    )
    joint, group_residual = _group_fills(book, members, fills)
    surplus += _judge_groups(
        book.group_curve_ptr,
        book.group_curve_rate,
        book.group_curve_price,
        shadow,
        joint,
        lost[book.orders :],
    )
    maker = np.zeros(book.products) if book.maker is None else book.maker * deviation
    surplus -= 0.5 * float(maker @ deviation)
    residual = bought - maker
    gap = float(
        lost.sum() + np.abs(prices) @ np.abs(residual) + np.abs(shadow) @ np.abs(group_residual)
    )
    return Verdict(lost, residual, group_residual, gap, surplus, _ratio(gap, surplus))


def _group_fills(book: Book, members: Ints, fills: Floats) -> tuple[Floats, Floats]:
    """Each group's combination of fills, clipped to its curve, and what the clipping cut off."""
    share = book.group_coefficient * fills[book.group_order]
    total = np.bincount(members, share, book.groups).astype(np.float64)
    low = book.group_curve_rate[book.group_curve_ptr[:-1]]
    high = book.group_curve_rate[book.group_curve_ptr[1:] - 1]
    joint: Floats = np.clip(total, low, high)
    return joint, total - joint


def _ratio(gap: float, surplus: float) -> float:
    """gap / surplus; exactly nothing lost is zero, anything undefined is infinite."""
    if gap == 0.0:
        return 0.0
    if not (math.isfinite(gap) and math.isfinite(surplus)) or surplus <= 0.0:
        return math.inf
    return gap / surplus


@kernel
def _regret(
    rate: Floats, price: Floats, first: int, last: int, origin: float, level: float, fill: float
) -> tuple[float, float]:
    """What `fill` leaves behind at `level`, and its value, prices counted from `origin`.

    The first is the integral of |price(t) - level| between the fill and the demand, infinite for
    a fill outside its curve; the second the integral of price(t) from rate 0.
    """
    lost = 0.0 if rate[first] <= fill <= rate[last] else np.inf
    value = 0.0
    for j in range(first, last):
        left, right = rate[j], rate[j + 1]
        if right <= left:
            continue
        high, low = price[j] - origin, price[j + 1] - origin
        fall = (high - low) / (right - left)
        begin, end = max(left, fill), min(right, fill)
        if begin < right:  # not bought, though worth more than its price
            above = high - fall * (begin - left) - level
            if above > 0.0:
                width = right - begin if low >= level else min(above / fall, right - begin)
                lost += 0.5 * (above + max(low - level, 0.0)) * width
        if end > left:  # bought, though worth less than its price
            below = level - (high - fall * (end - left))
            if below > 0.0:
                width = end - left if high <= level else min(below / fall, end - left)
                lost += 0.5 * (below + max(level - high, 0.0)) * width
        begin, end = max(left, min(fill, 0.0)), min(right, max(fill, 0.0))
        if end > begin:
            worth = (high - fall * (0.5 * (begin + end) - left)) * (end - begin)
            value += worth if fill > 0.0 else -worth
    return lost, value


@kernel
def _judge(  # noqa: PLR0913, PLR0917 (a kernel's arguments are the arrays it touches)
    leg_ptr: Ints,
    leg_product: Ints,
    leg_weight: Floats,
    curve_ptr: Ints,
    curve_rate: Floats,
    curve_price: Floats,
    reference: Floats,
    deviation: Floats,
    relief: Floats,
    fills: Floats,
    lost: Floats,
    bought: Floats,
) -> float:
    """Regrets of all orders into `lost`, lots into `bought`; returns the surplus.

    Prices enter as deviations from the reference: their common part would cost two or three digits.
    """
    surplus = 0.0
    for i in range(len(fills)):
        origin = 0.0
        level = -relief[i]
        for a in range(leg_ptr[i], leg_ptr[i + 1]):
            origin += leg_weight[a] * reference[leg_product[a]]
            level += leg_weight[a] * deviation[leg_product[a]]
            bought[leg_product[a]] += leg_weight[a] * fills[i]
        first, last = curve_ptr[i], curve_ptr[i + 1] - 1
        lost[i], value = _regret(curve_rate, curve_price, first, last, origin, level, fills[i])
        surplus += value
    return surplus


@kernel
def _judge_groups(
    curve_ptr: Ints,
    curve_rate: Floats,
    curve_price: Floats,
    shadow: Floats,
    joint: Floats,
    lost: Floats,
) -> float:
    """Regrets of all groups at their shadow prices into `lost`.

    Returns their share of the surplus.
    """
    surplus = 0.0
    for d in range(len(joint)):
        first, last = curve_ptr[d], curve_ptr[d + 1] - 1
        lost[d], value = _regret(curve_rate, curve_price, first, last, 0.0, shadow[d], joint[d])
        surplus += value
    return surplus
