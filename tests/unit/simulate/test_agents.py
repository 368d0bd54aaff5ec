from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from tests.unit.simulate.paths import flat
from walras.auths import cover
from walras.batch import AccountState
from walras.numbers import MAX_UNITS, X40, X44
from walras.simulate import play
from walras.simulate.agents import (
    Arbitrageur,
    Maker,
    PairMaker,
    Quoting,
    Switcher,
    View,
    address_of,
    dice_of,
)
from walras.simulate.desk import Desk
from walras.simulate.market import Cleared, Market

PRICES = np.array([100.0, 50.0])
QUOTING = Quoting(size=10_000.0, error=0.0, follow=0.0)


def view(batch: int = 1) -> View:
    return View(batch, PRICES, PRICES, Desk(("A", "B"), (100.0, 50.0)))


def account(*lots: int) -> AccountState:
    held = {k: count * X44 for k, count in enumerate(lots)}
    return AccountState(b"\x01" * 20, 10**9 * 10_000 * X40, held, 0, MAX_UNITS, b"")


def test_a_maker_quotes_both_sides_of_its_view_and_sells_no_more_than_it_has() -> None:
    maker = Maker("m", (0,), QUOTING, dice_of(0, "m"))
    shares = maker.endowment(view()).shares[0]
    rich, poor, none = (maker.act(view(), account(lots)) for lots in (round(shares * 100), 101, 0))
    assert rich is not None
    assert poor is not None
    assert none is not None
    (auth,) = rich.submission.auths
    assert (auth.buy_rate, auth.sell_rate) == (10_000, 10_000)
    assert auth.bid / X40 / 10_000 == pytest.approx(0.9998)
    assert auth.ask / X40 / 10_000 == pytest.approx(1.0002)
    assert poor.submission.auths[0].sell_rate == 100
    assert none.submission.auths[0].sell == ()


def test_a_maker_leans_against_its_inventory() -> None:
    maker = Maker("m", (0,), QUOTING, dice_of(0, "m"))
    shares = maker.endowment(view()).shares[0]
    more = maker.act(view(), account(round(shares * 100) + 10_000))
    assert more
    assert more.submission.auths[0].bid / X40 / 10_000 == pytest.approx(0.9996)


def test_a_pair_maker_can_deliver_either_side() -> None:
    maker = PairMaker("p", {0: 10, 1: -20}, QUOTING, dice_of(0, "p"))
    held = account(200, 90)
    seal = maker.act(view(), held)
    assert seal
    (auth,) = seal.submission.auths
    assert (auth.buy_rate, auth.sell_rate) == (4, 20)
    assert all(lots <= held.lots[k] for k, lots in cover(seal.submission).lots.items())
    assert maker.act(view(), account(0, 0)) is None


def test_an_arbitrageur_seals_once_and_for_ever() -> None:
    agent = Arbitrageur("a", {0: 10, 1: -20}, 20_000.0, 1e-4)
    seal = agent.act(view(1), account(0, 0))
    assert seal
    assert seal.submission.standing
    (auth,) = seal.submission.auths
    assert auth.bid == -auth.ask < 0
    assert auth.buy_rate == 1_000
    assert agent.act(view(2), account(0, 0)) is None


def test_a_switcher_buys_what_became_cheaper_and_no_more_than_its_rate() -> None:
    world = flat(12, (100.0, 100.0))
    world.values[7:, 1] = 99.0
    makers = [
        Maker(f"m{k}", (k,), Quoting(size=1e6, error=0.0, follow=0.0, skew=0.0), dice_of(0, "m"))
        for k in (0, 1)
    ]
    agent = Switcher("s", (0, 1), budget=1e6, rate=10_000.0, start=2, patience=0.006)
    seen: list[tuple[float, float]] = []

    def watch(cleared: Cleared) -> None:
        rates = cleared.settlement.rates.get(address_of("s"), (0, 0))
        seen.append((rates[0] / X44, rates[1] / X44))

    play([*makers, agent], world, interval=60.0, venue=partial(Market, watch=watch))
    assert seen[0] == (0.0, 0.0)
    before, after = seen[4], seen[-1]
    assert before[0] == pytest.approx(before[1], rel=0.01)
    assert before[0] > 1_000
    assert after[0] < 0.1 * before[0]
    assert after[1] > 1.2 * before[1]
    assert all(sum(rates) <= 10_000 + 1e-6 for rates in seen)
