"""The bidders and what they want: orders of many kinds around real prices, drawn from one seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Final

import numpy as np

from scripts._demo.stocks import Stock

__all__ = ["Bidder", "make_book"]

_NAMES: Final = (
    *("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "isaac", "judy", "kim"),
    *("leo", "mia", "nora", "oscar", "peggy", "quinn", "rupert", "sybil", "trent", "uma"),
    *("victor", "wendy", "xavier", "yara", "zoe"),
)
_UNIT: Final = 1_000  # dollars in one unit of a basket

Auth = dict[str, Any]
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Bidder:
    """An account's name, what kind of trader stands behind it, and its order file's content."""

    name: str
    kind: str
    order: Mapping[str, Any]

    @property
    def auths(self) -> int:
        """How many curves the order holds."""
        return len(self.order["auths"])

    @property
    def stands(self) -> bool:
        """Whether the order trades in batch after batch."""
        return bool(self.order.get("standing"))


def make_book(stocks: Sequence[Stock], bidders: int, auths: int, seed: int) -> list[Bidder]:
    """So many bidders with so many auths together, at least one each; the same for every seed.

    Of three or more the last two have an order that stands and one with a cost.
    """
    desk = _Desk(stocks, np.random.default_rng(seed))
    kinds = cycle(_KINDS.items())
    book = []
    for i, (kind, write) in zip(range(bidders), kinds, strict=False):
        name = _NAMES[i % len(_NAMES)] + (str(i // len(_NAMES) + 1) if i >= len(_NAMES) else "")
        share = max(auths // bidders + (i < auths % bidders), 1)
        if bidders - i <= len(_RARE) < bidders:
            rare, writer, terms = _RARE[bidders - i - 1]
            own = _named(writer(desk), share)
            book.append(Bidder(name, rare, {**terms(own), "auths": own}))
        else:
            book.append(Bidder(name, kind, {"auths": _named(write(desk), share)}))
    return book


def _named(writer: Iterator[Auth], count: int) -> list[Auth]:
    """The next auths; a name given before gets a number."""
    auths = [next(writer) for _ in range(count)]
    given = Counter[str]()
    for auth in auths:
        name = auth["auth_id"]
        given[name] += 1
        if given[name] > 1:
            auth["auth_id"] = f"{name} ({given[name]})"
    return auths


class _Desk:
    """What all bidders see, and the dice that make their opinions differ."""

    def __init__(self, stocks: Sequence[Stock], dice: np.random.Generator) -> None:
        self.stocks = stocks
        self.dice = dice
        self._mood = {s.symbol: float(dice.normal(0.0, 0.8)) for s in stocks}

    def opinion(self, stock: Stock) -> float:
        """A share's worth to one bidder: the last close, today's mood, an own view."""
        moves = self._mood[stock.symbol] + float(self.dice.normal(0.0, 0.5))
        return float(stock.close) * float(np.exp(stock.volatility * moves))

    def pick(self, count: int) -> list[Stock]:
        """Different stocks."""
        chosen = self.dice.choice(len(self.stocks), size=count, replace=False)
        return [self.stocks[int(i)] for i in chosen]

    def turn(self) -> Iterator[Stock]:
        """All stocks in some order, again and again."""
        return cycle(self.pick(len(self.stocks)))

    def shares(self, stock: Stock, low: int = 10_000, high: int = 80_000) -> int:
        """A number of shares worth between `low` and `high` dollars."""
        return max(round(self.between(low, high) / float(stock.close)), 1)

    def between(self, low: float, high: float) -> float:
        """Any number in the range."""
        return float(self.dice.uniform(low, high))

    def heads(self) -> bool:
        """The toss of a coin."""
        return bool(self.dice.integers(2))

    def basket(self, stocks: Sequence[Stock], signs: Sequence[int]) -> tuple[dict[str, str], float]:
        """Weights of about equal value, a unit's worth in all, and what one bidder pays for it."""
        weights, price = {}, 0.0
        for stock, sign in zip(stocks, signs, strict=True):
            weight = sign * round(_UNIT / len(stocks) / float(stock.close), 2)
            weights[stock.symbol] = f"{weight:.2f}"
            price += weight * self.opinion(stock)
        return weights, price


