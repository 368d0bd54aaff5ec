"""What a pass visits: the whole book, or only orders whose curve bends nearby.

Within a radius of the current prices most orders stay on one straight piece of their curve (often the
end). Their demand is affine in q and sums to a vector and a matrix once; passes then visit the rest.
This is exact as long as no product's price leaves its radius; `View.reach` cuts steps there.
"""

from collections.abc import Callable

import numpy as np
from scipy.linalg import blas

from walras.clearing import kernels
from walras.clearing.book import Floats
from walras.clearing.dual import Dual, Orders

__all__ = ["View", "screen"]


class View:
    """The dual restricted to its live orders plus a fixed quadratic for all others.

    anchor (K,): prices at which the quadratic is centred; radius (K,): how far it holds.
    """

    def __init__(self, dual: Dual, orders: Orders, hessian: Floats) -> None:
        self.dual = dual
        self.orders = orders
        self.hessian = hessian
        self.maker = dual.maker
        self.constant = np.zeros(dual.book.products)
        self.frozen: Floats | None = None
        self.anchor = np.zeros(dual.book.products)
        self.radius: Floats | None = None
        self._q = self.anchor
        self._spare = np.empty_like(orders.level)

    def sweep(self, q: Floats) -> Floats:
        """Gradient at q."""
        gradient = self.constant + self.maker * q
        if self.frozen is not None:
            gradient += blas.dsymv(1.0, self.frozen.T, q - self.anchor, lower=0)
        self.orders.sweep(q, gradient)
        self._q = q
        return gradient

    def add_curvature(self) -> int:
        """Update `hessian` (maker excluded); returns how many orders changed piece."""
        return self.orders.add_curvature(self.hessian)

    def keep_level(self) -> Floats:
        """The levels of the last sweep, safe from the next one."""
        kept = self.orders.level
        self.orders.level, self._spare = self._spare, kept
        return kept

    def reach(self, direction: Floats) -> float:
        """Longest step along `direction` that stays within the radius."""
        if self.radius is None:
            return np.inf
        offset = self._q - self.anchor
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(direction > 0, self.radius - offset, self.radius + offset)
            steps = np.where(direction != 0, room / np.abs(direction), np.inf)
        return max(float(steps.min(initial=np.inf)), 0.0)

    def line(
        self, level: Floats, direction: Floats, q: Floats
    ) -> Callable[[float], tuple[float, float]]:
        """Directional derivative of the dual, and its slope, as a function of the step from q."""
        self.orders.aim(direction)
        fixed = self.constant + self.maker * q
        bend = self.maker * direction
        if self.frozen is not None:
            fixed += blas.dsymv(1.0, self.frozen.T, q - self.anchor, lower=0)
            bend += blas.dsymv(1.0, self.frozen.T, direction, lower=0)
        first, second = float(fixed @ direction), float(bend @ direction)
        orders = self.orders

        def derivative(step: float) -> tuple[float, float]:
            value, slope = orders.along(level, step)
            return first + step * second + value, second + slope

        return derivative
