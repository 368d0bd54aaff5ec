"""Costs of an order file: what they mean on chain, and what is refused in which words."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

from tests.unit.sample_market import NOW, SCHEDULE
from walras.auths import Step, Term, drops
from walras.curve import cost_breakpoints
from walras.errors import OrderError, UnrepresentableNumber
from walras.numbers import X24, X40, X44
from walras.orders import Conversion, Holdings, Setting, convert, parse_order
from walras.orders.describe_costs import summarise_cost
from walras.submission import cover, encode
from walras.units import CashUnits, MarketUnits, ProductUnits

CASH = CashUnits("USD", decimals=6, unit=10**4)  # a cent
A = ProductUnits(0, "A", decimals=18, lot=10**16, tick=X40 // 100)  # hundredths
B = ProductUnits(1, "B", decimals=18, lot=2 * 10**16, tick=X40 // 100)  # fiftieths
MARKET = MarketUnits(CASH, (A, B))
SETTING = Setting(SCHEDULE, NOW, cover_cap=10**9, scale_caps={0: 200 * X24, 1: 200 * X24})


def auth(product: str, low: object, high: object, price: object = 2, **more: Any) -> dict[str, Any]:
    """A constant price in dollars per share of one product."""
    demand = {"min_rate": low, "max_rate": high, "price": price}
    return {"name": product.lower(), "portfolio": {product: 1}, "demand": demand, **more}


BOTH = [auth("A", -10, 10), auth("B", -10, 10)]


def order(*costs: dict[str, Any], auths: list[Any] | None = None, **more: Any) -> Conversion:
    text = json.dumps({"auths": auths or BOTH, "costs": list(costs), **more})
    return convert(parse_order(text), MARKET, None, SETTING)


# ---------------------------------------------------------------------------------------- meaning


def test_coefficients__count_the_chains_units_of_each_auth() -> None:
    found = order({"group": {"a": 1, "b": 1}, "max": 5})
    # a share of A is 100 lots, one of B 50: a lot of B counts twice a lot of A
    (converted,) = found.costs
    assert converted.cost.terms == (Term(0, 1), Term(1, 2))
    assert converted.units == 100
    assert converted.cost.buy[0].width == 500
    assert [c.guard for c in found.auths] == [1, 2]
    assert found.submission.guards == (1, 2)
    assert encode(found.submission)


def test_coefficients__of_a_short_product__change_sign() -> None:
    short = {"name": "s", "portfolio": {"A": -1}, "demand": {"min_rate": -9, "price": -2}}
    short["demand"]["max_rate"] = 9  # type: ignore[index]
    found = order({"group": {"s": 1, "b": -1}, "max": 5}, auths=[short, BOTH[1]])
    assert found.costs[0].cost.terms == (Term(0, -1), Term(1, -2))


def test_coefficients__grow_until_the_rates_are_whole() -> None:
    (converted,) = order({"group": ["a", "b"], "max": "0.025"}).costs
    assert converted.cost.terms == (Term(0, 2), Term(1, 4))
    assert converted.units == 200
    assert converted.cost.buy[0].width == 5


def test_group__by_list_name_or_place__is_the_same() -> None:
    wanted = order({"group": {"a": 1, "b": 1}, "max": 5}).costs[0].cost
    for group in (["a", "b"], ["1", "2"], {"2": 1, "1": "1.0"}, {"b": 1, "1": 1}):
        assert order({"group": group, "max": 5}).costs[0].cost == wanted


def test_maximum__is_a_level_piece_and_a_fall_at_its_end() -> None:
    (converted,) = order({"group": ["a", "b"], "max": 5}).costs
    cost = converted.cost
    assert (cost.first, cost.sell) == (0, ())
    assert cost.buy[0] == Step(500, 0)
    assert [width for width, _ in cost_breakpoints(cost)] == [0, 500, 500]
    assert drops(cost.buy, 3, 1)[0] == 9 * 500  # the least slope: Γ² per unit
    assert cost.bottom == -converted.penalty
    assert cost.top == 0  # free below


def test_minimum__mirrors_the_maximum() -> None:
    up, down = (
        order({"group": ["a", "b"], end: x}).costs[0] for end, x in (("max", 5), ("min", -5))
    )
    assert down.cost.sell == up.cost.buy
    assert (down.cost.first, down.cost.buy, down.cost.top) == (0, (), down.penalty)


def test_both_limits__share_one_cost__and_zero_is_a_proportion() -> None:
    (converted,) = order({"group": {"a": 1, "b": -1}, "min": 0, "max": 0}).costs
    cost = converted.cost
    assert [s.width for s in (*cost.buy, *cost.sell)] == [0, 0]
    assert (cost.bid, cost.ask) == (0, 0)
    assert (cost.top, cost.bottom) == (converted.penalty, -converted.penalty)


def test_limit_out_of_reach__has_no_penalty() -> None:
    assert order({"group": ["a", "b"], "max": 20}).costs[0].penalty == 0
    assert order({"group": ["a", "b"], "max": "19.99"}).costs[0].penalty > 0
    only_buys = [auth("A", 0, 10), auth("B", 0, 10)]
    points = [{"rate": 0, "price": 3}, {"rate": 20, "price": 1}]
    (converted,) = order({"group": ["a", "b"], "demand": points}, auths=only_buys).costs
    assert (converted.penalty, converted.cost.sell) == (0, ())
    assert converted.cost.bottom == X40  # one dollar a share is a cent a lot of A


def test_curve__ends_hard_on_both_sides__a_price_only_where_it_says() -> None:
    points = [{"rate": -2, "price": 4}, {"rate": 0, "price": 3}, {"rate": 3, "price": 1}]
    (converted,) = order({"group": ["a"], "demand": points}).costs
    wanted = [(-200, 4 * X40), (0, 3 * X40), (300, X40)]
    assert list(cost_breakpoints(converted.cost))[1:-1] == wanted
    assert converted.ends == (True, True)
    (one,) = order({"group": ["a"], "demand": {"max_rate": 3, "price": 1}}).costs
    assert (one.ends, one.cost.top) == ((False, True), X40)
    (level,) = order({"group": ["a"], "demand": {"price": 1}}).costs
    assert (level.ends, level.penalty, level.cost.buy) == ((False, False), 0, (Step(0, 0),))


def test_penalty__exceeds_every_price_and_costs_no_escrow() -> None:
    found = order({"group": ["a", "b"], "max": 5})
    reach = Fraction(found.costs[0].penalty, X40)
    # |p − ref| ≤ √(2E/ε) with ε = 2^-10/scale, in cash units per lot
    assert reach**2 > 2 * 10**9 * 2**10 * 200
    bare = order()
    reserve = cover(found.submission).cash - cover(bare.submission).cash
    assert 0 < reserve < X40 // 10**4


def test_penalty__of_limits_that_share_auths__is_larger() -> None:
    alone = order({"group": ["a"], "max": 5}).costs[0].penalty
    shared = order({"group": ["a"], "max": 5}, {"group": {"a": 3, "b": -1}, "min": 0})
    assert shared.costs[0].penalty > 2 * alone
    apart = order({"group": ["a"], "max": 5}, {"group": ["b"], "max": 5})
    assert apart.costs[0].penalty == alone


def test_rates__of_a_cost__per_minute() -> None:
    per_batch = order({"group": ["a", "b"], "max": 5}).costs[0].cost
    assert order({"group": ["a", "b"], "max": 300, "per": "hour"}).costs[0].cost == per_batch


def test_open_ended_auth__outside_the_group__leaves_the_cost_its_cover() -> None:
    held = Holdings(100 * 100 * X40, {0: 0, 1: 10**6 * X44})
    value = {
        "auths": [auth("A", 0, 10), {**auth("B", 0, 1), "demand": {"price": 2, "min_rate": 0}}],
        "costs": [{"group": ["a"], "demand": {"price": 3, "max_rate": 5}}],
    }
    found = convert(parse_order(json.dumps(value)), MARKET, held, SETTING)
    lacking = held.lacks(cover(found.submission))
    assert (lacking.cash, lacking.lots) == (0, {})
    # 100 dollars less 10·2 for A and 5·3 for the cost, at four cents a lot of B
    assert found.submission.auths[1].buy_rate == (10_000 - 2_000 - 1_500) // 4 - 1


def test_words__say_limit_price_and_end() -> None:
    auths = [c.human for c in order().auths]
    limit = summarise_cost(order({"group": {"a": 1, "b": "-2.5"}, "max": 5}).costs[0], auths, CASH)
    assert limit.combination == "a − 2.5·b"
    assert limit.words[0] == "a − 2.5·b is at most 5 per batch, at any price."
    assert limit.words[1].startswith("Beyond an end the contract reads a price of ")
    assert not limit.chart
    hedge = summarise_cost(order({"group": ["a", "b"], "min": 0, "max": 0}).costs[0], auths, CASH)
    assert hedge.words[0] == "a + b is always 0: they trade in proportion."
    points = [{"rate": -60, "price": 4}, {"rate": 180, "price": 1}]
    curve = order({"group": ["a"], "demand": points, "per": "hour"}).costs[0]
    words = summarise_cost(curve, auths, CASH).words
    assert words[0] == "a is at least -60 and at most 180 per hour, at any price."
    assert words[1].startswith("A further unit of it is worth 4 USD at -60 per hour, falling to 1")
    assert all(r.read == r.asked for r in summarise_cost(curve, auths, CASH).readings)


# --------------------------------------------------------------------------------------- refusals

MAX = {"max": 1}


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        (3, "cost 1 must be an object"),
        ({}, "cost 1: 'group' is missing"),
        ({"group": {}, **MAX}, "cost 1: the group is empty"),
        ({"group": 3, **MAX}, "cost 1: group must be an object"),
        ({"group": [1], **MAX}, "a group in brackets lists names"),
        ({"group": ["a", "a"], **MAX}, "an auth is in the group twice"),
        ({"group": {"a": 1, "1": 1}, **MAX}, "auth a is in the group twice; add it up"),
        ({"group": ["c"], **MAX}, "there is no auth 'c'; the order has a, b"),
        ({"group": ["3"], **MAX}, "there is no auth '3'"),
        ({"group": {"a": 0}, **MAX}, "the coefficient of a is 0"),
        ({"group": {"a": "x"}, **MAX}, "coefficient of a must be a plain decimal number"),
        ({"group": ["a"]}, "give a demand, or a limit: min, max or both"),
        ({"group": ["a"], "max": -1}, "not trading has to be allowed"),
        ({"group": ["a"], "min": 1}, "not trading has to be allowed"),
        ({"group": ["a"], "demand": {"price": 1}, **MAX}, "put min and max in another cost"),
        ({"group": ["a"], "data": {}, **MAX}, "cost 1: unknown field 'max'"),
        ({"group": ["a"], "demand": [{"rate": 1, "price": 1}]}, "rate 0 is outside the curve"),
        ({"group": ["a"], "demand": [{"rate": 0, "price": 1}]}, "give min and max, both 0"),
        ({"group": ["a"], "target": 5}, "cost 1: unknown field 'target'"),
        ({"group": ["a"], "per": "week", **MAX}, "per must be one of batch, second, minute"),
        ({"group": ["a"], "name": "", **MAX}, "name must be 1 to 64 printable characters"),
    ],
)
def test_cost__wrong__says_what_to_write(cost: Any, message: str) -> None:
    with pytest.raises(OrderError, match=message):
        order(cost)


def test_costs__beyond_the_protocol() -> None:
    with pytest.raises(OrderError, match="costs must be a list"):
        parse_order('{"auths": [{"portfolio": {"A": 1}, "demand": {"price": 1}}], "costs": {}}')
    with pytest.raises(OrderError, match="17 costs; a submission holds at most 16"):
        order(*[{"group": ["a"], "max": 1}] * 17)
    with pytest.raises(OrderError, match="two costs are called x"):
        order(*[{"group": ["a"], "max": 1, "name": "x"}] * 2)
    many = [auth("A", 0, 1, name=str(i)) for i in range(17)]
    with pytest.raises(OrderError, match="17 auths; a group has at most 16"):
        order({"group": [str(i) for i in range(17)], "max": 1}, auths=many)
    with pytest.raises(OrderError, match="the coefficients are too unlike"):
        order({"group": {"a": 1, "b": "0.0000001"}, "max": 5})
    with pytest.raises(OrderError, match="the curve is too long; at most 2,8"):
        order({"group": ["a"], "max": 10**15})
    steep = [{"rate": 0, "price": 1}, {"rate": 1, "price": -(10**25)}]
    with pytest.raises(OrderError, match="too large for the contract; use smaller"):
        order({"group": ["a"], "demand": steep})
    bent = [{"rate": i, "price": 400 - i * i} for i in range(17)]
    with pytest.raises(OrderError, match="17 segments on one side of 0"):
        order({"group": {"a": 2}, "demand": bent})


def test_costs__need_the_market() -> None:
    text = json.dumps({"auths": BOTH, "costs": [{"group": ["a"], "max": 1}]})
    with pytest.raises(OrderError, match="costs need the market's clock and caps"):
        convert(parse_order(text), MARKET)


def test_open_ended_auth_in_a_group__needs_a_rate() -> None:
    endless = {**auth("A", 0, 1), "demand": {"price": 2, "min_rate": 0}}
    with pytest.raises(OrderError, match=r"auth a: in a group .* give max_rate or max_trade"):
        order({"group": ["a"], "max": 1}, auths=[endless])


def test_rate_and_price_of_a_cost__off_the_grid__name_their_neighbour() -> None:
    with pytest.raises(UnrepresentableNumber, match=r"cost 1: rate 0\.0000000333") as caught:
        order({"group": ["a"], "max": "0.0000000333"})
    assert order({"group": ["a"], "max": caught.value.nearest})
    crossing = [{"rate": -120, "price": 4}, {"rate": 180, "price": 1}]
    with pytest.raises(UnrepresentableNumber, match="cost 1: add a point at rate 0"):
        order({"group": ["a"], "demand": crossing})
    thirds = {"a": "0.33"}  # 33 parts of 100: a lot is worth a 33rd of the price
    with pytest.raises(UnrepresentableNumber, match="cost 1: price 1 cannot") as caught:
        order({"group": thirds, "demand": {"price": 1, "max_rate": "0.33"}})
    assert order({"group": thirds, "demand": {"price": caught.value.nearest, "max_rate": "0.33"}})
