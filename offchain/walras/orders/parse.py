"""Order files: the JSON of a submission into ``Order``, with an error for everything else.

A file is one auth, a list of auths, or an object with ``auths`` and optional ``costs``,
``standing``, ``per`` and ``valid_until``. docs/ORDERS.md shows every form by example.
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Any, Final

from walras.errors import OrderError
from walras.numbers import MAX_AUTHS, MAX_COSTS, MAX_LEGS, MAX_TERMS
from walras.orders.demand import read_demand, read_limit
from walras.orders.fields import check_fields, load, mapping, name_of
from walras.orders.model import (
    Constant,
    Demand,
    Expiry,
    HumanAuth,
    HumanCost,
    HumanLimits,
    Order,
)
from walras.orders.setting import SECONDS
from walras.units import parse_number

__all__ = ["parse_order"]

_LONGEST_NAME: Final = 64
_LAST_SECOND: Final = (1 << 40) - 1
_LAST_BATCH: Final = (1 << 32) - 1
_TERMS: Final = ("demand", "per", "min_trade", "max_trade", "target")
_COST_TERMS: Final = ("demand", "per", "min", "max")
_SPANS: Final = {"minutes": 60, "hours": 3_600, "days": 86_400}


def parse_order(text: str) -> Order:
    """Read an order file. Raises OrderError that says where and what to write instead."""
    value = load(text)
    if not isinstance(value, dict) or "portfolio" in value:
        return Order(_auths(value, "batch"))
    where = "the order file"
    check_fields(
        value,
        where,
        required=("auths",),
        optional=("costs", "standing", "per", "valid_until"),
    )
    standing = value.get("standing", False)
    if not isinstance(standing, bool):
        raise OrderError("standing must be true or false")
    per = _per(value, where, "batch")
    expiry = _expiry(value["valid_until"]) if "valid_until" in value else None
    auths = _auths(value["auths"], per)
    return Order(auths, _costs(value.get("costs", []), auths, per), standing, expiry)


def _auths(value: object, per: str) -> tuple[HumanAuth, ...]:
    values = value if isinstance(value, list) else [value]
    if not values:
        raise OrderError("the order file has no auths; give at least one")
    if len(values) > MAX_AUTHS:
        raise OrderError(f"{len(values)} auths; a submission holds at most {MAX_AUTHS}")
    auths = tuple(_auth(each, i, per) for i, each in enumerate(values, 1))
    _check_names([auth.name for auth in auths], "auths")
    return auths


def _auth(value: object, position: int, per: str) -> HumanAuth:
    where = f"auth {position}"
    fields = mapping(value, where)
    if "portfolio" not in fields:
        raise OrderError(f"{where}: 'portfolio' is missing")
    terms = _terms(fields, where, ("portfolio", "name", "auth_id"), _TERMS)
    if "demand" not in terms:
        raise OrderError(f"{where}: 'demand' is missing")
    return HumanAuth(
        name=name_of(fields, where, "auth_id", str(position)),
        weights=_portfolio(fields["portfolio"], where),
        demand=read_demand(terms["demand"], where),
        limits=_limits(terms, where),
        per=_per(terms, where, per),
    )


def _terms(
    fields: dict[str, Any], where: str, own: tuple[str, ...], terms: tuple[str, ...]
) -> dict[str, Any]:
    """The terms of an auth or a cost: in its ``data``, or beside its portfolio or group."""
    if "data" not in fields:
        check_fields(fields, where, optional=(*own, *terms))
        return fields
    check_fields(fields, where, optional=(*own, "data"))
    data = mapping(fields["data"], f"{where}: data")
    check_fields(data, f"{where}: data", optional=terms)
    return data


def _portfolio(value: object, where: str) -> tuple[tuple[str, Fraction], ...]:
    fields = mapping(value, f"{where}: portfolio")
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


def _limits(terms: dict[str, Any], where: str) -> HumanLimits | None:
    """The cumulative limits; a target is one on its own side and 0 on the other."""
    low, high = (read_limit(terms, k, where) for k in ("min_trade", "max_trade"))
    if terms.get("target") is not None:
        if low is not None or high is not None:
            raise OrderError(f"{where}: target sets min_trade and max_trade; leave them out")
        target = parse_number(terms["target"], f"{where}: target")
        if not target:
            raise OrderError(f"{where}: target is 0, so it would never trade; leave the auth out")
        return HumanLimits(min(target, Fraction(0)), max(target, Fraction(0)))
    if (low is not None and low > 0) or (high is not None and high < 0):
        raise OrderError(f"{where}: min_trade must be ≤ 0 and max_trade ≥ 0")
    if low == high == 0:
        raise OrderError(f"{where}: min_trade and max_trade are both 0; it would never trade")
    return None if low is high is None else HumanLimits(low, high)


def _per(fields: dict[str, Any], where: str, default: str) -> str:
    per = fields.get("per", default)
    if not isinstance(per, str) or (per not in SECONDS and per != "batch"):
        raise OrderError(f"{where}: per must be one of batch, {', '.join(SECONDS)}")
    return per


def _costs(value: object, auths: tuple[HumanAuth, ...], per: str) -> tuple[HumanCost, ...]:
    if not isinstance(value, list):
        raise OrderError("costs must be a list in brackets")
    if len(value) > MAX_COSTS:
        raise OrderError(f"{len(value)} costs; a submission holds at most {MAX_COSTS}")
    names = [auth.name for auth in auths]
    costs = tuple(_cost(each, i, names, per) for i, each in enumerate(value, 1))
    _check_names([cost.name for cost in costs], "costs")
    return costs


def _cost(value: object, position: int, names: list[str], per: str) -> HumanCost:
    where = f"cost {position}"
    fields = mapping(value, where)
    if "group" not in fields:
        raise OrderError(f"{where}: 'group' is missing")
    terms = _terms(fields, where, ("group", "name", "cost_id"), _COST_TERMS)
    return HumanCost(
        name=name_of(fields, where, "cost_id", str(position)),
        group=_group(fields["group"], names, where),
        demand=_cost_demand(terms, where),
        per=_per(terms, where, per),
    )


def _group(value: object, names: list[str], where: str) -> tuple[tuple[int, Fraction], ...]:
    if isinstance(value, list):
        if not all(isinstance(name, str) for name in value):
            raise OrderError(f"{where}: a group in brackets lists names of auths")
        if len(set(value)) < len(value):
            raise OrderError(f"{where}: an auth is in the group twice; give its coefficient once")
        value = dict.fromkeys(value, 1)
    fields = mapping(value, f"{where}: group")
    if not fields:
        raise OrderError(f"{where}: the group is empty; name at least one auth")
    if len(fields) > MAX_TERMS:
        raise OrderError(f"{where}: {len(fields)} auths; a group has at most {MAX_TERMS}")
    group = {}
    for key, raw in fields.items():
        index = _index(key, names, where)
        coefficient = parse_number(raw, f"{where}: coefficient of {names[index]}")
        if not coefficient:
            raise OrderError(f"{where}: the coefficient of {names[index]} is 0; leave it out")
        if index in group:
            raise OrderError(f"{where}: auth {names[index]} is in the group twice; add it up")
        group[index] = coefficient
    return tuple(sorted(group.items()))


def _index(key: str, names: list[str], where: str) -> int:
    """An auth by its name, or by its place in the file, from 1."""
    if key in names:
        return names.index(key)
    if key.isascii() and key.isdigit() and 1 <= int(key) <= len(names):
        return int(key) - 1
    listed = ", ".join(names[:12])
    raise OrderError(f"{where}: there is no auth {key[:64]!r}; the order has {listed}")


def _cost_demand(terms: dict[str, Any], where: str) -> Demand:
    """A curve, or hard limits: one that is worth nothing between them."""
    if "demand" in terms:
        if "min" in terms or "max" in terms:
            raise OrderError(f"{where}: a demand has its own ends; put min and max in another cost")
        return read_demand(terms["demand"], where, never="give min and max, both 0")
    low, high = (read_limit(terms, k, where) for k in ("min", "max"))
    if low is high is None:
        raise OrderError(f"{where}: give a demand, or a limit: min, max or both")
    if (low is not None and low > 0) or (high is not None and high < 0):
        raise OrderError(
            f"{where}: not trading has to be allowed; min must be ≤ 0 and max must be ≥ 0"
        )
    return Constant(low, high, Fraction(0))


def _check_names(names: list[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise OrderError(f"two {what} are called {name}; give each a name of its own")


def _expiry(value: object) -> Expiry | None:
    if isinstance(value, dict):
        return _relative(value)
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
    return Expiry(moment=value) if value else None


def _relative(fields: dict[str, Any]) -> Expiry:
    where = "valid_until"
    check_fields(fields, where, optional=("batch", *_SPANS))
    if len(fields) != 1:
        raise OrderError(f"{where}: give one of batch, {', '.join(_SPANS)}")
    ((field, value),) = fields.items()
    if field == "batch":
        if type(value) is not int or not 1 <= value <= _LAST_BATCH:
            raise OrderError(f"{where}: batch must be the number of a batch, from 1")
        return Expiry(batch=value)
    length = parse_number(value, f"{where}: {field}")
    if not 0 < length * _SPANS[field] <= _LAST_SECOND:
        raise OrderError(f"{where}: {field} must be more than 0, and less than an age")
    return Expiry(seconds=length * _SPANS[field])
