"""Settling a batch that no single transaction holds: verify in chunks, then write (SPEC §10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Protocol

from eth_utils.address import to_checksum_address

from walras.chain.books import book_of
from walras.chain.client import NodeError
from walras.chain.events import Applied, Settled
from walras.chain.market import Market
from walras.chain.postings import read_chunks
from walras.chain.reverts import UNNAMED
from walras.chain.trader import NOBODY, Trader
from walras.chunks import Chunk, Run, begin, digests_hash, split, verify_chunk
from walras.effects import decode_effects
from walras.errors import ChainError, Reverted
from walras.numbers import UNIT_GAS
from walras.opening import Entry, open_listed
from walras.operator.clearing import Cleared, Log
from walras.operator.decide import TRANSACTION_BYTES, Weight
from walras.operator.meter import Meter
from walras.settlement import encode_submissions
from walras.store import Journal

__all__ = ["Chunks", "How"]

_PRICE_BYTES: Final = 64


class How(Protocol):
    """How a numbered part of an action is sent: what was signed before, and who watches."""

    def __call__(self, part: str, /) -> dict[str, Any]:
        """Arguments of the sender."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """The run before a chunk, the chunk's items, and what verifying them comes to."""

    before: Run
    submissions: bytes
    chunk: Chunk


class Chunks:
    """Chunks of one market's batches, sent by one account."""

    def __init__(
        self,
        market: Market,
        trader: Trader,
        journal: Journal,
        log: Log,
        checkpoint: Callable[[str], None],
        *,
        meter: Meter,
        gas: int,
    ) -> None:
        """`gas` is what the declared units of one transaction may come to; a chunk gets less."""
        self._market = market
        self._trader = trader
        self._journal = journal
        self._log = log
        self._checkpoint = checkpoint
        self._meter = meter
        self._gas = gas

    def weigh(self, batch: int, cleared: Cleared, *, begun: bool) -> Weight:
        """What one transaction would carry to settle the whole batch; `begun` if one was signed."""
        accounts = cleared.book.state.accounts
        units = sum(a.units + (a.amendment.units if a.amendment else 0) for a in accounts)
        size = len(cleared.submissions) + _PRICE_BYTES * len(cleared.prices)
        weight = Weight(units * UNIT_GAS, size, begun=begun)
        if not begun and size <= TRANSACTION_BYTES:
            estimate, refused = self._estimate(batch, cleared)
            weight = replace(weight, estimate=estimate, refused=refused)
        self._log.info("weighed", batch=batch, **asdict(weight))
        return weight

    def _estimate(self, batch: int, cleared: Cleared) -> tuple[int | None, bool]:
        """Gas that one transaction takes, None if the node would not run it now; if for its gas."""
        try:
            return self._trader.estimate_settle(batch, cleared.prices, cleared.submissions), False
        except Reverted as error:
            # the contract always names its reason; without one it was the gas that ended
            return None, error.name == UNNAMED
        except NodeError as error:
            return None, "gas" in error.reason.lower()

    def verify(self, batch: int, cleared: Cleared, how: How) -> None:
        """Verify what is not verified yet; with the last chunk the batch is settled.

        Goes on from whoever came furthest under the same prices.
        """
        pieces = list(self._pieces(cleared))
        effects = [(p.chunk.run.digests[-1], p.chunk.encoded) for p in pieces]
        self._journal.remember_effects(batch, effects)
        self._checkpoint("chunked")
        sender, first = self._furthest(batch, [piece.before for piece in pieces])
        for number, piece in enumerate(pieces[first:], first):
            run = _abi(piece.before)
            receipt = self._trader.verify(
                batch, sender, run, cleared.prices, piece.submissions, **how(f".{number}")
            )
            self._checkpoint("verified")
            self._meter.used("Verify", receipt.gas_used)
            self._log.info(
                "verified", batch=batch, chunk=number, of=len(pieces), gas=receipt.gas_used
            )
            sender = self._trader.sender.address

    def apply(self, batch: int, how: How) -> None:
        """Write every chunk of a settled batch that is not written yet."""
        chunks = self._effects(batch)
        digests = [digest for digest, _ in chunks]
        written = self._written(batch)
        for number, (_, effects) in enumerate(chunks):
            if written.get(number, 0) == len(decode_effects(effects)):
                continue
            receipt = self._trader.apply_chunk(batch, digests, number, effects, **how(f".{number}"))
            self._checkpoint("applied")
            self._meter.used("Apply", receipt.gas_used)
            self._log.info(
                "applied", batch=batch, chunk=number, of=len(chunks), gas=receipt.gas_used
            )

    def _pieces(self, cleared: Cleared) -> Iterator[_Piece]:
        run = begin(cleared.prices)
        shadows = cleared.settlement.shadows
        for opened, entries in split(
            cleared.opened, cleared.book.entries, shadows, gas=self._gas * 3 // 4
        ):
            own = {e.account: shadows[e.account] for e in entries if e.account in shadows}
            chunk = verify_chunk(cleared.book.state, run, opened, cleared.prices, own)
            yield _Piece(run, encode_submissions(entries, own), chunk)
            run = chunk.run

    def _furthest(self, batch: int, runs: Sequence[Run]) -> tuple[str, int]:
        """Who verified most under the same prices, and the chunk that comes next."""
        place = {run.hash: number for number, run in enumerate(runs)}
        sender, first = NOBODY, 0
        for event in self._market.verified_events(batch):
            number = place.get(event.run, 0)
            (stored,) = self._market.read_all([("runHash", batch, event.settler)])
            if number > first and stored == event.run:
                sender, first = event.settler, number
        return sender, first

    def _effects(self, batch: int) -> tuple[tuple[bytes, bytes], ...]:
        """Those of the run that settled: from the journal, or computed again from the chain."""
        (stored,) = self._market.read_all([("digestsHash",)])
        kept = self._journal.effects(batch)
        if digests_hash(digest for digest, _ in kept) == stored:
            return kept
        settled = self._market.settled_event(batch)
        if settled is None:
            raise ChainError(f"the node does not show how batch {batch} settled; try again")
        found = tuple(self._again(settled))
        if digests_hash(digest for digest, _ in found) != stored:
            raise ChainError(
                f"the effects of batch {batch} cannot be computed again; use a node with old state"
            )
        self._journal.remember_effects(batch, found)
        return found

    def _again(self, settled: Settled) -> Iterator[tuple[bytes, bytes]]:
        market, batch = self._market, settled.batch
        seals = market.seals(batch)
        book = book_of(market, batch, seals, market.stood(settled.block_number))
        known: dict[bytes, Entry] = {entry.account: entry for entry in book.entries}
        prices = dict(zip(settled.products, settled.prices, strict=True))
        run = begin(prices)
        for entries, shadows in read_chunks(market, settled, seals):
            opened = open_listed(book.state, [known[entry.account] for entry in entries])
            costs = {one.account.address for one in opened if one.costs}
            own = {account: values for account, values in shadows.items() if account in costs}
            chunk = verify_chunk(book.state, run, opened, prices, own)
            run = chunk.run
            yield run.digests[-1], chunk.encoded

    def _written(self, batch: int) -> dict[int, int]:
        """Accounts of each chunk that were written."""
        found: dict[int, int] = {}
        first = self._market.lock_out_block(batch)
        for event in self._market.history([Applied], first):
            if isinstance(event, Applied) and event.batch == batch:
                found[event.chunk] = found.get(event.chunk, 0) + event.accounts
        return found


def _abi(run: Run) -> tuple[Any, ...]:
    """The contract's struct."""
    return tuple((run.fields | {"last": to_checksum_address(run.last)}).values())
