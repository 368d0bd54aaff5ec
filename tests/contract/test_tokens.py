"""Tokens that misbehave: what each costs whom, and that it never costs another asset anything."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.batches import Bid, enter, order, run, sells
from tests.contract.chunks import FRESH
from tests.contract.support import (
    ALL,
    OPERATOR,
    Bench,
    address,
    list_product,
    new_market,
    new_token,
)
from walras.batch import CASH
from walras.chain.interface import call
from walras.chain.reverts import reverted
from walras.numbers import X40, X44
from walras.schedule import Phase

pytestmark = pytest.mark.chain

ALICE, BOB = address("alice"), address("bob")
NONE, NOTHING, FALSE, FEE, BLOCKS, REENTERS, REVERTS, SHRINKS = range(8)


class Weird:
    """A listed token that misbehaves on demand; `asset` is its id, a lot is 1,000 base units."""

    def __init__(self, bench: Bench, decimals: int = 18) -> None:
        self.bench = bench
        self.address = new_token(bench.chain, decimals, "WeirdToken")
        self.asset = list_product(bench, self.address, 1_000, 100, lots_cap=1 << 30)

    def tell(self, name: str, *args: Any, sender: str = OPERATOR) -> None:
        data = call("WeirdToken", self.address, name, *args).data
        self.bench.chain.send(self.address, data, sender)

    def ask(self, name: str) -> Any:
        query = call("WeirdToken", self.address, name)
        raw = self.bench.chain.call(self.address, query.data, OPERATOR)
        return query.result("0x" + raw.hex())

    def turns(self, fault: int) -> None:
        self.tell("setFault", fault)

    def deposited(self, owner: str, lots: int) -> None:
        self.bench.deposit(owner, self.asset, 1_000 * lots)


@pytest.fixture
def weird(bench: Bench) -> Weird:
    return Weird(bench)


@pytest.mark.parametrize("decimals", [0, 6, 8, 18, 27, 255])
def test_decimals_are_only_for_show(bench: Bench, decimals: int) -> None:
    token = Weird(bench, decimals)
    token.deposited(ALICE, 3)
    assert bench.balance(ALICE, token.asset) == 3 * X44
    bench.do(ALICE, "withdraw", token.asset, ALL, BOB)
    assert bench.held(token.asset, BOB) == 3_000


def test_token_that_returns_nothing_works(weird: Weird) -> None:
    weird.turns(NOTHING)
    weird.deposited(ALICE, 3)
    weird.bench.do(ALICE, "withdraw", weird.asset, ALL, BOB)
    assert weird.bench.held(weird.asset, BOB) == 3_000


def test_token_that_returns_false_is_refused_both_ways(weird: Weird) -> None:
    bench, asset = weird.bench, weird.asset
    weird.deposited(ALICE, 3)
    bench.supply(ALICE, asset, 1_000)
    weird.turns(FALSE)
    failed = ("SafeERC20FailedOperation", weird.address)
    assert bench.refusal(ALICE, "deposit", asset, 1_000) == failed
    assert bench.refusal(ALICE, "withdraw", asset, 1_000, BOB) == failed
    weird.turns(NONE)
    assert bench.refusal(ALICE, "withdraw", asset, 1_000, BOB) is None


def test_token_that_takes_a_fee_cannot_be_deposited(weird: Weird) -> None:
    """Nobody is credited with more than arrived; what is inside leaves at the token's own fee."""
    bench, asset = weird.bench, weird.asset
    weird.deposited(ALICE, 3)
    bench.supply(ALICE, asset, 1_000)
    weird.turns(FEE)
    assert bench.refusal(ALICE, "deposit", asset, 1_000) == ("WrongTransfer", 1_000, 990)
    assert bench.refusal(ALICE, "fundHouse", asset, 1_000) == ("WrongTransfer", 1_000, 990)
    bench.do(ALICE, "withdraw", asset, 2_000, BOB)
    assert bench.balance(ALICE, asset) == X44
    assert bench.held(asset, BOB) == 1_980


def test_blocked_recipient_takes_it_elsewhere(weird: Weird) -> None:
    bench, asset = weird.bench, weird.asset
    weird.deposited(ALICE, 3)
    weird.turns(BLOCKS)
    weird.tell("setBlocked", ALICE)
    assert bench.refusal(ALICE, "withdraw", asset, ALL, ALICE) == ("Error", "blocked")
    bench.do(ALICE, "withdraw", asset, ALL, BOB)
    weird.tell("setBlocked", bench.market)
    bench.supply(BOB, asset, 1_000)
    assert bench.refusal(BOB, "deposit", asset, 1_000) == ("Error", "blocked")


