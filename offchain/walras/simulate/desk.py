"""Between the dollars and shares of a strategy and the chain's integers.

A simulated lot is a hundredth of a share and a cash unit a hundredth of a cent: a cent a share is
one cash unit a lot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from walras.auths import Auth, Leg, Limits, Step
from walras.batch import Product, house_log2
from walras.curve import drops, tau
from walras.numbers import X24, X40, X44, X84

__all__ = [
    "CASH_PER_DOLLAR",
    "COVER_CAP",
    "LOTS_PER_SHARE",
    "Desk",
    "Side",
    "cash_x40",
    "dollars",
    "lots_x44",
    "shares",
    "whole_cash_x40",
]

Floats = NDArray[np.float64]

LOTS_PER_SHARE: Final = 100
CASH_PER_DOLLAR: Final = 10_000
COVER_CAP: Final = 1 << 66  # cash units, the most a market may allow (SPEC §7)
_DEPTH: Final = 2_000_000  # dollars that move the reference half way to the clearing price


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a curve outward from rate 0, in dollars a portfolio unit.

    ``first`` is its best price; every (units, distance) of ``steps`` trades so many units more
    while the price moves so far away from it.
    """

    first: float
    steps: Sequence[tuple[int, float]]


class Desk:
    """The products of a market, and curves over them."""

    def __init__(self, symbols: Sequence[str], listing: Sequence[float]) -> None:
        self.symbols = tuple(symbols)
        self.products = {k: _listed(k, price) for k, price in enumerate(listing)}
        self.ticks = {k: product.tick for k, product in self.products.items()}

    def worth(self, legs: Mapping[int, int], prices: Floats) -> float:
        """Dollars of one unit of a portfolio of lots at ``prices`` (dollars a share)."""
        return sum(weight * float(prices[k]) for k, weight in legs.items()) / LOTS_PER_SHARE

    def gross(self, legs: Mapping[int, int], prices: Floats) -> float:
        """Dollars that one unit moves, bought and sold legs alike."""
        return self.worth({k: abs(weight) for k, weight in legs.items()}, prices)

    def auth(
        self,
        legs: Mapping[int, int],
        *,
        buy: Side | None = None,
        sell: Side | None = None,
        limits: Limits | None = None,
    ) -> Auth:
        """The auth over ``legs`` (lots by product); its steps are never less steep than allowed."""
        portfolio = tuple(Leg(k, legs[k]) for k in sorted(legs))
        bid = cash_x40(buy.first) if buy else 0
        ask = (
            max(cash_x40(sell.first), bid) if sell and buy else cash_x40(sell.first if sell else 0)
        )
        bare = Auth(portfolio, bid if buy else ask, ask - bid if buy and sell else 0)
        floor, gross = tau(bare, self.ticks), bare.gross
        return Auth(
            portfolio,
            bare.first,
            bare.gap,
            _steps(buy, gross, floor),
            _steps(sell, gross, floor),
            limits,
        )


def cash_x40(amount: float) -> int:
    """Cash X40 nearest to so many dollars."""
    return round(amount * CASH_PER_DOLLAR * X40)


def whole_cash_x40(amount: float) -> int:
    """The fewest whole cash units, X40, that are so many dollars."""
    return math.ceil(round(amount * CASH_PER_DOLLAR, 6)) * X40


def lots_x44(count: float) -> int:
    """The fewest whole lots, X44, that are so many shares."""
    return math.ceil(round(count * LOTS_PER_SHARE, 6)) * X44


def dollars(price: int) -> float:
    """Dollars a share of a clearing price X84."""
    return price / X84 * LOTS_PER_SHARE / CASH_PER_DOLLAR


def shares(lots: int) -> float:
    """Shares of lots X44."""
    return lots / X44 / LOTS_PER_SHARE


def _steps(side: Side | None, gross: int, floor: int) -> tuple[Step, ...]:
    if side is None:
        return ()
    bare = [Step(width, 0) for width, _ in side.steps]
    least = drops(bare, gross, floor)
    return tuple(
        Step(width, max(0, cash_x40(distance) - guard))
        for (width, distance), guard in zip(side.steps, least, strict=True)
    )


def _listed(number: int, price: float) -> Product:
    """A product listed at ``price`` dollars a share, its house full."""
    per_lot = price * CASH_PER_DOLLAR / LOTS_PER_SHARE
    scale = round(per_lot * X24)
    house = house_log2(COVER_CAP, scale)
    return Product(
        id=number,
        house=X44 << house,
        reference=scale << 16,
        scale=scale,
        tick_bps=1,
        depth_log2=round(float(np.log2(_DEPTH * CASH_PER_DOLLAR / per_lot))),
        house_log2=house,
    )
