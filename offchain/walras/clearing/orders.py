"""The orders as one part of the dual: their demand, and what it does to gradient and curvature.

A part answers for its own share of the sums over orders, and the search adds the shares up. So a
part may hold the whole book, a shard on another machine, or orders bound together by a cost.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from walras.clearing import kernels, proximal, sums
from walras.clearing.book import Floats, Ints
from walras.clearing.watch import WatchList

__all__ = ["Curves", "Legs", "Orders", "Part", "rows"]

Legs = tuple[Ints, NDArray[np.int32], Floats]  # leg_ptr, leg_product, leg_weight
Curves = tuple[Ints, Floats, Floats]  # curve_ptr, rate, price as deviation


class Part(Protocol):
    """A share of the dual function, standing at some prices q.

    Gradient (K,) and hessian (K, K, lower triangle) are shared by all parts; a part only adds to
    them.
    index (n,): rows of the book it holds.
    """

    index: Ints
    any_flat: bool  # some curve has a step without a slope

    def refresh(
        self, q: Floats, gradient: Floats, hessian: Floats, *, curvature: bool = True
    ) -> None:
        """Stand at q and add this part's share from scratch; the hessian only if asked."""

    def curve(self, hessian: Floats) -> None:
        """Add this part's share of the curvature as it stands."""

    def aim(self, direction: Floats, step: float) -> tuple[float, float]:
        """Look along `direction`: `along(step)` with everything prepared up to `step`."""

    def along(self, step: float) -> tuple[float, float]:
        """How much the first and second derivative after `step` differ from the local quadratic."""

    def commit(self, step: float, gradient: Floats, hessian: Floats) -> int:
        """Take the step; add what differs from the local quadratic.

        Return how many slopes changed.
        """

    def soften(self, eta: float, *, flat_only: bool) -> None:
        """Tilt all curves by `eta`, or only those with a flat step.

        Follow by `refresh` or `settle`.
        """

    def recall(self, fills: Floats) -> None:
        """Take fills (n,) of an earlier answer for proximal centres, but where they are NaN."""

    def recentre(self) -> tuple[float, float]:
        """Move proximal centres to the fills. Follow likewise.

        Return the cash they were worth, and the largest share of its value that an order's price
        was off for them.
        """

    def foresee(self, gradient: Floats, hessian: Floats) -> int:
        """After `recentre`, and perhaps `soften`: as if pieces had no ends; then `settle`.

        Return how many slopes changed.
        """

    def settle(self, gradient: Floats, hessian: Floats) -> int:
        """Correct for softness or centres that changed while only flat orders are soft.

        Return how many slopes changed.
        """

    def fills(self) -> Floats:
        """(n,) demanded rates."""

    def nudged(self, fills: Floats, direction: Floats) -> Floats:
        """(n,) `fills` moved to first order as if prices had moved by `direction`."""


