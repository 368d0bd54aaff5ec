"""What a settlement in chunks does to accounts, twin of ``contracts/libraries/Effects.sol``.

An effect is account(20) ‖ head u16 (bit 15: a second word follows; bit 14: written ahead; low 7
bits: pair words) ‖ word ‖ [second word] ‖ (pair u16 ‖ word) … (SPEC §10). In a chunk that writes
ahead each word is followed by the one before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from walras.batch import AccountState, BatchState
from walras.opening import Opened, Standing
from walras.sealing import keccak256
from walras.tally import Trade

__all__ = [
    "EFFECT_GAS",
    "FRESH_GAS",
    "PAIR_GAS",
    "SECOND_GAS",
    "Effect",
    "Words",
    "account_word",
    "applied",
    "decode_effects",
    "effect_of",
    "effects_digest",
    "encode_effects",
    "longest_effect",
    "with_siblings",
]

_STANDING, _UNCOVERED = 1, 4  # account flags
_SECOND, _AHEAD, _PAIRS = 1 << 15, 1 << 14, 127
_HEAD_BYTES = 22
_HALF = 128  # bits of a product in a pair's word

# of applying it: an account and its word, the second, a pair's word, more if that was zero
EFFECT_GAS: Final = 7_500
SECOND_GAS: Final = 5_800
PAIR_GAS: Final = 6_000
FRESH_GAS: Final = 17_100


@dataclass(frozen=True, slots=True)
class Words:
    """Words of an account: its first, the second if that changes, pairs by index, product >> 1."""

    word: int
    second: bytes | None
    pairs: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Effect:
    """An account's words ``after`` the settlement; also ``before`` if they were written ahead.

    ``gas`` bounds what applying it takes.
    """

    account: bytes
    after: Words
    before: Words | None = None
    gas: int = 0


def with_siblings(products: Iterable[int]) -> frozenset[int]:
    """``products`` and those that share a ledger word with one of them.

    ``AccountState.lots`` must hold all of these balances, and that of its home product, for its
    effect to be right.
    """
    return frozenset(k ^ side for k in products for side in (0, 1))


def effect_of(
    state: BatchState, one: Opened, traded: Trade | None, standing: Standing | None, *, ahead: bool
) -> Effect | None:
    """What the settlement does to the account of ``one``, standing with ``standing`` afterwards.

    None where a run that writes ``ahead`` leaves the account alone.
    """
    account, home = one.account, one.home
    lots, cash = dict(account.lots), account.cash - one.rent
    fills = {} if traded is None else traded.fills
    for k, fill in fills.items():
        lots[k] = lots.get(k, 0) + fill
    if traded is not None:
        cash += traded.cash
    moved = sorted({k >> 1 for k, fill in fills.items() if fill and k != home})
    pairs = {pair: _pair_word(lots, pair, home) for pair in moved}
    former = {pair: _pair_word(account.lots, pair, home) for pair in moved}
    hashed = standing is not None and (not account.standing or standing.hash != account.seal_hash)
    if ahead and not (pairs or hashed or _changes(one, traded, standing)):
        return None
    gas = EFFECT_GAS + SECOND_GAS * hashed
    # a word that is zero on either side is written fresh, to apply or to restore it
    for pair, old in former.items():
        gas += PAIR_GAS + FRESH_GAS * (not old or (ahead and not pairs[pair]))
    word = _word(state, cash, 0 if home is None else lots.get(home, 0), home, standing)
    second = standing.hash if hashed and standing is not None else None
    before = Words(account.word, account.seal_hash if hashed else None, former)
    return Effect(account.address, Words(word, second, pairs), before if ahead else None, gas)


def _changes(one: Opened, traded: Trade | None, standing: Standing | None) -> bool:
    """Whether the settlement changes the first word of the account, rent aside."""
    account, home = one.account, one.home
    if account.amendment is not None or account.standing != (standing is not None):
        return True
    if standing is not None and standing.uncovered != account.uncovered:
        return True
    moved = traded is not None and (traded.cash != 0 or traded.fills.get(_any(home), 0) != 0)
    return moved or home != account.home


def _any(home: int | None) -> int:
    return -1 if home is None else home


def _word(
    state: BatchState, cash: int, home_lots: int, home: int | None, standing: Standing | None
) -> int:
    """One that does not stand afterwards keeps its batch, without units."""
    first = cash, home_lots, 0 if home is None else home + 1
    if standing is None:
        return account_word(*first, state.number, 0, 0)
    flags = _STANDING | (_UNCOVERED if standing.uncovered else 0)
    return account_word(*first, state.mark, standing.units, flags)


def account_word(
    cash: int, home: int, home_product: int, batch: int, units: int, flags: int
) -> int:
    """cash u96 | home u96 | homeProduct u16 | batch u32 | units u8 | flags u8, from the low end."""
    return cash | home << 96 | home_product << 192 | batch << 208 | units << 240 | flags << 248


def _pair_word(lots: Mapping[int, int], pair: int, home: int | None) -> int:
    return sum(lots.get(k, 0) << _HALF * (k & 1) for k in (2 * pair, 2 * pair + 1) if k != home)


def encode_effects(effects: Iterable[Effect]) -> bytes:
    """A chunk's effects, as ``applyChunk`` and ``restoreChunk`` take them."""
    return b"".join(map(_encode, effects))


