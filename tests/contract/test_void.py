"""Batches that come to nothing: who may say so, who pays, who is paid, and that all get out."""

from __future__ import annotations

import random

import pytest

from tests.contract.batches import Book, buys, enter, sells
from tests.contract.support import ALL, OPERATOR, UNIT_FEE, Bench, address, storage_slot
from walras.batch import CASH
from walras.numbers import X40
from walras.schedule import Phase

pytestmark = pytest.mark.chain

ALICE, BOB = address("alice"), address("bob")
BOND = 200_000 * X40
DUE = 1_000 * X40
BASE_FEE = 1 << 10
REWARD = 150_000 * BASE_FEE << 20


@pytest.fixture
def book(bench: Bench) -> Book:
    """Two live accounts in batch 1."""
    return enter(bench, 1, {"a": buys(0, 100, 5), "b": sells(0, 99, 5)})


def outcome(bench: Bench, batch: int) -> int:
    return int.from_bytes(bench.look("outcome", batch))


def test_batch_is_closed_only_when_void_and_only_once(book: Book) -> None:
    bench, nothing = book.bench, ("NothingToClose", 1)
    edges = bench.schedule.boundaries(1)
    for at in (edges.start, edges.lock_in, edges.lock_out, edges.key_deadline - 1):
        assert bench.refusal(ALICE, "closeVoid", 1, at=at) == nothing
    assert bench.refusal(ALICE, "closeVoid", 1, at=edges.key_deadline) is None
    assert bench.refusal(ALICE, "closeVoid", 2, at=edges.end + 600) == ("NothingToClose", 2)
    assert bench.refusal(ALICE, "closeVoid", 0) == ("NothingToClose", 0)
    bench.chain.warp(edges.key_deadline)
    bench.do(ALICE, "closeVoid", 1)
    assert bench.refusal(ALICE, "closeVoid", 1) == nothing


def test_revealed_batch_is_void_at_t3_not_before(book: Book) -> None:
    bench = book.bench
    edges = bench.schedule.boundaries(1)
    bench.go(1, Phase.CLEARING)
    for at in (edges.key_deadline, edges.exclusive_until, edges.deadline - 1):
        assert bench.refusal(ALICE, "closeVoid", 1, at=at) == ("NothingToClose", 1)
    assert bench.refusal(ALICE, "closeVoid", 1, at=edges.deadline) is None


def test_settled_batch_is_never_closed(book: Book) -> None:
    bench = book.bench
    bench.go(1, Phase.CLEARING)
    book.settle(book.prices())
    for at in (bench.chain.now, bench.time(2, Phase.OPEN)):
        assert bench.refusal(ALICE, "closeVoid", 1, at=at) == ("NothingToClose", 1)


def test_closing_slashes_bond_and_pot(book: Book) -> None:
    """Gas to the caller, compensation set aside, the rest to nobody (review 1 §A2.10)."""
    bench = book.bench
    pot, custody = bench.batch()["pot"], bench.look("listing", CASH)[2]
    bench.go(1, Phase.VOID)
    receipt = bench.do(ALICE, "closeVoid", 1, base_fee=BASE_FEE)
    burnt = BOND - REWARD - 2 * DUE + pot
    assert receipt.event("VoidClosed") == {
        "batch": 1,
        "caller": ALICE,
        "reward": REWARD,
        "compensation": 2 * DUE,
        "burnt": burnt,
    }
    assert receipt.event("Credited") == {"account": ALICE, "amount": REWARD}
    assert receipt.event("BondChanged") == {"bond": 0}
    treasury = bench.treasury()
    assert (treasury["bond"], treasury["reserved"], treasury["burnt"]) == (0, 2 * DUE, burnt)
    assert bench.look("claimable", ALICE) == REWARD
    assert bench.look("listing", CASH)[2] == custody - burnt
    state = bench.batch()
    assert (state["live"], state["units"], state["pot"], state["closed"]) == (0, 0, 0, True)
    assert (outcome(bench, 1), bench.look("phase", 1)) == (1, Phase.VOID)


def test_reward_takes_no_more_than_the_bond(book: Book) -> None:
    bench = book.bench
    bench.go(1, Phase.VOID)
    receipt = bench.do(ALICE, "closeVoid", 1, base_fee=1 << 40)
    event = receipt.event("VoidClosed")
    assert (event["reward"], event["compensation"]) == (BOND, 0)
    assert outcome(bench, 1) == 2
    assert bench.refusal(ALICE, "compensate", book.names["a"]) == ("NothingDue", book.names["a"])


