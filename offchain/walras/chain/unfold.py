"""From events to rows of history: the batches that finish in a stretch of the chain.

No old state is read but where a product's scale was reset before it was first indexed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from eth_utils.address import to_canonical_address

from walras.batch import Product
from walras.bodies import Posting
from walras.chain import events
from walras.chain.lockout import as_history, live_seals
from walras.chain.lookups import receipts, scales_before, transactions
from walras.chain.market import Market
from walras.chain.postings import (
    listed,
    sealed_by_account,
    settling_transactions,
    submissions_of,
)
from walras.errors import ChainError
from walras.history import Facts, Reader
from walras.history_lines import BatchLine, GasLine
from walras.opening import Entry
from walras.sealing import batch_id
from walras.store.history import Declared, Line, Scale

__all__ = ["KINDS", "Unfolding"]

E = TypeVar("E", bound=events.Event)

_NEVER: Final = 2**62

KINDS: Final[tuple[type[events.Event], ...]] = (
    events.ScaleReset,
    *(
        k
        for k in events.KINDS
        if issubclass(k, events.BatchEvent) and k is not events.KeyRegistered
    ),
)
_ACTIONS: Final[Mapping[type[events.Event], str]] = {
    events.Opened: "open",
    events.KeyRevealed: "reveal",
    events.Verified: "verify",
    events.Settled: "settle",
    events.Applied: "apply",
    events.Restored: "restore",
    events.VoidClosed: "close",
}


_AFTERWARDS: Final = events.Applied, events.Restored  # tell nothing that the batch did not


@dataclass(slots=True)
class _Bucket:
    """Events of a batch so far, in chain order."""

    events: list[events.Event] = field(default_factory=list)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


class Unfolding:
    """One way through the chain; what is open at the end of a stretch waits for the next."""

    def __init__(
        self, market: Market, products: Mapping[int, Product], declared: Mapping[bytes, int]
    ) -> None:
        """`products` and `declared` units are those before the first event."""
        self._market = market
        self._client = market.client
        self._number = bytes(to_canonical_address(market.address))
        self._products = dict(products)
        self._declared = dict(declared)
        (self._unit_rent,) = market.read_all([("unitRent",)])
        self._reader = Reader()
        self._open: dict[int, _Bucket] = {}
        self._lines: list[Line] = []
        self.batches = 0
        self.unread: list[int] = []

    @property
    def finished_before(self) -> int:
        """The first block that belongs to a batch which is not finished; none: beyond all."""
        return min((b.events[0].block_number for b in self._open.values()), default=_NEVER)

    def rows_up_to(self, block: int) -> list[Line]:
        """Take out the rows of blocks up to this one."""
        taken = [line for line in self._lines if line.block_number <= block]
        self._lines = [line for line in self._lines if line.block_number > block]
        return taken

    def take(self, found: Sequence[events.Event]) -> None:
        """Rows of everything that finished in these events."""
        finished: dict[int, _Bucket] = {}
        resets = [event for event in found if isinstance(event, events.ScaleReset)]
        for event in found:
            if not isinstance(event, events.BatchEvent) or isinstance(event, _AFTERWARDS):
                continue
            batch = event.batch
            if isinstance(event, events.Opened | events.Sealed):
                self._open = {b: bucket for b, bucket in self._open.items() if b >= batch}
            if isinstance(event, events.VoidClosed):
                bucket = self._open.pop(batch, _Bucket())
                self._void(event, leaked=bool(bucket.of(events.KeyLeaked)))
                continue
            if isinstance(event, events.Settled):
                finished[batch] = self._open.pop(batch, _Bucket())
            # the event of a last chunk follows that of the settlement it brings about
            bucket = finished.get(batch) or self._open.setdefault(batch, _Bucket())
            bucket.events.append(event)
        self._settled(list(finished.values()), resets)
        self._gas(found)

    def _void(self, event: events.VoidClosed, *, leaked: bool) -> None:
        lost = event.reward + event.compensation + event.burnt
        time = self._market.schedule.boundaries(event.batch).lock_out
        status = "leaked" if leaked else "void"
        self._lines.append(
            BatchLine(event.batch, event.block_number, time, status, event.caller, burnt=lost)
        )
        self.batches += 1

    def _settled(self, finished: Sequence[_Bucket], resets: Sequence[events.ScaleReset]) -> None:
        settled = [(bucket.of(events.Settled)[-1], bucket) for bucket in finished]
        runs = [settling_transactions(e, bucket.of(events.Verified)) for e, bucket in settled]
        sent = iter(transactions(self._client, [hash_ for run in runs for hash_ in run]))
        left = list(resets)
        for (event, bucket), run in zip(settled, runs, strict=True):
            while left and left[0].block_number < event.block_number:
                self._reset(left.pop(0))
            raw = [(hash_, next(sent)) for hash_ in run]
            self._settle(event, bucket, raw)
        for reset in left:
            self._reset(reset)

    def _settle(
        self, event: events.Settled, bucket: _Bucket, raw: Sequence[tuple[bytes, Any]]
    ) -> None:
        posting = self._posting(event, bucket, raw)
        if not posting.entries:
            self.unread.append(event.batch)
        products = self._posted(event)
        posting = replace(posting, ticks={k: product.tick for k, product in products.items()})
        own = _Bucket([e for e in bucket.events if e.transaction in {hash_ for hash_, _ in raw}])
        opened = bucket.of(events.Opened)
        units = self._declared | {a: u for a, (u, _) in posting.sealed.items()}
        units |= {
            e.account: self._declared[e.account]
            for e in posting.entries
            if e.account in self._declared and not _first(posting, e)
        }
        facts = Facts(
            batch=event.batch,
            block=event.block_number,
            time=self._market.schedule.boundaries(event.batch).lock_out,
            settler=event.settler,
            products=products,
            volumes=dict(zip(event.products, event.volumes, strict=True)),
            live=event.live,
            void=event.voids,
            loss=event.loss,
            freedom=event.freedom,
            rent=self._unit_rent * (opened[-1].ticks if opened else 0),
            units=units,
            voids={to_canonical_address(e.account): e.reason for e in own.of(events.Voided)},
            joined=frozenset(to_canonical_address(e.account) for e in own.of(events.Joined)),
            ended=frozenset(to_canonical_address(e.account) for e in own.of(events.Ended)),
            amended={to_canonical_address(e.account): e.replaced for e in own.of(events.Amended)},
        )
        history = self._reader.read(posting, facts)
        self._lines += [
            history.batch,
            *history.prices,
            *history.accounts,
            *history.fills,
            *history.shadows,
        ]
        self.batches += 1
        for line in history.prices:
            product = self._products[line.product]
            self._products[line.product] = replace(product, reference=line.next_reference)
        for account in {*facts.joined, *(a for a, replaced in facts.amended.items() if replaced)}:
            self._declare(account, event.block_number, posting.sealed[account][0])

    def _declare(self, account: bytes, block: int, units: int) -> None:
        self._declared[account] = units
        self._lines.append(Declared(account, block, units))

    def _posted(self, event: events.Settled) -> dict[int, Product]:
        """The products of a settlement as it met them."""
        unseen = [k for k in event.products if k not in self._products]
        if unseen:
            for scale in scales_before(self._market, unseen, event.block_number):
                self._scale(scale, scale.scale << 16)
        return {k: self._products[k] for k in event.products}

    def _reset(self, event: events.ScaleReset) -> None:
        known = self._products.get(event.product)
        if known is not None:
            bps, depth = known.tick_bps, known.depth_log2
            scale = Scale(event.product, event.block_number, event.scale, bps, depth)
            self._scale(scale, known.reference)

    def _scale(self, scale: Scale, reference: int) -> None:
        self._products[scale.product] = Product(
            scale.product, 0, reference, scale.scale, scale.tick_bps, scale.depth_log2
        )
        self._lines.append(scale)

    def _gas(self, found: Sequence[events.Event]) -> None:
        sealing = {e.transaction for e in found if isinstance(e, events.Sealed)}
        moves: dict[bytes, events.BatchEvent] = {}
        for event in found:
            if (
                isinstance(event, events.BatchEvent)
                and type(event) in _ACTIONS
                and event.transaction not in sealing
            ):
                moves[event.transaction] = event
        used = receipts(self._client, list(moves))
        for (transaction, event), receipt in zip(moves.items(), used, strict=True):
            self._lines.append(
                GasLine(
                    batch=event.batch,
                    block_number=event.block_number,
                    log_index=event.log_index,
                    action=_ACTIONS[type(event)],
                    transaction=transaction,
                    sender=receipt["from"],
                    gas=int(receipt["gasUsed"], 16),
                    price=int(receipt.get("effectiveGasPrice") or "0x0", 16),
                )
            )

    def _posting(
        self, settled: events.Settled, bucket: _Bucket, raw: Iterable[tuple[bytes, Any]]
    ) -> Posting:
        """What a settlement posted, but for ticks; without entries if a contract hides them."""
        seals = live_seals(as_history(bucket.events))
        sealed = sealed_by_account(seals)
        entries: list[Entry] = []
        shadows: dict[bytes, tuple[int, ...]] = {}
        for transaction, sent in raw:
            if to_canonical_address(sent["to"] or bytes(20)) != self._number:
                entries = []
                break
            some, values = listed(submissions_of(transaction, sent), sealed)
            entries += some
            shadows |= values
        revealed = bucket.of(events.KeyRevealed)
        if not revealed:
            raise ChainError(f"the node does not show the key of batch {settled.batch}; try again")
        return Posting(
            batch_id=batch_id(self._client.chain_id, self._number, settled.batch),
            secret=revealed[-1].secret,
            entries=tuple(entries),
            prices=dict(zip(settled.products, settled.prices, strict=True)),
            shadows=shadows,
            ticks={},
            sealed=sealed,
        )


def _first(posting: Posting, entry: Entry) -> bool:
    """Whether this is the batch the account sealed its submission for."""
    sealed = posting.sealed.get(entry.account)
    return sealed is not None and sealed[1] == entry.payload
