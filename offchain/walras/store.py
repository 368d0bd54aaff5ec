"""The clearer's journal: what it has seen, computed and signed, keyed by chain, market and batch.

The chain decides, the journal only remembers: losing it costs time, never money. SQLite by default,
any SQLAlchemy URL otherwise. Every write is one transaction, durable when the call returns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
)
from sqlalchemy.exc import SQLAlchemyError

from walras.chain.sender import Attempt
from walras.errors import StoreError

__all__ = ["Cursor", "Journal", "SealRecord"]

REORG_DEPTH: Final = 256  # observed blocks kept to find where two histories part

_TABLES: Final = MetaData()


def _table(name: str, *columns: Column[Any]) -> Table:
    """A table of one market; its columns start with the market's key."""
    return Table(
        name,
        _TABLES,
        Column("chain_id", BigInteger, primary_key=True),
        Column("market", String(42), primary_key=True),
        *columns,
    )


_BLOCKS: Final = _table(
    "blocks",
    Column("number", BigInteger, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
)
_SEALS: Final = _table(
    "seals",
    Column("block_number", BigInteger, primary_key=True),
    Column("log_index", Integer, primary_key=True),
    Column("batch", BigInteger, nullable=False, index=True),
    Column("account", String(42), nullable=False),
    Column("units", Integer, nullable=False),
    Column("ciphertext", LargeBinary),
)
_LEAKS: Final = _table(
    "leaks",
    Column("block_number", BigInteger, primary_key=True),
    Column("log_index", Integer, primary_key=True),
    Column("batch", BigInteger, nullable=False),
)
_PRICES: Final = _table(
    "prices",
    Column("batch", BigInteger, primary_key=True),
    Column("book", LargeBinary, primary_key=True),
    Column("prices", Text, nullable=False),
)
_LOCK_OUTS: Final = _table(
    "lock_outs",
    Column("batch", BigInteger, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
)
_ATTEMPTS: Final = _table(
    "attempts",
    Column("hash", LargeBinary, primary_key=True),
    Column("batch", BigInteger, nullable=False, index=True),
    Column("action", String(16), nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("max_fee", String(32), nullable=False),
    Column("tip", String(32), nullable=False),
)


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
        with _explained(url):
            self._engine = create_engine(url)
            if self._engine.dialect.name == "sqlite":
                event.listen(self._engine, "connect", _durable)
            _TABLES.create_all(self._engine)

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
            self._rows(_BLOCKS, _BLOCKS.c.number, _BLOCKS.c.hash)
            .order_by(_BLOCKS.c.number.desc())
            .limit(REORG_DEPTH)
        )
        return tuple(Cursor(number, digest) for number, digest in self._all(query))

    def advance(
        self, to: Cursor, seals: Sequence[SealRecord], leaks: Sequence[tuple[int, int, int]] = ()
    ) -> None:
        """Take in the events up to a block; `leaks` are (batch, block number, log index)."""
        with self._transaction() as run:
            run.execute(insert(_BLOCKS), self._key | {"number": to.number, "hash": to.hash})
            stale = to.number - REORG_DEPTH * 4
            run.execute(delete(_BLOCKS).where(*self._mine(_BLOCKS), _BLOCKS.c.number < stale))
            if seals:
                run.execute(insert(_SEALS), [self._key | _plain(seal) for seal in seals])
            if leaks:
                names = ("batch", "block_number", "log_index")
                run.execute(
                    insert(_LEAKS),
                    [self._key | dict(zip(names, leak, strict=True)) for leak in leaks],
                )

    def rewind(self, to: int) -> None:
        """Forget everything seen in blocks after number `to`."""
        with self._transaction() as run:
            run.execute(delete(_BLOCKS).where(*self._mine(_BLOCKS), _BLOCKS.c.number > to))
            for table in (_SEALS, _LEAKS):
                run.execute(delete(table).where(*self._mine(table), table.c.block_number > to))

    def seals(self, batch: int) -> tuple[SealRecord, ...]:
        """Seals and cancellations of a batch in chain order."""
        c = _SEALS.c
        columns = (c.batch, c.block_number, c.log_index, c.account, c.units, c.ciphertext)
        query = self._rows(_SEALS, *columns).where(c.batch == batch)
        rows = self._all(query.order_by(c.block_number, c.log_index))
        return tuple(SealRecord(*row) for row in rows)

    def leaks(self) -> tuple[int, ...]:
        """Batches whose key was shown before their lock-out, ascending."""
        rows = self._all(self._rows(_LEAKS, _LEAKS.c.batch))
        return tuple(sorted({row[0] for row in rows}))

    # ------------------------------------------------------------------- what was decided, signed

    def remember_lock_out(self, batch: int, block_hash: bytes) -> None:
        """Note the lock-out block on whose content the key of `batch` is published."""
        row = self._key | {"batch": batch, "hash": block_hash}
        with self._transaction() as run:
            run.execute(
                delete(_LOCK_OUTS).where(*self._mine(_LOCK_OUTS), _LOCK_OUTS.c.batch == batch)
            )
            run.execute(insert(_LOCK_OUTS), row)

    def lock_out(self, batch: int) -> bytes | None:
        """Hash of the lock-out block noted for `batch`."""
        c = _LOCK_OUTS.c
        rows = self._all(self._rows(_LOCK_OUTS, c.hash).where(c.batch == batch))
        return bytes(rows[0][0]) if rows else None

    def remember_prices(self, batch: int, book: bytes, prices: Mapping[int, int]) -> None:
        """Keep accepted prices (X84 by product) of the book with this hash."""
        text = json.dumps({str(k): str(p) for k, p in prices.items()})
        c = _PRICES.c
        with self._transaction() as run:
            run.execute(
                delete(_PRICES).where(*self._mine(_PRICES), c.batch == batch, c.book == book)
            )
            run.execute(insert(_PRICES), self._key | {"batch": batch, "book": book, "prices": text})

    def prices(self, batch: int, book: bytes) -> dict[int, int] | None:
        """Prices kept for exactly this book."""
        c = _PRICES.c
        query = self._rows(_PRICES, c.prices).where(c.batch == batch, c.book == book)
        rows = self._all(query)
        return {int(k): int(p) for k, p in json.loads(rows[0][0]).items()} if rows else None

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
            known = select(_ATTEMPTS.c.hash).where(
                *self._mine(_ATTEMPTS), _ATTEMPTS.c.hash == attempt.hash
            )
            if run.execute(known).first() is None:
                run.execute(insert(_ATTEMPTS), row)

    def attempts(self, batch: int, action: str) -> tuple[Attempt, ...]:
        """Signed transactions of one action on a batch, by nonce and fee."""
        c = _ATTEMPTS.c
        query = self._rows(_ATTEMPTS, c.hash, c.nonce, c.max_fee, c.tip)
        rows = self._all(query.where(c.batch == batch, c.action == action))
        found = [Attempt(digest, nonce, int(fee), int(tip)) for digest, nonce, fee, tip in rows]
        return tuple(sorted(found, key=lambda a: (a.nonce, a.max_fee)))

    def nonces_used(self) -> int:
        """One more than the highest nonce ever signed here; 0 if none was."""
        rows = self._all(self._rows(_ATTEMPTS, func.max(_ATTEMPTS.c.nonce)))
        return 0 if rows[0][0] is None else int(rows[0][0]) + 1

    # ---------------------------------------------------------------------------------- plumbing

    def _rows(self, table: Table, *columns: Any) -> Any:
        return select(*columns).where(*self._mine(table))

    def _mine(self, table: Table) -> tuple[Any, ...]:
        return tuple(table.c[name] == value for name, value in self._key.items())

    def _all(self, query: Any) -> Sequence[Any]:
        with _explained(str(self._engine.url)), self._engine.connect() as run:
            return run.execute(query).all()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with _explained(str(self._engine.url)), self._engine.begin() as run:
            yield run


def _plain(seal: SealRecord) -> dict[str, Any]:
    return {name: getattr(seal, name) for name in SealRecord.__dataclass_fields__}


def _durable(connection: Any, _record: object) -> None:
    """SQLite survives a kill at any point and a power cut after any write."""
    run = connection.cursor()
    run.execute("PRAGMA journal_mode=WAL")
    run.execute("PRAGMA synchronous=FULL")
    run.execute("PRAGMA busy_timeout=5000")
    run.close()


@contextmanager
def _explained(url: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, ImportError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StoreError(
            f"the journal at {_without_password(url)} cannot be used ({reason}); "
            "check its address, directory and permissions"
        ) from error


def _without_password(url: str) -> str:
    scheme, at, rest = url.rpartition("@")
    return f"{scheme.split('://')[0]}://…@{rest}" if at else url
