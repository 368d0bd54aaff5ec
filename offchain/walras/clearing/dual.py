"""The dual problem of a book: a convex, piecewise quadratic function of the K prices.

    phi(q) = sum_i max_x [V_i(x) - (w_i·q) x] + sum_k maker_k q_k² / 2 ,     q = p - reference.

Its gradient is excess supply, -W'x(q) + maker q, so its minimiser is the clearing price; its curvature
is W' diag(slopes) W + diag(maker). `Dual` prepares a book once, `Orders` is the part of it a pass visits.
"""

from dataclasses import dataclass, field

import numpy as np

from walras.clearing import kernels
from walras.clearing.book import Book, Floats, Ints

__all__ = ["Dual", "Orders"]


@dataclass(slots=True)
class Orders:
    """Orders in CSR form with the working arrays of the last pass; `index` are their rows in the book."""

    leg_ptr: Ints
    leg_product: Ints
    leg_weight: Floats
    curve_ptr: Ints
    rate: Floats
    price: Floats
    span: Floats  # price slope that spreads one `gross` over the whole curve
    flat: Ints
    centre: Floats
    index: Ints | None = None
    soft: Floats = field(init=False)
    level: Floats = field(init=False)
    fill: Floats = field(init=False)
    slope: Floats = field(init=False)
    move: Floats = field(init=False)
    counted: Floats = field(init=False)

    def __post_init__(self) -> None:
        size = len(self.centre)
        self.soft = np.zeros(size)
        self.level = np.zeros(size)
        self.fill = np.zeros(size)
        self.slope = np.zeros(size)
        self.move = np.zeros(size)
        self.counted = np.zeros(size)

    @property
    def low(self) -> Floats:
        """Smallest rate of every order."""
        return self.rate[self.curve_ptr[:-1]]

    @property
    def high(self) -> Floats:
        """Largest rate of every order."""
        return self.rate[self.curve_ptr[1:] - 1]

    def soften(self, eta: float, *, flat_only: bool) -> None:
        """Give curves the proximal slope `eta * span`: all of them, or those with a flat step."""
        np.multiply(self.span, eta, out=self.soft)
        if flat_only:
            self.soft *= self.flat

    def sweep(self, q: Floats, gradient: Floats) -> None:
        """Demand at prices q; subtracts W'fill from `gradient`."""
        kernels.sweep(
            self.leg_ptr,
            self.leg_product,
            self.leg_weight,
            self.curve_ptr,
            self.rate,
            self.price,
            self.soft,
            self.centre,
            q,
            self.level,
            self.fill,
            self.slope,
            gradient,
        )

    def aim(self, direction: Floats) -> None:
        """Prepare `along` for a search from the last sweep in `direction`."""
        kernels.gather(self.leg_ptr, self.leg_product, self.leg_weight, direction, self.move)

    def along(self, level: Floats, step: float) -> tuple[float, float]:
        """First and second derivative of the dual after `step` from `level`."""
        return kernels.along(
            self.curve_ptr,
            self.rate,
            self.price,
            self.soft,
            self.centre,
            level,
            self.move,
            step,
        )

    def add_curvature(self, hessian: Floats) -> int:
        """Bring `hessian` up to date with the last sweep; returns how many orders changed piece."""
        return kernels.add_curvature(
            self.leg_ptr, self.leg_product, self.leg_weight, self.slope, self.counted, hessian
        )


class Dual:
    """A book shifted to deviations from its reference prices and measured.

    scale (K,): price level of each product; depth (K,): lots per unit of price if every order spread
    over 1 % of its value; capacity (K,): lots on offer; money: a quarter of all capacity in cash.
    """

    def __init__(self, book: Book) -> None:
        self.book = book
        count = book.orders
        self.scale = _price_scale(book)
        price = np.empty_like(book.curve_price)
        gross = np.empty(count)
        flat = np.empty(count, np.int64)
        self.capacity = np.zeros(book.products)
        depth = np.zeros(book.products)
        legs = _ascending(book)
        kernels.survey(
            *legs,
            book.curve_ptr,
            book.curve_rate,
            book.curve_price,
            book.reference_price,
            self.scale,
            price,
            gross,
            flat,
            self.capacity,
            depth,
        )
        self.maker = np.zeros(book.products) if book.maker is None else book.maker
        self.money = max(0.25 * float(self.capacity @ self.scale), 1e-300)
        typical = np.max(depth * self.scale**2, initial=1e-300)
        self.depth = 100 * np.maximum(depth, 1e-12 * typical / self.scale**2)
        low = book.curve_rate[book.curve_ptr[:-1]]
        high = book.curve_rate[book.curve_ptr[1:] - 1]
        self.gross = gross
        span = gross / np.maximum(high - low, 1e-300)
        self.orders = Orders(
            *legs, book.curve_ptr, book.curve_rate, price, span, flat, 0.5 * (low + high)
        )
        self.any_flat = bool(flat.any())


def _ascending(book: Book) -> tuple[Ints, Ints, Floats]:
    """Legs with the products of every order ascending, as the triangular kernels expect them."""
    row = np.repeat(np.arange(book.orders), np.diff(book.leg_ptr))
    key = row * max(book.products, 1) + book.leg_product
    if np.all(np.diff(key) > 0):
        return book.leg_ptr, book.leg_product, book.leg_weight
    order = np.argsort(key, kind="stable")
    return book.leg_ptr, book.leg_product[order], book.leg_weight[order]


def _price_scale(book: Book) -> Floats:
    """Price level per product: the reference or, where that is zero, what its orders quote."""
    scale = np.abs(book.reference_price)
    if np.all(scale > 0):
        return scale
    quote = np.zeros(book.products)
    starts = book.leg_ptr[:-1][np.diff(book.leg_ptr) > 0]
    if len(starts):
        weight = np.add.reduceat(np.abs(book.leg_weight), starts)
        owner = np.flatnonzero(np.diff(book.leg_ptr) > 0)
        worth = np.abs(book.curve_price[book.curve_ptr[owner]]) / np.maximum(weight, 1e-300)
        np.maximum.at(quote, book.leg_product, np.repeat(worth, np.diff(book.leg_ptr)[owner]))
    return np.where(scale > 0, scale, np.where(quote > 0, quote, 1.0))
