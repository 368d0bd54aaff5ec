"""`walras clearer run` as users run it: its own process, from the command line to SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.venue import OPERATOR_KEY, Venue, buy, sell
from walras.chain.accounts import Kdf, Keystore
from walras.chain.devnode import free_port
from walras.monitor import ask

pytestmark = pytest.mark.chain

PASSWORD = "open sesame"
PATIENCE = 90.0


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the clearer did not get there"
        time.sleep(0.1)


def told_by(command: list[str], seed: Path, port: int, environment: dict[str, str]) -> str:
    """What `walras clearer status` shows of a daemon that serves its health."""
    told = ask("127.0.0.1", port)
    assert told is not None
    assert (told["healthy"], told["batch"]) == (True, 1)
    status = [*command, "status", "--seed", str(seed), "--metrics-port", str(port)]
    return subprocess.run(
        status, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_a_process_clears_a_batch_refuses_a_second_and_stops(venue: Venue, tmp_path: Path) -> None:
    Keystore(tmp_path / "accounts", Kdf("pbkdf2", 2)).import_key("op", OPERATOR_KEY, PASSWORD)
    seed = tmp_path / "seed"
    command = [sys.executable, "-c", "from walras.cli import main; main()"]
    command += ["--rpc", venue.node.url, "--market", venue.market.address, "--account", "op"]
    command += ["--data-dir", str(tmp_path), "clearer"]
    run = [*command, "run", "--seed", str(seed), "--state-dir", str(tmp_path / "state")]
    port = free_port()
    run += ["--poll", "0.1", "--confirmations", "0", "--metrics-port", str(port)]
    environment = {**os.environ, "WALRAS_PASSWORD": PASSWORD}
    subprocess.run([*command, "new-seed", str(seed)], check=True, env=environment)

    log = tmp_path / "log"
    with log.open("w") as stream:
        daemon = subprocess.Popen(run, stderr=stream, env=environment)
        try:
            wait_for(lambda: any(venue.market.read_all([("keyHash", 3)])[0]))
            second = subprocess.run(
                run, env=environment, capture_output=True, text=True, check=False
            )
            assert second.returncode == 1
            assert f"process {daemon.pid}" in second.stderr

            venue.to_time(venue.schedule.start(1))
            venue.seal(venue.trader(), [buy(0, 20, 210)], 1)
            venue.seal(venue.trader(), [sell(0, 30, 195)], 1)
            venue.to_time(venue.schedule.boundaries(1).reveal_from)
            wait_for(lambda: venue.market.settled_event(1))
            wait_for(lambda: '"event": "settled"' in log.read_text())
            assert "healthy, last step" in told_by(command, seed, port, environment)
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(PATIENCE) == 0
        finally:
            daemon.kill()
            daemon.wait()

    text = log.read_text()
    entries = [json.loads(line) for line in text.splitlines()]
    events = [entry["event"] for entry in entries]
    assert events[0] == "started"
    assert events[-1] == "stopped"
    assert events.count("settled") == 1
    for secret in (seed.read_text().strip(), PASSWORD, OPERATOR_KEY.removeprefix("0x")):
        assert secret not in text
