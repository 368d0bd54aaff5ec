"""One clearing over 1 and 2 worker processes of this machine, beside the engine alone.

Wall time, since the work is spread; the least of a few runs, since other programs only add to it.
Placing the shards is told apart: a daemon that clears batch after batch could keep them.
"""

import json
import os
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from distributed import Client, LocalCluster

from benchmarks.run import RESULTS
from walras.clearing import Book, Clearing, clear
from walras.clearing.distributed import clear_distributed
from walras.clearing.generator import market

__all__ = ["Point", "load_points", "scale"]

_RUNS = 3


@dataclass(frozen=True)
class Point:
    """Wall seconds of one book on one number of workers; 0 workers: no cluster."""

    products: int
    orders: int
    flat: float
    workers: int
    placing: float
    searching: float
    iterations: int
    certificate: float
    apart: float


def scale() -> list[Point]:
    """Measure, print, store `results/scaling.json`; returns the points."""
    books = [
        (flat, market(products, orders, flat, seed=1))
        for products, orders in ((500, 100_000), (1_000, 1_000_000))
        for flat in (0.0, 0.2)
    ]
    alone = [_least(lambda book=book: clear(book)) for _, book in books]
    points = [
        _point(flat, book, 0, one, one) for (flat, book), one in zip(books, alone, strict=True)
    ]
    create: Any = LocalCluster  # it carries no types
    connect: Any = Client
    for workers in (1, 2):
        with (
            create(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
            ) as cluster,
            connect(cluster) as client,
        ):
            for (flat, book), one in zip(books, alone, strict=True):
                found = _least(lambda book=book, client=client: clear_distributed(book, client))
                points.append(_point(flat, book, workers, found, one))
    stored = {
        "time": "least wall seconds of three runs",
        "cores": os.cpu_count(),
        "points": [asdict(point) for point in points],
    }
    (RESULTS / "scaling.json").write_text(json.dumps(stored, indent=1) + "\n")
    return points


def load_points() -> list[Point]:
    """The points of the stored run."""
    stored = json.loads((RESULTS / "scaling.json").read_text())
    return [Point(**point) for point in stored["points"]]


def _least(solve: Any) -> Clearing:
    solve()
    found: list[Clearing] = []
    for _ in range(_RUNS):
        begun = time.perf_counter()
        one = solve()
        one.timings["total"] = time.perf_counter() - begun
        found.append(one)
    return min(found, key=lambda one: one.timings["total"])


def _point(flat: float, book: Book, workers: int, found: Clearing, alone: Clearing) -> Point:
    point = Point(
        book.products,
        book.orders,
        flat,
        workers,
        found.timings["setup"],
        found.timings["total"] - found.timings["setup"],
        found.iterations,
        found.certificate,
        float(np.max(np.abs(found.prices / alone.prices - 1))),
    )
    print(f"{book.products}x{book.orders} flat {flat:.0%}, {workers} workers: {point}", flush=True)
    return point
