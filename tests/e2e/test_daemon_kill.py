"""kill -9 between any two steps, then a restart: everything happens exactly once.

Daemons run in processes of their own, forked from a server that has everything imported.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from eth_utils.address import to_canonical_address

from tests.e2e.clearer import build, make_clearer
from tests.e2e.test_daemon_standing import SMALL, crowd, standing_pair
from tests.e2e.venue import SEED, Venue, buy, sell
from walras.chain.client import connect
from walras.chain.events import (
    Applied,
    Event,
    KeyRegistered,
    KeyRevealed,
    Opened,
    Restored,
    Settled,
    Verified,
    VoidClosed,
)
from walras.chain.market import Market
from walras.numbers import X44
from walras.operator.keys import BatchKeys
from walras.schedule import Phase

pytestmark = pytest.mark.chain

PATIENCE: Final = 60.0
FORK: Final = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["tests.e2e.test_daemon_kill"])


@dataclass(frozen=True)
class Plan:
    """Where a daemon process works, and the checkpoint (number or name) at which it dies."""

    url: str
    market: str
    directory: Path
    kill_at: int = 0
    kill_on: str = ""
    gas: int = 2**24
    keys_ahead: int = 3


def work(plan: Plan) -> None:
    """Do all that is due and leave the names of the checkpoints passed in a file."""
    market = Market(connect(plan.url), plan.market)
    passed: list[str] = []

    def checkpoint(name: str) -> None:
        passed.append(name)
        (plan.directory / "passed").write_text("\n".join(passed))
        if len(passed) == plan.kill_at or name == plan.kill_on:
            os.kill(os.getpid(), signal.SIGKILL)

    keys = BatchKeys(SEED, market.client.chain_id, to_canonical_address(market.address))
    clearer = build(
        market,
        plan.directory,
        keys,
        checkpoint=checkpoint,
        sleep=time.sleep,
        transaction_gas=plan.gas,
        keys_ahead=plan.keys_ahead,
    )
    clearer.daemon.once()


def run(plan: Plan) -> int | None:
    """Exit code of a daemon process; negative is the signal that ended it."""
    process = FORK.Process(target=work, args=(plan,))
    process.start()
    process.join(PATIENCE)
    return process.exitcode


def happened(venue: Venue, kind: type[Event]) -> int:
    return len(venue.market.history([kind]))


def kill_at_every_step(
    venue: Venue, directory: Path, once_each: dict[type[Event], int], **how: Any
) -> list[str]:
    """Kill a daemon at its first checkpoint, its second …, restart it, count what happened.

    `once_each` are events that have a transaction of their own. Returns the checkpoints there are.
    """
    nonce = venue.operator.sender.nonce()
    before = {kind: happened(venue, kind) for kind in once_each}
    step = 0
    while True:
        step += 1
        snapshot = venue.node.snapshot()
        state = directory / str(step)
        state.mkdir()
        plan = Plan(venue.node.url, venue.market.address, state, kill_at=step, **how)
        killed = run(plan)
        passed = (state / "passed").read_text().split()
        if killed == -signal.SIGKILL:
            assert len(passed) == step
            assert run(replace(plan, kill_at=0)) == 0
        else:
            assert killed == 0
        for kind, times in once_each.items():
            assert happened(venue, kind) - before[kind] == times, (kind, passed)
        assert venue.operator.sender.nonce() - nonce == sum(once_each.values()), passed
        venue.node.revert(snapshot)
        if killed == 0:
            return passed


def lock_out(venue: Venue) -> None:
    """Keys of three batches and a crossed book in the first, ready for its key."""
    for batch in (1, 2, 3, 4):
        venue.operator.register_key(batch, *venue.keys.public(batch))
    venue.to_time(venue.schedule.start(1))
    venue.seal(venue.trader(), [buy(0, 20, 210), buy(1, 5, 60)], 1)
    venue.seal(venue.trader(), [sell(0, 30, 195), sell(1, 9, 45)], 1)
    venue.to_time(venue.schedule.boundaries(1).reveal_from)


def test_keys_are_registered_once(venue: Venue, tmp_path: Path) -> None:
    passed = kill_at_every_step(venue, tmp_path, {KeyRegistered: 3})
    assert len(passed) == 3 * 5 + 2  # looked, decided, signed, sent, included; then nothing to do


def test_a_batch_is_revealed_and_settled_once(venue: Venue, tmp_path: Path) -> None:
    lock_out(venue)
    passed = kill_at_every_step(venue, tmp_path, {KeyRevealed: 1, Settled: 1})
    assert len(passed) == 6 + 6 + 2  # as above, and the lock-out noted, and the book cleared


@pytest.mark.slow
def test_a_settlement_in_chunks_is_verified_and_written_once(venue: Venue, tmp_path: Path) -> None:
    for batch in (1, 2, 3, 4):
        venue.operator.register_key(batch, *venue.keys.public(batch))
    crowd(venue, 3)
    once_each: dict[type[Event], int] = {KeyRevealed: 1, Verified: 3}
    passed = kill_at_every_step(venue, tmp_path, once_each, gas=SMALL)
    assert [passed.count(name) for name in ("chunked", "verified", "applied")] == [1, 3, 0]


@pytest.mark.slow
def test_chunks_that_only_record_are_applied_once(venue: Venue, tmp_path: Path) -> None:
    """The operator's window is over."""
    for batch in (1, 2, 3, 4):
        venue.operator.register_key(batch, *venue.keys.public(batch))
    crowd(venue, 3)
    venue.operator.reveal(1, venue.keys.secret(1))
    venue.advance(1, Phase.FALLBACK)
    once_each: dict[type[Event], int] = {Verified: 3, Applied: 3}
    passed = kill_at_every_step(venue, tmp_path, once_each, gas=SMALL)
    assert [passed.count(name) for name in ("chunked", "verified", "applied")] == [1, 3, 3]


