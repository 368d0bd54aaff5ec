"""Demand curves as exact rational functions, SPEC §3 in natural units.

Rates are portfolio units, prices cash units per portfolio unit, all `Fraction`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

Steps = tuple[tuple[int, int], ...]  # width, increment X40


@dataclass(frozen=True)
class Ramp:
    """One step of a side: demand rises from 0 at `top` to `width` at `top - drop`."""

    width: Fraction
    top: Fraction
    drop: Fraction

    def rate(self, pi: Fraction) -> Fraction:
        return self.width * min(max((self.top - pi) / self.drop, Fraction(0)), Fraction(1))

    def divided(self, pi: Fraction) -> bool:
        return self.top - self.drop < pi < self.top

    def cut(self, width: Fraction) -> Ramp:
        """Its first `width` units."""
        if width >= self.width:
            return self
        return Ramp(width, self.top, self.drop * width / self.width)


Signed = tuple[int, Ramp]  # a sign of -1 means prices and rates are mirrored


@dataclass(frozen=True)
class Order:
    """An auth as read off the wire: `sides` are (sign, first X40 as mirrored, steps)."""

    legs: tuple[tuple[int, int], ...]  # product, weight
    bid: int | None  # X40
    ask: int | None
    buy: Steps
    sell: Steps
    limits: tuple[int, int] | None = None  # low, high: sold and bought at most, for life
    guard: int = 0  # G: sum of its coefficients in costs

    @property
    def window(self) -> int:
        return sum(abs(weight) for _, weight in self.legs) + self.guard

    def sides(self) -> Iterator[tuple[int, int, Steps]]:
        yield from sides_of(self)

    def ramps(self, ticks: Mapping[int, int]) -> Iterator[Signed]:
        """(sign, ramp) of every step, limits aside."""
        tau = sum(abs(weight) * ticks[product] for product, weight in self.legs)
        yield from ramps_of(self, self.window, tau)

    def room(self, done: int) -> tuple[int, int]:
        """(A, B) X44: most it may still sell and buy in a batch."""
        sold, bought = (2**44 * sum(width for width, _ in side) for side in (self.sell, self.buy))
        if self.limits is None:
            return sold, bought
        low, high = self.limits
        return min(sold, low * 2**44 + done), min(bought, high * 2**44 - done)

    def domain(self, ticks: Mapping[int, int], done: int) -> Iterator[Signed]:
        """The ramps cut by what is left of the limits: the curve that clears."""
        sold, bought = self.room(done)
        left = {1: Fraction(bought, 2**44), -1: Fraction(sold, 2**44)}
        for sign, ramp in self.ramps(ticks):
            cut = ramp.cut(left[sign])
            left[sign] -= cut.width
            if cut.width > 0:
                yield sign, cut


@dataclass(frozen=True)
class Cost:
    """A cost as read off the wire: a curve over the sum of coefficient · rate."""

    terms: tuple[tuple[int, int], ...]  # index of the auth, coefficient
    bid: int | None  # X40
    ask: int | None
    buy: Steps
    sell: Steps

    @property
    def window(self) -> int:
        return sum(abs(coefficient) for _, coefficient in self.terms)

    def ramps(self) -> Iterator[Signed]:
        yield from ramps_of(self, self.window, 1)

    @property
    def top(self) -> Fraction:
        """Marginal value below the curve."""
        first = self.bid if self.ask is None else self.ask
        assert first is not None
        return Fraction(first, 2**40) + sum(ramp.drop for sign, ramp in self.ramps() if sign < 0)

    @property
    def bottom(self) -> Fraction:
        """Marginal value above the curve."""
        first = self.ask if self.bid is None else self.bid
        assert first is not None
        return Fraction(first, 2**40) - sum(ramp.drop for sign, ramp in self.ramps() if sign > 0)

    @property
    def touches(self) -> int:
        """C_d."""
        return 2 + sum(abs(coefficient) + 1 for _, coefficient in self.terms)

    def demand(self, shadow: int) -> int:
        """S X44 at λ X84."""
        return sum(
            sign * floor(ramp.rate(sign * Fraction(shadow, 2**84)) * 2**44)
            for sign, ramp in self.ramps()
        )

    def slope(self, shadow: int) -> int:
        """Of the steps that λ X84 divides, X40 rounded up."""
        return sum(
            ceil(ramp.drop * 2**40 / ramp.width)
            for sign, ramp in self.ramps()
            if ramp.width > 0 and ramp.divided(sign * Fraction(shadow, 2**84))
        )


def sides_of(curve: Order | Cost) -> Iterator[tuple[int, int, Steps]]:
    if curve.bid is not None:
        yield 1, curve.bid, curve.buy
    if curve.ask is not None:
        yield -1, -curve.ask, curve.sell


def ramps_of(curve: Order | Cost, gross: int, floor_drop: int) -> Iterator[Signed]:
    for sign, first, steps in sides_of(curve):
        top = first
        for width, increment in steps:
            drop = increment + max(floor_drop, gross**2 * width)
            yield sign, Ramp(Fraction(width), Fraction(top, 2**40), Fraction(drop, 2**40))
            top -= drop


def exact_rate(
    order: Order, ticks: Mapping[int, int], pi: Fraction, done: int | None = None
) -> Fraction:
    """D(π) without any rounding; with `done` X44 as its limits let it."""
    ramps = order.ramps(ticks) if done is None else order.domain(ticks, done)
    return sum((sign * ramp.rate(sign * pi) for sign, ramp in ramps), start=Fraction(0))


def demand(
    order: Order, ticks: Mapping[int, int], pi_x84: int, done: int = 0
) -> tuple[int, bool, int]:
    """(D X44, sloped, loss X40) as the contract computes them."""
    pi = Fraction(pi_x84, 2**84)
    window = Fraction(order.window, 2**84)
    rate, sloped, loss = 0, False, 0
    for sign, ramp in order.ramps(ticks):
        here = sign * pi
        rate += sign * floor(ramp.rate(here) * 2**44)
        if ramp.width > 0:
            sloped |= ramp.top - ramp.drop - window < here < ramp.top + window
            if ramp.divided(here):
                loss += ceil(ramp.drop * 2**40 / ramp.width)
    sold, bought = order.room(done)
    sloped &= -sold - 1 <= rate <= bought + 1
    return sorted((-sold, rate, bought))[1], sloped, loss


def effective(
    orders: Sequence[Order],
    costs: Sequence[Cost],
    prices: Mapping[int, int],
    shadows: Sequence[int],
) -> list[int]:
    """π X84 of every order."""
    return [
        sum(weight * prices[k] for k, weight in order.legs)
        - sum(
            coefficient * shadow
            for cost, shadow in zip(costs, shadows, strict=True)
            for index, coefficient in cost.terms
            if index == j
        )
        for j, order in enumerate(orders)
    ]
