"""Commands of the operator's account beside its clearer: neither loses or repeats anything."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.clearer import make_clearer
from tests.e2e.test_daemon_process import PASSWORD, PATIENCE, wait_for
from tests.e2e.venue import CASH_UNIT, OPERATOR_KEY, QUICK, Venue, buy, sell
from walras.batch import CASH
from walras.chain.accounts import Kdf, Keystore
from walras.chain.events import Deposited, KeyRegistered, KeyRevealed, Settled
from walras.chain.outbox import Outbox
from walras.chain.sender import Sender
from walras.cli.app import run as walras
from walras.operator.daemon import Halted
from walras.operator.decide import Reveal, Settle

pytestmark = pytest.mark.chain


def command(venue: Venue, path: Path) -> Sender:
    """What a command of the operator's account sends with."""
    return Sender(venue.node.client, venue.signer(), QUICK, outbox=Outbox(path))


def counts(venue: Venue) -> tuple[int, int, int]:
    kinds = (KeyRevealed, Settled, Deposited)
    mine = [
        e
        for e in venue.market.history(kinds)
        if getattr(e, "account", venue.operator.sender.address) == venue.operator.sender.address
    ]
    found = [sum(isinstance(e, kind) for e in mine) for kind in kinds]
    return found[0], found[1], found[2]


def sealed(venue: Venue) -> None:
    venue.to_time(venue.schedule.start(1))
    venue.seal(venue.trader(), [buy(0, 20, 210)], 1)
    venue.seal(venue.trader(), [sell(0, 30, 195)], 1)
    venue.to_time(venue.schedule.boundaries(1).reveal_from)


@contextmanager
def blocks_wait(venue: Venue) -> Iterator[None]:
    """Nothing is mined by itself."""
    venue.node.client.rpc("evm_setAutomine", False)
    try:
        yield
    finally:
        venue.node.client.rpc("evm_setAutomine", True)


def test_a_command_between_two_looks__is_no_other_process(venue: Venue, tmp_path: Path) -> None:
    path = tmp_path / "sent"
    clearer = make_clearer(venue, tmp_path, outbox=Outbox(path, clearer=True))
    clearer.daemon.once()
    sealed(venue)
    trader = venue.market.bind(command(venue, path))
    trader.deposit(CASH, CASH_UNIT)
    assert clearer.daemon.step() == Reveal(1)
    trader.deposit(CASH, CASH_UNIT)
    assert Settle(1) in clearer.daemon.once()
    assert clearer.log.events().count("beside") == 2
    assert counts(venue) == (1, 1, 2)
    venue.operator.deposit(CASH, CASH_UNIT)  # the same key, but nothing noted
    with pytest.raises(Halted, match="another process sends from"):
        clearer.daemon.once()


def test_a_clearer_that_cannot_wait__outbids_a_command_which_then_signs_again(
    venue: Venue, tmp_path: Path
) -> None:
    """The command's transaction is pending with the nonce that the reveal needs."""
    path, node = tmp_path / "sent", venue.node.client
    clearer = make_clearer(venue, tmp_path, outbox=Outbox(path, clearer=True), sleep=time.sleep)
    clearer.daemon.once()
    sealed(venue)
    trader = venue.market.bind(command(venue, path))
    trader.deposit(CASH, CASH_UNIT)  # with its approval
    nonce = venue.operator.sender.nonce()
    with blocks_wait(venue), ThreadPoolExecutor() as pool:
        deposit = pool.submit(trader.withdraw, CASH, CASH_UNIT)
        wait_for(lambda: node.rpc("eth_getBlockByNumber", "pending", False)["transactions"])
        reveal = pool.submit(clearer.daemon.step)
        wait_for(lambda: "signed" in clearer.log.events()[-1:])
        time.sleep(0.2)
        for _ in range(100):
            node.rpc("evm_mine")
            time.sleep(0.1)
            if deposit.done() and reveal.done():
                break
        assert reveal.result() == Reveal(1)
        assert deposit.result().succeeded
    assert venue.operator.sender.nonce() == nonce + 2
    assert Settle(1) in clearer.daemon.once()
    assert counts(venue) == (1, 1, 1)


def test_a_clearer_whose_nonce_a_command_got__signs_again_and_acts_once(
    venue: Venue, tmp_path: Path
) -> None:
    """Killed after signing, before sending: the command has the nonce when it comes back."""
    path = tmp_path / "sent"

    def dies(step: str) -> None:
        if step == "signed":
            raise KeyboardInterrupt

    make_clearer(venue, tmp_path).daemon.once()
    sealed(venue)
    with pytest.raises(KeyboardInterrupt):
        make_clearer(
            venue, tmp_path, checkpoint=dies, outbox=Outbox(path, clearer=True)
        ).daemon.step()
    venue.market.bind(command(venue, path)).deposit(CASH, CASH_UNIT)
    clearer = make_clearer(venue, tmp_path, outbox=Outbox(path, clearer=True))
    assert clearer.daemon.once()[:2] == [Reveal(1), Settle(1)]
    assert counts(venue) == (1, 1, 1)


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own, told to stop at the end."""
    with log.open("w") as stream:
        process = subprocess.Popen(command, stderr=stream, env=dict(os.environ))
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            process.wait()


@contextmanager
def a_block_a_second(venue: Venue) -> Iterator[None]:
    venue.node.client.rpc("evm_setIntervalMining", 1)
    try:
        yield
    finally:
        venue.node.client.rpc("evm_setIntervalMining", 0)
        venue.node.client.rpc("evm_setAutomine", True)


def test_a_process_and_many_commands(
    venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clearer at work, and its account's owner who cannot keep still: each acts just once."""
    Keystore(tmp_path / "accounts", Kdf("pbkdf2", 2)).import_key("op", OPERATOR_KEY, PASSWORD)
    monkeypatch.setenv("WALRAS_PASSWORD", PASSWORD)
    seed, log = tmp_path / "seed", tmp_path / "log"
    options = ["--rpc", venue.node.url, "--market", venue.market.address, "--account", "op"]
    options += ["--data-dir", str(tmp_path)]
    assert walras([*options, "clearer", "new-seed", str(seed)]) == 0
    run = [sys.executable, "-c", "from walras.cli import main; main()", *options, "clearer", "run"]
    run += ["--seed", str(seed), "--state-dir", str(tmp_path / "state")]
    first, done = venue.operator.sender.nonce(), 0

    def deposit() -> int:
        assert walras([*options, "deposit", "cash", "0.01"]) == 0
        return 1

    with running([*run, "--poll", "0.1", "--confirmations", "0"], log) as daemon:
        with a_block_a_second(venue):
            while not any(venue.market.read_all([("keyHash", 3)])[0]):
                done += deposit()
        sealed(venue)
        with a_block_a_second(venue):
            while venue.market.settled_event(1) is None:
                assert daemon.poll() is None, log.read_text()[-2_000:]
                done += deposit()
            assert walras([*options, "claim"]) == 0
            wait_for(lambda: '"event": "settled"' in log.read_text())
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert (events.count("settled"), events.count("halted")) == (1, 0)
    assert counts(venue) == (1, 1, done)
    assert done > 2
    keys = len(venue.market.history([KeyRegistered]))
    others = 3  # the reveal, the settlement, the claim; each deposit is approved first
    assert venue.operator.sender.nonce() - first == keys + 2 * done + others
