from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from tests.reference.curves import exact_rate
from tests.vectors.cases.codec import auth_of, load, order_of
from walras.curve import breakpoints, demand, drops, portfolio_price, tau
from walras.submission import Auth, Leg, Step

CASES = load("curves")["cases"]
TICKS = {0: 7, 4: 100}
QUOTE = Auth((Leg(0, 1),), 50, 6, (Step(2, 1), Step(0, 4), Step(3, 0)), (Step(5, 2),))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_demand_vectors(case: dict[str, Any]) -> None:
    auth = auth_of(case["auth"])
    for pi, rate, sloped, loss in case["points"]:
        assert demand(auth, case["ticks"], pi) == (rate, sloped, loss), pi


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_breakpoints_lie_on_the_curve(case: dict[str, Any]) -> None:
    auth = auth_of(case["auth"])
    points = breakpoints(auth, case["ticks"])
    assert (points[0][0], points[-1][0]) == (-auth.sell_rate, auth.buy_rate)
    assert all(a[0] <= b[0] and a[1] > b[1] for a, b in pairwise(points))
    for rate, price in points:
        assert exact_rate(order_of(auth), case["ticks"], Fraction(price, 2**40)) == rate


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