class Orders:
    """Independent orders, prices as deviations from the reference. Implements `Part`.

    span (n,): price slope that spreads an order's value over its whole curve; flat (n,): 1 where a
    step has no slope of its own; scale (K,): price levels; index (n,): rows of the book.
    soft, centre (n,): the proximal slope and its centre.
    """

    def __init__(
        self, legs: Legs, curves: Curves, span: Floats, flat: Ints, scale: Floats, index: Ints
    ) -> None:
        self.legs, self.curves, self.span, self.scale = legs, curves, span, scale
        self.index = index
        self.flat = np.flatnonzero(flat)
        self.any_flat = len(self.flat) > 0
        size = len(span)
        ptr, rate, _ = curves
        self.low, self.high = rate[ptr[:-1]], rate[ptr[1:] - 1]
        self.soft = np.zeros(size)
        self.centre = 0.5 * (self.low + self.high)
        self.level = np.zeros(size)
        self.piece = np.zeros((size, 4))
        self._gross = np.maximum(span * (self.high - self.low), 1e-300)
        self._everyone = np.arange(size)
        self._watch = WatchList(size, scale, legs[0], legs[1])
        self._move = np.zeros(size)
        self._leaving = np.zeros(size + 1, np.int64)
        self._listed, self._seen = 0, 0.0
        self._q = self._direction = np.zeros(len(scale))
        self._all_soft = False
        # what `recentre` finds for `foresee`: softness, how far centres moved, and whose
        self._former, self._lean, self._leaning = self.soft, np.zeros(size), self._everyone

    def refresh(
        self, q: Floats, gradient: Floats, hessian: Floats, *, curvature: bool = True
    ) -> None:
        """See `Part.refresh`."""
        self._q = q.copy()
        self._watch.reset(self._q)
        soft = (self.soft, self.centre)
        stand = (self.level, self.piece)
        kernels.refresh(*self.legs, *self.curves, *soft, q, *stand, gradient, hessian, curvature)

    def curve(self, hessian: Floats) -> None:
        """See `Part.curve`."""
        kernels.curve(*self.legs, self.piece, hessian)

    def aim(self, direction: Floats, step: float) -> tuple[float, float]:
        """See `Part.aim`."""
        self._direction, self._seen = direction, step
        self._look(np.abs(step * direction))
        self._listed = kernels.leavers(
            *self.legs,
            direction,
            step,
            self.level,
            self.piece,
            self._watch.rows,
            self._move,
            self._leaving,
        )
        return self.along(step)

    def along(self, step: float) -> tuple[float, float]:
        """See `Part.along`."""
        if step > self._seen:
            return self.aim(self._direction, step)
        leaving = self._leaving[: self._listed]
        stand = (self.level, self.piece)
        return kernels.along(
            *self.curves, self.soft, self.centre, *stand, self._move, leaving, step
        )

    def commit(self, step: float, gradient: Floats, hessian: Floats) -> int:
        """See `Part.commit`."""
        if step > self._seen:
            self.aim(self._direction, step)
        self._q = self._q + step * self._direction
        kernels.commit(self._watch.rows, self.level, self._move, step)
        return self._replace(self._leaving[: self._listed], gradient, hessian)

    def soften(self, eta: float, *, flat_only: bool) -> None:
        """See `Part.soften`."""
        self._all_soft = not flat_only
        self._former = self.soft.copy() if self._former is self.soft else self._former
        if flat_only:
            self.soft[:] = 0.0
            self.soft[self.flat] = eta * self.span[self.flat]
        else:
            np.multiply(self.span, eta, out=self.soft)

    def recall(self, fills: Floats) -> None:
        """See `Part.recall`."""
        known = np.isfinite(fills)
        self.centre[known] = np.clip(fills, self.low, self.high)[known]

    def recentre(self) -> tuple[float, float]:
        """See `Part.recentre`."""
        if self._all_soft and self._watch.partial:
            sums.gather(*self.legs, self._q, self.level)
        listed = self._everyone if self._all_soft else self._restless()
        self._leaning, self._former = listed, self.soft
        stand = (self.level, self.piece)
        return proximal.recentre(self.soft, self._gross, *stand, listed, self.centre, self._lean)

    def foresee(self, gradient: Floats, hessian: Floats) -> int:
        """See `Part.foresee`."""
        tilts = (self.soft, self._former, self._lean)
        stand = (self.level, self.piece, self._leaning)
        return proximal.foresee(*self.legs, *tilts, *stand, gradient, hessian)

    def recentred(self, fill: Floats) -> tuple[float, float]:
        """`recentre` where fills (n,) come from elsewhere: costs have a say in them."""
        moved = np.abs(fill - self.centre)
        self.centre = fill
        shift = float((self.soft * moved / self._gross).max(initial=0.0))
        return float(self.soft @ (moved * moved)), shift

    def settle(self, gradient: Floats, hessian: Floats) -> int:
        """See `Part.settle`."""
        return self._replace(self._restless(), gradient, hessian)

    def fills(self) -> Floats:
        """See `Part.fills`."""
        fill = np.empty(len(self.level))
        if self._watch.partial:
            sums.gather(*self.legs, self._q, self.level)
        kernels.fills(self.level, self.piece, fill)
        return fill

    def nudged(self, fills: Floats, direction: Floats) -> Floats:
        """See `Part.nudged`; a fill stays within its curve."""
        move = sums.gather(*self.legs, direction, np.empty(len(fills)))
        return np.clip(fills - self.piece[:, 3] * move, self.low, self.high)

    def subset(self, chosen: Ints) -> "Orders":
        """The orders `chosen` as a part of their own."""
        flat = np.zeros(len(self.span), np.int64)
        flat[self.flat] = 1
        legs, curves = rows(chosen, *self.legs), rows(chosen, *self.curves)
        index = self.index[chosen]
        return Orders(legs, curves, self.span[chosen], flat[chosen], self.scale, index)

    def _look(self, stride: Floats) -> None:
        """Keep the list of orders worth looking at in step with how far prices move."""
        soft, stand = (self.soft, self.centre), (self.level, self.piece)

        def pick(radius: Floats, source: Ints, room: Ints) -> int:
            lists = (source, room)
            return kernels.watch(*self.legs, *self.curves, *soft, self._q, radius, *stand, *lists)

        self._watch.keep(self._q, stride, pick)

    def _restless(self) -> Ints:
        """Rows that hold every flat order which softness can move: others sit at an end."""
        return self._watch.rows if len(self._watch.rows) < len(self.flat) else self.flat

    def _replace(self, listed: Ints, gradient: Floats, hessian: Floats) -> int:
        soft = (self.soft, self.centre)
        stand = (self.level, self.piece)
        return kernels.replace(*self.legs, *self.curves, *soft, *stand, listed, gradient, hessian)


def rows(
    chosen: Ints, ptr: Ints, first: NDArray[Any], second: NDArray[Any]
) -> tuple[Ints, NDArray[Any], NDArray[Any]]:
    """The rows `chosen` of two columns that share the row pointer `ptr`."""
    new = np.empty(len(chosen) + 1, np.int64)
    length = sums.pick(ptr, chosen, new)
    columns = []
    for column in (first, second):
        part = np.empty(length, column.dtype)
        sums.copy_rows(ptr, chosen, new, column, part)
        columns.append(part)
    return new, columns[0], columns[1]
