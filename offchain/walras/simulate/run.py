"""The loop: agents act, the market clears, everything worth knowing is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from walras.errors import ConfigError
from walras.numbers import X40, X44
from walras.simulate.agents import Agent, Endowment, Seal, View, address_of
from walras.simulate.cast import agents_of, index_legs, with_index
from walras.simulate.desk import CASH_PER_DOLLAR, Desk, dollars, shares
from walras.simulate.market import Market
from walras.simulate.prices import Bar, Fundamentals, read_bars, value_paths
from walras.simulate.scenario import Scenario
from walras.simulate.surplus import gain
from walras.simulate.venue import Opening, Outcome, Totals, Venue

__all__ = ["Execution", "Run", "play", "simulate"]

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Execution:
    """One limited auth of a standing submission, from its arrival on.

    ``quantity`` units it may buy (sell, if negative) in all, ``arrival`` its first batch and
    ``arrival_price`` dollars a unit before it; ``units`` and ``prices`` of each batch since.
    ``worth`` dollars that one unit moved at arrival, all legs.
    """

    name: str
    kind: str
    legs: Mapping[int, int]
    quantity: int
    arrival: int
    arrival_price: float
    worth: float
    units: list[float] = field(default_factory=list)
    prices: list[float] = field(default_factory=list)
    complete: bool = False


@dataclass(slots=True)
class Run:
    """What happened; rows are batches, columns products, prices in dollars a share.

    ``prices`` and ``values`` have a row more: the first is the listing. ``loss`` and ``freedom``
    are the bounds of the certificate in dollars; ``seconds`` by part of the work, ``figures`` what
    else the venue counts.
    """

    symbols: tuple[str, ...]
    dates: tuple[str, ...]
    interval: float
    values: Floats
    prices: Floats
    volumes: Floats
    surplus: Floats
    loss: Floats
    freedom: Floats
    live: NDArray[np.int64]
    auths: NDArray[np.int64]
    seconds: dict[str, Floats] = field(default_factory=dict)
    figures: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    voids: dict[str, int] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)
    before: Totals | None = None
    after: Totals | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    profits: dict[str, float] = field(default_factory=dict)

    @property
    def conserved(self) -> bool:
        """Whether lots and cash add up to the same integers as before the first batch."""
        return self.before is not None and self.before == self.after


def simulate(
    scenario: Scenario,
    *,
    seed: int = 0,
    venue: Opening = Market,
    bars: Mapping[str, Sequence[Bar]] | None = None,
    tick: Callable[[int], None] | None = None,
) -> Run:
    """Play ``scenario`` from one seed; ``tick`` is called after every batch with its number."""
    dice = np.random.default_rng(seed)
    stocks = value_paths(
        read_bars() if bars is None else bars,
        scenario.stocks,
        scenario.batches,
        scenario.interval,
        dice,
    )
    fundamentals = with_index(stocks, index_legs(scenario, stocks.values[0]))
    agents = agents_of(scenario, fundamentals.values[0], seed)
    return play(agents, fundamentals, interval=scenario.interval, venue=venue, tick=tick)


def play(
    agents: Sequence[Agent],
    fundamentals: Fundamentals,
    *,
    interval: float,
    venue: Opening = Market,
    order: Callable[[Sequence[Agent]], Sequence[Agent]] | None = None,
    tick: Callable[[int], None] | None = None,
) -> Run:
    """Play ``agents`` over all batches of ``fundamentals``, in memory or wherever ``venue`` opens.

    ``order`` arranges who acts first within a batch.
    """
    desk = Desk(fundamentals.symbols, [float(v) for v in fundamentals.values[0]])
    market = venue(desk, interval)
    recorder = _Recorder(fundamentals, interval, desk)
    view = View(0, fundamentals.values[0].copy(), fundamentals.values[0], desk)
    market.deposit(_endowments(agents, view))
    recorder.open(agents, market)
    for batch in range(1, len(fundamentals.values)):
        view = View(batch, recorder.run.prices[batch - 1], fundamentals.values[batch], desk)
        for agent in order(agents) if order else agents:
            address = address_of(agent.name)
            action = agent.act(view, market.accounts[address])
            if isinstance(action, Seal):
                recorder.arrived(agent, action, view, amends=market.stands(address))
            market.enter(address, action)
        recorder.record(batch, market.clear())
        if tick:
            tick(batch)
    recorder.close(agents, market)
    return recorder.run


def _endowments(agents: Sequence[Agent], view: View) -> dict[bytes, Endowment]:
    """What everybody brings; ConfigError if two share a name, and so an account."""
    twice = [name for name, n in Counter(agent.name for agent in agents).items() if n > 1]
    if twice:
        raise ConfigError(f"two agents share the name and account {twice[0]!r}; rename one")
    return {address_of(agent.name): agent.endowment(view) for agent in agents}


class _Recorder:
    """Fills a `Run` while it happens."""

    def __init__(self, fundamentals: Fundamentals, interval: float, desk: Desk) -> None:
        rows, products = fundamentals.values.shape
        batches = rows - 1
        self.run = Run(
            symbols=fundamentals.symbols,
            dates=fundamentals.dates,
            interval=interval,
            values=fundamentals.values,
            prices=np.tile(fundamentals.values[0], (rows, 1)),
            volumes=np.zeros((batches, products)),
            surplus=np.zeros(batches),
            loss=np.zeros(batches),
            freedom=np.zeros(batches),
            live=np.zeros(batches, np.int64),
            auths=np.zeros(batches, np.int64),
        )
        self._desk = desk
        self._working: dict[bytes, dict[int, Execution]] = {}
        self._next: dict[bytes, dict[int, Execution]] = {}
        self._wealth: dict[str, float] = {}

    def open(self, agents: Sequence[Agent], market: Venue) -> None:
        """Note what everybody has; profits are counted at the last values."""
        last = self.run.values[-1]
        self.run.before = market.totals()
        self.run.kinds = {agent.name: agent.kind for agent in agents}
        self._wealth = {agent.name: _wealth(market, agent, last) for agent in agents}

    def close(self, agents: Sequence[Agent], market: Venue) -> None:
        """Note what is left."""
        last = self.run.values[-1]
        self.run.after = market.totals()
        self.run.profits = {a.name: _wealth(market, a, last) - self._wealth[a.name] for a in agents}

    def arrived(self, agent: Agent, action: Seal, view: View, *, amends: bool) -> None:
        """Follow the limited auths of a standing submission, amendments from the next batch on."""
        submission = action.submission
        if not (submission.standing and submission.limited):
            return
        followed = {}
        for j in submission.limited:
            auth = submission.auths[j]
            assert auth.limits is not None
            legs = {leg.product: leg.weight for leg in auth.legs}
            followed[j] = Execution(
                name=agent.name if len(submission.limited) == 1 else f"{agent.name}, auth {j + 1}",
                kind=agent.kind,
                legs=legs,
                quantity=auth.limits.high or -auth.limits.low,
                arrival=view.batch + amends,
                arrival_price=view.desk.worth(legs, view.prices),
                worth=view.desk.gross(legs, view.prices),
            )
        self.run.executions += followed.values()
        (self._next if amends else self._working)[address_of(agent.name)] = followed

    def record(self, batch: int, outcome: Outcome) -> None:
        """One settled batch."""
        run, row = self.run, batch - 1
        run.prices[batch] = run.prices[row]
        for k, price in outcome.prices.items():
            run.prices[batch, k] = dollars(price)
            run.volumes[row, k] = shares(outcome.volumes[k])
        for address, submission in outcome.submissions.items():
            if address not in outcome.rates:
                continue
            rates = outcome.rates[address]
            run.surplus[row] += gain(submission, rates, outcome.prices, self._desk.ticks)
            run.auths[row] += len(rates)
            for j, execution in self._working.get(address, {}).items():
                execution.units.append(rates[j] / X44)
                execution.prices.append(self._desk.worth(execution.legs, run.prices[batch]))
        self._follow(outcome)
        run.loss[row] = outcome.loss / X40 / CASH_PER_DOLLAR
        run.freedom[row] = outcome.freedom / X40 / CASH_PER_DOLLAR
        run.live[row] = len(outcome.submissions)
        batches = len(run.surplus)
        for part, seconds in outcome.seconds.items():
            run.seconds.setdefault(part, np.zeros(batches))[row] = seconds
        for name, count in outcome.figures.items():
            run.figures.setdefault(name, np.zeros(batches, np.int64))[row] = count
        for reason in outcome.voids.values():
            run.voids[reason.name] = run.voids.get(reason.name, 0) + 1

    def _follow(self, outcome: Outcome) -> None:
        """Who still stands is followed; who is complete, amended or gone is not."""
        for address in list(self._working):
            if address not in outcome.standing or address in outcome.amended:
                for execution in self._working.pop(address).values():
                    traded = address in outcome.rates
                    execution.complete = traded and address not in outcome.amended
        for address in outcome.amended:
            if address in self._next:
                self._working[address] = self._next[address]
        self._next = {}


def _wealth(market: Venue, agent: Agent, values: Floats) -> float:
    """Dollars of an account at ``values``."""
    account = market.accounts[address_of(agent.name)]
    held = sum(shares(lots) * float(values[k]) for k, lots in account.lots.items())
    return account.cash / X40 / CASH_PER_DOLLAR + held
