"""Order files: the JSON of auths into ``Order``, with an error for everything else.

A file is one auth, a list of auths, or ``{"auths": [...], "valid_until": ...}`` with a time in
unix seconds or like 2030-01-31T16:00:00Z. An auth is ``{"portfolio": {product: tokens, ...},
"data": {"demand": ...}}`` with an optional ``"auth_id"``. The demand is a list of
``{"rate", "price"}`` with rates rising and prices falling, or a constant price
``{"min_rate": ..., "max_rate": ..., "price": ...}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final, NoReturn

from walras.errors import OrderError
from walras.numbers import MAX_AUTHS, MAX_LEGS
from walras.orders.model import Constant, Demand, HumanAuth, Order, Point
from walras.units import parse_number, plain_text

__all__ = ["parse_order"]

_MAX_POINTS: Final = 64
_LONGEST_NAME: Final = 64
_LAST_SECOND: Final = (1 << 40) - 1
_STANDING: Final = ("min_trade", "max_trade", "trade_duration", "standing")
_COSTS: Final = ("cost", "costs", "group", "groups", "cost_id")


def parse_order(text: str) -> Order:
    """Read an order file. Raises OrderError that says where and what to write instead."""
    try:
        value = json.loads(
            text, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        raise OrderError(
            f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except (RecursionError, ValueError):
        raise OrderError("not an order: nested too deeply or with a number too long") from None
    return _order(value)


def _order(value: object) -> Order:
    valid_until = 0
    if isinstance(value, dict) and "portfolio" not in value:
        _check_fields(value, "the order file", required=("auths",), optional=("valid_until",))
        valid_until = _valid_until(value.get("valid_until", 0))
        value = value["auths"]
    auths = value if isinstance(value, list) else [value]
    if not auths:
        raise OrderError("the order file has no auths; give at least one")
    if len(auths) > MAX_AUTHS:
        raise OrderError(f"{len(auths)} auths; a submission holds at most {MAX_AUTHS}")
    return Order(tuple(_auth(a, i) for i, a in enumerate(auths, 1)), valid_until)


def _auth(value: object, position: int) -> HumanAuth:
    where = f"auth {position}"
    fields = _mapping(value, where)
    _check_fields(fields, where, required=("portfolio", "data"), optional=("auth_id",))
    name = fields.get("auth_id", str(position))
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise OrderError(f"{where}: auth_id must be 1 to 64 printable characters")
    data = _mapping(fields["data"], f"{where}: data")
    _check_fields(data, f"{where}: data", required=("demand",), optional=())
    weights = _portfolio(fields["portfolio"], where)
    return HumanAuth(name, weights, _demand(data["demand"], where))


def _portfolio(value: object, where: str) -> tuple[tuple[str, Fraction], ...]:
    fields = _mapping(value, f"{where}: portfolio")
    if not fields:
        raise OrderError(f"{where}: the portfolio is empty; name at least one product")
    if len(fields) > MAX_LEGS:
        raise OrderError(f"{where}: {len(fields)} products; a portfolio has at most {MAX_LEGS}")
    for name in fields:
        if not name.isprintable() or not 0 < len(name) <= _LONGEST_NAME:
            raise OrderError(f"{where}: {name[:20]!r} is no name of a product")
    weights = tuple(
        (name, parse_number(w, f"{where}: weight of {name}")) for name, w in fields.items()
    )
    for name, weight in weights:
        if not weight:
            raise OrderError(f"{where}: the weight of {name} is 0; leave it out")
    return weights


def _demand(value: object, where: str) -> Demand:
    if isinstance(value, list):
        return _points(value, where)
    fields = _mapping(value, f"{where}: demand")
    _check_fields(
        fields, f"{where}: demand", required=("price",), optional=("min_rate", "max_rate")
    )
    low, high = (_rate_limit(fields.get(k), f"{where}: {k}") for k in ("min_rate", "max_rate"))
    if (low is not None and low > 0) or (high is not None and high < 0):
        raise OrderError(
            f"{where}: rate 0 is outside the range; min_rate must be ≤ 0 and max_rate ≥ 0"
        )
    if low == high == 0:
        raise OrderError(f"{where}: min_rate and max_rate are both 0; such an auth never trades")
    return Constant(low, high, parse_number(fields["price"], f"{where}: price"))


def _points(values: list[Any], where: str) -> tuple[Point, ...]:
    if not values or len(values) > _MAX_POINTS:
        raise OrderError(f"{where}: {len(values)} points; give 2 to {_MAX_POINTS}")
    points = []
    for i, value in enumerate(values, 1):
        at = f"{where}, point {i}"
        fields = _mapping(value, at)
        _check_fields(fields, at, required=("rate", "price"), optional=())
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
    if points[0].rate == points[-1].rate:
        raise OrderError(f"{where}: all rates are 0; such an auth never trades")
    return tuple(points)


def _rate_limit(value: object, what: str) -> Fraction | None:
    return None if value is None else parse_number(value, what)


def _valid_until(value: object) -> int:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise OrderError(
                "valid_until must be unix seconds or a time with its zone "
                f"like 2030-01-31T16:00:00Z, not {value[:40]!r}"
            )
        value = int(moment.timestamp())
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LAST_SECOND:
        raise OrderError("valid_until must be a time in whole unix seconds, or 0 for none")
    return value


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise OrderError(f"{where} must be an object in braces")
    return value


def _check_fields(
    fields: Mapping[str, object],
    where: str,
    *,
    required: tuple[str, ...],
    optional: tuple[str, ...],
) -> None:
    for field in fields:
        if field in required or field in optional:
            continue
        if field in _STANDING:
            raise OrderError(
                f"{where}: {field!r} is not supported, every submission lives for one batch; "
                "cumulative limits arrive with standing submissions. Leave it out"
            )
        if field in _COSTS:
            raise OrderError(
                f"{where}: {field!r} is not supported, this market takes auths only; "
                "costs arrive with standing submissions. Leave it out"
            )
        known = ", ".join((*required, *optional))
        raise OrderError(f"{where}: unknown field {field!r}; known are {known}")
    for field in required:
        if field not in fields:
            raise OrderError(f"{where}: {field!r} is missing")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(n for n in names if names.count(n) > 1)
        raise OrderError(f"{twice!r} is given twice in one object; give it once")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise OrderError(f"{name} is not a number an order can hold")
