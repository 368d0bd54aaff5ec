"""The linear system of a Newton step on exact residuals, in as many digits as it needs.

    (Σ_j slope_j w_j w_jᵀ + diag ε) step = excess

over the auths j whose price lies on a ramp, less what the shadow prices of costs take up
(`reduction`). Slopes and the maker's ε may differ by 2^95
(MATHEMATICS), so a float factorisation is trusted only where its condition number leaves it digits;
otherwise the system falls into its connected parts, and the bad ones are solved in long arithmetic.
"""

import math
from collections.abc import Sequence
from typing import Any

import gmpy2
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from walras.clearing.exact import PRICE_BITS, QUANTITY_BITS, ExactBook
from walras.clearing.jit import kernel
from walras.clearing.limbs import Floats, Ints
from walras.clearing.reduction import Reduction

__all__ = ["maker_slopes", "newton_step"]

_PRECISION = 512  # bits: condition 2^95 squared, as much again to spare, and the tilt
_TILT = 2.0**-200  # relative, of costs that may leave their shadow prices open
_CONDITION = 1e-13  # reciprocal condition number above which a float solution still gains digits


def maker_slopes(book: ExactBook, depth: Sequence[int]) -> Floats:
    """(K,) ε of a maker `depth` times as deep as the protocol's, lots per cash unit."""
    return np.array([2.0**14 * d / scale for d, scale in zip(depth, book.scale, strict=True)])


def newton_step(
    book: ExactBook,
    ramp: Ints,
    excess: Sequence[int],
    depth: Sequence[int],
    reduction: Reduction,
    free: Ints,
) -> list[int]:
    """Step of the prices, X112, for `excess` X72 when curve j lies on `ramp[j]` (-1: on none).

    free (G,): 1 for the costs whose shadow prices may move.
    """
    matrix = np.diag(maker_slopes(book, depth))
    rows, slopes = book.rows, book.slopes(ramp)
    loose = np.where(reduction.coupled, 0.0, slopes)
    _add_curvature(rows.leg_ptr, rows.leg_product, rows.leg_weight, loose, matrix)
    reduction.add(slopes, free, matrix)
    right = np.array([lots / 2**QUANTITY_BITS for lots in excess])
    whole = _solve(matrix, right)
    if whole is not None:
        return _on_grid(whole)
    step = [0] * book.products
    for part in _parts(book, ramp, free):
        products = part[part < book.products]
        solution = _solve(matrix[np.ix_(products, products)], right[products])
        exact = (
            _solve_long(book, ramp, part, excess, depth) if solution is None else _on_grid(solution)
        )
        for product, value in zip(products.tolist(), exact, strict=True):
            step[product] = value
    return step


def _on_grid(prices: Floats) -> list[int]:
    return [int(math.ldexp(price, PRICE_BITS)) for price in prices.tolist()]


def _parts(book: ExactBook, ramp: Ints, free: Ints) -> list[Ints]:
    """Products and free costs (numbered behind them) that curves on a ramp tie together."""
    rows = book.rows
    moves = np.concatenate([np.ones(book.products, np.int64), free])
    legs = np.diff(rows.leg_ptr)
    tied = np.repeat(ramp >= 0, legs) & (moves[rows.leg_product] > 0)
    first = np.repeat(rows.leg_product[rows.leg_ptr[:-1]], legs)[tied]
    edges = (np.ones(len(first)), (first, rows.leg_product[tied]))
    graph = coo_array(edges, shape=(len(moves), len(moves)))
    count, label = connected_components(graph, directed=False)
    bounds = np.cumsum(np.bincount(label, minlength=count))[:-1]
    parts = np.split(np.argsort(label, kind="stable"), bounds)
    return [part for part in parts if part[0] < book.products]


def _solve(matrix: Floats, right: Floats) -> Floats | None:
    """The solution by Cholesky after Jacobi scaling; None where it would have too few digits."""
    scale = 1.0 / np.sqrt(np.diag(matrix))
    scaled = matrix * scale[:, None] * scale[None, :]
    factor, failed = lapack.dpotrf(scaled, lower=1)
    if failed:
        return None
    norm = float(np.abs(scaled).sum(axis=0).max())
    reciprocal, failed = lapack.dpocon(factor, norm, uplo="L")
    if failed or reciprocal < _CONDITION:
        return None
    solution, _ = lapack.dpotrs(factor, right * scale, lower=1)
    return np.asarray(solution * scale, float)


def _solve_long(
    book: ExactBook, ramp: Ints, part: Ints, excess: Sequence[int], depth: Sequence[int]
) -> list[int]:
    """Step X112 of the products of one part, from exact slopes; costs are eliminated first."""
    columns = part[::-1].tolist()
    place = {column: i for i, column in enumerate(columns)}
    size, rows = len(columns), book.rows
    with gmpy2.context(gmpy2.get_context(), precision=_PRECISION):
        matrix: NDArray[Any] = np.full((size, size), gmpy2.mpfr(0), object)
        right: NDArray[Any] = np.full(size, gmpy2.mpfr(0), object)
        for curve in np.flatnonzero(ramp >= 0).tolist():
            legs = slice(rows.leg_ptr[curve], rows.leg_ptr[curve + 1])
            members = rows.leg_product[legs].tolist()
            inside = [i for i, column in enumerate(members) if column in place]
            if not inside:
                continue
            at = np.array([place[members[i]] for i in inside])
            weight = rows.leg_weight[legs][inside].astype(object)
            width = int(rows.ramp_width[ramp[curve]]) << 40
            slope = gmpy2.mpfr(width) / book.drop(int(ramp[curve]))
            matrix[np.ix_(at, at)] += np.outer(weight, weight) * slope
        for i, column in enumerate(columns):
            if column < book.products:
                matrix[i, i] += gmpy2.mpfr(depth[column] << 14) / book.scale[column]
                right[i] = gmpy2.mpfr(excess[column])
            else:  # costs may say the same thing twice, or nothing here
                matrix[i, i] += matrix[i, i] * _TILT or 1
        unit = gmpy2.mpfr(2) ** (PRICE_BITS - QUANTITY_BITS)
        steps = [int(value * unit) for value in _eliminate(matrix, right)]
    return [step for step, column in zip(steps, columns, strict=True) if column < book.products][
        ::-1
    ]


def _eliminate(matrix: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Solve a symmetric positive definite system of any number type; overwrites both arguments."""
    size = len(right)
    for i in range(size):
        factor = matrix[i + 1 :, i] / matrix[i, i]
        matrix[i + 1 :, i + 1 :] -= np.outer(factor, matrix[i, i + 1 :])
        right[i + 1 :] -= factor * right[i]
    for i in range(size - 1, -1, -1):
        right[i] = (right[i] - matrix[i, i + 1 :] @ right[i + 1 :]) / matrix[i, i]
    return right


@kernel
def _add_curvature(
    leg_ptr: Ints, leg_product: Ints, leg_weight: Ints, slope: Floats, matrix: Floats
) -> None:
    """Matrix += Σ slope w wᵀ."""
    for auth in range(len(slope)):
        if slope[auth] > 0.0:
            for a in range(leg_ptr[auth], leg_ptr[auth + 1]):
                scaled = slope[auth] * leg_weight[a]
                for b in range(leg_ptr[auth], leg_ptr[auth + 1]):
                    matrix[leg_product[a], leg_product[b]] += scaled * leg_weight[b]
