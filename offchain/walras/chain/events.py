"""The market's events as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "KINDS",
    "Amended",
    "Applied",
    "BatchEvent",
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
    "Restored",
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
class BatchEvent(Event):
    """What happened to or in `batch`."""

    batch: int


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
class KeyRegistered(BatchEvent):
    """The point (x, y) is the public key of `batch`."""

    x: int
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevealed(BatchEvent):
    """The secret key of `batch` is public."""

    secret: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLeaked(BatchEvent):
    """The secret key of `batch` was shown before its lock-out."""

    reporter: str
    secret: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(BatchEvent):
    """`batch` opened with `live` standing accounts of `units` in it, at a rent of `ticks`."""

    live: int
    units: int
    ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed(BatchEvent):
    """`account` sealed `ct` for `batch`, declaring `units`."""

    account: str
    units: int
    ct: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled(BatchEvent):
    """`account` is no longer live in `batch`."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Voided(BatchEvent):
    """The submission of `account` did not trade in `batch`; `reason` is a VoidReason."""

    account: str
    reason: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(BatchEvent):
    """`batch` settled: prices X84, volumes X44, loss and freedom in cash X40."""

    settler: str
    products: tuple[int, ...]
    prices: tuple[int, ...]
    volumes: tuple[int, ...]
    live: int
    voids: int
    loss: int
    freedom: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidClosed(BatchEvent):
    """The bond paid for the void `batch`; amounts in cash X40."""

    caller: str
    reward: int
    compensation: int
    burnt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined(BatchEvent):
    """The submission of `account` stands from the batch after `batch` on."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Amended(BatchEvent):
    """The amendment of `account` was opened in `batch`, and `replaced` its submission or not."""

    account: str
    replaced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(BatchEvent):
    """The standing submission of `account` ended with `batch`: complete, or Voided there."""

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
class Verified(BatchEvent):
    """A chunk was verified: the run of `settler` hashes to `run` and lists `listed` accounts.

    It continued the run of `sender`, or began if that is the zero address.
    """

    settler: str
    sender: str
    listed: int
    run: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied(BatchEvent):
    """A chunk of a settled batch was written to `accounts` accounts."""

    caller: str
    chunk: int
    accounts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored(BatchEvent):
    """What a chunk had written ahead to `accounts` accounts was taken back."""

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
    Restored,
)
"""Every kind that is read."""
