"""The dual problem of a book: a convex, piecewise quadratic function of the K prices.

    phi(q) = sum_i max_x [V_i(x) - (w_i·q) x] + sum_k maker_k q_k² / 2 ,     q = p - reference.

Its gradient is excess supply, -W'x(q) + maker q, so its minimiser is the clearing price; its
curvature is W' diag(slope) W + diag(maker). `Market` measures a book; `Dual` stands at a point of
the function.
"""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import blas

from walras.clearing import sums
from walras.clearing.book import Book, Floats
from walras.clearing.costs import Costs
from walras.clearing.groups import Groups
from walras.clearing.orders import Legs, Orders, Part
from walras.clearing.separate import Separate

__all__ = ["Dual", "Market"]

_THICK = 150  # orders per product from which prices move little and curves overlap


class Dual:
    """The dual function at q: the sum of its parts, and the maker.

    hessian (K, K) is that of the parts alone, lower triangle.

    era and changes tell of its curvature: within an era it differs by as many slopes as `changes`
    has grown.
    maker (K,) may be stronger than the book's while a search homes in on it.
    """

    def __init__(self, parts: Sequence[Part], maker: Floats) -> None:
        size = len(maker)
        self.parts = parts
        self.era, self.changes = 0, 0
        self._maker = maker
        self.q = np.zeros(size)
        self.hessian = np.zeros((size, size))
        self._gradient = np.zeros(size)
        self._direction = np.zeros(size)
        self._bend = np.zeros(size)

    @property
    def maker(self) -> Floats:
        """(K,) slopes of the maker, lots per unit of price."""
        return self._maker

    @maker.setter
    def maker(self, slopes: Floats) -> None:
        self._maker = slopes
        self.era += 1

    @property
    def gradient(self) -> Floats:
        """Excess supply at q, in lots."""
        return self._gradient + self.maker * self.q

    def refresh(self, *, curvature: bool = True) -> None:
        """Compute all anew at q, free of the rounding that increments collect.

        See `Part.refresh`.
        """
        self._gradient[:] = 0.0
        if curvature:
            self.era += 1
            self.hessian[:] = 0.0
        for part in self.parts:
            part.refresh(self.q, self._gradient, self.hessian, curvature=curvature)

    def bend_anew(self) -> None:
        """Compute the curvature anew where the dual stands.

        What a steep slope leaves behind when it goes would drown flat ones and fill every zero.
        """
        self.era += 1
        self.hessian[:] = 0.0
        for part in self.parts:
            part.curve(self.hessian)

    def soften(self, eta: float, *, flat_only: bool) -> None:
        """Tilt all curves by `eta`, or only those with a flat step.

        Follow by `refresh` or `settle`.
        """
        for part in self.parts:
            part.soften(eta, flat_only=flat_only)

    def recall(self, fills: Floats) -> None:
        """See `Part.recall`; (N,) in the order of the book."""
        for part in self.parts:
            part.recall(fills[part.index])

    def recentre(self) -> tuple[float, float]:
        """See `Part.recentre`: the sum and the largest of what the parts say."""
        found = [part.recentre() for part in self.parts]
        return sum(cash for cash, _ in found), max((shift for _, shift in found), default=0.0)

    def foresee(self) -> None:
        """See `Part.foresee`."""
        self.changes += sum(part.foresee(self._gradient, self.hessian) for part in self.parts)

    def settle(self) -> None:
        """Follow a change of softness or centres while only flat orders are soft."""
        self.changes += sum(part.settle(self._gradient, self.hessian) for part in self.parts)

    def fills(self) -> Floats:
        """(N,) demanded rates, in the order of the book."""
        return self._gather([part.fills() for part in self.parts])

    def nudged(self, fills: Floats, direction: Floats) -> Floats:
        """(N,) `fills` moved to first order as if prices had moved by `direction`."""
        return self._gather([part.nudged(fills[part.index], direction) for part in self.parts])

    def aim(self, direction: Floats, step: float) -> tuple[float, float]:
        """Derivative along `direction`, and its slope, after `step`."""
        self._direction = direction
        self._bend = blas.dsymv(1.0, self.hessian.T, direction, lower=0)
        self._first = float(self.gradient @ direction)
        self._second = float((self._bend + self.maker * direction) @ direction)
        return self._total(step, [part.aim(direction, step) for part in self.parts])

    def along(self, step: float) -> tuple[float, float]:
        """Derivative along the direction last aimed at, and its slope, after `step`."""
        return self._total(step, [part.along(step) for part in self.parts])

    def commit(self, step: float) -> int:
        """Move there; returns how many orders changed slope."""
        self.q += step * self._direction
        self._gradient += step * self._bend
        changed = sum(part.commit(step, self._gradient, self.hessian) for part in self.parts)
        self.changes += changed
        return changed

    def _gather(self, shares: list[Floats]) -> Floats:
        whole = np.empty(sum(len(share) for share in shares))
        for part, share in zip(self.parts, shares, strict=True):
            whole[part.index] = share
        return whole

    def _total(self, step: float, shares: list[tuple[float, float]]) -> tuple[float, float]:
        first = self._first + step * self._second + sum(share[0] for share in shares)
        return first, self._second + sum(share[1] for share in shares)


