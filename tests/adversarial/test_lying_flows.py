"""A clearer that lies about what stands: bodies, progress, amendments, shadow prices, chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from tests.contract.batches import exact_root, order
from tests.contract.chunks import FRESH, NOBODY, Chunked, cut, hash_of
from tests.contract.days import Days, buy, limited, sell
from tests.contract.support import ALL, OPERATOR, Bench, address
from walras.auths import Cost, Step, Term
from walras.batch import CASH, BatchState
from walras.certificate import settle
from walras.errors import CertificateError
from walras.numbers import X40, X44, X84
from walras.opening import Entry, Opened
from walras.schedule import Phase
from walras.settlement import encode_submissions

pytestmark = pytest.mark.chain

ALICE, BOB = address("alice"), address("bob")
Shadows = Mapping[bytes, Sequence[int]]


@dataclass
class Day:
    """Batch 2 in its last window: everything that can stand is in it, and what it should be."""

    days: Days
    state: BatchState
    opened: tuple[Opened, ...]
    entries: list[Entry]
    prices: dict[int, int]
    shadows: dict[bytes, tuple[int, ...]]

    def named(self, name: str) -> bytes:
        return bytes.fromhex(self.days.names[name][2:])

    def entry(self, name: str) -> Entry:
        (found,) = [e for e in self.entries if e.account == self.named(name)]
        return found

    def told(self, name: str, **changes: Any) -> list[Entry]:
        """All items, one of them another."""
        account = self.named(name)
        return [replace(e, **changes) if e.account == account else e for e in self.entries]

    def refusal(
        self, entries: Sequence[Entry] | None = None, shadows: Shadows | None = None
    ) -> Any:
        """Why the contract would not settle so, None if it would."""
        given = self.entries if entries is None else entries
        return self.raw(encode_submissions(given, self.shadows if shadows is None else shadows))

    def raw(self, data: bytes) -> Any:
        board = (list(self.prices), list(self.prices.values()))
        return self.days.bench.refusal(ALICE, "settle", 2, *board, data)

    def twin(self, shadows: Shadows) -> tuple[Any, ...] | None:
        """The twin's opinion on other shadow prices."""
        try:
            settle(self.state, self.opened, self.prices, shadows)
        except CertificateError as error:
            shown = (
                to_checksum_address(v) if isinstance(v, bytes) else v for v in error.values.values()
            )
            return (error.reason, *shown)
        return None


def enter(days: Days) -> None:
    """Batch 1: limits, costs in the middle and at the end of their curves, plain orders."""
    steep = (Step(60, 200 * X40),)
    budget = Cost((Term(0, 1), Term(1, 1)), 0, 0, steep, steep)
    days.seal("coupled", limited(buy(103, 50), high=400), buy(42, 50, k=1), costs=(budget,))
    little = Cost((Term(0, 1),), X40, 0, (Step(2, X40),), ())
    days.seal("at the end", buy(105, 70), costs=(little,))
    days.seal("limited", limited(buy(101, 40), high=300), limited(sell(110, 9), low=5))
    days.seal("seller", sell(98, 400))
    days.seal("other", limited(sell(38, 400, k=1), low=5_000))
    days.seal("plain", buy(100, 20))
    days.seal("idle", buy(99, 3))
    days.seal("gone", buy(99, 4))
    days.settle()


@pytest.fixture
def day(bench: Bench) -> Day:
    days = Days(bench)
    days.go(1)
    enter(days)
    days.go(2)
    days.seal("once", buy(104, 5), standing=False)
    days.seal("new", limited(buy(103, 8), high=9))
    days.seal("plain", buy(102, 30))
    days.seal("seller", order({0: 1, 1: 1}, 130, sell=[40]))
    days.seal_bytes("junk", b"\x00junk", 20)
    bench.do(days.names["idle"], "pause")
    bench.do(days.names["gone"], "cancel")
    days.go(2, Phase.FALLBACK)
    state, opened = days.opened()
    prices, shadows = exact_root(state, opened)
    found = Day(days, state, opened, days.entries(), prices, shadows)
    assert found.refusal() is None
    return found


# ------------------------------------------------------------------------------- shadow prices


def test_shadow_price_beyond_its_resolution_by_one_ulp(day: Day) -> None:
    """The last that passes, the next, and further: by the name of the account and the cost."""
    for name in ("coupled", "at the end"):
        for way in (1, -1):

            def moved(by: int, name: str = name, way: int = way) -> Shadows:
                (shadow,) = day.shadows[day.named(name)]
                return {**day.shadows, day.named(name): (shadow + way * by,)}

            n = reach(lambda by: day.twin(moved(by)) is None)
            assert day.refusal(shadows=moved(n)) is None
            for by in (n + 1, 2 * n + 2, 1_000 * (n + 1), n + X84):
                error = day.refusal(shadows=moved(by))
                assert error == day.twin(moved(by))
                assert error[0] in {"CostNotCleared", "ShadowOutOfRange", "NotCleared"}
            last = day.refusal(shadows=moved(n + X84))
            assert last is not None
            assert last[1:3] == (day.days.names[name], 0)
            assert n < X84 // 10**6


