"""Optimality conditions of a clearing, order by order, with none of the engine's own code."""

from itertools import pairwise

import numpy as np

from walras.clearing import Book, Clearing
from walras.clearing.book import Floats, Ints


def violation(book: Book, clearing: Clearing) -> float:
    """Largest violation of the optimality conditions, in units free of scale.

    Feasible fills; marginal value against price at every fill; markets and groups that clear.
    """
    scale = np.maximum(np.abs(book.reference_price), np.abs(clearing.prices))
    relief = np.zeros(book.orders)
    worst = 0.0
    for d in range(book.groups):
        members = slice(book.group_ptr[d], book.group_ptr[d + 1])
        order, coefficient = book.group_order[members], book.group_coefficient[members]
        relief[order] += coefficient * clearing.group_prices[d]
        total = float(coefficient @ clearing.fills[order])
        volume = float(np.abs(coefficient) @ np.abs(clearing.fills[order]))
        points = _points(book.group_curve_ptr, book.group_curve_rate, book.group_curve_price, d)
        unit = max(_gross(book, j) / abs(c) for j, c in zip(order, coefficient, strict=True))
        span = points[-1][0] - points[0][0]
        total = _clip(total, points, 1e-9 * max(volume, span))
        worst = max(worst, _off_curve(points, total, clearing.group_prices[d]) / unit)
    bought, turnover = np.zeros(book.products), np.zeros(book.products)
    for i in range(book.orders):
        legs = slice(book.leg_ptr[i], book.leg_ptr[i + 1])
        product, weight = book.leg_product[legs], book.leg_weight[legs]
        price = float(weight @ clearing.prices[product]) - relief[i]
        points = _points(book.curve_ptr, book.curve_rate, book.curve_price, i)
        worst = max(worst, _off_curve(points, clearing.fills[i], price) / _gross(book, i))
        np.add.at(bought, product, weight * clearing.fills[i])
        np.add.at(turnover, product, np.abs(weight * clearing.fills[i]))
    if book.maker is not None:
        bought -= book.maker * (clearing.prices - book.reference_price)
        turnover += book.maker * scale
    return max(worst, float(np.max(np.abs(bought) / np.maximum(turnover, 1e-300), initial=0.0)))


def _gross(book: Book, i: int) -> float:
    legs = slice(book.leg_ptr[i], book.leg_ptr[i + 1])
    return float(
        np.abs(book.leg_weight[legs]) @ np.abs(book.reference_price[book.leg_product[legs]])
    )


def _points(ptr: Ints, rate: Floats, price: Floats, i: int) -> list[tuple[float, float]]:
    curve = slice(ptr[i], ptr[i + 1])
    return list(zip(rate[curve].tolist(), price[curve].tolist(), strict=True))


def _clip(fill: float, points: list[tuple[float, float]], tolerance: float) -> float:
    low, high = points[0][0], points[-1][0]
    assert low - tolerance <= fill <= high + tolerance, "a group is beyond its curve"
    return min(max(fill, low), high)


def _off_curve(points: list[tuple[float, float]], fill: float, price: float) -> float:
    """Distance of `price` from the marginal values [m(fill + 0), m(fill - 0)]."""
    low, high = points[0][0], points[-1][0]
    assert low <= fill <= high, "a fill is beyond its curve"
    near = 1e-9 * (high - low)
    below, above = -np.inf, np.inf
    for (left, top), (right, bottom) in pairwise(points):
        if right == left:
            continue
        if left - near <= fill <= right + near:
            at = top - (top - bottom) * min(max((fill - left) / (right - left), 0.0), 1.0)
            if fill < right - near:
                below = max(below, at)
            if fill > left + near:
                above = min(above, at)
    return max(below - price, price - above, 0.0)
