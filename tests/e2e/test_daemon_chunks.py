"""The clearer with batches in chunks: written ahead, gone on with, recorded, taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clearer import Clearer, build, make_clearer
from tests.e2e.test_daemon_standing import SMALL, KilledError, crowd, killed_at
from tests.e2e.venue import FAUCET_KEY, Venue
from walras.batch import CASH
from walras.chain.client import NodeError
from walras.chain.events import Applied
from walras.chain.trader import NOBODY, Trader
from walras.chain.transactions import Receipt
from walras.chunks import begin, split
from walras.operator.chunked import run_words
from walras.operator.decide import Apply, CloseVoid, Open, RegisterKey, Restore, Settle, Wait
from walras.schedule import Phase
from walras.settlement import encode_submissions

pytestmark = pytest.mark.chain


def anybody(venue: Venue, directory: Path) -> Clearer:
    """A clearer of another account, with a journal of its own."""
    return build(
        venue.market,
        directory,
        venue.keys,
        key=FAUCET_KEY,
        with_seed=False,
        transaction_gas=SMALL,
    )


def unapplied(venue: Venue) -> int:
    word: Any = venue.market.read_all([("batch",)])[0]
    return int(word[7])


def ledgers(venue: Venue) -> list[Any]:
    """Every trader's words and balances."""
    owners = [trader.sender.address for trader in venue.traders]
    calls = [("account", o) for o in owners]
    return venue.market.read_all(
        [*calls, *(("balanceOf", o, k) for o in owners for k in (0, 1, CASH))]
    )


def dies_after(venue: Venue, directory: Path, chunks: int = 1) -> Clearer:
    """The operator's clearer, gone once it has verified so many chunks of batch 1."""
    left = iter(range(chunks - 1))

    def checkpoint(at: str) -> None:
        if at == "verified" and next(left, None) is None:
            raise KilledError

    clearer = make_clearer(venue, directory, checkpoint=checkpoint, transaction_gas=SMALL)
    clearer.daemon.once()
    crowd(venue, 7)
    with pytest.raises(KilledError):
        clearer.daemon.once()
    assert len(venue.market.verified_events(1)) == chunks
    assert unapplied(venue) > 0
    return clearer


def everybody_leaves(venue: Venue) -> None:
    for trader in venue.traders:
        trader.withdraw(CASH)


def test_operator_goes_on_after_a_restart(venue: Venue, tmp_path: Path) -> None:
    """With the journal or without it."""
    dies_after(venue, tmp_path / "a", chunks=2)
    again = make_clearer(venue, tmp_path / "b", transaction_gas=SMALL)
    taken = again.daemon.once()
    assert taken[0] == Settle(1)
    assert Apply(1) not in taken
    senders = [event.sender for event in venue.market.verified_events(1)]
    assert senders.count(NOBODY) == 1
    everybody_leaves(venue)


def test_somebody_else_goes_on_with_a_run_and_writes_the_rest(venue: Venue, tmp_path: Path) -> None:
    """The operator writes a chunk ahead and is gone: anybody finishes, from chain data alone."""
    dies_after(venue, tmp_path / "a")
    other = anybody(venue, tmp_path / "b")
    venue.to_time(venue.schedule.boundaries(1).exclusive_until)
    taken = other.daemon.once()
    assert taken[:2] == [Settle(1), Apply(1)]
    assert isinstance(taken[-1], Wait)
    events = venue.market.verified_events(1)
    assert events[1].sender == venue.operator.sender.address
    assert other.log.events().count("applied") == len(events) - 1
    assert unapplied(venue) == 0
    everybody_leaves(venue)


def test_whoever_takes_chunks_back_makes_work_and_nothing_else(
    venue: Venue, tmp_path: Path
) -> None:
    dies_after(venue, tmp_path / "a", chunks=2)
    venue.to_time(venue.schedule.boundaries(1).exclusive_until)
    griefer = anybody(venue, tmp_path / "griefer")
    griefer.daemon._actions._chunks(SMALL).restore(1, lambda _: {})
    assert griefer.log.events().count("restored") == 2
    assert unapplied(venue) == 0
    other = anybody(venue, tmp_path / "b")
    assert other.daemon.once()[:2] == [Settle(1), Apply(1)]
    events = venue.market.verified_events(1)
    assert [e.sender == NOBODY for e in events] == [True, *[False] * (len(events) - 1)]
    assert other.log.events().count("applied") == len(events)
    everybody_leaves(venue)


