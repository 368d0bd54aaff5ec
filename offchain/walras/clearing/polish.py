"""From a float root to THE integer prices: Newton's method in exact arithmetic (MATHEMATICS §5, §6).

The clearing prices are the one zero of the excess demand r(p) = z(p) - ε (p - ref), the downhill
gradient of a strictly convex function that is quadratic on each cell of a finite partition. Newton steps
with an exact line search therefore end after finitely many steps from any start (Sun, Math. Programming
76, 1997). Residuals are exact integers (`exact`), so cancellation cannot hide where the zero is; only the
step is computed in floating point, and where that is too coarse in as many digits as it takes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gmpy2
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from walras.clearing.exact import GUARD, PRICE_BITS, QUANTITY_BITS, ExactBook, Response
from walras.clearing.jit import kernel
from walras.errors import ClearingError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

__all__ = ["Polished", "polish"]

_PRECISION = 320  # bits; slopes and maker differ by at most 2^95 (MATHEMATICS §9)
_WELL_CONDITIONED = 1e-9
_ULP = 1 << GUARD
_THINNING = 5  # bits of the maker's depth taken away per stage


@dataclass(frozen=True, slots=True)
class Polished:
    """Accepted prices X84 by product index, and what they took."""

    prices: tuple[int, ...]
    iterations: int
    evaluations: int


def polish(
    book: ExactBook, start: Sequence[int] | None = None, *, max_iterations: int = 2000
) -> Polished:
    """The prices nearest to the root of `book` that X84 can hold, sought from `start` (X84).

    Without a start the search begins at the references, with a deep maker that is thinned out.
    Raises ClearingError, with the worst product and its residue, if the certificate would refuse them.
    """
    search = _Search(book, start)
    if start is None:
        search.thin_out()
    for _ in range(max_iterations):
        if search.arrived():
            rounded = [(price + _ULP // 2) >> GUARD for price in search.prices]
            if book.accepts(rounded):
                return Polished(tuple(rounded), search.steps, search.evaluations)
        search.step()
    product, residue = search.worst()
    raise ClearingError(
        f"no accepted prices after {max_iterations} steps: product {product} of the batch is "
        f"{residue:.3g} lots from clearing; this is a defect of the clearer, keep the book"
    )


class _Search:
    """A point, the excess demand there, and the steps between points.

    depth: per product, how many times deeper than the protocol's the maker is taken.
    """

    def __init__(self, book: ExactBook, start: Sequence[int] | None) -> None:
        self.book = book
        self.evaluations = 0
        self.steps = 0
        self.depth = [1] * book.products
        self.prices = (
            [reference << PRICE_BITS - 40 for reference in book.reference]
            if start is None
            else [price << GUARD for price in start]
        )
        self.answer, self.excess = self._respond(self.prices)

    def thin_out(self) -> None:
        """Follow the root while the maker thins from the depth of the whole book to its own."""
        capacity = self.book.capacity()
        deep = [max(1, lots << 17) for lots in capacity]
        for stage in range(0, max(deep).bit_length(), _THINNING):
            self._deepen([max(1, depth >> stage) for depth in deep])
            close = [(lots << QUANTITY_BITS - 4 >> stage) + _ULP for lots in capacity]
            for _ in range(30):
                if all(abs(e) <= c for e, c in zip(self.excess, close, strict=True)):
                    break
                self.step()
        self._deepen([1] * self.book.products)

    def _deepen(self, depth: list[int]) -> None:
        self.depth = depth
        self.answer, self.excess = self._respond(self.prices)

    def arrived(self) -> bool:
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

    def step(self) -> None:
        """One Newton step, cut or stretched to where the directional derivative vanishes."""
        self.steps += 1
        direction = _newton_direction(self.book, self.answer, self.excess, self.depth)
        slope0 = _along(self.excess, direction)
        low, high = 0.0, math.inf
        length = 1.0
        for _ in range(200):
            scaled = int(math.ldexp(length, 60))
            point = [p + (d * scaled >> 60) for p, d in zip(self.prices, direction, strict=True)]
            answer, excess = self._respond(point)
            slope = _along(excess, direction)
            if abs(slope) * (2 if length == 1.0 else 10) <= slope0:
                break
            if slope > 0:
                low = length
            else:
                high = length
            length = self._next_length(answer, direction, slope / slope0, length, low, high, slope0)
            if high - low <= 2.0**-58:
                break
        self.prices, self.answer, self.excess = point, answer, excess

    def _next_length(
        self,
        answer: Response,
        direction: list[int],
        relative: float,
        length: float,
        low: float,
        high: float,
        slope0: int,
    ) -> float:
        """Newton on the directional derivative, kept inside the bracket (low, high)."""
        bend = (
            _bend(self.book, answer, direction, self.depth)
            / slope0
            * 2.0 ** (PRICE_BITS + QUANTITY_BITS)
        )
        guess = length + relative / bend
        if high == math.inf:
            return min(max(guess, 2 * low), 1e6 * low)
        margin = 0.01 * (high - low)
        if low + margin < guess < high - margin:
            return guess
        return 0.5 * (low + high) if low > 0.05 * high else max(0.1 * high, low)

    def _respond(self, prices: Sequence[int]) -> tuple[Response, list[int]]:
        self.evaluations += 1
        answer = self.book.respond(prices)
        supply = self.book.maker(prices)
        excess = [
            demand - depth * units
            for demand, depth, units in zip(answer.demand, self.depth, supply, strict=True)
        ]
        return answer, excess


def _along(excess: Sequence[int], direction: Sequence[int]) -> int:
    return sum(e * d for e, d in zip(excess, direction, strict=True))


def _bend(
    book: ExactBook, answer: Response, direction: Sequence[int], depth: Sequence[int]
) -> float:
    """-d/dt of the directional derivative: Σ slope (w·d)² + Σ ε d²."""
    d = np.array([math.ldexp(float(v), -PRICE_BITS) for v in direction])
    moved = (
        np.add.reduceat(book.leg_weight * d[book.leg_product], book.leg_ptr[:-1])
        if len(book.leg_ptr) > 1
        else np.zeros(0)
    )
    return float(book.slopes(answer.ramp) @ moved**2 + _maker(book, depth) @ d**2)


def _maker(book: ExactBook, depth: Sequence[int]) -> Floats:
    """Slopes of the maker, lots per cash unit."""
    return np.array([2.0**14 * d / scale for d, scale in zip(depth, book.scale, strict=True)])


def _newton_direction(
    book: ExactBook, answer: Response, excess: Sequence[int], depth: Sequence[int]
) -> list[int]:
    """Step X112 to the zero of the cell of `answer`: (Σ slope w wᵀ + diag ε) step = excess."""
    slope = book.slopes(answer.ramp)
    curvature = np.diag(_maker(book, depth))
    _add_curvature(book.leg_ptr, book.leg_product, book.leg_weight, slope, curvature)
    right = np.array([e / 2**QUANTITY_BITS for e in excess])
    step = [0] * book.products
    count, label = connected_components(coo_array(curvature != 0), directed=False)
    order = np.argsort(label, kind="stable")
    for members in np.split(order, np.cumsum(np.bincount(label, minlength=count))[:-1]):
        part = _solve_float(curvature[np.ix_(members, members)], right[members])
        if part is None:
            exact = _solve_extended(book, answer, excess, depth, members)
        else:
            exact = [int(math.ldexp(v, PRICE_BITS)) for v in part.tolist()]
        for member, value in zip(members.tolist(), exact, strict=True):
            step[member] = value
    return step


def _solve_float(matrix: Floats, right: Floats) -> Floats | None:
    """matrix⁻¹ right by Cholesky after Jacobi scaling; None where too few digits would be left."""
    scale = 1.0 / np.sqrt(np.diag(matrix))
    scaled = matrix * scale[:, None] * scale[None, :]
    factor, info = lapack.dpotrf(scaled, lower=1)
    if info != 0:
        return None
    norm = float(np.abs(scaled).sum(axis=0).max())
    reciprocal, info = lapack.dpocon(factor, norm, uplo="L")
    if info != 0 or reciprocal < _WELL_CONDITIONED:
        return None
    solution, _ = lapack.dpotrs(factor, right * scale, lower=1)
    return np.asarray(solution * scale)


def _solve_extended(
    book: ExactBook,
    answer: Response,
    excess: Sequence[int],
    depth: Sequence[int],
    members: Ints,
) -> list[int]:
    """The same system of `members` in long floating point, from exact slopes: L D Lᵀ without pivots."""
    place = {member: i for i, member in enumerate(members.tolist())}
    with gmpy2.context(gmpy2.get_context(), precision=_PRECISION):
        zero = gmpy2.mpfr(0)
        matrix: NDArray[Any] = np.full((len(place), len(place)), zero, dtype=object)
        for member, i in place.items():
            matrix[i, i] = gmpy2.mpfr(depth[member] << 14) / book.scale[member]
        for auth in np.flatnonzero(answer.ramp >= 0).tolist():
            legs = slice(book.leg_ptr[auth], book.leg_ptr[auth + 1])
            products = book.leg_product[legs].tolist()
            if products[0] not in place:
                continue
            ramp = int(answer.ramp[auth])
            slope = gmpy2.mpfr(int(book.ramp_width[ramp]) << 40) / book.drop(ramp)
            weights = book.leg_weight[legs].tolist()
            for k, a in zip(products, weights, strict=True):
                for m, b in zip(products, weights, strict=True):
                    matrix[place[k], place[m]] += slope * (a * b)
        right: NDArray[Any] = np.array(
            [gmpy2.mpfr(excess[member]) for member in place], dtype=object
        )
        solution = _solve_ldl(matrix, right)
        return [int(v * gmpy2.mpfr(2) ** (PRICE_BITS - QUANTITY_BITS)) for v in solution]


def _solve_ldl(matrix: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Solve a symmetric positive definite system of any number type; overwrites both."""
    size = len(right)
    for i in range(size):
        below = slice(i + 1, size)
        factor = matrix[below, i] / matrix[i, i]
        matrix[below, below] -= np.outer(factor, matrix[i, below])
        right[below] -= factor * right[i]
    for i in range(size - 1, -1, -1):
        right[i] = (right[i] - matrix[i, i + 1 :] @ right[i + 1 :]) / matrix[i, i]
    return right


@kernel
def _add_curvature(
    leg_ptr: Ints, leg_product: Ints, leg_weight: Ints, slope: Floats, matrix: Floats
) -> None:
    for auth in range(len(slope)):
        if slope[auth] > 0.0:
            for a in range(leg_ptr[auth], leg_ptr[auth + 1]):
                scaled = slope[auth] * leg_weight[a]
                for b in range(leg_ptr[auth], leg_ptr[auth + 1]):
                    matrix[leg_product[a], leg_product[b]] += scaled * leg_weight[b]