def reach(passes: Callable[[int], bool]) -> int:
    """The largest n found that passes, while n + 1 does not."""
    far = 1
    while passes(far):
        far *= 2
    near = far // 2
    while far - near > 1:
        middle = (near + far) // 2
        near, far = (middle, far) if passes(middle) else (near, middle)
    return near


def test_cost_at_the_end_of_its_curve_is_excused_there_alone(day: Day) -> None:
    (shadow,) = day.shadows[day.named("at the end")]
    (cost,) = costs_of(day, "at the end")
    assert shadow == cost.bottom * X44
    for by in (1, X84):
        lie = {**day.shadows, day.named("at the end"): (shadow - by,)}
        error = ("ShadowOutOfRange", day.days.names["at the end"], 0, shadow - by)
        assert day.refusal(shadows=lie) == error


def costs_of(day: Day, name: str) -> tuple[Cost, ...]:
    (one,) = [o for o in day.opened if o.account.address == day.named(name)]
    assert one.submission is not None
    return one.submission.costs


def test_shadow_prices_of_another_account(day: Day) -> None:
    first, second = day.named("coupled"), day.named("at the end")
    swapped = {**day.shadows, first: day.shadows[second], second: day.shadows[first]}
    error = day.refusal(shadows=swapped)
    assert error == day.twin(swapped) is not None
    for name in ("plain", "once", "junk"):
        error = day.refusal(shadows={**day.shadows, day.named(name): (0,)})
        assert error == ("ShadowsMismatch", 1, 0)
    for given in ((), (0, 0)):
        error = day.refusal(shadows={**day.shadows, first: given})
        assert error == ("ShadowsMismatch", len(given), 1)


# ------------------------------------------------------------------------- bodies and progress


def flipped(text: bytes, step: int = 1) -> Iterator[bytes]:
    """One bit of every so many bytes changed."""
    for at in range(0, len(text), step):
        yield text[:at] + bytes((text[at] ^ 1 << at % 8,)) + text[at + 1 :]


@pytest.mark.parametrize("name", ["limited", "coupled", "seller"])
def test_every_byte_of_a_body_that_stands(day: Day, name: str) -> None:
    body, wrong = day.entry(name).payload, ("WrongCiphertext", day.days.names[name])
    others = (e.payload for e in day.entries if e.payload != body)
    for lie in (*flipped(body), body[:-1], body + b"\x00", b"", *others):
        assert day.refusal(day.told(name, payload=lie)) == wrong


@pytest.mark.parametrize("name", ["limited", "coupled", "other"])
def test_every_bit_of_progress(day: Day, name: str) -> None:
    done, wrong = day.entry(name).done, ("WrongCiphertext", day.days.names[name])
    assert any(done)
    for i, moved in enumerate(done):
        for bit in range(127):
            lie = (*done[:i], moved ^ 1 << bit, *done[i + 1 :])
            assert day.refusal(day.told(name, done=lie)) == wrong
    for lie in ((), done[1:], (*done, 0), tuple(0 for _ in done), tuple(-d for d in done)):
        assert day.refusal(day.told(name, done=lie)) == wrong
    if len(set(done)) > 1:
        assert day.refusal(day.told(name, done=done[::-1])) == wrong


def test_bytes_between_body_and_progress_cannot_move(day: Day) -> None:
    """The length is hashed: a body that ends as progress would begin is another."""
    entry, owner = day.entry("limited"), day.days.names["limited"]
    tail = b"".join(moved.to_bytes(16, signed=True) for moved in entry.done)
    lie = replace(entry, payload=entry.payload + tail, done=())
    told = [lie if e is entry else e for e in day.entries]
    assert day.refusal(told) == ("WrongCiphertext", owner)


# ---------------------------------------------------------------------- who stands, and who not


def test_what_stands_is_neither_skipped_nor_doubled(day: Day) -> None:
    live = len(day.entries)
    for i, entry in enumerate(day.entries):
        without = [*day.entries[:i], *day.entries[i + 1 :]]
        twice = [*day.entries[: i + 1], *day.entries[i:]]
        assert day.refusal(without) == ("LiveCountMismatch", live - 1, live)
        again = ("AccountsNotAscending", to_checksum_address(entry.account))
        assert day.refusal(twice) == again


