"""Second thoughts about what stands: a sealed amendment, from the next batch on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.contract.batches import exact_prices, order
from tests.contract.days import AMENDED, STANDING, Days, buy, limited, sell
from tests.contract.opened import opened, void
from tests.contract.support import ALL, OPERATOR, UNIT_FEE, Bench, address
from walras.auths import Cost, Step, Submission, Term
from walras.batch import CASH
from walras.numbers import X40, X44
from walras.schedule import Phase
from walras.settlement import encode_submissions
from walras.submission import VoidReason, encode

pytestmark = pytest.mark.chain

ALICE = address("alice")
DUE = 1_000 * X40


@pytest.fixture
def days(bench: Bench) -> Days:
    return opened(bench)


def test_amendment_trades_from_the_next_batch_on(days: Days) -> None:
    bench, owner = days.bench, days.names["a"]
    before, pot, old = bench.balance(owner, CASH), bench.batch()["pot"], days.standing["a"]
    receipt = days.seal("a", buy(102, 300), units=40)
    shown = receipt.event("Sealed")
    assert (shown["batch"], shown["account"], shown["units"]) == (2, owner, 40)
    assert before - bench.balance(owner, CASH) == 40 * UNIT_FEE == bench.batch()["pot"] - pot
    raw = bench.account(owner)
    assert (raw["flags"], raw["seal_hash"]) == (STANDING | AMENDED, old.hash)
    state = bench.batch()
    assert (state["live"], state["units"]) == (2, bench.standing()["units"] + 40)
    settlement = days.settle()
    assert settlement.volumes[0] <= 100 * X44
    assert bench.account(owner)["flags"] == STANDING
    assert (days.standing["a"].units, bench.account(owner)["units"]) == (40, 40)
    days.go(3)
    days.seal("c", sell(90, 250), standing=False)
    assert days.settle().volumes[0] > 200 * X44


def test_last_of_several_amendments_counts(days: Days) -> None:
    bench = days.bench
    units = bench.batch()["units"]
    days.seal("a", buy(102, 300), units=250)
    assert bench.batch()["units"] == units + 250
    days.seal("a", buy(50, 7), units=20)
    assert bench.batch()["units"] == units + 20
    assert bench.batch()["pot"] == 270 * UNIT_FEE
    assert days.settle().amended
    assert not days.day(3).volumes[0]


BAD: dict[str, Callable[[Days], object]] = {
    "for one batch": lambda d: d.seal("a", buy(90, 10), standing=False),
    "malformed": lambda d: d.seal_bytes("a", b"\x01junk", 20),
    "empty": lambda d: d.seal_bytes("a", b"", 20),
    "oversized": lambda d: d.seal("a", buy(90, *[1] * 9), units=19),
    "a word too many": lambda d: d.seal("a", order({0: 1, 2: 1}, 5, buy=[1]), units=24),
    "unopened": lambda d: garbage(d, "a"),
}


def garbage(days: Days, name: str) -> None:
    days.bench.do(days.names[name], "seal", 20, bytes(100), days.batch)
    days.sealed[name] = bytes(100)


@pytest.mark.parametrize("kind", BAD)
def test_amendment_that_is_none_changes_nothing(days: Days, kind: str) -> None:
    old = days.standing["a"]
    BAD[kind](days)
    settlement = days.settle()
    assert not settlement.amended
    assert (days.standing["a"].body, days.flags("a")) == (old.body, STANDING)
    assert days.day(3).volumes[0] > 70 * X44


def test_expired_amendment_replaces_and_then_ends(days: Days) -> None:
    """Rule 7 is not asked of an amendment: it does not trade yet."""
    days.seal("a", buy(90, 10), valid_until=1)
    assert days.settle().amended
    assert list(days.day(3).voids.values()) == [VoidReason.EXPIRED]
    assert days.flags("a") == 0


def test_amendment_begins_with_no_progress(days: Days) -> None:
    days.seal("a", limited(buy(101, 100), high=150))
    days.settle()
    days.day(3)
    (moved,) = days.standing["a"].done
    assert 70 * X44 < moved < 100 * X44
    days.go(4)
    days.seal("a", limited(buy(101, 100), high=150))
    days.settle()
    assert days.standing["a"].done == (0,)


def test_amendment_lives_on_if_what_it_replaces_ends(days: Days) -> None:
    days.seal("a", limited(buy(120, 100), high=5))
    days.settle()
    days.go(3)
    days.seal("a", buy(102, 60))
    settlement = days.settle()
    assert len(settlement.ended) == len(settlement.amended) == 1
    assert days.bench.standing()["count"] == 2
    assert days.day(4).volumes[0] > 50 * X44


def test_amendment_clears_the_mark_of_an_uncovered_batch(days: Days) -> None:
    bench, owner = days.bench, days.names["b"]
    bench.do(owner, "withdraw", 0, ALL, owner)
    days.seal("b", sell(98, 5))
    assert list(days.settle().voids.values()) == [VoidReason.UNCOVERED]
    assert days.flags("b") == STANDING
    assert list(days.day(3).voids.values()) == [VoidReason.UNCOVERED]
    assert days.flags("b") != 0
    days.day(4)
    assert days.flags("b") == 0


def test_amendment_with_costs_needs_no_shadow_price_yet(days: Days) -> None:
    body = encode(coupled())
    days.seal("a", body=body)
    assert days.settle().amended
    assert days.standing["a"].body == body


def coupled() -> Submission:
    auths = (buy(101, 100), order({1: 1}, 41, buy=[100]))
    cost = Cost((Term(0, 1), Term(1, 1)), 0, 0, (Step(120, X40),), ())
    return Submission(auths, 0, (cost,), standing=True)


def test_amendment_has_to_be_shown(days: Days) -> None:
    """Neither left out, nor exchanged, nor shown where there is none."""
    days.seal("a", buy(102, 300))
    days.go(2, Phase.CLEARING)
    bench, a, b = days.bench, days.names["a"], days.names["b"]
    state, opened = days.opened()
    prices = exact_prices(state, opened)
    entries = {e.account: e for e in days.entries()}
    mine = bytes.fromhex(a[2:])

    def refused(shown: bytes | None) -> tuple[object, ...] | None:
        changed = {**entries, mine: replace(entries[mine], amendment=shown)}
        data = encode_submissions(sorted(changed.values(), key=lambda e: e.account))
        return bench.refusal(OPERATOR, "settle", 2, list(prices), list(prices.values()), data)

    ct = entries[mine].amendment or b""
    assert refused(ct) is None
    assert refused(ct[:-1] + b"\x00") == ("WrongCiphertext", a)
    assert refused(ct[:-1]) == ("WrongCiphertext", a)
    last = max(a, b, key=lambda owner: int(owner, 16)) == a
    assert refused(None) is not None
    data = encode_submissions(days.entries())
    args = (list(prices), list(prices.values()))
    for cut in (1, len(ct), len(ct) + 1) if last else (1,):
        error = bench.refusal(OPERATOR, "settle", 2, *args, data[:-cut])
        assert error == ("TruncatedData",)


def test_amendment_of_a_void_batch_is_gone(days: Days) -> None:
    bench, old = days.bench, days.standing["a"]
    days.seal("a", buy(102, 300))
    void(days, 2)
    assert days.flags("a") == STANDING | AMENDED
    settlement = days.day(3)
    assert not settlement.amended
    assert days.standing["a"].body == old.body
    days.go(4)
    units = bench.standing()["units"]
    days.seal("a", buy(50, 7), units=30)
    assert bench.batch()["units"] == units + 30
    assert days.settle().amended


def test_amendments_are_for_open_and_for_who_is_not_paused(days: Days) -> None:
    bench, a = days.bench, days.names["a"]
    seal = ("seal", 20, bytes(90), 2)
    at = bench.time(2, Phase.LOCKED_IN)
    assert bench.refusal(a, *seal, at=at - 1) is None
    assert bench.refusal(a, *seal, at=at) == ("Frozen", a, 2)
    bench.do(a, "pause")
    assert bench.refusal(a, *seal) == ("IsPaused", a)
    assert bench.refusal(a, "seal", 9, bytes(90), 2) == ("BadUnits", 9, 90)


def test_amendment_pays_and_fits_like_a_seal(days: Days) -> None:
    bench, a = days.bench, days.names["a"]
    used = bench.batch()["units"]
    for n, units in enumerate((255,) * 7 + (2_000 - used - 7 * 255 - 30,)):
        owner = bench.endow(address(f"filler {n}"), cash=10**8)
        bench.do(owner, "seal", units, bytes(80), 2)
    error = ("BatchFull", 2_001, 2_000)
    assert bench.refusal(a, "seal", 31, bytes(90), 2) == error
    fee, surcharge = bench.look("admissionFee", 30)
    pot, burnt = bench.batch()["pot"], bench.treasury()["burnt"]
    bench.do(a, "seal", 30, bytes(90), 2)
    assert bench.batch()["pot"] - pot == fee
    assert bench.treasury()["burnt"] - burnt == surcharge > 0
    bench.do(a, "withdraw", CASH, ALL, a)
    left = bench.balance(a, CASH)
    name, *_ = bench.refusal(a, "seal", 30, bytes(90), 2) or ("",)
    assert (name, left < X40) == ("InsufficientBalance", True)


# ------------------------------------------------------------------------------ pause and resume
