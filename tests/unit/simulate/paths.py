"""Small worlds for the simulator's tests, without the sample of real prices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from walras.simulate.prices import Bar, Fundamentals

FLAT = {"A": 100.0, "B": 50.0, "C": 20.0}


def bars(days: int = 3) -> dict[str, list[Bar]]:
    """Three stocks that rise and fall by a few per cent a day."""
    dice = np.random.default_rng(5)
    found = {}
    for symbol, price in FLAT.items():
        opening, series = price, []
        for day in range(days):
            closing = opening * (1 + 0.01 * float(dice.standard_normal()))
            low, high = min(opening, closing) * 0.995, max(opening, closing) * 1.005
            series.append(Bar(f"2001-01-0{day + 1}", opening, high, low, closing))
            opening = closing * 1.002
        found[symbol] = series
    return found


def flat(batches: int, prices: Sequence[float] = tuple(FLAT.values())) -> Fundamentals:
    """Products whose value never changes."""
    names = tuple("ABCDEFGH"[: len(prices)])
    values = np.tile(np.array(prices, float), (batches + 1, 1))
    return Fundamentals(names, ("2001-01-01",) * len(prices), values, np.full(len(prices), 0.01))
