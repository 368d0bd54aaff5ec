"""Who stands and when: pause, resume, take back; void batches, and batches that open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.contract.batches import exact_prices
from tests.contract.days import PAUSED, STANDING, Days, buy
from tests.contract.opened import opened, rent, void
from tests.contract.support import ALL, OPERATOR, Bench, address
from walras.batch import CASH
from walras.numbers import X40, X44
from walras.schedule import Phase
from walras.settlement import encode_submissions

pytestmark = pytest.mark.chain

ALICE = address("alice")
DUE = 1_000 * X40


@pytest.fixture
def days(bench: Bench) -> Days:
    return opened(bench)


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