def _investor(desk: _Desk) -> Iterator[Auth]:
    """Buys single stocks, more the cheaper they are."""
    for stock in desk.turn():
        worth, size = desk.opinion(stock), desk.shares(stock)
        span = worth * stock.volatility
        points = [(0, worth + span), (size // 3, worth + span / 3), (size, worth - span)]
        yield _auth(f"buy {stock.symbol}", {stock.symbol: "1"}, points)


def _seller(desk: _Desk) -> Iterator[Auth]:
    """Sells single stocks, more the dearer they are."""
    for stock in desk.turn():
        worth, size = desk.opinion(stock), desk.shares(stock)
        span = worth * stock.volatility
        points = [
            (-size, worth + span),
            (-(2 * size // 3), worth + span / 2),
            (-(size // 3), worth - span / 4),
            (0, worth - span),
        ]
        yield _auth(f"sell {stock.symbol}", {stock.symbol: "1"}, points)


def _pair_trader(desk: _Desk) -> Iterator[Auth]:
    """Trades one stock against another in a fixed ratio, either way."""
    while True:
        long, short = desk.pick(2)
        ratio = round(float(long.close) / float(short.close), 2)
        spread = desk.opinion(long) - ratio * desk.opinion(short)
        size, gap = desk.shares(long), float(long.close) * long.volatility
        points = [
            (-size, spread + gap),
            (0, spread + gap / 8),
            (0, spread - gap / 8),
            (size, spread - gap),
        ]
        weights = {long.symbol: "1", short.symbol: f"-{ratio:.2f}"}
        yield _auth(f"{long.symbol} against {short.symbol}", weights, points)


def _index_fund(desk: _Desk) -> Iterator[Auth]:
    """Buys or sells all stocks at once at one limit for the whole basket."""
    while True:
        weights, price = desk.basket(desk.stocks, [1] * len(desk.stocks))
        size, span = round(desk.between(10, 80)), 8.0
        if desk.heads():
            yield _auth("buy the index", weights, [(0, price + span), (size, price - span)])
        else:
            yield _auth("sell the index", weights, [(-size, price + span), (0, price - span)])


def _market_maker(desk: _Desk) -> Iterator[Auth]:
    """Quotes both sides of single stocks."""
    for stock in desk.turn():
        worth, size = desk.opinion(stock), desk.shares(stock)
        step = worth * stock.volatility / 4
        points = [
            (-size, worth + 4 * step),
            (-(size // 2), worth + 2 * step),
            (0, worth + step),
            (0, worth - step),
            (size // 2, worth - 2 * step),
            (size, worth - 4 * step),
        ]
        yield _auth(f"quote {stock.symbol}", {stock.symbol: "1"}, points)


def _long_short(desk: _Desk) -> Iterator[Auth]:
    """Buys some stocks with the proceeds of others."""
    while True:
        stocks = desk.pick(int(desk.dice.integers(3, len(desk.stocks) + 1)))
        signs = [1 if i % 2 == 0 else -1 for i in range(len(stocks))]
        weights, price = desk.basket(stocks, signs)
        size, span = round(desk.between(10, 60)), 6.0
        name = "long " + ", ".join(
            s.symbol for s, sign in zip(stocks, signs, strict=True) if sign > 0
        )
        yield _auth(name, weights, [(0, price + span), (size // 2, price), (size, price - span)])


def _bargain_hunter(desk: _Desk) -> Iterator[Auth]:
    """Takes or gives any amount up to a limit at one price."""
    for stock in desk.turn():
        price, size = f"{desk.opinion(stock):.2f}", desk.shares(stock)
        sides = (
            {"max_rate": size, "min_rate": 0}
            if desk.heads()
            else {"min_rate": -size, "max_rate": 0}
        )
        demand = {**sides, "price": price}
        yield {
            "auth_id": f"{stock.symbol} at {price}",
            "portfolio": {stock.symbol: "1"},
            "data": {"demand": demand},
        }


def _rebalancer(desk: _Desk) -> Iterator[Auth]:
    """Shifts half a share here and a quarter there at one price for the exchange."""
    while True:
        gets, gives, also = desk.pick(3)
        weights = {gets.symbol: "0.5", gives.symbol: "-0.75", also.symbol: "0.25"}
        price = 0.5 * desk.opinion(gets) - 0.75 * desk.opinion(gives) + 0.25 * desk.opinion(also)
        limit = round(desk.between(20, 120))
        demand = {"min_rate": -limit, "max_rate": limit, "price": f"{price:.2f}"}
        yield {
            "auth_id": f"{gives.symbol} into {gets.symbol}",
            "portfolio": weights,
            "data": {"demand": demand},
        }


_KINDS: Final[Mapping[str, Callable[[_Desk], Iterator[Auth]]]] = {
    "investor": _investor,
    "seller": _seller,
    "pair trader": _pair_trader,
    "index fund": _index_fund,
    "market maker": _market_maker,
    "long-short": _long_short,
    "bargain hunter": _bargain_hunter,
    "rebalancer": _rebalancer,
}


def _patient_seller(desk: _Desk) -> Iterator[Auth]:
    """Sells three batches' worth of a stock, a slice at a time."""
    for stock in desk.turn():
        worth, size = desk.opinion(stock), desk.shares(stock)
        span = worth * stock.volatility
        auth = _auth(
            f"sell down {stock.symbol}",
            {stock.symbol: "1"},
            [(-size, worth), (0, worth - span)],
        )
        auth["data"] |= {"min_trade": -3 * size, "max_trade": 0}
        yield auth


def _stands(_: Sequence[Auth]) -> dict[str, Any]:
    return {"standing": True}


def _substituter(desk: _Desk) -> Iterator[Auth]:
    """Would buy any of several stocks, the cheapest shares first."""
    for stock in cycle(sorted(desk.stocks, key=lambda s: s.close)):
        worth, size = desk.opinion(stock), desk.shares(stock, 30_000)
        span = worth * stock.volatility
        yield _auth(
            f"rather {stock.symbol}",
            {stock.symbol: "1"},
            [(0, worth + 3 * span), (size, worth + span)],
        )


def _room(auths: Sequence[Auth]) -> dict[str, Any]:
    """Never more than half of what each would buy alone, together."""
    most = sum(auth["data"]["demand"][-1]["rate"] for auth in auths) // 2
    names = [auth["auth_id"] for auth in auths]
    return {"costs": [{"name": "room", "group": names, "max": most}]}


# One bidder each, from the end of the book: kind, auths, and what else the order says.
_RARE: Final[
    Sequence[
        tuple[
            str,
            Callable[[_Desk], Iterator[Auth]],
            Callable[[Sequence[Auth]], dict[str, Any]],
        ]
    ]
] = (
    ("substituter", _substituter, _room),
    ("patient seller", _patient_seller, _stands),
)


def _auth(name: str, weights: Mapping[str, str], points: Points) -> Auth:
    demand = [{"rate": rate, "price": f"{price:.2f}"} for rate, price in points]
    return {"auth_id": name, "portfolio": dict(weights), "data": {"demand": demand}}
