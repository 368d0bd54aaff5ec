"""What one look at the chain shows: plain values, all of one block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from walras.batch import CASH, Product
from walras.chain.lockout import PAUSED, STANDING
from walras.schedule import Phase, Schedule
from walras.words import counted

__all__ = [
    "AccountView",
    "Asset",
    "BatchView",
    "MarketView",
    "ProductView",
    "Terms",
    "Treasury",
]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a market fixed for ever.

    `cash_unit` base units; `cash_cap`, `cover_cap`, `bond`, `compensation` cash units;
    `cash_per_wei` X40; `min_base_fee` wei per gas; `block_time` seconds; `capacity` units.
    """

    operator: str
    cash: str
    cash_unit: int
    schedule: Schedule
    block_time: int
    capacity: int
    cash_cap: int
    cover_cap: int
    bond: int
    compensation: int
    cash_per_wei: int
    min_base_fee: int


@dataclass(frozen=True, slots=True)
class Asset:
    """A token in custody: `unit` base units make one lot (one cash unit).

    `custody` and `cap` are in ledger units: lots X44, or cash X40.
    """

    id: int
    token: str
    symbol: str
    decimals: int
    unit: int
    custody: int
    cap: int

    @property
    def is_cash(self) -> bool:
        """Whether this is the numeraire."""
        return self.id == CASH

    @property
    def ledger_bits(self) -> int:
        """Binary digits after the point in the ledger: 40 for cash, 44 for lots."""
        return 40 if self.is_cash else 44

    def to_base_units(self, ledger: int) -> int:
        """Whole base units in a ledger amount, rounded down as a withdrawal of everything."""
        return (ledger * self.unit) >> self.ledger_bits


@dataclass(frozen=True, slots=True)
class ProductView:
    """A product's custody and its trading state; `trading` in the current batch."""

    asset: Asset
    state: Product
    trading: bool


@dataclass(frozen=True, slots=True)
class BatchView:
    """The batch that was opened last; `pot` in cash X40, `units` of the market's capacity.

    `ticks` is what the rent index grows by when it settles; `closed`: void by a leak, or void and
    closed. `unapplied` accounts still wait for their part of a settlement in chunks, or, if the
    batch is not settled, have been written ahead of it.
    """

    number: int
    live: int
    units: int
    ticks: int
    settled: bool
    closed: bool
    pot: int
    unapplied: int

    @property
    def unfinished(self) -> bool:
        """Whether somebody is live in it, be it void or not."""
        return self.live > 0 and not (self.settled or self.closed)


@dataclass(frozen=True, slots=True)
class Treasury:
    """Funds of the operator and of nobody, in cash X40."""

    house_cash: int
    bond: int
    short_houses: int
    burnt: int
    reserved: int


@dataclass(frozen=True, slots=True)
class MarketView:
    """A whole market as the next block meets it, at time `now` (seconds).

    `current` owns `now`; `phase` and `key_hash` are of it. `batch` is the last one that took a
    seal, `batch_phase` is of that. `fee` is what the smallest seal costs now, `least_house_cash`
    what the house must hold, both cash X40.
    """

    address: str
    chain_id: int
    block_number: int
    now: int
    terms: Terms
    current: int
    phase: Phase
    key_hash: bytes
    batch: BatchView
    batch_phase: Phase
    treasury: Treasury
    least_house_cash: int
    fee: int
    cash: Asset
    products: tuple[ProductView, ...]

    def asset(self, asset_id: int) -> Asset | None:
        """An asset by id, or None."""
        if asset_id == CASH:
            return self.cash
        return self.products[asset_id].asset if 0 <= asset_id < len(self.products) else None

    @property
    def seals_need(self) -> tuple[str, ...]:
        """What is missing before the current batch takes its first seal, in words."""
        missing = []
        if self.treasury.bond < self.terms.bond << 40:
            missing.append("the operator's bond is not full")
        if self.treasury.short_houses:
            missing.append(
                f"short of its least holding: {counted(self.treasury.short_houses, 'house')}"
            )
        if self.treasury.house_cash < self.least_house_cash:
            missing.append("the house's cash is short")
        if self.current and not any(self.key_hash):
            missing.append(f"batch {self.current} has no key")
        if self.batch.number != self.current and self.batch.unfinished:
            missing.append(f"batch {self.batch.number} is void and not closed")
        return tuple(missing)


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account's ledger: `cash` and `claimable` cash X40, `lots` X44 by product where not zero.

    `batch` is the batch of its last seal (0: none), in which it is live while `live` says so; of a
    standing account its rent mark. `flags` are those of SPEC §9. `wallet` and `allowance` are base
    units outside the market, by asset id.
    """

    address: str
    cash: int
    lots: Mapping[int, int]
    home: int | None
    batch: int
    units: int
    seal_hash: bytes
    live: bool
    frozen: bool
    claimable: int
    wallet: Mapping[int, int]
    allowance: Mapping[int, int]
    flags: int = 0

    @property
    def standing(self) -> bool:
        """Whether its submission stands until it ends."""
        return bool(self.flags & STANDING)

    @property
    def paused(self) -> bool:
        """Whether its standing submission is live in no batch for now."""
        return bool(self.flags & PAUSED)

    def ledger(self, asset_id: int) -> int:
        """Cash X40, or lots X44 of a product."""
        return self.cash if asset_id == CASH else self.lots.get(asset_id, 0)
