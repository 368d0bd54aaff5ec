"""The market's events as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "KINDS",
    "Amended",
    "Applied",
    "Cancelled",
    "Deposited",
    "Ended",
    "Event",
    "Joined",
    "KeyLeaked",
    "KeyRegistered",
    "KeyRevealed",
    "Listed",
    "Opened",
    "Paused",
    "Resumed",
    "ScaleReset",
    "Sealed",
    "Settled",
    "Verified",
    "VoidClosed",
    "Voided",
    "Withdrawn",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Where a log stands: its block, its place in it, its transaction."""

    block_number: int
    block_hash: bytes
    log_index: int
    transaction: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Event):
    """Product `product` trades from batch `from_batch` on; `lot` in base units."""

    product: int
    token: str
    lot: int
    from_batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleReset(Event):
    """The scale of `product` was set to its reference: cash units X24 per lot."""

    product: int
    scale: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposited(Event):
    """`amount` base units of `asset` came into the ledger of `account`."""

    account: str
    asset: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn(Event):
    """`amount` base units of `asset` left the ledger of `account` for `to`."""

    account: str
    asset: int
    amount: int
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRegistered(Event):
    """The point (x, y) is the public key of `batch`."""

    batch: int
    x: int
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevealed(Event):
    """The secret key of `batch` is public."""

    batch: int
    secret: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLeaked(Event):
    """The secret key of `batch` was shown before its lock-out."""

    batch: int
    reporter: str
    secret: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Event):
    """`batch` opened with `live` standing accounts of `units` in it, at a rent of `ticks`."""

    batch: int
    live: int
    units: int
    ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed(Event):
    """`account` sealed `ct` for `batch`, declaring `units`."""

    batch: int
    account: str
    units: int
    ct: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled(Event):
    """`account` is no longer live in `batch`."""

    batch: int
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Voided(Event):
    """The submission of `account` did not trade in `batch`; `reason` is a VoidReason."""

    batch: int
    account: str
    reason: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Event):
    """`batch` settled: prices X84, volumes X44, loss and freedom in cash X40."""

    batch: int
    settler: str
    products: tuple[int, ...]
    prices: tuple[int, ...]
    volumes: tuple[int, ...]
    live: int
    voids: int
    loss: int
    freedom: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidClosed(Event):
    """The bond paid for the void `batch`; amounts in cash X40."""

    batch: int
    caller: str
    reward: int
    compensation: int
    burnt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined(Event):
    """The submission of `account` stands from the batch after `batch` on."""

    batch: int
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Amended(Event):
    """The amendment of `account` was opened in `batch`, and `replaced` its submission or not."""

    batch: int
    account: str
    replaced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Event):
    """The standing submission of `account` ended with `batch`: complete, or Voided there."""

    batch: int
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Event):
    """The submission of `account` stands, but is live in no batch."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(Event):
    """The submission of `account` is live again, in `batch` too if that is not 0."""

    account: str
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified(Event):
    """A chunk was verified: the run of `settler` hashes to `run` and lists `listed` accounts.

    It continued the run of `sender`, or began if that is the zero address.
    """

    batch: int
    settler: str
    sender: str
    listed: int
    run: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied(Event):
    """A chunk of a settled batch was written to `accounts` accounts."""

    batch: int
    caller: str
    chunk: int
    accounts: int


KINDS: tuple[type[Event], ...] = (
    Listed,
    ScaleReset,
    Deposited,
    Withdrawn,
    KeyRegistered,
    KeyRevealed,
    KeyLeaked,
    Opened,
    Sealed,
    Cancelled,
    Voided,
    Settled,
    VoidClosed,
    Joined,
    Amended,
    Ended,
    Paused,
    Resumed,
    Verified,
    Applied,
)
"""Every kind that is read."""
