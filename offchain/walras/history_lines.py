"""The rows of a market's history, in exact integers. Accounts are 20 bytes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AccountLine", "BatchLine", "FillLine", "GasLine", "PriceLine", "ShadowLine"]


@dataclass(frozen=True, slots=True)
class BatchLine:
    """A batch that settled, or is void (then only ``burnt``, what the bond lost, means anything).

    ``turnover``, ``loss``, ``freedom``, ``rent``, ``burnt`` cash X40.
    """

    batch: int
    block_number: int
    time: int
    status: str
    settler: str
    accounts: int = 0
    voids: int = 0
    turnover: int = 0
    loss: int = 0
    freedom: int = 0
    rent: int = 0
    burnt: int = 0


@dataclass(frozen=True, slots=True)
class PriceLine:
    """A product in a batch: ``price`` X84, references X40, ``volume`` and ``house`` lots X44.

    ``house`` is what the house received: the accounts' residue; None if fills cannot be read.
    """

    batch: int
    product: int
    block_number: int
    price: int
    reference: int
    next_reference: int
    volume: int
    house: int | None


@dataclass(frozen=True, slots=True)
class AccountLine:
    """A live account in a batch: ``cash`` X40 received for what it traded, ``rent`` X40 paid.

    ``reason`` of a VoidReason, empty if it traded. ``change`` of a standing submission: joined,
    amended, kept (the amendment was no good), complete or ended; else empty.
    """

    batch: int
    account: bytes
    block_number: int
    standing: bool
    units: int
    cash: int
    rent: int
    reason: str
    change: str


@dataclass(frozen=True, slots=True)
class FillLine:
    """What an auth traded: ``rate`` portfolio units X44 at ``price`` X84 each.

    ``legs`` are (product, weight in lots of a portfolio unit).
    """

    batch: int
    account: bytes
    auth: int
    block_number: int
    rate: int
    price: int
    legs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ShadowLine:
    """The shadow price X84 of a cost of an account that traded."""

    batch: int
    account: bytes
    cost: int
    block_number: int
    shadow: int


@dataclass(frozen=True, slots=True)
class GasLine:
    """What a transaction that moved a batch on used; ``price`` wei per gas."""

    batch: int
    block_number: int
    log_index: int
    action: str
    transaction: bytes
    sender: str
    gas: int
    price: int
