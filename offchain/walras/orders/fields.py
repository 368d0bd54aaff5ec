"""JSON objects of an order file, field by field: whatever is wrong is said in one line."""

from __future__ import annotations

import json
from collections.abc import Collection
from decimal import Decimal
from typing import Any, Final, NoReturn

from walras.errors import OrderError

__all__ = ["check_fields", "load", "mapping", "name_of"]

_LONGEST_NAME: Final = 64


def load(text: str) -> object:
    """The JSON value of a file, its numbers exact. Raises OrderError."""
    try:
        return json.loads(
            text, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        raise OrderError(
            f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except (RecursionError, ValueError):
        raise OrderError("not an order: nested too deeply or with a number too long") from None


def mapping(value: object, where: str) -> dict[str, Any]:
    """The fields of an object."""
    if not isinstance(value, dict):
        raise OrderError(f"{where} must be an object in braces")
    return value


def check_fields(
    fields: Collection[str],
    where: str,
    *,
    required: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
) -> None:
    """OrderError for a field that is not known or missing."""
    known = (*required, *optional)
    for field in fields:
        if field not in known:
            raise OrderError(f"{where}: unknown field {field!r}; known are {', '.join(known)}")
    for field in required:
        if field not in fields:
            raise OrderError(f"{where}: {field!r} is missing")


def name_of(fields: dict[str, Any], where: str, older: str, default: str) -> str:
    """What an auth or a cost is called: its ``name``, or ``older``, the field of other venues."""
    if "name" in fields and older in fields:
        raise OrderError(f"{where}: name and {older} are both given; give one")
    field = older if older in fields else "name"
    name = fields.get(field, default)
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise OrderError(f"{where}: {field} must be 1 to {_LONGEST_NAME} printable characters")
    return name


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(n for n in names if names.count(n) > 1)
        raise OrderError(f"{twice!r} is given twice in one object; give it once")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise OrderError(f"{name} is not a number an order can hold")
