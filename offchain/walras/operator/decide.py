"""What to do next: a pure function of the chain, of one's own memory and of the time.

The chain's facts decide. Own memory can only stop the clearer: it never makes it act.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from walras.chain.views import BatchView
from walras.schedule import Phase, Schedule
from walras.words import counted

__all__ = [
    "FIXED_GAS",
    "NO_KEY",
    "TRANSACTION_BYTES",
    "Action",
    "Apply",
    "ChainView",
    "CloseVoid",
    "Decision",
    "Halt",
    "Open",
    "OwnView",
    "RegisterKey",
    "Restore",
    "Reveal",
    "Settle",
    "Wait",
    "Weight",
    "alerts",
    "decide",
    "in_one",
]

NO_KEY: Final = bytes(32)
# Of a settlement beyond what its accounts declare; the EVM also holds back 1/64 from the library.
FIXED_GAS: Final = 2**19
TRANSACTION_BYTES: Final = 2**17 - 2**13  # for items and prices, of what a transaction may have


@dataclass(frozen=True, slots=True)
class ChainView:
    """The chain's facts.

    `batch` opened last and `published` says whether its key is public; `standing` accounts are
    live in every batch that opens. `key_hashes` are of the batches from the current one on.
    `lock_out` is the hash of the last block before the lock-out of `batch`, once that block is
    final enough to act on, else None. Money is cash X40.
    """

    operator: str
    schedule: Schedule
    batch: BatchView
    published: bool
    standing: int
    key_hashes: Mapping[int, bytes]
    lock_out: bytes | None
    nonce: int
    balance: int
    bond: int
    bond_full: int
    house_cash: int
    house_cash_least: int
    short_houses: int
    thin_houses: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnView:
    """What the clearer knows of itself.

    `key_hashes` are those its seed gives for the batches it looks after, empty without a seed.
    `leaked` are batches whose shown key is its own. `acted_on` is the lock-out block on which it
    signed the publication of the key of the chain's batch. `nonces_used` bounds the nonce that this
    process can have brought about. `margin` (seconds) is what a transaction may take.
    """

    account: str
    key_hashes: Mapping[int, bytes] = field(default_factory=dict)
    leaked: tuple[int, ...] = ()
    acted_on: bytes | None = None
    nonces_used: int | None = None
    margin: int = 0
    least_balance: int = 0


@dataclass(frozen=True, slots=True)
class Weight:
    """What one transaction would carry to settle a whole batch.

    `declared` gas of the accounts' units, `size` bytes of items and prices. `estimate` is the gas
    limit that the node finds, None if it finds none. `begun`: such a transaction was signed before.
    `refused`: the node ran out of gas looking for the estimate, so that none can be enough.
    """

    declared: int
    size: int
    estimate: int | None = None
    begun: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class RegisterKey:
    """Register the own key of a batch that has not started."""

    batch: int


@dataclass(frozen=True, slots=True)
class Open:
    """Open a batch for those who stand, before anybody sealed in it."""

    batch: int


@dataclass(frozen=True, slots=True)
class Reveal:
    """Publish the key of a batch whose lock-out is final."""

    batch: int


@dataclass(frozen=True, slots=True)
class Settle:
    """Open, solve and settle a batch whose key is public."""

    batch: int


@dataclass(frozen=True, slots=True)
class Apply:
    """Give the accounts of a batch settled in chunks their part."""

    batch: int


@dataclass(frozen=True, slots=True)
class Restore:
    """Take back from accounts what was written ahead in a batch that is void."""

    batch: int


@dataclass(frozen=True, slots=True)
class CloseVoid:
    """Close a void batch, so that the market can go on."""

    batch: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until` (seconds) for this reason."""

    until: int
    reason: str


@dataclass(frozen=True, slots=True)
class Halt:
    """Something is wrong that no action here can mend: stop and tell a person."""

    reason: str


Action = RegisterKey | Open | Reveal | Settle | Apply | Restore | CloseVoid
Decision = Action | Wait | Halt


def decide(chain: ChainView, own: OwnView, now: int) -> Decision:
    """The next step at chain time `now`: first what has a deadline, then what looks ahead."""
    for reason in _mismatches(chain, own):
        return Halt(reason)
    return _finish(chain, own, now) or _prepare(chain, own, now) or _idle(chain, now)


def in_one(weight: Weight, gas: int) -> bool:
    """Whether one transaction shall settle a whole batch, or else chunks.

    `gas` is what declared units may come to, FIXED_GAS less than a transaction may use. Units are
    more than what is used, so a batch whose estimate leaves FIXED_GAS to spare fits whatever its
    accounts declared; without an estimate their word counts.
    """
    if weight.begun or weight.refused or weight.size > TRANSACTION_BYTES:
        return weight.begun
    declared_fits = weight.declared <= gas
    if weight.estimate is None:
        return declared_fits
    return weight.estimate <= gas + FIXED_GAS * declared_fits


