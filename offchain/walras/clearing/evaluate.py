"""One judge for every engine: how far prices and fills are from the optimum, proved from them alone.

For any prices and fills, by weak duality and term by term non-negative,
    optimal welfare - welfare  <=  sum of regrets + sum |price · residual|,
where the regret of an order is the integral of |limit - price| between its fill and its demand. It is
summed piece by piece, never as primal minus dual, which would cancel.
"""

import math
from dataclasses import dataclass

import numpy as np

from walras.clearing import kernels
from walras.clearing.book import Book, Floats, Ints

__all__ = ["Verdict", "evaluate"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """regrets (N + G,): cash each order, then each group, leaves behind at the prices;
    residual (K,): lots bought less lots sold, the maker included; group_residual (G,) likewise;
    gap: cash by which welfare may fall short of the optimum; surplus: cash gained by trading;
    certificate: gap / surplus, infinite when undefined."""

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
    legs = np.repeat(np.arange(book.orders), np.diff(book.leg_ptr))
    members = np.repeat(np.arange(book.groups), np.diff(book.group_ptr))

    def by_order(values: Floats) -> Floats:
        return np.bincount(legs, book.leg_weight * values[book.leg_product], book.orders)

    origin = by_order(book.reference_price)
    level = by_order(deviation) - np.bincount(
        book.group_order, book.group_coefficient * shadow[members], book.orders
    )
    regrets = np.empty(book.orders + book.groups)
    shifted = book.curve_price - np.repeat(origin, np.diff(book.curve_ptr))
    surplus = kernels.regrets(
        book.curve_ptr, book.curve_rate, shifted, level, fills, regrets[: book.orders]
    )
    joint, group_residual = _group_fills(book, members, fills)
    surplus += kernels.regrets(
        book.group_curve_ptr,
        book.group_curve_rate,
        book.group_curve_price,
        shadow,
        joint,
        regrets[book.orders :],
    )
    maker = np.zeros(book.products) if book.maker is None else book.maker * deviation
    surplus -= 0.5 * float(maker @ deviation)
    bought = np.bincount(book.leg_product, book.leg_weight * fills[legs], book.products)
    residual = bought - maker
    gap = float(
        regrets.sum() + np.abs(prices) @ np.abs(residual) + np.abs(shadow) @ np.abs(group_residual)
    )
    return Verdict(regrets, residual, group_residual, gap, surplus, _ratio(gap, surplus))


def _group_fills(book: Book, members: Ints, fills: Floats) -> tuple[Floats, Floats]:
    """Each group's combination of fills, clipped to its curve, and what the clipping cut off."""
    total = np.bincount(members, book.group_coefficient * fills[book.group_order], book.groups)
    low = book.group_curve_rate[book.group_curve_ptr[:-1]]
    high = book.group_curve_rate[book.group_curve_ptr[1:] - 1]
    joint = np.clip(total, low, high)
    return joint, total - joint


def _ratio(gap: float, surplus: float) -> float:
    """gap / surplus; exactly nothing lost is zero, anything undefined is infinite."""
    if gap == 0.0:
        return 0.0
    if not (math.isfinite(gap) and math.isfinite(surplus)) or surplus <= 0.0:
        return math.inf
    return gap / surplus
