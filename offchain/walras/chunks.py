"""A settlement in chunks, twin of ``verify`` and ``apply`` (SPEC §10).

A batch of any size is verified piece by piece under the same prices. A run is what the pieces so
far add up to; the contract keeps its hash, and whoever knows it goes on. What each piece does to
ledgers is its effects: the operator's pieces write them ahead, and what they were is restored if
the batch does not settle; anybody else's only record them, and they are applied afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from walras.batch import BatchState
from walras.certificate import check_account, check_prices, check_shadows, in_order
from walras.closing import Closing, check_close, closing
from walras.effects import (
    EFFECT_GAS,
    FRESH_GAS,
    PAIR_GAS,
    SECOND_GAS,
    Effect,
    effect_of,
    effects_digest,
    encode_effects,
    longest_effect,
)
from walras.errors import CertificateError
from walras.numbers import UNIT_GAS
from walras.opening import Entry, Opened
from walras.sealing import keccak256
from walras.settlement import encode_submissions, outcome_hash
from walras.tally import Line, Sums, trade

__all__ = [
    "CHUNK_BYTES",
    "CHUNK_GAS",
    "MAX_CHUNKS",
    "Chunk",
    "Run",
    "begin",
    "digests_hash",
    "split",
    "verify_chunk",
]

CHUNK_BYTES: Final = 98_304  # of a chunk's effects
CHUNK_GAS: Final = 14_000_000  # of applying them
MAX_CHUNKS: Final = 512  # of a run
_VERIFY_GAS: Final = 12 * 10**6  # of verifying a chunk, of 2^24 that a transaction may use
_VERIFY_BYTES: Final = 100_000  # of its items, of 2^17 that a transaction may have
_TRANSACTION_BYTES: Final = 2**17
_PRODUCT_BYTES: Final = 128  # id, price and sums of a posted product, in each chunk
_PRODUCT_GAS: Final = 6_000
_RUN_BYTES: Final = 18_000  # of all else, MAX_CHUNKS digests among it
_SUMS: Final = (
    *("listed", "voids", "rested", "cash", "slopes", "cost_loss", "cost_span"),
    *("rent", "standing", "standing_units"),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What the accounts listed so far add up to, up to ``last``, as the contract hashes it.

    ``board`` is the hash of products and prices, ``digests`` are of the chunks' effects.
    """

    board: bytes
    sums: Sums
    last: bytes = bytes(20)
    digests: tuple[bytes, ...] = ()

    @property
    def fields(self) -> dict[str, Any]:
        """The contract's struct by name; two words of ``totals`` for each posted product."""
        sums = {name: getattr(self.sums, name) for name in _SUMS}
        totals = _totals(self.sums)
        return {
            "board": self.board,
            "last": self.last,
            **sums,
            "totals": totals,
            "digests": self.digests,
        }

    @property
    def encoded(self) -> bytes:
        """abi.encode of the contract's struct."""
        board, last, *sums, totals, digests = self.fields.values()
        words = (int.from_bytes(board), int.from_bytes(last), *sums)
        size = 32 * (len(words) + 2)
        arrays = _array(totals), _array(map(int.from_bytes, digests))
        head = b"".join(map(_word, (*words, size, size + len(arrays[0]))))
        return _word(32) + head + b"".join(arrays)

    @property
    def hash(self) -> bytes:
        """What the contract keeps of it."""
        return keccak256(self.encoded)

    @property
    def digest(self) -> bytes:
        """What the contract keeps of a run that settled its batch, for ``apply``."""
        return digests_hash(self.digests)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A verified piece: the run after it, its effects, and how the last one closes the batch.

    ``listed`` counts its accounts; those without an effect are left as they are.
    """

    run: Run
    effects: tuple[Effect, ...]
    closing: Closing | None
    listed: int

    @property
    def digest(self) -> bytes:
        """Of its effects, the last of the run's."""
        return self.run.digests[-1]

    @property
    def written(self) -> int:
        """Accounts that it has written ahead."""
        return sum(effect.before is not None for effect in self.effects)

    @property
    def encoded(self) -> bytes:
        """What ``applyChunk`` and ``restoreChunk`` take."""
        return encode_effects(self.effects)


def begin(prices: Mapping[int, int]) -> Run:
    """A run of nothing yet under ``prices`` (X84 by product, ascending)."""
    board = outcome_hash(list(prices), list(prices.values()))
    return Run(board, Sums({k: Line() for k in prices}))


def digests_hash(digests: Iterable[bytes]) -> bytes:
    """Hash of all chunks' digests in order."""
    return keccak256(b"".join(digests))


