"""Run the grid: every solver on every market, in one process and on one thread.

    python -m benchmarks                    the whole grid; its table goes into docs/ENGINE.md
    python -m benchmarks --quick            small markets, a few seconds each
    python -m benchmarks --market headline  these markets again, the others as stored
    python -m benchmarks --only engine --name try           the engine alone, into another file
    python -m benchmarks --scaling          worker processes instead of solvers; likewise

The time is processor time, so that a shared machine disturbs it least; the median of several runs
counts, and the solvers take turns. None is believed: `walras.clearing.evaluate` judges prices and
fills of each. `--scaling` counts wall time.
"""

import os

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

import argparse  # noqa: E402  (libraries read their thread counts when imported)

from benchmarks.run import Grid, run  # noqa: E402
from benchmarks.scaling import scale  # noqa: E402
from benchmarks.table import lines, scaling_lines, write  # noqa: E402


def main() -> None:
    """Parse the command line, run, store, print, and keep the page in step."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small markets only")
    parser.add_argument("--scaling", action="store_true", help="measure worker processes")
    parser.add_argument("--only", default="", help="comma-separated solvers (default: all)")
    parser.add_argument("--market", default="", help="only markets whose name contains this")
    parser.add_argument("--limit", type=float, default=30.0, help="seconds a library may take")
    parser.add_argument("--name", default="", help="name of the results file")
    given = parser.parse_args()
    if given.scaling:
        name, table = "scaling", scaling_lines(scale())
    else:
        grid = Grid(quick=given.quick, solvers=given.only, markets=given.market, limit=given.limit)
        name = given.name or ("quick" if given.quick else "grid")
        table = lines(run(grid, name))
    print("\n".join(["", *table]))
    if given.scaling or name == "grid":
        write(name, table)


if __name__ == "__main__":  # worker processes import this module too
    main()
