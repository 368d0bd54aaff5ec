"""Listing, scales, house and bond: what the operator may do, and when not."""

from __future__ import annotations

from math import isqrt

import pytest

from tests.contract.batches import Bid, buys, enter, order, sells
from tests.contract.support import (
    ALL,
    OPERATOR,
    PRODUCTS,
    Bench,
    address,
    list_product,
    new_token,
    storage_slot,
)
from walras.batch import CASH, house_log2
from walras.numbers import X24, X40, X44
from walras.schedule import Phase
from walras.sealing import keccak256

pytestmark = pytest.mark.chain

ALICE, BOB = address("alice"), address("bob")
COUNT = len(PRODUCTS)


# ------------------------------------------------------------------------------------ listing


def test_listing_stores_what_was_said(bench: Bench) -> None:
    token = new_token(bench.chain)
    receipt = bench.do(OPERATOR, "list", token, 10**16, 77 * X24, 9, 33, 5_000)
    assert receipt.event("Listed") == {
        "product": COUNT,
        "token": token,
        "lot": 10**16,
        "fromBatch": 1,
    }
    assert bench.look("listing", COUNT)[1:] == (10**16, 0, 5_000 * X44)
    product = bench.product(COUNT)
    assert (product.scale, product.reference) == (77 * X24, 77 * X40)
    assert (product.tick_bps, product.depth_log2, product.house) == (9, 33, 0)
    assert product.house_log2 == house_log2(1 << 50, 77 * X24)
    assert bench.look("productsListed") == COUNT + 1
    bench.tokens[COUNT], bench.units[COUNT] = token, 10**16


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        (1, 0, "lot"),
        (2, (1 << 24) - 1, "scale"),
        (2, (1 << 54) + 1, "scale"),
        (3, 0, "tickBps"),
        (4, 53, "depthLog2"),
        (5, 0, "lotsCap"),
        (5, (1 << 51) + 1, "lotsCap"),
    ],
)
def test_listing_out_of_range(bench: Bench, field: int, value: int, name: str) -> None:
    terms = [new_token(bench.chain), 1, X24, 1, 52, 1]
    assert bench.refusal(OPERATOR, "list", *terms) is None
    terms[field] = value
    assert bench.refusal(OPERATOR, "list", *terms) == ("BadParameter", name, value)


def test_listing_is_the_operators_and_once_per_token(bench: Bench) -> None:
    terms = (1, X24, 1, 0, 1)
    token = new_token(bench.chain)
    assert bench.refusal(ALICE, "list", token, *terms) == ("NotOperator", ALICE)
    for listed in (CASH, 0, 5):
        error = ("AlreadyListed", bench.tokens[listed])
        assert bench.refusal(OPERATOR, "list", bench.tokens[listed], *terms) == error
    assert bench.refusal(OPERATOR, "list", ALICE, *terms) == ("NoToken", ALICE)
    assert bench.refusal(OPERATOR, "list", token, *terms) is None


def test_value_of_all_caps_stays_below_the_cover_cap(bench: Bench) -> None:
    caps = (1 << 40) + sum(8 * price << 34 for _, _, price in PRODUCTS)
    room = (1 << 50) - caps
    most = room // 800
    token = new_token(bench.chain)
    terms = (1, 100 * X24, 1, 0)
    over = caps + 800 * (most + 1)
    error = ("BadParameter", "coverCap", over)
    assert bench.refusal(OPERATOR, "list", token, *terms, most + 1) == error
    assert bench.refusal(OPERATOR, "list", token, *terms, most) is None


def test_market_holds_768_products(bench: Bench) -> None:
    """The counter is set to what 767 listings would have left."""
    slot = storage_slot("count")
    word = int(bench.chain.rpc("eth_getStorageAt", bench.market, slot, "latest"), 16)
    assert word & 0xFFFF == COUNT
    full = word - COUNT + 767
    bench.chain.rpc("anvil_setStorageAt", bench.market, slot, "0x" + full.to_bytes(32).hex())
    tokens = [new_token(bench.chain), new_token(bench.chain)]
    bench.do(OPERATOR, "list", tokens[0], 1, X24, 1, 0, 1)
    assert bench.look("productsListed") == 768
    assert bench.look("listing", 767)[0].lower() == tokens[0].lower()
    error = bench.refusal(OPERATOR, "list", tokens[1], 1, X24, 1, 0, 1)
    assert error == ("TooManyProducts",)