@pytest.mark.parametrize(("left", "paid"), [(2 * DUE, True), (2 * DUE - 1, False)])
def test_compensation_is_for_all_or_for_none(book: Book, left: int, paid: bool) -> None:
    """The bond must hold it for everybody after the caller's gas."""
    bench = book.bench
    set_bond(bench, left)
    bench.go(1, Phase.VOID)
    event = bench.do(ALICE, "closeVoid", 1).event("VoidClosed")
    assert event["compensation"] == (2 * DUE if paid else 0)
    assert outcome(bench, 1) == (1 if paid else 2)
    error = None if paid else ("NothingDue", book.names["a"])
    assert bench.refusal(BOB, "compensate", book.names["a"]) == error


def set_bond(bench: Bench, bond: int) -> None:
    """As if the rest had been slashed for another batch: the word of house cash and bond."""
    slot = storage_slot("treasury")
    word = int(bench.chain.rpc("eth_getStorageAt", bench.market, slot, "latest"), 16)
    assert word >> 96 & (2**96 - 1) == BOND
    left = word - (BOND - bond << 96)
    bench.chain.rpc("anvil_setStorageAt", bench.market, slot, "0x" + left.to_bytes(32).hex())
    bench.excess += BOND - bond


def test_compensation_is_paid_once_and_claimed(book: Book) -> None:
    bench, (a, b) = book.bench, book.names.values()
    bench.go(1, Phase.VOID)
    assert bench.refusal(BOB, "compensate", a) == ("NothingDue", a)
    bench.do(ALICE, "closeVoid", 1)
    receipt = bench.do(BOB, "compensate", a)
    assert receipt.event("Credited") == {"account": a, "amount": DUE}
    assert bench.treasury()["reserved"] == DUE
    assert bench.refusal(BOB, "compensate", a) == ("NothingDue", a)
    assert bench.refusal(BOB, "compensate", BOB) == ("NothingDue", BOB)
    receipt = bench.do(a, "claim", BOB)
    assert receipt.event("Claimed") == {"account": a, "amount": 1_000 * 10**4, "to": BOB}
    assert bench.held(CASH, BOB) == 1_000 * 10**4
    assert bench.refusal(a, "claim", BOB) == ("BadTransfer",)
    assert bench.refusal(BOB, "compensate", b) is None


def test_account_that_cancelled_is_owed_nothing(bench: Bench) -> None:
    book = enter(bench, 1, {"a": buys(0, 100, 5), "b": sells(0, 99, 5)})
    bench.do(book.names["a"], "cancel")
    bench.go(1, Phase.VOID)
    assert bench.do(ALICE, "closeVoid", 1).event("VoidClosed")["compensation"] == DUE
    error = ("NothingDue", book.names["a"])
    assert bench.refusal(ALICE, "compensate", book.names["a"]) == error


def test_claimable_cash_is_never_frozen(book: Book) -> None:
    bench, a = book.bench, book.names["a"]
    bench.go(1, Phase.VOID)
    bench.do(ALICE, "closeVoid", 1)
    bench.do(ALICE, "compensate", a)
    bench.supply(OPERATOR, CASH, 200_000 * 10**4)
    bench.do(OPERATOR, "addBond", 200_000 * 10**4)
    bench.endow(a, cash=10_000)
    bench.go(2, Phase.OPEN)
    bench.do(a, "seal", 10, bytes(80), 2)
    bench.go(2, Phase.LOCKED_IN)
    assert bench.refusal(a, "withdraw", CASH, 1, a) == ("Frozen", a, 2)
    bench.do(a, "claim", a)


# ------------------------------------------------------------------------------------- leaks


def test_leak_voids_the_batch_at_once(book: Book) -> None:
    """Anybody shows the secret before lock-out (review 1 §A1.7, review 2 §10)."""
    bench, (a, b) = book.bench, book.names.values()
    bench.go(1, Phase.LOCKED_IN)
    assert bench.refusal(a, "withdraw", CASH, 1, a) == ("Frozen", a, 1)
    receipt = bench.do(BOB, "reportLeak", 1, bench.key(1))
    assert receipt.event("KeyLeaked") == {"batch": 1, "reporter": BOB, "secret": bench.key(1)}
    assert receipt.event("VoidClosed")["compensation"] == 2 * DUE
    assert bench.look("phase", 1) == Phase.VOID
    assert bench.refusal(b, "withdraw", 0, 1, b) is None
    assert bench.refusal(a, "compensate", a) is None
    void = ("WrongPhase", 1, Phase.VOID)
    assert bench.refusal(BOB, "reportLeak", 1, bench.key(1)) == void
    assert bench.refusal(BOB, "closeVoid", 1) == ("NothingToClose", 1)
    assert bench.refusal(a, "cancel") == void
    at = bench.time(1, Phase.REVEAL)
    assert bench.refusal(BOB, "reveal", 1, bench.key(1), at=at) == void
    name, *_ = book.refusal({0: 0}, at=bench.time(1, Phase.FALLBACK)) or ("",)
    assert name in ("WrongPhase", "NothingToSettle")


