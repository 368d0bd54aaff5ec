"""What an order means: in words, as a table of prices asked and read, and as a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from walras.curve import breakpoints, demand, portfolio_price
from walras.numbers import X44
from walras.orders.auths import Converted
from walras.orders.chart import Mark, draw
from walras.orders.model import Constant, Point
from walras.units import MarketUnits, exact_text

__all__ = ["Reading", "Summary", "portfolio_text", "summarise"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One point of the trader's curve and the price at which the contract trades that rate."""

    rate: Fraction
    asked: Fraction
    read: Fraction


@dataclass(frozen=True, slots=True)
class Summary:
    """One auth explained; rates in the trader's portfolio units, prices in cash tokens."""

    name: str
    portfolio: str
    words: tuple[str, ...]
    readings: tuple[Reading, ...]
    chart: tuple[str, ...]


def summarise(
    converted: Converted, market: MarketUnits, references: Mapping[int, int] | None = None
) -> Summary:
    """Explain one auth; ``references`` (X40 per lot by product) add what it does at today's."""
    curve = _curve(converted, market)
    readings = tuple(_reading(p, curve) for p in _asked(converted, curve))
    marks = [Mark(r.rate, r.asked, r.asked == r.read) for r in readings]
    words = _sides(curve, converted.human.weights, market.cash.symbol)
    if references is not None:
        words.append(_at_reference(converted, market, references))
    return Summary(
        converted.human.name,
        portfolio_text(converted.human.weights),
        tuple(words),
        readings,
        tuple(draw(curve, marks)),
    )


def portfolio_text(weights: Sequence[tuple[str, Fraction]]) -> str:
    """Like ``0.5 A − 0.75 B``."""
    text = ""
    for name, weight in weights:
        sign = "−" if weight < 0 else "+" if text else ""
        joined = f" {sign} " if text else sign
        text += f"{joined}{exact_text(abs(weight))} {name}"
    return text


def _curve(converted: Converted, market: MarketUnits) -> list[tuple[Fraction, Fraction]]:
    """The contract's curve in the trader's units, rates rising."""
    points = breakpoints(converted.auth, market.ticks())
    human = [(converted.rate(x), converted.price(m, market.cash)) for x, m in points]
    return human[::-1] if converted.flipped else human


def _asked(converted: Converted, curve: Sequence[tuple[Fraction, Fraction]]) -> tuple[Point, ...]:
    """The trader's own points; of a constant price its ends and rate 0."""
    wanted = converted.human.demand
    if not isinstance(wanted, Constant):
        return wanted
    rates = sorted({curve[0][0], Fraction(0), curve[-1][0]})
    return tuple(Point(rate, wanted.price) for rate in rates)


def _reading(point: Point, curve: Sequence[tuple[Fraction, Fraction]]) -> Reading:
    """Where the curve passes the point's rate; on a vertical part, nearest to what was asked."""
    right = next(i for i, (rate, _) in enumerate(curve) if rate >= point.rate)
    rate, price = curve[right]
    if rate > point.rate:
        rate0, price0 = curve[right - 1]
        high = low = price0 + (price - price0) * (point.rate - rate0) / (rate - rate0)
    else:
        high, low = price, [p for r, p in curve if r == rate][-1]
    if right == 0:
        high = max(high, point.price)  # above its first price the curve keeps its first rate
    if rate == point.rate == curve[-1][0]:
        low = min(low, point.price)  # and below its last price its last one
    return Reading(point.rate, point.price, min(max(point.price, low), high))


def _sides(
    curve: Sequence[tuple[Fraction, Fraction]], weights: Sequence[tuple[str, Fraction]], cash: str
) -> list[str]:
    """One sentence per side, from the curve as the contract reads it."""
    words = []
    for verb, rate, word, points in (
        ("Sells", -curve[0][0], "more", [p for x, p in reversed(curve) if x <= 0]),
        ("Buys", curve[-1][0], "less", [p for x, p in curve if x >= 0]),
    ):
        if not rate:
            continue
        first, last = (exact_text(p, places=6) for p in (_limit(curve, verb), points[-1]))
        sign = 1 if verb == "Buys" else -1
        tokens = portfolio_text([(name, weight * rate * sign) for name, weight in weights])
        words.append(
            f"{verb} up to {exact_text(rate)} per batch ({tokens}): nothing until the price is "
            f"{first} {cash} or {word}, everything at {last} {cash} or {word}."
        )
    return words


def _limit(curve: Sequence[tuple[Fraction, Fraction]], verb: str) -> Fraction:
    at_zero = [price for rate, price in curve if rate == 0]
    return at_zero[-1] if verb == "Buys" else at_zero[0]


def _at_reference(converted: Converted, market: MarketUnits, references: Mapping[int, int]) -> str:
    auth, cash = converted.auth, market.cash
    pi = portfolio_price(auth, {leg.product: references[leg.product] * X44 for leg in auth.legs})
    rate = converted.rate(Fraction(demand(auth, market.ticks(), pi).rate, X44))
    price = exact_text(converted.price(Fraction(pi, X44), cash), places=6)
    does = (
        "not trade"
        if not rate
        else ("buy " if rate > 0 else "sell ") + exact_text(abs(rate), places=6)
    )
    return f"At today's reference price of {price} {cash.symbol} it would {does}."
