"""Demand curves on chain integers, twin of ``contracts/libraries/Curve.sol`` (SPEC §3).

A curve is stored outward from rate 0. The sell side is the buy side of the mirrored market:
prices and rates change sign, the walk is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from walras.auths import Auth, Step
from walras.numbers import X44, ceil_div

__all__ = ["Demand", "breakpoints", "demand", "drops", "portfolio_price", "tau"]


class Demand(NamedTuple):
    """What an auth trades at one portfolio price.

    ``rate`` portfolio units X44, buying positive; ``sloped`` whether the price lies within one
    gross weight of a step; ``loss`` X40, the sum of ⌈drop/width⌉ of the steps that were divided.
    """

    rate: int
    sloped: bool
    loss: int


def tau(auth: Auth, ticks: Mapping[int, int]) -> int:
    """Least price drop of any step of ``auth``, X40 per portfolio unit: Σ |w_k|·tick_k."""
    return sum(abs(leg.weight) * ticks[leg.product] for leg in auth.legs)


def drops(steps: Sequence[Step], gross: int, floor: int) -> tuple[int, ...]:
    """How far the price moves over each step, X40: increment + max(τ, W²·width).

    ``gross`` is W in lots per portfolio unit, ``floor`` is τ in X40. The contract builds every
    slope, so one X40 of price never moves an order by more than one lot.
    """
    square = gross * gross
    return tuple(step.increment + max(floor, square * step.width) for step in steps)


def portfolio_price(auth: Auth, prices: Mapping[int, int]) -> int:
    """π = Σ w_k·p_k, X84 per portfolio unit; ``prices`` X84 per lot by product id."""
    return sum(leg.weight * prices[leg.product] for leg in auth.legs)


def demand(auth: Auth, ticks: Mapping[int, int], pi: int) -> Demand:
    """Demand of ``auth`` at the portfolio price ``pi`` (X84); ``ticks`` X40 by product id."""
    gross, floor = auth.gross, tau(auth, ticks)
    rate, sloped, loss = 0, False, 0
    if auth.buy:
        rate, sloped, loss = _side(auth.bid, auth.buy, gross, floor, pi)
    if auth.sell:
        sold, sell_sloped, sell_loss = _side(-auth.ask, auth.sell, gross, floor, -pi)
        rate, sloped, loss = rate - sold, sloped or sell_sloped, loss + sell_loss
    return Demand(rate, sloped, loss)


def breakpoints(auth: Auth, ticks: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
    """The curve as (rate, price X40) pairs, rates increasing and prices falling.

    Rate 0 appears once, or twice (ask, then bid) if the auth is two-sided with a gap; a step of
    no width repeats its rate at a lower price.
    """
    gross, floor = auth.gross, tau(auth, ticks)
    points: list[tuple[int, int]] = []
    if auth.sell:
        points = [(-x, -m) for x, m in reversed(_outward(-auth.ask, auth.sell, gross, floor))]
    if auth.buy:
        bids = _outward(auth.bid, auth.buy, gross, floor)
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
    """Walk one side as a buyer: (rate X44, sloped, loss X40)."""
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
