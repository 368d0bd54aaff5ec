"""Orders in human units into the chain's integers: exact, or an error that names the number.

A trader's portfolio of L_k lots per portfolio unit becomes weights w_k = m·L_k/g, where g is the
greatest common divisor of the |L_k|; one of the trader's units is then n = g/m units on chain, so
rates are multiplied by n and prices divided by it. m is the smallest whole number for which every
price is an integer in X40. A portfolio of one product has to have weight +1: n is its |L|, and a
short one is the long one with buying and selling swapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import gcd, lcm

from walras.curve import drops, tau
from walras.errors import OrderError, UnrepresentableNumber, WalrasError
from walras.numbers import (
    MAX_CURVE_PRICE,
    MAX_PRODUCTS,
    MAX_RATE,
    MAX_STEPS,
    MAX_WEIGHT,
    X44,
)
from walras.orders.escrow import Holdings
from walras.orders.model import HumanAuth, Order, Side
from walras.orders.sides import sides
from walras.submission import Auth, Leg, Step, Submission
from walras.units import (
    CashUnits,
    MarketUnits,
    ProductUnits,
    exact_text,
    floor_text,
    fraction_gcd,
    nearest_decimal,
    plain_text,
)

__all__ = ["Converted", "convert"]


@dataclass(frozen=True, slots=True)
class Converted:
    """One auth on chain, and how to read it back.

    ``units`` is n, chain portfolio units per unit of the trader's; ``flipped`` if buying and
    selling were swapped because the portfolio is a single short product.
    """

    human: HumanAuth
    auth: Auth
    units: Fraction
    flipped: bool

    def rate(self, chain: Fraction | int) -> Fraction:
        """The trader's rate (signed, portfolio units per batch) of a chain rate."""
        return Fraction(chain) / (-self.units if self.flipped else self.units)

    def price(self, chain_x40: Fraction | int, cash: CashUnits) -> Fraction:
        """The trader's price (cash tokens per portfolio unit) of a curve price in X40."""
        return cash.cash(Fraction(chain_x40) * (-self.units if self.flipped else self.units))


def convert(
    order: Order, market: MarketUnits, held: Holdings | None = None
) -> tuple[Submission, tuple[Converted, ...]]:
    """The submission that means ``order`` in ``market``, and each auth with its scale.

    ``held`` is what unlimited sides may use up, after the limited auths and in file order.
    Raises OrderError and UnrepresentableNumber.
    """
    plans = [_plan(auth, market) for auth in order.auths]
    if held is not None:
        for plan in plans:
            if not plan.unlimited:
                held = held.less(plan.build(None).auth)
    done = []
    for plan in plans:
        converted = plan.build(held)
        if plan.unlimited and held is not None:
            held = held.less(converted.auth)
        done.append(converted)
    submission = Submission(tuple(c.auth for c in done), order.valid_until)
    if len(submission.products) > MAX_PRODUCTS:
        raise OrderError(
            f"{len(submission.products)} products; a submission touches at most {MAX_PRODUCTS}"
        )
    return submission, tuple(done)


