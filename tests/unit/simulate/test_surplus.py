from __future__ import annotations

import pytest

from walras.auths import Cost, Step, Submission, Term
from walras.numbers import X44, X84
from walras.simulate.desk import Desk, Side, cash_x40
from walras.simulate.surplus import gain

DESK = Desk(("A", "B"), (100.0, 100.0))
TICKS = {k: product.tick for k, product in DESK.products.items()}
PRICES = dict.fromkeys(DESK.products, 10000 * X84)  # a dollar a lot


def test_a_buyer_gains_the_area_below_its_curve() -> None:
    auth = DESK.auth({0: 1}, buy=Side(1.2, ((10, 0.2), (10, 0.4))))
    # 10 at 1.2..1.0 and 5 at 1.0..0.8, each for 1.0
    found = gain(Submission((auth,)), (15 * X44,), PRICES, TICKS)
    assert found == pytest.approx(10 * 0.1 - 5 * 0.1, abs=1e-6)


def test_a_seller_gains_the_area_above_its_curve() -> None:
    auth = DESK.auth({0: 1}, sell=Side(0.9, ((10, 0.1),)))
    assert gain(Submission((auth,)), (-10 * X44,), PRICES, TICKS) == pytest.approx(0.5, abs=1e-6)


def test_nothing_traded_gains_nothing() -> None:
    auth = DESK.auth({0: 1}, buy=Side(1.2, ((10, 0.2),)))
    assert gain(Submission((auth,)), (0,), PRICES, TICKS) == 0.0


def test_a_cost_counts_too() -> None:
    auths = tuple(DESK.auth({k: 1}, buy=Side(1.2, ((10, 0.2),))) for k in (0, 1))
    cost = Cost((Term(0, 1), Term(1, 1)), 0, buy=(Step(20, cash_x40(0.4)),))
    both = Submission(auths, costs=(cost,))
    alone = gain(Submission(auths), (10 * X44, 5 * X44), PRICES, TICKS)
    found = gain(both, (10 * X44, 5 * X44), PRICES, TICKS)
    assert found - alone == pytest.approx(-0.5 * 15 * 0.3, abs=1e-6)
