"""The grid as a table: one market a line, every library as a multiple of the engine's time."""

from pathlib import Path

from benchmarks.run import ENGINE, Cell
from benchmarks.scaling import Point

__all__ = ["lines", "scaling_lines", "write"]

_PAGE = Path(__file__).parents[1] / "docs" / "ENGINE.md"
_PROVED = 1e-8  # a library that proves less than this has not answered
_LIBRARIES = ("piqp", "clarabel", "highs", "osqp")

# Seconds the engine may take, by market and flat share.
_SECONDS = {
    ("headline 500x100000", 0.0): 0.10,
    ("headline 500x100000", 0.2): 0.15,
    ("headline 500x100000", 1.0): 0.25,
    ("headline warm 1 %", 0.0): 0.04,
    ("headline warm 1 %", 0.2): 0.08,
    ("integer step", 0.0): 0.3,
    ("import and first solve", 0.0): 2.0,
    **{("huge 1000x1000000", flat): 1.5 for flat in (0.0, 0.2, 1.0)},
    **{("huge warm 1 %", flat): 0.4 for flat in (0.0, 0.2, 1.0)},
}
# How many times as long a library should take at least.
_RATIOS = {
    ("headline 500x100000", 0.0): {"piqp": 40, "clarabel": 100},
    ("headline 500x100000", 0.2): {"piqp": 25, "clarabel": 80},
    ("headline 500x100000", 1.0): {"piqp": 7, "clarabel": 20},
    **{("thin 500x1000", flat): {"piqp": 1} for flat in (0.0, 0.2, 1.0)},
    ("thin 1000x10000", 1.0): {"highs": 1},
}
_GROUPED = 2.0  # times the same market without groups


def lines(cells: list[Cell]) -> list[str]:
    """The table in Markdown; `(1e-03)` is a certificate too weak to count as an answer."""
    head = ["market", "flat", "engine", "goal", "proved", *_LIBRARIES]
    table = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for key in dict.fromkeys((cell.market, cell.flat) for cell in cells):
        found = {cell.solver: cell for cell in cells if (cell.market, cell.flat) == key}
        engine = found.get(ENGINE)
        if engine is None or engine.seconds is None or engine.certificate is None:
            continue
        proved = f"{engine.certificate:.0e}" if engine.certificate else "exact"
        row = [key[0], f"{key[1]:.0%}", _time(engine.seconds), _goal(engine, cells), proved]
        wanted = _RATIOS.get(key, {})
        row += [_ratio(found.get(n), engine.seconds, wanted.get(n)) for n in _LIBRARIES]
        table.append("| " + " | ".join(row) + " |")
    return table


def scaling_lines(points: list[Point]) -> list[str]:
    """Seconds by number of workers, in Markdown."""
    table = [
        "| market | flat | workers | caller, s | busiest worker, s | sum, s | wall, s | steps |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for point in sorted(points, key=lambda p: (p.orders, p.flat, p.workers)):
        workers = str(point.workers) if point.workers else "none"
        table.append(
            f"| {point.products}x{point.orders} | {point.flat:.0%} | {workers} "
            f"| {point.caller:.2f} | {point.busiest:.2f} | {point.caller + point.busiest:.2f} "
            f"| {point.wall:.2f} | {point.iterations} |"
        )
    return table


def write(name: str, table: list[str]) -> None:
    """Put a table into the engine's page, between the comments that carry its name."""
    text = _PAGE.read_text()
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(begin, 1)
    _, after = rest.split(end, 1)
    _PAGE.write_text(before + begin + "\n".join(table) + "\n" + end + after)


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1.0 else f"{seconds:.2f} s"


def _goal(engine: Cell, cells: list[Cell]) -> str:
    """What the engine's own time should be, and whether it is."""
    assert engine.seconds is not None
    goal = _SECONDS.get((engine.market, engine.flat))
    if "in groups" in engine.market:
        plain = engine.market.split()[0] + " "
        others = [
            cell.seconds
            for cell in cells
            if (cell.solver, cell.flat) == (ENGINE, engine.flat)
            and cell.market.startswith(plain)
            and "x" in cell.market
        ]
        goal = _GROUPED * others[0] if others and others[0] else None
    if goal is None:
        return ""
    return f"{_time(goal)}, {'met' if engine.seconds <= goal else 'missed'}"


def _ratio(cell: Cell | None, reference: float, wanted: float | None) -> str:
    if cell is None or cell.seconds is None or cell.certificate is None:
        return ""
    weak = "" if cell.certificate <= _PROVED else f" ({cell.certificate:.0e})"
    ratio = cell.seconds / reference
    missed = "" if wanted is None or ratio >= wanted or weak else ", missed"
    goal = "" if wanted is None else f" (goal {wanted}x{missed})"
    return f"{ratio:.1f}x{weak}{goal}"
