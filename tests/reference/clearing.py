"""THE clearing prices of a small book: Newton in rationals with exact line search.

Excess demand z(p) − ε(p − ref) is the downhill gradient of a strictly convex, piecewise quadratic
function; with exact line search Newton ends after finitely many steps (Sun, Mathematical
Programming 76, 1997). Rates are portfolio units, prices cash units, all `Fraction`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from tests.reference.curves import Order, Ramp

Vector = list[Fraction]
ZERO = Fraction(0)
GRID = 2**200  # iterates are rounded to it after a damped step, so that they stay short


@dataclass(frozen=True)
class Maker:
    """Product id, reference in cash units per lot, slope ε in lots per cash unit."""

    product: int
    reference: Fraction
    epsilon: Fraction


def maker_of(product: int, reference: int, scale: int) -> Maker:
    """`reference` X40, `scale` X24 as on chain."""
    return Maker(product, Fraction(reference, 2**40), Fraction(2**24, scale) / 2**10)


@dataclass(frozen=True)
class Book:
    makers: Sequence[Maker]
    ramps: Sequence[tuple[Vector, Ramp]]  # weights as mirrored, so that demand is weight · rate

    @classmethod
    def of(cls, makers: Sequence[Maker], orders: Sequence[Order], ticks: Mapping[int, int]) -> Book:
        index = {maker.product: i for i, maker in enumerate(makers)}
        ramps = []
        for order in orders:
            for sign, ramp in order.ramps(ticks):
                weights = [ZERO] * len(makers)
                for product, weight in order.legs:
                    weights[index[product]] = Fraction(sign * weight)
                ramps.append((weights, ramp))
        return cls(makers, ramps)

    def excess(self, p: Vector) -> Vector:
        total = [-m.epsilon * (x - m.reference) for m, x in zip(self.makers, p, strict=True)]
        for weights, ramp in self.ramps:
            rate = ramp.rate(dot(weights, p))
            total = [t + w * rate for t, w in zip(total, weights, strict=True)]
        return total

    def stiffness(self, p: Vector) -> list[Vector]:
        """Minus the Jacobian of `excess` on the piece that starts at p."""
        size = len(self.makers)
        h = [[self.makers[i].epsilon if i == j else ZERO for j in range(size)] for i in range(size)]
        for weights, ramp in self.ramps:
            if ramp.top - ramp.drop <= dot(weights, p) < ramp.top:
                slope = ramp.width / ramp.drop
                for i in range(size):
                    for j in range(size):
                        h[i][j] += slope * weights[i] * weights[j]
        return h

    def step(self, p: Vector, d: Vector) -> Fraction:
        """t ≥ 0 at which excess · d, which falls in t, is zero."""
        kinks = set()
        for weights, ramp in self.ramps:
            speed, here = dot(weights, d), dot(weights, p)
            if speed:
                kinks |= {(m - here) / speed for m in (ramp.top, ramp.top - ramp.drop)}
        low = ZERO
        for high in sorted(t for t in kinks if t > 0):
            if self.pull(p, d, high) <= 0:
                break
            low = high
        else:
            high = low + 1
        # excess · d is linear between the kinks around its zero
        at_low, at_high = self.pull(p, d, low), self.pull(p, d, high)
        return low + (high - low) * at_low / (at_low - at_high)

    def pull(self, p: Vector, d: Vector, t: Fraction) -> Fraction:
        return dot(d, self.excess([x + t * y for x, y in zip(p, d, strict=True)]))


def dot(a: Vector, b: Vector) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), start=ZERO)


def linear_solve(matrix: list[Vector], right: Vector) -> Vector:
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for i in range(size):
        pivot = next(r for r in range(i, size) if rows[r][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for r in range(size):
            if r != i and rows[r][i]:
                factor = rows[r][i]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[size] for row in rows]


def clearing_prices(book: Book) -> Vector:
    """The exact root, cash units per lot in the order of the makers."""
    p = [maker.reference for maker in book.makers]
    for _ in range(10_000):
        excess = book.excess(p)
        if not any(excess):
            return p
        d = linear_solve(book.stiffness(p), excess)
        t = book.step(p, d)
        p = [x + t * y for x, y in zip(p, d, strict=True)]
        if t != 1:
            p = [Fraction(round(x * GRID), GRID) for x in p]
    raise AssertionError("Newton's method did not end")


def to_x84(p: Vector) -> list[int]:
    """Each price rounded to the nearest integer X84."""
    return [floor(x * 2**84 + Fraction(1, 2)) for x in p]