def test_window_that_ends_between_two_chunks(venue: Venue, tmp_path: Path) -> None:
    """The first is written ahead, the others are recorded and applied, by one clearer."""
    moved: list[str] = []

    def checkpoint(at: str) -> None:
        if at == "verified" and not moved:
            moved.append(at)
            venue.to_time(venue.schedule.boundaries(1).exclusive_until)

    clearer = make_clearer(venue, tmp_path, checkpoint=checkpoint, transaction_gas=SMALL)
    clearer.daemon.once()
    crowd(venue, 7)
    taken = clearer.daemon.once()
    assert [a for a in taken if not isinstance(a, RegisterKey)][1:3] == [Settle(1), Apply(1)]
    chunks = len(venue.market.verified_events(1))
    assert clearer.log.events().count("applied") == chunks - 1
    assert unapplied(venue) == 0
    everybody_leaves(venue)


def test_effects_are_computed_again_without_a_journal(venue: Venue, tmp_path: Path) -> None:
    make_clearer(venue, tmp_path).daemon.once()
    crowd(venue, 7)
    venue.advance(1, Phase.FALLBACK)
    first = make_clearer(
        venue, tmp_path / "a", checkpoint=killed_at("applied"), transaction_gas=SMALL
    )
    with pytest.raises(KilledError):
        first.daemon.once()
    assert 0 < unapplied(venue) < 7
    other = anybody(venue, tmp_path / "b")
    assert other.daemon.once()[0] == Apply(1)
    assert unapplied(venue) == 0


def test_chunk_that_fits_no_block_any_more_is_applied_in_pieces(
    venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opcodes became dearer, or blocks smaller: the node has gas for one account."""

    def dear(trader: Trader, *args: Any, **how: Any) -> Receipt:
        if args[-1] > 1:
            raise NodeError("eth_estimateGas", "gas required exceeds allowance (30000)")
        return apply_chunk(trader, *args, **how)

    apply_chunk = Trader.apply_chunk
    monkeypatch.setattr(Trader, "apply_chunk", dear)
    make_clearer(venue, tmp_path).daemon.once()
    crowd(venue, 7)
    venue.advance(1, Phase.FALLBACK)
    clearer = make_clearer(venue, tmp_path / "a", transaction_gas=300_000)
    assert Apply(1) in clearer.daemon.once()
    events = [e for e in venue.market.history([Applied]) if isinstance(e, Applied)]
    assert [event.accounts for event in events] == [1] * 7
    assert len(venue.market.verified_events(1)) < 7
    assert unapplied(venue) == 0
    everybody_leaves(venue)


def test_what_was_written_at_other_prices_is_taken_back_first(venue: Venue, tmp_path: Path) -> None:
    """A chunk that the operator's own older software verified, say."""
    older = make_clearer(venue, tmp_path / "older")
    older.daemon.once()
    crowd(venue, 7)
    venue.operator.reveal(1, venue.keys.secret(1))
    before = ledgers(venue)
    cleared = older.daemon._actions._clearing.prepare(1)
    wrong = {k: price + (1 << 83) for k, price in cleared.prices.items()}
    _, entries = next(split(cleared.opened, cleared.book.entries, gas=SMALL))
    venue.operator.verify(1, NOBODY, run_words(begin(wrong)), wrong, encode_submissions(entries))
    assert ledgers(venue) != before
    assert unapplied(venue) > 0
    clearer = make_clearer(venue, tmp_path / "newer", transaction_gas=SMALL)
    taken = clearer.daemon.once()
    assert taken[0] == Settle(1)
    assert clearer.log.events().count("restored") == 1
    event = venue.market.settled_event(1)
    assert event is not None
    assert dict(zip(event.products, event.prices, strict=True)) == cleared.prices
    assert unapplied(venue) == 0
    everybody_leaves(venue)


@pytest.mark.parametrize("same", [True, False])
def test_void_batch_is_taken_back_before_the_next_one(
    venue: Venue, tmp_path: Path, same: bool
) -> None:
    """By the operator who comes back, or by anybody."""
    dies_after(venue, tmp_path / "a", chunks=2)
    venue.advance(1, Phase.VOID)
    if same:
        clearer = make_clearer(venue, tmp_path / "a", transaction_gas=SMALL)
    else:
        clearer = anybody(venue, tmp_path / "b")
    taken = clearer.daemon.once()
    assert taken[:2] == [CloseVoid(1), Restore(1)]
    assert clearer.log.events().count("restored") == 2
    assert unapplied(venue) == 0
    everybody_leaves(venue)
    assert Open(2) not in taken  # the bond is gone
