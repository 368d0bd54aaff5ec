"""The demonstration's stocks, its book and its report, without a chain."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, cast

import pytest

from scripts._demo.book import Bidder, make_book
from scripts._demo.bounds import Bound, read_bounds
from scripts._demo.market import Venue
from scripts._demo.report import report
from scripts._demo.stocks import Stock, read_stocks
from tests.unit.sample_market import NOW, SCHEDULE
from walras.numbers import X24, X40, X44
from walras.orders import Constant, HumanAuth, Setting, convert, parse_order
from walras.submission import VoidReason
from walras.units import CashUnits, MarketUnits, ProductUnits


@pytest.fixture(scope="module")
def stocks() -> tuple[Stock, ...]:
    return read_stocks()


def auths(book: list[Bidder]) -> list[HumanAuth]:
    return [auth for bidder in book for auth in parse_order(json.dumps(bidder.order)).auths]


def test_prices_are_the_last_daily_closes_of_real_stocks(stocks: tuple[Stock, ...]) -> None:
    assert {stock.symbol: stock.close for stock in stocks} == {
        "AAPL": Decimal("430.47"),
        "FB": Decimal("27.78"),
        "GOOG": Decimal("806.19"),
        "IBM": Decimal("202.91"),
        "MSFT": Decimal("27.95"),
    }
    assert {stock.day for stock in stocks} == {"2013-03-01"}
    assert all(0.005 < stock.volatility < 0.05 for stock in stocks)


@pytest.mark.parametrize(("bidders", "count"), [(24, 64), (2, 2), (7, 60), (60, 61)])
def test_book_has_so_many_bidders_and_auths(
    stocks: tuple[Stock, ...], bidders: int, count: int
) -> None:
    book = make_book(stocks, bidders, count, seed=1)
    assert len({bidder.name for bidder in book}) == bidders
    assert sum(bidder.auths for bidder in book) == len(auths(book)) == count
    assert all(bidder.auths for bidder in book)


def test_book_follows_its_seed(stocks: tuple[Stock, ...]) -> None:
    assert make_book(stocks, 24, 64, 5) == make_book(stocks, 24, 64, 5)
    assert make_book(stocks, 24, 64, 5) != make_book(stocks, 24, 64, 6)


def test_book_has_orders_of_every_kind(stocks: tuple[Stock, ...]) -> None:
    found = auths(make_book(stocks, 24, 64, seed=1))
    weights = [[weight for _, weight in auth.weights] for auth in found]
    single = [auth.demand for auth in found if len(auth.weights) == 1]
    points = [[point.rate for point in d] for d in single if not isinstance(d, Constant)]
    assert any(min(rates) >= 0 for rates in points), "a single buy"
    assert any(max(rates) <= 0 for rates in points), "a single sell"
    assert any(min(rates) < 0 < max(rates) for rates in points), "a two-sided quote"
    assert any(len(rates) > 2 for rates in points), "a curve of several points"
    assert any(isinstance(auth.demand, Constant) for auth in found), "a constant price"
    assert any(len(w) == 2 and min(w) < 0 < max(w) for w in weights), "a pair"
    assert any(len(w) > 2 and min(w) > 0 for w in weights), "a basket"
    assert any(len(w) > 2 and min(w) < 0 for w in weights), "a basket with negative weights"


@pytest.mark.parametrize("seed", range(20))
def test_every_order_can_be_represented_exactly(stocks: tuple[Stock, ...], seed: int) -> None:
    cash = CashUnits("USD", decimals=6, unit=1)
    products = (
        ProductUnits(k, stock.symbol, decimals=18, lot=10**14, tick=X40)
        for k, stock in enumerate(stocks)
    )
    market = MarketUnits(cash, tuple(products))
    caps = {k: int(stock.close) * 100 * X24 for k, stock in enumerate(stocks)}
    setting = Setting(SCHEDULE, NOW, 10**15, caps)
    for bidder in make_book(stocks, 24, 64, seed):
        order = parse_order(json.dumps(bidder.order))
        submission = convert(order, market, None, setting).submission
        assert len(submission.auths) == bidder.auths
        assert submission.standing == bidder.stands


@pytest.mark.parametrize("size", [(3, 9), (3, 3), (24, 64), (24, 300)])
def test_one_order_stands_with_limits_and_one_has_a_cost(
    stocks: tuple[Stock, ...], size: tuple[int, int]
) -> None:
    book = make_book(stocks, *size, seed=1)
    orders = [parse_order(json.dumps(bidder.order)) for bidder in book]
    (standing,) = [order for order in orders if order.standing]
    (coupled,) = [order for order in orders if order.costs]
    assert all(auth.limits and auth.limits.low and not auth.limits.high for auth in standing.auths)
    (cost,) = coupled.costs
    assert [auth for auth, _ in cost.group] == list(range(len(coupled.auths)))
    alone = sum(auth["data"]["demand"][-1]["rate"] for auth in book[-1].order["auths"])
    assert book[-1].order["costs"][0]["max"] == alone // 2


def test_bounds_are_read_in_the_words_of_the_order() -> None:
    auths = [
        {
            "name": "a",
            "portfolio": {"A": "-1"},
            "demand": {"min_rate": -9, "max_rate": 9, "price": 0},
        }
    ]
    limits = {"min_trade": -20, "max_trade": 8}
    order = {"standing": True, "auths": [{**auths[0], **limits}]}
    order |= {"costs": [{"name": "c", "group": {"a": "0.5"}, "max": 4}]}
    market = MarketUnits(CashUnits("USD", 6, 10**4), (ProductUnits(0, "A", 18, 10**16, X40),))
    setting = Setting(SCHEDULE, NOW, 10**12, {0: 100 * X24})
    # on chain a purchase of 1 A, in cents and hundredths: 3 sold are 300 lots bought
    settlement = SimpleNamespace(
        rates={b"x": (-300 * X44,)}, shadows={b"x": (7 * X44 * X40,)}, progress={}
    )
    cost = convert(parse_order(json.dumps(order)), market, None, setting).costs[0]
    found = list(
        read_bounds(Bidder("zoe", "any", order), b"x", cast("Any", settlement), market, setting)
    )
    unit = float(cost.units)
    assert [replace(b, shadow=None) for b in found] == [
        Bound("zoe", "a", 3.0, 8.0),
        Bound("zoe", "c", 1.5, 4.0),
    ]
    assert [b.shadow for b in found] == [None, pytest.approx(0.07 * unit)]
    assert not list(
        read_bounds(Bidder("zoe", "any", order), b"y", cast("Any", settlement), market, setting)
    )


def test_report_has_the_promised_keys_and_plain_numbers() -> None:
    void = VoidReason
    outcome = SimpleNamespace(
        symbols=("AAPL", "FB"),
        prices={0: Fraction(1_300, 3), 1: Fraction(28)},
        auths=40,
        filled=33,
        voids={"eve": void.UNOPENED, "mallory": void.UNOPENED, "ivan": void.UNCOVERED},
        gap=Fraction(1, 3 * 2**40),
        turnover=Fraction(10_001, 7),
        settle_gas=1_000_019,
    )
    made = report(
        cast("Any", outcome), {"surplus": "9378.5"}, 44_000, {"seal": 1.23456, "total": 9}
    )
    assert json.loads(json.dumps(made)) == made
    assert made == {
        "batch": 1,
        "products": ["AAPL", "FB"],
        "prices": {"AAPL": 433.333333333, "FB": 28.0},
        "auths": 40,
        "filled": 33,
        "voids": {"UNOPENED": 2, "UNCOVERED": 1},
        "surplus": 9378.5,
        "gap": pytest.approx(2**-40 / 3),
        "turnover": 1428.714285714,
        "gas": {"seal_median": 44_000, "settle": 1_000_019, "settle_per_auth": 25_000},
        "seconds": {"seal": 1.23, "total": 9},
    }


class SlowNode:
    """A node that takes transactions at once and mines one at every look."""

    def __init__(self) -> None:
        self.client, self.sent, self.mined = self, 0, 0

    def rpc(self, method: str, *_: object) -> str:
        assert method == "eth_getTransactionCount"
        self.mined = min(self.sent, self.mined + 1)
        return hex(self.mined)

    def rpc_many(self, method: str, requests: list[object]) -> None:
        assert method == "eth_sendTransaction"
        self.sent += len(requests)

    def set_balance(self, *_: object) -> None: ...


def test_everybody_is_endowed_when_the_faucet_says_so(stocks: tuple[Stock, ...]) -> None:
    node = SlowNode()
    market = SimpleNamespace(token=lambda asset: f"0x{asset & 0xFF:040x}")
    venue = Venue(cast("Any", node), cast("Any", market), ())
    venue.endow(["0x" + "11" * 20, "0x" + "22" * 20], stocks)
    assert node.mined == node.sent == 2 * (1 + len(stocks))
