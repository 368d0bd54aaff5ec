"""The orders as one part of the dual: their demand, and what it does to gradient and curvature.

A part answers for its own share of the sums over orders, and the search adds the shares up. So a
part may hold the whole book, a shard on another machine, or orders bound together by a cost.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from walras.clearing import kernels
from walras.clearing.book import Floats, Ints

__all__ = ["CROWD", "RESTLESS", "ROOM", "Curves", "Legs", "Orders", "Part", "rows"]

Legs = tuple[Ints, NDArray[np.int32], Floats]  # leg_ptr, leg_product, leg_weight
Curves = tuple[Ints, Floats, Floats]  # curve_ptr, rate, price as deviation

ROOM = 4.0  # a watch list serves steps this much longer than the one it was made for,
RESTLESS = 8.0  # is made anew when steps have become this much shorter,
CROWD = 0.05  # unless it holds fewer than this share of the orders


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

    def recentre(self) -> float:
        """Move proximal centres to the fills; returns the cash they were worth. Follow likewise."""

    def settle(self, gradient: Floats, hessian: Floats) -> None:
        """Correct for softness or centres that changed while only flat orders are soft."""

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
        self._everyone = np.arange(size)
        self._watched = self._everyone
        self._watch_room = np.zeros(size + 1, np.int64)
        self._move = np.zeros(size)
        self._leaving = np.zeros(size + 1, np.int64)
        self._listed, self._seen = 0, 0.0
        self._q = self._anchor = self._radius = self._direction = np.zeros(len(scale))
        self._spread = np.inf

    def refresh(
        self, q: Floats, gradient: Floats, hessian: Floats, *, curvature: bool = True
    ) -> None:
        """See `Part.refresh`."""
        self._q = self._anchor = q.copy()
        self._radius = np.full(len(q), np.inf)
        self._spread = np.inf
        self._watched = self._everyone
        soft = (self.soft, self.centre)
        stand = (self.level, self.piece)
        kernels.refresh(*self.legs, *self.curves, *soft, q, *stand, gradient, hessian, curvature)

    def aim(self, direction: Floats, step: float) -> tuple[float, float]:
        """See `Part.aim`."""
        self._direction, self._seen = direction, step
        self._watch(np.abs(step * direction))
        self._listed = kernels.leavers(
            *self.legs,
            direction,
            step,
            self.level,
            self.piece,
            self._watched,
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
        kernels.commit(self._watched, self.level, self._move, step)
        return self._replace(self._leaving[: self._listed], gradient, hessian)

    def soften(self, eta: float, *, flat_only: bool) -> None:
        """See `Part.soften`."""
        if flat_only:
            self.soft[:] = 0.0
            self.soft[self.flat] = eta * self.span[self.flat]
        else:
            np.multiply(self.span, eta, out=self.soft)

    def recentre(self) -> float:
        """See `Part.recentre`."""
        fill = self.fills()
        moved = fill - self.centre
        self.centre = fill
        return float(self.soft @ (moved * moved))

    def settle(self, gradient: Floats, hessian: Floats) -> None:
        """See `Part.settle`; unwatched orders sit at an end that softness does not move."""
        fewer = len(self._watched) < len(self.flat)
        self._replace(self._watched if fewer else self.flat, gradient, hessian)

    def fills(self) -> Floats:
        """See `Part.fills`."""
        fill = np.empty(len(self.level))
        if len(self._watched) < len(self.level):
            kernels.gather(*self.legs, self._q, self.level)
        kernels.fills(self.level, self.piece, fill)
        return fill

    def nudged(self, fills: Floats, direction: Floats) -> Floats:
        """See `Part.nudged`; a fill stays within its curve."""
        move = kernels.gather(*self.legs, direction, np.empty(len(fills)))
        return np.clip(fills - self.piece[:, 3] * move, self.low, self.high)

    def subset(self, chosen: Ints) -> "Orders":
        """The orders `chosen` as a part of their own."""
        flat = np.zeros(len(self.span), np.int64)
        flat[self.flat] = 1
        legs, curves = rows(chosen, *self.legs), rows(chosen, *self.curves)
        index = self.index[chosen]
        return Orders(legs, curves, self.span[chosen], flat[chosen], self.scale, index)

    def _watch(self, stride: Floats) -> None:
        """Keep the list of orders worth looking at in step with how far prices move."""
        crowded = len(self._watched) > CROWD * len(self.level)
        relative = float((stride / self.scale).mean()) if len(stride) else 0.0
        outside = np.any(np.abs(self._q - self._anchor) + stride > self._radius)
        if not outside and not (crowded and RESTLESS * relative < self._spread):
            return
        self._anchor = self._q
        self._radius = ROOM * np.maximum(stride, self.scale * relative)
        self._spread = relative
        soft = (self.soft, self.centre)
        stand = (self.level, self.piece)
        count = kernels.watch(
            *self.legs, *self.curves, *soft, self._q, self._radius, *stand, self._watch_room
        )
        self._watched = self._watch_room[:count]

    def _replace(self, listed: Ints, gradient: Floats, hessian: Floats) -> int:
        soft = (self.soft, self.centre)
        stand = (self.level, self.piece)
        return kernels.replace(*self.legs, *self.curves, *soft, *stand, listed, gradient, hessian)


def rows(
    chosen: Ints, ptr: Ints, first: NDArray[Any], second: NDArray[Any]
) -> tuple[Ints, NDArray[Any], NDArray[Any]]:
    """The rows `chosen` of two columns that share the row pointer `ptr`."""
    new = np.empty(len(chosen) + 1, np.int64)
    length = kernels.pick(ptr, chosen, new)
    columns = []
    for column in (first, second):
        part = np.empty(length, column.dtype)
        kernels.copy_rows(ptr, chosen, new, column, part)
        columns.append(part)
    return new, columns[0], columns[1]
