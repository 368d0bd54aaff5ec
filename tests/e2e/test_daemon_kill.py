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
from typing import Final

import pytest
from eth_utils.address import to_canonical_address

from tests.e2e.clearer import build
from tests.e2e.venue import SEED, Venue, buy, sell
from walras.chain.client import connect
from walras.chain.events import Event, KeyRegistered, KeyRevealed, Settled
from walras.chain.market import Market
from walras.operator.keys import BatchKeys

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
    build(market, plan.directory, keys, checkpoint=checkpoint, sleep=time.sleep).daemon.once()


def run(plan: Plan) -> int | None:
    """Exit code of a daemon process; negative is the signal that ended it."""
    process = FORK.Process(target=work, args=(plan,))
    process.start()
    process.join(PATIENCE)
    return process.exitcode


def happened(venue: Venue, kind: type[Event]) -> int:
    return len(venue.market.history([kind]))


def kill_at_every_step(venue: Venue, directory: Path, once_each: dict[type[Event], int]) -> int:
    """Kill a daemon at its first checkpoint, its second …, restart it, count what happened.

    Returns the number of checkpoints there are.
    """
    nonce = venue.operator.sender.nonce()
    before = {kind: happened(venue, kind) for kind in once_each}
    step = 0
    while True:
        step += 1
        snapshot = venue.node.snapshot()
        state = directory / str(step)
        state.mkdir()
        plan = Plan(venue.node.url, venue.market.address, state, kill_at=step)
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
            return step - 1


def lock_out(venue: Venue) -> None:
    """Keys of three batches and a crossed book in the first, ready for its key."""
    for batch in (1, 2, 3, 4):
        venue.operator.register_key(batch, *venue.keys.public(batch))
    venue.to_time(venue.schedule.start(1))
    venue.seal(venue.trader(), [buy(0, 20, 210), buy(1, 5, 60)], 1)
    venue.seal(venue.trader(), [sell(0, 30, 195), sell(1, 9, 45)], 1)
    venue.to_time(venue.schedule.boundaries(1).reveal_from)


def test_keys_are_registered_once(venue: Venue, tmp_path: Path) -> None:
    steps = kill_at_every_step(venue, tmp_path, {KeyRegistered: 3})
    assert steps == 3 * 5 + 2  # looked, decided, signed, sent, included; then nothing to do


def test_a_batch_is_revealed_and_settled_once(venue: Venue, tmp_path: Path) -> None:
    lock_out(venue)
    steps = kill_at_every_step(venue, tmp_path, {KeyRevealed: 1, Settled: 1})
    assert steps == 6 + 6 + 2  # as above, and the lock-out noted, and the book cleared


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
