"""What every store of one market does: rows of its own, and blocks to find where histories part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import Connection, Select, Table, delete, insert, select

from walras.store.tables import explained, open_database

__all__ = ["Cursor", "MarketStore", "plain"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """A block up to which a store has taken in the chain."""

    number: int
    hash: bytes


class MarketStore:
    """Rows of one market in a database. Raises StoreError when it cannot be used."""

    reorg_depth: ClassVar[int] = 256  # blocks kept to find where two histories part

    def __init__(self, url: str, chain_id: int, market: str) -> None:
        self._key: dict[str, Any] = {"chain_id": chain_id, "market": market}
        self._engine = open_database(url)

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

    def _cursors(self, table: Table) -> tuple[Cursor, ...]:
        """The latest blocks of `table`, newest first."""
        c = table.c
        query = self._rows(table, c.number, c.hash).order_by(c.number.desc())
        rows = self._all(query.limit(self.reorg_depth))
        return tuple(Cursor(number, bytes(digest)) for number, digest in rows)

    def _rows(self, table: Table, *columns: Any) -> Select[Any]:
        return select(*columns).where(*self._mine(table))

    def _mine(self, table: Table) -> tuple[Any, ...]:
        return tuple(table.c[name] == value for name, value in self._key.items())

    def _all(self, query: Select[Any]) -> Sequence[Any]:
        with self._connection() as run:
            return run.execute(query).all()

    def _add(self, run: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
        values = [self._key | row for row in rows]
        if values:
            run.execute(insert(table), values)

    def _drop(self, run: Connection, table: Table, *conditions: Any) -> None:
        run.execute(delete(table).where(*self._mine(table), *conditions))

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with explained(str(self._engine.url)), self._engine.connect() as run:
            yield run

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with explained(str(self._engine.url)), self._engine.begin() as run:
            yield run


def plain(record: Any) -> dict[str, Any]:
    """The fields of a dataclass's instance."""
    return {name: getattr(record, name) for name in type(record).__dataclass_fields__}
