"""Order files: what they mean on chain, and what is refused in which words."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

from walras.curve import demand, drops, tau
from walras.errors import OrderError, UnrepresentableNumber
from walras.numbers import X40, X44
from walras.orders import Converted, Holdings, Point, convert, parse_order
from walras.orders.describe import summarise
from walras.orders.sides import sides
from walras.submission import Auth, Cover, Leg, Step, Submission, encode
from walras.units import CashUnits, MarketUnits, ProductUnits

TICK = 10 * X40
CASH = CashUnits("USD", decimals=6, unit=1)
A = ProductUnits(3, "A", decimals=18, lot=10**16, tick=TICK)
B = ProductUnits(1, "B", decimals=8, lot=10**6, tick=2 * TICK)
C = ProductUnits(4, "C", decimals=0, lot=1, tick=TICK)
MARKET = MarketUnits(CASH, (B, A, C))


def auth_json(portfolio: Any, demand_: Any) -> dict[str, Any]:
    return {"portfolio": portfolio, "data": {"demand": demand_}}


def points(*pairs: tuple[object, object]) -> list[dict[str, object]]:
    return [{"rate": rate, "price": price} for rate, price in pairs]


def one(portfolio: Any, demand_: Any, held: Holdings | None = None) -> Converted:
    order = parse_order(json.dumps(auth_json(portfolio, demand_)))
    _, (converted,), _ = convert(order, MARKET, held)
    return converted


# ---------------------------------------------------------------------------------------- meaning


def test_seed_example__points__become_one_step_that_meets_both() -> None:
    auth = one({"A": 1}, points((0, 15), (20, 5))).auth
    # 100 lots per token and 10^6 cash units per cash token: 15 per token is 150,000 per lot
    assert auth.legs == (Leg(3, 1),)
    assert auth.first == 150_000 * X40
    assert (auth.gap, auth.sell) == (0, ())
    assert [s.width for s in auth.buy] == [2_000]
    assert drops(auth.buy, 1, TICK) == (100_000 * X40,)


def test_seed_example__constant_price__sells_only() -> None:
    auth = one({"A": 1}, {"min_rate": -20, "max_rate": 0, "price": 10}).auth
    assert auth == Auth((Leg(3, 1),), first=100_000 * X40, sell=(Step(2_000, 0),))


def test_seed_portfolio__half_and_three_quarters__uses_the_smallest_weights() -> None:
    converted = one({"A": "0.5", "B": "-0.75"}, points((0, 10), (4, 5)))
    assert converted.auth.legs == (Leg(1, -3), Leg(3, 2))
    assert converted.units == 25
    assert converted.auth.first == 10 * 10**6 * X40 // 25
    assert converted.auth.buy_rate == 100
    assert converted.rate(100) == 4
    assert converted.price(converted.auth.first, CASH) == 10


def test_weights__finer_than_a_lot__count_as_ratio() -> None:
    converted = one({"C": "0.5", "A": "-0.0025"}, points((0, 1), (4, 0)))
    assert converted.auth.legs == (Leg(3, -1), Leg(4, 2))
    assert converted.auth.buy_rate == 1


def test_weights__multiplied_until_prices_are_exact() -> None:
    # 3 C and 6 C' lots: a third of 10^7 cash units is no X40 number, so the unit stays undivided
    converted = one({"C": 3, "B": "0.06"}, points((0, 10), (4, 5)))
    assert converted.auth.legs == (Leg(1, 6), Leg(4, 3))
    assert converted.units == 1


def test_short_single_product__is_the_long_one_mirrored() -> None:
    short = one({"A": -1}, points((-3, -4), (0, -5), (20, -15)))
    long = one({"A": 1}, points((-20, 15), (0, 5), (3, 4)))
    assert short.auth == long.auth
    assert short.flipped
    assert short.rate(-2_000) == 20
    assert short.price(50_000 * X40, CASH) == -5


def test_two_sided__no_point_at_zero__interpolates_exactly() -> None:
    auth = one({"A": 1}, points((-10, 30), (30, 10))).auth
    assert (auth.bid, auth.ask) == (250_000 * X40, 250_000 * X40)
    assert (auth.buy_rate, auth.sell_rate) == (3_000, 1_000)


def test_two_prices_at_zero__are_bid_and_ask() -> None:
    auth = one({"A": 1}, points((-10, 30), (0, 20), (0, 15), (0, 12), (10, 5))).auth
    assert auth.bid == 120_000 * X40
    assert auth.gap == 80_000 * X40


def test_one_sided__prices_above_the_bid_at_zero__do_not_matter() -> None:
    assert (
        one({"A": 1}, points((0, 99), (0, 12), (10, 5))).auth
        == one({"A": 1}, points((0, 12), (10, 5), (10, 1))).auth
    )


def test_vertical_drop__becomes_a_step_without_width() -> None:
    auth = one({"A": 1}, points((0, 12), (10, 9), (10, 5), (20, 4))).auth
    assert [s.width for s in auth.buy] == [1_000, 0, 1_000]
    assert drops(auth.buy, 1, TICK) == (30_000 * X40, 40_000 * X40, 10_000 * X40)


def test_vertical_drop__that_the_guard_has_made_already__takes_no_step() -> None:
    # the flat part is read one tick (10 cash units) steeper, which is more than the drop of 5
    auth = one({"C": 1}, points((0, 12), (10, 12), (10, "11.999995"), (20, 10))).auth
    assert [s.width for s in auth.buy] == [10, 10]
    assert sum(drops(auth.buy, 1, TICK)) == 2_000_000 * X40


def test_flat_parts__are_read_steeper_and_caught_up() -> None:
    auth = one({"A": 1}, points((0, 10), (10, 10), (20, 9))).auth
    falls = drops(auth.buy, 1, TICK)
    assert falls == (TICK, 10_000 * X40 - TICK)
    assert auth.buy[0].increment == 0


def test_collinear_points__merge() -> None:
    assert (
        one({"A": 1}, points((0, 12), (5, 11), (10, 10), (20, 8))).auth.buy
        == one({"A": 1}, points((0, 12), (20, 8))).auth.buy
    )


def test_sides__of_a_sell_only_curve__are_mirrored() -> None:
    buy, sell = sides(tuple(Point(Fraction(r), Fraction(p)) for r, p in ((-5, 8), (0, 6), (0, 2))))
    assert buy is None
    assert sell is not None
    assert sell.points == (Point(Fraction(0), Fraction(-6)), Point(Fraction(5), Fraction(-8)))


def test_several_auths__and_expiry__make_one_submission() -> None:
    auths = [
        auth_json({"A": 1}, points((0, 2), (1, 1))),
        auth_json({"B": 1}, points((0, 2), (1, 1))),
    ]
    as_list, _, _ = convert(parse_order(json.dumps(auths)), MARKET)
    as_object, _, _ = convert(parse_order(json.dumps({"auths": auths, "valid_until": 9})), MARKET)
    assert as_list == Submission(as_object.auths)
    assert as_object.valid_until == 9
    assert as_object.products == (1, 3)
    assert encode(as_object)


def test_valid_until__in_words() -> None:
    text = json.dumps({"auths": [auth_json({"A": 1}, points((0, 2), (1, 1)))], "valid_until": "@"})
    for same in ("1970-01-02T00:00:00Z", "1970-01-02T01:00:00+01:00"):
        assert (
            convert(parse_order(text.replace("@", same)), MARKET).submission.valid_until == 86_400
        )
    for bad in ("1970-01-02T00:00:00", "tomorrow", "1969-01-01T00:00:00Z"):
        with pytest.raises(OrderError, match="valid_until"):
            parse_order(text.replace("@", bad))


# -------------------------------------------------------------------------------- unlimited rates


def held(cash: str = "0", **lots: int) -> Holdings:
    return Holdings(
        int(CASH.x40(Fraction(cash))), {MARKET.product(k).id: v * X44 for k, v in lots.items()}
    )


def test_unlimited__takes_what_the_escrow_covers() -> None:
    assert one({"A": 1}, {"max_rate": 0, "price": 10}, held(A=777)).auth.sell == (Step(777, 0),)
    assert one({"A": 1}, {"min_rate": 0, "price": 10}, held("25")).auth.buy == (Step(250, 0),)
    assert one({"A": -1}, {"min_rate": 0, "price": -10}, held(A=777)).auth.sell == (Step(777, 0),)
    both = one({"A": 1, "B": -1}, {"price": 10}, held("25", A=50, B=70)).auth
    assert (both.buy_rate, both.sell_rate) == (70, 50)


def test_unlimited__comes_after_the_limited() -> None:
    text = json.dumps(
        [
            auth_json({"A": 1}, {"max_rate": 0, "price": 10}),
            auth_json({"A": 1}, {"max_rate": 0, "min_rate": -7, "price": 10}),
        ]
    )
    submission, _, _ = convert(parse_order(text), MARKET, held(A=777))
    assert [a.sell_rate for a in submission.auths] == [77, 700]


def test_unlimited__with_nothing_to_limit_it__asks_for_the_rate() -> None:
    limit = {"max_rate": 0, "price": 10}
    with pytest.raises(OrderError, match=r"without min_rate .* choose an account"):
        one({"A": 1}, limit)
    with pytest.raises(OrderError, match="nothing is left"):
        one({"A": 1}, limit, held())
    with pytest.raises(OrderError, match="no escrow limits this side; give max_rate"):
        one({"A": 1}, {"min_rate": 0, "price": -1}, held("10"))
    with pytest.raises(OrderError, match="without max_rate"):
        one({"A": -1}, {"min_rate": 0, "price": 10})


def test_holdings__lacks__is_what_to_deposit() -> None:
    need = Cover(100, {1: 5, 3: 0, 4: 7})
    assert Holdings(40, {1: 9, 4: 3}).lacks(need) == Cover(60, {4: 4})


# --------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON: .* line 1, column 2"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5_000, "number too long"),
        ("NaN", "NaN is not a number"),
        ("[]", "no auths"),
        ("3", "auth 1 must be an object"),
        ('{"auths": []}', "no auths"),
        ('{"auths": [], "valid_until": 1.5}', "valid_until"),
        ('{"auths": [], "valid_till": 1}', "unknown field 'valid_till'"),
        ('{"portfolio": {}}', "auth 1: 'demand' is missing"),
        ('{"portfolio": {"A": 1, "A": 2}, "data": {}}', "'A' is given twice"),
        ("[" + ",".join(["0"] * 65) + "]", "65 auths; a submission holds at most 64"),
    ],
)
def test_file__wrong_shape__says_where(text: str, message: str) -> None:
    with pytest.raises(OrderError, match=message):
        parse_order(text)


CURVE = points((0, 2), (1, 1))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (auth_json({}, CURVE), "auth 1: the portfolio is empty"),
        (auth_json([], CURVE), "auth 1: portfolio must be an object"),
        (auth_json({"A": 0}, CURVE), "auth 1: the weight of A is 0"),
        (auth_json({"A": "x"}, CURVE), "auth 1: weight of A must be a plain decimal number"),
        (auth_json({f"P{i}": 1 for i in range(17)}, CURVE), "at most 16"),
        (auth_json({"A": 1}, []), "auth 1: 0 points"),
        (auth_json({"A": 1}, "5"), "auth 1: demand must be an object"),
        (auth_json({"A": 1}, [{"rate": 0}]), "auth 1, point 1: 'price' is missing"),
        (
            auth_json({"A": 1}, points((0, 1), (1, 2))),
            "curve increases.*between points 1 and 2",
        ),
        (auth_json({"A": 1}, points((1, 2), (0, 1))), "rate falls from point 1 to 2"),
        (auth_json({"A": 1}, points((1, 2), (3, 1))), "rate 0 is outside the curve.*1 to 3"),
        (auth_json({"A": 1}, points((-3, 2), (-1, 1))), "rate 0 is outside the curve"),
        (auth_json({"A": 1}, points((0, 2), (0, 1))), "all rates are 0"),
        (auth_json({"A": 1}, {"min_rate": 1, "price": 1}), "rate 0 is outside the range"),
        (auth_json({"A": 1}, {"max_rate": -1, "price": 1}), "rate 0 is outside the range"),
        (auth_json({"A": 1}, {"min_rate": 0, "max_rate": 0, "price": 1}), "both 0"),
        (auth_json({"A": 1}, {"rate": 0, "price": 1}), "unknown field 'rate'; known are price"),
        ({"portfolio": {"A": 1}, "data": {"demand": CURVE}, "auth_id": "\x1b[0m"}, "auth_id"),
    ],
)
def test_auth__wrong__says_what_to_write(value: object, message: str) -> None:
    with pytest.raises(OrderError, match=message):
        parse_order(json.dumps(value))


@pytest.mark.parametrize(
    ("portfolio", "curve", "message"),
    [
        ({"A": 1, "#3": 1}, CURVE, "A is in the portfolio twice"),
        ({"Z": 1}, CURVE, "unknown product 'Z'; this market lists B, A, C"),
        ({"A": 1}, points((0, 2), (2**48, 1)), "auth 1: the rate is too large; at most 2,814,"),
        ({"A": 1}, points((0, 10**30), (1, 1)), "auth 1: a price is too large"),
        ({"A": 1}, points((0, 1), (1, -(10**30))), "auth 1: a price is too large"),
        ({"A": 1}, points(*((i, 400 - i * i) for i in range(18))), "17 segments on one side"),
    ],
)
def test_conversion__beyond_the_protocol__says_the_limit(
    portfolio: dict[str, Any], curve: list[Any], message: str
) -> None:
    with pytest.raises(OrderError, match=message):
        one(portfolio, curve)


@pytest.mark.parametrize(
    ("portfolio", "curve", "what", "nearest"),
    [
        ({"A": 1}, points((0, 2), ("1.234", 1)), "auth 1: rate 1.234", "1.23"),
        ({"A": 1}, points(("-0.001", 2), (0, 1)), "auth 1: rate -0.001", "-0.01"),
        ({"C": 1}, points((0, "1e-30"), (1, 0)), "auth 1: price 0.0000000000", None),
        ({"C": 3}, points((0, 10), (1, 5)), "auth 1: price 10", None),
        ({"A": 1, "B": "0.3333333333"}, CURVE, "auth 1: weight of B 0.3333333333", "0.333333"),
        (
            {"A": 1},
            points((-10, 30), (20, 5)),
            "auth 1: add a point at rate 0, the price where the curve crosses it, ≈21.666666666667",
            None,
        ),
    ],
)
def test_conversion__off_the_grid__names_number_and_neighbour(
    portfolio: dict[str, Any], curve: list[Any], what: str, nearest: str | None
) -> None:
    with pytest.raises(UnrepresentableNumber) as caught:
        one(portfolio, curve)
    assert str(caught.value).startswith(what)
    if nearest is not None:
        assert caught.value.nearest == nearest


@pytest.mark.parametrize("sign", [1, -1])
def test_conversion__the_neighbour__is_accepted(sign: int) -> None:
    curve = points((0, sign * 10), (1, -20))
    with pytest.raises(UnrepresentableNumber) as caught:
        one({"C": 3}, curve)
    assert caught.value.number == str(sign * 10)
    near = str(caught.value.nearest)
    assert abs(Fraction(near) - sign * 10) < Fraction(1, 10**5)
    with pytest.raises(UnrepresentableNumber) as caught:
        one({"C": 3}, points((0, near), (1, -20)))
    assert one({"C": 3}, points((0, near), (1, caught.value.nearest))).units == 3


def test_weights__too_unlike__are_refused() -> None:
    with pytest.raises(OrderError, match="too unlike"):
        one({"C": 10**9, "A": "0.01"}, points((0, 1), (1, 0)))


# ------------------------------------------------------------------------------------ description


def test_summary__says_both_sides_and_what_is_read() -> None:
    converted = one({"A": "0.5", "B": "-0.75"}, {"min_rate": -4, "max_rate": 8, "price": 10})
    summary = summarise(converted, MARKET, {3: 300_000 * X40, 1: 1_000 * X40})
    assert summary.combination == "0.5 A − 0.75 B"
    assert [(int(r.rate), int(r.asked)) for r in summary.readings] == [(-4, 10), (0, 10), (8, 10)]
    guard = CASH.cash(max(tau(converted.auth, MARKET.ticks()), 25 * 200)) * converted.units
    assert [r.read - r.asked for r in summary.readings][1:] == [0, -guard]
    sells, buys, today = summary.words
    assert sells.startswith("Sells up to 4 per batch (−2 A + 3 B): nothing until the price is 10")
    assert buys.startswith("Buys up to 8 per batch (4 A − 6 B): nothing until the price is 10")
    assert today == "At today's reference price of 14.925 USD it would sell 4."


def test_summary__of_a_short_product__speaks_the_traders_language() -> None:
    summary = summarise(one({"A": -1}, points((0, -5), (20, -15))), MARKET)
    assert summary.words[0] == (
        "Buys up to 20 per batch (−20 A): nothing until the price is -5 USD or less, "
        "everything at -15 USD or less."
    )
    assert len(summary.words) == 1
    assert [(int(r.asked), int(r.read)) for r in summary.readings] == [(-5, -5), (-15, -15)]


def test_summary__readings__of_vertical_parts_meet_every_point() -> None:
    curve = points((-5, 40), (-5, 30), (0, 20), (0, 10), (20, 5), (20, 1), (25, -12), (25, -20))
    summary = summarise(one({"A": 1}, curve), MARKET)
    assert all(r.asked == r.read for r in summary.readings)


def test_chart__draws_met_and_missed_points() -> None:
    summary = summarise(one({"A": 1}, points((0, 15), (20, 5), (30, 5))), MARKET)
    text = "\n".join(summary.chart)
    assert text.count("●") == 2
    assert text.count("○") == 1
    assert summary.chart[-1].split() == ["0", "30"]
    assert all(len(line) <= 70 for line in summary.chart)


def test_readings__agree_with_the_contracts_curve() -> None:
    converted = one({"A": 1}, points((0, 15), (10, 15), (20, 5)))
    for reading in summarise(converted, MARKET).readings:
        pi = CASH.x40(reading.read) / converted.units * X44
        rate = demand(converted.auth, MARKET.ticks(), int(pi)).rate
        assert converted.rate(Fraction(rate, X44)) == reading.rate
