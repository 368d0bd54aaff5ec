"""Demand curves of an order file: points, or one price over a range of rates."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from walras.errors import OrderError
from walras.orders.fields import check_fields, mapping
from walras.orders.model import Constant, Demand, Point
from walras.units import parse_number, plain_text

__all__ = ["read_demand", "read_limit"]

_MAX_POINTS: Final = 64


def read_demand(value: object, where: str, *, never: str = "such an auth never trades") -> Demand:
    """A curve that falls and has rate 0 in its range. Raises OrderError.

    ``never`` says what is wrong with one that holds nothing but rate 0; empty if nothing is.
    """
    if isinstance(value, list):
        return _points(value, where, never)
    fields = mapping(value, f"{where}: demand")
    check_fields(fields, f"{where}: demand", required=("price",), optional=("min_rate", "max_rate"))
    low, high = (read_limit(fields, k, where) for k in ("min_rate", "max_rate"))
    if (low is not None and low > 0) or (high is not None and high < 0):
        raise OrderError(
            f"{where}: rate 0 is outside the range; min_rate must be ≤ 0 and max_rate ≥ 0"
        )
    if low == high == 0 and never:
        raise OrderError(f"{where}: min_rate and max_rate are both 0; {never}")
    return Constant(low, high, parse_number(fields["price"], f"{where}: price"))


def read_limit(fields: dict[str, Any], field: str, where: str) -> Fraction | None:
    """An optional number; null is the same as leaving it out."""
    value = fields.get(field)
    return None if value is None else parse_number(value, f"{where}: {field}")


def _points(values: list[Any], where: str, never: str) -> tuple[Point, ...]:
    if not values or len(values) > _MAX_POINTS:
        raise OrderError(f"{where}: {len(values)} points; give 2 to {_MAX_POINTS}")
    points = []
    for i, value in enumerate(values, 1):
        at = f"{where}, point {i}"
        fields = mapping(value, at)
        check_fields(fields, at, required=("rate", "price"))
        points.append(Point(*(parse_number(fields[k], f"{at}: {k}") for k in ("rate", "price"))))
    for i, (left, right) in enumerate(pairwise(points), 1):
        if right.rate < left.rate:
            raise OrderError(f"{where}: the rate falls from point {i} to {i + 1}; sort by rate")
        if right.price > left.price:
            raise OrderError(
                f"{where}: the curve increases, the price rises from {plain_text(left.price)} to "
                f"{plain_text(right.price)} between points {i} and {i + 1}; "
                "demand has to fall or stay as the rate grows"
            )
    if points[0].rate > 0 or points[-1].rate < 0:
        raise OrderError(
            f"{where}: rate 0 is outside the curve, which runs from {plain_text(points[0].rate)} "
            f"to {plain_text(points[-1].rate)}; add a point at rate 0"
        )
    if points[0].rate == points[-1].rate and never:
        raise OrderError(f"{where}: all rates are 0; {never}")
    return tuple(points)
