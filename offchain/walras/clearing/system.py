"""The linear system of a Newton step on exact residuals, in as many digits as it needs.

    (Σ_j slope_j w_j w_jᵀ + diag ε) step = excess

over the auths j whose price lies on a ramp. Slopes and the maker's ε may differ by 2^95
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

__all__ = ["maker_slopes", "newton_step"]

_PRECISION = 320  # bits: condition 2^95 squared, and as much again to spare
_CONDITION = 1e-13  # reciprocal condition number above which a float solution still gains digits


def maker_slopes(book: ExactBook, depth: Sequence[int]) -> Floats:
    """(K,) ε of a maker `depth` times as deep as the protocol's, lots per cash unit."""
    return np.array([2.0**14 * d / scale for d, scale in zip(depth, book.scale, strict=True)])


def newton_step(
    book: ExactBook, ramp: Ints, excess: Sequence[int], depth: Sequence[int]
) -> list[int]:
    """Step of the prices, X112, for `excess` X72 when auth j lies on `ramp[j]` (-1: on none)."""
    matrix = np.diag(maker_slopes(book, depth))
    rows = book.rows
    _add_curvature(rows.leg_ptr, rows.leg_product, rows.leg_weight, book.slopes(ramp), matrix)
    right = np.array([lots / 2**QUANTITY_BITS for lots in excess])
    whole = _solve(matrix, right)
    if whole is not None:
        return _on_grid(whole)
    step = [0] * book.products
    for part in _parts(book, ramp):
        solution = _solve(matrix[np.ix_(part, part)], right[part])
        exact = (
            _solve_long(book, ramp, [(k, excess[k], depth[k]) for k in part.tolist()])
            if solution is None
            else _on_grid(solution)
        )
        for product, value in zip(part.tolist(), exact, strict=True):
            step[product] = value
    return step


def _on_grid(prices: Floats) -> list[int]:
    return [int(math.ldexp(price, PRICE_BITS)) for price in prices.tolist()]


def _parts(book: ExactBook, ramp: Ints) -> list[Ints]:
    """Products that auths on a ramp tie together, part by part."""
    rows = book.rows
    legs = np.diff(rows.leg_ptr)
    tied = np.repeat(ramp >= 0, legs)
    first = np.repeat(rows.leg_product[rows.leg_ptr[:-1]], legs)[tied]
    edges = (np.ones(len(first)), (first, rows.leg_product[tied]))
    graph = coo_array(edges, shape=(book.products, book.products))
    count, label = connected_components(graph, directed=False)
    bounds = np.cumsum(np.bincount(label, minlength=count))[:-1]
    return np.split(np.argsort(label, kind="stable"), bounds)


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


def _solve_long(book: ExactBook, ramp: Ints, products: Sequence[tuple[int, int, int]]) -> list[int]:
    """Step X112 of one part, from exact slopes; `products` are (index, excess X72, depth)."""
    place = {product: i for i, (product, _, _) in enumerate(products)}
    rows = book.rows
    with gmpy2.context(gmpy2.get_context(), precision=_PRECISION):
        diagonal = [gmpy2.mpfr(depth << 14) / book.scale[k] for k, _, depth in products]
        matrix: NDArray[Any] = np.full((len(place), len(place)), gmpy2.mpfr(0), object)
        matrix[np.diag_indices(len(place))] = diagonal
        for auth in np.flatnonzero(ramp >= 0).tolist():
            legs = slice(rows.leg_ptr[auth], rows.leg_ptr[auth + 1])
            members = rows.leg_product[legs].tolist()
            if members[0] not in place:
                continue
            at = np.array([place[product] for product in members])
            weight = rows.leg_weight[legs].astype(object)
            width = int(rows.ramp_width[ramp[auth]]) << 40
            slope = gmpy2.mpfr(width) / book.drop(int(ramp[auth]))
            matrix[np.ix_(at, at)] += np.outer(weight, weight) * slope
        right: NDArray[Any] = np.array([gmpy2.mpfr(lots) for _, lots, _ in products], object)
        unit = gmpy2.mpfr(2) ** (PRICE_BITS - QUANTITY_BITS)
        return [int(value * unit) for value in _eliminate(matrix, right)]


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