def test_products_trade_from_the_batch_after_the_listing(bench: Bench) -> None:
    bench.go(1, Phase.OPEN)
    assert [bench.look("productCount", b) for b in (1, 2)] == [COUNT, COUNT]
    list_product(bench, new_token(bench.chain), 1, 100)
    list_product(bench, new_token(bench.chain), 1, 100)
    assert [bench.look("productCount", b) for b in (1, 2, 3)] == [COUNT, COUNT + 2, COUNT + 2]
    bench.go(2, Phase.OPEN)
    list_product(bench, new_token(bench.chain), 1, 100)
    assert [bench.look("productCount", b) for b in (2, 3)] == [COUNT + 2, COUNT + 3]


def test_order_for_a_product_listed_during_its_batch_is_malformed(bench: Bench) -> None:
    """Settlement reads only what lock-out fixed (review 1 §A2.14)."""
    book = enter(bench, 1, {"a": buys(0, 99, 1)})
    list_product(bench, new_token(bench.chain), 1, 100)
    book = book.joined(enter(bench, 1, {"early": Bid((order({COUNT: 1}, 5, buy=[1]),))}))
    bench.go(1, Phase.CLEARING)
    prices = book.prices()
    assert COUNT not in prices
    receipt = book.settle(prices)
    assert receipt.event("Voided") == {"batch": 1, "account": book.names["early"], "reason": 2}


# ------------------------------------------------------------------------------- house and bond


