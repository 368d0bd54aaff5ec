"""Run the grid: every solver on every market, in one process and on one thread.

    python -m benchmarks --quick            small markets, a few seconds each
    python -m benchmarks                    the whole grid
    python -m benchmarks --only engine      the engine alone (also the largest markets)

The time is processor time, so that a shared machine disturbs it least; the median of several runs
counts. No solver is believed: `walras.clearing.evaluate` judges prices and fills of each.
"""

import os

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

import argparse  # noqa: E402  (libraries read their thread counts when imported)

from benchmarks.run import Grid, run  # noqa: E402
from benchmarks.table import show  # noqa: E402


def main() -> None:
    """Parse the command line, run, store and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small markets only")
    parser.add_argument("--only", default="", help="comma-separated solvers (default: all)")
    parser.add_argument("--market", default="", help="only markets whose name contains this")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds a library may take")
    parser.add_argument("--name", default="", help="name of the results file")
    given = parser.parse_args()
    grid = Grid(quick=given.quick, solvers=given.only, markets=given.market, limit=given.limit)
    show(run(grid, given.name))


main()
