"""What one account traded, batch after batch, from what the settlements showed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from walras.auths import Submission
from walras.bodies import Posting
from walras.decoding import decode
from walras.numbers import MAX_UNITS
from walras.opening import Entry
from walras.orders.progress import Fill
from walras.sealing import SEAL_OVERHEAD, unseal
from walras.tally import trade

__all__ = ["Followed", "Shown", "follow"]


@dataclass(frozen=True, slots=True)
class Shown:
    """The settlement of a batch; ``void`` if the account that is followed did not trade in it.

    ``amended`` if its amendment replaced what stood, from the next batch on.
    """

    batch: int
    posting: Posting
    void: bool = False
    amended: bool = False


@dataclass(slots=True)
class Followed:
    """A submission since the batch in which it first traded, or could have.

    ``done`` X44 is its progress now, one for each auth with limits; ``voids`` the batches in which
    it was live and void. Of an amendment that has not been live yet ``first`` is the batch from
    which it stands.
    """

    body: bytes
    submission: Submission
    first: int
    done: tuple[int, ...]
    fills: list[Fill] = field(default_factory=list)
    voids: list[int] = field(default_factory=list)


def follow(account: bytes, shown: Iterable[Shown]) -> Followed | None:
    """The last submission of ``account`` in these settlements, which ascend by batch.

    An amendment begins anew once its batch has settled, whatever was traded before it and even if
    it says the same. None if nothing readable was settled.
    """
    found: Followed | None = None
    anew = True
    for one in shown:
        entry = next((e for e in one.posting.entries if e.account == account), None)
        body = None if entry is None else _body(one.posting, entry)
        submission = None if body is None else _read(body, one.posting)
        if entry is None or body is None or submission is None:
            continue
        if found is None or anew or found.body != body:
            start = entry.done or (0,) * len(submission.limited)
            found = Followed(body, submission, one.batch, start)
        _advance(found, one, one.posting.shadows.get(account, ()))
        replacement = _replacement(one, entry) if one.amended else None
        anew = one.amended and replacement is None
        found = replacement or found
    return found


def _replacement(one: Shown, entry: Entry) -> Followed | None:
    """The amendment that a batch has put in the place of what stood in it."""
    posting, sealed = one.posting, entry.amendment
    if sealed is None:
        return None
    body = unseal(posting.secret, sealed, entry.account, posting.batch_id)
    submission = None if body is None else _read(body, posting)
    if body is None or submission is None:
        return None
    return Followed(body, submission, one.batch + 1, (0,) * len(submission.limited))


def _advance(found: Followed, one: Shown, shadows: Sequence[int]) -> None:
    """Add what the submission did in a batch."""
    submission, posting = found.submission, one.posting
    if not (found.fills or found.voids):
        found.first = one.batch  # an amendment may have been paused, or its batch void
    rates = (0,) * len(submission.auths)
    if one.void:
        found.voids.append(one.batch)
    else:
        moved = trade(submission, posting.ticks, posting.prices, shadows, found.done)
        rates, found.done = moved.rates, moved.done
    if set(submission.products) <= posting.prices.keys():
        found.fills.append(Fill(one.batch, rates, posting.prices))


def _body(posting: Posting, entry: Entry) -> bytes | None:
    """The plain body behind an entry: itself, or what its ciphertext opens to."""
    _, ciphertext = posting.sealed.get(entry.account, (0, b""))
    if entry.payload != ciphertext:
        return entry.payload
    return unseal(posting.secret, ciphertext, entry.account, posting.batch_id)


def _read(body: bytes, posting: Posting) -> Submission | None:
    length = SEAL_OVERHEAD + len(body)
    found = decode(body, ciphertext_length=length, units=MAX_UNITS, ticks=posting.ticks)
    return found.submission
