"""What the ghost remembers: a market in plain integers, with no word of how the contract stores it.

Units as in docs/SPEC.md: cash X40, lots X44, scales X24, references X40; amounts in base units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.reference import phases
from tests.reference.formulae import least_house_cash
from tests.stateful.holders import STANDING, Holder, Piece, Progress

CASH: Final = 65_535
ALL: Final = 2**256 - 1
NOBODY: Final = "0x0000000000000000000000000000000000000000"
X40: Final = 2**40
X44: Final = 2**44


class Refusal(Exception):  # noqa: N818  no error: what must happen
    """The contract must refuse with this error."""

    def __init__(self, name: str, *args: Any) -> None:
        super().__init__(name, *args)

    @property
    def error(self) -> tuple[Any, ...]:
        return self.args


@dataclass
class Line:
    """A product. It trades from batch `since` on."""

    house: int
    reference: int
    scale: int
    tick_bps: int
    depth_log2: int
    house_log2: int
    since: int

    @property
    def short(self) -> bool:
        """Whether the house is below its least holding."""
        return self.house < X44 << self.house_log2


@dataclass
class Vault:
    """Custody of an asset: `unit` base units are one lot or cash unit, of 2^bits ledger units.

    `dust` is what rounding withdrawals up left behind, in ledger units times `unit`.
    """

    token: str
    unit: int
    bits: int
    cap: int
    custody: int = 0
    dust: int = 0


@dataclass
class Round:
    """The batch that was opened last."""

    number: int = 0
    live: int = 0
    units: int = 0
    ticks: int = 0
    settled: bool = False
    closed: bool = False
    pot: int = 0


@dataclass
class Token:
    """An ERC-20 token with permits: balances, and what each owner lets the market take."""

    balances: dict[str, int] = field(default_factory=dict)
    allowances: dict[str, int] = field(default_factory=dict)
    nonces: dict[str, int] = field(default_factory=dict)


@dataclass
class Books:
    """The state of a market and of the tokens around it, and everything derived from it.

    `terms` are the constructor's parameters by the names of tests.contract.support.PARAMETERS,
    `clock` the timetable by the names of tests.reference.phases, `ids` every batch's id.
    """

    market: str
    terms: Mapping[str, Any]
    clock: Mapping[str, int]
    ids: Mapping[int, bytes]
    now: int = 0
    base_fee: int = 0
    tokens: dict[str, Token] = field(default_factory=dict)
    holders: dict[str, Holder] = field(default_factory=dict)
    vaults: dict[int, Vault] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    round: Round = field(default_factory=Round)
    house_cash: int = 0
    bond: int = 0
    burnt: int = 0
    reserved: int = 0
    standing: int = 0  # accounts that stand and are not paused
    standing_units: int = 0
    rent_index: int = 0
    runs: dict[tuple[int, str], Progress] = field(default_factory=dict)
    pieces: tuple[Piece, ...] = ()  # of the run that was written ahead or left something to apply
    keys: dict[int, tuple[int, int]] = field(default_factory=dict)
    secrets: dict[int, int] = field(default_factory=dict)
    outcomes: dict[int, bytes] = field(default_factory=dict)
    settlement: dict[str, Any] = field(default_factory=dict)  # the last, as the reference gives it
    due: dict[str, Holder] = field(default_factory=dict)  # what accounts become once it is applied
    ahead: dict[str, Holder] = field(default_factory=dict)  # what they show, but are not yet
    rested: set[str] = field(default_factory=set)  # of the last settlement in chunks: left alone

    # ---------------------------------------------------------------------------------- time

    @property
    def current(self) -> int:
        """The batch that owns this moment."""
        return phases.current(self.clock, self.now)

    @property
    def offset(self) -> int:
        """Seconds since the current batch began."""
        return self.now - self.start(self.current)

    def start(self, batch: int) -> int:
        return self.clock["genesis"] + batch * self.clock["period"]

    def phase(self, batch: int) -> int:
        """Phase of a batch now."""
        outcome = self.outcomes.get(batch, bytes(32))
        void = outcome in (VOID_PAID, VOID_UNPAID)
        return phases.phase(
            self.clock,
            batch,
            self.now,
            key=batch in self.secrets,
            settled=any(outcome) and not void,
            leaked=void,
        )

    def frozen(self, owner: str) -> bool:
        """Live, and between lock-in and the end of its batch, or until it has its part of that.

        Of whom a run has left alone, until all have theirs. Also what is written ahead.
        """
        if owner in self.ahead:
            return True
        if not self.alive(owner):
            return False
        if self.due:
            return owner in self.due or owner in self.rested
        if self.finished:
            return False
        return phases.LOCKED_IN <= self.phase(self.round.number) <= phases.FALLBACK

    def alive(self, owner: str) -> bool:
        """Whether the account belongs to the last batch."""
        holder = self.holder(owner)
        if holder.flags & STANDING:
            return holder.stands
        return holder.batch != 0 and holder.batch == self.round.number

    # --------------------------------------------------------------------------------- money

    def holder(self, owner: str) -> Holder:
        return self.holders.setdefault(owner, Holder())

    def shown(self, owner: str) -> Holder:
        """The account as it is stored: of one that is written ahead, what it is not yet."""
        return self.ahead.get(owner) or self.holder(owner)

    def balance(self, owner: str, asset: int) -> int:
        held = ledger(self.holder(owner), asset)
        return max(0, held - self.owed(owner)) if asset == CASH else held

    @property
    def rent(self) -> int:
        """X40 of a unit for a tick."""
        unit: int = 1_280 * self.terms["min_base_fee"] * self.terms["cash_per_wei"]
        return unit

    def owed(self, owner: str) -> int:
        """Rent since the account's mark."""
        holder = self.holder(owner)
        if not holder.stands:
            return 0
        return holder.units * self.rent * (self.rent_index - holder.batch)

    def pay_rent(self, owner: str) -> None:
        """As whoever writes the account does first."""
        holder = self.holder(owner)
        if holder.stands:
            holder.cash, holder.batch = holder.cash - self.owed(owner), self.rent_index

    def credit(self, owner: str, asset: int, by: int) -> None:
        holder = self.holder(owner)
        if asset == CASH:
            holder.cash += by
            return
        holder.home = asset if holder.home is None else holder.home
        holder.lots[asset] = holder.lots.get(asset, 0) + by

    def burn(self, cash: int) -> None:
        """Cash that is nobody's any more."""
        self.burnt += cash
        self.vaults[CASH].custody -= cash

    @property
    def short_houses(self) -> int:
        return sum(line.short for line in self.lines)

    @property
    def least_house_cash(self) -> int:
        return least_house_cash((line.scale, line.house_log2) for line in self.lines)

    @property
    def cover_value(self) -> int:
        """What all caps are worth, cash units X24."""
        caps = (8 * line.scale * (self.vaults[k].cap // X44) for k, line in enumerate(self.lines))
        cash: int = self.terms["cash_cap"] << 24
        return cash + sum(caps)

    def product_count(self, batch: int) -> int:
        return sum(line.since <= batch for line in self.lines)

    def fees(self, used: int, units: int) -> tuple[int, int]:
        """Fee and surcharge of a seal of `units` after which `used` are taken."""
        wei = units * 2_560 * max(self.base_fee, self.terms["min_base_fee"])
        fee: int = wei * self.terms["cash_per_wei"]
        eighths = -(-8 * used // self.terms["capacity"])
        crowded = 2 * used > self.terms["capacity"]
        return fee, fee * ((1 << eighths - 4) - 1) if crowded else 0

    @property
    def finished(self) -> bool:
        """Nothing backs an unfinished batch."""
        return self.round.live == 0 or self.round.settled

    @property
    def unapplied(self) -> int:
        """Accounts that wait for their part of a settlement, or are written ahead of one."""
        return len(self.due) + len(self.ahead)

    @property
    def claimants(self) -> list[str]:
        """Those who have cash to claim."""
        return [owner for owner, holder in self.holders.items() if holder.claimable]

    def claims(self, asset: int) -> int:
        """What everybody may claim of an asset: custody, to the last ulp (S1, S2).

        Of an account that waits for its part of a settlement, what it then has; of one that is
        written ahead, what it had.
        """
        held = sum(self.lasting(owner, asset) for owner in self.holders)
        if asset != CASH:
            return held + self.lines[asset].house
        claimable = sum(holder.claimable for holder in self.holders.values())
        return held + claimable + self.house_cash + self.bond + self.reserved + self.round.pot

    def lasting(self, owner: str, asset: int) -> int:
        """Balance once everything is applied."""
        if owner not in self.due:
            return self.balance(owner, asset)
        return ledger(self.due[owner], asset)


def ledger(holder: Holder, asset: int) -> int:
    """What is stored of an asset, before rent."""
    return holder.cash if asset == CASH else holder.lots.get(asset, 0)


VOID_PAID: Final = (1).to_bytes(32)
VOID_UNPAID: Final = (2).to_bytes(32)
