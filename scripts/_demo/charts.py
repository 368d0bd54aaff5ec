"""The result as pictures: the book of every stock, and who traded what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, MaxNLocator

from scripts._demo.depth import book_of
from scripts._demo.outcome import Outcome

__all__ = ["draw_charts"]

_DEMAND, _SUPPLY, _CLEARED, _QUIET = "#1f5fa8", "#c2452d", "#1a1a1a", "#8a8a8a"
_STOCKS: Final = ("#1f5fa8", "#e0972f", "#3b8f5a", "#8d5aa5", "#c2452d")
_SPAN: Final = 0.045  # of the clearing price, either way
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


def draw_charts(outcome: Outcome, directory: Path) -> Sequence[Path]:
    """Write prices.png and fills.png."""
    with mpl.rc_context(_STYLE):
        return [
            _books(outcome, directory / "prices.png"),
            _fills(outcome, directory / "fills.png"),
        ]


def _books(outcome: Outcome, path: Path) -> Path:
    """One panel a stock, and one for the legend."""
    count = len(outcome.prices)
    columns = min(3, count + 1)
    rows = -(-(count + 1) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(4.3 * columns, 3.5 * rows), squeeze=False, layout="constrained"
    )
    panels = list(grid.flat)
    for panel, k in zip(panels, outcome.prices, strict=False):
        _book(panel, outcome, k)
    for panel in panels[count + 1 :]:
        panel.set_axis_off()
    last = panels[count]
    last.set_axis_off()
    handles, labels = panels[0].get_legend_handles_labels()
    last.legend(handles, labels, loc="upper left", fontsize=11, handlelength=2.5)
    words = (
        f"{outcome.filled} of {outcome.auths} auths traded\n"
        f"turnover {float(outcome.turnover):,.0f} USD\n\n"
        "Each panel: shares wanted and offered\n"
        "while all other stocks stand at their\n"
        "clearing prices, baskets included."
    )
    last.text(0.04, 0.34, words, transform=last.transAxes, va="center", color="#444444")
    figure.suptitle(
        "Demand, supply and the clearing price", x=0.01, ha="left", fontsize=14, weight="bold"
    )
    return _save(figure, path)


def _book(panel: Any, outcome: Outcome, k: int) -> None:
    cleared, reference = float(outcome.prices[k]), float(outcome.references[k])
    prices = cleared * (1 + np.linspace(-_SPAN, _SPAN, 1_501))
    demand, supply = book_of(outcome, k, prices)
    volume = float(outcome.volumes[k])
    panel.plot(demand, prices, color=_DEMAND, lw=2, label="demand")
    panel.plot(supply, prices, color=_SUPPLY, lw=2, label="supply")
    panel.axhline(reference, color=_QUIET, lw=1, ls=(0, (4, 3)), label="last close")
    panel.plot(
        [0, volume, volume],
        [cleared, cleared, prices[0]],
        color=_CLEARED,
        lw=1,
        ls=":",
    )
    panel.plot(volume, cleared, "o", color=_CLEARED, ms=7, label="clearing price and volume")
    panel.set_title(f"{outcome.symbols[k]}   {cleared:,.2f}")
    panel.set_xlim(0, 1.05 * max(demand.max(), supply.max(), 1.0))
    panel.set_ylim(prices[0], prices[-1])
    panel.set_xlabel("shares")
    panel.set_ylabel("USD a share")
    panel.xaxis.set_major_locator(MaxNLocator(5))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))


def _fills(outcome: Outcome, path: Path) -> Path:
    """Bars to the right for what a bidder bought, to the left for what it sold, in dollars."""
    traders = [t for t in outcome.traders if t.shares][::-1]
    figure, panel = plt.subplots(figsize=(10, 1.4 + 0.29 * len(traders)), layout="constrained")
    rows = np.arange(len(traders))
    right, left = np.zeros(len(traders)), np.zeros(len(traders))
    for k, symbol in enumerate(outcome.symbols):
        price = float(outcome.prices.get(k, 0))
        worth = np.array([t.shares.get(k, 0.0) * price / 1_000 for t in traders])
        color = _STOCKS[k % len(_STOCKS)]
        bought, sold = np.maximum(worth, 0), np.minimum(worth, 0)
        panel.barh(rows, bought, left=right, height=0.72, color=color, label=symbol)
        panel.barh(rows, sold, left=left, height=0.72, color=color)
        right, left = right + bought, left + sold
    panel.axvline(0, color=_CLEARED, lw=1)
    panel.set_yticks(rows, [f"{t.name}, {t.kind}" for t in traders])
    panel.set_ylim(-0.6, len(traders) - 0.4)
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    panel.set_xlabel("← sold        thousand USD at the clearing prices        bought →")
    panel.set_title("Who traded what", fontsize=14)
    panel.legend(ncols=len(outcome.symbols), loc="lower right", bbox_to_anchor=(1, 1))
    panel.grid(axis="x", color="#e4e4e4")
    panel.set_axisbelow(True)
    return _save(figure, path)


def _save(figure: Any, path: Path) -> Path:
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path
