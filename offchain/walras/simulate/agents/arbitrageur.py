"""Arbitrageurs: the index against its constituents, as one portfolio."""

from __future__ import annotations

from collections.abc import Mapping

from walras.auths import Submission
from walras.batch import AccountState
from walras.simulate.agents.base import BPS, Endowment, Seal, View
from walras.simulate.desk import LOTS_PER_SHARE, Side

__all__ = ["Arbitrageur"]

_DEPTH = 5 * BPS
_STOCK = 40.0  # full sizes of every leg and of cash it starts with


class Arbitrageur:
    """Trades ``legs`` (the index and, with the other sign, what it holds) around a price of zero.

    It needs no view: at any prices where the two differ by more than ``margin`` of their value it
    trades, up to ``size`` dollars a batch. Its order stands for ever.
    """

    kind = "arbitrageur"

    def __init__(self, name: str, legs: Mapping[int, int], size: float, margin: float) -> None:
        self.name = name
        self.legs = dict(legs)
        self.size = size
        self.margin = margin

    def endowment(self, view: View) -> Endowment:
        """Shares of all legs, and cash for what rounding of the weights leaves over."""
        units = _STOCK * self._units(view)
        held = {k: abs(w) * units / LOTS_PER_SHARE for k, w in self.legs.items()}
        return Endowment(self.size * _STOCK, held)

    def act(self, view: View, account: AccountState) -> Seal | None:  # noqa: ARG002
        """Seal once."""
        if view.batch != 1:
            return None
        gross = view.desk.gross(self.legs, view.prices)
        steps = ((self._units(view), gross * _DEPTH),)
        away = gross * self.margin
        auth = view.desk.auth(self.legs, buy=Side(-away, steps), sell=Side(away, steps))
        return Seal(Submission((auth,), standing=True))

    def _units(self, view: View) -> int:
        return max(1, round(self.size / view.desk.gross(self.legs, view.prices)))
