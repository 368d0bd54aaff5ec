"""Time and judge every solver on every market of the grid."""

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.integer import integer_step, start_up
from benchmarks.libraries import LIBRARIES, Program, SkippedError
from walras.clearing import Book, Clearing, clear, evaluate
from walras.clearing.book import Floats
from walras.clearing.generator import market, perturbed, with_groups

__all__ = ["ENGINE", "RESULTS", "Cell", "Grid", "load", "run"]

RESULTS = Path(__file__).parent / "results"
ENGINE = "engine"
_RUNS, _BUDGET = 5, 12.0  # runs of each solver at most, and processor seconds it may spend on them
Answer = tuple[Floats, Floats, Floats | None]


@dataclass(frozen=True)
class Cell:
    """One solver on one market; certificate infinite when it proves nothing."""

    market: str
    products: int
    orders: int
    flat: float
    solver: str
    seconds: float | None
    runs: int
    certificate: float | None
    note: str = ""


@dataclass(frozen=True)
class Grid:
    """Part of the grid: solvers, comma-separated, and markets whose name contains a word."""

    quick: bool
    solvers: str
    markets: str
    limit: float


@dataclass(frozen=True)
class _Market:
    """A book, the answer to start from (warm) and whether the libraries can take part."""

    label: str
    flat: float
    book: Book
    start: Clearing | None = None
    open: bool = True


def run(grid: Grid, name: str) -> list[Cell]:
    """Run the grid, print progress, store `results/<name>.json`; returns what it then holds."""
    wanted = set(grid.solvers.split(",")) if grid.solvers else {ENGINE, *LIBRARIES}
    clear(with_groups(market(3, 600, 0.2), 0.2))  # compiles what is not in the cache
    cells = []
    for place in _markets(grid):
        for cell in _measure(place, wanted, grid.limit):
            cells.append(cell)
            print(f"{place.label:24} flat {place.flat:4.0%}  {cell.solver:9} {_brief(cell)}")
    if not grid.quick and grid.markets in "integer step" and ENGINE in wanted:
        cells += [Cell(*found) for found in (integer_step(500, 100_000), start_up())]
    return _store(cells, name)


def load(name: str) -> list[Cell]:
    """The cells of a stored run."""
    return [Cell(**cell) for cell in json.loads((RESULTS / f"{name}.json").read_text())["cells"]]


def _markets(grid: Grid) -> Iterator[_Market]:
    """From small to large; the largest are beyond every library but the engine."""
    sizes = [("small", 10, 1_000), ("medium", 100, 10_000), ("thin", 500, 1_000)]
    if not grid.quick:
        sizes += [("thin", 1_000, 10_000), ("headline", 500, 100_000), ("huge", 1_000, 1_000_000)]
    for label, products, orders in sizes:
        if grid.markets not in label:
            continue
        for flat in (0.0, 0.2, 1.0):
            book = market(products, orders, flat, seed=1, maker=False)
            yield _Market(f"{label} {products}x{orders}", flat, book, open=label != "huge")
            if label in ("medium", "headline", "huge"):
                start = clear(book)
                yield _Market(f"{label} warm 1 %", flat, perturbed(book, 0.01), start, open=False)
            if label in ("medium", "headline"):
                bound = with_groups(book, 0.2)
                yield _Market(f"{label} 20 % in groups", flat, bound, open=False)


def _measure(place: _Market, wanted: set[str], limit: float) -> Iterator[Cell]:
    """Round by round, every solver once a round, so that a busy spell of the machine hits all."""
    program = Program.of(place.book) if place.open and wanted != {ENGINE} else None
    solvers = {ENGINE: partial(_engine, place)} if ENGINE in wanted else {}
    if program is not None:
        for name, library in LIBRARIES.items():
            if name in wanted:
                solvers[name] = partial(_library, library, program, limit)
    times: dict[str, list[float]] = {name: [] for name in solvers}
    answers: dict[str, Answer] = {}
    skipped: dict[str, str] = {}
    if ENGINE in solvers:
        solvers[ENGINE]()
    for _ in range(_RUNS):
        for name, solve in solvers.items():
            if name in skipped or sum(times[name]) * (1 + 1 / max(len(times[name]), 1)) > _BUDGET:
                continue
            begun = time.process_time()
            try:
                answers[name] = solve()
            except SkippedError as reason:
                skipped[name] = str(reason)
            else:
                times[name].append(time.process_time() - begun)
    for name in solvers:
        key = (place.label, place.book.products, place.book.orders, place.flat, name)
        if name in skipped:
            yield Cell(*key, None, 0, None, skipped[name])
        else:
            proof = _certificate(place.book, answers[name])
            yield Cell(*key, median(times[name]), len(times[name]), proof, _priority())


def _priority() -> str:
    """On a crowded machine all solvers may run at a raised one: `nice -n -5 make bench`."""
    return f"nice {os.nice(0)}" if os.nice(0) else ""


def _engine(place: _Market) -> Answer:
    found = clear(place.book, warm=place.start)
    return found.prices, found.fills, found.group_prices


def _library(
    library: Callable[[Program, float], tuple[Floats, Floats]], program: Program, limit: float
) -> Answer:
    return *program.answer(*library(program, limit)), None


def _certificate(book: Book, answer: Answer) -> float:
    """No solver is believed: infinite unless the judge finds a proof."""
    prices, fills, shadow = answer
    if not (np.all(np.isfinite(prices)) and np.all(np.isfinite(fills))):
        return float("inf")
    return evaluate(book, prices, fills, shadow).certificate


def _brief(cell: Cell) -> str:
    if cell.seconds is None:
        return f"does not take part: {cell.note}"
    return f"{cell.seconds * 1000:9.1f} ms  certificate {cell.certificate:.1e}  ({cell.runs} runs)"


def _store(cells: list[Cell], name: str) -> list[Cell]:
    """Write a run; under a name that exists it replaces the cells it has measured again."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.json"
    again = {(cell.market, cell.flat, cell.solver) for cell in cells}
    stored_cells = load(name) if file.exists() else []
    kept = [c for c in stored_cells if (c.market, c.flat, c.solver) not in again]
    places = dict.fromkeys((cell.market, cell.flat) for cell in [*stored_cells, *cells])
    merged = [
        cell for place in places for cell in [*cells, *kept] if (cell.market, cell.flat) == place
    ]
    stored = {
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "time": "median processor seconds, one thread",
        "cells": [asdict(cell) for cell in merged],
    }
    file.write_text(json.dumps(stored, indent=1) + "\n")
    return merged