def effects_digest(effects: Iterable[Effect]) -> bytes:
    """Their running hash, from 0: keccak256(digest ‖ effect) for each."""
    digest = bytes(32)
    for effect in effects:
        digest = keccak256(digest + _encode(effect))
    return digest


def longest_effect(pairs: int) -> int:
    """Bytes of an effect with so many pair words at most."""
    return _HEAD_BYTES + 4 * 32 + pairs * 66


def _encode(effect: Effect) -> bytes:
    after, before = effect.after, effect.before
    head = len(after.pairs)
    head |= (0 if after.second is None else _SECOND) | (0 if before is None else _AHEAD)
    parts = [effect.account, head.to_bytes(2), after.word.to_bytes(32)]
    parts += [] if before is None else [before.word.to_bytes(32)]
    if after.second is not None:
        parts += [after.second] + ([] if before is None else [before.second or b""])
    for pair, word in after.pairs.items():
        parts += [pair.to_bytes(2), word.to_bytes(32)]
        parts += [] if before is None else [before.pairs[pair].to_bytes(32)]
    return b"".join(parts)


def decode_effects(data: bytes) -> Iterator[Effect]:
    """Inverse of ``encode_effects``, gas aside."""
    at = 0
    while at < len(data):
        account, head = data[at : at + 20], int.from_bytes(data[at + 20 : at + _HEAD_BYTES])
        at += _HEAD_BYTES
        hashed, step = head & _SECOND != 0, 64 if head & _AHEAD else 32
        places = [at, at + step] if hashed else [at]
        at = places[-1] + step
        pairs = []
        for _ in range(head & _PAIRS):
            pairs.append(int.from_bytes(data[at : at + 2]))
            places.append(at + 2)
            at += 2 + step
        after = _words(data, places, pairs, hashed=hashed)
        former = [place + 32 for place in places]
        before = _words(data, former, pairs, hashed=hashed) if head & _AHEAD else None
        yield Effect(account, after, before)


def _words(data: bytes, places: Iterable[int], pairs: Iterable[int], *, hashed: bool) -> Words:
    first, *rest = (data[place : place + 32] for place in places)
    second = rest.pop(0) if hashed else None
    held = dict(zip(pairs, map(int.from_bytes, rest), strict=True))
    return Words(int.from_bytes(first), second, held)


def applied(account: AccountState, effect: Effect) -> AccountState:
    """``account`` with the words of its effect."""
    after = effect.after
    word, lots = after.word, dict(account.lots)
    home_product = word >> 192 & 0xFFFF
    for pair, balances in after.pairs.items():
        for k in (2 * pair, 2 * pair + 1):
            if k + 1 != home_product:
                lots[k] = balances >> _HALF * (k & 1) & ((1 << _HALF) - 1)
    if home_product:
        lots[home_product - 1] = word >> 96 & ((1 << 96) - 1)
    flags = word >> 248
    return AccountState(
        address=account.address,
        cash=word & ((1 << 96) - 1),
        lots=lots,
        home=home_product - 1 if home_product else None,
        units=word >> 240 & 0xFF,
        seal_hash=account.seal_hash if after.second is None else after.second,
        standing=flags & _STANDING != 0,
        uncovered=flags & _UNCOVERED != 0,
    )