@pytest.mark.parametrize("fault", [REVERTS, SHRINKS, FALSE])
def test_token_that_turns_bad_holds_up_nothing_else(weird: Weird, fault: int) -> None:
    """Batches settle and every other asset leaves: settlement calls no token (S6)."""
    bench, asset = weird.bench, weird.asset
    house = (1 << bench.product(asset).house_log2) * 1_000
    bench.supply(OPERATOR, asset, house)
    bench.do(OPERATOR, "fundHouse", asset, house)
    bids = {
        "a": Bid((order({asset: 1, 0: 1}, 210, buy=[5]),)),
        "b": sells(asset, 90, 9),
        "c": sells(0, 90, 9),
    }
    book = enter(bench, 1, bids)
    weird.turns(fault)
    bench.go(1, Phase.CLEARING)
    book.settle(book.prices())
    a, b = book.names["a"], book.names["b"]
    assert bench.balance(a, asset) > 4 * X44
    for k in (CASH, 0):
        bench.do(a, "withdraw", k, ALL, a)
    bench.do(b, "withdraw", CASH, ALL, b)
    if fault != SHRINKS:
        assert bench.refusal(a, "withdraw", asset, ALL, a) is not None
    weird.turns(NONE)
    bench.do(a, "withdraw", asset, ALL, a)


def test_token_that_shrinks_hurts_its_own_last_leavers_only(weird: Weird) -> None:
    """The documented limit of S1: nobody can be paid what is not there, nothing else is touched."""
    bench, asset = weird.bench, weird.asset
    weird.deposited(ALICE, 3)
    weird.turns(SHRINKS)
    bench.supply(BOB, asset, 4_000)
    assert bench.refusal(BOB, "deposit", asset, 2_000) == ("WrongTransfer", 2_000, 1_000)
    assert bench.refusal(ALICE, "withdraw", asset, 1_000, BOB) is None
    weird.turns(NONE)


def test_code_that_disappears(weird: Weird) -> None:
    bench, asset = weird.bench, weird.asset
    weird.deposited(ALICE, 3)
    code = bench.chain.rpc("eth_getCode", weird.address, "latest")
    bench.chain.rpc("anvil_setCode", weird.address, "0x")
    no_token = ("NoToken", weird.address)
    assert bench.refusal(ALICE, "deposit", asset, 1_000) == no_token
    permit = ("depositWithPermit", asset, 1_000, 0, 27, bytes(32), bytes(32))
    assert bench.refusal(ALICE, *permit) == no_token
    assert bench.refusal(ALICE, "withdraw", asset, 1_000, BOB) is not None
    bench.chain.rpc("anvil_setCode", weird.address, code)


def test_token_without_permits_falls_back_on_the_allowance(weird: Weird) -> None:
    bench, asset = weird.bench, weird.asset
    permit = ("depositWithPermit", asset, 1_000, 0, 27, bytes(32), bytes(32))
    bench.supply(ALICE, asset, 1_000)
    bench.do(ALICE, *permit)
    assert bench.balance(ALICE, asset) == X44


def test_token_that_takes_back_what_was_there_is_refused(weird: Weird) -> None:
    """A balance that falls during a deposit is a wrong transfer, not an arithmetic accident."""
    bench, asset = weird.bench, weird.asset
    weird.deposited(ALICE, 3)
    code = bench.chain.rpc("eth_getCode", weird.address, "latest")
    bench.chain.rpc("anvil_setCode", weird.address, falling_token())
    error = bench.refusal(ALICE, "deposit", asset, 1_000)
    bench.chain.rpc("anvil_setCode", weird.address, code)
    assert error == ("WrongTransfer", 1_000, 0)


def falling_token() -> str:
    """Code of a token: transferFrom sets a transient flag and returns true.

    Every other question is answered 100 - flag·50.
    """
    head = "5f3560e01c6323b872dd14602057"  # selector == transferFrom: jump to 0x20
    balance = "5f5c6032026064035f5260205ff3"
    transfer_from = "5b60015f5d60015f5260205ff3"
    return "0x" + (head + balance).ljust(2 * 0x20, "0") + transfer_from


REENTRIES: list[tuple[str, tuple[Any, ...]]] = [
    ("deposit", (0, 1)),
    ("depositWithPermit", (0, 1, 0, 27, bytes(32), bytes(32))),
    ("depositAndSeal", ([], 10, bytes(80), 1)),
    ("withdraw", (CASH, 1, BOB)),
    ("claim", (BOB,)),
    ("seal", (10, bytes(80), 1)),
    ("cancel", ()),
    ("registerKey", (9, 1, 1)),
    ("reveal", (1, 1)),
    ("reportLeak", (1, 1)),
    ("settle", (1, [], [], b"")),
    ("verify", (1, BOB, FRESH, [], [], b"")),
    ("applyChunk", (1, [], 0, b"", 1)),
    ("restoreChunk", (1, [], 0, b"", 1)),
    ("open", (1,)),
    ("pause", ()),
    ("resume", ()),
    ("closeVoid", (1,)),
    ("compensate", (BOB,)),
    ("fundHouse", (0, 1)),
    ("drawHouse", (0, 1, BOB)),
    ("addBond", (1,)),
    ("drawBond", (1, BOB)),
    ("resetScale", (0,)),
    ("list", (BOB, 1, 1 << 24, 1, 0, 1)),
]


