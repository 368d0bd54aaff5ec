"""Two venues side by side: whatever one of them makes of a batch, the other has to make of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from walras.batch import AccountState
from walras.simulate.agents import Cancel, Endowment, Seal
from walras.simulate.desk import Desk
from walras.simulate.venue import Opening, Outcome, Totals, Venue

__all__ = ["Compared", "Difference", "differences"]

_BY_KEY: Final = ("prices", "volumes", "references", "rates", "fills", "cash", "voids")
_WHOLE: Final = ("standing", "amended", "loss", "freedom")


@dataclass(frozen=True, slots=True)
class Difference:
    """In a batch: ``what`` (of product or account ``of``) is ``first`` here and ``second`` there.

    None where one has nothing.
    """

    batch: int
    what: str
    of: int | bytes | None
    first: Any
    second: Any


def differences(first: Outcome, second: Outcome) -> Iterator[Difference]:
    """All that two venues made differently of a batch, to the last bit."""
    for what in _BY_KEY:
        one, other = getattr(first, what), getattr(second, what)
        for key in sorted({*one, *other}):
            if one.get(key) != other.get(key):
                yield Difference(first.number, what, key, one.get(key), other.get(key))
    for what in _WHOLE:
        one, other = getattr(first, what), getattr(second, what)
        if one != other:
            yield Difference(first.number, what, None, one, other)


class Compared:
    """Opens a venue whose batches another one, given the same orders, clears too.

    The day goes on with what the first one says. ``differences`` are of the first batch that has
    any: from there on the two need not meet again.
    """

    def __init__(self, first: Opening, second: Opening) -> None:
        self._openings = first, second
        self.batches = 0
        self.differences: list[Difference] = []

    def __call__(self, desk: Desk, interval: float) -> Venue:
        """Open both."""
        first, second = (opening(desk, interval) for opening in self._openings)
        return _Both(first, second, self)

    def take(self, first: Outcome, second: Outcome) -> None:
        """Compare a batch that both have cleared."""
        self.batches += 1
        if not self.differences:
            self.differences += differences(first, second)


class _Both:
    """The first venue, with the second in its shadow."""

    def __init__(self, first: Venue, second: Venue, compared: Compared) -> None:
        self._first, self._second, self._compared = first, second, compared

    @property
    def accounts(self) -> Mapping[bytes, AccountState]:
        return self._first.accounts

    def deposit(self, endowments: Mapping[bytes, Endowment]) -> None:
        self._first.deposit(endowments)
        self._second.deposit(endowments)

    def enter(self, address: bytes, action: Seal | Cancel | None) -> None:
        self._first.enter(address, action)
        self._second.enter(address, action)

    def stands(self, address: bytes) -> bool:
        return self._first.stands(address)

    def totals(self) -> Totals:
        return self._first.totals()

    def clear(self) -> Outcome:
        first, second = self._first.clear(), self._second.clear()
        self._compared.take(first, second)
        return first
