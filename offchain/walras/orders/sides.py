"""A demand curve split at rate 0 into the two sides the chain stores."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from walras.orders.model import Constant, Demand, Point, Side

__all__ = ["sides"]

_ZERO = Fraction(0)


def sides(demand: Demand) -> tuple[Side | None, Side | None]:
    """(buy side, sell side) of a checked curve; None where nothing can trade.

    The price at rate 0 is interpolated exactly if no point lies there; with several points at
    rate 0 the lowest price is the bid and the highest the ask. Corners that change nothing
    (collinear ones, price drops after the last rate) are left out.
    """
    if isinstance(demand, Constant):
        low, high = demand.min_rate, demand.max_rate
        return (
            _constant(demand.price, high),
            _constant(-demand.price, None if low is None else -low),
        )
    mirrored = tuple(Point(-p.rate, -p.price) for p in reversed(demand))
    return _buy_side(demand), _buy_side(mirrored)


def _constant(price: Fraction, rate: Fraction | None) -> Side | None:
    if rate is None:
        return Side((Point(_ZERO, price),), unlimited=True)
    return Side((Point(_ZERO, price), Point(rate, price))) if rate else None


def _buy_side(points: Sequence[Point]) -> Side | None:
    right = [p for p in points if p.rate > 0]
    if not right:
        return None
    # the last point at or left of rate 0 starts the line to the first one right of it
    start = [p for p in points if p.rate <= 0][-1]
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