@pytest.mark.parametrize("name", ["idle", "gone"])
def test_paused_and_cancelled_ones_are_foreign(day: Day, name: str) -> None:
    stands = day.days.standing[name]
    extra = Entry(day.named(name), stands.body, stands.done)
    told = sorted([*day.entries, extra], key=lambda e: e.account)
    assert day.refusal(told) == ("AccountNotLive", day.days.names[name])


def test_each_kind_of_item_for_the_other_kind_of_account(day: Day) -> None:
    names = day.days.names
    once, plain = day.entry("once"), day.entry("plain")
    stands = day.entry("limited")
    lies: dict[str, Sequence[dict[str, Any]]] = {
        # sealed bytes in the place of a body: its own amendment, a stranger's seal
        "plain": ({"payload": plain.amendment}, {"payload": once.payload}),
        "limited": ({"payload": once.payload, "done": ()}, {"payload": once.payload}),
        # a body in the place of sealed bytes
        "once": ({"payload": stands.payload}, {"payload": plain.payload}),
        "new": ({"payload": plain.payload},),
    }
    for name, changes in lies.items():
        for change in changes:
            error = day.refusal(day.told(name, **change))
            assert error == ("WrongCiphertext", names[name])
    for name in ("once", "new", "junk"):
        for done in ((0,), stands.done):
            assert day.refusal(day.told(name, done=done)) == ("WrongItem", names[name])


# ----------------------------------------------------------------------------------- amendments


def test_amendments_swapped_altered_and_empty(day: Day) -> None:
    names = day.days.names
    mine, other = day.entry("plain").amendment or b"", day.entry("seller").amendment or b""
    once, old = day.entry("once").payload, day.entry("plain").payload
    for lie in (other, once, old, b"", mine[:-1], mine + b"\x00", *flipped(mine, 5)):
        assert day.refusal(day.told("plain", amendment=lie)) == ("WrongCiphertext", names["plain"])
    crossed = {mine: other, other: mine}
    swapped = [
        replace(e, amendment=crossed[e.amendment]) if e.amendment else e for e in day.entries
    ]
    first = min(("plain", "seller"), key=day.named)
    assert day.refusal(swapped) == ("WrongCiphertext", names[first])


@pytest.mark.parametrize("name", ["plain", "seller"])
def test_amendment_left_out(day: Day, name: str) -> None:
    """What follows is read in its place: too long, behind the end, or of another hash."""
    told = day.told(name, amendment=None)
    at = next(i for i, e in enumerate(told) if e.account == day.named(name))
    behind = encode_submissions(told[at + 1 :], day.shadows)
    length, owner = int.from_bytes(behind[:2]), day.days.names[name]
    if 2 + length > len(behind):
        wrong: tuple[Any, ...] = ("TruncatedData",)
    else:
        wrong = ("WrongItem" if length > 19 * 255 else "WrongCiphertext", owner)
    assert day.refusal(told) == wrong


def test_amendment_twice_or_of_who_has_none(day: Day) -> None:
    """The surplus is read as the next item, which it is not."""
    mine = day.entry("plain").amendment
    assert mine is not None
    surplus = len(mine).to_bytes(2) + mine
    for i in range(len(day.entries)):
        data = (
            encode_submissions(day.entries[: i + 1], day.shadows)
            + surplus
            + encode_submissions(day.entries[i + 1 :], day.shadows)
        )
        account = to_checksum_address(surplus[:20])
        above = surplus[:20] > day.entries[i].account
        length = int.from_bytes(surplus[20:22])
        error = day.raw(data)
        assert error in (
            ("TruncatedData",),
            ("WrongItem", account),
            ("AccountNotLive" if above else "AccountsNotAscending", account),
        ), length


def test_amendment_of_a_void_batch_is_not_asked_for_again(bench: Bench) -> None:
    days = Days(bench)
    days.go(1)
    days.seal("a", buy(101, 40))
    days.seal("b", sell(99, 40))
    days.settle()
    days.go(2)
    days.seal("a", buy(150, 90))
    lost = days.sealed["a"]
    days.go(2, Phase.VOID)
    bench.do(ALICE, "closeVoid", 2)
    bond = 200_000 * bench.units[CASH]
    bench.supply(OPERATOR, CASH, bond)
    bench.do(OPERATOR, "addBond", bond)
    days.go(3)
    bench.do(ALICE, "open", 3)
    days.go(3, Phase.CLEARING)
    prices, shadows = exact_root(*days.opened())
    account = bytes.fromhex(days.names["a"][2:])
    told = [replace(e, amendment=lost) if e.account == account else e for e in days.entries()]
    board = (list(prices), list(prices.values()))
    data = encode_submissions(told, shadows)
    assert bench.refusal(OPERATOR, "settle", 3, *board, data) is not None
    assert not days.settle().amended


# --------------------------------------------------------------------------------------- chunks


