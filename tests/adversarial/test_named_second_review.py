"""Attacks that the second review ran, each against what was built.

A docstring names the review and the number of its finding.
"""

from __future__ import annotations

import pytest
from eth_utils.address import to_canonical_address

from tests.adversarial.named import flat
from tests.contract.batches import Bid, buys, order, run, sells
from tests.contract.support import Bench, list_product, new_market, new_token
from walras.auths import Auth, Leg, Step, Submission
from walras.batch import CASH
from walras.clearing.problem import solve_batch
from walras.numbers import X40, X44
from walras.submission import encode

pytestmark = pytest.mark.chain


def test_half_filled_sellers_do_not_drain_the_house(bench: Bench) -> None:
    """Review 2 §1: sellers of one lot, each half filled; nothing is truncated to lots."""
    sellers = {
        f"s{n}": Bid((Auth((Leg(5, 1),), 100 * X40, 0, (), (Step(1, 0),)),)) for n in range(24)
    }
    book = run(bench, 1, {"buyer": flat(5, 110, 12), **sellers})
    prices = solve_batch(*book.opened()).prices
    settlement = book.twin(prices)
    filled = [settlement.fills[to_canonical_address(book.names[n])][5] for n in sellers]
    assert max(filled) - min(filled) <= 1
    assert abs(sum(filled) + 12 * X44) <= X44 >> 10
    assert abs(settlement.house[5]) <= X44 >> 10
    book.settle(prices)


@pytest.mark.parametrize("price", [1, 100, 2**30])
def test_maker_vanishes_whatever_a_lot_is_worth(bench: Bench, price: int) -> None:
    """Review 2 §2: a lone buyer at reference + 5 % trades 2^-10 · 5 % of a lot."""
    market = new_market(
        bench.chain, bench.libraries, bench.tokens[CASH], cover_cap=1 << 66, cash_cap=1 << 55
    )
    k = list_product(market, new_token(bench.chain), 1, price, lots_cap=1 << 30)
    market.fill_house()
    book = run(
        market,
        1,
        {"lone": Bid((Auth((Leg(k, 1),), price * X40 * 105 // 100, 0, (Step(1000, 0),), ()),))},
    )
    prices = book.prices()
    got = book.twin(prices).fills[to_canonical_address(book.names["lone"])][k]
    assert abs(got - (X44 >> 10) * 5 // 100) <= X44 >> 20
    book.settle(prices)
    market.check_books()


def test_portfolios_trade_in_exact_proportion_and_default_on_nothing(bench: Bench) -> None:
    """Review 2 §3: rounded leg by leg, (2, -1) at a price of nothing owed a hundred."""
    pair = Bid(
        body=encode(Submission((order({0: 5, 3: -1}, -499, buy=[3]),))), units=60, held=((3, 3),)
    )
    bids = {"pair": pair, "s": sells(0, 99, 10), "b": buys(3, 1_002, 3)}
    book = run(bench, 1, bids)
    prices = book.prices()
    owner = to_canonical_address(book.names["pair"])
    fills = book.twin(prices).fills[owner]
    assert fills[0] == -5 * fills[3] != 0
    assert bench.balance(book.names["pair"], CASH) == 0
    book.settle(prices)
    assert bench.balance(book.names["pair"], CASH) >= 0


@pytest.mark.parametrize("copies", [1, 12])
def test_rounded_root_passes_at_a_kink_of_steep_portfolios(bench: Bench, copies: int) -> None:
    """Review 2 §5: many identical pairs whose kink lies within W/2 of the portfolio price."""
    weights = {0: 999_983, 3: -99_991}
    worth = 999_983 * 100 - 99_991 * 1_000
    pair = Auth(tuple(Leg(k, w) for k, w in weights.items()), worth * X40, 0, (), (Step(1, 0),))
    against = Auth(pair.legs, worth * X40 + 1, 0, (Step(copies, 0),), ())
    bids = {f"p{n}": Bid((pair,)) for n in range(copies)}
    book = run(bench, 1, {**bids, "against": Bid((against,))})
    prices = solve_batch(*book.opened()).prices
    assert book.refusal(prices) is None
    book.settle(prices)
