"""The typed market against the real contract: one batch from deposit to withdrawal."""

import pytest
from eth_account import Account
from eth_utils.address import to_canonical_address

from tests.e2e.venue import CASH_UNIT, LOT, QUICK, Venue, buy, sell
from walras.batch import CASH
from walras.certificate import open_batch, settle
from walras.chain.artifacts import load
from walras.chain.books import book_at_lock_out
from walras.chain.client import connect
from walras.chain.market import Market
from walras.chain.reverts import ADVICE
from walras.chain.sender import Sender
from walras.clearing.problem import solve_batch
from walras.errors import ChainError, NoContract, NodeUnreachable, Reverted, WrongChain
from walras.schedule import Phase
from walras.sealing import encode_point
from walras.settlement import encode_submissions, outcome_hash

pytestmark = pytest.mark.chain


def test_every_error_of_the_contract_has_advice() -> None:
    errors = {item["name"] for item in load("Walras").abi if item["type"] == "error"}
    assert set(ADVICE) == errors


def test_view_tells_the_whole_market(venue: Venue) -> None:
    view = venue.market.view()
    assert view.terms == venue.market.terms
    assert view.current == 0
    assert view.cash.symbol == "USD"
    assert view.cash.decimals == 6
    assert [p.asset.symbol for p in view.products] == ["APPL", "BANA"]
    assert [p.state.scale >> 24 for p in view.products] == [200, 50]
    assert view.treasury.short_houses == 0
    assert view.treasury.house_cash >= view.least_house_cash > 0
    assert view.asset(1) == view.products[1].asset
    assert view.asset(2) is None
    assert view.seals_need == ()


def test_key_comes_from_its_event(venue: Venue) -> None:
    with pytest.raises(ChainError, match="no key yet"):
        venue.market.batch_key(1)
    venue.advance(1, Phase.OPEN)
    assert venue.market.batch_key(1) == encode_point(*venue.keys.public(1))
    assert venue.market.view().phase is Phase.OPEN


def test_a_batch_from_deposit_to_withdrawal(venue: Venue) -> None:
    venue.advance(1, Phase.OPEN)
    buyer, seller, idle = venue.trader(), venue.trader(), venue.trader()
    venue.seal(buyer, [buy(0, 100, 205)], 1)
    venue.seal(seller, [sell(0, 40, 195), sell(1, 10, 60)], 1)
    venue.seal(idle, [buy(1, 5, 10)], 1)
    idle.cancel()
    assert not venue.market.account(idle.sender.address).live
    venue.advance(1, Phase.CLEARING)

    book = book_at_lock_out(venue.market, 1)
    state = book.state
    assert {a.address for a in state.accounts} == {
        to_canonical_address(t.sender.address) for t in (buyer, seller)
    }
    opened = open_batch(state, book.entries)
    prices, shadows = solve_batch(state, opened)
    settlement = settle(state, opened, prices, shadows)
    before = venue.market.account(buyer.sender.address)
    venue.operator.settle(1, prices, encode_submissions(book.entries, shadows))

    event = venue.market.settled_event(1)
    assert event is not None
    assert dict(zip(event.products, event.prices, strict=True)) == prices
    assert event.loss == settlement.loss_x40
    assert event.freedom == settlement.freedom_x40
    assert venue.market.void_events(1) == ()
    assert venue.market.phase(1) is Phase.SETTLED
    assert venue.market.read_all([("outcome", 1)]) == [
        outcome_hash(list(prices), list(prices.values()))
    ]
    # A settled batch is rebuilt as lock-out fixed it, not as the settlement left it.
    assert book_at_lock_out(venue.market, 1) == book

    after = venue.market.account(buyer.sender.address)
    address = to_canonical_address(buyer.sender.address)
    assert after.lots[0] - before.lots[0] == settlement.fills[address][0] > 0
    assert after.cash - before.cash == settlement.cash[address] < 0
    seller.withdraw(CASH)
    seller.withdraw(0)
    left = venue.market.account(seller.sender.address)
    assert venue.market.view().cash.to_base_units(left.cash) == 0
    sold = -settlement.fills[to_canonical_address(seller.sender.address)][0]
    assert left.wallet[0] == ((1_000 << 44) - sold) * LOT >> 44


def test_refusals_say_what_to_do(venue: Venue) -> None:
    venue.advance(1, Phase.OPEN)
    trader = venue.trader(lots=0)
    venue.seal(trader, [buy(0, 1, 200)], 1)
    with pytest.raises(Reverted, match="deposit first") as caught:
        trader.withdraw(CASH, 10**12)
    assert caught.value.name == "InsufficientBalance"
    with pytest.raises(Reverted, match="market show"):
        trader.deposit(7, 1)
    venue.advance(1, Phase.LOCKED_IN)
    with pytest.raises(Reverted, match="live in batch 1 and past its lock-in"):
        trader.withdraw(CASH)
    with pytest.raises(Reverted, match="batch 1 is LOCKED_IN"):
        trader.cancel()


def test_tokens_refuse_in_words_too(venue: Venue) -> None:
    account = Account.create()
    venue.node.set_balance(account.address, 10**18)
    trader = venue.market.bind(Sender(venue.node.client, account, QUICK))
    with pytest.raises(Reverted, match="get more of the token") as caught:
        trader.deposit(CASH, CASH_UNIT)
    assert caught.value.name == "ERC20InsufficientBalance"


def test_void_batch_is_closed_and_compensated(venue: Venue) -> None:
    venue.advance(1, Phase.OPEN)
    trader = venue.trader()
    venue.seal(trader, [buy(0, 1, 200)], 1)
    venue.advance(1, Phase.VOID)
    assert venue.market.phase(1) is Phase.VOID
    venue.operator.close_void(1)
    assert venue.market.void_closed_event(1) is not None
    trader.compensate(trader.sender.address)
    assert venue.market.account(trader.sender.address).claimable == 1 << 40
    trader.claim()


def test_wrong_places_are_named(venue: Venue) -> None:
    client = venue.node.client
    with pytest.raises(NoContract, match="no contract at"):
        Market(client, "0x" + "11" * 20)
    with pytest.raises(NoContract, match="is no address"):
        Market(client, "apple")
    with pytest.raises(NoContract, match="is no market"):
        Market(client, venue.market.token(0))
    with pytest.raises(WrongChain, match="serves chain 31337, not 1"):
        connect(venue.node.url, 1)
    with pytest.raises(NodeUnreachable, match="Connection refused"):
        connect("http://127.0.0.1:1", retry_for=0.1)
