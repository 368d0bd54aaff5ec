"""From the journal's seals to a settlement that the certificate's twin accepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import Any, NamedTuple, Protocol

from walras.batch import BatchState
from walras.bodies import Body
from walras.certificate import Opened, Settlement, open_batch, settle
from walras.chain.books import book_at_lock_out, book_of
from walras.chain.lockout import Book, live_seals
from walras.chain.market import Market
from walras.operator.meter import Meter
from walras.sealing import keccak256
from walras.settlement import encode_submissions
from walras.store import Journal

__all__ = ["Cleared", "Clearing", "Found", "Log", "Solver"]


class Found(Protocol):
    """Prices X84 by product and shadow prices X84 by account."""

    @property
    def prices(self) -> dict[int, int]:
        """By product."""

    @property
    def shadows(self) -> dict[bytes, tuple[int, ...]]:
        """By account, of those with costs."""


class _Before(NamedTuple):
    """Prices X84 and shadow prices X84 to begin from."""

    prices: dict[int, int]
    shadows: dict[bytes, tuple[int, ...]]


class Solver(Protocol):
    """Finds the clearing prices of opened submissions, from those of a batch before."""

    def __call__(
        self, state: BatchState, opened: Sequence[Opened], /, *, warm: Any = None
    ) -> Found:
        """Raises ClearingError if the certificate refuses what was found."""


class Log(Protocol):
    """Where events go: structlog's bound logger, or anything alike."""

    def info(self, event: str, **values: Any) -> Any:
        """Note what happened."""

    def warning(self, event: str, **values: Any) -> Any:
        """Note what a person should look at some time."""

    def error(self, event: str, **values: Any) -> Any:
        """Note what a person should look at now."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """A batch ready to be sent: its book opened, prices X84, shadow prices, their effects."""

    book: Book
    opened: tuple[Opened, ...]
    prices: Mapping[int, int]
    shadows: Mapping[bytes, tuple[int, ...]]
    settlement: Settlement

    @property
    def submissions(self) -> bytes:
        """Items of all live accounts as a settlement in one transaction takes them."""
        return encode_submissions(self.book.entries, self.settlement.shadows)


class Clearing:
    """Clears batches of one market; a book solved before a restart is not solved again."""

    def __init__(
        self,
        market: Market,
        journal: Journal,
        solve: Solver,
        log: Log,
        meter: Meter,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._market = market
        self._journal = journal
        self._solve = solve
        self._log = log
        self._meter = meter
        self._clock = clock
        self._last: Found | None = None

    def prepare(self, batch: int) -> Cleared:
        """Open and solve a batch whose key is public; what stands after it is kept.

        Raises ClearingError or CertificateError when there are no acceptable prices.
        """
        seconds = {"began": self._clock()}
        book = self._book(batch)
        seconds["read"] = self._clock()
        opened = open_batch(book.state, book.entries)
        seconds["opened"] = self._clock()
        key = keccak256(encode_submissions(book.entries))
        prices, shadows = self._journal.prices(batch, key) or self._found(batch, book, opened)
        seconds["solved"] = self._clock()
        settlement = settle(book.state, opened, prices, shadows)
        self._journal.remember_prices(batch, key, prices, shadows)
        self._journal.keep(Body(s.body, s.done) for s in settlement.standing.values())
        seconds["settled"] = self._clock()
        voids = {f"0x{account.hex()}": why.name for account, why in settlement.voids.items()}
        took = {name: at - before for (_, before), (name, at) in pairwise(seconds.items())}
        self._meter.cleared(took, len(opened), len(voids))
        self._log.info(
            "cleared",
            batch=batch,
            accounts=len(opened),
            products=len(prices),
            voids=voids,
            seconds={name: round(value, 4) for name, value in took.items()},
        )
        return Cleared(book, opened, prices, shadows, settlement)

    def _found(
        self, batch: int, book: Book, opened: Sequence[Opened]
    ) -> tuple[Mapping[int, int], Mapping[bytes, tuple[int, ...]]]:
        """Prices and shadow prices, sought from those of a batch before."""
        before = self._last or self._before(batch)
        self._last = self._solve(book.state, opened, warm=before)
        return self._last.prices, self._last.shadows

    def _before(self, batch: int) -> Found | None:
        """What the batch before came to, after a restart: from the journal, or from the chain."""
        kept = self._journal.last_prices()
        if kept is not None:
            return _Before(*kept)
        settled = self._market.settled_event(batch - 1) if batch > 1 else None
        if settled is None:
            return None
        return _Before(dict(zip(settled.products, settled.prices, strict=True)), {})

    def _book(self, batch: int) -> Book:
        """The book from the journal; from the whole chain if the journal lacks any of it."""
        seals = live_seals((r.account, r.units, r.ciphertext) for r in self._journal.seals(batch))
        stood = self._journal.stood()
        book = book_of(self._market, batch, seals, stood, bodies=self._journal)
        number, live, *_ = self._market.read_all([("batch",)])[0]
        if (number, live) == (batch, len(book.entries)):
            return book
        self._log.warning("rereading", batch=batch, journal=len(book.entries), live=live)
        return book_at_lock_out(self._market, batch, bodies=self._journal)
