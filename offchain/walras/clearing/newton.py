"""Semismooth Newton with exact line search on the dual of a view of the book.

Each step solves (curvature + damping) dq = -gradient by one dense Cholesky factorisation and searches
along dq for the root of the directional derivative, which is monotone and piecewise linear. Function
values are never used: near the optimum they cancel.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas, lapack

from walras.clearing import kernels
from walras.clearing.book import Floats
from walras.clearing.dual import Dual
from walras.clearing.screening import View

__all__ = ["Newton", "Outcome"]


@dataclass(slots=True)
class Outcome:
    """Where a search ended: relative clearing error, steps taken, stopped by the view's radius or not."""

    error: float
    steps: int
    blocked: bool


class Newton:
    """Workspace and damping of the search; one per solve.

    damping: fraction of `Dual.depth` added to the curvature, adapted to the step lengths;
    local: additional damping per unit of a product's own relative clearing error.
    """

    def __init__(self, dual: Dual, *, local: float) -> None:
        size = dual.book.products
        self.dual = dual
        self.local = local
        self.damping = 1e-2
        self.least_damping = 0.0 if dual.maker.all() else 1e-13
        self.steps = 0
        self.trace = []
        self.factorisations = 0
        self.evaluations = 0
        self._matrix = np.zeros((size, size))
        self._unit = np.ones(size)

    def minimise(self, view: View, q: Floats, tolerance: float, limit: int) -> Outcome:
        """Move q (in place) to the root of the view's gradient, to `tolerance` of all money on offer."""
        gradient = view.sweep(q)
        error = self._error(gradient)
        last, stalled = math.inf, 0
        for step in range(limit):
            if error <= tolerance:
                return Outcome(error, step, False)
            if error < 1e-9:
                stalled = stalled + 1 if error > 0.5 * last else 0
                if stalled >= 3:
                    return Outcome(error, step, False)
            last = error
            view.add_curvature()
            direction = self.direction(view, gradient, min(self.damping, error))
            gradient, _, blocked = self._step(view, q, gradient, direction)
            error = self._error(gradient)
            if blocked:
                return Outcome(error, step + 1, True)
        return Outcome(error, limit, False)

    def refine(self, view: View, q: Floats, limit: int, damping: float, patience: int) -> Outcome:
        """Move q (in place) to the root as far as the numbers carry.

        Progress is measured by the decrement -gradient·direction, which no choice of units changes:
        tiny products count as much as large ones. Ends when it no longer falls.
        """
        gradient = view.sweep(q)
        settled = 0
        for step in range(limit):
            pieces = view.add_curvature()
            settled = settled + 1 if pieces == 0 else 0
            if settled > patience:
                break
            direction = self.direction(view, gradient, damping)
            decrement = -float(gradient @ direction)
            if self.trace is not None: self.trace.append((step,pieces,decrement,self.damping,self._error(gradient)))
            if decrement <= 0.0:
                break
            gradient, length, blocked = self._step(view, q, gradient, direction)
            if self.trace is not None: self.trace.append(length)
            if blocked:
                return Outcome(self._error(gradient), step + 1, True)
        return Outcome(self._error(gradient), step + 1, False)

    def _error(self, gradient: Floats) -> float:
        return float(np.abs(gradient) @ self.dual.scale) / self.dual.money

    def _step(
        self, view: View, q: Floats, gradient: Floats, direction: Floats
    ) -> tuple[Floats, float, bool]:
        reach = view.reach(direction)
        length, gradient, blocked = self._search(view, q, gradient, direction, reach)
        if length < 0.3 and not blocked:
            self.damping = min(self.damping * (4 if length > 0.05 else 16), 1.0)
        elif length > 0.9:
            self.damping = max(self.damping * 0.2, self.least_damping)
        self.steps += 1
        return gradient, length, blocked

    def direction(self, view: View, gradient: Floats, damping: float) -> Floats:
        dual = self.dual
        floor: Floats | float = damping
        if damping > 0.0:
            floor = np.maximum(
                max(damping, self.least_damping),
                self.local * np.abs(gradient) / np.maximum(0.25 * dual.capacity, 1e-300),
            )
        while True:
            self.factorisations += 1
            kernels.system(view.hessian, floor * dual.depth + view.maker, self._unit, self._matrix)
            factor, failed = lapack.dpotrf(self._matrix.T, lower=0, overwrite_a=1, clean=0)
            if not failed:
                break
            floor = np.maximum(floor * 100, 1e-12)
        solution, _ = lapack.dpotrs(factor, -gradient * self._unit, lower=0, overwrite_b=1)
        return np.asarray(solution * self._unit)

    def _search(
        self, view: View, q: Floats, gradient: Floats, direction: Floats, reach: float
    ) -> tuple[float, Floats, bool]:
        """Step along `direction`; returns length, gradient there, and whether the radius stopped it."""
        start = float(gradient @ direction)
        length = min(1.0, reach)
        q += length * direction
        level = view.keep_level()
        trial = view.sweep(q)
        here = float(trial @ direction)
        self.evaluations += 1
        if abs(here) <= 0.5 * abs(start):
            return length, trial, False
        if length >= reach and here < 0:
            return length, trial, True
        line = view.line(level, direction, q - length * direction)
        found, blocked = self._root(line, start, length, here, reach)
        q += (found - length) * direction
        return found, view.sweep(q), blocked

    def _root(
        self, line: "Line", start: float, length: float, value: float, reach: float
    ) -> tuple[float, bool]:
        """Safeguarded scalar Newton for the root of the directional derivative."""
        low, high = (0.0, length) if value > 0 else (length, math.inf)
        curvature = line(length)[1]
        for _ in range(40):
            guess = length - value / curvature if curvature > 0 else math.inf
            if high == math.inf:
                if length >= reach:
                    return length, True
                length = min(min(max(guess, 1.5 * length), 10 * length), reach)
            elif low + 0.02 * (high - low) < guess < high - 0.02 * (high - low):
                length = guess
            else:
                length = 0.5 * (low + high) if low > 0 else (0.2 if high > 1e-3 else 0.5) * high
            value, curvature = line(length)
            self.evaluations += 1
            if abs(value) <= 0.3 * abs(start):
                break
            if value > 0:
                high = length
            else:
                low = length
        return length, False
