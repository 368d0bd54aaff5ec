"""The loop asks a venue, whatever that is; and two venues can be compared to the last bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from tests.unit.simulate.paths import bars, flat
from walras.batch import AccountState
from walras.decoding import VoidReason
from walras.errors import ConfigError
from walras.numbers import X40, X44
from walras.simulate import Scenario, play, report, simulate
from walras.simulate.agents import Cancel, Endowment, Institution, Seal
from walras.simulate.compare import Compared, Difference, differences
from walras.simulate.desk import Desk
from walras.simulate.market import Cleared, Market
from walras.simulate.scenario import Institutions, Makers, Noises, Switchers
from walras.simulate.venue import Outcome, Totals

SMALL = Scenario(
    products=3,
    batches=8,
    index=0,
    makers=Makers(count=2, products=3),
    institutions=Institutions(count=2, notional=50_000.0),
    switchers=Switchers(count=1, budget=50_000.0),
    noise=Noises(count=5),
)
PLAYED = partial(simulate, SMALL, seed=3, bars=bars())
ANN, BOB = b"\x01" * 20, b"\x02" * 20


class Scripted:
    """A venue that is no market at all: it answers what it was given."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        self.outcomes = outcomes
        self.entered: list[tuple[bytes, Seal | Cancel | None]] = []
        self.accounts: dict[bytes, AccountState] = {}

    def __call__(self, desk: Desk, interval: float) -> Scripted:
        return self

    def deposit(self, endowments: Mapping[bytes, Endowment]) -> None:
        for address, endowment in endowments.items():
            self.accounts[address] = AccountState(address, *endowment.ledger, None, 0, b"")

    def enter(self, address: bytes, action: Seal | Cancel | None) -> None:
        self.entered.append((address, action))

    def stands(self, address: bytes) -> bool:
        return False

    def totals(self) -> Totals:
        return Totals(1, {})

    def clear(self) -> Outcome:
        return self.outcomes.pop(0)


def outcome(number: int, **changes: object) -> Outcome:
    empty = replace(Outcome.empty(number), seconds={"solve": 0.5, "send": 0.25})
    return replace(empty, **changes)  # type: ignore[arg-type]


def test_the_loop_takes_prices_voids_seconds_and_counts_from_any_venue() -> None:
    price = round(101.0 * 100) * (1 << 84)  # a cent a share is a cash unit a lot
    venue = Scripted(
        [
            outcome(1, prices={0: price}, volumes={0: 700 * X44}, loss=X40, figures={"gas": 7}),
            outcome(2, voids={ANN: VoidReason.EXPIRED}),
        ]
    )
    order = Institution("order", {0: 1}, 1, 1_000, 100, 2, 0.01)
    run = play([order], flat(2, (100.0,)), interval=60.0, venue=venue)
    assert run.prices[:, 0].tolist() == pytest.approx([100.0, 101.0, 101.0])
    assert run.volumes[:, 0].tolist() == [7.0, 0.0]
    assert run.voids == {"EXPIRED": 1}
    assert run.loss.tolist() == [1e-4, 0.0]
    assert run.seconds["send"].tolist() == [0.25, 0.25]
    assert run.figures["gas"].tolist() == [7, 0]
    assert run.conserved
    first, second = (action for _, action in venue.entered)
    assert first is None
    assert isinstance(second, Seal)
    # what it last paid is where the order begins
    assert second.submission.auths[0].first / X40 == pytest.approx(10_100 * 1.01, rel=1e-6)


def test_what_is_brought_is_whole_cash_units_and_lots() -> None:
    assert Endowment(1.00001, {0: 0.001, 1: 2.0, 2: 0.0}).ledger == (
        10_001 * X40,
        {0: X44, 1: 200 * X44},
    )


def test_two_agents_cannot_share_an_account() -> None:
    twins = [Institution("one", {0: 1}, 1, 10, 1, 1, 0.01) for _ in range(2)]
    with pytest.raises(ConfigError, match="two agents share the name and account 'one'"):
        play(twins, flat(1, (100.0,)), interval=60.0)


