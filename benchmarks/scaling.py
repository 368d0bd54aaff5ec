"""One clearing over 1 to 4 worker processes, beside the engine alone.

With fewer idle cores than processes wall time says little, so processor time is counted: of the
caller, with its scheduler, and of the busiest worker. Their sum is what a machine with a core for
each would take at best, since they wait for each other. Placing the shards is left out: a daemon
that clears batch after batch could keep them.
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
    """Seconds of one book on some workers, the search alone; 0 workers: no cluster.

    caller, busiest: processor time; wall: on this machine, whatever else it does; apart: largest
    relative distance of a price from the engine's own.
    """

    products: int
    orders: int
    flat: float
    workers: int
    caller: float
    busiest: float
    wall: float
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
    alone = [clear(book) for _, book in books]
    points = [_point(flat, book, one, None) for (flat, book), one in zip(books, alone, strict=True)]
    create: Any = LocalCluster  # it carries no types
    connect: Any = Client
    for workers in (1, 2, 4):
        with (
            create(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
            ) as cluster,
            connect(cluster) as client,
        ):
            points += [
                _point(flat, book, one, client)
                for (flat, book), one in zip(books, alone, strict=True)
            ]
    stored = {
        "time": "processor seconds, the least of three runs",
        "cores": os.cpu_count(),
        "points": [asdict(point) for point in points],
    }
    (RESULTS / "scaling.json").write_text(json.dumps(stored, indent=1) + "\n")
    return points


def load_points() -> list[Point]:
    """The points of the stored run."""
    stored = json.loads((RESULTS / "scaling.json").read_text())
    return [Point(**point) for point in stored["points"]]


def _point(flat: float, book: Book, alone: Clearing, client: Any) -> Point:
    """The run with the least processor time, after one that compiles."""
    runs = [_timed(book, client) for _ in range(_RUNS + 1)]
    found, caller, busiest, wall = min(runs[1:], key=lambda run: run[1] + run[2])
    point = Point(
        book.products,
        book.orders,
        flat,
        0 if client is None else len(client.scheduler_info()["workers"]),
        caller,
        busiest,
        wall,
        found.iterations,
        found.certificate,
        float(np.max(np.abs(found.prices / alone.prices - 1))),
    )
    print(point, flush=True)
    return point


def _timed(book: Book, client: Any) -> tuple[Clearing, float, float, float]:
    """A clearing; processor seconds of the caller and of the busiest worker, wall seconds.

    The clocks start when the shards are placed.
    """
    started: dict[str, Any] = {}

    def start() -> None:
        started["caller"], started["wall"] = time.process_time(), time.perf_counter()
        started["workers"] = {} if client is None else client.run(time.process_time)

    if client is None:
        start()
        found = clear(book)
    else:
        found = clear_distributed(book, client, placed=start)
    caller = time.process_time() - started["caller"]
    wall = time.perf_counter() - started["wall"]
    spent = {} if client is None else client.run(time.process_time)
    busiest = max((spent[w] - before for w, before in started["workers"].items()), default=0.0)
    return found, caller, busiest, wall
