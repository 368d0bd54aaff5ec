from __future__ import annotations

import json

import numpy as np
import pytest

from walras.simulate.report import cost_of, report
from walras.simulate.run import Execution, Run


def run_of(prices: list[float], volumes: list[float], executions: list[Execution]) -> Run:
    count = len(volumes)
    zeros = np.zeros(count)
    return Run(
        symbols=("A",),
        dates=("d",),
        interval=60.0,
        values=np.array([[100.0], [101.0], [100.0], [102.0]]),
        prices=np.array(prices)[:, None],
        volumes=np.array(volumes)[:, None],
        surplus=zeros + 2.0,
        loss=zeros,
        freedom=zeros,
        live=np.full(count, 2),
        auths=np.full(count, 3),
        seconds={"judge": zeros, "solve": zeros + 0.5, "settle": zeros},
        executions=executions,
        kinds={"x": "order", "y": "maker"},
        profits={"x": -5.0, "y": 5.0},
    )


def order(quantity: int, units: list[float], prices: list[float]) -> Execution:
    return Execution("x", "order", {0: 1}, quantity, 1, 1.0, 1.0, units, prices, True)


def test_a_buyer_pays_what_it_paid_above_its_arrival() -> None:
    bought = order(100, [60.0, 40.0], [1.01, 1.02])
    cost = cost_of(bought, run_of([100, 101, 102, 103], [3.0, 1.0, 9.0], [bought]))
    assert cost.average == pytest.approx(1.014)
    assert cost.shortfall == pytest.approx(140.0)
    assert cost.twap == pytest.approx(-10.0)
    assert cost.vwap == pytest.approx((1.014 - 1.0125) * 1e4)
    assert (cost.side, cost.filled, cost.batches) == ("buy", 1.0, 2)


def test_a_seller_pays_what_it_got_below_its_arrival() -> None:
    sold = order(-200, [-50.0, -50.0], [1.01, 0.97])
    cost = cost_of(sold, run_of([100, 101, 97, 97], [1.0, 1.0, 0.0], [sold]))
    assert cost.shortfall == pytest.approx(100.0)
    assert cost.twap == pytest.approx(0.0)
    assert cost.vwap == pytest.approx(0.0)
    assert (cost.side, cost.filled) == ("sell", 0.5)


def test_an_order_that_never_traded_has_no_cost() -> None:
    idle = order(100, [0.0, 0.0], [1.01, 1.02])
    cost = cost_of(idle, run_of([100, 101, 102, 103], [0.0, 0.0, 0.0], [idle]))
    assert (cost.average, cost.shortfall, cost.vwap, cost.twap) == (None, None, None, None)
    assert report(run_of([100, 101, 102, 103], [0.0] * 3, [idle])).summary["shortfall_bps"] == 0.0


def test_moves_and_sums() -> None:
    bought = order(100, [60.0, 40.0], [1.01, 1.02])
    found = report(run_of([100, 101, 101, 101], [2.0, 0.0, 1.0], [bought]))
    (move,) = found.moves
    assert move.price[0] == 0.0
    assert move.price[1] == pytest.approx(1e4 * np.log(1.01))
    assert move.value[1] == pytest.approx(1e4 * np.log(1.02))
    assert move.turnover == pytest.approx(303.0)
    assert found.summary["surplus"] == 6.0
    assert found.summary["seconds"] == pytest.approx(1.5)
    assert found.kinds == {
        "order": {"agents": 1.0, "profit": -5.0},
        "maker": {"agents": 1.0, "profit": 5.0},
    }
    assert not found.conserved
    assert json.loads(json.dumps(found.data()))["summary"]["orders_complete"] == 1.0
