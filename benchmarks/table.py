"""The grid as a table: one market a line, every library as a multiple of the engine's time."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.run import Cell

__all__ = ["show"]

_PROVED = 1e-8  # a library that proves less than this has not answered


def show(cells: list["Cell"]) -> None:
    """Print the table; `(1e-03)` is a certificate too weak to count as an answer."""
    solvers = [name for name in dict.fromkeys(cell.solver for cell in cells) if name != "engine"]
    print(f"\n{'market':24} {'flat':>5} {'engine':>10} {'proved':>8}", end="")
    print("".join(f"{name:>18}" for name in solvers))
    for key in dict.fromkeys((cell.market, cell.flat) for cell in cells):
        found = {cell.solver: cell for cell in cells if (cell.market, cell.flat) == key}
        engine = found.get("engine")
        if engine is None or engine.seconds is None or engine.certificate is None:
            continue
        time = f"{engine.seconds * 1000:.1f} ms"
        print(f"{key[0]:24} {key[1]:5.0%} {time:>10} {engine.certificate:8.0e}", end="")
        print("".join(f"{_ratio(found.get(name), engine.seconds):>18}" for name in solvers))


def _ratio(cell: "Cell | None", reference: float) -> str:
    if cell is None or cell.seconds is None or cell.certificate is None:
        return "-"
    weak = "" if cell.certificate <= _PROVED else f" ({cell.certificate:.0e})"
    return f"{cell.seconds / reference:.1f}x{weak}"