def test_a_batch_in_memory_is_told_as_its_settlement_has_it() -> None:
    seen: list[Cleared] = []
    PLAYED(venue=partial(Market, watch=seen.append))
    for one in seen:
        settlement = one.settlement
        assert (one.prices, one.volumes) == (settlement.prices, settlement.volumes)
        assert (one.fills, one.cash, one.rates) == (
            settlement.fills,
            settlement.cash,
            settlement.rates,
        )
        assert one.standing == set(settlement.standing)
        assert one.number == one.state.number
        assert list(one.submissions) == sorted(o.account.address for o in one.opened)
    assert [one.number for one in seen] == [*range(1, 9)]


def test_a_market_agrees_with_itself_and_the_first_venue_is_the_one_that_plays() -> None:
    compared = Compared(Market, Market)
    run, alone = PLAYED(venue=compared), PLAYED()
    assert (compared.batches, compared.differences) == (8, [])
    assert np.array_equal(run.prices, alone.prices)
    assert run.profits == alone.profits


class Liar(Market):
    """Tells of one price that is an ulp off, and keeps a fill to itself."""

    def clear(self) -> Cleared:
        true = super().clear()
        if true.number != 3:
            return true
        account = min(true.fills)
        return replace(
            true,
            prices={**true.prices, 1: true.prices[1] + 1},
            fills={a: fills for a, fills in true.fills.items() if a != account},
        )


def test_one_ulp_and_one_missing_fill_are_seen_and_later_batches_are_not_looked_at() -> None:
    compared = Compared(Liar, Market)
    PLAYED(venue=compared)
    price, fill = compared.differences
    assert (price.batch, price.what, price.of) == (3, "prices", 1)
    assert price.first == price.second + 1
    assert (fill.what, fill.first) == ("fills", None)
    assert fill.second


def test_everything_a_batch_comes_to_is_compared() -> None:
    one = outcome(4, prices={0: 1}, cash={ANN: 5})
    others = {
        "prices": {0: 2},
        "volumes": {0: 1},
        "references": {0: 1},
        "rates": {ANN: (1,)},
        "fills": {ANN: {0: 1}},
        "cash": {ANN: 5, BOB: 0},
        "voids": {ANN: VoidReason.RENT},
        "standing": frozenset({ANN}),
        "amended": frozenset({ANN}),
        "loss": 1,
        "freedom": 1,
    }
    for what, value in others.items():
        (found,) = differences(one, replace(one, **{what: value}))  # type: ignore[arg-type]
        assert (found.batch, found.what) == (4, what)
    assert [*differences(one, replace(one, seconds={}, figures={"gas": 1}))] == []
    (cash,) = differences(one, replace(one, cash={ANN: 5, BOB: 0}))
    assert cash == Difference(4, "cash", BOB, None, 0)


def test_only_a_day_with_counts_reports_a_chain() -> None:
    assert report(PLAYED()).chain == {}

    class Counting(Market):
        def clear(self) -> Cleared:
            gas = {"seal_gas": 100, "settle_gas": 1_000, "operator_gas": 10}
            chunks = 1 + self.number // 8
            return replace(super().clear(), figures={**gas, "seals": 2, "chunks": chunks})

    run = PLAYED(venue=Counting)
    chain = report(run).chain
    assert (chain["gas_median"], chain["gas_largest"], chain["gas"]) == (1_110, 1_110, 8 * 1_110)
    assert chain["seal_gas_per_seal"] == 50
    assert chain["settle_gas_per_account"] == 8_000 / run.live.sum()
    assert chain["settle_gas_per_auth"] == 8_000 / run.auths.sum()
    assert (chain["chunks_per_batch"], chain["chunks_largest"]) == (9 / 8, 2)
    assert chain["batches_per_minute"] > 60
    assert chain["solve_seconds_median"] == np.median(run.seconds["solve"])
