"""The tables of a market's store, and how a database is opened.

SQLite by default, any SQLAlchemy URL otherwise. Every write is one transaction, durable when the
call returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
)
from sqlalchemy.exc import SQLAlchemyError

from walras.errors import StoreError

__all__ = [
    "ATTEMPTS",
    "BLOCKS",
    "BODIES",
    "EFFECTS",
    "LEAKS",
    "LOCK_OUTS",
    "PRICES",
    "SEALS",
    "STOOD",
    "explained",
    "open_database",
    "table",
]

_TABLES: Final = MetaData()


def table(name: str, *columns: Column[Any]) -> Table:
    """A table of one market; its columns start with the market's key."""
    return Table(
        name,
        _TABLES,
        Column("chain_id", BigInteger, primary_key=True),
        Column("market", String(42), primary_key=True),
        *columns,
    )


BLOCKS: Final = table(
    "blocks",
    Column("number", BigInteger, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
)
SEALS: Final = table(
    "seals",
    Column("block_number", BigInteger, primary_key=True),
    Column("log_index", Integer, primary_key=True),
    Column("batch", BigInteger, nullable=False, index=True),
    Column("account", String(42), nullable=False),
    Column("units", Integer, nullable=False),
    Column("ciphertext", LargeBinary),
)
LEAKS: Final = table(
    "leaks",
    Column("block_number", BigInteger, primary_key=True),
    Column("log_index", Integer, primary_key=True),
    Column("batch", BigInteger, nullable=False),
)
PRICES: Final = table(
    "prices",
    Column("batch", BigInteger, primary_key=True),
    Column("book", LargeBinary, primary_key=True),
    Column("prices", Text, nullable=False),
)
LOCK_OUTS: Final = table(
    "lock_outs",
    Column("batch", BigInteger, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
)
ATTEMPTS: Final = table(
    "attempts",
    Column("hash", LargeBinary, primary_key=True),
    Column("batch", BigInteger, nullable=False, index=True),
    Column("action", String(16), nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("max_fee", String(32), nullable=False),
    Column("tip", String(32), nullable=False),
)
STOOD: Final = table(
    "stood",
    Column("block_number", BigInteger, primary_key=True),
    Column("log_index", Integer, primary_key=True),
    Column("account", String(42), nullable=False),
)
BODIES: Final = table(
    "bodies",
    Column("hash", LargeBinary, primary_key=True),
    Column("block_number", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("done", Text, nullable=False),
)
EFFECTS: Final = table(
    "chunks",
    Column("batch", BigInteger, primary_key=True),
    Column("chunk", Integer, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("effects", LargeBinary, nullable=False),
)


def open_database(url: str) -> Engine:
    """The database at `url` with all tables. Raises StoreError when it cannot be used."""
    with explained(url):
        engine = create_engine(url)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _durable)
        _TABLES.create_all(engine)
    return engine


def _durable(connection: Any, _record: object) -> None:
    """SQLite survives a kill at any point and a power cut after any write."""
    run = connection.cursor()
    run.execute("PRAGMA journal_mode=WAL")
    run.execute("PRAGMA synchronous=FULL")
    run.execute("PRAGMA busy_timeout=5000")
    run.close()


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn a database's refusal into a StoreError that says what to check."""
    try:
        yield
    except (SQLAlchemyError, ImportError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StoreError(
            f"the database at {_without_password(url)} cannot be used ({reason}); "
            "check its address, directory and permissions"
        ) from error


def _without_password(url: str) -> str:
    scheme, at, rest = url.rpartition("@")
    return f"{scheme.split('://')[0]}://…@{rest}" if at else url
