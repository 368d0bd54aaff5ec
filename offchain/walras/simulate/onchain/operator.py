"""The operator's daemon in this process: what it spends is heard, what it says is kept."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from eth_utils.address import to_canonical_address

from walras.chain.market import Market
from walras.chain.sender import Sender
from walras.clearing.problem import solve_batch
from walras.operator.daemon import Daemon
from walras.operator.keys import BatchKeys
from walras.operator.meter import Meter
from walras.operator.settings import ClearerSettings
from walras.operator.surroundings import Surroundings
from walras.store import Journal

__all__ = ["Gauge", "Operator"]

_SEED: Final = b"an operator's seed for simulations only"


class Gauge(Meter):
    """What a daemon spent since ``reset``: gas and transactions by action, seconds by stage."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin to count anew."""
        self.gas: Counter[str] = Counter()
        self.transactions: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}

    def cleared(self, seconds: Mapping[str, float], accounts: int, voids: int) -> None:  # noqa: ARG002
        """Prices of a batch were found."""
        self.seconds.update(seconds)

    def used(self, action: str, gas: int) -> None:
        """A transaction was included."""
        self.gas[action] += gas
        self.transactions[action] += 1


class _Silence:
    """A log that nobody reads: what goes wrong, the daemon raises."""

    def info(self, event: str, **values: Any) -> None:
        """Nothing."""

    warning = error = info


class Operator:
    """Registers keys, opens batches, reveals and settles one market; its journal is in a directory.

    ``engine`` names the solver; ``changed`` are settings of the clearer.
    """

    def __init__(
        self, market: Market, sender: Sender, directory: Path, engine: str, **changed: Any
    ) -> None:
        self.gauge = Gauge()
        client = market.client
        keys = BatchKeys(_SEED, client.chain_id, to_canonical_address(market.address))
        # Not from the environment: that is the real clearer's, and names its journal.
        usual: dict[str, Any] = {"state_dir": directory, "poll": 0.01, "confirmations": 0}
        settings = ClearerSettings.model_construct(**(usual | changed))
        journal = Journal(settings.database_url(), client.chain_id, market.address)
        solve = partial(solve_batch, engine=engine)
        around = Surroundings(_Silence(), time.sleep, solve, meter=self.gauge)
        self._daemon = Daemon(market, sender, journal, settings, around, keys)

    def work(self) -> None:
        """Do everything that is due. Raises Halted, or ChainError."""
        self._daemon.once()
