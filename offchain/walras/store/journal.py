"""The clearer's journal: what it has seen, computed and signed, keyed by chain, market and batch.

The chain decides, the journal only remembers: losing it costs time, never money.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Table, delete, func, insert, select

from walras.bodies import Body
from walras.chain.sender import Attempt
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
    explained,
    open_database,
)

__all__ = ["Cursor", "Journal", "SealRecord"]

T = TypeVar("T")

_PART: Final = 500  # values of a condition
REORG_DEPTH: Final = 256  # observed blocks kept to find where two histories part


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last block whose events are in the journal."""

    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class SealRecord:
    """One seal of an account, or with `ciphertext` None its cancellation."""

    batch: int
    block_number: int
    log_index: int
    account: str
    units: int
    ciphertext: bytes | None


class Journal:
    """The journal of one market. Raises StoreError when the database cannot be used."""

    def __init__(self, url: str, chain_id: int, market: str) -> None:
        self._key: dict[str, Any] = {"chain_id": chain_id, "market": market}
        self._engine = open_database(url)

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

    # -------------------------------------------------------------------------- what was seen

    def cursor(self) -> Cursor | None:
        """The newest block seen, None before the first."""
        known = self.known_blocks()
        return known[0] if known else None

    def known_blocks(self) -> tuple[Cursor, ...]:
        """The latest blocks seen, newest first."""
        query = (
            self._rows(BLOCKS, BLOCKS.c.number, BLOCKS.c.hash)
            .order_by(BLOCKS.c.number.desc())
            .limit(REORG_DEPTH)
        )
        return tuple(Cursor(number, digest) for number, digest in self._all(query))

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
            run.execute(insert(BLOCKS), self._key | {"number": to.number, "hash": to.hash})
            stale = to.number - REORG_DEPTH * 4
            run.execute(delete(BLOCKS).where(*self._mine(BLOCKS), BLOCKS.c.number < stale))
            if seals:
                run.execute(insert(SEALS), [self._key | _plain(seal) for seal in seals])
            if leaks:
                names = ("batch", "block_number", "log_index")
                run.execute(
                    insert(LEAKS),
                    [self._key | dict(zip(names, leak, strict=True)) for leak in leaks],
                )
            if stood:
                names = ("account", "block_number", "log_index")
                run.execute(
                    insert(STOOD), [self._key | dict(zip(names, one, strict=True)) for one in stood]
                )

    def rewind(self, to: int) -> None:
        """Forget everything seen in blocks after number `to`."""
        with self._transaction() as run:
            run.execute(delete(BLOCKS).where(*self._mine(BLOCKS), BLOCKS.c.number > to))
            for table in (SEALS, LEAKS, STOOD):
                run.execute(delete(table).where(*self._mine(table), table.c.block_number > to))

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
        newest = self.cursor()
        stale = (0 if newest is None else newest.number) - REORG_DEPTH * 4
        bodies = self._rows(BODIES, BODIES.c.hash).where(BODIES.c.block_number < stale)
        owners = self._rows(STOOD, STOOD.c.account).where(STOOD.c.block_number < stale)
        dead = {bytes(row[0]) for row in self._all(bodies)}.difference(standing.values())
        left = {row[0] for row in self._all(owners)}.difference(standing)
        last = self.nonces_used() - 1
        with self._transaction() as run:
            for table in (SEALS, LOCK_OUTS, PRICES, EFFECTS):
                run.execute(delete(table).where(*self._mine(table), table.c.batch < before))
            old = (ATTEMPTS.c.batch < before) & (ATTEMPTS.c.nonce < last)
            run.execute(delete(ATTEMPTS).where(*self._mine(ATTEMPTS), old))
            for some in _in_parts(dead):
                run.execute(delete(BODIES).where(*self._mine(BODIES), BODIES.c.hash.in_(some)))
            for some in _in_parts(left):
                gone = (STOOD.c.block_number < stale) & STOOD.c.account.in_(some)
                run.execute(delete(STOOD).where(*self._mine(STOOD), gone))

    def leaks(self) -> tuple[int, ...]:
        """Batches whose key was shown before their lock-out, ascending."""
        rows = self._all(self._rows(LEAKS, LEAKS.c.batch))
        return tuple(sorted({row[0] for row in rows}))

    # ------------------------------------------------------------------- what was decided, signed

    def remember_lock_out(self, batch: int, block_hash: bytes) -> None:
        """Note the lock-out block on whose content the key of `batch` is published."""
        row = self._key | {"batch": batch, "hash": block_hash}
        with self._transaction() as run:
            run.execute(delete(LOCK_OUTS).where(*self._mine(LOCK_OUTS), LOCK_OUTS.c.batch == batch))
            run.execute(insert(LOCK_OUTS), row)

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
            run.execute(delete(PRICES).where(*self._mine(PRICES), c.batch == batch, c.book == book))
            run.execute(insert(PRICES), self._key | {"batch": batch, "book": book, "prices": text})

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
        """Keep (digest, effects) of the chunks of a batch, in order, until they are applied."""
        known = {digest for digest, _ in self.effects(batch)}
        rows = [
            self._key | {"digest": digest, "batch": batch, "chunk": number, "effects": effects}
            for number, (digest, effects) in enumerate(chunks)
            if digest not in known
        ]
        if rows:
            with self._transaction() as run:
                run.execute(insert(EFFECTS), rows)

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
        rows = {body.hash: body for body in bodies}
        if not rows:
            return
        newest = self.cursor()
        seen = self._key | {"block_number": 0 if newest is None else newest.number}
        with self._transaction() as run:
            for some in _in_parts(rows):
                run.execute(delete(BODIES).where(*self._mine(BODIES), BODIES.c.hash.in_(some)))
            run.execute(
                insert(BODIES),
                [
                    seen | {"hash": h, "body": b.body, "done": json.dumps([str(d) for d in b.done])}
                    for h, b in rows.items()
                ],
            )

    # ------------------------------------------------------------------------- transactions

    def record_attempt(self, batch: int, action: str, attempt: Attempt) -> None:
        """Keep a signed transaction before any node sees it."""
        row = self._key | {
            "hash": attempt.hash,
            "batch": batch,
            "action": action,
            "nonce": attempt.nonce,
            "max_fee": str(attempt.max_fee),
            "tip": str(attempt.tip),
        }
        with self._transaction() as run:
            known = select(ATTEMPTS.c.hash).where(
                *self._mine(ATTEMPTS), ATTEMPTS.c.hash == attempt.hash
            )
            if run.execute(known).first() is None:
                run.execute(insert(ATTEMPTS), row)

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

    # ---------------------------------------------------------------------------------- plumbing

    def _rows(self, table: Table, *columns: Any) -> Any:
        return select(*columns).where(*self._mine(table))

    def _mine(self, table: Table) -> tuple[Any, ...]:
        return tuple(table.c[name] == value for name, value in self._key.items())

    def _all(self, query: Any) -> Sequence[Any]:
        with explained(str(self._engine.url)), self._engine.connect() as run:
            return run.execute(query).all()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with explained(str(self._engine.url)), self._engine.begin() as run:
            yield run


def _plain(seal: SealRecord) -> dict[str, Any]:
    return {name: getattr(seal, name) for name in SealRecord.__dataclass_fields__}


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
