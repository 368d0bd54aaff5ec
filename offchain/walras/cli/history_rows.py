"""The index of a market's history in human units: tokens, cash tokens, moments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from eth_utils.address import to_checksum_address

from walras.cli.export import Column, Kind
from walras.history_lines import FillLine, PriceLine
from walras.numbers import X44
from walras.schedule import Schedule
from walras.store.history import Index
from walras.units import MarketUnits

__all__ = ["OF_ACCOUNTS", "WHAT", "Range", "Rows", "columns_of"]


def _of_batch(**kinds: Kind) -> tuple[Column, ...]:
    """The batch and its time, then a column for each name."""
    kinds = {"batch": Kind.WHOLE, "time": Kind.MOMENT} | kinds
    return tuple(Column(name, kind) for name, kind in kinds.items())


_TEXT, _NUMBER, _WHOLE = Kind.TEXT, Kind.NUMBER, Kind.WHOLE
_COLUMNS: Final[Mapping[str, tuple[Column, ...]]] = {
    "prices": _of_batch(
        product=_TEXT,
        price=_NUMBER,
        reference=_NUMBER,
        volume=_NUMBER,
        turnover=_NUMBER,
        house=_NUMBER,
    ),
    "fills": _of_batch(
        account=_TEXT, auth=_WHOLE, product=_TEXT, quantity=_NUMBER, price=_NUMBER, cash=_NUMBER
    ),
    "batches": _of_batch(
        status=_TEXT,
        block=_WHOLE,
        settler=_TEXT,
        accounts=_WHOLE,
        voids=_WHOLE,
        turnover=_NUMBER,
        loss=_NUMBER,
        freedom=_NUMBER,
        rent=_NUMBER,
        burnt=_NUMBER,
        transactions=_WHOLE,
        gas=_WHOLE,
        fee=_NUMBER,
    ),
    "accounts": _of_batch(
        account=_TEXT,
        standing=Kind.YES,
        units=_WHOLE,
        cash=_NUMBER,
        rent=_NUMBER,
        void=_TEXT,
        change=_TEXT,
    ),
    "shadows": _of_batch(account=_TEXT, cost=_WHOLE, shadow_price=_NUMBER),
}
WHAT: Final = tuple(_COLUMNS)
OF_ACCOUNTS: Final = ("fills", "accounts", "shadows")
_WEI: Final = 10**18


@dataclass(frozen=True, slots=True)
class Range:
    """Batches first … last (None: the newest), of one account (20 bytes) or of all."""

    first: int = 0
    last: int | None = None
    account: bytes | None = None


def columns_of(what: str) -> tuple[Column, ...]:
    """What the rows of `what` consist of."""
    return _COLUMNS[what]


class Rows:
    """Rows of one market's index, values in the order of their columns.

    Auths and costs count from 1, as orders name them.
    """

    def __init__(self, index: Index, units: MarketUnits, schedule: Schedule) -> None:
        self._index = index
        self._units = units
        self._schedule = schedule
        self._labels = {p.id: units.label(p.id) for p in units.products}

    def read(self, what: str, chosen: Range) -> Iterator[tuple[Any, ...]]:
        """Rows of one of WHAT, ascending by batch."""
        readers: dict[str, Callable[[Range], Iterator[tuple[Any, ...]]]] = {
            "prices": self._prices,
            "fills": self._fills,
            "batches": self._batches,
            "accounts": self._accounts,
            "shadows": self._shadows,
        }
        return readers[what](chosen)

    def _prices(self, chosen: Range) -> Iterator[tuple[Any, ...]]:
        for line in self._index.prices(chosen.first, chosen.last):
            price = self._price(line.product, line.price)
            volume = self._tokens(line.product, line.volume)
            yield (
                *self._place(line.batch),
                self._labels[line.product],
                price,
                self._price(line.product, line.reference * X44),
                volume,
                price * volume,
                None if line.house is None else self._tokens(line.product, line.house),
            )

    def _fills(self, chosen: Range) -> Iterator[tuple[Any, ...]]:
        """A row for every leg of an auth that traded."""
        prices: dict[int, Fraction] = {}
        board = _Board(self._index.prices(chosen.first, chosen.last))
        batch = -1
        for line in self._index.fills(chosen.first, chosen.last, chosen.account):
            if line.batch != batch:
                batch = line.batch
                prices = {k: self._price(k, p) for k, p in board.of(batch).items()}
            yield from self._legs(line, prices)

    def _legs(self, line: FillLine, prices: Mapping[int, Fraction]) -> Iterator[tuple[Any, ...]]:
        place, owner = self._place(line.batch), to_checksum_address(line.account)
        for product, weight in line.legs:
            quantity = self._tokens(product, weight * line.rate)
            price = prices[product]
            label = self._labels[product]
            yield (*place, owner, line.auth + 1, label, quantity, price, -quantity * price)

    def _batches(self, chosen: Range) -> Iterator[tuple[Any, ...]]:
        used: dict[int, tuple[int, int, int]] = {}
        for move in self._index.gas(chosen.first, chosen.last):
            count, gas, wei = used.get(move.batch, (0, 0, 0))
            used[move.batch] = (count + 1, gas + move.gas, wei + move.gas * move.price)
        cash = self._units.cash.cash
        for line in self._index.batches(chosen.first, chosen.last):
            count, gas, wei = used.get(line.batch, (0, 0, 0))
            yield (
                *self._place(line.batch),
                line.status,
                line.block_number,
                line.settler,
                line.accounts,
                line.voids,
                *map(cash, (line.turnover, line.loss, line.freedom, line.rent, line.burnt)),
                count,
                gas,
                Fraction(wei, _WEI),
            )

    def _accounts(self, chosen: Range) -> Iterator[tuple[Any, ...]]:
        cash = self._units.cash.cash
        for line in self._index.accounts(chosen.first, chosen.last, chosen.account):
            yield (
                *self._place(line.batch),
                to_checksum_address(line.account),
                line.standing,
                line.units,
                cash(line.cash),
                cash(line.rent),
                line.reason,
                line.change,
            )

    def _shadows(self, chosen: Range) -> Iterator[tuple[Any, ...]]:
        for line in self._index.shadows(chosen.first, chosen.last, chosen.account):
            value = self._units.cash.cash(Fraction(line.shadow, X44))
            owner = to_checksum_address(line.account)
            yield (*self._place(line.batch), owner, line.cost + 1, value)

    def _place(self, batch: int) -> tuple[int, int]:
        """The batch and its lock-out, unix seconds."""
        return batch, self._schedule.boundaries(batch).lock_out

    def _price(self, product: int, x84: int) -> Fraction:
        """Cash tokens per token."""
        lot = self._units.by_id(product).tokens(Fraction(1))
        return self._units.cash.cash(Fraction(x84, X44)) / lot

    def _tokens(self, product: int, lots_x44: int) -> Fraction:
        return self._units.by_id(product).tokens_of_ledger(lots_x44)


class _Board:
    """Posted prices X84 by batch, read beside something else that ascends by batch."""

    def __init__(self, lines: Iterator[PriceLine]) -> None:
        self._lines = lines
        self._next = next(lines, None)

    def of(self, batch: int) -> dict[int, int]:
        """By product."""
        prices = {}
        while self._next is not None and self._next.batch <= batch:
            if self._next.batch == batch:
                prices[self._next.product] = self._next.price
            self._next = next(self._lines, None)
        return prices
