"""Demand curves on chain integers, twin of ``contracts/libraries/Curve.sol`` (SPEC §3).

A curve is stored outward from rate 0. The sell side is the buy side of the mirrored market:
prices and rates change sign, the walk is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from walras.auths import Auth, Cost, Step, Submission, drops
from walras.numbers import X44, ceil_div

__all__ = [
    "Demand",
    "breakpoints",
    "cost_breakpoints",
    "cost_demand",
    "cost_sum",
    "demand",
    "demands",
    "drops",
    "effective_prices",
    "portfolio_price",
    "tau",
]


class Demand(NamedTuple):
    """What an auth trades at one effective price.

    ``rate`` portfolio units X44, buying positive; ``sloped`` whether the price lies within one
    window of a step that its limits let count; ``loss`` X40, the sum of ⌈drop/width⌉ of the steps
    that were divided.
    """

    rate: int
    sloped: bool
    loss: int


def tau(auth: Auth, ticks: Mapping[int, int]) -> int:
    """Least price drop of any step of ``auth``, X40 per portfolio unit: Σ |w_k|·tick_k."""
    return sum(abs(leg.weight) * ticks[leg.product] for leg in auth.legs)


def portfolio_price(auth: Auth, prices: Mapping[int, int]) -> int:
    """Σ w_k·p_k, X84 per portfolio unit; ``prices`` X84 per lot by product id."""
    return sum(leg.weight * prices[leg.product] for leg in auth.legs)


def effective_prices(
    submission: Submission, prices: Mapping[int, int], shadows: Sequence[int]
) -> list[int]:
    """π_j = Σ w_jk·p_k − Σ g_dj·λ_d of every auth, X84; ``shadows`` X84, one per cost."""
    found = [portfolio_price(auth, prices) for auth in submission.auths]
    for cost, shadow in zip(submission.costs, shadows, strict=True):
        for term in cost.terms:
            found[term.auth] -= term.coefficient * shadow
    return found


def demand(
    auth: Auth, ticks: Mapping[int, int], pi: int, *, guard: int = 0, done: int = 0
) -> Demand:
    """Demand of ``auth`` at the effective price ``pi`` (X84); ``ticks`` X40 by product id.

    ``guard`` is G of the auth, ``done`` its progress X44 if it has limits.
    """
    rate, sloped, loss = _both(auth, auth.gross + guard, tau(auth, ticks), pi)
    if auth.limits is not None:
        sell, buy = auth.room(done)
        sloped = sloped and -sell - 1 <= rate <= buy + 1
        rate = min(max(rate, -sell), buy)
    return Demand(rate, sloped, loss)


def demands(
    submission: Submission,
    ticks: Mapping[int, int],
    prices: Mapping[int, int],
    shadows: Sequence[int] = (),
    done: Sequence[int] = (),
) -> Iterator[Demand]:
    """Demand of every auth at posted ``prices`` and ``shadows``.

    ``done`` is the progress of the auths with limits, in order; nothing yet if empty.
    """
    every = zip(
        submission.auths,
        effective_prices(submission, prices, shadows),
        submission.guards,
        submission.progress(done),
        strict=True,
    )
    for auth, pi, guard, moved in every:
        yield demand(auth, ticks, pi, guard=guard, done=moved)


def cost_sum(cost: Cost, rates: Sequence[int]) -> int:
    """s = Σ g_j·D_j, X44; ``rates`` X44 of every auth of the submission."""
    return sum(term.coefficient * rates[term.auth] for term in cost.terms)


def cost_demand(cost: Cost, shadow: int) -> Demand:
    """S: what the cost's own curve asks of s at ``shadow`` (X84), X44, toward zero."""
    return _both(cost, cost.gross, 1, shadow)


def _both(curve: Auth | Cost, gross: int, floor: int, price: int) -> Demand:
    """Demand of the buy side less that of the sell side."""
    rate, sloped, loss = 0, False, 0
    if curve.buy:
        rate, sloped, loss = _side(curve.bid, curve.buy, gross, floor, price)
    if curve.sell:
        sold, sell_sloped, sell_loss = _side(-curve.ask, curve.sell, gross, floor, -price)
        rate, sloped, loss = rate - sold, sloped or sell_sloped, loss + sell_loss
    return Demand(rate, sloped, loss)


def breakpoints(
    auth: Auth, ticks: Mapping[int, int], guard: int = 0
) -> tuple[tuple[int, int], ...]:
    """The curve as (rate, price X40) pairs, rates increasing and prices falling; limits aside.

    Rate 0 appears once, or twice (ask, then bid) if the auth is two-sided with a gap; a step of
    no width repeats its rate at a lower price.
    """
    return _points(auth, auth.gross + guard, tau(auth, ticks))


def cost_breakpoints(cost: Cost) -> tuple[tuple[int, int], ...]:
    """As ``breakpoints``, of a cost: (s, λ X40) from ``top`` to ``bottom``."""
    return _points(cost, cost.gross, 1)


def _points(curve: Auth | Cost, gross: int, floor: int) -> tuple[tuple[int, int], ...]:
    points: list[tuple[int, int]] = []
    if curve.sell:
        points = [(-x, -m) for x, m in reversed(_outward(-curve.ask, curve.sell, gross, floor))]
    if curve.buy:
        bids = _outward(curve.bid, curve.buy, gross, floor)
        points += bids[1:] if points and points[-1] == bids[0] else bids
    return tuple(points)


def _outward(first: int, steps: Sequence[Step], gross: int, floor: int) -> list[tuple[int, int]]:
    points = [(0, first)]
    x, m = 0, first
    for step, drop in zip(steps, drops(steps, gross, floor), strict=True):
        x, m = x + step.width, m - drop
        points.append((x, m))
    return points


def _side(
    first: int, steps: Sequence[Step], gross: int, floor: int, pi: int
) -> tuple[int, bool, int]:
    """Walk one side as a buyer: (rate X44, sloped, loss X40); the window is ``gross``."""
    square = gross * gross
    rate, sloped, loss = 0, False, 0
    upper = first * X44
    for step in steps:
        if pi >= upper + gross:
            break  # this and all later steps lie below the price, window included
        width = step.width
        drop = step.increment + max(floor, square * width)
        lower = upper - drop * X44
        if pi <= lower:
            rate += width * X44
        elif pi < upper:
            rate += (upper - pi) * width // drop
            if width:
                loss += ceil_div(drop, width)
        if width and lower - gross < pi:
            sloped = True
        upper = lower
    return rate, sloped, loss
