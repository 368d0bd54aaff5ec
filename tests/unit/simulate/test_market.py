from __future__ import annotations

import pytest

from walras.auths import Auth, Limits, Submission
from walras.decoding import VoidReason
from walras.numbers import X40, X44
from walras.simulate.agents import Cancel, Endowment, Seal
from walras.simulate.desk import Desk, Side
from walras.simulate.market import Cleared, Market, clear_again

ANN, BOB = b"\x01" * 20, b"\x02" * 20


@pytest.fixture
def market() -> Market:
    """Ann has cash, Bob has a product."""
    market = Market(Desk(("A",), (100.0,)), interval=60.0)
    market.deposit({ANN: Endowment(10_000.0, {}), BOB: Endowment(0.0, {0: 100.0})})
    return market


def bid(market: Market, lots: int, price: float = 1.01, limits: Limits | None = None) -> Auth:
    return market.desk.auth({0: 1}, buy=Side(price, ((lots, 0.001),)), limits=limits)


def ask(market: Market, lots: int, price: float = 0.99) -> Auth:
    return market.desk.auth({0: 1}, sell=Side(price, ((lots, 0.001),)))


def bought(cleared: Cleared, who: bytes = ANN) -> float:
    return cleared.settlement.fills.get(who, {}).get(0, 0) / X44


def test_a_batch_moves_ledgers_references_and_nothing_else(market: Market) -> None:
    before, reference = market.totals(), market.desk.products[0].reference
    market.enter(ANN, Seal(Submission((bid(market, 100),))))
    market.enter(BOB, Seal(Submission((ask(market, 100),))))
    cleared = market.clear()
    assert 50 < bought(cleared) <= 100
    assert market.accounts[ANN].lots[0] == cleared.settlement.fills[ANN][0]
    spent = 10_000 * 10_000 * X40 - market.accounts[ANN].cash
    assert spent == -cleared.settlement.cash[ANN] > 0
    assert market.totals() == before
    assert market.number == 2
    assert market.clear().state.products[0].reference == cleared.settlement.next_references[0]
    assert cleared.state.products[0].reference == reference


def test_who_sealed_for_one_batch_is_out_of_the_next(market: Market) -> None:
    market.enter(ANN, Seal(Submission((bid(market, 100),))))
    assert len(market.clear().opened) == 1
    assert len(market.clear().opened) == 0


def test_a_standing_order_trades_until_its_limit_exactly(market: Market) -> None:
    order = Submission((bid(market, 30, limits=Limits(0, 100)),), standing=True)
    market.enter(ANN, Seal(order))
    fills = []
    for _ in range(8):
        market.enter(BOB, Seal(Submission((ask(market, 300),))))
        fills.append(bought(market.clear()))
    assert fills[:3] == [30.0, 30.0, 30.0]
    assert market.accounts[ANN].lots[0] == 100 * X44
    assert fills[4:] == [0.0, 0.0, 0.0, 0.0]
    assert not market.stands(ANN)


def test_an_amendment_takes_effect_in_the_next_batch_with_fresh_limits(market: Market) -> None:
    market.enter(ANN, Seal(Submission((bid(market, 10, limits=Limits(0, 40)),), standing=True)))
    market.enter(BOB, Seal(Submission((ask(market, 300),), standing=True)))
    assert bought(market.clear()) == 10.0
    market.enter(ANN, Seal(Submission((bid(market, 20, limits=Limits(0, 40)),), standing=True)))
    assert [bought(market.clear()) for _ in range(4)] == [10.0, 20.0, 20.0, 0.0]


def test_an_amendment_that_does_not_stand_changes_nothing(market: Market) -> None:
    market.enter(ANN, Seal(Submission((bid(market, 10),), standing=True)))
    market.enter(BOB, Seal(Submission((ask(market, 300),), standing=True)))
    market.clear()
    market.enter(ANN, Seal(Submission((bid(market, 20),))))
    assert [bought(market.clear()) for _ in range(2)] == [10.0, 10.0]


def test_cancelling_takes_a_standing_order_out_of_this_batch(market: Market) -> None:
    market.enter(ANN, Seal(Submission((bid(market, 10),), standing=True)))
    market.enter(BOB, Seal(Submission((ask(market, 300),), standing=True)))
    market.clear()
    market.enter(ANN, Cancel())
    assert bought(market.clear()) == 0.0
    assert not market.stands(ANN)
    assert market.stands(BOB)


def test_what_is_not_covered_is_void_and_ends_the_second_time(market: Market) -> None:
    market.enter(BOB, Seal(Submission((ask(market, 20_000),), standing=True)))
    first = market.clear()
    assert first.settlement.voids == {BOB: VoidReason.UNCOVERED}
    assert market.stands(BOB)
    assert market.clear().settlement.voids == {BOB: VoidReason.UNCOVERED}
    assert not market.stands(BOB)


def test_what_has_expired_ends(market: Market) -> None:
    market.enter(ANN, Seal(Submission((bid(market, 10),), valid_until=150, standing=True)))
    market.enter(BOB, Seal(Submission((ask(market, 300),), standing=True)))
    assert [bought(market.clear()) for _ in range(2)] == [10.0, 10.0]
    assert market.clear().settlement.voids == {ANN: VoidReason.EXPIRED}
    assert not market.stands(ANN)


def test_another_engine_finds_the_same_batch(market: Market) -> None:
    market.enter(ANN, Seal(Submission((bid(market, 100),))))
    market.enter(BOB, Seal(Submission((ask(market, 130),))))
    cleared = market.clear()
    again = clear_again(cleared, engine="clarabel")
    assert again.fills == cleared.settlement.fills
    assert abs(again.prices[0] - cleared.settlement.prices[0]) < 2**20  # of X84
