"""A clearer's numbers for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Enum,
    Gauge,
    Histogram,
    ProcessCollector,
)

from walras.monitor.health import Health
from walras.operator.decide import Decision
from walras.operator.view import Sight
from walras.schedule import Phase

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics(Health):
    """Health, and every number of docs/OPERATIONS.md in a registry of its own."""

    def __init__(self, stale_after: float, wall: Callable[[], float] = time.time) -> None:
        super().__init__(stale_after)
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._wall = wall
        self._time = self._seen = wall()

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"walras_{name}", text, labels, registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"walras_{name}", text, labels, registry=registry)

        self._batch = gauge("batch", "Number of the batch that opened last.")
        self._current = gauge("current_batch", "Number of the batch that owns this moment.")
        self._phase = Enum(
            "walras_phase",
            "Phase of the batch that opened last.",
            states=[phase.name for phase in Phase],
            registry=registry,
        )
        self._live = gauge("live_accounts", "Accounts live in it.")
        self._units = gauge("live_units", "Units of capacity they declared.")
        self._standing = gauge("standing_accounts", "Accounts that are live in every batch.")
        self._unapplied = gauge(
            "unapplied_accounts", "Accounts that wait for their part of it, or have it ahead."
        )
        self._block = gauge("block", "Number of the last block looked at.")
        age = gauge("block_age_seconds", "Time since the chain's time at the last look.")
        age.set_function(lambda: self._wall() - self._time)
        since = gauge("look_age_seconds", "Time since the chain was looked at.")
        since.set_function(lambda: self._wall() - self._seen)
        self._balance = gauge("balance_wei", "What the account has to pay gas with.")
        self._bond = gauge("bond_ratio", "Bond as a part of what is required.")
        self._cash = gauge("house_cash_ratio", "House cash as a part of its least holding.")
        self._house = gauge("house_ratio", "House as a part of its least holding.", "product")
        self._stopped = gauge("halted", "1 once the clearer has halted.")
        self._in_a_row = gauge("failures_in_a_row", "Failures since something succeeded.")
        self._failed = counter("failures", "Steps that failed and were tried again.")
        self._decisions = counter("decisions", "Decisions taken.", "action")
        self._settled = counter("settled_batches", "Batches settled here.")
        self._voids = counter("void_submissions", "Submissions that did not trade.")
        self._undone = counter("reorganised_blocks", "Blocks undone and read again.")
        self._transactions = counter("transactions", "Own transactions included.", "action")
        self._gas = counter("gas_used", "Gas of own transactions.", "action")
        self._accounts = Histogram(
            "walras_cleared_accounts",
            "Accounts of a batch cleared.",
            buckets=(1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000),
            registry=registry,
        )
        self._stages = Histogram(
            "walras_stage_seconds",
            "Time of each stage of clearing a batch.",
            ("stage",),
            buckets=_SECONDS,
            registry=registry,
        )

    def looked(self, sight: Sight) -> None:
        """Take over what the chain shows."""
        super().looked(sight)
        chain = sight.chain
        self._seen, self._time = self._wall(), sight.now
        self._batch.set(chain.batch.number)
        self._current.set(chain.schedule.current(sight.now))
        self._phase.state(sight.phase.name)
        self._live.set(chain.batch.live)
        self._units.set(chain.batch.units)
        self._standing.set(chain.standing)
        self._unapplied.set(chain.batch.unapplied)
        self._block.set(sight.block_number)
        self._balance.set(chain.balance)
        self._bond.set(_part(chain.bond, chain.bond_full))
        self._cash.set(_part(chain.house_cash, chain.house_cash_least))
        for product, (held, least) in sight.houses.items():
            self._house.labels(str(product)).set(_part(held, least))
        self._undone.inc(sight.undone)
        self._in_a_row.set(0)

    def decided(self, decision: Decision) -> None:
        """Count it."""
        super().decided(decision)
        self._decisions.labels(type(decision).__name__).inc()

    def failed(self, failures: int) -> None:
        """Count it."""
        super().failed(failures)
        self._failed.inc()
        self._in_a_row.set(failures)

    def halted(self, reason: str) -> None:
        """Raise the flag."""
        super().halted(reason)
        self._stopped.set(1)

    def cleared(self, seconds: Mapping[str, float], accounts: int, voids: int) -> None:
        """Take over how long each stage took."""
        for stage, took in seconds.items():
            self._stages.labels(stage).observe(took)
        self._accounts.observe(accounts)
        self._voids.inc(voids)

    def settled(self, batch: int) -> None:  # noqa: ARG002
        """Count it."""
        self._settled.inc()

    def used(self, action: str, gas: int) -> None:
        """Count it."""
        self._transactions.labels(action).inc()
        self._gas.labels(action).inc(gas)


def _part(held: int, least: int) -> float:
    return held / least if least else 1.0
