"""Attacks on prices, the house and covers that the first review ran (§A3 to §A5).

A docstring names the review and the number of its finding.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_utils.address import to_canonical_address

from tests.adversarial.named import flat, voids
from tests.adversarial.test_lying_clearer import Judge, moved
from tests.contract.batches import Bid, Book, buys, enter, order, run, sells
from tests.contract.shapes import SHAPES
from tests.contract.support import (
    ALL,
    OPERATOR,
    Bench,
    address,
    list_product,
    new_token,
)
from walras.auths import Auth, Leg, Step, Submission
from walras.batch import CASH
from walras.numbers import X40, X44, X84
from walras.schedule import Phase
from walras.submission import VoidReason, encode

pytestmark = pytest.mark.chain


@pytest.mark.parametrize("shape", ["cross", "interval", "basket", "pair only"])
def test_event_bounds_what_another_accepted_price_could_have_moved(
    bench: Bench, shape: str
) -> None:
    """Review 1 §A3.22: transfer is first order, so the event states it in cash."""
    book = run(bench, 1, SHAPES[shape])
    prices = book.prices()
    judge, settlement = Judge(book), book.twin(prices)
    for k in prices:
        for way in ({k: 1}, {k: -1}):
            n = judge.reach(prices, way)
            other = book.twin(moved(prices, way, n))
            transfer = sum(abs(other.cash[a] - settlement.cash[a]) for a in settlement.cash)
            assert transfer <= 2 * (settlement.freedom_x40 + len(prices) * len(settlement.cash))


def test_wash_trades_do_not_widen_the_tolerance(bench: Bench) -> None:
    """Review 1 §A3.24: two own accounts trade a pair in any size; the freedom stays dust."""
    wash = (
        Auth((Leg(0, 1), Leg(1, 1)), 140 * X40, 0, (Step(10**5, 0),), ()),
        Auth((Leg(0, 1), Leg(1, 1)), 139 * X40, 0, (), (Step(10**5, 0),)),
    )
    bids = {**SHAPES["interval"], "w1": Bid(wash[:1]), "w2": Bid(wash[1:])}
    book = run(bench, 1, bids)
    prices = book.prices()
    n = Judge(book).reach(prices, {0: 1})
    assert n * 10**9 < 100 * X84


def test_house_cannot_be_sold_to_oneself(bench: Bench) -> None:
    """Review 1 §A3.25: alone in a product, at a price of one's choosing."""
    book = run(bench, 1, {"lone": buys(0, 150, 10**4)})
    for price in (0, X84, 50 * X84, 100 * X84, 149 * X84):
        error = book.refusal({0: price}, sender=OPERATOR)
        assert error is not None
        assert error[0] == "NotCleared"
    assert bench.refusal(OPERATOR, "drawHouse", 0, 1, OPERATOR) == ("Unfinished", 1)
    prices = book.prices()
    given = -book.twin(prices).house[0]
    book.settle(prices)
    # half the scale above the reference: 2^-11 lot, at the dearer price
    assert 0 < given <= X44 >> 11


def test_tied_orders_share_in_proportion_to_size(bench: Bench) -> None:
    """Review 1 §A3.26: nobody buys priority with a narrower ramp, the contract builds them all."""
    book = run(
        bench, 1, {**{f"b{n}": flat(0, 100, n) for n in (1, 10, 1000)}, "s": sells(0, 90, 500)}
    )
    fills = book.twin(book.prices()).fills
    got = {n: fills[to_canonical_address(address(f"b{n}"))][0] for n in (1, 10, 1000)}
    assert abs(got[10] - 10 * got[1]) <= 10
    assert abs(got[1000] - 1000 * got[1]) <= 1000
    book.settle(book.prices())


