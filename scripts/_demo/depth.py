"""Demand and supply of one stock when all other prices, shadow prices too, stand where they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scripts._demo.outcome import Outcome
from walras.numbers import X44, X84

__all__ = ["book_of"]

Floats = NDArray[np.float64]


def book_of(outcome: Outcome, product: int, prices: Floats) -> tuple[Floats, Floats]:
    """Shares wanted and shares offered at each of `prices` (dollars a share); for pictures only."""
    demand, supply = np.zeros_like(prices), np.zeros_like(prices)
    cleared = outcome.settlement.prices[product] / X84
    units = prices / float(outcome.prices[product]) * cleared  # cash units a lot
    share = float(outcome.units.by_id(product).tokens_of_ledger(X44))
    for auth, pi, guard in outcome.traded():
        weight = next((leg.weight for leg in auth.legs if leg.product == product), 0)
        if not weight:
            continue
        rates, levels = outcome.curves(auth, guard)
        rate = np.interp(pi / X84 + weight * (units - cleared), levels, rates)
        shares = weight * rate * share
        demand += np.maximum(shares, 0.0)
        supply += np.maximum(-shares, 0.0)
    return demand, supply
