"""Whatever curve a trader asks for, the contract's reading of it is never worse for the trader."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from walras.curve import demand, drops, tau
from walras.numbers import X40, X44
from walras.orders import convert, parse_order
from walras.orders.describe import summarise
from walras.submission import decode, encode
from walras.units import CashUnits, MarketUnits, ProductUnits

TAME = settings(max_examples=150, deadline=None)
CASH = CashUnits("USD", decimals=2, unit=1)


Points = list[tuple[int, int]]
Asked = tuple[dict[str, Any], Points]


@st.composite
def markets(draw: st.DrawFn) -> MarketUnits:
    ticks = st.integers(1, 2**50)
    lots = st.sampled_from([1, 10, 50, 100])
    return MarketUnits(
        CASH,
        tuple(ProductUnits(i, f"P{i}", 2, draw(lots), draw(ticks)) for i in range(3)),
    )


@st.composite
def curves(draw: st.DrawFn) -> Points:
    """Points in whole lots and cents, rate 0 inside, with flat, vertical and two-sided parts."""
    rates = draw(st.lists(st.integers(-50, 50), min_size=2, max_size=8, unique=True).map(sorted))
    zero = draw(st.integers(0, len(rates) - 1))
    falls = draw(st.lists(st.integers(0, 1_000), min_size=12, max_size=12))
    price = draw(st.integers(-3_000, 6_000))
    points = []
    for i, rate in enumerate(rates):
        for fall in falls[i : i + draw(st.integers(1, 2))]:
            price -= fall * draw(st.sampled_from([0, 1]))
            points.append((rate - rates[zero], price))
    return points


@st.composite
def orders(draw: st.DrawFn) -> Asked:
    symbols = draw(st.lists(st.sampled_from(["P0", "P1", "P2"]), min_size=1, unique=True))
    weights = {s: draw(st.sampled_from([1, 2, 3, -1, -2, -4])) for s in symbols}
    if len(weights) == 1:  # one lot of the coarsest product; finer ones divide the cents
        weights = {s: w // abs(w) for s, w in weights.items()}
    points = draw(curves())
    curve = [{"rate": r, "price": str(Fraction(p, 1).numerator)} for r, p in points]
    return {"portfolio": weights, "data": {"demand": curve}}, points


def wanted(points: list[tuple[Fraction, Fraction]], price: Fraction) -> tuple[Fraction, Fraction]:
    """(least, most) the asked curve trades at ``price``: straight from the points."""
    rates = [r for r, p in points if p == price]
    if price > points[0][1]:
        rates.append(points[0][0])
    if price < points[-1][1]:
        rates.append(points[-1][0])
    for (r0, p0), (r1, p1) in pairwise(points):
        if p1 < price < p0:
            rates.append(r0 + (p0 - price) * (r1 - r0) / (p0 - p1))
    low: Fraction = min(rates)
    high: Fraction = max(rates)
    if price == points[0][1]:
        low = min(low, points[0][0])
    if price == points[-1][1]:
        high = max(high, points[-1][0])
    return low, high


@TAME
@given(
    markets(), orders(), st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=6), st.data()
)
def test_contracts_curve__never_trades_beyond_the_asked_one(
    market: MarketUnits, order: Asked, wild: list[int], data: st.DataObject
) -> None:
    value, points = order
    if not any(r for r, _ in points):
        return
    submission, (converted,), _ = convert(parse_order(json.dumps(value)), market)
    auth, ticks = converted.auth, market.ticks()
    zero, corners = Fraction(0), [Fraction(p) for _, p in points]
    near = [p + Fraction(data.draw(st.integers(-5, 5)), 100) for p in corners]
    for price in [*corners, *near, *map(Fraction, wild)]:
        pi = CASH.x40(price) / (-converted.units if converted.flipped else converted.units) * X44
        traded = converted.rate(Fraction(demand(auth, ticks, int(pi)).rate, X44))
        low, high = wanted([(Fraction(r), Fraction(p)) for r, p in points], price)
        slack = abs(converted.rate(Fraction(int(pi.denominator > 1), X44)))
        assert min(low, zero) - slack <= traded <= max(high, zero) + slack
    body = encode(submission)
    decoded = decode(body, ciphertext_length=len(body) + 69, units=255, ticks=ticks)
    assert decoded.submission == submission


@TAME
@given(markets(), orders())
def test_readings__are_never_worse_than_asked(market: MarketUnits, order: Asked) -> None:
    value, points = order
    if not any(r for r, _ in points):
        return
    _, (converted,), _ = convert(parse_order(json.dumps(value)), market)
    readings = summarise(converted, market).readings
    assert [(int(r.rate), int(r.asked)) for r in readings] == points
    for reading in readings:
        if reading.rate > 0:
            assert reading.read <= reading.asked
        if reading.rate < 0:
            assert reading.read >= reading.asked


@TAME
@given(orders())
def test_steep_points__are_met_exactly(order: Asked) -> None:
    value, points = order
    if not any(r for r, _ in points):
        return
    market = MarketUnits(CASH, tuple(ProductUnits(i, f"P{i}", 2, 1, 1) for i in range(3)))
    _, (converted,), _ = convert(parse_order(json.dumps(value)), market)
    auth = converted.auth
    floor, square = tau(auth, market.ticks()), auth.gross**2
    both = [
        (s, d)
        for side in (auth.buy, auth.sell)
        for s, d in zip(side, drops(side, auth.gross, floor), strict=True)
    ]
    # where no step is read steeper than asked (its guard takes all of its drop), all points are met
    if all(step.increment for step, _ in both):
        readings = summarise(converted, market).readings
        assert all(r.read == r.asked for r in readings if r.rate)
    assert all(d >= max(floor, square * s.width) for s, d in both)
    assert max((abs(d) for _, d in both), default=0) < 10**9 * X40
