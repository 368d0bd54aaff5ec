"""Standing submissions: joining, progress to the unit, rent to the unit, and every way to end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.contract.batches import exact_prices, order
from tests.contract.days import STANDING, UNCOVERED, Days, buy, limited, sell
from tests.contract.support import ALL, OPERATOR, PARAMETERS, Bench, address, storage_slot
from walras.batch import CASH
from walras.numbers import X40, X44
from walras.schedule import Phase
from walras.sealing import keccak256
from walras.settlement import encode_submissions
from walras.submission import VoidReason

pytestmark = pytest.mark.chain

ALICE = address("alice")


@pytest.fixture
def days(bench: Bench) -> Days:
    """Batch 1 in OPEN."""
    found = Days(bench)
    found.go(1)
    return found


def rent(bench: Bench, units: int, ticks: int = 1) -> int:
    return int(units * ticks * bench.look("unitRent"))


def test_submission_stands_from_the_next_batch_on(days: Days) -> None:
    bench = days.bench
    days.seal("a", buy(101, 1000))
    days.seal("b", sell(99, 800))
    days.seal("c", buy(100, 7), standing=False)
    first = days.settle()
    assert not first.rents
    assert len(first.joined) == 2
    assert bench.standing()["count"] == 2
    for batch in (2, 3, 4):
        days.go(batch)
        receipt = bench.do(ALICE, "open", batch)
        units = bench.standing()["units"]
        opened = {"batch": batch, "live": 2, "units": units, "ticks": 1}
        assert receipt.event("Opened") == opened
        if batch == 3:
            days.seal("d", buy(100.5, 50), standing=False)
        settlement = days.settle()
        assert len(settlement.rents) == 2
        assert settlement.volumes[0] > 500 * X44


def test_progress_reaches_the_limit_exactly_and_the_submission_ends(days: Days) -> None:
    bench = days.bench
    days.seal("a", limited(buy(110, 1000), high=2_500))
    days.seal("b", sell(90, 1000))
    days.settle()
    done = [days.standing["a"].done[0]]
    for batch in (2, 3, 4, 5):
        days.day(batch)
        if "a" not in days.standing:
            break
        done.append(days.standing["a"].done[0])
    assert len(done) >= 2
    assert done == sorted(done)
    owner = days.names["a"]
    assert bench.account(owner)["flags"] == 0
    assert (bench.account(owner)["batch"], bench.account(owner)["units"]) == (0, 0)
    # bought exactly its limit
    assert bench.balance(owner, 0) == (10**6 + 2_500) * X44
    assert bench.refusal(owner, "pause") == ("NotStanding", owner)


def test_two_sided_limits_are_net(days: Days) -> None:
    days.seal("a", limited(order({0: 1}, 99, buy=[500], sell=[500]), low=300, high=300))
    days.seal("x", sell(80, 250), standing=False)
    days.settle()
    done = [days.standing["a"].done[0]]
    # 500 a batch at most, and never beyond the limits
    takers = (buy(120, 400), buy(120, 900), sell(80, 2000), sell(80, 2000))
    for batch, auth in enumerate(takers, start=2):
        days.go(batch)
        days.seal(f"x{batch}", auth, standing=False)
        days.settle()
        done.append(days.standing["a"].done[0])
    near = [round(moved / X44) for moved in done]
    assert near == [250, -150, -300, 200, 300]
    assert (done[2], done[4]) == (-300 * X44, 300 * X44)


def test_complete_at_once_never_stands(days: Days) -> None:
    days.seal("a", limited(buy(110, 10), high=10))
    days.seal("b", sell(90, 1000), standing=False)
    settlement = days.settle()
    assert not settlement.standing
    assert days.flags("a") == 0
    assert days.bench.standing()["count"] == 0


def test_rent_is_owed_by_index_and_taken_with_the_next_write(days: Days) -> None:
    """An account that does not trade is not written: what it owes is reckoned."""
    bench = days.bench
    days.seal("a", buy(50, 10))
    days.seal("b", sell(150, 10))
    days.settle()
    owner = days.names["a"]
    raw = bench.account(owner)
    cash = bench.balance(owner, CASH)
    each = rent(bench, raw["units"])
    for n, batch in enumerate((2, 3, 5), start=1):
        days.day(batch)
        assert bench.account(owner) == raw
        assert bench.look("rentOwed", owner) == n * each
        assert bench.balance(owner, CASH) == cash - n * each
    with bench.chain.undone():
        bench.do(owner, "withdraw", CASH, ALL, owner)
        assert bench.held(CASH, owner) == (cash - 3 * each) * bench.units[CASH] >> 40
        assert bench.look("rentOwed", owner) == 0
        bench.check_books()
    bench.endow(owner, cash=1)
    assert bench.look("rentOwed", owner) == 0
    assert bench.account(owner)["cash"] == cash - 3 * each + X40
    assert bench.account(owner)["batch"] == bench.standing()["rent_index"] == 4


def test_market_whose_rent_index_is_used_up_opens_no_more_and_lets_everybody_out(
    days: Days,
) -> None:
    bench = days.bench
    last = (1 << 32) - 1
    slot = storage_slot("standing")
    bench.chain.rpc("anvil_setStorageAt", bench.market, slot, f"0x{(last - 2) << 64:064x}")
    days.seal("a", buy(50, 10))
    days.settle()
    days.day(2)
    assert bench.standing()["rent_index"] == last
    days.go(3)
    assert bench.refusal(ALICE, "open", 3) == ("MarketOver",)
    assert bench.refusal(ALICE, "seal", 20, bytes(80), 3) == ("MarketOver",)
    owner = days.names["a"]
    assert bench.look("rentOwed", owner) == rent(bench, bench.account(owner)["units"])
    bench.do(owner, "cancel")
    for asset in (CASH, 0, 1):
        bench.do(owner, "withdraw", asset, ALL, owner)
    bench.check_books()


def test_ticks_follow_the_base_fee_of_the_opening(days: Days) -> None:
    bench = days.bench
    days.seal("a", buy(50, 10))
    days.settle()
    least = PARAMETERS["min_base_fee"]
    days.go(2)
    for fee, ticks in ((least, 1), (least + 1, 2), (3 * least, 3), (999 * least, 255)):
        with bench.chain.undone():
            opened = bench.do(ALICE, "open", 2, base_fee=fee).event("Opened")
            assert opened["ticks"] == ticks
    bench.do(ALICE, "open", 2, base_fee=3 * least)
    settlement = days.settle()
    owner = days.names["a"]
    assert list(settlement.rents.values()) == [rent(bench, bench.account(owner)["units"], 3)]


def test_who_cannot_pay_the_rent_ends_and_pays_what_it_owed(days: Days) -> None:
    bench = days.bench
    days.seal("a", buy(0, 10))
    days.seal("b", buy(0, 10))
    days.settle()
    each = rent(bench, bench.account(days.names["a"])["units"])
    days.day(2)
    left = {"a": 2 * each - 1, "b": 2 * each}
    for name, ledger in left.items():
        spend(bench, days.names[name], ledger)
    settlement = days.day(3)
    assert not settlement.voids
    settlement = days.day(4)
    assert list(settlement.voids.values()) == [VoidReason.RENT]
    a, b = days.names["a"], days.names["b"]
    assert (bench.account(a)["flags"], bench.balance(a, CASH)) == (0, each - 1)
    assert bench.balance(b, CASH) == 0
    assert list(days.day(5).voids.values()) == [VoidReason.RENT]
    assert bench.balance(b, CASH) == 0
    assert bench.standing()["count"] == 0


def spend(bench: Bench, owner: str, ledger: int) -> None:
    """Leave so much cash X40 in an account: it is moved by force, the books know."""
    word = int(bench.chain.rpc("eth_getStorageAt", bench.market, slot(bench, owner), "latest"), 16)
    cash = word & (2**96 - 1)
    kept = ledger + bench.look("rentOwed", owner)
    bench.excess += cash - kept
    new = (word - cash + kept).to_bytes(32).hex()
    bench.chain.rpc("anvil_setStorageAt", bench.market, slot(bench, owner), "0x" + new)


def slot(bench: Bench, owner: str) -> str:
    place = int(storage_slot("ledger"), 16)
    return "0x" + keccak256(bytes(12) + bytes.fromhex(owner[2:]) + place.to_bytes(32)).hex()


def test_uncovered_once_stands_twice_running_ends(days: Days) -> None:
    bench = days.bench
    days.seal("a", sell(90, 100))
    days.seal("b", buy(110, 100))
    days.settle()
    owner = days.names["a"]
    held = bench.balance(owner, 0)
    bench.do(owner, "withdraw", 0, ALL, owner)
    settlement = days.day(2)
    assert list(settlement.voids.values()) == [VoidReason.UNCOVERED]
    assert days.flags("a") == STANDING | UNCOVERED
    bench.do(owner, "deposit", 0, 200 * bench.units[0])
    assert not days.day(3).voids
    assert days.flags("a") == STANDING
    assert held > 0
    bench.do(owner, "withdraw", 0, ALL, owner)
    for batch in (4, 5):
        assert list(days.day(batch).voids.values()) == [VoidReason.UNCOVERED]
    assert days.flags("a") == 0
    assert days.flags("b") == STANDING


def test_uncovered_in_its_first_batch_stands_all_the_same(days: Days) -> None:
    bench = days.bench
    owner = days.owner("a")
    bench.do(owner, "withdraw", 0, ALL, owner)
    days.seal("a", limited(sell(90, 100), low=150))
    days.seal("b", buy(110, 100))
    settlement = days.settle()
    assert list(settlement.voids.values()) == [VoidReason.UNCOVERED]
    assert days.flags("a") == STANDING | UNCOVERED
    assert days.standing["a"].done == (0,)
    bench.do(owner, "deposit", 0, 200 * bench.units[0])
    days.day(2)
    assert days.standing["a"].done[0] < -90 * X44


def test_expiry_ends_what_stands_at_the_first_lock_out_behind_it(days: Days) -> None:
    lock_out = days.bench.schedule.boundaries(2).lock_out
    days.seal("a", buy(50, 10), valid_until=lock_out)
    days.seal("b", buy(50, 10), valid_until=lock_out - 1)
    days.settle()
    assert list(days.day(2).voids.values()) == [VoidReason.EXPIRED]
    assert (days.flags("a"), days.flags("b")) == (STANDING, 0)
    days.day(3)
    assert days.flags("a") == 0


@pytest.mark.parametrize("spoilt", ["body", "done", "length"])
def test_only_the_body_and_progress_that_stand_are_taken(days: Days, spoilt: str) -> None:
    bench = days.bench
    days.seal("a", limited(buy(110, 100), high=1_000))
    days.seal("b", sell(90, 100))
    days.settle()
    days.go(2)
    bench.do(ALICE, "open", 2)
    days.go(2, Phase.CLEARING)
    stands = days.standing["a"]
    body, (done,) = stands.body, stands.done
    false = {
        "body": replace(stands, body=body[:-1] + bytes((body[-1] ^ 1,))),
        "done": replace(stands, done=(done - 1,)),
        "length": replace(stands, body=body[:-1]),
    }[spoilt]
    args = arguments(days)
    days.standing["a"] = false
    name, *rest = bench.refusal(OPERATOR, "settle", *args[:3], bad_items(days)) or ("",)
    assert (name, rest) == ("WrongCiphertext", [days.names["a"]])


def arguments(days: Days) -> tuple[int, list[int], list[int], bytes]:
    state, opened = days.opened()
    prices = exact_prices(state, opened)
    return (
        days.batch,
        list(prices),
        list(prices.values()),
        encode_submissions(days.entries()),
    )


def bad_items(days: Days) -> bytes:
    return encode_submissions(days.entries())
