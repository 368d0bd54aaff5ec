"""A market's terms from a TOML file in human units: see docs/OPERATIONS.md for an example."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any, Final

from walras.chain.deploy import ProductTerms
from walras.chain.views import Terms
from walras.documents import read_toml
from walras.errors import ConfigError
from walras.numbers import X24, X40
from walras.schedule import OFFSETS, Schedule

__all__ = ["MarketPlan", "read_plan"]

_WEI: Final = 10**18
_OFFSETS: Final = ("period", *OFFSETS)


@dataclass(frozen=True, slots=True)
class MarketPlan:
    """What `open_market` needs."""

    terms: Terms
    products: tuple[ProductTerms, ...]


def read_plan(
    path: Path, *, operator: str, now: int, resolve: Callable[[str], tuple[str, int]]
) -> MarketPlan:
    """Read a plan; ConfigError names the setting that is missing or makes no sense.

    `resolve` gives address and decimals of what the plan calls a token. Without `opens` the first
    batch starts one period after `now` (seconds).
    """
    document = read_toml(path)
    market = _Section(f"{path} [market]", document.get("market", {}))
    cash, decimals = resolve(market.text("cash"))
    unit = market.number("cash_unit")
    products = tuple(
        _product(_Section(f"{path} [[product]] {i + 1}", raw), unit, resolve)
        for i, raw in enumerate(document.get("product", []))
    )
    cash_cap = floor(market.number("cash_cap") / unit)
    value = cash_cap + sum(Fraction(8 * p.scale * p.lots_cap, X24) for p in products)
    terms = Terms(
        operator=operator,
        cash=cash,
        cash_unit=market.base_units("cash_unit", decimals),
        schedule=_schedule(_Section(f"{path} [timetable]", document.get("timetable", {})), now),
        block_time=market.whole("block_time"),
        capacity=market.whole("capacity"),
        cash_cap=cash_cap,
        cover_cap=ceil(market.number("cover_cap") / unit) if "cover_cap" in market else ceil(value),
        bond=floor(market.number("bond") / unit),
        compensation=floor(market.number("compensation") / unit),
        cash_per_wei=ceil(market.number("native_price") / unit / _WEI * X40),
        min_base_fee=market.whole("min_base_fee"),
    )
    terms.schedule.check(terms.block_time)
    return MarketPlan(terms, products)


def _product(
    section: _Section, cash_unit: Fraction, resolve: Callable[[str], tuple[str, int]]
) -> ProductTerms:
    token, decimals = resolve(section.text("token"))
    lot = section.number("lot")
    return ProductTerms(
        token=token,
        lot=section.base_units("lot", decimals),
        scale=round(section.number("price") * lot / cash_unit * X24),
        tick_bps=section.whole("tick_bps"),
        depth_log2=max(floor(section.number("depth") / lot).bit_length() - 1, 0),
        lots_cap=floor(section.number("cap") / lot),
    )


def _schedule(section: _Section, now: int) -> Schedule:
    offsets = [section.whole(name) for name in _OFFSETS]
    opens = section.values.get("opens")
    if opens is None:
        return Schedule(now, *offsets)
    if not isinstance(opens, datetime) or opens.tzinfo is None:
        raise ConfigError(f"{section.name}: opens must be a time with its zone, unquoted")
    return Schedule(int(opens.timestamp()) - offsets[0], *offsets)


@dataclass(frozen=True, slots=True)
class _Section:
    """One table of the file; its name goes into every message."""

    name: str
    values: Mapping[str, Any]

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def number(self, key: str) -> Fraction:
        """A positive amount, exact: decimals stand in quotes."""
        value = self._get(key)
        try:
            number = Fraction(value) if type(value) in (str, int) else None
        except (ValueError, ZeroDivisionError):
            number = None
        if number is None:
            raise ConfigError(f'{self.name}: {key} = {value!r} is no exact number, like "0.01"')
        if number <= 0:
            raise ConfigError(f"{self.name}: {key} = {value} must be above zero")
        return number

    def whole(self, key: str) -> int:
        """A positive whole number."""
        value = self.number(key)
        if value.denominator != 1:
            raise ConfigError(f"{self.name}: {key} = {value} must be a whole number")
        return int(value)

    def base_units(self, key: str, decimals: int) -> int:
        """An amount of a token in its base units, exactly."""
        value = self.number(key) * 10**decimals
        if value.denominator != 1:
            raise ConfigError(f"{self.name}: {key} is finer than the token's {decimals} decimals")
        return int(value)

    def text(self, key: str) -> str:
        """A name."""
        value = self._get(key)
        if not isinstance(value, str):
            raise ConfigError(f"{self.name}: {key} = {value!r} must stand in quotes")
        return value

    def _get(self, key: str) -> Any:
        if key not in self.values:
            raise ConfigError(f"{self.name}: {key} is missing")
        return self.values[key]
