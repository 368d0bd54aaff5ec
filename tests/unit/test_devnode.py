"""Anvil as a child: it says why it does not start, and is gone however its program ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from walras.chain.devnode import start_anvil
from walras.errors import ConfigError

pytestmark = pytest.mark.chain

# a runner under nohup, or in the background, hands down signals that it ignores: not so a shell
PROGRAM = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from walras.chain.devnode import start_anvil
with start_anvil() as node:
    node.mine(3)
    print(node.pid, flush=True)
    time.sleep(60)
"""


def test_bad_argument__is_said_at_once_in_anvils_words() -> None:
    began = time.monotonic()
    with (
        pytest.raises(ConfigError, match=r"code 2: .*--no-such-thing"),
        start_anvil("--no-such-thing"),
    ):
        pass
    assert time.monotonic() - began < 10


def test_taken_port__is_refused__not_attached_to() -> None:
    with start_anvil() as node:
        port = int(node.url.rpartition(":")[2])
        with (
            pytest.raises(ConfigError, match=rf"port {port} cannot be had .*another node may run"),
            start_anvil(port=port),
        ):
            pass
        node.mine()  # it still runs
    with start_anvil(port=port) as again:
        assert again.url == node.url


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal__leaves_neither_process_nor_files(number: signal.Signals, tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        text=True,
    )
    with program:
        assert program.stdout is not None
        anvil = int(program.stdout.readline())
        assert list(tmp_path.iterdir())
        program.send_signal(number)
        assert program.wait(20) != 0
    assert not list(tmp_path.iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(anvil, 0)


def test_signals__are_as_before_once_it_stopped() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with start_anvil():
        pass
    assert signal.getsignal(signal.SIGTERM) is before
