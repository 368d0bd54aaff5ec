"""Sequences that once broke the contract, and one through its rarest corners."""

from __future__ import annotations

import pytest

from tests.reference import phases
from tests.stateful.books import ALL, CASH, X40
from tests.stateful.machine import MarketMachine
from tests.stateful.setting import ADDRESSES
from walras.auths import Auth, Leg, Step, Submission

pytestmark = pytest.mark.chain

BUY = Submission((Auth((Leg(0, 1),), 102 * X40, 0, (Step(10, 0),), ()),))
SELL = Submission((Auth((Leg(0, 1),), 98 * X40, 0, (), (Step(10, 0),)),))
OPEN = {"funded": True, "keys": 4, "rich": True, "early": False}


def outcomes(state: MarketMachine, name: str) -> dict[str, int]:
    """A copy of the counts so far of a call."""
    return dict(state.world.tally.outcomes(name))


def refused(state: MarketMachine, before: dict[str, int], name: str) -> set[str]:
    """Outcomes of a call since `before`."""
    now = state.world.tally.outcomes(name)
    return {outcome for outcome, count in now.items() if count > before.get(outcome, 0)}


def test_nobody_settles_an_empty_batch_over_an_unclosed_void(machine: MarketMachine) -> None:
    state, before = machine, outcomes(machine, "settle")
    state.open_market(**OPEN)
    state.crowd(orders={"ann": BUY, "bob": SELL}, slack=0, short=0)
    state.wait_for(edge="deadline", by=0)
    state.wait_for(edge="start", by=0)
    state.wait_for(edge="revealFrom", by=0)
    state.reveal(who="operator", back=0, how="good")
    state.settle(who="operator", lies=[], back=0)
    state.the_contract_is_the_ghost()
    assert refused(state, before, "settle") == {"NothingToSettle"}
    assert state.world.ghost.phase(1) == phases.VOID
    state.close_void(who="cat", back=0)
    state.the_contract_is_the_ghost()
    assert state.world.ghost.bond == 0


def test_no_seal_without_a_bond_after_everybody_cancelled(machine: MarketMachine) -> None:
    state, before = machine, outcomes(machine, "seal")
    state.open_market(**OPEN)
    state.seal_garbage(who="ann", ct=b"?" * 70, units=10)
    state.cancel(pick=0)
    state.draw_bond(who="operator", share=ALL, extra=0, to="operator")
    state.the_contract_is_the_ghost()
    state.seal_garbage(who="bob", ct=b"?" * 70, units=10)
    assert refused(state, before, "seal") == {"ok", "BondShort"}


def test_a_home_is_kept_though_nothing_traded(machine: MarketMachine) -> None:
    """Product 0 is bid for far from its price; product 1 comes later."""
    state = machine
    state.open_market(**{**OPEN, "rich": False})
    low = Submission((Auth((Leg(0, 1),), X40, 0, (Step(1, 0),), ()),))
    state.trade(
        orders={"ann": low, "bob": SELL},
        slack=0,
        short=0,
        garbage=b"",
        last="settled",
        lies=[],
    )
    state.the_contract_is_the_ghost()
    ann = state.world.ghost.holder(ADDRESSES["ann"])
    assert ann.home == 0
    assert not any(ann.lots.values())
    state.wait_for(edge="start", by=0)
    state.deposit(who="ann", asset=1, count=7, extra=0)
    state.the_contract_is_the_ghost()


def test_the_fees_of_a_batch_that_everybody_left_are_burnt(machine: MarketMachine) -> None:
    state = machine
    state.open_market(**OPEN)
    state.seal_garbage(who="ann", ct=b"?" * 70, units=10)
    state.cancel(pick=0)
    pot = state.world.ghost.round.pot
    state.begin_a_batch(ready=True)
    state.seal_garbage(who="bob", ct=b"?" * 70, units=10)
    state.the_contract_is_the_ghost()
    assert state.world.ghost.burnt == pot > 0


def test_rare_corners(machine: MarketMachine) -> None:
    """A leak before anybody sealed, one with people in it, a reset that leaves the house short."""
    state = machine
    state.open_market(**OPEN)
    state.report_leak(who="cat", ahead=1, how="good")
    state.refill()
    state.crowd(orders={"ann": BUY, "bob": SELL}, slack=0, short=0)
    state.report_leak(who="cat", ahead=0, how="good")
    state.the_contract_is_the_ghost()
    state.compensate(who="dan", owner="ann")
    state.begin_a_batch(ready=True)
    state.seal_garbage(who="cat", ct=b"?" * 70, units=10)
    state.drift(product=0, halvings=2)
    state.reset_scale(who="dan", product=0, drifted=True)
    state.the_contract_is_the_ghost()
    assert state.world.ghost.short_houses == 1
    state.fund_house(who="ann", asset=0, count=3_000, extra=0)
    state.begin_a_batch(ready=True)
    state.draw_house(who="operator", asset=0, share=8, extra=0, to="ann")
    state.withdraw(who="bob", asset=CASH, share=ALL, extra=0, to="bob")
    state.the_contract_is_the_ghost()
