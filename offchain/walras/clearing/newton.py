"""Semismooth Newton with exact line search on the dual.

Each step solves (curvature + damping) dq = -gradient by one Cholesky factorisation and searches
along dq for the root of the directional derivative, which is monotone and piecewise linear.
Function values are never used: near the optimum they cancel.
"""

import math
from dataclasses import dataclass

import numpy as np

from walras.clearing import sums
from walras.clearing.book import Floats
from walras.clearing.dual import Dual, Market
from walras.clearing.elimination import Dense, Elimination
from walras.errors import ClearingError

__all__ = ["Newton", "Outcome"]

_LEAST_DAMPING = 1e-13
_NEAR = 1e-3  # clearing error below which local damping fades: it would cost the last steps
_FAR = 0.1  # of prices: the farthest that a line search looks at first


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a search ended: clearing error in units of `Market.money`, and steps taken."""

    error: float
    steps: int


class Newton:
    """Workspace and damping of the search; one per solve.

    local: damping, as a fraction of `Market.depth`, per unit of a product's own clearing error;
    caution: the same for all products per unit of the whole error, while steps come out tiny.
    Directions in which only the maker holds prices have hardly an error: damped, they would stay.
    """

    def __init__(self, market: Market, *, local: float) -> None:
        size = market.book.products
        self.market = market
        self.local = local
        self.caution = 0.0
        self._last = 1.0
        self.steps = 0
        self._calm = False
        self._factor = Dense() if market.thick else Elimination(size)
        self._made, self._floor = (-1, 0), np.zeros(size)
        # what nobody can trade is not damped: its excess is the maker's alone
        self._capacity = np.where(market.capacity > 0, 0.25 * market.capacity, np.inf)
        self._matrix = np.zeros((size, size))
        self._unit = np.ones(size)

    def minimise(self, dual: Dual, tolerance: float, limit: int) -> Outcome:
        """Move the dual to its root, to `tolerance` of all money on offer or as far as it goes."""
        error, last, stalled = self.error(dual.gradient), math.inf, 0
        for step in range(limit):
            if error <= tolerance:
                return Outcome(error, step)
            if error < 1e-9:
                stalled = stalled + 1 if error > 0.5 * last else 0
                if stalled >= 3:
                    return Outcome(error, step)
            last = error
            gradient = dual.gradient
            length, changed = self._step(dual, gradient, self._damped(dual, gradient, error))
            self._calm = length == 1.0 and changed == 0
            if length < 1e-3:
                self.caution = min(max(16 * self.caution, 1e-4), 1.0)
            elif length > 0.3:
                self.caution = 0.05 * self.caution if self.caution > 1e-5 else 0.0
            error = self.error(dual.gradient)
        return Outcome(error, limit)

    def foresight(self, dual: Dual) -> Floats:
        """Where prices would go if no order left its piece, for a dual that foresees."""
        gradient = dual.gradient
        return self.direction(dual, gradient, np.full(len(gradient), _LEAST_DAMPING))

    def follow(self, dual: Dual, direction: Floats) -> None:
        """Search along what was foreseen, if it leads down at all."""
        gradient = dual.gradient
        self._calm = False
        if gradient @ direction < 0.0:
            length, changed = self._step(dual, gradient, direction)
            self._calm = length == 1.0 and changed == 0

    def descend(self, dual: Dual, limit: int, patience: int) -> Outcome:
        """Move the dual to its root without damping, to the last digit the numbers carry.

        A full step that changes no slope has solved its quadratic exactly, which no choice of units
        affects: tiny products count as much as large ones. `patience` such steps end the search.
        """
        nothing = np.zeros(len(dual.q))
        settled = 0
        for step in range(limit):
            gradient = dual.gradient
            direction = self.direction(dual, gradient, nothing)
            if settled >= patience or not gradient @ direction < 0.0:
                return Outcome(self.error(gradient), step)
            length, changed = self._step(dual, gradient, direction)
            settled = settled + 1 if changed == 0 and length == 1.0 else 0
            if changed == 0:
                dual.refresh()
        return Outcome(self.error(dual.gradient), limit)

    def error(self, gradient: Floats) -> float:
        """Cash value of all excess supply and demand, over the money on offer."""
        return float(np.abs(gradient) @ self.market.scale) / self.market.money

    def _damped(self, dual: Dual, gradient: Floats, error: float) -> Floats:
        """The direction of a step; one that changed no slope needs no damping after it."""
        if self._calm:
            return self.direction(dual, gradient, np.full(len(gradient), _LEAST_DAMPING))
        damping = max(self.caution * error, _LEAST_DAMPING)
        local = self.local * min(1.0, error / _NEAR)
        floor = np.maximum(damping, local * np.abs(gradient) / self._capacity)
        return self.direction(dual, gradient, floor)

    def direction(self, dual: Dual, gradient: Floats, floor: Floats) -> Floats:
        """-(hessian + maker + floor·depth)^-1 gradient, damped more where that is singular."""
        now = (dual.era, dual.changes)
        if now != self._made or not np.array_equal(floor, self._floor):
            self._factorise(dual, floor)
            self._made, self._floor = now, floor
        return self._factor.solve(-gradient * self._unit) * self._unit

    def _factorise(self, dual: Dual, floor: Floats) -> None:
        for _ in range(12):
            damping = floor * self.market.depth + dual.maker
            sums.system(dual.hessian, damping, self._unit, self._matrix)
            if self._factor.factorise(self._matrix):
                return
            floor = np.maximum(floor * 100, 1e-12)
        raise ClearingError("the curvature of the book is not finite; are its numbers in range?")

    def _step(self, dual: Dual, gradient: Floats, direction: Floats) -> tuple[float, int]:
        """Move along `direction`; returns the length and how many slopes changed."""
        self.steps += 1
        start = abs(float(gradient @ direction))
        # tiny steps come in series: looking all the way to 1 each time would watch everybody
        length = 1.0 if self._last > 0.05 else 8.0 * self._last
        # nor does anybody want to look at what lies beyond all prices
        length = min(
            length, _FAR / max(float(np.mean(np.abs(direction) / self.market.scale)), _FAR)
        )
        value, curvature = dual.aim(direction, length)
        if length < 1.0 and value < 0.0:
            length = 1.0
            value, curvature = dual.along(length)
        if abs(value) > 0.5 * start:
            length = self._root(dual, length, value, curvature, 0.3 * start)
        self._last = length
        changed = dual.commit(length)
        if changed and not self.market.thick:
            dual.bend_anew()
        return length, changed

    def _root(
        self, dual: Dual, length: float, value: float, curvature: float, enough: float
    ) -> float:
        """Safeguarded scalar Newton, from `length`, for the root of the directional derivative."""
        low, high = (0.0, length) if value > 0 else (length, math.inf)
        for _ in range(60):
            guess = length - value / curvature if curvature > 0 else math.inf
            if high == math.inf:
                length = min(max(guess, 1.5 * length), 10 * length)
            elif low + 0.02 * (high - low) < guess < high - 0.02 * (high - low):
                length = guess
            else:
                length = 0.5 * (low + high) if low > 0 else (0.2 if high > 1e-3 else 0.5) * high
            value, curvature = dual.along(length)
            if abs(value) <= enough:
                break
            if value > 0:
                high = length
            else:
                low = length
        return length
