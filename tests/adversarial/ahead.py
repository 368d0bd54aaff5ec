"""A dishonest operator's chunks: ahead at any prices, remembered so that they can go back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eth_utils.address import to_canonical_address

from tests.contract.chunks import FRESH, NOBODY, digest_of, word_of
from tests.contract.days import Days, buy, sell
from tests.contract.node import Receipt
from tests.contract.support import ALL, OPERATOR, Bench
from walras.opening import Entry
from walras.settlement import encode_submissions

__all__ = ["Liar", "Raw", "effect", "raw_of", "stood"]


@dataclass(frozen=True)
class Raw:
    """An account as it is stored: first word, second, pair words by index."""

    word: int
    second: bytes
    pairs: Mapping[int, int]


def raw_of(bench: Bench, owner: str) -> Raw:
    account = bench.account(owner)
    home = account["home_product"] - 1
    held = {k: bench.balance(owner, k) for k in bench.tokens if k != home and k < 1 << 15}
    pairs = {k >> 1: 0 for k in held}
    for k, lots in held.items():
        pairs[k >> 1] |= lots << 128 * (k & 1)
    return Raw(word_of(bench, to_canonical_address(owner)), account["seal_hash"], pairs)


def effect(owner: str, before: Raw, after: Raw) -> bytes:
    """What a chunk ahead records of an account, by SPEC §10; nothing if it is what it was."""
    moved = [p for p, word in after.pairs.items() if word != before.pairs[p]]
    hashed = after.second != before.second
    if after == before:
        return b""
    head = len(moved) | hashed << 15 | 1 << 14
    words = after.word.to_bytes(32) + before.word.to_bytes(32)
    second = after.second + before.second if hashed else b""
    pairs = (
        p.to_bytes(2) + after.pairs[p].to_bytes(32) + before.pairs[p].to_bytes(32) for p in moved
    )
    return to_canonical_address(owner) + head.to_bytes(2) + words + second + b"".join(pairs)


@dataclass
class Liar:
    """The operator of `days`, at prices of their own; `effects` are of the chunks of one run."""

    days: Days
    prices: dict[int, int]
    effects: list[list[bytes]] = field(default_factory=list)
    entries: list[Entry] = field(init=False)

    def __post_init__(self) -> None:
        self.entries = self.days.entries()

    def write(self, *names: str) -> Receipt:
        """The first chunk of a run: these accounts, whoever is left out."""
        days, bench = self.days, self.days.bench
        owners = sorted((days.names[name] for name in names), key=to_canonical_address)
        before = {owner: raw_of(bench, owner) for owner in owners}
        receipt = bench.do(OPERATOR, "verify", *self.arguments(*names))
        found = (effect(owner, before[owner], raw_of(bench, owner)) for owner in owners)
        self.effects.append([one for one in found if one])
        return receipt

    def arguments(self, *names: str) -> tuple[object, ...]:
        owners = {to_canonical_address(self.days.names[name]) for name in names}
        entries = [one for one in self.entries if one.account in owners]
        board = list(self.prices), list(self.prices.values())
        return (self.days.batch, NOBODY, FRESH, *board, encode_submissions(entries))

    def restore(self, sender: str, effects: Sequence[bytes] | None = None) -> Receipt:
        """Take the last chunk back."""
        return self.days.bench.do(sender, "restoreChunk", *self.restoration(effects))

    def restoration(self, effects: Sequence[bytes] | None = None) -> tuple[object, ...]:
        last = self.effects[-1] if effects is None else effects
        return self.days.batch, self.digests[-1:], 0, b"".join(last), ALL

    @property
    def digests(self) -> list[bytes]:
        return [digest_of(effects) for effects in self.effects]


def stood(bench: Bench) -> Days:
    """Batch 2 in OPEN; an order that never trades stands already."""
    days = Days(bench)
    days.go(1)
    days.seal("idle", buy(1, 5))
    days.seal("seller", sell(99, 8), standing=False)
    days.seal("buyer", buy(101, 8), standing=False)
    days.settle()
    days.go(2)
    return days
