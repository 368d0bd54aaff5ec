"""A batch settled in chunks, reckoned chunk by chunk: what runs hash to, what effects say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from tests.contract.batches import exact_root
from tests.contract.days import Days
from tests.contract.node import Receipt
from tests.contract.support import ALL, OPERATOR, Bench
from walras.batch import AccountState, BatchState
from walras.certificate import Settlement, settle
from walras.opening import Entry, Opened
from walras.schedule import Phase
from walras.sealing import keccak256
from walras.settlement import apply, encode_submissions, outcome_hash
from walras.tally import Line, Sums, trade

NOBODY: Final = "0x" + "00" * 20
RUN: Final = (
    "(bytes32,address,uint32,uint32,uint32,int256,uint256,uint256,uint256,uint256,int256,int256,"
    "uint256[],bytes32[])"
)
FRESH: Final[tuple[Any, ...]] = (bytes(32), NOBODY, *[0] * 10, [], [])
State = tuple[Any, ...]


@dataclass
class Chunked:
    """A batch past its reveal, cut into `entries`; `runs[i]` is the state after chunk i.

    `effects[i]` are those of its accounts, without the ones that a chunk ahead leaves alone.
    """

    days: Days
    batch: int
    state: BatchState
    settlement: Settlement
    entries: list[list[Entry]]
    effects: list[list[bytes]] = field(default_factory=list)
    runs: list[State] = field(default_factory=list)

    @property
    def prices(self) -> Mapping[int, int]:
        return self.settlement.prices

    @property
    def digests(self) -> list[bytes]:
        return [digest_of(effects) for effects in self.effects]

    def arguments(
        self, chunk: int, start: str = NOBODY, run: State | None = None
    ) -> tuple[Any, ...]:
        """Of `verify` for one chunk, going on from the run of `start`."""
        before = (self.runs[chunk - 1] if chunk else FRESH) if run is None else run
        data = encode_submissions(self.entries[chunk], self.settlement.shadows)
        board = (list(self.prices), list(self.prices.values()))
        return (self.batch, start, before, *board, data)

    def verify(self, chunk: int, start: str = NOBODY, sender: str = OPERATOR) -> Receipt:
        return self.days.bench.do(sender, "verify", *self.arguments(chunk, start))

    def refusal(self, chunk: int, start: str = NOBODY, **how: Any) -> tuple[Any, ...] | None:
        """Why a chunk would not be verified, None if it would."""
        sender, run = how.pop("sender", OPERATOR), how.pop("run", None)
        args = self.arguments(chunk, start, run)
        return self.days.bench.refusal(sender, "verify", *args, **how)

    def verify_all(self, sender: str = OPERATOR) -> list[Receipt]:
        """Every chunk by one settler."""
        return [self.verify(n, sender if n else NOBODY, sender) for n in range(len(self.entries))]

    def apply(self, chunk: int, sender: str = OPERATOR) -> Receipt:
        return self.days.bench.do(sender, "applyChunk", *self.application(chunk))

    def restore(self, chunk: int, sender: str = OPERATOR, *, of: int | None = None) -> Receipt:
        """Take back a chunk of a run that has written `of` of them ahead, or all but the last."""
        return self.days.bench.do(sender, "restoreChunk", *self.restoration(chunk, of))

    def restoration(self, chunk: int, of: int | None = None, most: int = ALL) -> tuple[Any, ...]:
        digests = self.digests[: len(self.effects) - 1 if of is None else of]
        return self.batch, digests, chunk, b"".join(self.effects[chunk]), most

    def finish(self) -> None:
        """Apply whatever is not applied yet."""
        for n in range(len(self.effects)):
            if self.days.bench.batch()["unapplied"]:
                self.apply(n)

    def application(self, chunk: int, most: int = ALL) -> tuple[Any, ...]:
        return self.batch, self.digests, chunk, b"".join(self.effects[chunk]), most


def hash_of(run: State) -> bytes:
    """What the contract stores of a run."""
    return keccak256(encode([RUN], [run]))


def digest_of(effects: Sequence[bytes]) -> bytes:
    """What a chunk adds to the digests of its run."""
    digest = bytes(32)
    for effect in effects:
        digest = keccak256(digest + effect)
    return digest


def cut(days: Days, *sizes: int, ahead: int | None = None) -> Chunked:
    """The batch in chunks of these sizes, the rest in a last one.

    The first `ahead` of them are written ahead; if it is not said, all or none by the phase now.
    """
    bench = days.bench
    if ahead is None:
        ahead = len(sizes) + 1 if bench.look("phase", days.batch) == Phase.CLEARING else 0
    state, opened = days.opened()
    found, shadows = exact_root(state, opened)
    settlement = settle(state, opened, found, shadows)
    entries = days.entries()
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    cuts = list(zip([0, *ends], [*ends, len(entries)], strict=True))
    out = Chunked(days, days.batch, state, settlement, [entries[a:b] for a, b in cuts])
    after = {one.address: one for one in apply(state, settlement).accounts}
    mark = bench.standing()["rent_index"] + bench.batch()["ticks"]
    sums = Sums({k: Line() for k in found})
    used: set[int] = set()
    counts = Counts()
    for n, (a, b) in enumerate(cuts):
        for one in opened[a:b]:
            used |= set(one.products)
            counts.add(one, settlement)
            if one.reason is None and one.submission is not None:
                given = settlement.shadows.get(one.account.address, ())
                sums.add(trade(one.submission, state.ticks, found, given, one.done))
        both = [(one.account, after[one.account.address]) for one in opened[a:b]]
        if n < ahead:
            both = [pair for pair in both if changes(*pair, settlement)]
            counts.rested += b - a - len(both)
        raws = [word_of(bench, one.address) if n < ahead else None for one, _ in both]
        where = days.batch, mark
        out.effects.append(
            [effect(*pair, settlement, where, raw) for pair, raw in zip(both, raws, strict=True)]
        )
        last = "0x" + opened[b - 1].account.address.hex() if b else NOBODY
        out.runs.append(run_of(found, last, sums, used, counts, out.digests))
    return out


@dataclass
class Counts:
    listed: int = 0
    voids: int = 0
    rested: int = 0
    rent: int = 0
    standing: int = 0
    units: int = 0

    def add(self, one: Opened, settlement: Settlement) -> None:
        address = one.account.address
        self.listed += 1
        self.voids += address in settlement.voids
        self.rent += settlement.rents.get(address, 0)
        after = settlement.standing.get(address)
        self.standing += (after is not None) - one.account.standing
        self.units += (after.units if after else 0) - one.account.units * one.account.standing


def run_of(
    prices: Mapping[int, int],
    last: str,
    sums: Sums,
    used: set[int],
    counts: Counts,
    digests: Sequence[bytes],
) -> State:
    totals: list[int] = []
    for k in prices:
        line = sums.lines[k]
        totals.append((line.residue % 2**128) << 128 | line.tolerance << 64 | line.touches)
        totals.append(line.volume << 128 | (k in used))
    return (
        outcome_hash(list(prices), list(prices.values())),
        last,
        counts.listed,
        counts.voids,
        counts.rested,
        sums.cash,
        sums.slopes,
        sums.cost_loss,
        sums.cost_span,
        counts.rent,
        counts.standing,
        counts.units,
        totals,
        list(digests),
    )


def changes(before: AccountState, after: AccountState, settlement: Settlement) -> bool:
    """Whether more happens to the account than that its rent is owed."""
    stands, address = settlement.standing.get(before.address), before.address
    if before.amendment or before.standing != (stands is not None) or before.home != after.home:
        return True
    if stands is not None and stands.uncovered != before.uncovered:
        return True
    if stands is not None and stands.hash != before.seal_hash:
        return True
    rent = settlement.rents.get(address, 0)
    return before.cash - rent != after.cash or any(settlement.fills.get(address, {}).values())


def word_of(bench: Bench, owner: bytes) -> int:
    """The first word of the account, as the contract has it."""
    raw = bench.account(to_checksum_address(owner))
    fields = (("cash", 96), ("home", 96), ("home_product", 16), ("batch", 32), ("units", 8))
    word, place = 0, 0
    for name, bits in (*fields, ("flags", 8)):
        word, place = word | raw[name] << place, place + bits
    return word


def effect(
    before: AccountState,
    after: AccountState,
    settlement: Settlement,
    where: tuple[int, int],
    raw: int | None,
) -> bytes:
    """account(20) | head u16 | word | [second word] | (pair u16 | word) × n.

    With `raw`, the account's word before, it is written ahead: each word is followed by the former.
    `where`: the batch, and the rent index after it.
    """
    stands = settlement.standing.get(before.address)
    home, (batch, mark) = after.home, where
    word = after.cash | (0 if stands else batch << 208)
    if home is not None:
        word |= after.lots.get(home, 0) << 96 | (home + 1) << 192
    if stands is not None:
        flags = 1 | 4 * stands.uncovered
        word |= mark << 208 | stands.units << 240 | flags << 248
    fills = settlement.fills.get(before.address, {})
    pairs = sorted({k >> 1 for k, fill in fills.items() if fill and k != home})
    hashed = stands is not None and stands.hash != before.seal_hash

    def words(new: int | bytes, old: int | bytes) -> bytes:
        both = (new,) if raw is None else (new, old)
        return b"".join(w if isinstance(w, bytes) else w.to_bytes(32) for w in both)

    def pair_of(account: AccountState, pair: int) -> int:
        held = {k: lots for k, lots in account.lots.items() if k != home}
        return held.get(2 * pair, 0) | held.get(2 * pair + 1, 0) << 128

    head = len(pairs) | hashed << 15 | (raw is not None) << 14
    return b"".join(
        (
            before.address + head.to_bytes(2),
            words(word, raw or 0),
            words(stands.hash, before.seal_hash) if stands and hashed else b"",
            *(p.to_bytes(2) + words(pair_of(after, p), pair_of(before, p)) for p in pairs),
        )
    )
