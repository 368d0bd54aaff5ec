"""Institutions: a large quantity worked over many batches by one standing order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from walras.auths import Limits, Submission
from walras.batch import AccountState
from walras.simulate.agents.base import Endowment, Seal, View
from walras.simulate.desk import LOTS_PER_SHARE, Side

__all__ = ["Institution"]

_RESERVE = 1.5  # of what an order may cost at its listing price


@dataclass(slots=True)
class Institution:
    """Buys (``side`` 1) or sells (-1) ``quantity`` units of ``legs`` (lots by product), once.

    From batch ``start`` on it trades ``rate`` units a batch at the price at which it arrived, less
    when that moves against it and nothing beyond ``patience`` (relative), up to ``eager`` times as
    much when it moves as far in its favour.
    """

    name: str
    legs: Mapping[int, int]
    side: int
    quantity: int
    rate: int
    start: int
    patience: float
    eager: float = 2.0
    kind: str = "institution"

    def endowment(self, view: View) -> Endowment:
        """Cash for what it buys and the shares it sells, legs of either sign."""
        cash, held = 0.0, {}
        for k, weight in self.legs.items():
            count = self.side * weight * self.quantity / LOTS_PER_SHARE
            if count > 0:
                cash += _RESERVE * count * float(view.prices[k])
            else:
                held[k] = -count
        return Endowment(cash, held)

    def act(self, view: View, account: AccountState) -> Seal | None:  # noqa: ARG002
        """Seal the order when it arrives; the market does the rest."""
        if view.batch != self.start:
            return None
        price = view.desk.worth(self.legs, view.prices)
        slack = self.patience * view.desk.gross(self.legs, view.prices)
        more = max(1, round(self.rate * (self.eager - 1.0)))
        curve = Side(price + self.side * slack, ((self.rate, slack), (more, slack)))
        buying = self.side > 0
        limits = Limits(0, self.quantity) if buying else Limits(self.quantity, 0)
        auth = view.desk.auth(
            self.legs,
            buy=curve if buying else None,
            sell=None if buying else curve,
            limits=limits,
        )
        return Seal(Submission((auth,), standing=True))