@pytest.mark.parametrize("bonded", [False, True])
def test_leaked_batch_takes_no_further_seal(book: Book, bonded: bool) -> None:
    bench = book.bench
    bench.endow(ALICE, cash=10_000)
    bench.do(BOB, "reportLeak", 1, bench.key(1))
    if bonded:
        bench.supply(OPERATOR, CASH, 200_000 * 10**4)
        bench.do(OPERATOR, "addBond", 200_000 * 10**4)
    error = ("WrongPhase", 1, Phase.VOID) if bonded else ("BondShort", 0, BOND)
    assert bench.refusal(ALICE, "seal", 10, bytes(80), 1) == error
    assert bench.refusal(book.names["a"], "seal", 10, bytes(80), 1) == error


def test_leak_of_a_batch_whose_seals_were_cancelled_pays_nobody(book: Book) -> None:
    bench = book.bench
    for owner in book.names.values():
        bench.do(owner, "cancel")
    pot = bench.batch()["pot"]
    event = bench.do(BOB, "reportLeak", 1, bench.key(1)).event("VoidClosed")
    assert (event["compensation"], event["burnt"]) == (0, BOND + pot)
    assert outcome(bench, 1) == 2


def test_leak_of_a_future_key_burns_the_bond_and_leaves_the_live_batch_alone(book: Book) -> None:
    bench = book.bench
    bench.do(BOB, "reportLeak", 2, bench.key(2))
    assert (outcome(bench, 1), outcome(bench, 2)) == (0, 2)
    assert bench.batch()["live"] == 2
    bench.go(1, Phase.CLEARING)
    book.settle(book.prices())
    assert bench.look("phase", 1) == Phase.SETTLED


# ------------------------------------------------------------------- empty and void, in a row


def test_empty_batch_has_nothing_to_settle(bench: Bench) -> None:
    for batch in (1, 2):
        bench.go(batch, Phase.CLEARING)
        error = ("NothingToSettle", batch)
        assert bench.refusal(OPERATOR, "settle", batch, [], [], b"") == error


def test_empty_batch_cannot_settle_the_void_one_before(book: Book) -> None:
    """Else the operator keeps bond and pot of a batch that he let die (S9)."""
    bench = book.bench
    bench.go(2, Phase.CLEARING)
    for batch in (1, 2):
        error = bench.refusal(OPERATOR, "settle", batch, [], [], b"")
        assert error in (("NothingToSettle", batch), ("WrongPhase", batch, Phase.VOID))
    assert bench.look("phase", 1) == Phase.VOID
    assert bench.refusal(OPERATOR, "drawBond", 1, OPERATOR) == ("Unfinished", 1)
    bench.do(ALICE, "closeVoid", 1)


def test_batch_whose_seals_were_cancelled_has_nothing_to_settle(book: Book) -> None:
    bench = book.bench
    for owner in book.names.values():
        bench.do(owner, "cancel")
    bench.go(1, Phase.CLEARING)
    assert bench.refusal(OPERATOR, "settle", 1, [], [], b"") == ("NothingToSettle", 1)


def test_everybody_gets_out_of_a_void_batch_without_any_help(book: Book) -> None:
    """Operator gone, nobody closes anything, any order (S7)."""
    bench = book.bench
    idle = bench.endow(ALICE, cash=3, p4=2)
    bench.go(1, Phase.VOID)
    claims = [(owner, k) for owner in (*book.names.values(), idle) for k in (CASH, 0, 4)]
    random.Random(1).shuffle(claims)
    for owner, k in claims:
        if bench.balance(owner, k):
            bench.do(owner, "withdraw", k, ALL, BOB)
    assert all(bench.balance(owner, k) == 0 for owner, k in claims)
    assert bench.batch()["pot"] == bench.batch()["units"] * UNIT_FEE