@pytest.mark.parametrize(("name", "args"), REENTRIES, ids=[name for name, _ in REENTRIES])
@pytest.mark.parametrize("way", ["in", "out"])
def test_no_entry_from_within_a_transfer(
    bench: Bench, way: str, name: str, args: tuple[Any, ...]
) -> None:
    """The token is the market's operator, so that nothing but the guard stands in its way."""
    token = new_token(bench.chain, 18, "WeirdToken")
    market = new_market(bench.chain, bench.libraries, bench.tokens[CASH], operator=token)
    market.do(token, "list", token, 1_000, 100 << 24, 1, 0, 1 << 30)
    asset = 0
    market.tokens[asset], market.units[asset] = token, 1_000
    hook = call("Walras", market.market, name, *args).data
    market.supply(ALICE, asset, 3_000)
    market.do(ALICE, "deposit", asset, 2_000)
    for data in (
        call("WeirdToken", token, "setCall", market.market, hook).data,
        call("WeirdToken", token, "setFault", REENTERS).data,
    ):
        bench.chain.send(token, data, OPERATOR)
    move = ("deposit", asset, 1_000) if way == "in" else ("withdraw", asset, 1_000, BOB)
    market.do(ALICE, *move)
    assert reading(bench, token, "reentered") is False
    assert reverted(bytes(reading(bench, token, "answer"))).name == "ReentrancyGuardReentrantCall"
    market.check_books()


def reading(bench: Bench, token: str, name: str) -> Any:
    query = call("WeirdToken", token, name)
    return query.result("0x" + bench.chain.call(token, query.data, OPERATOR).hex())


def test_view_during_a_transfer_shows_custody_already_counted(weird: Weird) -> None:
    """Read-only reentrancy sees at most what is there: credit comes after the tokens."""
    bench, asset = weird.bench, weird.asset
    weird.tell(
        "setCall", bench.market, call("Walras", bench.market, "balanceOf", ALICE, asset).data
    )
    weird.turns(REENTERS)
    weird.deposited(ALICE, 3)
    assert int.from_bytes(weird.ask("answer")) == 0
    bench.do(ALICE, "withdraw", asset, 1_000, BOB)
    assert int.from_bytes(weird.ask("answer")) == 2 * X44
    weird.turns(NONE)


def test_cash_that_turns_bad_still_settles_and_lets_products_out(bench: Bench) -> None:
    """The numeraire itself pauses: trading ends, lots leave."""
    cash = new_token(bench.chain, 6, "WeirdToken")
    market = new_market(bench.chain, bench.libraries, cash)
    list_product(market, bench.tokens[0], bench.units[0], 100)
    market.fill_house()
    book = enter(market, 1, {"a": Bid((order({0: 1}, 101, buy=[5]),)), "b": sells(0, 99, 9)})
    bench.chain.send(cash, call("WeirdToken", cash, "setFault", REVERTS).data, OPERATOR)
    market.go(1, Phase.CLEARING)
    book.settle(book.prices())
    a = book.names["a"]
    market.do(a, "withdraw", 0, ALL, a)
    assert market.held(0, a) > 4 * bench.units[0]
    assert market.refusal(OPERATOR, "claim", OPERATOR) == ("Error", "paused")
    bench.chain.send(cash, call("WeirdToken", cash, "setFault", NONE).data, OPERATOR)
    market.do(OPERATOR, "claim", OPERATOR)
    market.check_books()


@pytest.mark.parametrize("unit", [1, 10**2, 10**10, 10**16, 3 << 50])
def test_cash_units_of_every_size_round_the_same_way(bench: Bench, unit: int) -> None:
    """6, 8, 18 and 27 decimals of cash differ in the unit alone (review 2 §12)."""
    cash = new_token(bench.chain, 27)
    market = new_market(bench.chain, bench.libraries, cash, cash_unit=unit)
    market.endow(ALICE, cash=7)
    assert market.balance(ALICE, CASH) == 7 * X40
    market.do(ALICE, "withdraw", CASH, 1, BOB)
    left = 7 * X40 - -(-X40 // unit)
    assert market.balance(ALICE, CASH) == left
    if left * unit >> 40:
        market.do(ALICE, "withdraw", CASH, ALL, BOB)
    assert market.held(CASH, BOB) == 1 + (left * unit >> 40)
    market.check_books()


def test_market_survives_a_run_of_its_own_orders_on_weird_products(weird: Weird) -> None:
    """A pair of the weird token against a good one trades to the unit."""
    bench, asset = weird.bench, weird.asset
    house = (1 << bench.product(asset).house_log2) * 1_000
    bench.supply(OPERATOR, asset, house)
    bench.do(OPERATOR, "fundHouse", asset, house)
    weird.turns(NOTHING)
    bids = {
        "a": Bid((order({0: 1, asset: -1}, 5, buy=[9]),)),
        "b": Bid((order({0: 1, asset: -1}, -5, sell=[7]),)),
    }
    book = run(bench, 1, bids)
    prices = book.prices()
    fills = book.twin(prices).fills
    book.settle(prices)
    for owner in book.names.values():
        fill = fills[bytes.fromhex(owner[2:])]
        assert fill[0] == -fill[asset] != 0
