"""Human decimal numbers and the chain's integers, exactly.

People write tokens and cash as decimal numbers; the chain counts lots, cash units and token base
units. Between the two everything is a ``Fraction``: a conversion is exact or it raises
``UnrepresentableNumber`` with the nearest decimal that is. Nothing here is ever a float.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import gcd, lcm
from typing import Final

from walras.errors import OrderError, UnrepresentableNumber
from walras.numbers import X40, X44

__all__ = [
    "CASH_ID",
    "CashUnits",
    "MarketUnits",
    "ProductUnits",
    "decimals_around",
    "exact_text",
    "floor_text",
    "fraction_gcd",
    "fraction_lcm",
    "nearest_decimal",
    "parse_amount",
    "parse_number",
    "plain_text",
]

CASH_ID: Final = 65_535
"""Asset id of cash in the contract's ledger (SPEC §7)."""

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_LONGEST: Final = 80  # characters of a number; longer ones are mistakes or mischief
_LARGEST_EXPONENT: Final = 60
_CLOSE = Fraction(1, 10_000_000)  # a suggested number should look like the one it replaces
_PLACES: Final = 40


@dataclass(frozen=True, slots=True)
class ProductUnits:
    """What converts one product's tokens; ``lot`` in base units, ``tick`` in X40 per lot."""

    id: int
    symbol: str
    decimals: int
    lot: int
    tick: int

    def lots(self, tokens: Fraction) -> Fraction:
        """Lots of so many tokens, exactly; not rounded to whole ones."""
        return tokens * Fraction(10**self.decimals, self.lot)

    def tokens(self, lots: Fraction) -> Fraction:
        """Tokens of so many lots, exactly."""
        return lots * Fraction(self.lot, 10**self.decimals)

    def tokens_of_ledger(self, lots_x44: int) -> Fraction:
        """Tokens of a ledger entry in lots X44."""
        return self.tokens(Fraction(lots_x44, X44))

    def base_units(self, tokens: Fraction, what: str = "amount") -> int:
        """Token base units that the ledger holds exactly: amount·2^44 is a multiple of the lot.

        Raises UnrepresentableNumber.
        """
        grain = self.lot // gcd(self.lot, X44)
        return _on_grid(tokens, Fraction(1, 10**self.decimals), grain, what)

    def ledger(self, base_units: int) -> int:
        """Lots X44 of a deposit of so many base units (see `base_units`)."""
        return base_units * X44 // self.lot

    def least_deposit(self, lots_x44: int) -> Fraction:
        """The fewest tokens whose deposit brings at least so many lots X44."""
        return Fraction(_least_deposit(lots_x44, self.lot, X44), 10**self.decimals)


@dataclass(frozen=True, slots=True)
class CashUnits:
    """What converts cash tokens; ``unit`` is base units per cash unit."""

    symbol: str
    decimals: int
    unit: int

    def x40(self, cash: Fraction) -> Fraction:
        """Cash units X40 of so many cash tokens, exactly; not rounded to integers."""
        return cash * Fraction(10**self.decimals * X40, self.unit)

    def cash(self, x40: int | Fraction) -> Fraction:
        """Cash tokens of so many cash units X40, exactly."""
        return Fraction(x40) * Fraction(self.unit, 10**self.decimals * X40)

    def base_units(self, cash: Fraction, what: str = "amount") -> int:
        """Token base units that the ledger holds exactly, or UnrepresentableNumber."""
        grain = self.unit // gcd(self.unit, X40)
        return _on_grid(cash, Fraction(1, 10**self.decimals), grain, what)

    def ledger(self, base_units: int) -> int:
        """Cash X40 of a deposit of so many base units (see `base_units`)."""
        return base_units * X40 // self.unit

    def least_deposit(self, x40: int) -> Fraction:
        """The fewest cash tokens whose deposit brings at least so much cash X40."""
        return Fraction(_least_deposit(x40, self.unit, X40), 10**self.decimals)


@dataclass(frozen=True, slots=True)
class MarketUnits:
    """All products and the cash token of one market."""

    cash: CashUnits
    products: tuple[ProductUnits, ...]

    def product(self, name: str) -> ProductUnits:
        """The product called ``name``: ``#id``, a symbol, or a bare id that is no symbol.

        Raises OrderError if there is none or if several share the symbol.
        """
        named = [] if name.startswith("#") else [p for p in self.products if p.symbol == name]
        if len(named) > 1:
            ids = ", ".join(f"#{p.id}" for p in named)
            raise OrderError(f"several products are called {name}; name one of {ids}")
        if not named:
            number = name.removeprefix("#")
            named = [p for p in self.products if str(p.id) == number]
        if not named:
            raise OrderError(f"unknown product {name!r}; this market lists {self._listing()}")
        return named[0]

    def by_id(self, product: int) -> ProductUnits:
        """The product with this id; OrderError if it is not listed."""
        return self.product(f"#{product}")

    def label(self, product: int) -> str:
        """The name to show for a product: its symbol, or #id where that could mean another."""
        symbol = self.by_id(product).symbol
        alike = [p for p in self.products if p.symbol == symbol]
        unclear = len(alike) > 1 or symbol == self.cash.symbol or symbol.lower() == "cash"
        return f"#{product}" if unclear or symbol.startswith("#") else symbol

    def ticks(self) -> dict[int, int]:
        """Tick X40 per lot by product id."""
        return {p.id: p.tick for p in self.products}

    def _listing(self) -> str:
        shown = ", ".join(p.symbol for p in self.products[:12])
        more = len(self.products) - 12
        return (shown + (f" and {more} more" if more > 0 else "")) or "no products yet"


