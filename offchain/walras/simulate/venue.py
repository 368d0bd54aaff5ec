"""What the loop of a simulation asks of a market, wherever that is: in memory, on a chain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from walras.auths import Submission
from walras.batch import AccountState
from walras.decoding import VoidReason
from walras.simulate.agents import Cancel, Endowment, Seal
from walras.simulate.desk import Desk

__all__ = ["Opening", "Outcome", "Totals", "Venue"]


@dataclass(frozen=True, slots=True)
class Totals:
    """Everything there is: cash X40, and lots X44 by product, of accounts and house together."""

    cash: int
    lots: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What batch ``number`` came to. Accounts are 20 bytes, ascending.

    ``submissions`` of all who were live. ``rates`` portfolio units X44 by auth, ``fills`` lots X44
    and ``cash`` X40 received, of those who traded; ``voids`` of the others. ``prices`` X84,
    ``volumes`` lots X44, ``references`` X40 after the batch, of the products that somebody listed.
    ``standing`` accounts are live in the next batch too, ``amended`` ones of them with another
    body. ``loss`` and ``freedom`` cash X40 as in SPEC §6.
    ``seconds`` by part of the work, "solve" one of them; ``figures`` what else can be counted.
    """

    number: int
    submissions: Mapping[bytes, Submission]
    prices: Mapping[int, int]
    volumes: Mapping[int, int]
    references: Mapping[int, int]
    rates: Mapping[bytes, tuple[int, ...]]
    fills: Mapping[bytes, Mapping[int, int]]
    cash: Mapping[bytes, int]
    voids: Mapping[bytes, VoidReason]
    standing: frozenset[bytes]
    amended: frozenset[bytes]
    loss: int
    freedom: int
    seconds: Mapping[str, float]
    figures: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def empty(cls, number: int) -> Outcome:
        """A batch in which nobody was live."""
        return cls(
            number=number,
            submissions={},
            prices={},
            volumes={},
            references={},
            rates={},
            fills={},
            cash={},
            voids={},
            standing=frozenset(),
            amended=frozenset(),
            loss=0,
            freedom=0,
            seconds={},
        )


class Venue(Protocol):
    """A market: it takes what accounts do while a batch is open, and says what became of it."""

    @property
    def accounts(self) -> Mapping[bytes, AccountState]:
        """Everybody's ledger as of the last batch."""

    def deposit(self, endowments: Mapping[bytes, Endowment]) -> None:
        """Open accounts with what they bring, once, before the first batch."""

    def enter(self, address: bytes, action: Seal | Cancel | None) -> None:
        """What an account does while the batch is open."""

    def stands(self, address: bytes) -> bool:
        """Whether the account has a standing submission."""

    def totals(self) -> Totals:
        """What there is in all; no batch changes it by one ulp."""

    def clear(self) -> Outcome:
        """Bring the batch to its end, and open the next one."""


Opening = Callable[[Desk, float], Venue]
"""Opens a venue for the products of a desk, with batches of so many seconds."""