class Market:
    """A book in deviations from its reference prices, and its measures.

    reach (N,): range of each order; scale (K,): price level of each product; depth (K,): lots per
    unit of price if every order spread over 1 % of its value; capacity (K,): lots on offer; money:
    a quarter of all capacity, in cash; thick: whether most products are tied to most others.
    """

    def __init__(self, book: Book) -> None:
        self.book = book
        self.thick = book.orders >= _THICK * book.products
        self.reach = book.curve_rate[book.curve_ptr[1:] - 1] - book.curve_rate[book.curve_ptr[:-1]]
        self.scale = _price_scale(book)
        self.legs = _ascending(book)
        self.price = np.empty_like(book.curve_price)
        self.gross = np.empty(book.orders)
        self.flat = np.empty(book.orders, np.int64)
        self.capacity = np.zeros(book.products)
        depth = np.zeros(book.products)
        sums.survey(
            *self.legs,
            book.curve_ptr,
            book.curve_rate,
            book.curve_price,
            book.reference_price,
            self.scale,
            self.price,
            self.gross,
            self.flat,
            self.capacity,
            depth,
        )
        self.maker = np.zeros(book.products) if book.maker is None else book.maker
        self.money = max(0.25 * float(self.capacity @ self.scale), 1e-300)
        worth = np.max(depth * self.scale**2, initial=1e-300)
        self.depth = 100 * np.maximum(depth, 1e-12 * worth / self.scale**2)

    def parts(self) -> list[Part]:
        """The book as parts of the dual: independent orders, and those bound by groups."""
        book = self.book
        span = self.gross / np.maximum(self.reach, 1e-300)
        curves = (book.curve_ptr, book.curve_rate, self.price)
        everyone = np.arange(book.orders)
        orders = Orders(self.legs, curves, span, self.flat, self.scale, everyone)
        if not book.groups:
            return [orders]
        costs, found = Costs.of(book), list[Part]()
        alone, crowded = costs.separate()
        apart = np.ones(book.orders, bool)
        apart[costs.order] = False
        free = np.flatnonzero(apart)
        if len(free):
            found.append(orders.subset(free))
        if len(alone):
            chosen = costs.subset(alone)
            found.append(Separate(chosen, orders.subset(chosen.order), book.products))
        if len(crowded):
            chosen = costs.subset(crowded)
            found.append(Groups(chosen, orders.subset(np.unique(chosen.order)), book.products))
        return found


def _ascending(book: Book) -> Legs:
    """Legs with the products of every order ascending, as the triangular kernels expect them."""
    product = book.leg_product.astype(np.int32)
    if sums.ascending(book.leg_ptr, product):
        return book.leg_ptr, product, book.leg_weight
    row = np.repeat(np.arange(book.orders), np.diff(book.leg_ptr))
    order = np.lexsort((product, row))
    return book.leg_ptr, product[order], book.leg_weight[order]


def _price_scale(book: Book) -> Floats:
    """Price level per product: the reference or, where that is zero, what its orders quote."""
    scale = np.abs(book.reference_price)
    if np.all(scale > 0):
        return scale
    count = np.diff(book.leg_ptr)
    owner = np.flatnonzero(count)
    quote = np.zeros(book.products)
    if len(owner):
        weight = np.add.reduceat(np.abs(book.leg_weight), book.leg_ptr[owner])
        worth = np.abs(book.curve_price[book.curve_ptr[owner]]) / np.maximum(weight, 1e-300)
        np.maximum.at(quote, book.leg_product, np.repeat(worth, count[owner]))
    return np.where(scale > 0, scale, np.where(quote > 0, quote, 1.0))
