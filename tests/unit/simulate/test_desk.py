from __future__ import annotations

import numpy as np
import pytest

from walras.auths import Limits, Submission
from walras.curve import breakpoints
from walras.decoding import decode
from walras.encoding import encode
from walras.numbers import MAX_UNITS, X40, X44, X84
from walras.simulate.desk import Desk, Side, cash_x40, dollars, lots_x44, shares

DESK = Desk(("A", "B"), (100.0, 25.0))
TICKS = {k: product.tick for k, product in DESK.products.items()}


def points(auth: object) -> list[tuple[float, float]]:
    """The curve in units and dollars."""
    return [(x, m / X40 / 10_000) for x, m in breakpoints(auth, TICKS)]  # type: ignore[arg-type]


def test_dollars_and_shares_come_back() -> None:
    assert dollars(DESK.products[0].reference * X44) == pytest.approx(100.0)
    assert dollars(round(100 * 25.0 * X84)) == pytest.approx(25.0)
    assert shares(lots_x44(12.34)) == pytest.approx(12.34)
    assert cash_x40(1.5) == 15_000 * X40


def test_shares_become_whole_lots_rounded_up() -> None:
    assert lots_x44(0.001) == X44
    assert lots_x44(1 / 3) == 34 * X44
    assert lots_x44(5085.25 / 100 * 100) == 508_525 * X44


def test_a_curve_has_the_points_that_were_asked_for() -> None:
    auth = DESK.auth(
        {0: 1}, buy=Side(0.99, ((10, 0.01), (20, 0.02))), sell=Side(1.01, ((5, 0.03),))
    )
    found = points(auth)
    assert [x for x, _ in found] == [-5, 0, 0, 10, 30]
    assert [m for _, m in found] == pytest.approx([1.04, 1.01, 0.99, 0.98, 0.96])


def test_a_step_is_never_less_steep_than_the_market_allows() -> None:
    auth = DESK.auth({0: 1}, buy=Side(1.0, ((10, 0.0),)))
    assert auth.buy[0].increment == 0
    assert points(auth)[-1][1] == pytest.approx(1.0 - 1e-4)


def test_a_portfolio_with_limits_can_be_sealed() -> None:
    auth = DESK.auth({1: -4, 0: 1}, sell=Side(-0.2, ((7, 0.1),)), limits=Limits(50, 0))
    submission = Submission((auth,), standing=True)
    read = decode(encode(submission), ciphertext_length=300, units=MAX_UNITS, ticks=TICKS)
    assert read.submission == submission


def test_asks_never_cross_bids() -> None:
    auth = DESK.auth({0: 1}, buy=Side(1.0, ((1, 0.1),)), sell=Side(0.9, ((1, 0.1),)))
    assert (auth.bid, auth.ask) == (cash_x40(1.0), cash_x40(1.0))


def test_worth_and_gross_of_a_portfolio() -> None:
    prices = np.array([100.0, 25.0])
    assert DESK.worth({0: 1, 1: -4}, prices) == pytest.approx(0.0)
    assert DESK.gross({0: 1, 1: -4}, prices) == pytest.approx(2.0)
