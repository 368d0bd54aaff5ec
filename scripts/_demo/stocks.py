"""Five real stocks: their last daily close and how much they move in a day."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from typing import Final

import numpy as np

__all__ = ["Stock", "read_stocks"]

_SYMBOLS: Final = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
_YEAR: Final = 250  # trading days


@dataclass(frozen=True, slots=True)
class Stock:
    """Closing price in dollars on `day`, and the daily volatility of the year before it."""

    symbol: str
    close: Decimal
    day: str
    volatility: float


def read_stocks() -> tuple[Stock, ...]:
    """The stocks of the `bokeh_sampledata` package, whose prices end on one day of 2013."""
    data = import_module("bokeh_sampledata.stocks")
    stocks = []
    for symbol in _SYMBOLS:
        series = getattr(data, symbol)
        closes = np.asarray(series["close"][-_YEAR:])
        volatility = float(np.std(np.diff(np.log(closes))))
        close = Decimal(str(series["close"][-1]))
        stocks.append(Stock(symbol, close, series["date"][-1], volatility))
    return tuple(stocks)
