"""Being faster: worth everything in a continuous book, nothing within a batch.

A maker quotes around what it last saw of a value that jumps now and then. Two snipers see jumps
sooner than the maker can react, one sooner than the other, and take quotes that have become stale.
In a continuous book the faster one takes the whole quote at every jump. With batches all three
have reacted long before the lock-out, unless a jump falls within the reaction times before it; and
where both snipers are in time they compete in price.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from walras.auths import Submission
from walras.numbers import X40
from walras.simulate.agents import Agent, Endowment, Seal, address_of
from walras.simulate.agents.base import BPS
from walras.simulate.cast import agents_of
from walras.simulate.desk import CASH_PER_DOLLAR, LOTS_PER_SHARE, Desk, Side, shares
from walras.simulate.market import Cleared, Market
from walras.simulate.orderbook import OrderBook
from walras.simulate.prices import Bar, read_bars, value_paths
from walras.simulate.run import Run, play
from walras.simulate.scenario import PRESETS, Scenario

__all__ = ["News", "Race", "arrival_order", "news", "race_in_batches", "race_in_book"]

Floats = NDArray[np.float64]

MAKER, FAST, SLOW = "maker", "fast", "slow"
LATENCY: Final = {MAKER: 0.010, FAST: 0.001, SLOW: 0.005}  # seconds from a jump to the market
_HALF_SPREAD: Final = 2 * BPS
_QUOTE: Final = 1_000  # shares on each side
_RICH: Final = Endowment(1e9, {0: 1e6})


@dataclass(frozen=True, slots=True)
class News:
    """Jumps at ``times``, seconds; ``values[i]`` dollars a share before jump i, then the last."""

    seconds: float
    times: Floats
    values: Floats

    def at(self, moment: float) -> float:
        """The value at a moment."""
        return float(self.values[np.searchsorted(self.times, moment, side="right")])


@dataclass(slots=True)
class Race:
    """What the snipers made of the maker's stale quotes, in dollars against the value.

    ``jumps`` larger than the half spread, ``races`` in which anything was traded.
    """

    jumps: int = 0
    races: int = 0
    profit: dict[str, float] = field(default_factory=lambda: {FAST: 0.0, SLOW: 0.0})

    @property
    def total(self) -> float:
        """Both snipers' profit, the maker's loss."""
        return sum(self.profit.values())


def news(seconds: float, *, every: float = 5.0, price: float = 100.0, seed: int = 0) -> News:
    """Jumps at random times, ``every`` so many seconds on average, of 6 basis points' deviation."""
    dice = np.random.default_rng(seed)
    count = int(dice.poisson(seconds / every))
    times = np.sort(dice.uniform(0.0, seconds, count))
    moves = np.concatenate(([0.0], 6 * BPS * dice.standard_normal(count)))
    return News(seconds, times, price * np.exp(np.cumsum(moves)))


def race_in_book(events: News) -> Race:
    """Every jump in a continuous limit order book."""
    race = Race()
    for before, after in pairwise(events.values.tolist()):
        race.jumps += abs(after / before - 1) > _HALF_SPREAD
        book = OrderBook()
        bid, _ = book.submit(MAKER, 1, before * (1 - _HALF_SPREAD), _QUOTE)
        ask, _ = book.submit(MAKER, -1, before * (1 + _HALF_SPREAD), _QUOTE)
        side = 1 if after > before else -1
        traded = False
        for who in sorted(LATENCY, key=LATENCY.__getitem__):
            if who == MAKER:
                book.cancel(bid)
                book.cancel(ask)
                continue
            _, trades = book.submit(who, side, after, _QUOTE, rest=False)
            race.profit[who] += sum(side * (after - t.price) * t.size for t in trades)
            traded = traded or bool(trades)
        race.races += traded
    return race


def race_in_batches(events: News, interval: float, *, commit: float = 0.0) -> Race:
    """The same jumps in batches of ``interval`` seconds, cleared by the engine.

    The maker's quotes have to be in ``commit`` seconds before lock-out (a maker that seals before
    lock-in); everybody else's at lock-out. Batches in which nobody saw more than the maker did
    trade nothing and are not cleared.
    """
    race = Race(jumps=int(np.sum(np.abs(np.diff(np.log(events.values))) > _HALF_SPREAD)))
    desk = Desk(("X",), [float(events.values[0])])
    market = Market(desk, interval)
    market.deposit({address_of(who): _RICH for who in LATENCY})
    for number in range(1, math.floor(events.seconds / interval) + 1):
        lock_out = number * interval
        quoted = events.at(lock_out - commit - LATENCY[MAKER])
        seen = {who: events.at(lock_out - LATENCY[who]) for who in (FAST, SLOW)}
        stale = [who for who in seen if abs(seen[who] / quoted - 1) > _HALF_SPREAD]
        if not stale:
            continue
        market.enter(address_of(MAKER), Seal(_quote(desk, quoted)))
        for who in stale:
            market.enter(address_of(who), Seal(_snipe(desk, quoted, seen[who])))
        _mark(race, market.clear(), events.at(lock_out))
    return race


def _mark(race: Race, cleared: Cleared, value: float) -> None:
    traded = False
    for who in (FAST, SLOW):
        address = address_of(who)
        fill = cleared.settlement.fills.get(address, {}).get(0, 0)
        if fill:
            traded = True
            cash = cleared.settlement.cash[address] / X40 / CASH_PER_DOLLAR
            race.profit[who] += cash + shares(fill) * value
    race.races += traded


def _quote(desk: Desk, value: float) -> Submission:
    lot = value / LOTS_PER_SHARE
    steps = ((_QUOTE * LOTS_PER_SHARE, 0.0),)
    away = lot * _HALF_SPREAD
    return Submission(
        (desk.auth({0: 1}, buy=Side(lot - away, steps), sell=Side(lot + away, steps)),)
    )


def _snipe(desk: Desk, quoted: float, value: float) -> Submission:
    curve = Side(value / LOTS_PER_SHARE, ((_QUOTE * LOTS_PER_SHARE, 0.0),))
    auth = desk.auth({0: 1}, buy=curve) if value > quoted else desk.auth({0: 1}, sell=curve)
    return Submission((auth,))


def arrival_order(
    *,
    scenario: Scenario = PRESETS["thin"],
    seed: int = 0,
    shuffles: int = 2,
    bars: Mapping[str, Sequence[Bar]] | None = None,
) -> list[Run]:
    """The same day with everybody first to the market in turn: who is earlier within a batch."""
    fundamentals = value_paths(
        read_bars() if bars is None else bars,
        scenario.products,
        scenario.batches,
        scenario.interval,
        np.random.default_rng(seed),
    )

    def shuffled(number: int) -> Callable[[Sequence[Agent]], list[Agent]] | None:
        if number == 0:
            return None
        dice = np.random.default_rng([seed, number])
        return lambda agents: [agents[i] for i in dice.permutation(len(agents))]

    return [
        play(
            agents_of(scenario, fundamentals.values[0], seed),
            fundamentals,
            interval=scenario.interval,
            order=shuffled(number),
        )
        for number in range(shuffles + 1)
    ]
