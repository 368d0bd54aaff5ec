"""Time and judge every solver on every market of the grid."""

import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.libraries import LIBRARIES, Program, SkippedError
from walras.clearing import Book, clear, evaluate
from walras.clearing.book import Floats
from walras.clearing.generator import market, perturbed, with_groups

__all__ = ["Cell", "Grid", "run"]

_RESULTS = Path(__file__).parent / "results"
_ENGINE = "engine"


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


def run(grid: Grid, name: str) -> list[Cell]:
    """Run the grid, print progress, store `results/<name>.json`; returns the cells."""
    wanted = set(grid.solvers.split(",")) if grid.solvers else {_ENGINE, *LIBRARIES}
    clear(market(3, 600, 0.2))
    cells = []
    for label, flat, book, start in _markets(grid, large=wanted == {_ENGINE}):
        for solver in (_ENGINE, *LIBRARIES):
            if solver not in wanted or (solver != _ENGINE and (start is not None or book.groups)):
                continue
            cell = _measure(label, flat, book, solver, start, grid.limit)
            cells.append(cell)
            print(f"{label:24} flat {flat:4.0%}  {solver:9} {_brief(cell)}", flush=True)
    _store(cells, name or ("quick" if grid.quick else "grid"))
    return cells


def _markets(grid: Grid, *, large: bool) -> Iterator[tuple[str, float, Book, Floats | None]]:
    """(label, flat share, book, warm prices) from small to large."""
    sizes = [("small", 10, 1_000), ("medium", 100, 10_000), ("thin", 500, 1_000)]
    if not grid.quick:
        sizes += [("thin", 1_000, 10_000), ("headline", 500, 100_000)]
    if large:
        sizes += [("huge", 1_000, 1_000_000)]
    for label, products, orders in sizes:
        if grid.markets not in label:
            continue
        for flat in (0.0, 0.2, 1.0):
            book = market(products, orders, flat, seed=1, maker=False)
            yield f"{label} {products}x{orders}", flat, book, None
            if label in ("medium", "headline", "huge"):
                yield f"{label} warm 1 %", flat, perturbed(book, 0.01), clear(book).prices
            if label in ("medium", "headline"):
                yield f"{label} 20 % in groups", flat, with_groups(book, 0.2), None


def _measure(
    label: str, flat: float, book: Book, solver: str, start: Floats | None, limit: float
) -> Cell:
    place = (label, book.products, book.orders, flat, solver)
    solve: Callable[[], tuple[Floats, Floats, Floats | None]]
    if solver == _ENGINE:

        def solve() -> tuple[Floats, Floats, Floats | None]:
            found = clear(book, warm=start)
            return found.prices, found.fills, found.group_prices

        solve()
    else:
        program = Program.of(book)

        def solve() -> tuple[Floats, Floats, Floats | None]:
            return *program.answer(*LIBRARIES[solver](program, limit)), None

    times: list[float] = []
    while len(times) < 5 and (sum(times) < 5.0 or (solver == _ENGINE and len(times) < 3)):
        begun = time.process_time()
        try:
            prices, fills, shadow = solve()
        except SkippedError as reason:
            return Cell(*place, None, 0, None, str(reason))
        times.append(time.process_time() - begun)
    certificate = np.inf
    if np.all(np.isfinite(prices)) and np.all(np.isfinite(fills)):
        certificate = evaluate(book, prices, fills, shadow).certificate
    return Cell(*place, median(times), len(times), certificate)


def _brief(cell: Cell) -> str:
    if cell.seconds is None:
        return f"does not take part: {cell.note}"
    return f"{cell.seconds * 1000:9.1f} ms  certificate {cell.certificate:.1e}  ({cell.runs} runs)"


def _store(cells: list[Cell], name: str) -> None:
    _RESULTS.mkdir(exist_ok=True)
    stored = {
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "time": "median processor seconds, one thread",
        "cells": [asdict(cell) for cell in cells],
    }
    (_RESULTS / f"{name}.json").write_text(json.dumps(stored, indent=1) + "\n")
