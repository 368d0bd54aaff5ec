"""Look at the chain: bring the journal up to the head, then gather the facts to decide on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from walras.chain.client import Block, BlockMissing
from walras.chain.events import Cancelled, Event, Joined, KeyLeaked, Sealed
from walras.chain.market import Market
from walras.chain.views import BatchView, MarketView
from walras.errors import ChainError
from walras.operator.decide import ChainView
from walras.schedule import Phase
from walras.store import Cursor, Journal, SealRecord

__all__ = ["Observer", "Sight"]

_KINDS = (Sealed, Cancelled, KeyLeaked, Joined)
_THIN = 1.25  # times the least holding: below it the house needs a person soon


@dataclass(frozen=True, slots=True)
class Sight:
    """One look: the facts, the chain's time (seconds), and blocks undone since the last look.

    `phase` is of the batch that opened last; `houses` are (held, least) lots X44 by product;
    `gas_limit` is of the newest block, 0 if the node does not tell.
    """

    chain: ChainView
    now: int
    block_number: int
    undone: int
    phase: Phase = Phase.PENDING
    houses: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    gas_limit: int = 0


class Observer:
    """Reads one market for one account, and keeps the journal's cursor at the head."""

    def __init__(
        self,
        market: Market,
        account: str,
        journal: Journal,
        *,
        keys_ahead: int,
        confirmations: int,
        finalized: bool,
    ) -> None:
        self._market = market
        self._client = market.client
        self._account = account
        self._journal = journal
        self._keys_ahead = keys_ahead
        self._confirmations = confirmations
        self._finalized = finalized

    def look(self) -> Sight:
        """Follow the chain to its head and describe it."""
        view = self._market.view()
        # after the view: a head from before it might not have the lock-out that the view is past
        head = self._client.block("latest")
        undone = self._follow(head)
        houses = {
            product.asset.id: (product.state.house, 1 << (product.state.house_log2 + 44))
            for product in view.products
        }
        facts = self._facts(view, head)
        return Sight(facts, view.now, head.number, undone, view.batch_phase, houses, head.gas_limit)

    # ---------------------------------------------------------------------------- the cursor

    def _follow(self, head: Block) -> int:
        """Take in the events up to the head; how many blocks had to be forgotten first."""
        undone = self._rewind(head)
        cursor = self._journal.cursor()
        first = self._beginning(head) if cursor is None else cursor.number + 1
        if first > head.number:
            return undone
        events = self._market.history(_KINDS, first, head.number)
        if self._client.block(head.number).hash != head.hash:
            raise ChainError("the chain was reorganised while it was read; looking again")
        if cursor is None and first > 0:
            events = (*self._market.history([Joined], 0, first - 1), *events)
        seals = [record for event in events if (record := _record(event)) is not None]
        stood = [
            (event.account, event.block_number, event.log_index)
            for event in events
            if isinstance(event, Joined)
        ]
        leaks = [
            (event.batch, event.block_number, event.log_index)
            for event in events
            if isinstance(event, KeyLeaked)
        ]
        self._journal.advance(Cursor(head.number, head.hash), seals, leaks, stood)
        return undone

    def _rewind(self, head: Block) -> int:
        """Return the journal to the newest block that is still part of the chain."""
        known = self._journal.known_blocks()
        for block in known:
            if self._holds(block, head):
                if block == known[0]:
                    return 0
                self._journal.rewind(block.number)
                return known[0].number - block.number
        if not known:
            return 0
        self._journal.rewind(-1)
        return known[0].number + 1

    def _holds(self, block: Cursor, head: Block) -> bool:
        """Whether a block is part of the chain that ends with ``head``; often that shows it."""
        if block.number >= head.number - 1:
            return block.hash == {head.number: head.hash, head.number - 1: head.parent}.get(
                block.number
            )
        try:
            return self._client.block(block.number).hash == block.hash
        except BlockMissing:
            return False

    def _beginning(self, head: Block) -> int:
        """First block that matters: of the oldest batch that is not finished."""
        schedule = self._market.schedule
        batch = BatchView(*self._market.read_all([("batch",)])[0])
        oldest = batch.number if batch.unfinished else schedule.current(head.timestamp)
        return self._client.first_block_from(schedule.start(max(oldest, 1)), head)

    # ----------------------------------------------------------------------------- the facts

    def _facts(self, view: MarketView, head: Block) -> ChainView:
        ahead = range(max(view.current, 1), view.current + self._keys_ahead + 1)
        published, standing, *hashes = self._market.read_all(
            [
                ("secret", view.batch.number),
                ("standing",),
                *(("keyHash", batch) for batch in ahead),
            ]
        )
        thin = tuple(
            product.asset.id
            for product in view.products
            if product.state.house < _THIN * (1 << (product.state.house_log2 + 44))
        )
        account = (self._account, "latest")
        return ChainView(
            operator=view.terms.operator,
            schedule=view.terms.schedule,
            batch=view.batch,
            published=published != 0,
            standing=standing[0],
            key_hashes=dict(zip(ahead, hashes, strict=True)),
            lock_out=self._lock_out(view.batch, head),
            nonce=int(self._client.rpc("eth_getTransactionCount", *account), 16),
            balance=int(self._client.rpc("eth_getBalance", *account), 16),
            bond=view.treasury.bond,
            bond_full=view.terms.bond << 40,
            house_cash=view.treasury.house_cash,
            house_cash_least=view.least_house_cash,
            short_houses=view.treasury.short_houses,
            thin_houses=thin,
        )

    def _lock_out(self, batch: BatchView, head: Block) -> bytes | None:
        """Hash of the last block before the lock-out, once it cannot change any more."""
        if not batch.unfinished:
            return None
        lock_out = self._market.schedule.boundaries(batch.number).lock_out
        known = self._client.block("finalized") if self._finalized else head
        last = self._client.first_block_from(lock_out, known) - 1
        if known.number - last < (1 if self._finalized else self._confirmations):
            return None
        return self._client.block(last).hash


def _record(event: Event) -> SealRecord | None:
    place = (event.block_number, event.log_index)
    if isinstance(event, Sealed):
        return SealRecord(event.batch, *place, event.account, event.units, event.ct)
    if isinstance(event, Cancelled):
        return SealRecord(event.batch, *place, event.account, 0, None)
    return None
