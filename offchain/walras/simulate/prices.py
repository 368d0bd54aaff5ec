"""What products are worth at every batch: real daily bars, and a path within each day.

A day's path is a bridge from the real open to the real close whose volatility is that of the real
range (Parkinson). It is then bent, piece by piece and monotonically, so that its extremes are the
real high and low. Products of one day move together as the bridges' common factor says.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from walras.errors import ConfigError

__all__ = ["DAY_SECONDS", "Bar", "Fundamentals", "day_path", "read_bars", "value_paths"]

Floats = NDArray[np.float64]

DAY_SECONDS: Final = 23_400  # six and a half hours of trading
_SYMBOLS: Final = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
_COLUMNS: Final = ("symbol", "date", "open", "high", "low", "close")
_COMMON: Final = math.sqrt(0.4)  # of a product's volatility that all products of a day share


@dataclass(frozen=True, slots=True)
class Bar:
    """One real day of one stock, in dollars a share."""

    date: str
    open: float
    high: float
    low: float
    close: float

    @property
    def volatility(self) -> float:
        """Of the logarithm of the price over the day, from its range."""
        return math.log(self.high / self.low) / (2.0 * math.sqrt(math.log(2.0)))


@dataclass(frozen=True, slots=True)
class Fundamentals:
    """``values[b, k]``: dollars a share of ``symbols[k]`` at the close of batch b, 0 the start.

    ``volatility[k]`` of a day; ``dates[k]`` the real day that product k's path begins with.
    """

    symbols: tuple[str, ...]
    dates: tuple[str, ...]
    values: Floats
    volatility: Floats


def read_bars(file: Path | None = None) -> dict[str, list[Bar]]:
    """Bars by symbol, ascending by date, on the dates that all symbols have.

    From a CSV with columns symbol, date, open, high, low, close; else the five stocks of the
    package ``bokeh_sampledata``. Raises ConfigError.
    """
    bars = _sample() if file is None else _from_csv(file)
    shared = set.intersection(*({bar.date for bar in days} for days in bars.values()))
    return {
        symbol: sorted((bar for bar in days if bar.date in shared), key=lambda bar: bar.date)
        for symbol, days in bars.items()
    }


def value_paths(
    bars: Mapping[str, Sequence[Bar]],
    products: int,
    batches: int,
    interval: float,
    dice: np.random.Generator,
) -> Fundamentals:
    """``products`` paths over ``batches`` batches of ``interval`` seconds each.

    Products beyond the real symbols are the same symbols on other days. A batch never spans two
    days: the next day begins with its real open.
    """
    per_day = max(1, round(DAY_SECONDS / interval))
    days = -(-batches // per_day)
    symbols = list(bars)
    available = min(len(series) for series in bars.values())
    if days > available:
        raise ConfigError(
            f"{batches} batches of {interval:g} s span {days} days, the data has {available} days; "
            "take fewer batches or a shorter interval"
        )
    groups = -(-products // len(symbols))
    starts = dice.choice(available - days + 1, size=groups, replace=groups > available - days + 1)
    names, dates, columns, moves = [], [], [], []
    for group, start in enumerate(int(s) for s in starts):
        members = symbols[: products - group * len(symbols)]
        column = _group([bars[s][start : start + days] for s in members], per_day, dice)
        columns.append(column[: batches + 1])
        for symbol in members:
            first = bars[symbol][start]
            names.append(symbol if group == 0 else f"{symbol}.{group}")
            dates.append(first.date)
            moves.append(first.volatility)
    return Fundamentals(tuple(names), tuple(dates), np.hstack(columns), np.array(moves))


def day_path(bar: Bar, noise: Floats) -> Floats:
    """(steps + 1,) prices from open to close; ``noise`` are standard normal steps.

    The path stays within the bar's range, and reaches its end on each side where it leaves the
    interval between open and close.
    """
    steps = len(noise)
    walk = np.concatenate(([0.0], np.cumsum(noise))) * bar.volatility / math.sqrt(steps)
    begin, end = math.log(bar.open), math.log(bar.close)
    bridge = begin + walk + np.linspace(0.0, 1.0, steps + 1) * (end - begin - walk[-1])
    inner = sorted((begin, end))
    knots = [float(bridge.min()), *inner, float(bridge.max())]
    targets = [math.log(bar.low), *inner, math.log(bar.high)]
    path = np.exp(_bend(bridge, knots, targets))
    path[0], path[-1] = bar.open, bar.close
    return np.asarray(np.clip(path, bar.low, bar.high), float)


def _bend(path: Floats, knots: Sequence[float], targets: Sequence[float]) -> Floats:
    """The monotone map through (knot, target) of the knots that differ."""
    pairs = {
        round(inner, 15): target for inner, target in zip(knots[1:3], targets[1:3], strict=True)
    }
    for outer in (0, 3):
        pairs.setdefault(round(knots[outer], 15), targets[outer])
    ordered = sorted(pairs.items())
    return np.interp(path, [k for k, _ in ordered], [t for _, t in ordered])


def _group(series: Sequence[Sequence[Bar]], per_day: int, dice: np.random.Generator) -> Floats:
    """Paths of several stocks over the same days; the first row is the first day's open."""
    rows: list[Floats] = []
    for bars in zip(*series, strict=True):
        common = dice.standard_normal(per_day)
        own = dice.standard_normal((len(bars), per_day))
        noise = _COMMON * common + math.sqrt(1.0 - _COMMON**2) * own
        day = np.column_stack([day_path(bar, row) for bar, row in zip(bars, noise, strict=True)])
        rows.append(day if not rows else day[1:])
    return np.vstack(rows)


def _sample() -> dict[str, list[Bar]]:
    try:
        stocks = import_module("bokeh_sampledata.stocks")
    except ImportError as error:
        raise ConfigError(
            "the simulator has no daily prices: pip install bokeh_sampledata, or give --prices "
            "FILE.csv with columns " + ", ".join(_COLUMNS)
        ) from error
    bars = {}
    for symbol in _SYMBOLS:
        data = getattr(stocks, symbol)
        columns = [data[column] for column in _COLUMNS[1:]]
        bars[symbol] = [
            Bar(str(day), *map(float, rest)) for day, *rest in zip(*columns, strict=True)
        ]
    return bars


def _from_csv(file: Path) -> dict[str, list[Bar]]:
    bars: dict[str, list[Bar]] = {}
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            for number, row in enumerate(csv.DictReader(stream), start=2):
                bar = Bar(row["date"], *(float(row[column]) for column in _COLUMNS[2:]))
                if not 0.0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close):
                    raise ConfigError(f"{file}:{number}: low lies above open or close; mend it")
                if max(bar.open, bar.close) > bar.high:
                    raise ConfigError(f"{file}:{number}: high lies below open or close; mend it")
                bars.setdefault(row["symbol"], []).append(bar)
    except (KeyError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{file}: not daily prices ({error}); the columns are {', '.join(_COLUMNS)}"
        ) from error
    if not bars:
        raise ConfigError(f"{file}: no daily prices in it; the columns are {', '.join(_COLUMNS)}")
    return bars
