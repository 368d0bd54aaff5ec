"""What each live account wants of a batch: open, decode, judge (SPEC §2, §6, §9).

Nothing here depends on prices, only on what lock-out fixed and on the published key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from walras.auths import Submission, cover
from walras.batch import AccountState, Amendment, BatchState
from walras.capacity import word_gas
from walras.decoding import Decoded, VoidReason, decode
from walras.errors import CertificateError
from walras.numbers import UNIT_GAS
from walras.sealing import SEAL_OVERHEAD, seal_hash, stand_hash, unseal

__all__ = [
    "Entry",
    "Opened",
    "Replacement",
    "Standing",
    "open_batch",
    "open_listed",
    "priced_products",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a settlement supplies of an account (20 bytes).

    ``payload`` is its ciphertext, or the plain body of a standing account, then with its progress
    ``done`` X44; ``amendment`` the ciphertext it sealed in the batch to replace that body.
    """

    account: bytes
    payload: bytes
    done: tuple[int, ...] = ()
    amendment: bytes | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A submission as it trades in the next batch."""

    body: bytes
    done: tuple[int, ...]
    units: int
    uncovered: bool = False

    @property
    def hash(self) -> bytes:
        """The account's second word."""
        return stand_hash(self.body, self.done)


@dataclass(frozen=True, slots=True)
class Replacement:
    """What an amendment came to; it replaces the submission iff ``next`` is not None."""

    next: Standing | None
    reason: VoidReason | None
    products: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A submission after rules 1-10: it trades iff ``reason`` is None.

    ``products`` must be priced whether or not it trades, its amendment's among them. ``done`` X44
    is its progress before the batch, ``rent`` X40 what a standing account pays for the batch.
    """

    account: AccountState
    submission: Submission | None
    reason: VoidReason | None
    products: tuple[int, ...]
    done: tuple[int, ...] = ()
    body: bytes = b""
    rent: int = 0
    replacement: Replacement | None = None

    @property
    def costs(self) -> int:
        """How many shadow prices a settlement gives it, trading or not."""
        return 0 if self.submission is None else len(self.submission.costs)

    @property
    def home(self) -> int | None:
        """Home product of the account after the batch."""
        if self.account.home is None and self.reason is None and self.submission is not None:
            return self.submission.products[0]
        return self.account.home

    @property
    def amended(self) -> bool:
        """Whether an amendment replaces the submission."""
        return self.replacement is not None and self.replacement.next is not None

    def next(self, done: tuple[int, ...]) -> Standing | None:
        """What stands from the next batch on, if the submission then has the progress ``done``."""
        if self.replacement is not None and self.replacement.next is not None:
            return self.replacement.next
        return self.after(done)

    def after(self, done: tuple[int, ...]) -> Standing | None:
        """What stands of the submission with the progress ``done`` X44, amendments aside."""
        submission = self.submission
        if submission is None or not submission.standing or submission.complete(done):
            return None
        if self.reason not in (None, VoidReason.UNCOVERED):
            return None
        uncovered = self.reason is VoidReason.UNCOVERED
        if uncovered and self.account.uncovered:
            return None
        return Standing(self.body, done, self.account.units, uncovered)


def open_batch(state: BatchState, entries: Iterable[Entry]) -> tuple[Opened, ...]:
    """Open, decode and judge what each account wants, ascending (rules 1-10).

    Raises CertificateError: AccountNotLive, WrongCiphertext, WrongItem.
    """
    return open_listed(state, sorted(entries, key=lambda entry: entry.account))


def open_listed(state: BatchState, entries: Iterable[Entry]) -> tuple[Opened, ...]:
    """As ``open_batch``, in the order given, repeated or not."""
    live = {account.address: account for account in state.accounts}
    ticks = state.ticks
    opened = []
    for entry in entries:
        if entry.account not in live:
            raise CertificateError("AccountNotLive", account=entry.account)
        account = live[entry.account]
        _check_hashes(state, account, entry)
        opened.append(_open(state, account, entry, ticks))
    return tuple(opened)


def priced_products(opened: Iterable[Opened]) -> tuple[int, ...]:
    """Ids a settlement has to price, ascending."""
    return tuple(sorted({product for one in opened for product in one.products}))


def _check_hashes(state: BatchState, account: AccountState, entry: Entry) -> None:
    if account.standing:
        fine = stand_hash(entry.payload, entry.done) == account.seal_hash
    else:
        if entry.done:
            raise CertificateError("WrongItem", account=entry.account)
        fine = seal_hash(state.batch_id, entry.payload) == account.seal_hash
    if account.amendment is None:
        fine = fine and entry.amendment is None
    else:
        sealed = entry.amendment
        fine = fine and sealed is not None
        fine = fine and seal_hash(state.batch_id, sealed or b"") == account.amendment.seal_hash
    if not fine:
        raise CertificateError("WrongCiphertext", account=entry.account)


def _open(
    state: BatchState, account: AccountState, entry: Entry, ticks: Mapping[int, int]
) -> Opened:
    body: bytes | None = entry.payload
    length = SEAL_OVERHEAD + len(entry.payload)
    if not account.standing:
        body = unseal(state.secret, entry.payload, account.address, state.batch_id)
        length = len(entry.payload)
    if body is None:
        return Opened(account, None, VoidReason.UNOPENED, ())
    decoded = decode(body, ciphertext_length=length, units=account.units, ticks=ticks)
    submission, reason = decoded.submission, decoded.reason
    done = entry.done
    rent = account.units * state.rent if account.standing else 0
    if submission is not None:
        if not account.standing:
            done = (0,) * len(submission.limited)
        reason = _status(decoded, submission, account, done, rent, state.scheduled_lock_out)
    opened = Opened(
        account,
        submission,
        reason,
        decoded.products,
        done,
        body,
        rent if rent <= account.cash else 0,
    )
    if account.amendment is None or entry.amendment is None:
        return opened
    return _amended(state, opened, account.amendment, entry.amendment, ticks)


def _status(
    decoded: Decoded,
    submission: Submission,
    account: AccountState,
    done: Sequence[int],
    rent: int,
    lock_out: int,
) -> VoidReason | None:
    """Rules 7-10."""
    if submission.valid_until and submission.valid_until < lock_out:
        return VoidReason.EXPIRED
    if not _fits(decoded, account.home, account.units):
        return VoidReason.OVERSIZED
    if rent > account.cash:
        return VoidReason.RENT
    needed = cover(submission, done)
    covered = needed.cash <= account.cash - rent and all(
        lots <= account.lots.get(product, 0) for product, lots in needed.lots.items()
    )
    return None if covered else VoidReason.UNCOVERED


def _fits(decoded: Decoded, home: int | None, units: int) -> bool:
    """Rule 8."""
    return decoded.gas + word_gas(decoded.products, home) <= units * UNIT_GAS


def _amended(
    state: BatchState,
    opened: Opened,
    amendment: Amendment,
    ciphertext: bytes,
    ticks: Mapping[int, int],
) -> Opened:
    """``opened`` with what its amendment comes to: rules 1-6 and 8, of kind 1."""
    replacement = _replacement(state, opened, amendment, ciphertext, ticks)
    return Opened(
        opened.account,
        opened.submission,
        opened.reason,
        tuple(sorted({*opened.products, *replacement.products})),
        opened.done,
        opened.body,
        opened.rent,
        replacement,
    )


def _replacement(
    state: BatchState,
    opened: Opened,
    amendment: Amendment,
    ciphertext: bytes,
    ticks: Mapping[int, int],
) -> Replacement:
    body = unseal(state.secret, ciphertext, opened.account.address, state.batch_id)
    if body is None:
        return Replacement(None, VoidReason.UNOPENED, ())
    decoded = decode(body, ciphertext_length=len(ciphertext), units=amendment.units, ticks=ticks)
    submission = decoded.submission
    if submission is None:
        return Replacement(None, decoded.reason, decoded.products)
    if not _fits(decoded, opened.home, amendment.units):
        return Replacement(None, VoidReason.OVERSIZED, decoded.products)
    standing = Standing(body, (0,) * len(submission.limited), amendment.units)
    return Replacement(standing if submission.standing else None, None, decoded.products)
