"""What an auth means: in words, as a table of prices asked and read, and as a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from walras.curve import breakpoints, demand, portfolio_price
from walras.numbers import X44
from walras.orders.auths import Converted
from walras.orders.chart import Mark, draw
from walras.orders.model import Constant, Point
from walras.orders.progress import batches_at_full_rate
from walras.units import MarketUnits, exact_text

__all__ = ["Reading", "Summary", "chart", "portfolio_text", "read_points", "summarise"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One point of the trader's curve and the price at which the contract trades that rate."""

    rate: Fraction
    asked: Fraction
    read: Fraction


@dataclass(frozen=True, slots=True)
class Summary:
    """One auth or cost explained, prices in cash tokens.

    ``combination`` is its portfolio, or its group; rates are in units of that ``per`` what the
    trader wrote. A mere limit has no ``chart``.
    """

    name: str
    combination: str
    per: str
    words: tuple[str, ...]
    readings: tuple[Reading, ...]
    chart: tuple[str, ...]


def summarise(
    converted: Converted, market: MarketUnits, references: Mapping[int, int] | None = None
) -> Summary:
    """Explain one auth; ``references`` (X40 per lot by product) add what it does at today's."""
    curve = _curve(converted, market)
    readings = read_points(_asked(converted, curve), curve)
    words = _sides(curve, converted, market.cash.symbol)
    words += _limits(converted)
    if references is not None:
        words.append(_at_reference(converted, market, references))
    return Summary(
        converted.human.name,
        portfolio_text(converted.human.weights),
        converted.per.name,
        tuple(words),
        readings,
        chart(curve, readings),
    )


def read_points(
    asked: Sequence[Point], curve: Sequence[tuple[Fraction, Fraction]]
) -> tuple[Reading, ...]:
    """What the contract's ``curve`` (rates rising) makes of the points asked for."""
    return tuple(_reading(point, curve) for point in asked)


def chart(
    curve: Sequence[tuple[Fraction, Fraction]], readings: Sequence[Reading]
) -> tuple[str, ...]:
    """The curve drawn, with the points asked for on it or off it."""
    return tuple(draw(curve, [Mark(r.rate, r.asked, r.asked == r.read) for r in readings]))


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
    points = breakpoints(converted.auth, market.ticks(), converted.guard)
    per = converted.per.batches
    human = [(converted.rate(x) * per, converted.price(m, market.cash)) for x, m in points]
    return human[::-1] if converted.flipped else human


def _asked(converted: Converted, curve: Sequence[tuple[Fraction, Fraction]]) -> tuple[Point, ...]:
    """The trader's own points; of a constant price its ends and rate 0."""
    wanted = converted.human.demand
    if isinstance(wanted, Constant):
        rates = sorted({curve[0][0], Fraction(0), curve[-1][0]})
        return tuple(Point(rate, wanted.price) for rate in rates)
    return tuple(Point(p.rate * converted.per.batches, p.price) for p in wanted)


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
    curve: Sequence[tuple[Fraction, Fraction]], converted: Converted, cash: str
) -> list[str]:
    """One sentence per side, from the curve as the contract reads it."""
    words = []
    per = converted.per
    each = "" if per.name == "batch" else " in a batch"
    for verb, rate, word, points in (
        ("Sells", -curve[0][0], "more", [p for x, p in reversed(curve) if x <= 0]),
        ("Buys", curve[-1][0], "less", [p for x, p in curve if x >= 0]),
    ):
        if not rate:
            continue
        first, last = (exact_text(p, places=6) for p in (_limit(curve, verb), points[-1]))
        sign = (1 if verb == "Buys" else -1) / per.batches
        tokens = portfolio_text(
            [(name, weight * rate * sign) for name, weight in converted.human.weights]
        )
        words.append(
            f"{verb} up to {exact_text(rate)} {per.words} ({tokens}{each}): nothing until the "
            f"price is {first} {cash} or {word}, everything at {last} {cash} or {word}."
        )
    return words


def _limits(converted: Converted) -> list[str]:
    """What it trades in all, and how long that takes at the least."""
    to_sell, to_buy = batches_at_full_rate(converted.auth)
    limits = converted.auth.limits
    words = []
    for verb, batches, chain in (
        ("Sells", to_sell, limits.low if limits else 0),
        ("Buys", to_buy, limits.high if limits else 0),
    ):
        if batches is not None:
            trades = ("Sells" if verb == "Buys" else "Buys") if converted.flipped else verb
            most = exact_text(abs(converted.rate(chain)))
            plural = "es" if batches != 1 else ""
            words.append(
                f"{trades} {most} in all, net of the other side, and never more; "
                f"at the full rate that takes {batches:,} batch{plural}."
            )
    return words


def _limit(curve: Sequence[tuple[Fraction, Fraction]], verb: str) -> Fraction:
    at_zero = [price for rate, price in curve if rate == 0]
    return at_zero[-1] if verb == "Buys" else at_zero[0]


def _at_reference(converted: Converted, market: MarketUnits, references: Mapping[int, int]) -> str:
    auth, cash, per = converted.auth, market.cash, converted.per
    pi = portfolio_price(auth, {leg.product: references[leg.product] * X44 for leg in auth.legs})
    wanted = demand(auth, market.ticks(), pi, guard=converted.guard).rate
    rate = converted.rate(Fraction(wanted, X44)) * per.batches
    price = exact_text(converted.price(Fraction(pi, X44), cash), places=6)
    unit = "" if per.name == "batch" else f" {per.words}"
    does = (
        "not trade"
        if not rate
        else ("buy " if rate > 0 else "sell ") + exact_text(abs(rate), places=6) + unit
    )
    alone = ", its costs aside," if converted.guard else ""
    return f"At today's reference price of {price} {cash.symbol} it would{alone} {does}."
