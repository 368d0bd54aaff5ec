"""What stands behind a standHash: bodies and progress, learned from settlements (SPEC §9).

The chain keeps of a standing submission only its hash. Everything behind it was in the calldata of
the settlement before: the body, the progress before the batch, the prices that moved it. Bodies are
kept by their hash, so nothing learned can become wrong, whatever the chain does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from walras.auths import Submission
from walras.decoding import decode
from walras.numbers import MAX_UNITS
from walras.opening import Entry
from walras.sealing import SEAL_OVERHEAD, stand_hash, unseal
from walras.tally import trade

__all__ = ["Bodies", "Body", "Known", "Posting", "learn"]


@dataclass(frozen=True, slots=True)
class Body:
    """A plain body and its progress ``done`` X44, one for each auth with limits."""

    body: bytes
    done: tuple[int, ...]

    @property
    def hash(self) -> bytes:
        """The second word of the account it stands for."""
        return stand_hash(self.body, self.done)


class Bodies(Protocol):
    """Where bodies are kept."""

    def find(self, stand_hash: bytes) -> Body | None:
        """The body behind a hash, if it was ever learned."""

    def keep(self, bodies: Iterable[Body]) -> None:
        """Keep bodies under their hashes."""


class Known(dict[bytes, Body]):
    """Bodies in memory."""

    def find(self, stand_hash: bytes) -> Body | None:
        """The body behind a hash, if it was ever learned."""
        return self.get(stand_hash)

    def keep(self, bodies: Iterable[Body]) -> None:
        """Keep bodies under their hashes."""
        self.update((body.hash, body) for body in bodies)


@dataclass(frozen=True, slots=True)
class Posting:
    """What a settlement showed: entries and prices, and what it takes to read them.

    ``prices`` X84 by product, ``shadows`` X84 by account, ``ticks`` X40 by product; ``sealed`` are
    (units, ciphertext) by account of the seals that lock-out fixed.
    """

    batch_id: bytes
    secret: int
    entries: tuple[Entry, ...]
    prices: Mapping[int, int]
    shadows: Mapping[bytes, tuple[int, ...]]
    ticks: Mapping[int, int]
    sealed: Mapping[bytes, tuple[int, bytes]]


def learn(posting: Posting) -> Iterator[Body]:
    """Every body that may stand after a settlement: as it was, as it traded, as it was amended.

    More than really stand, since void reasons are not looked at: a hash finds the right one.
    """
    for entry in posting.entries:
        _, ciphertext = posting.sealed.get(entry.account, (0, b""))
        if entry.payload == ciphertext:
            yield from _first(posting, entry)
        else:
            yield from _traded(posting, entry.account, Body(entry.payload, entry.done))
            if entry.amendment is not None:
                yield from _sealed(posting, entry.account, entry.amendment)


def _first(posting: Posting, entry: Entry) -> Iterator[Body]:
    for body in _sealed(posting, entry.account, entry.payload):
        yield from _traded(posting, entry.account, body)


def _sealed(posting: Posting, account: bytes, ciphertext: bytes) -> Iterator[Body]:
    """The body in a ciphertext, if it is a standing submission: with no progress."""
    plain = unseal(posting.secret, ciphertext, account, posting.batch_id)
    submission = None if plain is None else _read(plain, posting.ticks)
    if plain is not None and submission is not None and submission.standing:
        yield Body(plain, (0,) * len(submission.limited))


def _traded(posting: Posting, account: bytes, body: Body) -> Iterator[Body]:
    yield body
    submission = _read(body.body, posting.ticks)
    shadows = posting.shadows.get(account, ())
    if submission is None or len(shadows) != len(submission.costs):
        return
    if body.done and set(submission.products) <= posting.prices.keys():
        moved = trade(submission, posting.ticks, posting.prices, shadows, body.done).done
        yield Body(body.body, moved)


def _read(body: bytes, ticks: Mapping[int, int]) -> Submission | None:
    length = SEAL_OVERHEAD + len(body)
    return decode(body, ciphertext_length=length, units=MAX_UNITS, ticks=ticks).submission
