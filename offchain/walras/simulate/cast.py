"""From a scenario to the agents that play it, and the index they trade."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from walras.simulate.agents import (
    BPS,
    Agent,
    Arbitrageur,
    Institution,
    Maker,
    Noise,
    PairMaker,
    Switcher,
    dice_of,
)
from walras.simulate.desk import LOTS_PER_SHARE
from walras.simulate.prices import Fundamentals
from walras.simulate.scenario import Scenario

__all__ = ["agents_of", "index_legs", "with_index"]

Floats = NDArray[np.float64]

_INDEX_LOTS: Final = 1_000  # of the index in one unit of the arbitrage portfolio
_INDEX_PRICE: Final = 100.0  # dollars a share of the index on the first day, about
_LEG: Final = 1_000.0  # dollars of each leg of a pair or a basket, about


def index_legs(scenario: Scenario, prices: Floats) -> dict[int, int]:
    """The index bought against its constituents, lots by product; empty without an index."""
    if not scenario.index:
        return {}
    worth = _INDEX_LOTS * _INDEX_PRICE / scenario.index
    legs = {k: -max(1, round(worth / float(prices[k]))) for k in range(scenario.index)}
    return {**legs, scenario.stocks: _INDEX_LOTS}


def with_index(stocks: Fundamentals, legs: Mapping[int, int]) -> Fundamentals:
    """``stocks`` and the index that ``legs`` define, worth exactly its constituents."""
    if not legs:
        return stocks
    held = [-w / _INDEX_LOTS for w in legs.values() if w < 0]
    worth = stocks.values[:, : len(held)] @ np.array(held)
    return Fundamentals(
        (*stocks.symbols, "INDEX"),
        (*stocks.dates, stocks.dates[0]),
        np.column_stack([stocks.values, worth]),
        np.append(stocks.volatility, np.std(np.diff(np.log(worth))) * np.sqrt(len(worth))),
    )


def agents_of(scenario: Scenario, prices: Floats, seed: int) -> list[Agent]:
    """Everybody who takes part, from the first ``prices`` (dollars a share) and one seed."""
    cast = _Cast(scenario, prices, seed)
    return [
        *cast.makers(),
        *cast.pair_makers(),
        *cast.arbitrageurs(),
        *cast.institutions(),
        *cast.switchers(),
        *cast.noise(),
    ]


@dataclass(frozen=True, slots=True)
class _Cast:
    scenario: Scenario
    prices: Floats
    seed: int

    def makers(self) -> Iterator[Agent]:
        products, makers = self.scenario.products, self.scenario.makers
        width = min(makers.products, products)
        for i in range(makers.count):
            # Windows around the ring of products, so that every product has as many makers.
            begin = i * products // makers.count
            covered = sorted((begin + j) % products for j in range(width))
            name = f"maker {i + 1}"
            yield Maker(name, covered, makers.quoting(), dice_of(self.seed, name))

    def pair_makers(self) -> Iterator[Agent]:
        if self.scenario.stocks < 2:
            return
        for i in range(self.scenario.pairs.count):
            name = f"pair maker {i + 1}"
            dice = dice_of(self.seed, name)
            long, short = (int(k) for k in dice.choice(self.scenario.stocks, 2, replace=False))
            legs = {long: self._lots(long), short: -self._lots(short)}
            yield PairMaker(name, legs, self.scenario.pairs.quoting(), dice)

    def arbitrageurs(self) -> Iterator[Agent]:
        legs = index_legs(self.scenario, self.prices)
        arbitrage = self.scenario.arbitrage
        for i in range(arbitrage.count if legs else 0):
            yield Arbitrageur(
                f"arbitrageur {i + 1}", legs, arbitrage.size, arbitrage.margin_bps * BPS
            )

    def institutions(self) -> Iterator[Agent]:
        scenario, wanted = self.scenario, self.scenario.institutions
        for i in range(wanted.count):
            name = f"institution {i + 1}"
            dice = dice_of(self.seed, name)
            legs = self._portfolio(dice)
            unit = sum(abs(w) * float(self.prices[k]) for k, w in legs.items()) / LOTS_PER_SHARE
            notional = wanted.notional * float(np.exp(0.6 * dice.standard_normal()))
            quantity = max(1, round(notional / unit))
            last = max(1, round(scenario.batches * wanted.horizon * float(dice.uniform(0.4, 1.6))))
            yield Institution(
                name=name,
                legs=legs,
                side=int(dice.choice((1, -1))),
                quantity=quantity,
                rate=max(1, -(-quantity // last)),
                start=1 + int(dice.integers(max(1, scenario.batches - last))),
                patience=wanted.patience_bps * BPS * float(dice.uniform(0.5, 1.5)),
                eager=wanted.eager,
            )

    def switchers(self) -> Iterator[Agent]:
        scenario, wanted = self.scenario, self.scenario.switchers
        for i in range(wanted.count):
            name = f"switcher {i + 1}"
            dice = dice_of(self.seed, name)
            width = max(1, min(wanted.stocks, scenario.stocks))
            batches = max(1.0, scenario.batches * wanted.horizon)
            yield Switcher(
                name,
                [int(k) for k in dice.choice(scenario.stocks, width, replace=False)],
                budget=wanted.budget,
                rate=wanted.budget / batches,
                start=1 + int(dice.integers(max(1, round(scenario.batches - batches)))),
                patience=wanted.patience_bps * BPS,
            )

    def noise(self) -> Iterator[Agent]:
        noise = self.scenario.noise
        for i in range(noise.count):
            name = f"noise {i + 1}"
            dice = dice_of(self.seed, name)
            yield Noise(name, range(self.scenario.products), noise.size, noise.activity, dice)

    def _portfolio(self, dice: np.random.Generator) -> dict[int, int]:
        """One stock, or a basket of three to eight, some of them sold."""
        stocks = self.scenario.stocks
        if stocks < 3 or dice.random() >= self.scenario.institutions.baskets:
            return {int(dice.integers(stocks)): 1}
        count = int(dice.integers(3, min(8, stocks) + 1))
        chosen = sorted(int(k) for k in dice.choice(stocks, count, replace=False))
        signs = dice.choice((1, 1, 1, -1), count)
        return {k: int(sign) * self._lots(k) for k, sign in zip(chosen, signs, strict=True)}

    def _lots(self, k: int) -> int:
        return max(1, round(_LEG * LOTS_PER_SHARE / float(self.prices[k])))
