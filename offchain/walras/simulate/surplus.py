"""What traders gain by their own curves: the area between demand and price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from walras.auths import Auth, Cost, Submission, drops
from walras.curve import cost_sum, portfolio_price, tau
from walras.numbers import X40, X44, X84
from walras.simulate.desk import CASH_PER_DOLLAR

__all__ = ["gain"]


def gain(
    submission: Submission,
    rates: Sequence[int],
    prices: Mapping[int, int],
    ticks: Mapping[int, int],
) -> float:
    """Dollars that a submission values its fills above what it paid; a float, for reports only.

    ``rates`` X44 of its auths, ``prices`` X84, ``ticks`` X40 by product.
    """
    total = 0.0
    for auth, rate, guard in zip(submission.auths, rates, submission.guards, strict=True):
        if rate:
            paid = portfolio_price(auth, prices) / X84 * (rate / X44)
            total += _value(auth, auth.gross + guard, tau(auth, ticks), rate / X44) - paid
    for cost in submission.costs:
        total += _value(cost, cost.gross, 1, cost_sum(cost, rates) / X44)
    return total / CASH_PER_DOLLAR


def _value(curve: Auth | Cost, gross: int, floor: int, rate: float) -> float:
    """Cash units: the integral of the inverse curve from 0 to ``rate``."""
    buying = rate > 0
    steps = curve.buy if buying else curve.sell
    price = (curve.bid if buying else -curve.ask) / X40
    left, total = abs(rate), 0.0
    for step, drop in zip(steps, drops(steps, gross, floor), strict=True):
        fall = drop / X40
        if step.width:
            part = min(left, float(step.width))
            total += part * (price - fall * part / (2.0 * step.width))
            left -= part
        if left <= 0.0:
            break
        price -= fall
    return total + left * price
