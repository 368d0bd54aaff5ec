"""Splitting gains nothing: parts of an order get together what the whole gets, at its price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from walras.simulate.agents import Agent, Institution
from walras.simulate.cast import agents_of
from walras.simulate.prices import Bar, read_bars, value_paths
from walras.simulate.report import cost_of
from walras.simulate.run import Run, play
from walras.simulate.scenario import PRESETS, Scenario

__all__ = ["Split", "splitting"]


@dataclass(frozen=True, slots=True)
class Split:
    """The same order whole and in parts, in the same market.

    ``units`` traded and ``average`` dollars a unit of (whole, parts); ``shortfall`` basis points;
    ``fill`` the largest difference in any batch, as part of what the whole traded in all.
    """

    parts: int
    units: tuple[float, float]
    average: tuple[float, float]
    shortfall: tuple[float, float]
    fill: float


def splitting(
    *,
    parts: int = 2,
    scenario: Scenario = PRESETS["thin"],
    seed: int = 0,
    bars: Mapping[str, Sequence[Bar]] | None = None,
) -> Split:
    """Play ``scenario`` with one more institution, once whole and once as ``parts`` accounts."""
    fundamentals = value_paths(
        read_bars() if bars is None else bars,
        scenario.products,
        scenario.batches,
        scenario.interval,
        np.random.default_rng(seed),
    )
    rate = 60 * parts
    quantity = rate * max(1, scenario.batches // 2)
    whole = Institution("whole", {0: 1}, 1, quantity, rate, 2, 0.006)
    pieces = [
        replace(whole, name=f"part {i + 1}", quantity=quantity // parts, rate=rate // parts)
        for i in range(parts)
    ]

    def played(orders: Sequence[Agent]) -> Run:
        others = agents_of(scenario, fundamentals.values[0], seed)
        return play([*others, *orders], fundamentals, interval=scenario.interval)

    runs = played([whole]), played(pieces)
    names = {whole.name}, {piece.name for piece in pieces}
    units, paid, short, paths = [], [], [], []
    for run, group in zip(runs, names, strict=True):
        found = [e for e in run.executions if e.name in group]
        fills = np.zeros(scenario.batches + 1)
        spent = 0.0
        for e in found:
            fills[e.arrival : e.arrival + len(e.units)] += e.units
            spent += float(np.dot(e.units, e.prices))
        costs = [cost_of(e, run) for e in found]
        weights = [sum(e.units) for e in found]
        units.append(float(fills.sum()))
        paid.append(spent / units[-1])
        short.append(float(np.average([c.shortfall or 0.0 for c in costs], weights=weights)))
        paths.append(fills)
    return Split(
        parts=parts,
        units=(units[0], units[1]),
        average=(paid[0], paid[1]),
        shortfall=(short[0], short[1]),
        fill=float(np.abs(paths[0] - paths[1]).max()) / units[0],
    )
