"""A clearer that runs for long: nothing it keeps grows, a restart goes on from where it was."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select

from tests.e2e.clearer import Clearer, make_clearer
from tests.e2e.test_daemon_standing import crowd
from tests.e2e.test_standing_book import limited, seal_submission
from tests.e2e.venue import Venue, buy, sell
from walras.auths import Submission
from walras.chain.events import Settled
from walras.clearing.problem import Solved, solve_batch
from walras.monitor import Metrics
from walras.operator.log import HIDDEN, Redactor
from walras.store import Journal, tables

pytestmark = pytest.mark.chain

KEPT = (
    tables.BLOCKS,
    tables.SEALS,
    tables.STOOD,
    tables.BODIES,
    tables.PRICES,
    tables.LOCK_OUTS,
    tables.ATTEMPTS,
    tables.EFFECTS,
)


def rows(directory: Path) -> dict[str, int]:
    engine = create_engine(f"sqlite:///{directory / 'journal.sqlite'}")
    with engine.connect() as run:
        found = {
            t.name: run.execute(select(func.count()).select_from(t)).scalar() or 0 for t in KEPT
        }
    engine.dispose()
    return found


def day(venue: Venue, clearer: Clearer, batch: int) -> None:
    """Somebody comes to stay and is through by the evening, somebody comes for the day."""
    venue.to_time(venue.schedule.start(batch))
    clearer.daemon.once()
    seal_submission(venue, venue.trader(), limited(5, 5), batch)
    venue.seal(venue.trader(), [sell(0, 3, 190)], batch)
    venue.to_time(venue.schedule.boundaries(batch).reveal_from)
    clearer.daemon.once()
    clearer.log.entries.clear()


@pytest.mark.slow
def test_nothing_grows_over_many_batches(
    venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Journal, "reorg_depth", 4)  # in days of a few blocks
    clearer = make_clearer(venue, tmp_path)
    clearer.daemon.once()
    venue.to_time(venue.schedule.start(1))
    lasting = Submission((sell(0, 40, 195), buy(1, 5, 60)), standing=True)
    seal_submission(venue, venue.trader(lots=10_000), lasting, 1)
    for batch in range(1, 13):
        day(venue, clearer, batch)
    early = rows(tmp_path)
    tracemalloc.start()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    for batch in range(13, 31):
        day(venue, clearer, batch)
        venue.traders.clear()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    late = rows(tmp_path)
    assert all(late[name] <= early[name] + 2 for name in late), (early, late)
    assert grown < 400_000
    settled = venue.market.history([Settled])
    assert [e.batch for e in settled if isinstance(e, Settled)] == list(range(1, 31))
    assert len(clearer.journal.stood()) < 10  # of thirty who came and went, and one who stays


def test_restart_begins_from_the_prices_of_the_batch_before(venue: Venue, tmp_path: Path) -> None:
    seen: list[Any] = []

    def solve(state: Any, opened: Any, *, warm: Any = None) -> Solved:
        seen.append(None if warm is None else dict(warm.prices))
        return solve_batch(state, opened, warm=warm)

    first = make_clearer(venue, tmp_path, solve=solve)
    first.daemon.once()
    day(venue, first, 1)
    event = venue.market.settled_event(1)
    assert event is not None
    prices = dict(zip(event.products, event.prices, strict=True))
    snapshot = venue.node.snapshot()
    for directory in (tmp_path, tmp_path / "lost"):  # with its journal, and from the chain alone
        again = make_clearer(venue, directory, solve=solve)
        day(venue, again, 2)
        venue.node.revert(snapshot)
        snapshot = venue.node.snapshot()
    assert seen == [None, prices, prices]


def test_metrics_say_what_the_daemon_did(venue: Venue, tmp_path: Path) -> None:
    metrics = Metrics(60.0)
    clearer = make_clearer(venue, tmp_path, meter=metrics, transaction_gas=100_000)
    clearer.daemon.once()
    crowd(venue, 5)
    clearer.daemon.once()

    def value(name: str, **labels: str) -> float:
        found = metrics.registry.get_sample_value(f"walras_{name}", labels)
        return -1.0 if found is None else found

    chunks = clearer.log.events().count("verified")
    assert chunks > 1
    assert value("transactions_total", action="RegisterKey") == 4  # 1 to 3, and in batch 1 the next
    assert value("transactions_total", action="Verify") == chunks
    logged = [e["gas"] for e in clearer.log.entries if e["event"] == "verified"]
    assert value("gas_used_total", action="Verify") == sum(logged)
    for stage in ("read", "opened", "solved", "settled"):
        assert value("stage_seconds_count", stage=stage) == 1
    assert value("batch") == 1
    assert value("phase", walras_phase="SETTLED") == 1
    assert value("unapplied_accounts") == 0
    assert value("standing_accounts") == 2
    assert value("settled_batches_total") == 1
    assert value("house_ratio", product="0") >= 1.25
    assert value("bond_ratio") == 1
    assert value("balance_wei") > 10**18
    healthy, facts = metrics.report()
    assert healthy
    assert facts["block"] == venue.node.client.block().number


def test_batch_keys_are_hidden_and_do_not_pile_up() -> None:
    redactor = Redactor()
    redactor.add("a lasting secret")
    for key in range(10**20, 10**20 + 600):
        redactor.add_passing(key)
    shown = redactor(None, "", {"a": f"{10**20 + 599}", "b": "a lasting secret", "c": f"{10**20}"})
    assert shown == {"a": HIDDEN, "b": HIDDEN, "c": f"{10**20}"}
    assert len(redactor._passing) == 512
