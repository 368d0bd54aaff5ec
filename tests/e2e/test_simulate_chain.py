"""A small day on a real Anvil is the day in memory, bit for bit, and the contract's ledgers too."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from eth_utils.address import to_checksum_address

from tests.unit.simulate.paths import bars
from walras.auths import Limits, Submission
from walras.batch import CASH, AccountState
from walras.chain.crowd import CROWDED, Crowd, Sent
from walras.chain.devnode import DevNode, start_anvil
from walras.chain.interface import call
from walras.cli.app import run as walras
from walras.effects import with_siblings
from walras.errors import Reverted
from walras.numbers import X40
from walras.simulate import Run, Scenario, play
from walras.simulate.agents import Agent, Cancel, Endowment, Seal, View, address_of
from walras.simulate.cast import agents_of, index_legs, with_index
from walras.simulate.compare import Compared
from walras.simulate.desk import Desk, Side
from walras.simulate.market import Cleared, Market
from walras.simulate.onchain import ChainMarket
from walras.simulate.onchain.opening import operator_of
from walras.simulate.prices import Fundamentals, value_paths
from walras.simulate.scenario import Institutions, Makers, Noises, Pairs, Switchers

BATCHES = 14
SMALL = Scenario(
    products=4,
    batches=BATCHES,
    index=2,
    makers=Makers(count=2, products=3),
    pairs=Pairs(count=1),
    institutions=Institutions(count=3, notional=60_000.0),
    switchers=Switchers(count=1, budget=50_000.0),
    noise=Noises(count=6),
)


@dataclass
class Scripted:
    """Sells a stock, by a script of what it does in which batch."""

    name: str
    script: dict[int, Callable[[Desk], Seal | Cancel]]
    kind: str = "tester"

    def endowment(self, view: View) -> Endowment:
        return Endowment(1_234.56789, {1: 100.0})

    def act(self, view: View, account: AccountState) -> Seal | Cancel | None:
        step = self.script.get(view.batch)
        return step(view.desk) if step else None


def order(
    lots: int, *, standing: bool = True, limits: Limits | None = None, until: int = 0
) -> Callable[[Desk], Seal]:
    def sealed(desk: Desk) -> Seal:
        auth = desk.auth({1: 1}, sell=Side(0.4, ((lots, 0.001),)), limits=limits)
        return Seal(Submission((auth,), valid_until=until, standing=standing))

    return sealed


def cancelled(_desk: Desk) -> Cancel:
    return Cancel()


def scripted() -> list[Agent]:
    """Every path a submission can take: amended well and badly, cancelled, expired, void, ended."""
    return [
        Scripted("amends", {2: order(10, limits=Limits(900, 0)), 5: order(30)}),
        Scripted("amends in vain", {2: order(10), 5: order(20, standing=False)}),
        Scripted("cancels", {2: order(10), 6: cancelled, 9: order(15)}),
        Scripted("cancels at once", {4: order(10), 5: cancelled}),
        Scripted("expires", {3: order(10, until=6 * 60)}),
        Scripted("sells too much", {3: order(20_000)}),
        Scripted("completes", {3: order(30, limits=Limits(100, 0))}),
        Scripted("nothing to cancel", {3: cancelled}),
    ]


def world() -> Fundamentals:
    stocks = value_paths(bars(), SMALL.stocks, BATCHES, 60.0, np.random.default_rng(5))
    return with_index(stocks, index_legs(SMALL, stocks.values[0]))


def agents() -> list[Agent]:
    return [*agents_of(SMALL, world().values[0], 5), *scripted()]


@dataclass
class Day:
    """The same day twice."""

    chain: ChainMarket
    run: Run
    memory: Market
    plain: Run
    compared: Compared


@pytest.fixture(scope="module")
def crowded() -> Iterator[DevNode]:
    with start_anvil(*CROWDED) as node:
        yield node


@pytest.fixture(scope="module")
def day(crowded: DevNode, tmp_path_factory: pytest.TempPathFactory) -> Day:
    opened: list[Any] = []

    def keeping(opening: Callable[..., Any]) -> Callable[[Desk, float], Any]:
        def opens(desk: Desk, interval: float) -> Any:
            opened.append(opening(desk, interval))
            return opened[-1]

        return opens

    directory = tmp_path_factory.mktemp("operator")
    chain = keeping(partial(ChainMarket, node=crowded, directory=directory))
    compared = Compared(chain, Market)
    run = play(agents(), world(), interval=60.0, venue=compared)
    plain = play(agents(), world(), interval=60.0, venue=keeping(Market))
    return Day(opened[0], run, opened[1], plain, compared)


@pytest.mark.chain
def test_the_day_on_the_chain_is_the_day_in_memory_bit_for_bit(day: Day) -> None:
    assert (day.compared.batches, day.compared.differences) == (BATCHES, [])
    for name in ("prices", "volumes", "surplus", "loss", "freedom", "live", "auths"):
        assert np.array_equal(getattr(day.run, name), getattr(day.plain, name)), name
    assert day.run.executions == day.plain.executions
    assert day.run.voids == day.plain.voids
    assert day.run.volumes.sum() > 0


@pytest.mark.chain
def test_every_path_of_a_submission_was_taken(day: Day) -> None:
    assert day.run.voids == {"EXPIRED": 1, "UNCOVERED": 2}
    assert any(e.name == "completes" and e.complete for e in day.run.executions)
    standing = {name for name in day.run.kinds if day.chain.stands(address_of(name))}
    assert standing >= {"amends", "amends in vain", "cancels"}
    assert not standing & {"cancels at once", "expires", "sells too much", "completes"}


@pytest.mark.chain
def test_the_contract_holds_what_the_day_in_memory_leaves(day: Day) -> None:
    market = day.chain.market
    for address, account in day.memory.accounts.items():
        owner = to_checksum_address(address)
        held = market.read_all([("balanceOf", owner, k) for k in range(SMALL.products)])
        assert held == [account.lots.get(k, 0) for k in range(SMALL.products)]
        (cash,) = market.read_all([("balanceOf", owner, CASH)])
        # one cash unit more to pay fees from, of which next to nothing went
        assert account.cash + X40 - X40 // 1_000 < cash <= account.cash + X40
    references = [p.state.reference for p in market.view().products]
    assert references == [p.reference for p in day.memory.products.values()]


@pytest.mark.chain
def test_nothing_is_made_or_lost_fees_and_bond_included(day: Day) -> None:
    assert day.run.conserved
    assert day.run.after == day.chain.totals()
    assert day.run.before is not None
    view = day.chain.market.view()
    assert day.run.before.cash == view.cash.custody
    assert list(day.run.before.lots.values()) == [p.asset.custody for p in view.products]


@pytest.mark.chain
def test_a_day_on_a_chain_counts_gas_and_time(day: Day) -> None:
    figures = day.run.figures
    assert figures["chunks"].tolist() == [1] * BATCHES
    assert (figures["seal_gas"] >= 40_000 * figures["seals"]).all()
    assert (figures["settle_gas"] > 15_000 * day.run.live).all()
    assert (figures["operator_gas"] > 50_000).all()
    assert day.run.seconds.keys() == {"operate", "seal", "read", "solve"}
    assert all((seconds >= 0).all() for seconds in day.run.seconds.values())


@pytest.mark.chain
def test_batches_in_chunks_and_empty_batches_are_the_same_too(
    crowded: DevNode, tmp_path: Path
) -> None:
    clearer = {"transaction_gas": 350_000}
    chain = partial(ChainMarket, node=crowded, directory=tmp_path, clearer=clearer)
    seen: list[Cleared] = []
    compared = Compared(chain, partial(Market, watch=seen.append))
    short = world()
    short = replace(short, values=short.values[:7])

    class Late:
        """Nobody acts in the first two batches."""

        def __init__(self, agent: Agent) -> None:
            self.name, self.kind, self.endowment = agent.name, agent.kind, agent.endowment
            self._act = agent.act

        def act(self, view: View, account: AccountState) -> Seal | Cancel | None:
            return (
                self._act(replace(view, batch=view.batch - 2), account) if view.batch > 2 else None
            )

    run = play([Late(agent) for agent in agents()], short, interval=60.0, venue=compared)
    assert (compared.batches, compared.differences) == (6, [])
    assert run.figures["chunks"][:2].tolist() == [0, 0]
    assert run.figures["chunks"].max() > 1
    assert run.live[:2].tolist() == [0, 0]
    assert run.conserved
    # an effect carries the home ledger, also of who trades nothing near it
    away = [o for c in seen for o in c.opened if o.home not in with_siblings(o.products)]
    assert away


@pytest.mark.chain
def test_a_crowd_says_why_a_transaction_failed(crowded: DevNode, day: Day) -> None:
    crowd, market = Crowd(crowded), day.chain.market.address
    nobody = bytes(19) + b"\x77"
    crowd.join([nobody])
    with pytest.raises(Reverted, match="NotLive"):
        crowd.send([Sent(nobody, market, call("Walras", market, "cancel").data)])
    # the chain mines by itself again
    operator_of(crowded).send(market, call("Walras", market, "claimable", market).data)


# ------------------------------------------------------------------------------- the command


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    prices = tmp_path / "days.csv"
    with prices.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("symbol", "date", "open", "high", "low", "close"))
        for symbol, days in bars().items():
            writer.writerows((symbol, d.date, d.open, d.high, d.low, d.close) for d in days)
    words = ["simulate", "--agents", "thin", "--prices", str(prices), "--products", "3"]
    return [*words, "--batches", "4", "--seed", "2"]


def printed(capsys: pytest.CaptureFixture[str], words: Sequence[str]) -> tuple[int, Any]:
    code = walras([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.chain
def test_the_command_says_the_same_with_a_chain_and_what_that_cost(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, chain = printed(capsys, [*arguments, "--chain", "--out", str(out)])
    assert code == 0
    assert (chain["compared"], chain["differences"]) == (4, [])
    _, memory = printed(capsys, arguments)
    for name in ("costs", "moves", "voids", "batches", "conserved"):
        assert chain[name] == memory[name], name
    for kind, found in memory["kinds"].items():  # fees are billionths of a cent
        assert chain["kinds"][kind] == pytest.approx(found, abs=1e-6)
    assert memory["chain"] == {}
    assert chain["chain"]["settle_gas_per_account"] > 15_000
    assert (out / "chain.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((out / "report.json").read_text("utf-8"))["chain"] == chain["chain"]


@pytest.mark.chain
def test_a_difference_is_loud(
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clear = Market.clear

    def lies(self: Market) -> Cleared:
        true = clear(self)
        return replace(true, prices={k: price + 1 for k, price in true.prices.items()})

    monkeypatch.setattr(Market, "clear", lies)
    assert walras([*arguments, "--chain"]) == 1
    shown = capsys.readouterr().out
    assert "THE CHAIN DIFFERS FROM THE SIMULATION in batch 1" in shown
    assert "prices of A: " in shown
    assert "gas an account" in shown
