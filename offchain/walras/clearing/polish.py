"""From a float root to THE integer prices: Newton's method in exact arithmetic (MATHEMATICS).

The clearing prices are the one zero of the excess demand r(p) = z(p) - ε (p - ref), the downhill
gradient of a strictly convex function that is quadratic on each cell of a finite partition. Newton
steps with an exact line search therefore end after finitely many steps, from any start (Sun,
Mathematical Programming 76, 1997). Residuals are exact integers, so cancellation cannot hide where
the zero is; only the steps are rounded. Costs do not change that: at every point their shadow
prices are first solved for exactly, which leaves the same kind of function.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from walras.clearing.exact import GUARD, PRICE_BITS, QUANTITY_BITS, ExactBook, Response
from walras.clearing.limbs import Floats, integers
from walras.clearing.line import Line
from walras.clearing.shadows import Shadows
from walras.clearing.system import maker_slopes, newton_step
from walras.errors import ClearingError

__all__ = ["Polished", "polish"]

_ULP = 1 << GUARD
_PATIENCE = 60  # steps from a given start before the search begins again without it
_THINNING = 5  # bits of the maker's depth taken away per stage
_STAGE_STEPS = 30  # a stage that is not done by then is left to the next one


@dataclass(frozen=True, slots=True)
class Polished:
    """Accepted prices X84 by product and shadow prices X84 by cost, in the order of the book.

    Also the Newton steps and evaluations they took.
    """

    prices: tuple[int, ...]
    shadows: tuple[int, ...]
    steps: int
    evaluations: int


def polish(
    book: ExactBook,
    start: Sequence[int] | None = None,
    shadows: Sequence[int] | None = None,
    *,
    max_steps: int = 2000,
) -> Polished:
    """The X84 prices next to the root of `book`, sought from `start` (X84, by product index).

    Without a start the search begins at the references with a deep maker that is thinned out.
    `shadows` (X84, by cost) is only a guess. Raises ClearingError, with the worst product and its
    residue, if the steps do not suffice.
    """
    search = _Search(book, start, shadows)
    if start is None or not search.walk(_PATIENCE):
        search.thin_out()
        if not search.walk(max_steps):
            product, residue = search.worst()
            raise ClearingError(
                f"no accepted prices after {search.steps} exact steps: the book's product "
                f"{product} is {residue:.3g} lots from clearing; keep the book, it shows a defect"
            )
    prices, bound = search.rounded()
    return Polished(prices, bound, search.steps, search.evaluations)


@dataclass(frozen=True, slots=True)
class _Point:
    """Prices and shadow prices X112, and the excess demand X72 that they leave."""

    prices: list[int]
    shadows: list[int]
    answer: Response
    excess: list[int]


class _Search:
    """A point, and the steps between points.

    depth: how many times as deep as the protocol's the maker of each product is taken.
    """

    def __init__(
        self, book: ExactBook, start: Sequence[int] | None, shadows: Sequence[int] | None
    ) -> None:
        self.book = book
        self.steps = 0
        self.evaluations = 0
        self.costs = Shadows(book)
        self.depth = [1] * book.products
        prices = self._references() if start is None else [price << GUARD for price in start]
        guess = [price << GUARD for price in shadows or [0] * len(book.costs)]
        self.point = self._respond(prices, guess)

    def walk(self, most: int) -> bool:
        """Up to `most` steps from here until the rounded prices are accepted."""
        for _ in range(most):
            if self._arrived() and self.book.accepts(*self.rounded()):
                return True
            self._step()
        return False

    def rounded(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The point on the X84 grid."""
        return _rounded(self.point.prices), _rounded(self.point.shadows)

    def thin_out(self) -> None:
        """Follow the root while the maker thins from the depth of the whole book to its own."""
        self.point = self._respond(self._references(), self.point.shadows)
        capacity = self.book.capacity()
        deep = [max(1, lots << 17) for lots in capacity]
        for stage in range(0, max(deep, default=1).bit_length(), _THINNING):
            self._deepen([max(1, depth >> stage) for depth in deep])
            close = [(lots << QUANTITY_BITS - 4 >> stage) + _ULP for lots in capacity]
            for _ in range(_STAGE_STEPS):
                if all(abs(e) <= c for e, c in zip(self.point.excess, close, strict=True)):
                    break
                self._step()
        self._deepen([1] * self.book.products)

    def _arrived(self) -> bool:
        """Whether rounding to X84 keeps every product within its tolerance (MATHEMATICS §6)."""
        sloped = self.point.answer.sloped.tolist()
        return all(
            4 * abs(excess) <= (2 + count) * _ULP
            for excess, count in zip(self.point.excess, sloped, strict=False)
        )

    def worst(self) -> tuple[int, float]:
        """The product furthest from clearing and its excess in lots."""
        sizes = [abs(excess) for excess in self.point.excess]
        product = max(range(len(sizes)), key=sizes.__getitem__)
        return product, sizes[product] / 2**QUANTITY_BITS

    def _step(self) -> None:
        """One Newton step, cut or stretched to where the downhill slope along it vanishes."""
        self.steps += 1
        here = self.point
        free = self.costs.free(here.shadows)
        direction = newton_step(
            self.book, here.answer.ramp, here.excess, self.depth, self.costs.reduction, free
        )
        cash = np.array([d / 2**PRICE_BITS for d in direction])
        follow = self.costs.follow(here.answer, here.shadows, cash)
        pull = [int(math.ldexp(move, PRICE_BITS)) for move in follow.tolist()]
        initial = _dot(here.excess, direction)
        line = Line()
        while True:
            point = self._respond(
                line.moved(here.prices, direction), line.moved(here.shadows, pull)
            )
            slope = _dot(point.excess, direction)
            tolerance = 2 if line.whole else 10
            if tolerance * abs(slope) <= initial or line.exhausted:
                break
            line.next(slope / initial, self._bend(point, cash) / _lots_times_cash(initial))
        self.point = point

    def _bend(self, point: _Point, cash: Floats) -> float:
        """How fast the slope along `cash` falls there: Σ slope (w·d - g·λ')² + Σ ε d²."""
        rows = self.book.rows
        curves = len(rows.leg_ptr) - 1
        moves = np.concatenate([cash, self.costs.follow(point.answer, point.shadows, cash)])
        row = np.repeat(np.arange(curves), np.diff(rows.leg_ptr))
        moved = np.bincount(row, rows.leg_weight * moves[rows.leg_product], curves)
        maker = maker_slopes(self.book, self.depth)
        return float(self.book.slopes(point.answer.ramp) @ moved**2 + maker @ cash**2)

    def _references(self) -> list[int]:
        return [reference << PRICE_BITS - 40 for reference in self.book.reference]

    def _deepen(self, depth: list[int]) -> None:
        """Take the maker that deep, here."""
        self.depth = depth
        self.point = self._respond(self.point.prices, self.point.shadows)

    def _respond(self, prices: list[int], guess: Sequence[int]) -> _Point:
        self.evaluations += 1
        shadows, answer = self.costs.settle(prices, guess)
        sums = zip(integers(answer.demand), self.depth, self.book.maker(prices), strict=False)
        return _Point(
            prices, shadows, answer, [demand - depth * supply for demand, depth, supply in sums]
        )


def _rounded(prices: Sequence[int]) -> tuple[int, ...]:
    return tuple((price + _ULP // 2) >> GUARD for price in prices)


def _dot(excess: Sequence[int], direction: Sequence[int]) -> int:
    return sum(e * d for e, d in zip(excess, direction, strict=True))


def _lots_times_cash(product: int) -> float:
    return product / (1 << QUANTITY_BITS + PRICE_BITS)
