"""Seals: what enters and what it costs, capacity, what backs the first one, second thoughts."""

from __future__ import annotations

import pytest

from tests.contract.batches import buys, enter
from tests.contract.support import (
    ALL,
    OPERATOR,
    PARAMETERS,
    UNIT_FEE,
    Bench,
    address,
    list_product,
    new_market,
    new_token,
)
from walras.batch import CASH
from walras.numbers import X40
from walras.schedule import Phase
from walras.sealing import keccak256, seal_hash

pytestmark = pytest.mark.chain

ALICE, BOB, CAROL = address("alice"), address("bob"), address("carol")
CAPACITY = 2_000


@pytest.fixture
def open_batch(bench: Bench) -> Bench:
    """Batch 1 in OPEN; Alice and Bob have cash."""
    bench.go(1, Phase.OPEN)
    bench.endow(ALICE, cash=10**9)
    bench.endow(BOB, cash=10**9)
    return bench


def test_seal_stores_hash_units_and_batch(open_batch: Bench) -> None:
    bench, ct = open_batch, keccak256(b"ct") * 3
    before = bench.balance(ALICE, CASH)
    receipt = bench.do(ALICE, "seal", 10, ct, 1)
    assert receipt.event("Sealed") == {"batch": 1, "account": ALICE, "units": 10, "ct": ct}
    account = bench.account(ALICE)
    assert (account["batch"], account["units"]) == (1, 10)
    assert account["seal_hash"] == seal_hash(bench.id(1), ct)
    assert before - account["cash"] == 10 * UNIT_FEE
    assert bench.batch() == {
        "number": 1,
        "live": 1,
        "units": 10,
        "ticks": 1,
        "settled": False,
        "closed": False,
        "pot": 10 * UNIT_FEE,
        "unapplied": 0,
    }


@pytest.mark.parametrize(
    ("units", "length", "fits"),
    [
        (9, 60, False),
        (10, 0, False),
        (10, 1, True),
        (10, 166, True),
        (10, 167, False),
        (11, 185, True),
        (11, 186, False),
        (255, 4_821, True),
        (255, 4_822, False),
        (255, 66_000, False),
        (0, 0, False),
    ],
)
def test_units_against_length(open_batch: Bench, units: int, length: int, fits: bool) -> None:
    error = open_batch.refusal(ALICE, "seal", units, bytes(length), 1)
    assert error == (None if fits else ("BadUnits", units, length))


def test_amending_replaces_units_and_hash_and_pays_again(open_batch: Bench) -> None:
    bench = open_batch
    bench.do(BOB, "seal", 30, bytes(80), 1)
    bench.do(ALICE, "seal", 200, bytes(80), 1)
    before = bench.balance(ALICE, CASH)
    bench.do(ALICE, "seal", 11, bytes(81), 1)
    assert bench.account(ALICE)["seal_hash"] == seal_hash(bench.id(1), bytes(81))
    assert before - bench.balance(ALICE, CASH) == 11 * UNIT_FEE
    state = bench.batch()
    assert (state["live"], state["units"], state["pot"]) == (2, 41, 241 * UNIT_FEE)


def test_cancelling_leaves_the_fee_and_the_way_back(open_batch: Bench) -> None:
    bench = open_batch
    bench.do(BOB, "seal", 30, bytes(80), 1)
    bench.do(ALICE, "seal", 20, bytes(80), 1)
    assert bench.do(ALICE, "cancel").event("Cancelled") == {"batch": 1, "account": ALICE}
    state = bench.batch()
    assert (state["live"], state["units"], state["pot"]) == (1, 30, 50 * UNIT_FEE)
    assert (bench.account(ALICE)["batch"], bench.account(ALICE)["units"]) == (0, 0)
    assert bench.refusal(ALICE, "cancel") == ("NotLive", ALICE)
    bench.do(ALICE, "seal", 20, bytes(80), 1)
    assert bench.batch()["live"] == 2


def test_cancel_of_an_old_batch_is_none(open_batch: Bench) -> None:
    bench = open_batch
    bench.do(ALICE, "seal", 10, bytes(80), 1)
    bench.go(2, Phase.OPEN)
    assert bench.refusal(ALICE, "cancel") == ("WrongPhase", 1, Phase.VOID)
    bench.do(CAROL, "closeVoid", 1)
    assert bench.refusal(ALICE, "cancel") == ("WrongPhase", 1, Phase.VOID)