def verify_chunk(
    state: BatchState,
    run: Run,
    opened: Sequence[Opened],
    prices: Mapping[int, int],
    shadows: Mapping[bytes, Sequence[int]] | None = None,
    *,
    ahead: bool,
) -> Chunk:
    """``run`` continued by ``opened``; the batch is settled once all live accounts are listed.

    The contract writes ``ahead`` in CLEARING, in FALLBACK it records.
    Raises CertificateError where the contract reverts.
    """
    check_prices(state, list(prices), list(prices.values()))
    board = outcome_hash(list(prices), list(prices.values()))
    if board != run.board:
        raise CertificateError("WrongBoard", board=board, expected=run.board)
    given = check_shadows(opened, shadows or {})
    sums = deepcopy(run.sums)
    ordered = in_order(state, opened, prices, run.last)
    effects = tuple(_add(state, sums, ordered, prices, given, ahead=ahead))
    size, gas = len(encode_effects(effects)), sum(effect.gas for effect in effects)
    if size > CHUNK_BYTES or gas > CHUNK_GAS:
        raise CertificateError("ChunkTooLarge", size=size, gas=gas)
    if len(run.digests) == MAX_CHUNKS:
        raise CertificateError("TooManyChunks", batch=state.number)
    last = opened[-1].account.address if opened else run.last
    after = Run(run.board, sums, last, (*run.digests, effects_digest(effects)))
    if sums.listed != len(state.accounts):
        return Chunk(after, effects, None, len(opened))
    found = closing(state, sums, prices)
    check_close(state, sums, found)
    return Chunk(after, effects, found, len(opened))


def _add(
    state: BatchState,
    sums: Sums,
    opened: Iterable[Opened],
    prices: Mapping[int, int],
    shadows: Mapping[bytes, tuple[int, ...]],
    *,
    ahead: bool,
) -> Iterator[Effect]:
    ticks = state.ticks
    for one in opened:
        traded = None
        if one.reason is None and one.submission is not None:
            given = shadows.get(one.account.address, ())
            traded = trade(one.submission, ticks, prices, given, one.done)
            check_account(one, traded, given)
            sums.add(traded)
        standing = one.next(one.done if traded is None else traded.done)
        sums.list(one, standing)
        effect = effect_of(state, one, traded, standing, ahead=ahead)
        if effect is None:
            sums.rested += 1
        else:
            yield effect


def _totals(sums: Sums) -> tuple[int, ...]:
    words: list[int] = []
    for k, line in sums.lines.items():
        residue = line.residue % (1 << 128)
        words.append(residue << 128 | line.tolerance << 64 | line.touches)
        words.append(line.volume << 128 | (k in sums.used))
    return tuple(words)


def split(
    opened: Sequence[Opened],
    entries: Sequence[Entry],
    shadows: Mapping[bytes, Sequence[int]] | None = None,
    *,
    products: int = 0,
    gas: int = _VERIFY_GAS,
    size: int = _VERIFY_BYTES,
) -> Iterator[tuple[tuple[Opened, ...], tuple[Entry, ...]]]:
    """Pieces that each fit a transaction, in order, whatever the prices are.

    ``gas`` is for the declared units of a piece, ``size`` for the bytes of its items, both less
    where all ``products`` posted need the room.
    """
    gas = min(gas, gas * 4 // 3 - products * _PRODUCT_GAS)
    size = min(size, _TRANSACTION_BYTES - _RUN_BYTES - products * _PRODUCT_BYTES)
    start, spent, sent, effects, apply_gas = 0, 0, 0, 0, 0
    for i, (one, entry) in enumerate(zip(opened, entries, strict=True)):
        units = one.account.units
        units += 0 if one.account.amendment is None else one.account.amendment.units
        length = len(encode_submissions([entry], shadows))
        bound, applying = _effect_bounds(one)
        full = (
            spent + units * UNIT_GAS > gas
            or sent + length > size
            or effects + bound > CHUNK_BYTES
            or apply_gas + applying > CHUNK_GAS
        )
        if i > start and full:
            yield tuple(opened[start:i]), tuple(entries[start:i])
            start, spent, sent, effects, apply_gas = i, 0, 0, 0, 0
        spent, sent = spent + units * UNIT_GAS, sent + length
        effects, apply_gas = effects + bound, apply_gas + applying
    if start < len(opened):
        yield tuple(opened[start:]), tuple(entries[start:])


def _effect_bounds(one: Opened) -> tuple[int, int]:
    """Bytes and gas of its effect at most: a word of every pair, fresh."""
    pairs = len({k >> 1 for k in one.products})
    return longest_effect(pairs), EFFECT_GAS + SECOND_GAS + (PAIR_GAS + FRESH_GAS) * pairs


def _word(value: int) -> bytes:
    return value.to_bytes(32, signed=value < 0)


def _array(values: Iterable[int]) -> bytes:
    words = [_word(value) for value in values]
    return _word(len(words)) + b"".join(words)