def test_reference_cannot_be_bought(bench: Bench) -> None:
    """Review 1 §A3.27, review 2 §8: a wash trade at ten times the price moves it 0.5 %."""
    thin = list_product(bench, new_token(bench.chain), 1, 100, depth_log2=0)
    house = 1 << bench.product(thin).house_log2
    bench.supply(OPERATOR, thin, 2 * house)
    bench.do(OPERATOR, "fundHouse", thin, 2 * house)
    cash = bench.look("leastHouseCash") // X40 * bench.units[CASH]
    bench.supply(OPERATOR, CASH, cash)
    bench.do(OPERATOR, "fundHouse", CASH, cash)
    for batch, limit in ((1, 100.5), (2, 101)):
        book = enter(bench, batch, {"a": flat(thin, 1_000, 10**4), "b": sells(thin, 999, 10**5)})
        bench.go(batch, Phase.CLEARING)
        book.settle(book.prices())
        assert bench.product(thin).reference == int(limit * X40)


def test_uncovered_order_is_not_filled_even_where_a_small_fill_would_fit(bench: Bench) -> None:
    """Review 1 §A3.28: status is computed, not claimed."""
    book = run(bench, 1, {**SHAPES["cross"], "short": replace(buys(0, 120, 1000), short=1)})
    prices = book.prices()
    settlement = book.twin(prices)
    assert settlement.voids == {to_canonical_address(book.names["short"]): VoidReason.UNCOVERED}
    other = exact_without_status(book)
    error = book.refusal(other)
    assert error is not None
    assert error[0] == "NotCleared"


def exact_without_status(book: Book) -> dict[int, int]:
    """The prices of a clearer that pretends everybody was covered."""
    from tests.contract.batches import exact_prices  # noqa: PLC0415

    state, opened = book.opened()
    return exact_prices(state, [replace(one, reason=None) for one in opened])


def test_expiry_is_against_the_schedule_not_the_settlement(bench: Bench) -> None:
    """Review 1 §A3.28: the clearer's moment decides nothing."""
    out = bench.schedule.boundaries(1).lock_out
    order_ = buys(0, 120, 10).auths
    bids = {"in": Bid(order_, valid_until=out), "out": Bid(order_, valid_until=out - 1)}
    book = run(bench, 1, {**bids, "s": sells(0, 90, 30)})
    prices = book.prices()
    for at in (bench.chain.now, bench.time(1, Phase.FALLBACK)):
        assert book.refusal(prices, at=at) is None
    assert voids(book) == {"in": None, "out": VoidReason.EXPIRED, "s": None}


def test_opposite_order_of_a_second_account_nets_out(bench: Bench) -> None:
    """Review 1 §A4.31: the documented price of committing on entry is double escrow."""
    book = enter(bench, 1, {"a": flat(0, 100, 10)})
    bench.go(1, Phase.LOCKED_IN)
    second = Bid((Auth((Leg(0, 1),), 50 * X40, 0, (), (Step(10, 0),)),))
    both = book.joined(enter(bench, 1, {"b": second}))
    bench.go(1, Phase.CLEARING)
    fills = both.twin(both.prices()).fills
    got = {n: fills[to_canonical_address(o)][0] for n, o in both.names.items()}
    assert abs(got["a"] + got["b"]) <= X44 >> 10


def test_selling_a_portfolio_of_negative_value_needs_cash(bench: Bench) -> None:
    """Review 1 §A5.34: what binds on a sale is -m(0-)."""
    auth = order({0: 1, 1: -10}, -250, sell=[4])
    body = encode(Submission((auth,)))
    held = ((0, 4),)
    poor = Bid(body=body, units=60, held=held, spare=999)
    fine = Bid(body=body, units=60, held=held, spare=1_000)
    book = run(bench, 1, {"poor": poor, "fine": fine})
    assert voids(book) == {"poor": VoidReason.UNCOVERED, "fine": None}
    book.settle(book.prices())


def test_house_and_bond_leave_by_their_own_way_at_the_end(bench: Bench) -> None:
    """Review 1 §A5.37: after a settlement the operator closes the market down to the least."""
    book = run(bench, 1, SHAPES["cross"])
    book.settle(book.prices())
    bench.do(OPERATOR, "drawBond", ALL, OPERATOR)
    for asset in (CASH, *range(6)):
        bench.do(OPERATOR, "drawHouse", asset, ALL, OPERATOR)
    bench.do(OPERATOR, "claim", OPERATOR)
    for owner in book.names.values():
        for asset in (CASH, 0):
            if bench.balance(owner, asset) > X44:
                bench.do(owner, "withdraw", asset, ALL, owner)
