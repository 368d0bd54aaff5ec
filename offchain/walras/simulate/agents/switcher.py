"""Switchers: so much of one thing or another, whichever is the better buy at the moment."""

from __future__ import annotations

from collections.abc import Sequence

from walras.auths import Cost, Limits, Step, Submission, Term
from walras.batch import AccountState
from walras.simulate.agents.base import Endowment, Seal, View
from walras.simulate.desk import LOTS_PER_SHARE, Side, cash_x40

__all__ = ["Switcher"]

_RESERVE = 3.0  # of the budget: every substitute is escrowed to its own limit, and the cost


class Switcher:
    """Buys ``budget`` dollars of several stocks at ``rate`` dollars a batch in all, from ``start``.

    Each stock is an auth up to a limit ``patience`` above its price at arrival; one cost over all
    of them lets no more than the rate through, to those that fell most below their limits.
    """

    kind = "switcher"

    def __init__(
        self,
        name: str,
        products: Sequence[int],
        *,
        budget: float,
        rate: float,
        start: int,
        patience: float,
    ) -> None:
        self.name = name
        self.products = tuple(sorted(products))
        self.budget = budget
        self.rate = rate
        self.start = start
        self.patience = patience

    def endowment(self, view: View) -> Endowment:  # noqa: ARG002
        """Cash only."""
        return Endowment(self.budget * _RESERVE * len(self.products), {})

    def act(self, view: View, account: AccountState) -> Seal | None:  # noqa: ARG002
        """Seal the order when it arrives."""
        if view.batch != self.start:
            return None
        lots = [float(view.prices[k]) / LOTS_PER_SHARE for k in self.products]
        # A unit of the combination is worth as much in each stock: coefficients in dollars a lot.
        coefficients = [max(1, round(lot)) for lot in lots]
        auths = []
        for k, lot in zip(self.products, lots, strict=True):
            slack = self.patience * lot
            most = max(1, round(self.rate / lot))
            limits = Limits(0, max(1, round(self.budget / lot / len(lots))))
            curve = Side(lot + slack, ((most, slack),))
            auths.append(view.desk.auth({k: 1}, buy=curve, limits=limits))
        terms = tuple(Term(j, g) for j, g in enumerate(coefficients))
        fall = cash_x40(2.0 * self.patience)  # twice what a dollar's worth may rise
        cost = Cost(terms, 0, buy=(Step(max(1, round(self.rate)), fall),))
        return Seal(Submission(tuple(auths), costs=(cost,), standing=True))
