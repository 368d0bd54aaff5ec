"""Clearing prices over time as a picture, one panel for each of the most traded products."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import dates
from matplotlib import pyplot as plt

from walras.errors import ConfigError

__all__ = ["draw_prices"]

_PRICE, _REFERENCE, _VOLUME, _QUIET = "#1f5fa8", "#e0972f", "#b8c7d9", "#8a8a8a"
_PANELS: Final = 6
_Moments: Final[Any] = dates.ConciseDateFormatter
_STYLE: Final[Any] = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.edgecolor": _QUIET,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
}


def draw_prices(rows: Iterable[Sequence[Any]], path: Path) -> int:
    """Draw rows of prices (batch, time, product, price, reference, volume, turnover, …).

    The number of panels; ConfigError if there is nothing to draw or the file cannot be written.
    """
    series: dict[str, list[tuple[datetime, float, float, float, float]]] = {}
    for _, time, product, *values in rows:
        price, reference, volume, turnover = (float(value) for value in values[:4])
        moment = datetime.fromtimestamp(time, UTC)
        series.setdefault(product, []).append((moment, price, reference, volume, turnover))
    if not series:
        raise ConfigError("no batch settled in this range: there is nothing to draw")
    most = sorted(series, key=lambda name: -sum(point[4] for point in series[name]))[:_PANELS]
    columns = min(3, len(most))
    with mpl.rc_context(_STYLE):
        figure, grid = plt.subplots(
            -(-len(most) // columns),
            columns,
            figsize=(max(6.0, 4.6 * columns), 3.2 * -(-len(most) // columns)),
            squeeze=False,
            layout="constrained",
        )
        for panel, name in zip(grid.flat, most, strict=False):
            _panel(panel, name, series[name])
        for panel in list(grid.flat)[len(most) :]:
            panel.set_axis_off()
        try:
            figure.savefig(path, dpi=130)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(f"cannot draw into {path}: {reason}") from error
        finally:
            plt.close(figure)
    return len(most)


def _panel(
    panel: Any, name: str, points: Sequence[tuple[datetime, float, float, float, float]]
) -> None:
    moments, prices, references, volumes, _ = zip(*points, strict=True)
    behind = panel.twinx()
    behind.vlines(moments, 0, volumes, color=_VOLUME, lw=1.5)
    behind.set_ylim(0, 4 * max(volumes) or 1)
    behind.set_yticks([])
    panel.set_zorder(behind.get_zorder() + 1)
    panel.patch.set_visible(False)
    panel.plot(moments, references, color=_REFERENCE, lw=1.0, label="reference")
    mark = "." if len(points) < 60 else ""
    panel.plot(moments, prices, color=_PRICE, lw=1.3, marker=mark, label="clearing price")
    panel.set_title(name)
    panel.xaxis.set_major_formatter(_Moments(panel.xaxis.get_major_locator()))
    panel.legend(loc="best", fontsize=8)
