"""Demand curves as exact rational functions, SPEC §3 in natural units.

Rates are portfolio units, prices cash units per portfolio unit, all `Fraction`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor


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


@dataclass(frozen=True)
class Order:
    """An auth as read off the wire: `sides` are (sign, first X40 as mirrored, steps)."""

    legs: tuple[tuple[int, int], ...]  # product, weight
    bid: int | None  # X40
    ask: int | None
    buy: tuple[tuple[int, int], ...]  # width, increment X40
    sell: tuple[tuple[int, int], ...]

    @property
    def gross(self) -> int:
        return sum(abs(weight) for _, weight in self.legs)

    def sides(self) -> Iterator[tuple[int, int, tuple[tuple[int, int], ...]]]:
        if self.bid is not None:
            yield 1, self.bid, self.buy
        if self.ask is not None:
            yield -1, -self.ask, self.sell

    def ramps(self, ticks: Mapping[int, int]) -> Iterator[tuple[int, Ramp]]:
        """(sign, ramp) of every step; a sign of -1 means prices and rates are mirrored."""
        tau = sum(abs(weight) * ticks[product] for product, weight in self.legs)
        for sign, first, steps in self.sides():
            top = first
            for width, increment in steps:
                drop = increment + max(tau, self.gross**2 * width)
                yield sign, Ramp(Fraction(width), Fraction(top, 2**40), Fraction(drop, 2**40))
                top -= drop


def exact_rate(order: Order, ticks: Mapping[int, int], pi: Fraction) -> Fraction:
    """D(π) without any rounding."""
    return sum(
        (sign * ramp.rate(sign * pi) for sign, ramp in order.ramps(ticks)), start=Fraction(0)
    )


def demand(order: Order, ticks: Mapping[int, int], pi_x84: int) -> tuple[int, bool, int]:
    """(D X44, sloped, loss X40) as the contract computes them."""
    pi = Fraction(pi_x84, 2**84)
    window = Fraction(order.gross, 2**84)
    rate, sloped, loss = 0, False, 0
    for sign, ramp in order.ramps(ticks):
        here = sign * pi
        rate += sign * floor(ramp.rate(here) * 2**44)
        if ramp.width > 0:
            sloped |= ramp.top - ramp.drop - window < here < ramp.top + window
            if ramp.divided(here):
                loss += ceil(ramp.drop * 2**40 / ramp.width)
    return rate, sloped, loss
