"""From a float root to THE integer prices: Newton's method in exact arithmetic (MATHEMATICS).

The clearing prices are the one zero of the excess demand r(p) = z(p) - ε (p - ref), the downhill
gradient of a strictly convex function that is quadratic on each cell of a finite partition. Newton
steps with an exact line search therefore end after finitely many steps, from any start (Sun,
Mathematical Programming 76, 1997). Residuals are exact integers, so cancellation cannot hide where
the zero is; only the steps are rounded.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from walras.clearing.exact import GUARD, PRICE_BITS, QUANTITY_BITS, ExactBook, Response
from walras.clearing.limbs import integers
from walras.clearing.system import maker_slopes, newton_step
from walras.errors import ClearingError

__all__ = ["Polished", "polish"]

_ULP = 1 << GUARD
_PATIENCE = 60  # steps from a given start before the search begins again without it
_THINNING = 5  # bits of the maker's depth taken away per stage
_STAGE_STEPS = 30  # a stage that is not done by then is left to the next one
_LENGTH_BITS = 60  # resolution of a step length


@dataclass(frozen=True, slots=True)
class Polished:
    """Accepted prices X84 by product index, and the Newton steps and evaluations they took."""

    prices: tuple[int, ...]
    steps: int
    evaluations: int


def polish(
    book: ExactBook, start: Sequence[int] | None = None, *, max_steps: int = 2000
) -> Polished:
    """The X84 prices next to the root of `book`, sought from `start` (X84, by product index).

    Without a start the search begins at the references with a deep maker that is thinned out.
    Raises ClearingError, with the worst product and its residue, if the steps do not suffice.
    """
    search = _Search(book, start)
    if start is None or not search.walk(_PATIENCE):
        search.thin_out()
        if not search.walk(max_steps):
            product, residue = search.worst()
            raise ClearingError(
                f"no accepted prices after {search.steps} exact steps: the book's product "
                f"{product} is {residue:.3g} lots from clearing; keep the book, it shows a defect"
            )
    return Polished(search.rounded(), search.steps, search.evaluations)


class _Search:
    """A point, the excess demand there, and the steps between points.

    prices (X112) and excess (X72) by product; depth: how many times as deep as the protocol's the
    maker of each product is taken.
    """

    prices: list[int]
    depth: list[int]
    excess: list[int]
    answer: Response

    def __init__(self, book: ExactBook, start: Sequence[int] | None) -> None:
        self.book = book
        self.steps = 0
        self.evaluations = 0
        self.prices = self._references() if start is None else [price << GUARD for price in start]
        self._deepen([1] * book.products)

    def walk(self, most: int) -> bool:
        """Up to `most` steps from here until the rounded prices are accepted."""
        for _ in range(most):
            if self._arrived() and self.book.accepts(self.rounded()):
                return True
            self._step()
        return False

    def rounded(self) -> tuple[int, ...]:
        """The point on the X84 grid."""
        return tuple((price + _ULP // 2) >> GUARD for price in self.prices)

    def thin_out(self) -> None:
        """Follow the root while the maker thins from the depth of the whole book to its own."""
        self.prices = self._references()
        capacity = self.book.capacity()
        deep = [max(1, lots << 17) for lots in capacity]
        for stage in range(0, max(deep, default=1).bit_length(), _THINNING):
            self._deepen([max(1, depth >> stage) for depth in deep])
            close = [(lots << QUANTITY_BITS - 4 >> stage) + _ULP for lots in capacity]
            for _ in range(_STAGE_STEPS):
                if all(abs(e) <= c for e, c in zip(self.excess, close, strict=True)):
                    break
                self._step()
        self._deepen([1] * self.book.products)

    def _arrived(self) -> bool:
        """Whether rounding to X84 keeps every product within its tolerance (MATHEMATICS §6)."""
        return all(
            4 * abs(excess) <= (2 + count) * _ULP
            for excess, count in zip(self.excess, self.answer.sloped.tolist(), strict=True)
        )

    def worst(self) -> tuple[int, float]:
        """The product furthest from clearing and its excess in lots."""
        sizes = [abs(excess) for excess in self.excess]
        product = max(range(len(sizes)), key=sizes.__getitem__)
        return product, sizes[product] / 2**QUANTITY_BITS

    def _step(self) -> None:
        """One Newton step, cut or stretched to where the downhill slope along it vanishes."""
        self.steps += 1
        direction = newton_step(self.book, self.answer.ramp, self.excess, self.depth)
        initial = _dot(self.excess, direction)
        line = _Line()
        while True:
            scaled = int(math.ldexp(line.length, _LENGTH_BITS))
            moves = [d * scaled >> _LENGTH_BITS for d in direction]
            point = [price + move for price, move in zip(self.prices, moves, strict=True)]
            answer, excess = self._respond(point)
            slope = _dot(excess, direction)
            tolerance = 2 if line.length == 1.0 else 10
            if tolerance * abs(slope) <= initial or line.exhausted:
                break
            line.next(slope / initial, self._bend(answer, direction) / _lots_times_cash(initial))
        self.prices, self.answer, self.excess = point, answer, excess

    def _bend(self, answer: Response, direction: Sequence[int]) -> float:
        """How fast the slope along `direction` falls: Σ slope (w·d)² + Σ ε d², lots times cash."""
        rows = self.book.rows
        cash = np.array([d / 2**PRICE_BITS for d in direction])
        row = np.repeat(np.arange(self.book.auths), np.diff(rows.leg_ptr))
        moved = np.bincount(row, rows.leg_weight * cash[rows.leg_product], self.book.auths)
        maker = maker_slopes(self.book, self.depth)
        return float(self.book.slopes(answer.ramp) @ moved**2 + maker @ cash**2)

    def _references(self) -> list[int]:
        return [reference << PRICE_BITS - 40 for reference in self.book.reference]

    def _deepen(self, depth: list[int]) -> None:
        """Take the maker that deep, here."""
        self.depth = depth
        self.answer, self.excess = self._respond(self.prices)

    def _respond(self, prices: Sequence[int]) -> tuple[Response, list[int]]:
        self.evaluations += 1
        answer = self.book.respond(prices)
        sums = zip(integers(answer.demand), self.depth, self.book.maker(prices), strict=True)
        return answer, [demand - depth * supply for demand, depth, supply in sums]


class _Line:
    """The next length to try along a direction on which the slope falls monotonically through 0."""

    def __init__(self) -> None:
        self.length = 1.0
        self._low, self._high = 0.0, math.inf

    @property
    def exhausted(self) -> bool:
        """Whether the zero is bracketed as closely as lengths resolve."""
        resolution = max(2.0 ** (2 - _LENGTH_BITS), 2.0**-50 * self._low)
        return self._high - self._low <= resolution or self.length > 2.0**40

    def next(self, slope: float, bend: float) -> None:
        """Newton from a slope and its rate of fall (both relative to the slope at 0), bracketed."""
        if slope > 0:
            self._low = self.length
        else:
            self._high = self.length
        low, high = self._low, self._high
        guess = self.length + slope / bend
        margin = 0.01 * (high - low)
        if high == math.inf:
            self.length = min(max(guess, 2 * low), 1e6 * low)
        elif low + margin < guess < high - margin:
            self.length = guess
        else:
            self.length = 0.5 * (low + high) if low > 0.05 * high else 0.1 * high


def _dot(excess: Sequence[int], direction: Sequence[int]) -> int:
    return sum(e * d for e, d in zip(excess, direction, strict=True))


def _lots_times_cash(product: int) -> float:
    return product / (1 << QUANTITY_BITS + PRICE_BITS)
