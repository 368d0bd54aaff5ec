"""Noise: people who trade for reasons of their own, now and then, near the last price."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from walras.auths import Submission
from walras.batch import AccountState
from walras.simulate.agents.base import BPS, Endowment, Seal, View
from walras.simulate.desk import LOTS_PER_SHARE, Side

__all__ = ["Noise"]

_BASKETS = 0.2  # part of the orders that are baskets or pairs
_PATIENCE = 15 * BPS
_SPREAD = 0.8  # of the logarithm of an order's size
_STOCK = 60.0  # typical sizes of cash and of shares it starts with


class Noise:
    """With probability ``activity`` a batch: an order of about ``size`` dollars for one batch."""

    kind = "noise"

    def __init__(
        self,
        name: str,
        products: Sequence[int],
        size: float,
        activity: float,
        dice: np.random.Generator,
    ) -> None:
        self.name = name
        self.products = tuple(products)
        self.size = size
        self.activity = activity
        self._dice = dice

    def endowment(self, view: View) -> Endowment:
        """Some of everything."""
        worth = self.size * _STOCK
        held = {k: worth / float(view.prices[k]) for k in self.products}
        return Endowment(worth * len(self.products), held)

    def act(self, view: View, account: AccountState) -> Seal | None:  # noqa: ARG002
        """Buy or sell something at up to a few basis points beyond the last price."""
        dice = self._dice
        if dice.random() >= self.activity:
            return None
        legs = self._portfolio(view)
        price, gross = (f(legs, view.prices) for f in (view.desk.worth, view.desk.gross))
        units = max(1, round(self.size * float(np.exp(_SPREAD * dice.standard_normal())) / gross))
        reach = gross * _PATIENCE * float(dice.uniform(0.2, 1.0))
        steps = ((units, reach),)
        if dice.random() < 0.5:
            auth = view.desk.auth(legs, buy=Side(price + reach, steps))
        else:
            auth = view.desk.auth(legs, sell=Side(price - reach, steps))
        return Seal(Submission((auth,)))

    def _portfolio(self, view: View) -> dict[int, int]:
        dice = self._dice
        if len(self.products) == 1 or dice.random() >= _BASKETS:
            return {int(dice.choice(self.products)): 1}
        count = int(dice.integers(2, min(4, len(self.products)) + 1))
        chosen = dice.choice(self.products, size=count, replace=False)
        sign = int(dice.choice((1, -1)))
        legs = {}
        for place, k in enumerate(int(c) for c in chosen):
            lots = max(1, round(1_000 * LOTS_PER_SHARE / float(view.prices[k])))
            legs[k] = lots if place == 0 else sign * lots
        return legs
