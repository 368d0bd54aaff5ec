"""Runs of chunks: how a batch is cut, how far anybody came with it, what a run did (SPEC §10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from walras.chain.books import book_of
from walras.chain.events import Verified
from walras.chain.market import Market
from walras.chain.postings import listed, read_verified, run_of, sealed_by_account
from walras.chain.trader import NOBODY
from walras.chunks import Chunk, Run, begin, digests_hash, split, verify_chunk
from walras.errors import ChainError
from walras.opening import Entry, Opened, open_listed
from walras.operator.clearing import Cleared
from walras.settlement import encode_submissions

__all__ = ["Part", "Runs", "parts_of"]


@dataclass(frozen=True, slots=True)
class Part:
    """The accounts of a chunk, and the shadow prices X84 of those with costs."""

    opened: tuple[Opened, ...]
    entries: tuple[Entry, ...]
    shadows: Mapping[bytes, Sequence[int]]

    @property
    def submissions(self) -> bytes:
        """The items of a chunk."""
        return encode_submissions(self.entries, self.shadows)


def parts_of(cleared: Cleared, gas: int, listed: int = 0) -> list[Part]:
    """The book behind its first `listed` accounts, in parts of at most `gas` of declared units."""
    opened, entries = cleared.opened[listed:], cleared.book.entries[listed:]
    shadows, count = cleared.settlement.shadows, len(cleared.prices)
    pieces = split(opened, entries, shadows, gas=gas, products=count)
    return [_part(cleared, *piece) for piece in pieces]


def _part(cleared: Cleared, opened: Sequence[Opened], entries: Sequence[Entry]) -> Part:
    given = cleared.settlement.shadows
    own = {e.account: given[e.account] for e in entries if e.account in given}
    return Part(tuple(opened), tuple(entries), own)


class Runs:
    """What the chain tells of the runs of one market."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def ahead(self, batch: int, block: int) -> bool:
        """Whether a chunk of `batch` verified in `block` was written ahead."""
        time = self._market.client.block(block).timestamp
        return time < self._market.schedule.boundaries(batch).exclusive_until

    def go_on(self, cleared: Cleared, run: Run, part: Part, *, ahead: bool) -> Chunk:
        """`run` continued by `part`. Raises CertificateError where the contract would revert."""
        state, prices = cleared.book.state, cleared.prices
        return verify_chunk(state, run, part.opened, prices, part.shadows, ahead=ahead)

    def furthest(self, cleared: Cleared) -> tuple[str, list[Chunk]]:
        """Who verified most of the book under the same prices, and what came out so far."""
        batch = cleared.book.state.number
        verified = self._market.verified_events(batch)
        newest = {event.settler: event for event in verified}
        stored = self._market.read_all([("runHash", batch, settler) for settler in newest])
        alive = [e for e, kept in zip(newest.values(), stored, strict=True) if e.run == kept]
        for last in sorted(alive, key=lambda event: event.listed, reverse=True):
            chunks = self._followed(cleared, run_of(last, verified))
            if chunks:
                return last.settler, chunks
        return NOBODY, []

    def _followed(self, cleared: Cleared, line: Sequence[Verified]) -> list[Chunk]:
        """The chunks of `line`, however it was cut, if they are the book's at the same prices."""
        run, chunks, start = begin(cleared.prices), list[Chunk](), 0
        for event in line:
            some = slice(start, event.listed)
            part = _part(cleared, cleared.opened[some], cleared.book.entries[some])
            ahead = self.ahead(event.batch, event.block_number)
            chunk = self.go_on(cleared, run, part, ahead=ahead)
            if chunk.run.hash != event.run:
                return []
            chunks.append(chunk)
            run, start = chunk.run, event.listed
        return chunks

    def effects(
        self, batch: int, kept: Sequence[tuple[bytes, bytes]]
    ) -> tuple[tuple[bytes, bytes], ...]:
        """(digest, effects) of the chunks that the contract holds to be applied or restored.

        What is `kept` counts if it is that, else they are computed again from the chain.
        """
        (stored,) = self._market.read_all([("digestsHash",)])
        if digests_hash(digest for digest, _ in kept) == stored:
            return tuple(kept)
        found = tuple(self._again(batch))
        if digests_hash(digest for digest, _ in found) != stored:
            raise ChainError(
                f"the effects of batch {batch} cannot be computed again; use a node with old state"
            )
        return found

    def _again(self, batch: int) -> Iterator[tuple[bytes, bytes]]:
        market = self._market
        line = self._line(batch)
        prices, _ = read_verified(market, line[0])
        seals = market.seals(batch)
        book = book_of(market, batch, seals, market.stood(line[0].block_number))
        known = {entry.account: entry for entry in book.entries}
        run = begin(prices)
        for event in line:
            _, data = read_verified(market, event)
            entries, shadows = listed(data, sealed_by_account(seals))
            opened = open_listed(book.state, [known[entry.account] for entry in entries])
            costs = {one.account.address for one in opened if one.costs}
            own = {account: values for account, values in shadows.items() if account in costs}
            ahead = self.ahead(batch, event.block_number)
            chunk = verify_chunk(book.state, run, opened, prices, own, ahead=ahead)
            run = chunk.run
            yield run.digests[-1], chunk.encoded

    def _line(self, batch: int) -> tuple[Verified, ...]:
        """The run that settled the batch; if none did, the one that wrote ahead."""
        verified = self._market.verified_events(batch)
        settled = self._market.settled_event(batch)
        last = [
            event
            for event in verified
            if (
                event.transaction == settled.transaction
                if settled
                else self.ahead(batch, event.block_number)
            )
        ]
        if not last:
            raise ChainError(f"the node does not show the chunks of batch {batch}; try again")
        return run_of(last[-1], verified)
