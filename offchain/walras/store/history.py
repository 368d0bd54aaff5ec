"""The index of a market's history: rows of `walras.history` by batch, with the block they are of.

Everything in it comes from the chain and can be built again; a row is forgotten with its block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, TypeVar

from sqlalchemy import Column, Table, func, select

from walras.batch import Product
from walras.history_lines import AccountLine, BatchLine, FillLine, GasLine, PriceLine, ShadowLine
from walras.store.base import Cursor, MarketStore, plain
from walras.store.history_tables import (
    ACCOUNTS,
    BATCHES,
    CURSORS,
    DECLARED,
    FILLS,
    GAS,
    PRICES,
    SCALES,
    SHADOWS,
)

__all__ = ["Declared", "Index", "Line", "Scale"]

_ALL: Final = (BATCHES, PRICES, ACCOUNTS, FILLS, SHADOWS, GAS, SCALES, DECLARED)


@dataclass(frozen=True, slots=True)
class Scale:
    """A product's scale X24 from a block on, and what it was listed with."""

    product: int
    block_number: int
    scale: int
    tick_bps: int
    depth_log2: int


@dataclass(frozen=True, slots=True)
class Declared:
    """Units that an account's standing submission declares, from a block on."""

    account: bytes
    block_number: int
    units: int


Line = BatchLine | PriceLine | AccountLine | FillLine | ShadowLine | GasLine | Scale | Declared
L = TypeVar("L", BatchLine, PriceLine, AccountLine, FillLine, ShadowLine, GasLine)

_TABLE_OF: Final[Mapping[type[Any], Table]] = {
    BatchLine: BATCHES,
    PriceLine: PRICES,
    AccountLine: ACCOUNTS,
    FillLine: FILLS,
    ShadowLine: SHADOWS,
    GasLine: GAS,
    Scale: SCALES,
    Declared: DECLARED,
}


class Index(MarketStore):
    """The history of one market. Raises StoreError when the database cannot be used."""

    # ---------------------------------------------------------------------------- following

    def cursors(self) -> tuple[Cursor, ...]:
        """Blocks up to which it was complete, newest first."""
        return self._cursors(CURSORS)

    def advance(self, to: Cursor, lines: Iterable[Line]) -> None:
        """Take in rows of all blocks up to `to`."""
        rows: dict[Table, list[dict[str, Any]]] = {}
        for line in lines:
            rows.setdefault(_TABLE_OF[type(line)], []).append(plain(line))
        number = CURSORS.c.number
        with self._transaction() as run:
            for table_, values in rows.items():
                self._add(run, table_, values)
            self._add(run, CURSORS, [plain(to)])
            newest_first = self._rows(CURSORS, number).order_by(number.desc())
            oldest = run.execute(newest_first.limit(1).offset(self.reorg_depth)).scalar()
            if oldest is not None:
                self._drop(run, CURSORS, number <= oldest)

    def rewind(self, to: int) -> None:
        """Forget everything of blocks after number `to`."""
        with self._transaction() as run:
            for table_ in _ALL:
                self._drop(run, table_, table_.c.block_number > to)
            self._drop(run, CURSORS, CURSORS.c.number > to)

    def products(self) -> dict[int, Product]:
        """Products seen, with their newest scale and reference; houses are not known."""
        scales: dict[int, Scale] = {}
        c = SCALES.c
        columns = (c.product, c.block_number, c.scale, c.tick_bps, c.depth_log2)
        for row in self._all(self._rows(SCALES, *columns).order_by(c.block_number)):
            scales[row[0]] = Scale(*row)
        references = self._newest(PRICES, PRICES.c.product, PRICES.c.next_reference)
        return {
            k: Product(k, 0, references.get(k, s.scale << 16), s.scale, s.tick_bps, s.depth_log2)
            for k, s in scales.items()
        }

    def declared(self) -> dict[bytes, int]:
        """Units of every account whose submission ever stood."""
        return self._newest(DECLARED, DECLARED.c.account, DECLARED.c.units)

    # ---------------------------------------------------------------------------- questions

    def batches(self, first: int = 0, last: int | None = None) -> Iterator[BatchLine]:
        """Batches first … last, ascending."""
        return self._lines(BatchLine, first, last)

    def prices(self, first: int = 0, last: int | None = None) -> Iterator[PriceLine]:
        """Prices by batch and product."""
        return self._lines(PriceLine, first, last)

    def accounts(
        self, first: int = 0, last: int | None = None, account: bytes | None = None
    ) -> Iterator[AccountLine]:
        """What accounts were live and what became of it, by batch and account."""
        return self._lines(AccountLine, first, last, account)

    def fills(
        self, first: int = 0, last: int | None = None, account: bytes | None = None
    ) -> Iterator[FillLine]:
        """What auths traded, by batch, account and auth."""
        return self._lines(FillLine, first, last, account)

    def shadows(
        self, first: int = 0, last: int | None = None, account: bytes | None = None
    ) -> Iterator[ShadowLine]:
        """Shadow prices by batch, account and cost."""
        return self._lines(ShadowLine, first, last, account)

    def gas(self, first: int = 0, last: int | None = None) -> Iterator[GasLine]:
        """Transactions that moved batches on, in chain order."""
        return self._lines(GasLine, first, last)

    # ----------------------------------------------------------------------------- plumbing

    def _lines(
        self, kind: type[L], first: int, last: int | None, account: bytes | None = None
    ) -> Iterator[L]:
        table_: Table = _TABLE_OF[kind]
        names = [f.name for f in fields(kind)]
        query = self._rows(table_, *(table_.c[name] for name in names))
        query = query.where(table_.c.batch >= first)
        if last is not None:
            query = query.where(table_.c.batch <= last)
        if account is not None:
            query = query.where(table_.c.account == account)
        order = [table_.c.batch, *(c for c in table_.primary_key if c.name not in self._key)]
        with self._connection() as run:
            for row in run.execution_options(yield_per=1_000).execute(query.order_by(*order)):
                yield kind(*row)

    def _newest(self, table_: Table, key: Column[Any], value: Column[Any]) -> dict[Any, int]:
        """The value of the latest block, by key."""
        newest = (
            select(key.label("key"), func.max(table_.c.block_number).label("block"))
            .where(*self._mine(table_))
            .group_by(key)
            .subquery()
        )
        query = self._rows(table_, key, value).join(
            newest, (key == newest.c.key) & (table_.c.block_number == newest.c.block)
        )
        return {row[0]: row[1] for row in self._all(query)}