def alerts(chain: ChainView, own: OwnView) -> tuple[str, ...]:
    """What a person should mend before it stops the market; the clearer goes on meanwhile."""
    found = []
    if chain.bond < chain.bond_full:
        found.append("the bond is not full: no seal enters until `addBond` has filled it")
    if chain.short_houses:
        found.append(f"{counted(chain.short_houses, 'house')} short: no seal enters until funded")
    elif chain.thin_houses:
        names = ", ".join(map(str, chain.thin_houses))
        found.append(f"the house is close to its least holding of products {names}: fund it")
    if chain.house_cash < chain.house_cash_least:
        found.append("house cash is short: no seal enters until `fundHouse` has filled it")
    if chain.balance < own.least_balance:
        found.append(f"{own.account} has {chain.balance} wei for gas, fewer than it should: refill")
    return tuple(found)


def _mismatches(chain: ChainView, own: OwnView) -> Iterator[str]:
    """Facts under which nothing the clearer does is safe."""
    if own.nonces_used is not None and chain.nonce > own.nonces_used:
        yield (
            f"another process sends from {own.account} (nonce {chain.nonce}, own transactions end "
            f"at {own.nonces_used}): stop it, then start one clearer"
        )
    if own.key_hashes and own.account != chain.operator:
        yield (
            f"{own.account} has a seed but the market's operator is {chain.operator}: "
            "use the operator's account, or leave the seed out to clear as anybody"
        )
    if own.leaked:
        yield (
            f"the key of batch {own.leaked[-1]} was shown before its lock-out: the seed has "
            "leaked; make a new seed on a clean machine"
        )
    for batch, ours in own.key_hashes.items():
        if chain.key_hashes.get(batch, NO_KEY) not in (NO_KEY, ours):
            yield (
                f"batch {batch} has a key that does not come from this seed: "
                "restore the seed it was registered with"
            )
    if own.acted_on and chain.lock_out and own.acted_on != chain.lock_out:
        yield (
            f"the chain was reorganised across the lock-out of batch {chain.batch.number} after "
            "its key was published: the book may have been changed by somebody who could read it"
        )


def _finish(chain: ChainView, own: OwnView, now: int) -> Action | Wait | None:
    """The batch that has live accounts, as far as its end."""
    batch = chain.batch
    if not batch.unfinished:
        return _complete(batch)
    bounds = chain.schedule.boundaries(batch.number)
    phase = chain.schedule.phase(batch.number, now, key_published=chain.published)
    if phase is Phase.REVEAL and own.key_hashes:
        if chain.lock_out is None:
            return Wait(now, f"the lock-out block of batch {batch.number} is not final yet")
        return Reveal(batch.number)
    may_settle = phase is Phase.FALLBACK or (
        phase is Phase.CLEARING and own.account == chain.operator
    )
    if may_settle and now + own.margin < bounds.deadline:
        return Settle(batch.number)
    if phase is Phase.VOID:
        return CloseVoid(batch.number)
    return None


def _complete(batch: BatchView) -> Action | None:
    """What is left to write to accounts of a finished batch."""
    if not batch.unapplied:
        return None
    return Apply(batch.number) if batch.settled else Restore(batch.number)


def _prepare(chain: ChainView, own: OwnView, now: int) -> Action | None:
    """Keys of batches to come, the nearest first; then the batch that is nobody's yet."""
    for batch in sorted(own.key_hashes):
        if chain.key_hashes.get(batch) == NO_KEY and now + own.margin < chain.schedule.start(batch):
            return RegisterKey(batch)
    current = chain.schedule.current(now)
    backed = (
        chain.bond >= chain.bond_full
        and not chain.short_houses
        and chain.house_cash >= chain.house_cash_least
    )
    if (
        chain.standing
        and backed
        and current
        and chain.batch.number != current
        and chain.key_hashes.get(current, NO_KEY) == own.key_hashes.get(current)
        and now + own.margin < chain.schedule.boundaries(current).lock_in
    ):
        return Open(current)
    return None


def _idle(chain: ChainView, now: int) -> Wait:
    """The next moment at which the answer can change by itself."""
    current = chain.schedule.current(now)
    bounds = chain.schedule.boundaries(current)
    moments = [
        (bounds.lock_in, f"batch {current} takes seals"),
        (bounds.lock_out, f"batch {current} takes committed seals"),
    ]
    if chain.batch.number == current and chain.batch.unfinished:
        moments.append((bounds.reveal_from, f"batch {current} waits for its lock-out to be final"))
        if not chain.published:
            moments.append((bounds.key_deadline, f"batch {current} waits for its key"))
        moments.append((bounds.exclusive_until, f"batch {current} is its operator's to settle"))
    moments.append((bounds.end, f"batch {current} is settled, void or empty"))
    for until, reason in moments:
        if current and now < until:
            return Wait(until, reason)
    return Wait(chain.schedule.start(current + 1), f"batch {current + 1} has not started")
