"""A batch settled in chunks, reckoned chunk by chunk: what runs hash to, what effects say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from eth_abi.abi import encode

from tests.contract.batches import exact_root
from tests.contract.days import Days
from tests.contract.node import Receipt
from tests.contract.support import OPERATOR
from walras.batch import AccountState, BatchState
from walras.certificate import Settlement, settle
from walras.opening import Entry, Opened
from walras.sealing import keccak256
from walras.settlement import apply, encode_submissions, outcome_hash
from walras.tally import Line, Sums, trade

NOBODY: Final = "0x" + "00" * 20
RUN: Final = (
    "(bytes32,address,uint32,uint32,int256,uint256,uint256,uint256,uint256,int256,int256,"
    "uint256[],bytes32[])"
)
FRESH: Final[tuple[Any, ...]] = (bytes(32), NOBODY, 0, 0, 0, 0, 0, 0, 0, 0, 0, [], [])
State = tuple[Any, ...]


@dataclass
class Chunked:
    """A batch past its reveal, cut into `entries`; `runs[i]` is the state after chunk i."""

    days: Days
    batch: int
    state: BatchState
    settlement: Settlement
    entries: list[list[Entry]]
    effects: list[bytes] = field(default_factory=list)
    runs: list[State] = field(default_factory=list)

    @property
    def prices(self) -> Mapping[int, int]:
        return self.settlement.prices

    @property
    def digests(self) -> list[bytes]:
        return [keccak256(effects) for effects in self.effects]

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

    def finish(self) -> None:
        """Apply whatever is not applied yet."""
        for n in range(len(self.effects)):
            if self.days.bench.batch()["unapplied"]:
                self.apply(n)

    def application(self, chunk: int) -> tuple[Any, ...]:
        return self.batch, self.digests, chunk, self.effects[chunk]


def hash_of(run: State) -> bytes:
    """What the contract stores of a run."""
    return keccak256(encode([RUN], [run]))


def cut(days: Days, *sizes: int) -> Chunked:
    """The batch in chunks of these sizes, the rest in a last one."""
    bench = days.bench
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
    for a, b in cuts:
        for one in opened[a:b]:
            used |= set(one.products)
            counts.add(one, settlement)
            if one.reason is None and one.submission is not None:
                given = settlement.shadows.get(one.account.address, ())
                sums.add(trade(one.submission, state.ticks, found, given, one.done))
        out.effects.append(
            b"".join(
                effect(one.account, after[one.account.address], settlement, mark)
                for one in opened[a:b]
            )
        )
        last = "0x" + opened[b - 1].account.address.hex() if b else NOBODY
        out.runs.append(run_of(found, last, sums, used, counts, out.digests))
    return out


@dataclass
class Counts:
    listed: int = 0
    voids: int = 0
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


def effect(before: AccountState, after: AccountState, settlement: Settlement, mark: int) -> bytes:
    """account(20) | head u8 | word | [second word] | (pair u16 | word) × n"""
    stands = settlement.standing.get(before.address)
    home = after.home
    word = after.cash
    if home is not None:
        word |= after.lots.get(home, 0) << 96 | (home + 1) << 192
    if stands is not None:
        flags = 1 | 4 * stands.uncovered
        word |= mark << 208 | stands.units << 240 | flags << 248
    second = stands.hash if stands is not None and stands.hash != before.seal_hash else b""
    fills = settlement.fills.get(before.address, {})
    pairs = sorted({k >> 1 for k, fill in fills.items() if fill and k != home})
    held = {k: lots for k, lots in after.lots.items() if k != home}
    head = len(pairs) | 128 * bool(second)
    return b"".join(
        (
            before.address,
            bytes((head,)),
            word.to_bytes(32),
            second,
            *(
                pair.to_bytes(2)
                + (held.get(2 * pair, 0) | held.get(2 * pair + 1, 0) << 128).to_bytes(32)
                for pair in pairs
            ),
        )
    )
