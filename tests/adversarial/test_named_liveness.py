"""Attacks on the clock, the bond and the batch that the first review ran (§A2).

A docstring names the review and the number of its finding.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_utils.address import to_canonical_address

from tests.adversarial.named import STRANGER
from tests.contract.batches import Bid, buys, enter, run, sells
from tests.contract.shapes import SHAPES
from tests.contract.support import (
    ALL,
    OPERATOR,
    UNIT_FEE,
    Bench,
    address,
    list_product,
    new_token,
)
from walras.auths import Auth, Leg, Step
from walras.batch import CASH
from walras.numbers import X40, X44
from walras.schedule import Phase

pytestmark = pytest.mark.chain


def test_voiding_oneself_never_pays(bench: Bench) -> None:
    """Review 1 §A2.10: operator alone in the batch, closes it himself, collects everything due."""
    owners = [bench.endow(address(f"own {n}"), cash=10**6) for n in range(20)]
    wealth = bond_and_cash(bench, owners)
    bench.go(1, Phase.OPEN)
    for owner in owners:
        bench.do(owner, "seal", 10, bytes(80), 1)
    bench.go(1, Phase.VOID)
    bench.do(OPERATOR, "closeVoid", 1)
    for owner in owners:
        bench.do(owner, "compensate", owner)
    lost = wealth - bond_and_cash(bench, owners)
    assert lost >= 200_000 * X40
    # each account got no more than its seal cost
    assert bench.parameters["compensation"] * X40 <= 10 * UNIT_FEE


def bond_and_cash(bench: Bench, owners: list[str]) -> int:
    claims = (bench.balance(o, CASH) + bench.look("claimable", o) for o in (*owners, OPERATOR))
    return bench.treasury()["bond"] + int(sum(claims))


def test_bond_cannot_leave_by_sealing_and_cancelling_first(bench: Bench) -> None:
    """Review 1 §A2.10: whoever seals after the bond left would be unprotected."""
    enter(bench, 1, {"decoy": buys(0, 100, 1)})
    bench.do(address("decoy"), "cancel")
    bench.do(OPERATOR, "drawBond", ALL, OPERATOR)
    victim = bench.endow(STRANGER, cash=10_000)
    short = ("BondShort", 0, 200_000 * X40)
    assert bench.refusal(victim, "seal", 10, bytes(80), 1) == short


def test_last_second_reveal_leaves_everybody_their_window(bench: Bench) -> None:
    """Review 1 §A2.11: T3 - T2 counts from T1, not from the reveal."""
    book = enter(bench, 1, SHAPES["cross"])
    edges = bench.schedule.boundaries(1)
    bench.chain.warp(edges.key_deadline - 1)
    bench.do(OPERATOR, "reveal", 1, bench.key(1))
    bench.chain.warp(edges.exclusive_until)
    assert edges.deadline - edges.exclusive_until >= 2 * bench.parameters["block_time"]
    prices = book.prices()
    assert book.refusal(prices, sender=STRANGER, at=edges.deadline - 1) is None
    book.settle(prices, STRANGER)


def test_one_lumpy_order_cannot_stop_a_batch(bench: Bench) -> None:
    """Review 1 §A2.12: a unit of 2^20 lots meets sellers of single lots; fills are fractional."""
    lump = Auth((Leg(2, 2**20), Leg(4, 1)), 9 * 2**20 * X40, 0, (Step(1, 0),), ())
    bids = {"lump": Bid((lump,)), "s": sells(2, 7, 999), "t": sells(4, 100, 3)}
    book = run(bench, 1, bids)
    prices = book.prices()
    fills = book.twin(prices).fills[to_canonical_address(book.names["lump"])]
    assert 0 < fills[2] < 2**20 * X44
    assert fills[2] == fills[4] << 20
    book.settle(prices)


def test_full_ledgers_take_every_fill(bench: Bench) -> None:
    """Review 1 §A2.13: an account at the custody cap buys what is left of the product."""
    listing = bench.look("listing", 5)
    room = (listing[3] - listing[2]) // X44
    rich = replace(buys(5, 110, 50), held=((5, room - 50),))
    book = run(bench, 1, {"rich": rich, "s": sells(5, 90, 50)})
    book.settle(book.prices())
    assert bench.balance(book.names["rich"], 5) > (room - 1) * X44


def test_nothing_done_after_lock_out_moves_a_settlement(bench: Bench) -> None:
    """Review 1 §A2.14: settlement reads only what lock-out fixed."""
    idle = bench.endow(STRANGER, cash=50, p0=50)
    book = enter(bench, 1, SHAPES["cross"])
    bench.go(1, Phase.CLEARING)
    prices = book.prices()
    expected = book.twin(prices)
    for asset in (CASH, 0):
        bench.deposit(idle, asset, bench.units[asset])
        bench.do(idle, "withdraw", asset, bench.units[asset], idle)
        bench.supply(idle, asset, 2 * bench.units[asset])
        bench.do(idle, "fundHouse", asset, bench.units[asset])
    bench.do(idle, "addBond", bench.units[CASH])
    list_product(bench, new_token(bench.chain), 1, 100)
    bench.do(idle, "reportLeak", 2, bench.key(2))
    receipt = book.settle(prices)
    event = receipt.event("Settled")
    assert (event["loss"], event["freedom"]) == (expected.loss_x40, expected.freedom_x40)
    for owner in book.names.values():
        fill = expected.fills[to_canonical_address(owner)][0]
        assert abs(fill) > 0
        assert bench.balance(owner, 0) == (fill if fill > 0 else 800 * X44 + fill)


def test_cancelled_seals_pay_and_capacity_is_dear(bench: Bench) -> None:
    """Review 1 §A2.16, review 2 §11: filling a batch costs its fees, and a part is burnt."""
    owner = bench.endow(STRANGER, cash=10**6)
    bench.go(1, Phase.OPEN)
    for _ in range(5):
        bench.do(owner, "seal", 10, bytes(80), 1)
        bench.do(owner, "cancel")
    assert bench.balance(owner, CASH) == (10**6 * X40) - 50 * UNIT_FEE
    spent = 0
    for n in range(10):
        filler = bench.endow(address(f"filler {n}"), cash=10**7)
        bench.do(filler, "seal", 200, bytes(80), 1)
        spent += 10**7 * X40 - bench.balance(filler, CASH)
    burnt = bench.treasury()["burnt"]
    fees = 2_000 * UNIT_FEE
    assert spent == fees + burnt
    # the last five pay 1, 3, 7, 7 (of 8 eighths: 5.6, 6.4 …) and 15 times on top
    assert burnt >= 5 * fees // 10


def test_void_needs_no_loop_and_no_call(bench: Bench) -> None:
    """Review 1 §A2.18: all are free by the clock, and closing costs the same for any number."""
    costs = []
    for live in (1, 40):
        with bench.chain.undone():
            owners = [bench.endow(address(f"o{n}"), cash=10**5) for n in range(live)]
            bench.go(1, Phase.OPEN)
            for owner in owners:
                bench.do(owner, "seal", 10, bytes(80), 1)
            bench.go(1, Phase.VOID)
            assert all(bench.refusal(o, "withdraw", CASH, 1, o) is None for o in owners)
            costs.append(bench.do(STRANGER, "closeVoid", 1).gas)
    assert abs(costs[0] - costs[1]) < 500
    assert max(costs) <= 150_000


def test_early_settlement_does_not_move_the_clock(bench: Bench) -> None:
    """Review 1 §A2.19: one clock, absolute."""
    book = run(bench, 1, SHAPES["cross"])
    book.settle(book.prices())
    owner = bench.endow(STRANGER, cash=10_000)
    end = bench.schedule.boundaries(1).end
    assert bench.refusal(owner, "seal", 10, bytes(80), 2, at=end - 1) == ("NotCurrent", 2, 1)
    assert bench.refusal(owner, "seal", 10, bytes(80), 2, at=end) is None
