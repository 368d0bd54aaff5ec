"""THE clearing prices of a small book: Newton in rationals with exact line search.

Excess demand z(p) − ε(p − ref), with S_d(λ_d) − s_d of every cost, is the downhill gradient of a
convex, piecewise quadratic function of (p, λ); with exact line search Newton ends after finitely
many steps (Sun, Mathematical Programming 76, 1997). λ stays within its cost's curve: a bound that
it would cross is held while the gradient points outside (Bertsekas, Projected Newton methods,
SIAM J. Control 20, 1982). Rates are portfolio units, prices cash units, all `Fraction`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor

from tests.reference.curves import Cost, Order, Ramp
from tests.reference.wire import Reading

Vector = list[Fraction]
ZERO = Fraction(0)
FLAT = Fraction(1, 2**100)  # far below every slope of a book
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
    ends: Sequence[tuple[Fraction, Fraction]] = ()  # bottom and top of every cost

    @classmethod
    def of(
        cls,
        makers: Sequence[Maker],
        orders: Sequence[Order],
        ticks: Mapping[int, int],
        costs: Sequence[Cost] = (),
        done: Sequence[int] | None = None,
    ) -> Book:
        """Terms of `costs` are indices into `orders`, `done` X44 the progress of each of them."""
        index = {maker.product: i for i, maker in enumerate(makers)}
        size = len(makers) + len(costs)
        ramps = []
        for j, order in enumerate(orders):
            weights = [ZERO] * size
            for product, weight in order.legs:
                weights[index[product]] = Fraction(weight)
            for d, cost in enumerate(costs):
                weights[len(makers) + d] = Fraction(-dict(cost.terms).get(j, 0))
            for sign, ramp in order.domain(ticks, done[j] if done else 0):
                ramps.append(([sign * weight for weight in weights], ramp))
        for d, cost in enumerate(costs):
            for sign, ramp in cost.ramps():
                weights = [ZERO] * size
                weights[len(makers) + d] = Fraction(sign)
                ramps.append((weights, ramp))
        return cls(makers, ramps, [(cost.bottom, cost.top) for cost in costs])

    @classmethod
    def read(
        cls,
        makers: Sequence[Maker],
        readings: Sequence[tuple[Reading, Sequence[int]]],
        ticks: Mapping[int, int],
    ) -> Book:
        """Of the submissions that trade, each with the progress of its orders with limits."""
        orders: list[Order] = []
        costs: list[Cost] = []
        progress: list[int] = []
        for reading, done in readings:
            costs += [
                replace(cost, terms=tuple((len(orders) + j, g) for j, g in cost.terms))
                for cost in reading.costs
            ]
            orders += reading.orders
            progress += reading.progress(done)
        return cls.of(makers, orders, ticks, costs, progress)

    @property
    def start(self) -> Vector:
        """References, and of every cost the end nearest to zero or zero."""
        return [maker.reference for maker in self.makers] + [
            min(max(ZERO, bottom), top) for bottom, top in self.ends
        ]

    def excess(self, x: Vector) -> Vector:
        total = [-m.epsilon * (p - m.reference) for m, p in zip(self.makers, x, strict=False)]
        total += [ZERO] * len(self.ends)
        for weights, ramp in self.ramps:
            rate = ramp.rate(dot(weights, x))
            total = [t + w * rate for t, w in zip(total, weights, strict=True)]
        return total

    def stiffness(self, p: Vector) -> list[Vector]:
        """Minus the Jacobian of `excess` on the piece that starts at p."""
        size = len(p)
        h = [[ZERO] * size for _ in range(size)]
        for i, maker in enumerate(self.makers):
            h[i][i] = maker.epsilon
        for weights, ramp in self.ramps:
            if ramp.top - ramp.drop <= dot(weights, p) < ramp.top:
                slope = ramp.width / ramp.drop
                for i in range(size):
                    for j in range(size):
                        h[i][j] += slope * weights[i] * weights[j]
        return h

    def step(self, p: Vector, d: Vector) -> Fraction | None:
        """t ≥ 0 at which excess · d, which falls in t, is zero; None if it never is."""
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
        if at_low == at_high:
            return None
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


def at_end(book: Book, x: Vector) -> set[int]:
    """Shadow prices that stand at an end of their curve."""
    first = len(book.makers)
    return {i for i, ends in enumerate(book.ends, start=first) if x[i] in ends}


def inward(book: Book, x: Vector, f: Vector, i: int) -> bool:
    """Whether the gradient moves a shadow price at its end back into its curve."""
    bottom, top = book.ends[i - len(book.makers)]
    return (f[i] > 0 and x[i] < top) or (f[i] < 0 and x[i] > bottom)


def direction(book: Book, x: Vector, f: Vector, free: Sequence[int]) -> Vector:
    """Newton's, on the free coordinates; a flat one gets so little slope that it goes first."""
    h = book.stiffness(x)
    slope = [[h[i][j] for j in free] for i in free]
    for i in range(len(free)):
        if not positive(slope, i):
            slope[i][i] += FLAT
    found = linear_solve(slope, [f[i] for i in free])
    d = [ZERO] * len(x)
    for i, value in zip(free, found, strict=True):
        d[i] = value
    return d


