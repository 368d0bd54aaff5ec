from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from tests.reference.curves import exact_rate
from tests.vectors.cases.codec import auth_of, cost_of, load, order_of
from walras.curve import (
    breakpoints,
    cost_breakpoints,
    cost_demand,
    cost_sum,
    demand,
    drops,
    effective_prices,
    portfolio_price,
    tau,
)
from walras.submission import Auth, Cost, Leg, Step, Submission, Term

VECTORS = load("curves")
CASES, COSTS = VECTORS["cases"], VECTORS["costs"]
TICKS = {0: 7, 4: 100}
QUOTE = Auth((Leg(0, 1),), 50, 6, (Step(2, 1), Step(0, 4), Step(3, 0)), (Step(5, 2),))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_demand_vectors(case: dict[str, Any]) -> None:
    auth = auth_of(case["auth"])
    context = {"guard": case["guard"], "done": case["done"]}
    for pi, rate, sloped, loss in case["points"]:
        assert demand(auth, case["ticks"], pi, **context) == (rate, sloped, loss), pi


@pytest.mark.parametrize("case", COSTS, ids=lambda case: case["name"])
def test_cost_vectors(case: dict[str, Any]) -> None:
    cost = cost_of(case["cost"])
    assert (cost.top, cost.bottom) == (case["top"], case["bottom"])
    for shadow, rate in case["points"]:
        assert cost_demand(cost, shadow).rate == rate, shadow
    points = cost_breakpoints(cost)
    assert (points[0], points[-1]) == (
        (-cost.sell_rate, cost.top),
        (cost.buy_rate, cost.bottom),
    )
    assert all(a[0] <= b[0] and a[1] > b[1] for a, b in pairwise(points))


def test_effective_prices_and_sums_of_costs() -> None:
    costs = (Cost((Term(0, 2), Term(1, -3)), 0), Cost((Term(1, 5),), 0))
    submission = Submission((QUOTE, replace(QUOTE, legs=(Leg(4, 1),))), 0, costs)
    prices = {0: 1000, 4: 2000}
    assert effective_prices(submission, prices, (10, 7)) == [1000 - 20, 2000 + 30 - 35]
    assert [cost_sum(cost, (100, 10)) for cost in costs] == [170, 50]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_breakpoints_lie_on_the_curve(case: dict[str, Any]) -> None:
    auth = auth_of(case["auth"])
    points = breakpoints(auth, case["ticks"], case["guard"])
    assert (points[0][0], points[-1][0]) == (-auth.sell_rate, auth.buy_rate)
    assert all(a[0] <= b[0] and a[1] > b[1] for a, b in pairwise(points))
    for rate, price in points:
        assert (
            exact_rate(order_of(auth, case["guard"]), case["ticks"], Fraction(price, 2**40)) == rate
        )


def test_breakpoints_of_a_quote() -> None:
    # drops are increment + max(7, 1·width)
    assert breakpoints(QUOTE, TICKS) == ((-5, 65), (0, 56), (0, 50), (2, 42), (2, 31), (5, 24))


def test_breakpoints_join_where_ask_meets_bid() -> None:
    touching = Auth(QUOTE.legs, 50, 0, QUOTE.buy[:1], QUOTE.sell)
    assert breakpoints(touching, TICKS) == ((-5, 59), (0, 50), (2, 42))


def test_tau_and_drops() -> None:
    pair = Auth((Leg(0, 3), Leg(4, -2)), 0, buy=(Step(1, 0),))
    assert tau(pair, TICKS) == 3 * 7 + 2 * 100
    # W² = 25: the width wins from 9 units on
    assert drops((Step(8, 1), Step(9, 0)), pair.gross, tau(pair, TICKS)) == (222, 225)


def test_portfolio_price() -> None:
    pair = Auth((Leg(0, 3), Leg(4, -2)), 0)
    assert portfolio_price(pair, {0: 10, 4: 100, 9: 5}) == -170
