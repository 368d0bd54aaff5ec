# ruff: noqa: C901 (compiled loops: calls and tuples cost there)
"""What coupled auths do to the Newton system once their shadow prices are eliminated.

Rows of a block are its auths and its own curves of costs, each with a slope a on its ramp. With X
their weights over products and Y over the block's free costs, both times √a, prices that move by d
move the shadow prices to least squares of X d + Y μ, and the curvature left is X'(I - QQ')X with Q
an orthonormal basis of Y. As a square of what is left it cannot turn negative by cancellation.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from walras.clearing.coupled import Block
from walras.clearing.exact import ExactBook
from walras.clearing.jit import kernel
from walras.clearing.limbs import Floats, Ints

__all__ = ["Reduction"]

Matrix = NDArray[np.float64]


class _Parts(NamedTuple):
    """Curves and costs of the blocks, row after row, the number of products and all legs."""

    curve_ptr: Ints
    curves: Ints
    cost_ptr: Ints
    costs: Ints
    products: int
    leg_ptr: Ints
    leg_product: Ints
    leg_weight: Ints


_DEPENDENT = 1e-13  # of its length: what is left of a column that the others already span


class Reduction:
    """The blocks of a book as arrays. coupled (N,): 1 for the curves that are in some block."""

    def __init__(self, book: ExactBook, blocks: Sequence[Block]) -> None:
        curves = [[*block.auths, *(book.auths + d for d in block.costs)] for block in blocks]
        costs = [block.costs for block in blocks]
        self.coupled = np.zeros(book.auths + len(book.costs), np.int64)
        self.coupled[[row for rows in curves for row in rows]] = 1
        self._parts = _Parts(
            _pointers(curves),
            np.array([row for rows in curves for row in rows], np.int64),
            _pointers(costs),
            np.array([d for row in costs for d in row], np.int64),
            book.products,
            *book.rows[:3],
        )

    def add(self, slopes: Floats, free: Ints, matrix: Matrix) -> None:
        """Matrix += what is left of the blocks' curvature; free (G,): 1 where λ may move."""
        _add(self._parts, slopes, free, matrix)

    def follow(self, slopes: Floats, free: Ints, move: Floats) -> Floats:
        """(G,) how shadow prices move with prices that move by `move` (K,)."""
        shift = np.zeros(len(free))
        _follow(self._parts, slopes, free, move, shift.copy(), shift)
        return shift

    def correct(self, slopes: Floats, free: Ints, slack: Floats) -> Floats:
        """(G,) Newton step of the free shadow prices that leave s - S = `slack` (G,)."""
        shift, still = np.zeros(len(free)), np.zeros(self._parts.products)
        _follow(self._parts, slopes, free, still, slack, shift)
        return shift


def _pointers(rows: Sequence[Sequence[int]]) -> Ints:
    return np.array([0, *accumulate(len(row) for row in rows)], np.int64)


@kernel
def _split(
    parts: _Parts, b: int, slopes: Floats, free: Ints, place: Ints, touched: Ints
) -> tuple[Matrix, Matrix]:
    """X and Y of block b, transposed; `touched` lists the products of X's columns.

    place (K+G,) is -1 before and after.
    """
    curves = parts.curves[parts.curve_ptr[b] : parts.curve_ptr[b + 1]]
    costs = parts.costs[parts.cost_ptr[b] : parts.cost_ptr[b + 1]]
    products = parts.products
    leg_ptr, leg_product, leg_weight = parts.leg_ptr, parts.leg_product, parts.leg_weight
    size = 0
    height = 0
    for row in curves:
        if slopes[row] > 0.0:
            height += 1
            for leg in range(leg_ptr[row], leg_ptr[row + 1]):
                product = leg_product[leg]
                if product < products and place[product] < 0:
                    place[product] = size
                    touched[size] = product
                    size += 1
    width = 0
    for cost in costs:
        if free[cost]:
            place[products + cost] = width
            width += 1
    held = np.zeros((size, height))
    bound = np.zeros((width, height))
    i = 0
    for row in curves:
        if slopes[row] > 0.0:
            root = np.sqrt(slopes[row])
            for leg in range(leg_ptr[row], leg_ptr[row + 1]):
                product = leg_product[leg]
                if place[product] >= 0:
                    target = held if product < products else bound
                    target[place[product], i] = root * leg_weight[leg]
            i += 1
    for t in range(size):
        place[touched[t]] = -1
    for cost in costs:
        place[products + cost] = -1
    return held, bound


@kernel
def _orthonormal(rows: Matrix, upper: Matrix) -> None:
    """Rows become orthonormal, `upper` (zero) what made them so; dependent rows become zero."""
    for c in range(len(rows)):
        before = np.sqrt(np.sum(rows[c] * rows[c]))
        for _ in range(2):
            for q in range(c):
                share = np.sum(rows[q] * rows[c])
                upper[q, c] += share
                rows[c] -= share * rows[q]
        after = np.sqrt(np.sum(rows[c] * rows[c]))
        if after <= _DEPENDENT * before:
            rows[c] = 0.0
        else:
            upper[c, c] = after
            rows[c] /= after


@kernel
def _add(parts: _Parts, slopes: Floats, free: Ints, matrix: Matrix) -> None:
    place = np.full(parts.products + len(free), -1)
    touched = np.zeros(parts.products, np.int64)
    for b in range(len(parts.cost_ptr) - 1):
        held, bound = _split(parts, b, slopes, free, place, touched)
        _orthonormal(bound, np.zeros((len(bound), len(bound))))
        for t in range(len(held)):
            for _ in range(2):
                for q in range(len(bound)):
                    held[t] -= np.sum(bound[q] * held[t]) * bound[q]
        for s in range(len(held)):
            for t in range(len(held)):
                matrix[touched[s], touched[t]] += np.sum(held[s] * held[t])


@kernel
def _follow(
    parts: _Parts, slopes: Floats, free: Ints, move: Floats, slack: Floats, shift: Floats
) -> None:
    """Shift = argmin ½ |X move + Y μ|² + slack·μ of every block; slack (G,), shift (G,) zero."""
    place = np.full(parts.products + len(free), -1)
    touched = np.zeros(parts.products, np.int64)
    for b in range(len(parts.cost_ptr) - 1):
        own = parts.costs[parts.cost_ptr[b] : parts.cost_ptr[b + 1]]
        if not np.any(free[own]):
            continue
        held, bound = _split(parts, b, slopes, free, place, touched)
        size = len(bound)
        upper = np.zeros((size, size))
        _orthonormal(bound, upper)
        pull = np.zeros(held.shape[1])
        for t in range(len(held)):
            pull += move[touched[t]] * held[t]
        chosen = own[free[own] > 0]
        target = np.zeros(size)
        for c in range(size):
            if upper[c, c] > 0.0:
                total = -slack[chosen[c]]
                for q in range(c):
                    total -= upper[q, c] * target[q]
                target[c] = total / upper[c, c]
        for c in range(size - 1, -1, -1):
            if upper[c, c] > 0.0:
                total = target[c] - np.sum(bound[c] * pull)
                for q in range(c + 1, size):
                    total -= upper[c, q] * shift[chosen[q]]
                shift[chosen[c]] = total / upper[c, c]
