"""The operator's clearer in a process of its own, watched through the chain."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from scripts._demo.market import OPERATOR_KEY
from scripts._demo.wallet import CommandFailed, Wallet

__all__ = ["AUCTION", "Clearer", "running_clearer"]

# A little auction whose solution makes the machine compile the solver, the first time it sees it.
AUCTION: Final = {
    "demand_curves": {
        "buy": [{"rate": 0, "price": 11}, {"rate": 5, "price": 9}],
        "sell": [{"rate": -5, "price": 11}, {"rate": 0, "price": 9}],
    },
    "portfolios": {
        "one": {"demand": "buy", "basis": {"a": 1}},
        "two": {"demand": "sell", "basis": {"a": 1, "b": 1}},
    },
}

_PATIENCE: Final = 300.0
_STOP_SECONDS: Final = 10.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Clearer:
    """The running daemon and its log."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait_for(self, sight: Callable[[], T | None]) -> T:
        """Look until there is something to see; CommandFailed if the clearer gives up first."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            seen = sight()
            if seen:
                return seen
            if self.process.poll() is not None:
                raise CommandFailed(
                    f"the clearer stopped with exit code {self.process.returncode}; its log "
                    f"{self.log} ends: {self._last_words()}"
                )
            time.sleep(0.05)
        raise CommandFailed(f"the clearer did nothing for {_PATIENCE:.0f} s; see {self.log}")

    def _last_words(self) -> str:
        return " | ".join(self.log.read_text().splitlines()[-3:])


@contextmanager
def running_clearer(wallet: Wallet, log: Path) -> Iterator[Clearer]:
    """`walras clearer run` with the operator's account and a new seed, until the block ends."""
    seed, key = wallet.data_dir / "seed", wallet.data_dir / "operator.key"
    wallet.here("clearer", "new-seed", str(seed))
    key.write_text(OPERATOR_KEY)
    wallet.here("account", "import", "operator", "--key-file", str(key), "--light")
    words = ["clearer", "run", "--seed", str(seed), "--poll", "0.1"]
    words += ["--state-dir", str(wallet.data_dir / "state")]
    command = wallet.command(*words, account="operator")
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        yield Clearer(process, log)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