@pytest.mark.slow
def test_what_is_written_ahead_of_a_void_batch_is_restored_once(
    venue: Venue, tmp_path: Path
) -> None:
    for batch in (1, 2, 3, 4):
        venue.operator.register_key(batch, *venue.keys.public(batch))
    crowd(venue, 3)
    (tmp_path / "first").mkdir()
    plan = Plan(venue.node.url, venue.market.address, tmp_path / "first", gas=SMALL)
    assert run(replace(plan, kill_on="verified")) == -signal.SIGKILL
    venue.advance(1, Phase.VOID)
    once_each: dict[type[Event], int] = {VoidClosed: 1, Restored: 1}
    passed = kill_at_every_step(venue, tmp_path, once_each, gas=SMALL)
    assert passed.count("restored") == 1


@pytest.mark.slow
def test_a_batch_of_those_who_stand_is_opened_once(venue: Venue, tmp_path: Path) -> None:
    """Opened, revealed and settled, killed between any two steps: the orders trade once."""
    clearer = make_clearer(venue, tmp_path / "before", keys_ahead=4)
    clearer.daemon.once()
    venue.to_time(venue.schedule.start(1))
    buyer = standing_pair(venue)
    venue.to_time(venue.schedule.boundaries(1).reveal_from)
    clearer.daemon.once()
    venue.to_time(venue.schedule.start(2))
    # the key of a further batch is due, too
    once_each: dict[type[Event], int] = {KeyRegistered: 1, Opened: 1}
    assert "decided" in kill_at_every_step(venue, tmp_path, once_each, keys_ahead=4)
    make_clearer(venue, tmp_path / "open", keys_ahead=4).daemon.once()
    venue.to_time(venue.schedule.boundaries(2).reveal_from)
    directory = tmp_path / "settling"
    directory.mkdir()
    kill_at_every_step(venue, directory, {KeyRevealed: 1, Settled: 1}, keys_ahead=4)
    make_clearer(venue, tmp_path / "last", keys_ahead=4).daemon.once()
    held = venue.market.account("0x" + buyer.hex()).lots[0]
    assert held == (1_000 + 80) * X44


def test_a_restart_waits_for_what_is_still_pending(venue: Venue, tmp_path: Path) -> None:
    lock_out(venue)
    plan = Plan(venue.node.url, venue.market.address, tmp_path)
    assert run(replace(plan, kill_on="cleared")) == -signal.SIGKILL
    venue.node.client.rpc("evm_setAutomine", False)
    try:
        assert run(replace(plan, kill_on="sent")) == -signal.SIGKILL
        (pending,) = venue.node.client.rpc("txpool_content")["pending"].values()
        process = FORK.Process(target=work, args=(plan,))
        process.start()
        time.sleep(1.0)
        venue.node.mine()
        process.join(PATIENCE)
        assert process.exitcode == 0
    finally:
        venue.node.client.rpc("evm_setAutomine", True)
    event = venue.market.settled_event(1)
    assert event is not None
    (sent,) = pending.values()
    assert event.transaction.hex() == sent["hash"].removeprefix("0x")
