"""The figures of docs/SIMULATION.md, measured again: `python -m scripts.simulate_campaign`.

Long runs must end with the same integers of lots and cash they began with; the experiments must
show what they claim. Exits with 1 if anything does not hold. `--batches` and `--seeds` make the
long runs longer or more.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from walras.simulate import PRESETS, Scenario, play, report, simulate
from walras.simulate.cast import agents_of, index_legs, with_index
from walras.simulate.experiments import (
    arrival_order,
    continuity,
    marginal,
    race_in_batches,
    race_in_book,
    splitting,
    uniqueness,
)
from walras.simulate.experiments.speed import news
from walras.simulate.market import Cleared, Market
from walras.simulate.prices import read_bars, value_paths

Figures = dict[str, Any]


def long_runs(batches: int, seeds: int) -> Iterator[tuple[bool, Figures]]:
    """S2: exact sums after very many batches."""
    for preset in PRESETS:
        for seed in range(seeds):
            begun = time.perf_counter()
            run = simulate(PRESETS[preset].resized(batches=batches), seed=seed)
            measures = report(run)
            yield (
                run.conserved,
                {
                    "run": f"{preset}, seed {seed}",
                    "batches": batches,
                    "conserved": run.conserved,
                    "wall": round(time.perf_counter() - begun, 1),
                    "voids": run.voids,
                    **measures.summary,
                },
            )


def sampled(preset: str, every: int, seed: int = 1) -> list[Cleared]:
    """Some batches of a preset's day."""
    scenario: Scenario = PRESETS[preset].resized(batches=100)
    stocks = value_paths(
        read_bars(), scenario.stocks, 100, scenario.interval, np.random.default_rng(seed)
    )
    world = with_index(stocks, index_legs(scenario, stocks.values[0]))
    kept: list[Cleared] = []
    agents = agents_of(scenario, world.values[0], seed)
    play(agents, world, interval=scenario.interval, venue=partial(Market, watch=kept.append))
    return kept[every - 1 :: every]


def unique() -> Iterator[tuple[bool, Figures]]:
    """Engines and starting points agree on every fill."""
    for cleared in sampled("day", 25):
        found = uniqueness(cleared, engines=("walras", "clarabel", "osqp"))
        yield (
            found.cash <= found.freedom,
            {
                "batch": cleared.state.number,
                "answers": len(found.answers),
                "price, ulps": found.price,
                "fill, ulps of lots": found.fill,
                "cash, cash units": found.cash / 2**40,
                "allowed, cash units": found.freedom / 2**40,
            },
        )


def continuous() -> Iterator[tuple[bool, Figures]]:
    """Prices move in proportion to a limit."""
    for cleared in sampled("day", 50):
        tried = [continuity(cleared, *where) for where in islice(marginal(cleared), 0, None, 12)]
        ratios = np.array([one.ratio for one in tried])
        for change, column in zip(tried[0].change, ratios.T, strict=True):
            yield (
                bool(column.max() < 10),
                {
                    "batch": cleared.state.number,
                    "orders": len(tried),
                    "limit raised by, bps": change,
                    "largest move per change": float(column.max()),
                    "median": float(np.median(column)),
                },
            )


def split() -> Iterator[tuple[bool, Figures]]:
    """Parts trade like the whole."""
    for parts in (2, 5):
        found = splitting(parts=parts)
        apart = abs(found.average[1] / found.average[0] - 1)
        yield (
            apart < 1e-12,
            {
                "parts": parts,
                "units": found.units[0],
                "units in parts": found.units[1],
                "shortfall, bps": found.shortfall[0],
                "in parts": found.shortfall[1],
                "average price apart": apart,
                "fill apart": found.fill,
            },
        )


def early() -> Iterator[tuple[bool, Figures]]:
    """Who comes first within a batch."""
    runs = arrival_order(shuffles=3)
    same = all(np.array_equal(run.prices, runs[0].prices) for run in runs)
    same = same and all(run.profits == runs[0].profits for run in runs)
    yield same, {"orders of arrival": len(runs), "batches": len(runs[0].surplus), "identical": same}


def fast() -> Iterator[tuple[bool, Figures]]:
    """Sniping, continuous and in batches, over a day."""
    events = news(23_400.0)
    book = race_in_book(events)
    settings = ((None, 0.0), (0.1, 0.0), (1.0, 0.0), (10.0, 0.0), (60.0, 0.0), (60.0, 10.0))
    for interval, commit in settings:
        race = book if interval is None else race_in_batches(events, interval, commit=commit)
        share = race.total / book.total
        yield (
            interval is None or share < 0.1,
            {
                "market": "continuous" if interval is None else f"batches of {interval:g} s",
                "quotes sealed before lock-out, s": commit,
                "jumps": race.jumps,
                "races": race.races,
                "profit, USD": race.total,
                "of the continuous": share,
                "faster one": race.profit["fast"],
                "slower one": race.profit["slow"],
            },
        )


def main() -> int:
    """Run everything and print it as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=1_000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, help="also write all figures to this file")
    options = parser.parse_args()
    parts: dict[str, Callable[[], Iterator[tuple[bool, Figures]]]] = {
        "conservation": lambda: long_runs(options.batches, options.seeds),
        "uniqueness": unique,
        "continuity": continuous,
        "splitting": split,
        "arrival": early,
        "sniping": fast,
    }
    figures: dict[str, list[Figures]] = {}
    failed = []
    for name, part in parts.items():
        for holds, found in part():
            figures.setdefault(name, []).append(found)
            print(json.dumps({"experiment": name, "holds": holds, **found}), flush=True)
            if not holds:
                failed.append(name)
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