@dataclass(frozen=True, slots=True)
class _Plan:
    """An auth whose scale is fixed but whose unlimited sides are not."""

    human: HumanAuth
    legs: tuple[Leg, ...]
    units: Fraction
    flipped: bool
    buy: Side | None
    sell: Side | None
    market: MarketUnits

    @property
    def unlimited(self) -> bool:
        return any(side is not None and side.unlimited for side in (self.buy, self.sell))

    def build(self, held: Holdings | None) -> Converted:
        """The auth, its unlimited sides cut to what ``held`` covers."""
        bids, asks = self._points(self.buy, 1, held), self._points(self.sell, -1, held)
        first = bids[0][1] if bids else -asks[0][1]
        gap = -asks[0][1] - first if bids and asks else 0
        bare = Auth(self.legs, first, gap)
        floor = tau(bare, self.market.ticks())
        buy, sell = (_steps(points, bare.gross, floor) for points in (bids, asks))
        for points, steps in ((bids, buy), (asks, sell)):
            if points:
                self._check_widths(points, steps, sum(drops(steps, bare.gross, floor)))
        return Converted(self.human, replace(bare, buy=buy, sell=sell), self.units, self.flipped)

    def _points(
        self, side: Side | None, sign: int, held: Holdings | None
    ) -> tuple[tuple[int, int], ...]:
        """The side in chain units: (rate, mirrored price X40), all exact by the choice of scale."""
        if side is None:
            return ()
        points = tuple(
            (_whole(p.rate * self.units), _whole(self.market.cash.x40(p.price) / self.units))
            for p in side.points
        )
        if not side.unlimited:
            return points
        first = points[0][1]
        return (*points, (self._most(first, sign, held), first))

    def _most(self, first: int, sign: int, held: Holdings | None) -> int:
        """The largest rate that ``held`` covers at the limit ``first``, of an unlimited side."""
        where = f"auth {self.human.name}"
        missing = "max_rate" if (sign > 0) != self.flipped else "min_rate"
        if held is None:
            raise OrderError(
                f"{where}: without {missing} it trades all that the account's escrow covers; "
                f"choose an account with --account, or give {missing}"
            )
        bounds = [
            held.lots.get(leg.product, 0) // (abs(leg.weight) * X44)
            for leg in self.legs
            if leg.weight * sign < 0
        ]
        if first > 0:
            bounds.append(held.cash // first)
        if not bounds:
            raise OrderError(f"{where}: no escrow limits this side; give {missing}")
        most = min(*bounds, MAX_RATE - 1)
        if most <= 0:
            raise OrderError(
                f"{where}: without {missing} it trades all that the account's escrow covers, "
                f"and nothing is left for it; deposit first, or give {missing}"
            )
        return most

    def _check_widths(
        self, points: Sequence[tuple[int, int]], steps: Sequence[Step], fall: int
    ) -> None:
        where = f"auth {self.human.name}"
        if len(steps) > MAX_STEPS:
            raise OrderError(
                f"{where}: {len(steps)} segments on one side of rate 0; at most {MAX_STEPS}"
            )
        if points[-1][0] >= MAX_RATE:
            most = floor_text((MAX_RATE - 1) / self.units, 6)
            raise OrderError(f"{where}: the rate is too large; at most {most} per batch")
        first = points[0][1]
        if max(abs(first), fall - first) > MAX_CURVE_PRICE:
            most = floor_text(self.market.cash.cash(MAX_CURVE_PRICE * self.units), 0)
            raise OrderError(
                f"{where}: a price is too large or the curve too long; prices stay within ±{most}"
            )


def _plan(human: HumanAuth, market: MarketUnits) -> _Plan:
    where = f"auth {human.name}"
    lots: list[tuple[ProductUnits, Fraction]] = []
    for name, weight in human.weights:
        product = market.product(name)
        if any(product.id == other.id for other, _ in lots):
            raise OrderError(f"{where}: {product.symbol} is in the portfolio twice; add it up")
        lots.append((product, product.lots(weight)))
    lots.sort(key=lambda pair: pair[0].id)
    buy, sell = sides(human.demand)
    flipped = len(lots) == 1 and lots[0][1] < 0
    base = fraction_gcd([abs(count) for _, count in lots])
    largest = max(abs(count) for _, count in lots) / base
    if largest > MAX_WEIGHT:
        raise _too_fine(human, market, where)
    most = 1 if len(lots) == 1 else int(MAX_WEIGHT // largest)
    multiple = _multiple(human, buy, sell, base, most, market.cash)
    weights = tuple(
        Leg(p.id, _whole(abs(c) / base if flipped else c / base) * multiple) for p, c in lots
    )
    if flipped:
        buy, sell = sell, buy
    return _Plan(human, weights, base / multiple, flipped, buy, sell, market)


def _multiple(
    human: HumanAuth,
    buy: Side | None,
    sell: Side | None,
    base: Fraction,
    most: int,
    cash: CashUnits,
) -> int:
    """The smallest m ≤ ``most`` that puts every rate and price of ``human`` on the chain's grid."""
    where = f"auth {human.name}"
    bids, asks = (side.points if side else () for side in (buy, sell))
    for rate in [p.rate for p in bids] + [-p.rate for p in asks]:
        if (rate * base).denominator != 1:
            near = nearest_decimal(rate, 1 / base)
            raise UnrepresentableNumber(plain_text(rate), near, f"{where}: rate")
    prices = [p.price for p in bids] + [-p.price for p in asks]
    shared = gcd(*(_whole(p.rate * base) for p in (*bids, *asks)))
    needed = lcm(*((cash.x40(price) / base).denominator for price in prices))
    if shared % needed == 0 and needed <= most:
        return needed
    possible = gcd(shared, needed)
    grid = base / cash.x40(Fraction(possible if possible <= most else 1))
    price = next(p for p in prices if (p / grid).denominator != 1)
    raise _off_grid_price(human, price, nearest_decimal(price, grid), where)


def _off_grid_price(
    human: HumanAuth, price: Fraction, near: str, where: str
) -> UnrepresentableNumber:
    if isinstance(human.demand, tuple) and price not in {p.price for p in human.demand}:
        what = f"{where}: add a point at rate 0, the price where the curve crosses it,"
        return UnrepresentableNumber(exact_text(price), near, what)
    return UnrepresentableNumber(plain_text(price), near, f"{where}: price")


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


def _steps(points: Sequence[tuple[int, int]], gross: int, floor: int) -> tuple[Step, ...]:
    """Steps whose curve never lies above ``points`` and meets each that is steep enough.

    Where the guard max(τ, W²·width) makes a step fall further than asked, the steps after it
    give the difference back as soon as they can.
    """
    steps = []
    price = points[0][1] if points else 0
    for (left, _), (right, asked) in pairwise(points):
        width = right - left
        if width == 0 and price <= asked:
            continue
        guard = max(floor, gross * gross * width)
        increment = max(0, price - guard - asked)
        price -= guard + increment
        steps.append(Step(width, increment))
    return tuple(steps)


def _whole(value: Fraction) -> int:
    assert value.denominator == 1, value
    return value.numerator