@pytest.fixture
def chunked(day: Day) -> Chunked:
    """The same day in three chunks, the first two verified by Alice."""
    day.days.go(2, Phase.FALLBACK)
    found = cut(day.days, 3, 3)
    found.verify(0, NOBODY, ALICE)
    found.verify(1, ALICE, ALICE)
    return found


def test_overlapping_chunks(chunked: Chunked) -> None:
    entries = chunked.entries
    for again in (entries[1][-1], entries[0][0]):
        chunked.entries[2] = [again, *entries[2]]
        wrong = ("AccountsNotAscending", to_checksum_address(again.account))
        assert chunked.refusal(2, ALICE, sender=BOB) == wrong
        chunked.entries[2] = entries[2][1:]


def test_gap_between_chunks_never_closes(chunked: Chunked) -> None:
    """A run that left somebody out is one more run: it cannot close, and spoils no other."""
    bench, whole = chunked.days.bench, list(chunked.entries[2])
    chunked.entries[2] = whole[1:]
    receipt = chunked.verify(2, ALICE, BOB)
    assert receipt.event("Verified")["run"] == bench.look("runHash", 2, BOB) != bytes(32)
    assert not bench.batch()["settled"]
    live = bench.batch()["live"]
    assert receipt.event("Verified")["listed"] == live - 1
    chunked.entries[2] = whole
    chunked.verify(2, ALICE, BOB)
    assert bench.batch()["settled"]
    chunked.finish()
    bench.check_books()


def test_runs_with_any_number_changed(chunked: Chunked) -> None:
    """Nothing of a run can be told otherwise, nor one that is nobody's."""
    run = chunked.runs[1]
    wrong = ("WrongRun", 2, ALICE)
    for i, value in enumerate(run):
        if isinstance(value, bytes):
            other: Any = bytes((value[0] ^ 1,)) + value[1:]
        elif isinstance(value, str):
            other = "0x" + (int(value, 16) + 1).to_bytes(20).hex()
        elif isinstance(value, int):
            other = value + 1
        elif isinstance(value[0], int):
            other = [value[0] ^ 1, *value[1:]]
        else:
            other = value[::-1]
        lie = (*run[:i], other, *run[i + 1 :])
        assert hash_of(lie) != hash_of(run)
        assert chunked.refusal(2, ALICE, run=lie, sender=BOB) == wrong
    for lie in (chunked.runs[0], FRESH):
        assert chunked.refusal(2, ALICE, run=lie, sender=BOB) == wrong
    for start in (BOB, OPERATOR, chunked.days.bench.market):
        assert chunked.refusal(2, start, sender=BOB) == ("WrongRun", 2, start)
    assert chunked.refusal(2, ALICE, sender=BOB) is None


def test_other_prices_halfway(chunked: Chunked) -> None:
    """One price vector for the whole batch; one that does not clear holds nobody up."""
    bench = chunked.days.bench
    name, _, expected = chunked_at(chunked, 1)
    assert (name, expected) == ("WrongBoard", chunked.runs[1][0])
    # from the beginning under other prices: nothing is checked until all is there
    lies = {k: p + (k == 0) * X84 for k, p in chunked.prices.items()}
    board = (list(lies), list(lies.values()))
    everything = encode_submissions(
        [e for chunk in chunked.entries for e in chunk], chunked.settlement.shadows
    )
    error = bench.refusal(BOB, "verify", 2, NOBODY, FRESH, *board, everything)
    assert error is not None
    assert error[0] in {"NotCleared", "CostNotCleared"}
    chunked.verify(2, ALICE, BOB)
    chunked.finish()


def chunked_at(chunked: Chunked, by: int) -> tuple[Any, ...]:
    bench, (first, *rest) = chunked.days.bench, list(chunked.prices)
    prices = [chunked.prices[first] + by, *(chunked.prices[k] for k in rest)]
    data = encode_submissions(chunked.entries[2], chunked.settlement.shadows)
    args = (2, ALICE, chunked.runs[1], [first, *rest], prices, data)
    return bench.refusal(BOB, "verify", *args) or ()


def test_every_byte_of_the_effects(chunked: Chunked) -> None:
    chunked.verify(2, ALICE, BOB)
    bench = chunked.days.bench
    whole = [b"".join(effects) for effects in chunked.effects]
    for n, effects in enumerate(whole):
        batch, digests, chunk, *_ = chunked.application(n)
        wrong = ("WrongEffects", 2, n)
        others = (e for e in whole if e != effects)
        for lie in (*flipped(effects), effects[:-1], effects + b"\x00", b"", *others):
            assert bench.refusal(BOB, "applyChunk", batch, digests, chunk, lie, ALL) == wrong
        for other in ([], digests[:-1], digests[1:], digests[::-1], [*digests, bytes(32)]):
            assert bench.refusal(BOB, "applyChunk", batch, other, chunk, effects, ALL) == wrong
    chunked.finish()
    bench.check_books()
