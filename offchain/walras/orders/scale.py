"""The whole numbers that make one auth exact on chain, or an error that names the number.

A trader's portfolio of L_k lots per portfolio unit becomes weights w_k = m·L_k/g, where g is the
greatest common divisor of the |L_k|; one of the trader's units is then n = g/m units on chain, so
rates are multiplied by n and prices divided by it. m is the smallest whole number for which every
price is an integer in X40. A portfolio of one product has to have weight +1: n is its |L|, and a
short one is the long one with buying and selling swapped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from walras.auths import Leg
from walras.errors import OrderError, UnrepresentableNumber, WalrasError
from walras.numbers import MAX_WEIGHT
from walras.orders.model import Demand, HumanAuth, Side
from walras.orders.setting import RateUnit
from walras.orders.sides import sides
from walras.orders.steps import whole
from walras.units import (
    CashUnits,
    MarketUnits,
    ProductUnits,
    decimals_around,
    exact_text,
    fraction_gcd,
    nearest_decimal,
    plain_text,
)

__all__ = ["Scaled", "off_grid_price", "off_grid_rate", "scale"]


@dataclass(frozen=True, slots=True)
class Scaled:
    """An auth's legs on chain, its sides in human numbers as the chain sees them.

    ``units`` is n, chain portfolio units per unit of the trader's; ``flipped`` if buying and
    selling were swapped because the portfolio is a single short product.
    """

    legs: tuple[Leg, ...]
    units: Fraction
    flipped: bool
    buy: Side | None
    sell: Side | None


def scale(human: HumanAuth, market: MarketUnits, per: RateUnit) -> Scaled:
    """Scale ``human``, whose rates are per batch and were written ``per``.

    Raises OrderError and UnrepresentableNumber.
    """
    where = f"auth {human.name}"
    lots = _lots(human, market, where)
    buy, sell = sides(human.demand)
    flipped = len(lots) == 1 and lots[0][1] < 0
    base = fraction_gcd([abs(count) for _, count in lots])
    largest = max(abs(count) for _, count in lots) / base
    if largest > MAX_WEIGHT:
        raise _too_fine(human, market, where)
    most = 1 if len(lots) == 1 else int(MAX_WEIGHT // largest)
    shared = gcd(*_counts(human, buy, sell, base, per))
    multiple = _multiple(human, buy, sell, base, (most, shared), market.cash)
    weights = tuple(
        Leg(p.id, whole(abs(c) / base if flipped else c / base) * multiple) for p, c in lots
    )
    if flipped:
        buy, sell = sell, buy
    return Scaled(weights, base / multiple, flipped, buy, sell)


def off_grid_rate(
    rate: Fraction, grid: Fraction, per: RateUnit, what: str
) -> UnrepresentableNumber:
    """The error about a rate per batch that is no multiple of ``grid``, as it was written."""
    if per.name == "batch":
        return UnrepresentableNumber(plain_text(rate), nearest_decimal(rate, grid), what)
    written, fine = rate * per.batches, grid * per.batches
    near = " or ".join(text for text in decimals_around(written, fine) if text != "0")
    return UnrepresentableNumber(f"{plain_text(written)} {per.words}", near, what)


def off_grid_price(
    demand: Demand, price: Fraction, grid: Fraction, where: str
) -> UnrepresentableNumber:
    """The error about a price of the curve ``demand`` that is no multiple of ``grid``."""
    near = nearest_decimal(price, grid)
    if isinstance(demand, tuple) and price not in {p.price for p in demand}:
        what = f"{where}: add a point at rate 0, the price where the curve crosses it,"
        return UnrepresentableNumber(exact_text(price), near, what)
    return UnrepresentableNumber(plain_text(price), near, f"{where}: price")


def _lots(human: HumanAuth, market: MarketUnits, where: str) -> list[tuple[ProductUnits, Fraction]]:
    """Lots per portfolio unit, ascending by product."""
    lots: list[tuple[ProductUnits, Fraction]] = []
    for name, weight in human.weights:
        product = market.product(name)
        if any(product.id == other.id for other, _ in lots):
            raise OrderError(f"{where}: {product.symbol} is in the portfolio twice; add it up")
        lots.append((product, product.lots(weight)))
    return sorted(lots, key=lambda pair: pair[0].id)


def _counts(
    human: HumanAuth, buy: Side | None, sell: Side | None, base: Fraction, per: RateUnit
) -> Iterator[int]:
    """Every rate and limit in units of 1/base, which have to be whole."""
    where = f"auth {human.name}"
    for side, sign in ((buy, 1), (sell, -1)):
        for point in side.points if side else ():
            if (point.rate * base).denominator != 1:
                raise off_grid_rate(sign * point.rate, 1 / base, per, f"{where}: rate")
            yield whole(point.rate * base)
    limits = human.limits
    for limit in (limits.low, limits.high) if limits else ():
        if limit is None:
            continue
        if (limit * base).denominator != 1:
            near = nearest_decimal(limit, 1 / base)
            raise UnrepresentableNumber(plain_text(limit), near, f"{where}: cumulative limit")
        yield whole(limit * base)


def _multiple(
    human: HumanAuth,
    buy: Side | None,
    sell: Side | None,
    base: Fraction,
    bounds: tuple[int, int],
    cash: CashUnits,
) -> int:
    """The smallest m that puts every price of ``human`` on the chain's grid.

    ``bounds``: it is at most the first and divides the second, for the rates' sake.
    """
    most, shared = bounds
    bids, asks = (side.points if side else () for side in (buy, sell))
    prices = [p.price for p in bids] + [-p.price for p in asks]
    needed = lcm(*((cash.x40(price) / base).denominator for price in prices))
    if shared % needed == 0 and needed <= most:
        return needed
    possible = gcd(shared, needed)
    grid = base / cash.x40(Fraction(possible if possible <= most else 1))
    price = next(p for p in prices if (p / grid).denominator != 1)
    raise off_grid_price(human.demand, price, grid, f"auth {human.name}")


def _too_fine(human: HumanAuth, market: MarketUnits, where: str) -> WalrasError:
    """Weights so unlike that no unit counts all of them within 2^20: suggest fewer digits."""
    for places in range(20, -1, -1):
        grid = Fraction(1, 10**places)
        rounded = [round(weight / grid) * grid for _, weight in human.weights]
        lots = [
            abs(market.product(name).lots(near))
            for (name, _), near in zip(human.weights, rounded, strict=True)
        ]
        if not all(lots) or max(lots) / fraction_gcd(lots) > MAX_WEIGHT:
            continue
        for (name, weight), near in zip(human.weights, rounded, strict=True):
            if weight != near:
                what = f"{where}: weight of {name}"
                return UnrepresentableNumber(plain_text(weight), plain_text(near), what)
    return OrderError(
        f"{where}: the weights are too unlike each other; in lots the largest may be "
        f"{MAX_WEIGHT:,} times the smallest"
    )
