"""The clearer's journal: what it has seen, computed and signed, keyed by chain, market and batch.

The chain decides, the journal only remembers: losing it costs time, never money.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Final, TypeVar

from sqlalchemy import func

from walras.bodies import Body
from walras.chain.transactions import Attempt
from walras.store.base import Cursor, MarketStore, plain
from walras.store.tables import (
    ATTEMPTS,
    BLOCKS,
    BODIES,
    EFFECTS,
    LEAKS,
    LOCK_OUTS,
    PRICES,
    SEALS,
    STOOD,
)

__all__ = ["Journal", "SealRecord"]

T = TypeVar("T")

_PART: Final = 500  # values of a condition
_PLACE: Final = ("block_number", "log_index")


@dataclass(frozen=True, slots=True)
class SealRecord:
    """One seal of an account, or with `ciphertext` None its cancellation."""

    batch: int
    block_number: int
    log_index: int
    account: str
    units: int
    ciphertext: bytes | None


class Journal(MarketStore):
    """The journal of one market. Raises StoreError when the database cannot be used."""

    # -------------------------------------------------------------------------- what was seen

    def cursor(self) -> Cursor | None:
        """The newest block seen, None before the first."""
        known = self.known_blocks()
        return known[0] if known else None

    def known_blocks(self) -> tuple[Cursor, ...]:
        """The latest blocks seen, newest first."""
        return self._cursors(BLOCKS)

    def advance(
        self,
        to: Cursor,
        seals: Sequence[SealRecord],
        leaks: Sequence[tuple[int, int, int]] = (),
        stood: Sequence[tuple[str, int, int]] = (),
    ) -> None:
        """Take in the events up to a block.

        `leaks` are (batch, block number, log index), `stood` (account, block number, log index) of
        submissions that began to stand.
        """
        with self._transaction() as run:
            self._add(run, BLOCKS, [plain(to)])
            self._drop(run, BLOCKS, BLOCKS.c.number < self._stale(to))
            self._add(run, SEALS, map(plain, seals))
            for table, first, places in ((LEAKS, "batch", leaks), (STOOD, "account", stood)):
                names = (first, *_PLACE)
                self._add(run, table, (dict(zip(names, place, strict=True)) for place in places))

    def rewind(self, to: int) -> None:
        """Forget everything seen in blocks after number `to`."""
        with self._transaction() as run:
            self._drop(run, BLOCKS, BLOCKS.c.number > to)
            for table in (SEALS, LEAKS, STOOD):
                self._drop(run, table, table.c.block_number > to)

    def seals(self, batch: int) -> tuple[SealRecord, ...]:
        """Seals and cancellations of a batch in chain order."""
        c = SEALS.c
        columns = (c.batch, c.block_number, c.log_index, c.account, c.units, c.ciphertext)
        query = self._rows(SEALS, *columns).where(c.batch == batch)
        rows = self._all(query.order_by(c.block_number, c.log_index))
        return tuple(SealRecord(*row) for row in rows)

    def stood(self) -> frozenset[str]:
        """Accounts whose submission ever stood."""
        return frozenset(row[0] for row in self._all(self._rows(STOOD, STOOD.c.account)))

    def forget(self, before: int, standing: Mapping[str, bytes]) -> None:
        """Drop what is remembered of batches before this one and cannot be needed any more.

        `standing` are second words of the accounts that stand now; what stood lately is kept, too,
        since the chain may be reorganised. Nonces stay bounded.
        """
        stale = self._stale(self.cursor())
        bodies = self._rows(BODIES, BODIES.c.hash).where(BODIES.c.block_number < stale)
        owners = self._rows(STOOD, STOOD.c.account).where(STOOD.c.block_number < stale)
        dead = {bytes(row[0]) for row in self._all(bodies)}.difference(standing.values())
        left = {row[0] for row in self._all(owners)}.difference(standing)
        last = self.nonces_used() - 1
        with self._transaction() as run:
            for table in (SEALS, LOCK_OUTS, PRICES, EFFECTS):
                self._drop(run, table, table.c.batch < before)
            self._drop(run, ATTEMPTS, ATTEMPTS.c.batch < before, ATTEMPTS.c.nonce < last)
            for some in _in_parts(dead):
                self._drop(run, BODIES, BODIES.c.hash.in_(some))
            for some in _in_parts(left):
                old = STOOD.c.block_number < stale
                self._drop(run, STOOD, old, STOOD.c.account.in_(some))

    def leaks(self) -> tuple[int, ...]:
        """Batches whose key was shown before their lock-out, ascending."""
        rows = self._all(self._rows(LEAKS, LEAKS.c.batch))
        return tuple(sorted({row[0] for row in rows}))

    # ------------------------------------------------------------------- what was decided, signed

    def remember_lock_out(self, batch: int, block_hash: bytes) -> None:
        """Note the lock-out block on whose content the key of `batch` is published."""
        with self._transaction() as run:
            self._drop(run, LOCK_OUTS, LOCK_OUTS.c.batch == batch)
            self._add(run, LOCK_OUTS, [{"batch": batch, "hash": block_hash}])

    def lock_out(self, batch: int) -> bytes | None:
        """Hash of the lock-out block noted for `batch`."""
        c = LOCK_OUTS.c
        rows = self._all(self._rows(LOCK_OUTS, c.hash).where(c.batch == batch))
        return bytes(rows[0][0]) if rows else None

    def remember_prices(
        self,
        batch: int,
        book: bytes,
        prices: Mapping[int, int],
        shadows: Mapping[bytes, Sequence[int]],
    ) -> None:
        """Keep accepted prices (X84 by product) and shadow prices of the book with this hash."""
        text = json.dumps(
            [
                {str(k): str(p) for k, p in prices.items()},
                {account.hex(): [str(v) for v in values] for account, values in shadows.items()},
            ]
        )
        c = PRICES.c
        with self._transaction() as run:
            self._drop(run, PRICES, c.batch == batch, c.book == book)
            self._add(run, PRICES, [{"batch": batch, "book": book, "prices": text}])

    def prices(
        self, batch: int, book: bytes
    ) -> tuple[dict[int, int], dict[bytes, tuple[int, ...]]] | None:
        """Prices and shadow prices kept for exactly this book."""
        c = PRICES.c
        query = self._rows(PRICES, c.prices).where(c.batch == batch, c.book == book)
        rows = self._all(query)
        return _priced(rows[0][0]) if rows else None

    def last_prices(self) -> tuple[dict[int, int], dict[bytes, tuple[int, ...]]] | None:
        """Prices and shadow prices kept for the newest batch."""
        query = self._rows(PRICES, PRICES.c.prices).order_by(PRICES.c.batch.desc()).limit(1)
        rows = self._all(query)
        return _priced(rows[0][0]) if rows else None

    def remember_effects(self, batch: int, chunks: Sequence[tuple[bytes, bytes]]) -> None:
        """Keep (digest, effects) of the chunks of a batch's run, in order; nothing else of it."""
        kept = self.effects(batch)
        pairs = zip(kept, chunks, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        rows = [
            {"batch": batch, "chunk": number, "digest": digest, "effects": effects}
            for number, (digest, effects) in enumerate(chunks[same:], same)
        ]
        c = EFFECTS.c
        with self._transaction() as run:
            self._drop(run, EFFECTS, c.batch == batch, c.chunk >= same)
            self._add(run, EFFECTS, rows)

    def effects(self, batch: int) -> tuple[tuple[bytes, bytes], ...]:
        """(digest, effects) kept for a batch, by chunk."""
        c = EFFECTS.c
        query = self._rows(EFFECTS, c.digest, c.effects).where(c.batch == batch)
        return tuple((row[0], row[1]) for row in self._all(query.order_by(c.chunk)))

    # ------------------------------------------------------------------------- what stands

    def find(self, stand_hash: bytes) -> Body | None:
        """The body behind a hash, if it was ever learned."""
        query = self._rows(BODIES, BODIES.c.body, BODIES.c.done)
        rows = self._all(query.where(BODIES.c.hash == stand_hash))
        return Body(rows[0][0], tuple(map(int, json.loads(rows[0][1])))) if rows else None

    def keep(self, bodies: Iterable[Body]) -> None:
        """Keep bodies under their hashes."""
        newest = self.cursor()
        seen = 0 if newest is None else newest.number
        rows = {
            body.hash: {
                "hash": body.hash,
                "block_number": seen,
                "body": body.body,
                "done": json.dumps([str(d) for d in body.done]),
            }
            for body in bodies
        }
        with self._transaction() as run:
            for some in _in_parts(rows):
                self._drop(run, BODIES, BODIES.c.hash.in_(some))
            self._add(run, BODIES, rows.values())

    # ------------------------------------------------------------------------- transactions

    def record_attempt(self, batch: int, action: str, attempt: Attempt) -> None:
        """Keep a signed transaction before any node sees it."""
        row = {
            "hash": attempt.hash,
            "batch": batch,
            "action": action,
            "nonce": attempt.nonce,
            "max_fee": str(attempt.max_fee),
            "tip": str(attempt.tip),
        }
        with self._transaction() as run:
            known = self._rows(ATTEMPTS, ATTEMPTS.c.hash).where(ATTEMPTS.c.hash == attempt.hash)
            if run.execute(known).first() is None:
                self._add(run, ATTEMPTS, [row])

    def attempts(self, batch: int, action: str) -> tuple[Attempt, ...]:
        """Signed transactions of one action on a batch, by nonce and fee."""
        c = ATTEMPTS.c
        query = self._rows(ATTEMPTS, c.hash, c.nonce, c.max_fee, c.tip)
        rows = self._all(query.where(c.batch == batch, c.action == action))
        found = [Attempt(digest, nonce, int(fee), int(tip)) for digest, nonce, fee, tip in rows]
        return tuple(sorted(found, key=lambda a: (a.nonce, a.max_fee)))

    def nonces_used(self) -> int:
        """One more than the highest nonce ever signed here; 0 if none was."""
        rows = self._all(self._rows(ATTEMPTS, func.max(ATTEMPTS.c.nonce)))
        return 0 if rows[0][0] is None else int(rows[0][0]) + 1

    def _stale(self, newest: Cursor | None) -> int:
        """Blocks before it are older than any reorganisation."""
        return (0 if newest is None else newest.number) - self.reorg_depth * 4


def _priced(text: str) -> tuple[dict[int, int], dict[bytes, tuple[int, ...]]]:
    prices, shadows = json.loads(text)
    return (
        {int(k): int(p) for k, p in prices.items()},
        {bytes.fromhex(a): tuple(map(int, values)) for a, values in shadows.items()},
    )


def _in_parts(values: Iterable[T]) -> Iterator[list[T]]:
    """As many as one statement may hold."""
    remaining = iter(values)
    while part := list(islice(remaining, _PART)):
        yield part