@pytest.mark.parametrize("k", range(COUNT))
def test_least_house_is_the_formula_of_the_page(bench: Bench, k: int) -> None:
    p = bench.product(k)
    root = -(-(2 << 50 << 14) // p.scale)
    least = (isqrt(root - 1) + 1) + 1
    assert 1 << p.house_log2 - 1 < least <= 1 << p.house_log2


def test_least_house_cash_adds_up(bench: Bench) -> None:
    products = [bench.product(k) for k in range(COUNT)]
    assert bench.look("leastHouseCash") == sum(8 * p.scale << p.house_log2 + 16 for p in products)


@pytest.mark.parametrize("asset", [CASH, 0, 3])
def test_house_is_funded_by_anybody_and_drawn_by_the_operator(bench: Bench, asset: int) -> None:
    one, bits = bench.units[asset], 40 if asset == CASH else 44
    before = house(bench, asset)
    bench.supply(ALICE, asset, 7 * one)
    receipt = bench.do(ALICE, "fundHouse", asset, 7 * one)
    assert receipt.event("HouseChanged") == {"asset": asset, "holding": before + (7 << bits)}
    assert house(bench, asset) == before + (7 << bits)
    assert bench.refusal(ALICE, "drawHouse", asset, one, ALICE) == ("NotOperator", ALICE)
    bench.do(OPERATOR, "drawHouse", asset, 3 * one, BOB)
    assert bench.held(asset, BOB) == 3 * one
    bench.do(OPERATOR, "drawHouse", asset, ALL, BOB)
    least = bench.look("leastHouseCash") if asset == CASH else 0
    least = least or X44 << bench.product(asset).house_log2
    assert house(bench, asset) == least
    assert bench.refusal(OPERATOR, "drawHouse", asset, one, BOB) == (
        "InsufficientBalance",
        1 << bits,
        0,
    )


def house(bench: Bench, asset: int) -> int:
    return bench.treasury()["house_cash"] if asset == CASH else bench.product(asset).house


def test_bond_is_added_by_anybody_and_drawn_by_the_operator(bench: Bench) -> None:
    full = 200_000 * X40
    bench.supply(ALICE, CASH, 10**4)
    receipt = bench.do(ALICE, "addBond", 10**4)
    assert receipt.event("BondChanged") == {"bond": full + X40}
    assert bench.refusal(ALICE, "drawBond", 1, ALICE) == ("NotOperator", ALICE)
    over = ("InsufficientBalance", full + 2 * X40, full + X40)
    assert bench.refusal(OPERATOR, "drawBond", 200_002 * 10**4, BOB) == over
    receipt = bench.do(OPERATOR, "drawBond", ALL, BOB)
    assert receipt.event("BondChanged") == {"bond": 0}
    assert bench.held(CASH, BOB) == 200_001 * 10**4


def test_what_backs_a_live_batch_stays(bench: Bench) -> None:
    """From the first live seal to settlement or closure (review 1 §A2.10, §A3.25)."""
    book = enter(bench, 1, {"a": buys(0, 101, 5), "b": sells(0, 99, 5)})
    calls = (
        ("drawBond", 1, OPERATOR),
        ("drawHouse", CASH, 1, OPERATOR),
        ("drawHouse", 0, 10**6, OPERATOR),
        ("resetScale", 0),
    )
    edges = bench.schedule.boundaries(1)
    for call in calls:
        for at in (edges.start, edges.lock_out, edges.deadline, edges.end + 1):
            assert bench.refusal(OPERATOR, *call, at=at) == ("Unfinished", 1), (call, at)
    bench.go(1, Phase.CLEARING)
    book.settle(book.prices())
    errors = [bench.refusal(OPERATOR, *call) for call in calls]
    assert errors[:3] == [None] * 3
    assert errors[3] == ("ScaleHolds", 100 * X24, bench.product(0).reference >> 16)


def test_funding_stays_possible_while_a_batch_lives(bench: Bench) -> None:
    enter(bench, 1, {"a": buys(0, 101, 5)})
    for asset in (CASH, 0):
        bench.supply(ALICE, asset, bench.units[asset])
    for at in (bench.time(1, Phase.LOCKED_IN), bench.time(1, Phase.LOCKED_OUT)):
        assert bench.refusal(ALICE, "fundHouse", 0, bench.units[0], at=at) is None
        assert bench.refusal(ALICE, "addBond", bench.units[CASH], at=at) is None


# ---------------------------------------------------------------------------------- resetScale


def drifted(bench: Bench, k: int, reference: int) -> None:
    """Put a reference where many batches would have carried it."""
    slot = product_slot(bench, k)
    word = int(bench.chain.rpc("eth_getStorageAt", bench.market, slot, "latest"), 16)
    mask = ((1 << 80) - 1) << 96
    word = word & ~mask | reference << 96
    bench.chain.rpc("anvil_setStorageAt", bench.market, slot, "0x" + word.to_bytes(32).hex())
    assert bench.product(k).reference == reference


def product_slot(bench: Bench, k: int) -> str:
    """Storage key of a product's word."""
    place = int(storage_slot("products"), 16)
    return "0x" + keccak256(k.to_bytes(32) + place.to_bytes(32)).hex()


@pytest.mark.parametrize(
    ("factor_num", "factor_den", "holds"),
    [(4, 1, False), (1, 4, False), (8, 1, False), (1, 8, False), (399, 100, True), (26, 100, True)],
)
def test_scale_is_reset_when_four_times_off(
    bench: Bench, factor_num: int, factor_den: int, holds: bool
) -> None:
    """The exact edge is included, by anybody."""
    old = bench.product(0)
    reference = old.reference * factor_num // factor_den
    drifted(bench, 0, reference)
    target = reference >> 16
    if holds:
        assert bench.refusal(ALICE, "resetScale", 0) == ("ScaleHolds", old.scale, target)
        return
    cash = bench.look("leastHouseCash")
    receipt = bench.do(ALICE, "resetScale", 0)
    assert receipt.event("ScaleReset") == {"product": 0, "scale": target}
    new = bench.product(0)
    assert (new.scale, new.reference, new.house) == (target, reference, old.house)
    assert new.house_log2 == house_log2(1 << 50, target)
    least = cash - (8 * old.scale << old.house_log2 + 16) + (8 * target << new.house_log2 + 16)
    assert bench.look("leastHouseCash") == least
    short = new.house < X44 << new.house_log2
    assert bench.treasury()["short_houses"] == short
    assert bench.refusal(ALICE, "resetScale", 0) == ("ScaleHolds", target, target)


def test_reset_that_leaves_the_house_short_stops_seals_until_it_is_filled(bench: Bench) -> None:
    bench.endow(ALICE, cash=10**6)
    old = bench.product(0)
    drifted(bench, 0, old.reference // 8)
    bench.do(OPERATOR, "drawHouse", 0, ALL, OPERATOR)
    bench.do(BOB, "resetScale", 0)
    bench.go(1, Phase.OPEN)
    assert bench.product(0).house_log2 > old.house_log2
    name, short, *_ = bench.refusal(ALICE, "seal", 10, bytes(80), 1) or ("", 0)
    assert (name, short) == ("HouseUnderfunded", 1)
    lots = (1 << bench.product(0).house_log2) * bench.units[0]
    bench.supply(BOB, 0, lots)
    bench.do(BOB, "fundHouse", 0, lots)
    assert bench.refusal(ALICE, "seal", 10, bytes(80), 1) is None


def test_reset_beyond_the_cover_cap_is_refused(bench: Bench) -> None:
    """Eight times the scale of the dearest product: its cap would be worth too much."""
    p = bench.product(3)
    drifted(bench, 3, 8 * p.reference)
    caps = (1 << 40) + sum(8 * price << 34 for _, _, price in PRODUCTS)
    beyond = caps + 7 * (8 * 1_000 << 34)
    expected = ("BadParameter", "coverCap", beyond) if beyond > 1 << 50 else None
    assert bench.refusal(ALICE, "resetScale", 3) == expected


def test_scales_stay_in_their_range(bench: Bench) -> None:
    """A product at the least scale cannot be reset below it."""
    k = list_product(bench, new_token(bench.chain), 1, 1, lots_cap=1)
    drifted(bench, k, X40 // 8)
    assert bench.refusal(ALICE, "resetScale", k) == ("ScaleHolds", X24, X24 // 8)
