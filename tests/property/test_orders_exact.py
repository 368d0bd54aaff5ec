"""Whatever is written in an order file is converted exactly or refused by a WalrasError."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from walras.errors import OrderError, UnrepresentableNumber, WalrasError
from walras.numbers import X44
from walras.orders import Holdings, Setting, convert, parse_order
from walras.orders.describe import summarise
from walras.schedule import Schedule
from walras.submission import cover, decode, encode
from walras.units import (
    CashUnits,
    MarketUnits,
    ProductUnits,
    exact_text,
    nearest_decimal,
    parse_number,
    plain_text,
)

# Some generated orders are off the grid and filtered; a busy machine is slow.
TAME = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.filter_too_much]
)
MARKET = MarketUnits(
    CashUnits("USD", decimals=6, unit=100),
    (
        ProductUnits(0, "A", decimals=18, lot=10**16, tick=1 << 36),
        ProductUnits(1, "B", decimals=8, lot=2 * 10**6, tick=1 << 30),
        ProductUnits(2, "C", decimals=0, lot=1, tick=1 << 44),
    ),
)
RICH = Holdings(1 << 90, dict.fromkeys(range(3), 1 << 90))

decimals = st.builds(
    lambda digits, places: plain_text(Fraction(digits, 10**places)),
    st.integers(-(10**9), 10**9),
    st.integers(0, 12),
)
scalars = st.one_of(
    decimals, st.integers(), st.none(), st.booleans(), st.text(max_size=4), st.just(10**70)
)
FIELDS = [
    *("auths", "costs", "standing", "per", "valid_until", "portfolio", "group", "data", "demand"),
    *("rate", "price", "min_rate", "max_rate", "min_trade", "max_trade", "target", "min", "max"),
    *("name", "auth_id", "cost_id", "batch", "hours"),
]
names = st.sampled_from(["A", "B", "C", "#0", "D", "1", "2", "\x1b[0m\n", *FIELDS])
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)),
    max_leaves=12,
)
grids = st.builds(Fraction, st.integers(1, 10**6), st.integers(1, 10**6))
point = st.fixed_dictionaries({"rate": decimals, "price": decimals})
demands = st.one_of(
    st.lists(point, max_size=5),
    st.fixed_dictionaries(
        {"price": decimals}, optional={"min_rate": decimals, "max_rate": decimals}
    ),
)
pers = st.sampled_from(["batch", "minute", "day", "week"])
auths = st.fixed_dictionaries(
    {
        "portfolio": st.dictionaries(st.sampled_from(["A", "B", "C", "\n"]), decimals, max_size=3),
        "demand": demands,
    },
    optional={
        "per": pers,
        "min_trade": decimals,
        "max_trade": decimals,
        "target": decimals,
        "name": st.sampled_from(["a", "1", "\n"]),
    },
)
SETTING = Setting(
    Schedule(0, 60, 20, 24, 28, 36, 44, 56), 10**6, 10**9, dict.fromkeys(range(3), 1 << 30)
)


@TAME
@given(st.text() | (trees | auths).map(json.dumps))
@example("[" * 50_000)
@example('{"a":' * 50_000)
@example("1" * 10_000)
@example('"\\ud800"')
@example('{"portfolio": {"\\n": 0}, "data": {"demand": {"price": 1}}}')
def test_any_text__is_an_order_or_an_order_error(text: str) -> None:
    assert message_of(text).isprintable()


def message_of(text: str) -> str:
    """What the wallet says of an order file; nothing else may be raised."""
    try:
        convert(parse_order(text), MARKET, RICH, SETTING)
    except (OrderError, UnrepresentableNumber) as error:
        return str(error) or "\n"
    return "fine"


@st.composite
def sane(draw: st.DrawFn) -> dict[str, Any]:
    """Auths that mostly convert: few digits, sorted points."""
    weight = st.sampled_from(["1", "-1", "2", "0.5", "-0.5", "0.02", "-4"])
    portfolio = draw(st.dictionaries(st.sampled_from("ABC"), weight, min_size=1))
    sides = draw(st.tuples(st.integers(-9, 0), st.integers(-9, 0), st.integers(0, 9)))
    assume(any(sides))
    rates = sorted([*sides, 0, draw(st.integers(0, 9))])
    prices = draw(st.lists(st.integers(-500, 500), min_size=5, max_size=5).map(sorted))
    points = [
        {"rate": plain_text(Fraction(r * 100)), "price": plain_text(Fraction(p, 4))}
        for r, p in zip(rates, reversed(prices), strict=True)
    ]
    return {"portfolio": portfolio, "data": {"demand": points}}


amounts = st.integers(-40, 40).map(lambda n: plain_text(Fraction(n * 50)))
fine_pers = st.sampled_from(["batch", "minute"])
curves = sane().map(lambda auth: {"demand": auth["data"]["demand"]})
limits = st.fixed_dictionaries({"max": st.integers(0, 500)}, optional={"min": st.integers(-500, 0)})
costs = st.builds(
    lambda group, terms: {"group": group, **terms},
    st.dictionaries(st.sampled_from(["1", "2"]), amounts, min_size=1, max_size=2),
    curves | limits,
)
files = st.fixed_dictionaries(
    {
        "auths": st.lists(
            st.builds(
                lambda auth, more: {"portfolio": auth["portfolio"], **auth["data"], **more},
                sane(),
                st.just({})
                | st.fixed_dictionaries({"target": amounts})
                | st.fixed_dictionaries({"max_trade": amounts, "per": fine_pers}),
            ),
            min_size=2,
            max_size=2,
        )
    },
    optional={
        "costs": st.lists(costs, max_size=2),
        "standing": st.booleans(),
        "valid_until": st.sampled_from([0, {"hours": "0.5"}, {"batch": 1}, {"batch": 10**6}]),
    },
)


@TAME
@given(files.map(json.dumps))
def test_any_terms__are_sealable_or_an_order_error(text: str) -> None:
    if message_of(text) == "fine":
        submission = convert(parse_order(text), MARKET, RICH, SETTING).submission
        body = encode(submission)
        found = decode(body, ciphertext_length=len(body) + 69, units=255, ticks=MARKET.ticks())
        assert found.submission == submission
        assert cover(submission).cash >= 0


@TAME
@given(sane())
def test_conversion__comes_back_to_what_was_written(value: dict[str, Any]) -> None:
    try:
        submission, (converted,), _ = convert(parse_order(json.dumps(value)), MARKET)
    except WalrasError:
        assume(False)
        raise
    auth, n = converted.auth, converted.units
    sign = -1 if converted.flipped else 1
    for leg in auth.legs:
        product = MARKET.by_id(leg.product)
        written = Fraction(value["portfolio"][product.symbol])
        assert product.tokens(Fraction(leg.weight)) * n * sign == written
    rates = [Fraction(p["rate"]) for p in value["data"]["demand"]]
    buys, sells = auth.buy_rate, auth.sell_rate
    if converted.flipped:
        buys, sells = sells, buys
    assert (buys / n, sells / n) == (max(rates[-1], Fraction(0)), max(-rates[0], Fraction(0)))
    body = encode(submission)
    found = decode(body, ciphertext_length=len(body) + 69, units=255, ticks=MARKET.ticks())
    assert found.submission == submission
    for reading in summarise(converted, MARKET).readings:
        worse = reading.read - reading.asked
        assert worse <= 0 if reading.rate > 0 else worse >= 0 or reading.rate == 0


@TAME
@given(sane(), st.integers(0, 1 << 60), st.integers(0, 1 << 60))
def test_unlimited_sides__are_covered_and_could_not_be_larger(
    value: dict[str, Any], cash: int, lots: int
) -> None:
    price = value["data"]["demand"][0]["price"]
    value["data"]["demand"] = {"price": price, "max_rate": 0}
    held = Holdings(cash << 20, dict.fromkeys(range(3), lots * X44))
    try:
        submission, (converted,), _ = convert(parse_order(json.dumps(value)), MARKET, held)
    except WalrasError:
        assume(False)
        raise
    need = cover(submission)
    assert not held.lacks(need).lots
    assert not held.lacks(need).cash
    auth = converted.auth
    sold = max(auth.buy_rate, auth.sell_rate)
    assert sold > 0
    more = need.cash + max(auth.first if auth.buy else -auth.ask, 0)
    short = any(
        count + abs(leg.weight) * X44 > held.lots[leg.product]
        for leg in auth.legs
        for count in [need.lots[leg.product]]
        if count
    )
    assert short or more > held.cash or sold == (1 << 48) - 1


@TAME
@given(decimals.filter(lambda t: Fraction(t) != 0), grids)
def test_nearest_decimal__is_on_the_grid_and_can_be_typed(text: str, grid: Fraction) -> None:
    near = nearest_decimal(Fraction(text), grid)
    typed = parse_number(near, "number")
    assert (typed / grid).denominator == 1
    assert typed != 0


@TAME
@given(st.fractions(), st.integers(0, 20))
def test_exact_text__is_marked_exactly_when_it_rounds(value: Fraction, places: int) -> None:
    text = exact_text(value, places=places)
    assert text.startswith("≈") == (Fraction(text.removeprefix("≈").replace(",", "")) != value)