# ----------------------------------------------------------------------------------- the fee


def surcharge_factor(used: int) -> int:
    """Times the fee: the page's formula."""
    return 0 if 2 * used <= CAPACITY else 2 ** (-(-8 * used // CAPACITY) - 4) - 1


@pytest.mark.parametrize(
    "filled", [0, 989, 990, 991, 1_000, 1_239, 1_240, 1_241, 1_489, 1_491, 1_739, 1_741, 1_990]
)
def test_surcharge_doubles_with_every_eighth_above_half(open_batch: Bench, filled: int) -> None:
    bench = open_batch
    fill(bench, filled)
    factor = surcharge_factor(filled + 10)
    fee = 10 * UNIT_FEE
    assert bench.look("admissionFee", 10) == (fee, fee * factor)
    pot, burnt = bench.batch()["pot"], bench.treasury()["burnt"]
    custody, before = bench.look("listing", CASH)[2], bench.balance(ALICE, CASH)
    bench.do(ALICE, "seal", 10, bytes(80), 1)
    assert before - bench.balance(ALICE, CASH) == fee * (1 + factor)
    assert bench.batch()["pot"] - pot == fee
    assert bench.treasury()["burnt"] - burnt == fee * factor
    assert custody - bench.look("listing", CASH)[2] == fee * factor


def fill(bench: Bench, units: int) -> None:
    """Seal until so many units are declared."""
    n = 0
    while units:
        step = units if units <= 255 else min(255, units - 10)
        bench.do(bench.endow(address(f"filler {n}"), cash=10**7), "seal", step, bytes(80), 1)
        units -= step
        n += 1


def test_capacity_is_the_last_unit(open_batch: Bench) -> None:
    bench = open_batch
    fill(bench, 1_980)
    assert bench.refusal(ALICE, "seal", 21, bytes(80), 1) == ("BatchFull", 2_001, 2_000)
    bench.do(ALICE, "seal", 20, bytes(80), 1)
    assert bench.refusal(BOB, "seal", 10, bytes(80), 1) == ("BatchFull", 2_010, 2_000)
    # one's own units count once when amending, and come back when cancelling
    assert bench.refusal(ALICE, "seal", 21, bytes(80), 1) == ("BatchFull", 2_001, 2_000)
    assert bench.refusal(ALICE, "seal", 20, bytes(80), 1) is None
    bench.do(ALICE, "cancel")
    assert bench.refusal(BOB, "seal", 20, bytes(80), 1) is None


def test_fee_follows_the_base_fee_above_its_least(open_batch: Bench) -> None:
    bench = open_batch
    least = PARAMETERS["min_base_fee"]
    for base_fee in (0, 1, least - 1, least, least + 1, 3 * least):
        fee = 10 * 2_560 * max(base_fee, least) << 20
        assert bench.look("admissionFee", 10, base_fee=base_fee) == (fee, 0)
    before = bench.balance(ALICE, CASH)
    bench.do(ALICE, "seal", 10, bytes(80), 1, base_fee=2 * least)
    assert before - bench.balance(ALICE, CASH) == 20 * UNIT_FEE


def test_seal_takes_its_fee_from_the_ledger_to_the_last_ulp(open_batch: Bench) -> None:
    bench = open_batch
    owner = bench.endow(CAROL, cash=1_249)
    short = ("InsufficientBalance", 1_250 * X40, 1_249 * X40)
    assert bench.refusal(owner, "seal", 10, bytes(80), 1) == short
    bench.deposit(owner, CASH, 10**4)
    bench.do(owner, "seal", 10, bytes(80), 1)
    assert bench.balance(owner, CASH) == 0
    assert bench.refusal(owner, "seal", 10, bytes(80), 1) == ("InsufficientBalance", 1_250 * X40, 0)


# ------------------------------------------------------------------------- what backs a batch


def test_first_live_seal_needs_the_full_bond(bench: Bench) -> None:
    bench.endow(ALICE, cash=10**6)
    full = 200_000 * X40
    bench.do(OPERATOR, "drawBond", 10**4, OPERATOR)
    bench.go(1, Phase.OPEN)
    short = ("BondShort", full - X40, full)
    assert bench.refusal(ALICE, "seal", 10, bytes(80), 1) == short
    bench.supply(OPERATOR, CASH, 10**4)
    bench.do(OPERATOR, "addBond", 10**4)
    assert bench.refusal(ALICE, "seal", 10, bytes(80), 1) is None


@pytest.mark.parametrize("asset", [CASH, 0, 3])
def test_first_live_seal_needs_the_house(bench: Bench, asset: int) -> None:
    bench.endow(ALICE, cash=10**6)
    bench.do(OPERATOR, "drawHouse", asset, ALL, OPERATOR)
    at = bench.time(1, Phase.OPEN)
    # what is left is the least holding: enough
    assert bench.refusal(ALICE, "seal", 10, bytes(80), 1, at=at) is None
    name, *_ = bench.refusal(OPERATOR, "drawHouse", asset, bench.units[asset], OPERATOR) or ("",)
    assert name == "InsufficientBalance"


def test_new_product_without_a_house_stops_the_next_batch_only(open_batch: Bench) -> None:
    bench = open_batch
    bench.do(ALICE, "seal", 10, bytes(80), 1)
    k = list_product(bench, new_token(bench.chain), 10**18, 100)
    assert bench.refusal(BOB, "seal", 10, bytes(80), 1) is None
    treasury = bench.treasury()
    assert treasury["short_houses"] == 1
    bench.do(ALICE, "cancel")
    least = bench.look("leastHouseCash")
    error = ("HouseUnderfunded", 1, treasury["house_cash"], least)
    assert bench.refusal(BOB, "seal", 10, bytes(80), 1) == error
    lots = (1 << bench.product(k).house_log2) * 10**18
    bench.supply(OPERATOR, k, lots)
    bench.do(OPERATOR, "fundHouse", k, lots)
    assert bench.treasury()["short_houses"] == 0


def test_house_cash_alone_can_be_short(bench: Bench) -> None:
    """A market whose house of lots is full and whose cash lacks one unit."""
    other = new_market(bench.chain, bench.libraries, bench.tokens[CASH], bond=0, compensation=0)
    k = list_product(other, new_token(bench.chain), 1, 100)
    lots = 1 << other.product(k).house_log2
    least = other.look("leastHouseCash")
    assert least == 8 * 100 * X40 * lots
    other.supply(OPERATOR, k, lots)
    other.do(OPERATOR, "fundHouse", k, lots)
    cash = (least // X40 - 1) * 10**4
    other.supply(OPERATOR, CASH, cash + 10**4)
    other.do(OPERATOR, "fundHouse", CASH, cash)
    other.do(OPERATOR, "registerKey", 1, *KEY)
    other.chain.warp(other.time(1, Phase.OPEN))
    other.endow(ALICE, cash=2_000)
    short = ("HouseUnderfunded", 0, least - X40, least)
    assert other.refusal(ALICE, "seal", 10, bytes(80), 1) == short
    other.do(OPERATOR, "fundHouse", CASH, 10**4)
    assert other.refusal(ALICE, "seal", 10, bytes(80), 1) is None
    other.check_books()


KEY = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def test_void_batch_has_to_be_closed_first(bench: Bench) -> None:
    enter(bench, 1, {"a": buys(0, 100, 1)})
    bench.endow(BOB, cash=10**6)
    bench.go(2, Phase.OPEN)
    assert bench.refusal(BOB, "seal", 10, bytes(80), 2) == ("VoidUnclosed", 1)
    bench.do(CAROL, "closeVoid", 1)
    assert bench.refusal(BOB, "seal", 10, bytes(80), 2) == ("BondShort", 0, 200_000 * X40)
    bench.supply(OPERATOR, CASH, 200_000 * 10**4)
    bench.do(OPERATOR, "addBond", 200_000 * 10**4)
    assert bench.refusal(BOB, "seal", 10, bytes(80), 2) is None


def test_batch_whose_seals_were_all_cancelled_leaves_nothing_behind(open_batch: Bench) -> None:
    """Its pot is nobody's, the next batch starts clean."""
    bench = open_batch
    bench.do(ALICE, "seal", 10, bytes(80), 1)
    bench.do(ALICE, "cancel")
    bench.go(2, Phase.OPEN)
    assert bench.refusal(CAROL, "closeVoid", 1) == ("NothingToClose", 1)
    bench.do(BOB, "seal", 10, bytes(80), 2)
    assert bench.batch()["pot"] == 10 * UNIT_FEE
    assert bench.treasury()["burnt"] == 10 * UNIT_FEE
    assert bench.treasury()["bond"] == 200_000 * X40
