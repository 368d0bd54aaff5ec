"""The tables of a market's history: exact integers, each row with the block it is of."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from walras.store.tables import table

__all__ = [
    "ACCOUNTS",
    "BATCHES",
    "CURSORS",
    "DECLARED",
    "FILLS",
    "GAS",
    "PRICES",
    "SCALES",
    "SHADOWS",
]


class _Exact(TypeDecorator[int]):
    """An integer of any size, in decimal digits."""

    impl = String(64)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int(value)


class _Legs(TypeDecorator[tuple[tuple[int, int], ...]]):
    """(product, weight) pairs in JSON."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002
        return json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        return tuple((int(k), int(w)) for k, w in json.loads(value))


def _history(name: str, *columns: Column[Any]) -> Table:
    """A table of rows that are forgotten with their block."""
    block = Column("block_number", BigInteger, nullable=False, index=True)
    return table(f"history_{name}", *columns, block)


def _key(name: str, kind: Any = BigInteger) -> Column[Any]:
    return Column(name, kind, primary_key=True)


def _value(name: str, kind: Any = _Exact) -> Column[Any]:
    return Column(name, kind, nullable=False)


CURSORS: Final = table("history_cursors", _key("number"), _value("hash", LargeBinary))
BATCHES: Final = _history(
    "batches",
    _key("batch"),
    _value("time", BigInteger),
    _value("status", String(8)),
    _value("settler", String(42)),
    _value("accounts", Integer),
    _value("voids", Integer),
    *map(_value, ("turnover", "loss", "freedom", "rent", "burnt")),
)
PRICES: Final = _history(
    "prices",
    _key("batch"),
    _key("product", Integer),
    *map(_value, ("price", "reference", "next_reference", "volume")),
    Column("house", _Exact),
)
ACCOUNTS: Final = _history(
    "accounts",
    _key("batch"),
    _key("account", LargeBinary(20)),
    _value("standing", Boolean),
    _value("units", Integer),
    *map(_value, ("cash", "rent")),
    _value("reason", String(12)),
    _value("change", String(12)),
)
FILLS: Final = _history(
    "fills",
    _key("batch"),
    _key("account", LargeBinary(20)),
    _key("auth", Integer),
    *map(_value, ("rate", "price")),
    _value("legs", _Legs),
)
SHADOWS: Final = _history(
    "shadows",
    _key("batch"),
    _key("account", LargeBinary(20)),
    _key("cost", Integer),
    _value("shadow"),
)
GAS: Final = table(
    "history_gas",
    _key("block_number"),
    _key("log_index", Integer),
    Column("batch", BigInteger, nullable=False, index=True),
    _value("action", String(12)),
    _value("transaction", LargeBinary(32)),
    _value("sender", String(42)),
    *map(_value, ("gas", "price")),
)
SCALES: Final = table(
    "history_scales",
    _key("product", Integer),
    _key("block_number"),
    _value("scale"),
    _value("tick_bps", Integer),
    _value("depth_log2", Integer),
)
DECLARED: Final = table(
    "history_declared",
    _key("account", LargeBinary(20)),
    _key("block_number"),
    _value("units", Integer),
)