def parse_number(value: object, what: str) -> Fraction:
    """A JSON number (int or Decimal) or a string with a decimal number, exactly.

    Raises OrderError naming ``what`` for anything else, NaN and infinities included.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise OrderError(f"{what} must be a decimal number, not {_kind(value)}")
    text = str(value).strip()
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        shown = text if len(text) <= _LONGEST else text[:20] + "…"
        raise OrderError(f"{what} must be a plain decimal number like 12.5, not {shown!r}")
    _, _, exponent = text.lower().partition("e")
    if abs(int(exponent or 0)) > _LARGEST_EXPONENT:
        raise OrderError(f"{what} {text} is out of any sensible range")
    return Fraction(text)


def parse_amount(text: str, what: str = "amount") -> Fraction:
    """A positive human amount typed on the command line; thousands may be set off by ``_``."""
    amount = parse_number(text.replace("_", ""), what)
    if amount <= 0:
        raise OrderError(f"{what} must be more than 0, not {text}")
    return amount


def exact_text(value: Fraction, *, places: int = 12) -> str:
    """Decimal text of ``value`` to ``places`` digits; prefixed by ≈ where that is not all of it.

    What would round to nothing is shown by its magnitude.
    """
    sign = "-" if value < 0 else ""
    scaled = abs(value) * 10**places
    rounded = round(scaled)
    if value and not rounded:
        magnitude = f"{float(value):.0e}"
        return magnitude if Fraction(magnitude) == value else f"≈{magnitude}"
    whole, tail = divmod(rounded, 10**places)
    digits = str(tail).rjust(places, "0").rstrip("0") if places else ""
    text = f"{whole:,}" + (f".{digits}" if digits else "")
    return f"{'' if scaled == rounded else '≈'}{sign}{text}"


def floor_text(value: Fraction, places: int) -> str:
    """Decimal text of ``value`` ≥ 0 rounded down: what is shown can be withdrawn."""
    return exact_text(Fraction(value * 10**places // 1, 10**places), places=places)


def nearest_decimal(value: Fraction, grid: Fraction) -> str:
    """A short decimal next to ``value`` ≠ 0 that is a whole multiple of ``grid`` > 0.

    As few decimal places as keep it within 10^-7 of ``value``; without thousands separators.
    """
    best = Fraction(0)
    for places in range(_PLACES):
        step = fraction_lcm((grid, Fraction(1, 10**places)))
        best = round(value / step) * step or step * (1 if value > 0 else -1)
        if abs(best - value) <= abs(value) * _CLOSE:
            break
    return plain_text(best)


def decimals_around(value: Fraction, grid: Fraction) -> tuple[str, str]:
    """The short decimals on either side of ``value`` that are whole multiples of ``grid`` > 0."""
    steps = (fraction_lcm((grid, Fraction(1, 10**places))) for places in range(_PLACES))
    best = next(steps)
    for step in steps:
        if best <= abs(value) * _CLOSE:
            break
        best = min(best, step)
    below = value // best * best
    return plain_text(below), plain_text(below + best)


def plain_text(value: Fraction) -> str:
    """Decimal text that can be typed back: no separators, up to 40 places."""
    return exact_text(value, places=_PLACES).replace(",", "").removeprefix("≈")


def fraction_gcd(values: Iterable[Fraction]) -> Fraction:
    """Largest number of which each of the positive ``values`` is a whole multiple."""
    values = tuple(values)
    denominator = lcm(*(v.denominator for v in values))
    numerator = gcd(*(v.numerator * (denominator // v.denominator) for v in values))
    return Fraction(numerator, denominator)


def fraction_lcm(values: Iterable[Fraction]) -> Fraction:
    """Smallest positive number that is a whole multiple of each of the positive ``values``."""
    values = tuple(values)
    denominator = lcm(*(v.denominator for v in values))
    numerator = lcm(*(v.numerator * (denominator // v.denominator) for v in values))
    return Fraction(numerator, denominator)


def _least_deposit(ledger: int, unit: int, one: int) -> int:
    """Base units, a multiple of the smallest deposit that the ledger holds exactly."""
    shared = gcd(unit, one)
    return -(-ledger // (one // shared)) * (unit // shared)


def _on_grid(value: Fraction, unit: Fraction, grain: int, what: str) -> int:
    count = value / unit
    if count.denominator != 1 or count.numerator % grain:
        raise UnrepresentableNumber(plain_text(value), nearest_decimal(value, unit * grain), what)
    return count.numerator


def _kind(value: object) -> str:
    if value is None:
        return "null"
    return {bool: "true or false", list: "a list", dict: "an object"}.get(
        type(value), f"a {type(value).__name__}"
    )
