"""Anvil as a child process: a private chain for tests, demos and benchmarks."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from walras.chain.client import Client, connect
from walras.errors import ConfigError, NodeUnreachable

__all__ = ["DevNode", "anvil_binary", "free_port", "start_anvil"]

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 5.0
_SHOWN: Final = 500  # characters of what Anvil printed
_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
_PACKAGE: Final = Path("node_modules/@foundry-rs")


@dataclass(frozen=True, slots=True)
class DevNode:
    """A running Anvil: its client, and the levers only a development chain has."""

    client: Client
    url: str
    pid: int

    def set_balance(self, address: str, wei: int) -> None:
        """Give an address this much native currency."""
        self.client.rpc("anvil_setBalance", address, hex(wei))

    def mine(self, blocks: int = 1) -> None:
        """Mine empty blocks now."""
        self.client.rpc("anvil_mine", hex(blocks))

    def warp(self, timestamp: int) -> None:
        """Mine one block at `timestamp`; time goes on from there."""
        self.client.rpc("evm_setNextBlockTimestamp", hex(timestamp))
        self.client.rpc("evm_mine")

    def snapshot(self) -> str:
        """An id to come back to with `revert`, once."""
        return str(self.client.rpc("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Return the chain to a snapshot."""
        self.client.rpc("evm_revert", snapshot)


def anvil_binary() -> str:
    """Anvil from the project's node_modules, or from PATH; ConfigError if neither has it."""
    roots = [Path.cwd(), *Path.cwd().parents, Path(__file__).parents[3]]
    for root in roots:
        for candidate in sorted((root / _PACKAGE).glob("anvil-*/bin/anvil")):
            if os.access(candidate, os.X_OK):
                return str(candidate)
    found = shutil.which("anvil")
    if found is None:
        raise ConfigError("anvil is not installed; run `npm ci` in the project or install Foundry")
    return found


def free_port() -> int:
    """A TCP port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def start_anvil(
    *arguments: str, port: int | None = None, log: Path | None = None
) -> Iterator[DevNode]:
    """Run Anvil on a free port until the block ends; `arguments` go to Anvil as they are.

    SIGTERM and SIGHUP, unless the program handles them itself, unwind the block as an error would:
    nothing is left behind. Raises ConfigError with Anvil's own words if it does not start, or if
    somebody listens on `port`: what answers there would be another node.
    """
    if port:
        _require_free(port)
    port = port or free_port()
    # Anvil keeps every block's state on disk and leaves it there: gigabytes after some tests.
    with (
        _signals_unwind(),
        tempfile.TemporaryDirectory(prefix="walras-anvil-", ignore_cleanup_errors=True) as own,
    ):
        said, states = log or Path(own) / "said", Path(own) / "states"
        options = ("--port", str(port), "--cache-path", str(states), "--silent")
        with said.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603
                [anvil_binary(), *options, *arguments], stdout=output, stderr=output
            )
        try:
            yield _ready(process, f"http://127.0.0.1:{port}", said)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        # a node that has just left may have connections that are not quite closed
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ConfigError(
                f"port {port} cannot be had ({error.strerror}): another node may run there; "
                "stop it, or take another port"
            ) from error


def _ready(process: subprocess.Popen[bytes], url: str, said: Path) -> DevNode:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ConfigError(f"anvil ended at once with code {process.returncode}: {_end(said)}")
        try:
            connect(url, timeout=1.0, retry_for=0.5)
            if process.poll() is None:  # else another node took the port meanwhile, and answered
                return DevNode(connect(url, timeout=60.0), url, process.pid)
        except NodeUnreachable:
            time.sleep(0.05)
    raise NodeUnreachable(
        f"anvil did not answer at {url} within {_START_SECONDS:.0f} s: {_end(said)}"
    )


def _end(said: Path) -> str:
    """The last of what Anvil printed, on one line."""
    text = " ".join(said.read_text(errors="replace").split())
    return text[-_SHOWN:] or "it printed nothing"


@contextmanager
def _signals_unwind() -> Iterator[None]:
    """Signals that would end the process on the spot raise SystemExit instead, once."""

    def unwind(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one must not cut the cleaning short
        sys.exit(128 + number)

    mine = threading.current_thread() is threading.main_thread()
    deadly = [n for n in _SIGNALS if mine and signal.getsignal(n) is signal.SIG_DFL]
    for number in deadly:
        signal.signal(number, unwind)
    try:
        yield
    finally:
        for number in deadly:
            signal.signal(number, signal.SIG_DFL)
