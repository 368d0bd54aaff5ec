"""What a settlement in chunks does to accounts, twin of ``contracts/libraries/Effects.sol``.

An effect is account(20) ‖ head u8 (bit 7: a second word follows; low 7 bits: pair words) ‖ word ‖
[second word] ‖ (pair u16 ‖ word) … (SPEC §10).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from walras.batch import AccountState
from walras.opening import Opened, Standing
from walras.tally import Trade

__all__ = [
    "EFFECT_GAS",
    "FRESH_GAS",
    "PAIR_GAS",
    "SECOND_GAS",
    "Effect",
    "applied",
    "decode_effects",
    "effect_of",
    "encode_effects",
    "with_siblings",
]

_STANDING, _UNCOVERED = 1, 4  # account flags
_SECOND = 128
_HALF = 128  # bits of a product in a pair's word

# of applying it: an account and its word, the second, a pair's word, more if that was zero
EFFECT_GAS: Final = 7_500
SECOND_GAS: Final = 5_800
PAIR_GAS: Final = 6_000
FRESH_GAS: Final = 17_100


@dataclass(frozen=True, slots=True)
class Effect:
    """An account's words after the settlement; ``pairs`` by index, product >> 1.

    ``gas`` bounds what applying it takes.
    """

    account: bytes
    word: int
    second: bytes | None
    pairs: Mapping[int, int]
    gas: int = 0


def with_siblings(products: Iterable[int]) -> frozenset[int]:
    """``products`` and those that share a ledger word with one of them.

    ``AccountState.lots`` must hold all of these balances, and that of its home product, for its
    effect to be right.
    """
    return frozenset(k ^ side for k in products for side in (0, 1))


def effect_of(one: Opened, traded: Trade | None, standing: Standing | None, mark: int) -> Effect:
    """What the settlement does to the account of ``one``, standing with ``standing`` afterwards.

    ``mark`` is the rent index after the batch.
    """
    account, home = one.account, one.home
    lots = dict(account.lots)
    cash = account.cash - one.rent
    pairs: dict[int, int] = {}
    gas = EFFECT_GAS
    if traded is not None:
        cash += traded.cash
        fills = traded.fills
        for k, fill in fills.items():
            lots[k] = lots.get(k, 0) + fill
        moved = {k >> 1 for k, fill in fills.items() if fill and k != home}
        for pair in sorted(moved):
            pairs[pair] = _pair_word(lots, pair, home)
            fresh = _pair_word(account.lots, pair, home) == 0
            gas += PAIR_GAS + (FRESH_GAS if fresh else 0)
    second = None
    if standing is not None and not (account.standing and standing.hash == account.seal_hash):
        second = standing.hash
        gas += SECOND_GAS
    word = _word(cash, 0 if home is None else lots.get(home, 0), home, standing, mark)
    return Effect(account.address, word, second, pairs, gas)


def _word(cash: int, home_lots: int, home: int | None, standing: Standing | None, mark: int) -> int:
    """cash u96 | home u96 | homeProduct u16 | batch u32 | units u8 | flags u8, from the low end."""
    word = cash | home_lots << 96 | (0 if home is None else home + 1) << 192
    if standing is None:
        return word
    flags = _STANDING | (_UNCOVERED if standing.uncovered else 0)
    return word | mark << 208 | standing.units << 240 | flags << 248


def _pair_word(lots: Mapping[int, int], pair: int, home: int | None) -> int:
    return sum(lots.get(k, 0) << _HALF * (k & 1) for k in (2 * pair, 2 * pair + 1) if k != home)


def encode_effects(effects: Iterable[Effect]) -> bytes:
    """A chunk's effects, whose hash joins the digests of its run."""
    return b"".join(map(_encode, effects))


def _encode(effect: Effect) -> bytes:
    head = len(effect.pairs) | (_SECOND if effect.second is not None else 0)
    pairs = (pair.to_bytes(2) + word.to_bytes(32) for pair, word in effect.pairs.items())
    first = effect.account + head.to_bytes() + effect.word.to_bytes(32)
    return b"".join((first, effect.second or b"", *pairs))


def decode_effects(data: bytes) -> list[Effect]:
    """Inverse of ``encode_effects``, gas aside."""
    effects, at = [], 0

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        return data[at - size : at]

    while at < len(data):
        account, head, word = take(20), take(1)[0], int.from_bytes(take(32))
        second = take(32) if head & _SECOND else None
        pairs = {
            int.from_bytes(take(2)): int.from_bytes(take(32)) for _ in range(head & (_SECOND - 1))
        }
        effects.append(Effect(account, word, second, pairs))
    return effects


def applied(account: AccountState, effect: Effect) -> AccountState:
    """``account`` with the words of its effect."""
    word, lots = effect.word, dict(account.lots)
    home_product = word >> 192 & 0xFFFF
    for pair, balances in effect.pairs.items():
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
        seal_hash=account.seal_hash if effect.second is None else effect.second,
        standing=flags & _STANDING != 0,
        uncovered=flags & _UNCOVERED != 0,
    )
