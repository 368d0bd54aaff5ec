"""Cholesky of a curvature that may be mostly zero: products with few neighbours go first.

In thin books only a few orders stand on a slope, so most products are tied to few others. Those are
eliminated one by one, of nearly least degree; what is left, the core, is factorised by LAPACK.
Elimination in any sequence is stable, since the matrix is symmetric and positive definite.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from walras.clearing.book import Floats, Ints
from walras.clearing.jit import inline_kernel, kernel

__all__ = ["Dense", "Elimination"]

_WORTH = 0.2  # a product of fewer neighbours than this share of the rest is cheaper on its own
_SPARSE = 0.1  # nonzeros over all entries beyond which there is nothing to gain
Bits = NDArray[np.uint64]


class Dense:
    """Factor of one (K, K) matrix without a zero worth knowing of."""

    def factorise(self, matrix: Floats) -> bool:
        """Factorise the lower triangle of `matrix`, overwritten; False if it is not positive."""
        self._factor, failed = lapack.dpotrf(matrix.T, lower=0, overwrite_a=1, clean=0)
        return not failed

    def solve(self, right: Floats) -> Floats:
        """The solution (K,) for a right-hand side."""
        solution, _ = lapack.dpotrs(self._factor, right, lower=0)
        return np.asarray(solution)


class Elimination:
    """Factor of one (K, K) matrix; holds its room between factorisations."""

    def __init__(self, size: int) -> None:
        self._near = np.zeros((size, (size + 63) // 64), np.uint64)
        self._degree = np.zeros(size, np.int64)
        self._pivot = np.zeros(size, np.int64)
        self._start = np.zeros(size + 1, np.int64)
        self._row = np.zeros(size * (size + 1) // 2, np.int32)
        self._core = np.zeros(size, np.int64)
        self._dense = Dense()

    def factorise(self, matrix: Floats) -> bool:
        """Factorise the lower triangle of `matrix`, overwritten; False if it is not positive."""
        lists = (self._pivot, self._start, self._row, self._core)
        self._count = 0
        if pattern(matrix, self._near, self._degree) < _SPARSE * matrix.size:
            self._count = eliminate(matrix, self._near, self._degree, *lists)
        if self._count < 0:
            return False
        self._matrix = matrix
        self._rest = self._core[: len(matrix) - self._count]
        if self._count == 0:
            return self._dense.factorise(matrix)
        return self._dense.factorise(core_of(matrix, self._rest))

    def solve(self, right: Floats) -> Floats:
        """The solution (K,) for a right-hand side."""
        lists = (self._pivot[: self._count], self._start, self._row)
        if self._count == 0:
            return self._dense.solve(right)
        solution = right.copy()
        forward(self._matrix, *lists, solution)
        if len(self._rest):
            solution[self._rest] = self._dense.solve(solution[self._rest])
        backward(self._matrix, *lists, solution)
        return solution


@inline_kernel
def _ones(word: np.uint64) -> int:
    """How many bits of a word are set."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + (
        (word >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@kernel
def pattern(matrix: Floats, near: Bits, degree: Ints) -> int:
    """near (K, K/64): a bit for every nonzero off the diagonal; degree (K,): how many.

    Returns how many there are in the lower triangle.
    """
    near[:] = np.uint64(0)
    degree[:] = 0
    count = 0
    for i in range(len(matrix)):
        for j in range(i):
            if matrix[i, j] != 0.0:
                near[i, j >> 6] |= np.uint64(1) << np.uint64(j & 63)
                near[j, i >> 6] |= np.uint64(1) << np.uint64(i & 63)
                degree[i] += 1
                degree[j] += 1
                count += 1
    return count


@inline_kernel
def _neighbours(near: Bits, p: int, row: NDArray[np.int32], at: int) -> int:
    """Write the neighbours of p, ascending, to row[at:]; returns where they end."""
    for w in range(near.shape[1]):
        word = near[p, w]
        while word != np.uint64(0):
            low = word & (~word + np.uint64(1))
            row[at] = 64 * w + _ones(low - np.uint64(1))
            at += 1
            word ^= low
    return at


@kernel
def eliminate(
    matrix: Floats,
    near: Bits,
    degree: Ints,
    pivot: Ints,
    start: Ints,
    row: NDArray[np.int32],
    core: Ints,
) -> int:
    """Eliminate products while that pays; returns how many, or -1 at a pivot that is not positive.

    pivot: the products in sequence, with their neighbours row[start[n]:start[n + 1]]; the column of
    a pivot keeps the values before division. core: the products that are left.
    """
    left = len(matrix)
    for i in range(left):
        core[i] = i
    count, most = 0, 2
    start[0] = 0
    while most < _WORTH * left:
        kept = 0
        for n in range(left):
            p = core[n]
            if degree[p] > most or degree[p] > _WORTH * left:
                core[kept] = p
                kept += 1
                continue
            if not matrix[p, p] > 0.0:
                return -1
            start[count + 1] = _neighbours(near, p, row, start[count])
            _remove(matrix, near, degree, p, row[start[count] : start[count + 1]])
            pivot[count] = p
            count += 1
        if kept > 0.9 * left:
            most *= 2
        left = kept
    return count


@inline_kernel
def _remove(matrix: Floats, near: Bits, degree: Ints, p: int, row: NDArray[np.int32]) -> None:
    """Subtract what product p passes on between its neighbours, and tie these together."""
    for m in range(len(row)):
        i = row[m]
        factor = matrix[max(i, p), min(i, p)] / matrix[p, p]
        for n in range(m + 1):
            j = row[n]
            matrix[i, j] -= factor * matrix[max(j, p), min(j, p)]
        total = 0
        for w in range(near.shape[1]):
            near[i, w] |= near[p, w]
        near[i, i >> 6] &= ~(np.uint64(1) << np.uint64(i & 63))
        near[i, p >> 6] &= ~(np.uint64(1) << np.uint64(p & 63))
        for w in range(near.shape[1]):
            total += _ones(near[i, w])
        degree[i] = total


@kernel
def core_of(matrix: Floats, core: Ints) -> Floats:
    """The rows and columns `core` of the lower triangle as a matrix of their own."""
    size = len(core)
    part = np.zeros((size, size))
    for i in range(size):
        for j in range(i + 1):
            part[i, j] = matrix[core[i], core[j]]
    return part


@kernel
def forward(
    matrix: Floats, pivot: Ints, start: Ints, row: NDArray[np.int32], solution: Floats
) -> None:
    """Subtract from the others what the eliminated products carry."""
    for n in range(len(pivot)):
        p = pivot[n]
        share = solution[p] / matrix[p, p]
        for a in range(start[n], start[n + 1]):
            i = row[a]
            solution[i] -= share * matrix[max(i, p), min(i, p)]


@kernel
def backward(
    matrix: Floats, pivot: Ints, start: Ints, row: NDArray[np.int32], solution: Floats
) -> None:
    """The eliminated products from the others."""
    for n in range(len(pivot) - 1, -1, -1):
        p = pivot[n]
        total = solution[p]
        for a in range(start[n], start[n + 1]):
            i = row[a]
            total -= matrix[max(i, p), min(i, p)] * solution[i]
        solution[p] = total / matrix[p, p]