def positive(matrix: list[Vector], size: int) -> bool:
    """Whether the leading minor through row `size` is, those before it being so."""
    rows = [row[: size + 1] for row in matrix[: size + 1]]
    for i in range(size + 1):
        if rows[i][i] == 0:
            return False
        for r in range(i + 1, size + 1):
            factor = rows[r][i] / rows[i][i]
            rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i], strict=True)]
    return True


def room(book: Book, x: Vector, d: Vector) -> Fraction | None:
    """Largest t for which every shadow price of x + t·d lies within its ends; None: any."""
    first = len(book.makers)
    found = []
    for i, (bottom, top) in enumerate(book.ends, start=first):
        if d[i]:
            found.append(((top if d[i] > 0 else bottom) - x[i]) / d[i])
    return min(found, default=None)


def clearing_point(book: Book) -> tuple[Vector, Vector]:
    """The exact root: prices in the order of the makers, shadow prices in that of the costs."""
    x = book.start
    held = at_end(book, x)
    for _ in range(10_000):
        f = book.excess(x)
        free = [i for i in range(len(x)) if i not in held]
        if not any(f[i] for i in free):
            # what is held waits until the rest is at rest: let go sooner, ends take turns for ever
            released = next((i for i in sorted(held) if inward(book, x, f, i)), None)
            if released is None:
                return x[: len(book.makers)], x[len(book.makers) :]
            held.remove(released)
        elif any(value.denominator > GRID for value in x):  # exact, but some end was let go
            x = [rounded(value) for value in x]
        else:
            x = newton_step(book, x, direction(book, x, f, free), free)
            held |= at_end(book, x)
    raise AssertionError("Newton's method did not end")


def newton_step(book: Book, x: Vector, d: Vector, free: Sequence[int]) -> Vector:
    """The whole step if that is the root of the free coordinates, else to where the line ends."""
    most = room(book, x, d)
    whole = [x + y for x, y in zip(x, d, strict=True)]
    if (most is None or most >= 1) and not any(book.excess(whole)[i] for i in free):
        return whole
    # without a maker in its way a shadow price goes to the end of its curve
    t = min(t for t in (book.step(x, d), most) if t is not None)
    return [rounded(x + t * y) for x, y in zip(x, d, strict=True)]


def rounded(x: Fraction) -> Fraction:
    return x if x.denominator <= GRID else Fraction(round(x * GRID), GRID)


def clearing_prices(book: Book) -> Vector:
    """The exact prices, cash units per lot in the order of the makers."""
    return clearing_point(book)[0]


def to_x84(p: Vector) -> list[int]:
    """Each price rounded to the nearest integer X84."""
    return [floor(x * 2**84 + Fraction(1, 2)) for x in p]
