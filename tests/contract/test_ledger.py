"""Escrow: exact deposits, rounding of withdrawals, caps, the freeze rule, words of the ledger."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from tests.contract.batches import buys, enter, sells
from tests.contract.support import (
    ALL,
    GENESIS,
    OPERATOR,
    PRODUCTS,
    Bench,
    address,
    list_product,
    new_token,
)
from walras.batch import CASH
from walras.numbers import X40, X44
from walras.schedule import Phase

pytestmark = pytest.mark.chain

ALICE, BOB = address("alice"), address("bob")
ZERO = "0x" + "00" * 20
ASSETS = (CASH, 0, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("asset", ASSETS)
def test_deposit_moves_token_and_ledger(bench: Bench, asset: int) -> None:
    one, bits = bench.units[asset], 40 if asset == CASH else 44
    custody = bench.look("listing", asset)[2]
    receipt = bench.deposit(ALICE, asset, 3 * one)
    (event,) = receipt.events
    assert (event.name, event.args) == (
        "Deposited",
        {"account": ALICE, "asset": asset, "amount": 3 * one},
    )
    assert bench.balance(ALICE, asset) == 3 << bits
    assert bench.look("listing", asset)[2] == custody + (3 << bits)
    assert bench.held(asset, ALICE) == 0


@pytest.mark.parametrize("asset", ASSETS)
def test_withdraw_of_everything_sends_all_whole_base_units(bench: Bench, asset: int) -> None:
    bench.deposit(ALICE, asset, 5 * bench.units[asset])
    receipt = bench.do(ALICE, "withdraw", asset, ALL, BOB)
    assert receipt.event("Withdrawn") == {
        "account": ALICE,
        "asset": asset,
        "amount": 5 * bench.units[asset],
        "to": BOB,
    }
    assert bench.held(asset, BOB) == 5 * bench.units[asset]
    assert bench.balance(ALICE, asset) == 0
    assert bench.refusal(ALICE, "withdraw", asset, ALL, BOB) == ("BadTransfer",)


@pytest.mark.parametrize(("asset", "step"), [(CASH, 5**4), (0, 5**16), (3, 5**24), (5, 1)])
def test_inexact_amount_names_the_next_lower_exact_one(bench: Bench, asset: int, step: int) -> None:
    """Exact means amount·2^bits divisible by the lot: a lot of 10^n leaves multiples of 5^n."""
    bench.supply(ALICE, asset, 10 * step)
    for amount in (step + 1, 2 * step + step // 2, 7 * step - 1):
        error = bench.refusal(ALICE, "deposit", asset, amount)
        lower = amount - amount % step
        assert error == (None if amount % step == 0 else ("InexactAmount", amount, lower))
        if lower:
            assert bench.refusal(ALICE, "deposit", asset, lower) is None


def test_lot_with_more_factors_of_two_than_the_ledger_has_digits(bench: Bench) -> None:
    k = list_product(bench, new_token(bench.chain), 3 << 50, 100)
    bench.supply(ALICE, k, 1 << 60)
    step = 3 << 6
    assert bench.refusal(ALICE, "deposit", k, step + 3) == ("InexactAmount", step + 3, step)
    assert bench.refusal(ALICE, "deposit", k, step - 1) == ("InexactAmount", step - 1, 0)
    bench.do(ALICE, "deposit", k, step)
    assert bench.balance(ALICE, k) == 1


def test_withdrawal_debits_rounded_up_and_never_more_than_there_is(bench: Bench) -> None:
    bench.endow(ALICE, p0=1)
    lot = bench.units[0]
    rng, left, sent = random.Random(4), X44, 0
    for amount in (1, 2, lot // 3, *(rng.randrange(1, lot // 50) for _ in range(12))):
        bench.do(ALICE, "withdraw", 0, amount, BOB)
        left -= -(-(amount << 44) // lot)
        sent += amount
        assert bench.balance(ALICE, 0) == left
    rest = left * lot >> 44
    needed = -(-((rest + 1) << 44) // lot)
    assert bench.refusal(ALICE, "withdraw", 0, rest + 1, BOB) == (
        "InsufficientBalance",
        needed,
        left,
    )
    bench.do(ALICE, "withdraw", 0, ALL, BOB)
    assert bench.held(0, BOB) == sent + rest


@pytest.mark.parametrize("asset", [CASH, 2])
def test_custody_is_capped_to_the_unit(bench: Bench, asset: int) -> None:
    _, one, custody, cap = bench.look("listing", asset)
    bits = 40 if asset == CASH else 44
    room = (cap - custody) * one >> bits
    bench.supply(ALICE, asset, room + one)
    assert bench.refusal(ALICE, "deposit", asset, room + one) == (
        "CapExceeded",
        cap + (1 << bits),
        cap,
    )
    bench.do(ALICE, "deposit", asset, room)
    assert bench.refusal(OPERATOR, "fundHouse", asset, one) == (
        "CapExceeded",
        cap + (1 << bits),
        cap,
    )
    bench.do(ALICE, "withdraw", asset, one, ALICE)
    assert bench.refusal(ALICE, "deposit", asset, one) is None


def test_transfers_that_mean_nothing(bench: Bench) -> None:
    bench.endow(ALICE, cash=5)
    bad = ("BadTransfer",)
    assert bench.refusal(ALICE, "deposit", CASH, 0) == bad
    assert bench.refusal(ALICE, "deposit", CASH, 2**128) == bad
    assert bench.refusal(ALICE, "withdraw", CASH, 0, BOB) == bad
    assert bench.refusal(ALICE, "withdraw", CASH, 2**128, BOB) == bad
    assert bench.refusal(ALICE, "withdraw", CASH, 1, ZERO) == bad
    assert bench.refusal(ALICE, "withdraw", CASH, 1, bench.market) == bad
    assert bench.refusal(ALICE, "claim", BOB) == bad
    assert bench.refusal(ALICE, "withdraw", CASH, 1, bench.tokens[CASH]) is None


@pytest.mark.parametrize("asset", [len(PRODUCTS), CASH - 1])
def test_unknown_assets(bench: Bench, asset: int) -> None:
    unknown = ("UnknownAsset", asset)
    assert bench.refusal(ALICE, "deposit", asset, 1) == unknown
    assert bench.refusal(ALICE, "withdraw", asset, 1, BOB) == unknown
    assert (
        bench.refusal(ALICE, "depositWithPermit", asset, 1, 0, 27, bytes(32), bytes(32)) == unknown
    )
    assert bench.refusal(ALICE, "fundHouse", asset, 1) == unknown
    assert bench.refusal(OPERATOR, "drawHouse", asset, 1, BOB) == unknown
    assert bench.refusal(ALICE, "resetScale", asset) == unknown
    assert bench.refusal(ALICE, "listing", asset) == unknown
    assert bench.refusal(ALICE, "product", asset) == unknown
    assert bench.balance(ALICE, asset) == 0


def test_nobody_takes_what_is_not_his(bench: Bench) -> None:
    bench.endow(ALICE, cash=5, p1=2)
    assert bench.refusal(BOB, "withdraw", CASH, 1, BOB) == (
        "InsufficientBalance",
        -(-X40 // 10**4),
        0,
    )
    assert bench.refusal(BOB, "withdraw", 1, 10**6, BOB) == ("InsufficientBalance", X44, 0)


# ------------------------------------------------------------------------------------- permits


def permit(bench: Bench, amount: int, deadline: int) -> tuple[str, tuple[int, bytes, bytes]]:
    """An owner with a key, and his permit for `amount` of cash."""
    owner = Account.from_key(b"\x07" * 32)
    typed = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Permit": [
                {"name": "owner", "type": "address"},
                {"name": "spender", "type": "address"},
                {"name": "value", "type": "uint256"},
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ],
        },
        "primaryType": "Permit",
        "domain": {
            "name": "Token",
            "version": "1",
            "chainId": bench.chain.chain_id,
            "verifyingContract": bench.tokens[CASH],
        },
        "message": {
            "owner": owner.address,
            "spender": bench.market,
            "value": amount,
            "nonce": 0,
            "deadline": deadline,
        },
    }
    signed = owner.sign_message(encode_typed_data(full_message=typed))
    return owner.address, (signed.v, signed.r.to_bytes(32), signed.s.to_bytes(32))


def test_deposit_with_permit_needs_no_approval(bench: Bench) -> None:
    owner, (v, r, s) = permit(bench, 10**4, ALL)
    bench.token(CASH, owner, "mint", owner, 2 * 10**4)
    name, *_ = bench.refusal(owner, "deposit", CASH, 10**4) or ("",)
    assert name == "ERC20InsufficientAllowance"
    bench.do(owner, "depositWithPermit", CASH, 10**4, ALL, v, r, s)
    assert bench.balance(owner, CASH) == X40


def test_permit_sent_ahead_by_somebody_else_breaks_nothing(bench: Bench) -> None:
    owner, (v, r, s) = permit(bench, 10**4, ALL)
    bench.token(CASH, owner, "mint", owner, 10**4)
    bench.token(CASH, BOB, "permit", owner, bench.market, 10**4, ALL, v, r, s)
    bench.do(owner, "depositWithPermit", CASH, 10**4, ALL, v, r, s)
    assert bench.balance(owner, CASH) == X40


def test_worthless_permit_leaves_the_allowance_to_decide(bench: Bench) -> None:
    owner, (v, r, s) = permit(bench, 10**4, 5)
    arguments = ("depositWithPermit", CASH, 10**4, 5, v, r, s)
    bench.token(CASH, owner, "mint", owner, 10**4)
    name, *_ = bench.refusal(owner, *arguments) or ("",)
    assert name == "ERC20InsufficientAllowance"
    bench.token(CASH, owner, "approve", bench.market, 10**4)
    assert bench.refusal(owner, *arguments) is None
    # and nobody else can use it
    name, *_ = bench.refusal(BOB, *arguments) or ("",)
    assert name == "ERC20InsufficientAllowance"


# -------------------------------------------------------------------------------------- freeze


def test_freeze_lasts_from_lock_in_to_the_end_of_the_batch(bench: Bench) -> None:
    """Both ways, for live accounts only, at the second (review 1 §A2.15)."""
    book = enter(bench, 1, {"live": buys(0, 100, 5)})
    live, idle = book.names["live"], bench.endow(BOB, cash=5)
    bench.deposit(live, CASH, 10**4)
    edges = bench.schedule.boundaries(1)
    for owner in (live, idle):
        bench.supply(owner, CASH, 10**4)
    frozen = ("Frozen", live, 1)
    expected = {
        edges.lock_in - 1: None,
        edges.lock_in: frozen,
        edges.lock_out: frozen,
        edges.reveal_from: frozen,
        edges.key_deadline - 1: frozen,
        edges.key_deadline: None,  # no key: void
        edges.deadline: None,
    }
    for at, error in expected.items():
        assert bench.look("isFrozen", live, at=at) is (error is not None)
        assert bench.refusal(live, "deposit", CASH, 10**4, at=at) == error
        assert bench.refusal(live, "withdraw", CASH, 1, live, at=at) == error
        assert bench.look("isFrozen", idle, at=at) is False
        assert bench.refusal(idle, "deposit", CASH, 10**4, at=at) is None
        assert bench.refusal(idle, "withdraw", CASH, 1, idle, at=at) is None


def test_freeze_of_a_revealed_batch_ends_with_settlement_or_deadline(bench: Bench) -> None:
    book = enter(bench, 1, {"live": buys(0, 100, 5), "other": sells(0, 99, 5)})
    live = book.names["live"]
    bench.deposit(live, CASH, 10**4)
    bench.go(1, Phase.CLEARING)
    edges = bench.schedule.boundaries(1)
    for at in (edges.key_deadline, edges.exclusive_until, edges.deadline - 1):
        assert bench.refusal(live, "withdraw", CASH, 1, live, at=at) == ("Frozen", live, 1)
    assert bench.refusal(live, "withdraw", CASH, 1, live, at=edges.deadline) is None
    book.settle(book.prices())
    assert bench.refusal(live, "withdraw", CASH, 1, live) is None


def test_account_that_cancelled_is_free(bench: Bench) -> None:
    book = enter(bench, 1, {"live": buys(0, 100, 5)})
    live = book.names["live"]
    bench.do(live, "cancel")
    at = bench.schedule.boundaries(1).lock_in
    assert bench.refusal(live, "withdraw", CASH, 1, live, at=at) is None


def test_seal_after_lock_in_freezes_at_once(bench: Bench) -> None:
    owner = bench.endow(ALICE, cash=2_000)
    bench.go(1, Phase.LOCKED_IN)
    bench.supply(owner, CASH, 10**4)
    bench.do(owner, "depositAndSeal", [(CASH, 10**4)], 10, bytes(80), 1)
    assert bench.refusal(owner, "withdraw", CASH, 1, owner) == ("Frozen", owner, 1)
    assert bench.refusal(owner, "deposit", CASH, 10**4) == ("Frozen", owner, 1)


def test_no_phase_of_an_empty_market_freezes_anybody(bench: Bench) -> None:
    bench.endow(ALICE, cash=1)
    for offset in range(0, 3_000, 97):
        assert bench.refusal(ALICE, "withdraw", CASH, 1, ALICE, at=GENESIS + offset) is None


# --------------------------------------------------------------------------- words of the ledger


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
def test_every_order_of_arrival_keeps_every_balance(bench: Bench, order: tuple[int, ...]) -> None:
    """The first product is home; 2 and 3 share a word, 0 and 1 share another."""
    for n, k in enumerate(order, start=1):
        bench.endow(ALICE, **{f"p{k}": n})
        assert bench.account(ALICE)["home_product"] == order[0] + 1
        expected = {j: m << 44 for m, j in enumerate(order[:n], start=1)}
        assert {j: b for j in range(6) if (b := bench.balance(ALICE, j))} == expected
    for k in reversed(order):
        bench.do(ALICE, "withdraw", k, ALL, ALICE)
        assert bench.balance(ALICE, k) == 0
    # the first product an account ever held stays its home
    assert bench.account(ALICE)["home_product"] == order[0] + 1
    bench.endow(ALICE, p0=9)
    assert bench.account(ALICE)["home"] == 0
    assert bench.balance(ALICE, 0) == 9 << 44


def test_cash_alone_makes_no_home(bench: Bench) -> None:
    bench.endow(ALICE, cash=3)
    assert bench.account(ALICE)["home_product"] == 0


def test_deposit_and_seal_takes_several_assets_or_nothing(bench: Bench) -> None:
    bench.go(1, Phase.OPEN)
    for asset in (CASH, 2, 3):
        bench.supply(ALICE, asset, 3_000 * bench.units[asset])
    deposits = [(k, 2_000 * bench.units[k]) for k in (3, CASH, 2)]
    assert bench.refusal(ALICE, "depositAndSeal", deposits, 9, bytes(80), 1) == ("BadUnits", 9, 80)
    bad = [*deposits, (2, 0)]
    assert bench.refusal(ALICE, "depositAndSeal", bad, 10, bytes(80), 1) == ("BadTransfer",)
    receipt = bench.do(ALICE, "depositAndSeal", deposits, 10, bytes(80), 1)
    assert [e.name for e in receipt.events] == ["Deposited"] * 3 + ["Opened", "Sealed"]
    assert bench.account(ALICE)["home_product"] == 4
    assert [bench.balance(ALICE, k) >> 44 for k in (2, 3)] == [2_000, 2_000]
    assert bench.balance(ALICE, CASH) == (2_000 - 1_250) * X40


def test_many_hands_in_any_order_leave_exact_books(bench: Bench) -> None:
    rng = random.Random(11)
    owners = [address(f"hand {n}") for n in range(4)]
    mirror = {(owner, k): 0 for owner in owners for k in ASSETS}
    for _ in range(60):
        owner, k = rng.choice(owners), rng.choice(ASSETS)
        unit, bits = bench.units[k], 40 if k == CASH else 44
        if rng.random() < 0.6:
            n = rng.randrange(1, 50)
            bench.deposit(owner, k, n * unit)
            mirror[owner, k] += n << bits
        elif mirror[owner, k]:
            amount = rng.randrange(1, (mirror[owner, k] * unit >> bits) + 1)
            bench.do(owner, "withdraw", k, amount, owner)
            mirror[owner, k] -= -(-(amount << bits) // unit)
    assert {key: bench.balance(*key) for key in mirror} == mirror
