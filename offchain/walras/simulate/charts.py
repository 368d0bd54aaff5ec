"""A run as pictures: prices against fundamentals, progress of orders, what execution cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib import pyplot as plt

from walras.simulate.report import Report
from walras.simulate.run import Run

__all__ = ["draw_charts"]

_PRICE, _VALUE, _COST, _QUIET = "#1f5fa8", "#e0972f", "#c2452d", "#8a8a8a"
_STACK: Final = (_PRICE, _VALUE, _QUIET, _COST)
_PANELS: Final = 6
_LINES: Final = 12
_STYLE: Final[Any] = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _QUIET,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "legend.frameon": False,
}


def draw_charts(run: Run, measures: Report, directory: Path) -> list[Path]:
    """Write prices.png, progress.png, costs.png and market.png into ``directory``.

    And chain.png if the day went through a chain.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(_STYLE):
        return [
            _prices(run, directory / "prices.png"),
            _progress(run, directory / "progress.png"),
            _costs(measures, directory / "costs.png"),
            _market(run, directory / "market.png"),
            *([_chain(run, directory / "chain.png")] if run.figures else []),
        ]


def _prices(run: Run, path: Path) -> Path:
    """One panel for each of the most traded products."""
    turnover = (run.volumes * run.prices[1:]).sum(axis=0)
    shown = sorted(np.argsort(-turnover)[:_PANELS].tolist())
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(4.6 * columns, 3.0 * rows), squeeze=False, layout="constrained"
    )
    batches = np.arange(len(run.prices))
    for panel, k in zip(grid.flat, shown, strict=False):
        panel.plot(batches, run.values[:, k], color=_VALUE, lw=1.2, label="fundamental")
        panel.plot(batches, run.prices[:, k], color=_PRICE, lw=1.2, label="clearing price")
        panel.set_title(f"{run.symbols[k]}  {run.dates[k]}")
        panel.set_ylabel("USD a share")
    for panel in list(grid.flat)[len(shown) :]:
        panel.set_axis_off()
    for panel in grid[-1]:
        panel.set_xlabel("batch")
    grid[0][0].legend(loc="best", fontsize=9)
    return _save(figure, path)


def _progress(run: Run, path: Path) -> Path:
    """Part filled of the largest orders, from their arrival on."""
    figure, panel = plt.subplots(figsize=(9, 4.5), layout="constrained")
    largest = sorted(run.executions, key=lambda e: -abs(e.quantity) * e.worth)[:_LINES]
    colors = mpl.colormaps["viridis"](np.linspace(0.0, 0.9, max(1, len(largest))))
    for execution, color in zip(largest, colors, strict=False):
        done = np.cumsum([0.0, *execution.units]) / execution.quantity
        batches = execution.arrival - 1 + np.arange(len(done))
        side = "buy" if execution.quantity > 0 else "sell"
        what = run.symbols[next(iter(execution.legs))]
        name = f"{side} {what}" if len(execution.legs) == 1 else f"{side} a basket"
        panel.plot(batches, 100 * done, color=color, lw=1.6, label=f"{execution.name}: {name}")
    panel.set_xlim(0, len(run.surplus))
    panel.set_ylim(0, 104)
    panel.set_xlabel("batch")
    panel.set_ylabel("% filled")
    panel.set_title("Progress of the largest orders")
    if largest:
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    return _save(figure, path)


def _costs(measures: Report, path: Path) -> Path:
    """Histograms of the cost of execution against arrival and against the market's average."""
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    kinds = (("shortfall", "against the price at arrival"), ("vwap", "against the market's VWAP"))
    for panel, (measure, title) in zip(panels, kinds, strict=True):
        costs = [getattr(c, measure) for c in measures.costs if getattr(c, measure) is not None]
        panel.hist(costs, bins=min(24, max(4, len(costs) // 2)), color=_PRICE, alpha=0.85)
        panel.axvline(0, color=_QUIET, lw=1)
        if costs:
            middle = float(np.median(costs))
            panel.axvline(middle, color=_COST, lw=1.5, label=f"median {middle:.1f} bps")
            panel.legend(loc="best", fontsize=9)
        panel.set_title(f"Cost {title}")
        panel.set_xlabel("basis points")
    panels[0].set_ylabel("orders")
    return _save(figure, path)


def _market(run: Run, path: Path) -> Path:
    """Turnover, surplus and the time to clear, batch by batch."""
    figure, panels = plt.subplots(3, 1, figsize=(9, 6.5), sharex=True, layout="constrained")
    batches = np.arange(1, len(run.surplus) + 1)
    turnover = (run.volumes * run.prices[1:]).sum(axis=1)
    total = sum(run.seconds.values(), np.zeros(len(batches)))
    rows = (
        (turnover / 1e6, "million USD", "Turnover"),
        (run.surplus / 1e3, "thousand USD", "Surplus: the area between curves and prices"),
        (1e3 * total, "ms", "All work for a batch"),
    )
    for panel, (values, unit, title) in zip(panels, rows, strict=True):
        panel.plot(batches, values, color=_PRICE, lw=1.0)
        panel.set_ylabel(unit)
        panel.set_title(title)
        panel.set_ylim(bottom=0)
    panels[-1].set_xlabel("batch")
    return _save(figure, path)


def _chain(run: Run, path: Path) -> Path:
    """Gas and seconds by what they were spent on, and gas an account, batch by batch."""
    figure, panels = plt.subplots(3, 1, figsize=(9, 7.5), sharex=True, layout="constrained")
    batches = np.arange(1, len(run.surplus) + 1)
    gas = {"settle": "settle_gas", "seal": "seal_gas", "keys, opening": "operator_gas"}
    panels[0].stackplot(
        batches, *(run.figures[name] / 1e6 for name in gas.values()), labels=gas, colors=_STACK
    )
    panels[0].set_title("Gas a batch")
    panels[0].set_ylabel("million")
    live = np.maximum(run.live, 1)
    panels[1].plot(batches, run.figures["settle_gas"] / live / 1e3, color=_PRICE, lw=1.0)
    panels[1].set_title("Gas to settle, an account")
    panels[1].set_ylabel("thousand")
    panels[1].set_ylim(bottom=0)
    panels[2].stackplot(batches, *run.seconds.values(), labels=run.seconds, colors=_STACK)
    panels[2].set_title("Seconds a batch")
    panels[2].set_ylabel("s")
    panels[2].set_xlabel("batch")
    for panel in (panels[0], panels[2]):
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
    return _save(figure, path)


def _save(figure: Any, path: Path) -> Path:
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path
