"""Second thoughts about what stands: amend, pause, resume, take back; and batches that open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.contract.batches import exact_prices, order
from tests.contract.days import AMENDED, PAUSED, STANDING, Days, buy, limited, sell
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
    """Batch 2 in OPEN, opened; `a` and `b` stand."""
    found = Days(bench)
    found.go(1)
    found.seal("a", buy(101, 100))
    found.seal("b", sell(99, 80))
    found.settle()
    found.go(2)
    bench.do(ALICE, "open", 2)
    return found


def rent(bench: Bench, units: int) -> int:
    return int(units * bench.look("unitRent"))


# ------------------------------------------------------------------------------------- amending


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


def void(days: Days, batch: int) -> None:
    """Let a batch die, close it and fill the bond again."""
    bench = days.bench
    days.go(batch, Phase.VOID)
    bench.do(ALICE, "closeVoid", batch)
    bond = bench.parameters["bond"]
    bench.supply(OPERATOR, CASH, bond * bench.units[CASH])
    bench.do(OPERATOR, "addBond", bond * bench.units[CASH])


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


def test_pausing_takes_out_of_an_open_batch_and_pays_its_rent(days: Days) -> None:
    bench, a = days.bench, days.names["a"]
    days.seal("a", buy(102, 300), units=40)
    before, state, stood = bench.balance(a, CASH), bench.batch(), bench.standing()
    units = days.standing["a"].units
    assert bench.do(a, "pause").event("Paused") == {"account": a}
    due = rent(bench, units)
    assert before - bench.balance(a, CASH) == due
    now = bench.batch()
    assert now == {
        **state,
        "live": 1,
        "units": state["units"] - units - 40,
        "pot": state["pot"] + due,
    }
    assert bench.standing() == {**stood, "count": 1, "units": stood["units"] - units}
    assert days.flags("a") == STANDING | PAUSED
    assert bench.refusal(a, "pause") == ("IsPaused", a)
    assert bench.refusal(ALICE, "pause") == ("NotStanding", ALICE)
    settlement = days.settle()
    assert len(settlement.rents) == 1
    assert bench.look("rentOwed", a) == 0
    assert not days.day(3).amended
    assert bench.look("rentOwed", a) == 0


def test_room_in_a_batch_is_never_free(days: Days) -> None:
    """Whoever stands at the door until lock-in pays for it each time."""
    bench, a = days.bench, days.names["a"]
    due = rent(bench, days.standing["a"].units)
    before = bench.balance(a, CASH)
    for _ in range(3):
        bench.do(a, "pause")
        bench.do(a, "resume")
    assert before - bench.balance(a, CASH) == 3 * due
    bench.do(a, "withdraw", CASH, ALL, a)
    left = bench.balance(a, CASH)
    short = ("InsufficientBalance", due, left)
    assert bench.refusal(a, "pause") == short
    assert bench.refusal(a, "cancel") == short


def test_resuming_joins_the_open_batch_until_lock_out(days: Days) -> None:
    bench, a = days.bench, days.names["a"]
    assert bench.refusal(a, "resume") == ("NotPaused", a)
    assert bench.refusal(ALICE, "resume") == ("NotStanding", ALICE)
    bench.do(a, "pause")
    for phase in (Phase.LOCKED_OUT, Phase.REVEAL):
        at = bench.time(2, phase)
        assert bench.refusal(a, "resume", at=at) == ("WrongPhase", 2, phase)
    assert bench.refusal(a, "resume", at=bench.time(2, Phase.VOID)) == ("VoidUnclosed", 2)
    days.go(2, Phase.LOCKED_IN)
    assert bench.do(a, "resume").event("Resumed") == {"account": a, "batch": 2}
    assert bench.batch()["live"] == 2
    assert bench.refusal(a, "withdraw", 0, 1, a) == ("Frozen", a, 2)
    assert bench.refusal(a, "pause") == ("Frozen", a, 2)
    assert days.settle().volumes[0] > 70 * X44


def test_resuming_between_batches_waits_for_the_next(days: Days) -> None:
    bench, a = days.bench, days.names["a"]
    bench.do(a, "pause")
    days.settle()
    days.go(3)
    assert bench.do(a, "resume").event("Resumed") == {"account": a, "batch": 0}
    assert bench.batch()["live"] == 1
    bench.do(ALICE, "open", 3)
    assert bench.batch()["live"] == 2
    settlement = days.settle()
    assert len(settlement.rents) == 2
    assert settlement.volumes[0] > 70 * X44


def test_resuming_needs_room_and_backing(days: Days) -> None:
    bench, a, b = days.bench, days.names["a"], days.names["b"]
    units = days.standing["a"].units
    bench.do(a, "pause")
    with bench.chain.undone():
        used = bench.batch()["units"]
        fill = [255] * 7 + [2_000 - used - 7 * 255 - units + 1]
        for n, size in enumerate(fill):
            owner = bench.endow(address(f"filler {n}"), cash=10**8)
            bench.do(owner, "seal", size, bytes(80), 2)
        assert bench.refusal(a, "resume") == ("BatchFull", 2_001, 2_000)
    bench.do(b, "pause")
    assert bench.batch()["live"] == 0
    bench.do(OPERATOR, "drawBond", 10**4, OPERATOR)
    full = 200_000 * X40
    assert bench.refusal(a, "resume") == ("BondShort", full - X40, full)


def test_what_stands_never_exceeds_capacity(days: Days) -> None:
    """Between batches too: the next one opens with all of it."""
    bench, a = days.bench, days.names["a"]
    bench.do(a, "pause")
    for n in range(7):
        days.seal(f"f{n}", buy(50, 1), units=255)
    used = bench.batch()["units"]
    days.seal("last", buy(50, 1), units=2_000 - used)
    days.settle()
    assert bench.standing()["units"] == 2_000
    days.go(3)
    units = days.standing["a"].units
    assert bench.refusal(a, "resume") == ("BatchFull", 2_000 + units, 2_000)
    bench.do(ALICE, "open", 3)
    assert bench.batch()["units"] == 2_000


# ------------------------------------------------------------------------------------ taking back


def test_cancel_ends_what_stands_whenever_not_frozen(days: Days) -> None:
    bench, a = days.bench, days.names["a"]
    for phase in (Phase.LOCKED_IN, Phase.LOCKED_OUT, Phase.REVEAL):
        assert bench.refusal(a, "cancel", at=bench.time(2, phase)) == ("Frozen", a, 2)
    for at in (bench.time(2, Phase.VOID), bench.time(3, Phase.LOCKED_IN)):
        assert bench.refusal(a, "cancel", at=at) is None
    before, pot = bench.balance(a, CASH), bench.batch()["pot"]
    due = rent(bench, days.standing["a"].units)
    assert bench.do(a, "cancel").event("Cancelled") == {"batch": 2, "account": a}
    assert before - bench.balance(a, CASH) == due == bench.batch()["pot"] - pot
    raw = bench.account(a)
    assert (raw["flags"], raw["batch"], raw["units"]) == (0, 0, 0)
    assert (bench.batch()["live"], bench.standing()["count"]) == (1, 1)
    assert bench.refusal(a, "cancel") == ("NotLive", a)
    # and the same batch takes a first seal of it
    del days.standing["a"]
    days.seal("a", buy(103, 60))
    settlement = days.settle()
    assert len(settlement.joined) == 1
    assert settlement.volumes[0] > 50 * X44


def test_cancel_of_a_paused_submission_pays_nothing(days: Days) -> None:
    bench, a = days.bench, days.names["a"]
    bench.do(a, "pause")
    days.settle()
    before = bench.balance(a, CASH)
    bench.do(a, "cancel")
    assert bench.balance(a, CASH) == before
    assert bench.standing()["count"] == 1


def test_cancel_in_a_void_batch_leaves_its_count_right(days: Days) -> None:
    """Compensation is for those who sealed in it, whatever those who stood do meanwhile."""
    bench = days.bench
    days.seal("c", buy(90, 5))
    days.go(2, Phase.VOID)
    bench.do(days.names["a"], "cancel")
    bench.do(days.names["b"], "pause")
    assert (bench.batch()["live"], bench.standing()["count"]) == (1, 0)
    event = bench.do(ALICE, "closeVoid", 2).event("VoidClosed")
    assert event["compensation"] == DUE
    for name, error in (("a", True), ("b", True), ("c", False)):
        owner = days.names[name]
        expected = ("NothingDue", owner) if error else None
        assert bench.refusal(ALICE, "compensate", owner) == expected
    bench.do(ALICE, "compensate", days.names["c"])
    assert bench.treasury()["reserved"] == 0


@pytest.mark.parametrize("way", ["cancel", "pause"])
def test_last_one_in_a_void_batch_closes_it_before_leaving(days: Days, way: str) -> None:
    """With nobody live there would be nothing to close, and the operator could draw the bond."""
    bench, b = days.bench, days.names["b"]
    days.go(2, Phase.VOID)
    bench.do(days.names["a"], "cancel")
    assert bench.refusal(b, way) == ("VoidUnclosed", 2)
    assert bench.refusal(OPERATOR, "drawBond", 1, OPERATOR) is not None
    bench.do(b, "closeVoid", 2)
    assert bench.treasury()["bond"] == 0
    assert bench.refusal(b, way) is None


def test_rent_mark_is_never_taken_for_a_void_batch(days: Days) -> None:
    """What stands has its rent index where others have their batch."""
    bench, a = days.bench, days.names["a"]
    days.seal("c", buy(90, 5), standing=False)
    void(days, 2)
    days.day(3)
    bench.endow(a, cash=1)
    assert bench.account(a)["batch"] == 2
    assert int.from_bytes(bench.look("outcome", 2)) == 1
    assert bench.refusal(ALICE, "compensate", a) == ("NothingDue", a)
    assert bench.refusal(ALICE, "compensate", days.names["c"]) is None


# --------------------------------------------------------------------------------- void and open


def test_void_batch_leaves_what_stands_and_takes_no_rent(days: Days) -> None:
    bench = days.bench
    standing, raws = bench.standing(), [bench.account(days.names[n]) for n in ("a", "b")]
    void(days, 2)
    assert bench.standing() == standing
    assert [bench.account(days.names[n]) for n in ("a", "b")] == raws
    assert days.day(3).volumes[0] > 70 * X44


def test_void_batch_of_standing_accounts_alone_costs_the_bond_but_pays_nobody(days: Days) -> None:
    days.go(2, Phase.VOID)
    event = days.bench.do(ALICE, "closeVoid", 2).event("VoidClosed")
    assert event["compensation"] == 0
    assert int.from_bytes(days.bench.look("outcome", 2)) == 2


def test_first_seal_of_a_void_batch_does_not_stand(days: Days) -> None:
    days.seal("c", buy(90, 5))
    void(days, 2)
    days.day(3)
    assert days.flags("c") == 0
    assert days.bench.standing()["count"] == 2


def test_what_opens_a_batch(days: Days) -> None:
    bench = days.bench
    assert bench.refusal(ALICE, "open", 2) == ("AlreadyOpen", 2)
    assert bench.refusal(ALICE, "open", 1) == ("NotCurrent", 1, 2)
    assert bench.refusal(ALICE, "open", 3) == ("NotCurrent", 3, 2)
    days.settle()
    edges = bench.schedule.boundaries(3)
    for at in (edges.start, edges.lock_in, edges.lock_out - 1):
        assert bench.refusal(ALICE, "open", 3, at=at) is None
    error = ("WrongPhase", 3, Phase.LOCKED_OUT)
    assert bench.refusal(ALICE, "open", 3, at=edges.lock_out) == error
    assert bench.refusal(ALICE, "open", 4, at=edges.end) == ("KeyMissing", 4)
    bench.do(OPERATOR, "drawBond", 10**4, OPERATOR)
    full = 200_000 * X40
    assert bench.refusal(ALICE, "open", 3, at=edges.start) == ("BondShort", full - X40, full)


def test_batch_opens_only_behind_a_finished_one(days: Days) -> None:
    bench = days.bench
    days.go(3)
    assert bench.refusal(ALICE, "open", 3) == ("VoidUnclosed", 2)
    assert bench.refusal(days.names["a"], "seal", 20, bytes(90), 3) == ("VoidUnclosed", 2)


def test_standing_account_is_frozen_from_lock_in_of_a_batch_that_opened(days: Days) -> None:
    bench, a = days.bench, days.names["a"]
    assert bench.refusal(a, "withdraw", 0, 1, a) is None
    for phase in (Phase.LOCKED_IN, Phase.LOCKED_OUT, Phase.REVEAL):
        at = bench.time(2, phase)
        assert bench.refusal(a, "withdraw", 0, 1, a, at=at) == ("Frozen", a, 2)
        assert bench.refusal(a, "deposit", 0, bench.units[0], at=at) == ("Frozen", a, 2)
    days.settle()
    assert bench.refusal(a, "withdraw", 0, 1, a) is None
    # nobody opened batch 3: nothing is frozen in it, until somebody does
    days.go(3, Phase.LOCKED_IN)
    assert bench.refusal(a, "withdraw", 0, 1, a) is None
    bench.do(ALICE, "open", 3)
    assert bench.refusal(a, "withdraw", 0, 1, a) == ("Frozen", a, 3)


def test_standing_account_cannot_be_listed_while_paused(days: Days) -> None:
    bench, a = days.bench, days.names["a"]
    bench.do(a, "pause")
    days.go(2, Phase.CLEARING)
    state, opened = days.opened()
    prices = exact_prices(state, opened)
    stands = days.standing["a"]
    item = encode_submissions(
        [replace(days.entries()[0], account=bytes.fromhex(a[2:]), payload=stands.body, done=())]
    )
    args = (list(prices), list(prices.values()))
    assert bench.refusal(OPERATOR, "settle", 2, *args, item) == ("AccountNotLive", a)
