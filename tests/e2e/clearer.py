"""Clearers for tests: in this process, or in one of their own that can be killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account import Account

from tests.e2e.venue import OPERATOR_KEY, QUICK, Venue
from walras.chain.market import Market
from walras.chain.outbox import Outbox
from walras.chain.sender import Sender
from walras.chain.transactions import SendPolicy
from walras.clearing.problem import solve_batch
from walras.operator.clearing import Solver
from walras.operator.daemon import Daemon
from walras.operator.keys import BatchKeys
from walras.operator.meter import Meter
from walras.operator.settings import ClearerSettings
from walras.operator.surroundings import Surroundings
from walras.store import Journal

_UNHEARD = Meter()


@dataclass
class Recorder:
    """A log that keeps its entries."""

    entries: list[dict[str, Any]] = field(default_factory=list)

    def info(self, event: str, **values: Any) -> None:
        self.entries.append({"event": event, **values})

    warning = error = info

    def events(self) -> list[str]:
        return [entry["event"] for entry in self.entries]


@dataclass
class Clearer:
    """A daemon in this process and what it writes to."""

    daemon: Daemon
    journal: Journal
    log: Recorder


def make_clearer(
    venue: Venue, directory: Path, *, keys: BatchKeys | None = None, **how: Any
) -> Clearer:
    """The operator's clearer of the venue's market; see `build` for `how`."""
    return build(venue.market, directory, keys or venue.keys, **how)


def build(
    market: Market,
    directory: Path,
    keys: BatchKeys,
    *,
    key: str = OPERATOR_KEY,
    with_seed: bool = True,
    solve: Solver = solve_batch,
    policy: SendPolicy = QUICK,
    checkpoint: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = lambda _: None,
    meter: Meter = _UNHEARD,
    outbox: Outbox | None = None,
    **settings: Any,
) -> Clearer:
    """A clearer of a market, its journal in `directory`; `settings` change the quick defaults."""
    quick: dict[str, Any] = {"state_dir": directory, "poll": 0.01, "confirmations": 0}
    chosen = ClearerSettings(**(quick | settings))
    journal = Journal(chosen.database_url(), market.client.chain_id, market.address)
    log = Recorder()
    daemon = Daemon(
        market,
        Sender(market.client, Account.from_key(key), policy, outbox=outbox),
        journal,
        chosen,
        Surroundings(log, sleep, solve, checkpoint, meter),
        keys if with_seed else None,
    )
    return Clearer(daemon, journal, log)
