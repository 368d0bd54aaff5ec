"""A demand curve split at rate 0 into the two sides the chain stores."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from walras.orders.model import Constant, Demand, Point, Side

__all__ = ["per_batch", "sides", "whole_sides"]

_ZERO = Fraction(0)


def sides(demand: Demand) -> tuple[Side | None, Side | None]:
    """(buy side, sell side) of a checked curve; None where nothing can trade.

    The price at rate 0 is interpolated exactly if no point lies there; with several points at
    rate 0 the lowest price is the bid and the highest the ask. Corners that change nothing
    (collinear ones, price drops after the last rate) are left out.
    """
    buy, sell = (
        side if side.unlimited or len(side.points) > 1 else None for side in whole_sides(demand)
    )
    return buy, sell


def whole_sides(demand: Demand) -> tuple[Side, Side]:
    """As ``sides``; a side on which nothing can trade is its point at rate 0."""
    if isinstance(demand, Constant):
        low, high = demand.min_rate, demand.max_rate
        return (
            _constant(demand.price, high),
            _constant(-demand.price, None if low is None else -low),
        )
    mirrored = tuple(Point(-p.rate, -p.price) for p in reversed(demand))
    return _buy_side(demand), _buy_side(mirrored)


def per_batch(demand: Demand, batches: Fraction) -> Demand:
    """The curve with its rates per batch, of one whose rates are per so many ``batches``."""
    if isinstance(demand, Constant):
        low, high = (None if r is None else r / batches for r in (demand.min_rate, demand.max_rate))
        return Constant(low, high, demand.price)
    return tuple(Point(p.rate / batches, p.price) for p in demand)


def _constant(price: Fraction, rate: Fraction | None) -> Side:
    start = (Point(_ZERO, price),)
    if rate is None:
        return Side(start, unlimited=True)
    return Side((*start, Point(rate, price)) if rate else start)


def _buy_side(points: Sequence[Point]) -> Side:
    right = [p for p in points if p.rate > 0]
    # the last point at or left of rate 0 starts the line to the first one right of it
    start = [p for p in points if p.rate <= 0][-1]
    if not right:
        return Side((Point(_ZERO, start.price),))
    slope = (right[0].price - start.price) / (right[0].rate - start.rate)
    outward = [Point(_ZERO, start.price - slope * start.rate), *right]
    while outward[-1].rate == outward[-2].rate:
        outward.pop()
    return Side(_without_collinear(outward))


def _without_collinear(points: Sequence[Point]) -> tuple[Point, ...]:
    kept = [points[0]]
    for point, after in pairwise(points[1:]):
        before = kept[-1]
        run = (point.rate - before.rate) * (after.price - before.price)
        if run != (after.rate - before.rate) * (point.price - before.price):
            kept.append(point)
    return (*kept, points[-1])
