"""From the journal's seals to a settlement that the certificate's twin accepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from walras.batch import BatchState
from walras.certificate import Opened, Settlement, open_batch, settle
from walras.chain.lockout import live_seals
from walras.chain.market import Market
from walras.sealing import keccak256
from walras.settlement import encode_submissions
from walras.store import Journal

__all__ = ["Cleared", "Clearing", "Log", "Solver"]

Solver = Callable[[BatchState, Sequence[Opened]], Mapping[int, int]]


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
    """A batch ready to be sent: prices X84, (account, ciphertext) ascending, their effects."""

    prices: Mapping[int, int]
    submissions: Sequence[tuple[bytes, bytes]]
    settlement: Settlement


class Clearing:
    """Clears batches of one market; a book solved before a restart is not solved again."""

    def __init__(self, market: Market, journal: Journal, solve: Solver, log: Log) -> None:
        self._market = market
        self._journal = journal
        self._solve = solve
        self._log = log

    def prepare(self, batch: int) -> Cleared:
        """Open and solve a batch whose key is public.

        Raises ClearingError or CertificateError when there are no acceptable prices.
        """
        state, ciphertexts = self._book(batch)
        submissions = sorted(ciphertexts.items())
        opened = open_batch(state, ciphertexts)
        book = keccak256(encode_submissions(submissions))
        prices = self._journal.prices(batch, book)
        if prices is None:
            prices = dict(self._solve(state, opened))
        settlement = settle(state, opened, prices)
        self._journal.remember_prices(batch, book, prices)
        voids = {f"0x{account.hex()}": why.name for account, why in settlement.voids.items()}
        self._log.info(
            "cleared", batch=batch, accounts=len(opened), products=len(prices), voids=voids
        )
        return Cleared(prices, submissions, settlement)

    def _book(self, batch: int) -> tuple[BatchState, dict[bytes, bytes]]:
        """The book from the journal; from the whole chain if the journal lacks any of it."""
        seals = live_seals((r.account, r.units, r.ciphertext) for r in self._journal.seals(batch))
        number, live, *_ = self._market.read_all([("batch",)])[0]
        if (number, live) == (batch, len(seals)):
            return self._market.state_of(batch, seals)
        self._log.warning("rereading", batch=batch, journal=len(seals), live=live)
        return self._market.state_at_lock_out(batch)
