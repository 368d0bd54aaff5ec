"""Costs that share no order with another, as one part of the dual: one shadow price each.

For portfolio prices s the shadow price λ of a cost solves one monotone equation, so the fills, and
with them the dual in the K public prices, are exact: a joint limit that does not bind changes
nothing, one that binds takes a direction out of the curvature,
    W'(A - A g g'A / (g'A g + S))W,     A = diag(order slopes), S = slope of the cost's own curve.
Flats of the cost's own curve need no softness: there λ is the flat's price.
"""

import numpy as np

from walras.clearing import blocks, joint, kernels, sums
from walras.clearing.book import Floats, Ints
from walras.clearing.costs import Costs
from walras.clearing.orders import Orders
from walras.clearing.watch import WatchList

__all__ = ["Separate"]


class Separate:
    """Orders bound by one cost each. Implements `Part`.

    costs: with the rows of `members` as orders, block after block; groups (B,): their rows in the
    book; price (B,): their shadow prices.
    """

    def __init__(self, costs: Costs, members: Orders, products: int) -> None:
        self.members, self.index, self.groups = members, members.index, costs.row
        self.any_flat = members.any_flat
        count, size = len(costs.row), len(members.index)
        self._ptr, self._share = costs.ptr, costs.coefficient
        self._curves = (costs.curve_ptr, costs.curve_rate, costs.curve_price)
        self._unit = costs.unit_price(members.span * (members.high - members.low))
        self.price = np.zeros(count)
        self._stand = joint.Stand(
            level=members.level,
            move=np.zeros(size),
            piece=members.piece,
            shadow=self.price,
            drift=np.zeros(count),
            bend=np.zeros(count),
            joint=np.zeros((count, 4)),
        )
        self._room = blocks.Room(
            np.zeros(products), np.zeros(products, np.int64), np.zeros(products, np.int64)
        )
        self._owner = np.repeat(np.arange(count), np.diff(costs.ptr))
        self._with_flat = np.unique(self._owner[members.flat])
        self._watch = WatchList(count, members.scale, members.legs[0][costs.ptr], members.legs[1])
        self._leaving, self._listed, self._seen = np.zeros(count + 1, np.int64), 0, 0.0
        self._q = self._direction = np.zeros(products)

    @property
    def _blocks(self) -> joint.Blocks:
        members = self.members
        return joint.Blocks(
            self._ptr,
            self._share,
            *members.legs,
            *members.curves,
            members.soft,
            members.centre,
            *self._curves,
            self._unit,
        )

    def refresh(
        self, q: Floats, gradient: Floats, hessian: Floats, *, curvature: bool = True
    ) -> None:
        """See `Part.refresh`."""
        self._q = q.copy()
        self._watch.reset(self._q)
        sums.gather(*self.members.legs, q, self._stand.level)
        blocks.refresh(self._blocks, self._stand, gradient, hessian, curvature, self._room)

    def curve(self, hessian: Floats) -> None:
        """See `Part.curve`."""
        blocks.curves(self._blocks, self._stand, self._room, hessian)

    def aim(self, direction: Floats, step: float) -> tuple[float, float]:
        """See `Part.aim`."""
        self._direction, self._seen = direction, step
        self._look(np.abs(step * direction))
        self._listed = blocks.leavers(
            self._blocks, self._stand, direction, step, self._watch.rows, self._leaving
        )
        return self.along(step)

    def along(self, step: float) -> tuple[float, float]:
        """See `Part.along`."""
        if step > self._seen:
            return self.aim(self._direction, step)
        return blocks.along(self._blocks, self._stand, self._leaving[: self._listed], step)

    def commit(self, step: float, gradient: Floats, hessian: Floats) -> int:
        """See `Part.commit`."""
        if step > self._seen:
            self.aim(self._direction, step)
        self._q = self._q + step * self._direction
        blocks.commit(self._blocks, self._stand, self._watch.rows, step)
        return self._replace(self._leaving[: self._listed], gradient, hessian)

    def soften(self, eta: float, *, flat_only: bool) -> None:
        """See `Part.soften`; the costs' own curves stay as they are."""
        self.members.soften(eta, flat_only=flat_only)

    def recall(self, fills: Floats) -> None:
        """See `Part.recall`."""
        self.members.recall(fills)

    def recentre(self) -> tuple[float, float]:
        """See `Part.recentre`."""
        return self.members.recentred(self.fills())

    def foresee(self, gradient: Floats, hessian: Floats) -> int:  # noqa: ARG002 (see below)
        """See `Part.foresee`; nothing is: shadow prices would have to be, too."""
        return 0

    def settle(self, gradient: Floats, hessian: Floats) -> int:
        """See `Part.settle`; unwatched blocks sit at ends that softness does not move."""
        fewer = len(self._watch.rows) < len(self._with_flat)
        return self._replace(self._watch.rows if fewer else self._with_flat, gradient, hessian)

    def fills(self) -> Floats:
        """See `Part.fills`."""
        if self._watch.partial:
            blocks.follow(self._blocks, self._stand, self._q, self._watch.everyone)
        fill = np.empty(len(self.index))
        level = self._stand.level - self._share * self.price[self._owner]
        kernels.fills(level, self._stand.piece, fill)
        return fill

    def nudged(self, fills: Floats, direction: Floats) -> Floats:
        """See `Part.nudged`; fills stay within their curves, and costs on their own slopes."""
        move = sums.gather(*self.members.legs, direction, np.empty(len(fills)))
        slope = self._stand.piece[:, 3]
        pull = np.bincount(self._owner, self._share * slope * move, len(self.price))
        move -= self._share * (self._stand.bend * pull)[self._owner]
        return np.clip(fills - slope * move, self.members.low, self.members.high)

    def _look(self, stride: Floats) -> None:
        """Keep the list of blocks worth looking at in step with how far prices move."""

        def pick(radius: Floats, source: Ints, room: Ints) -> int:
            blocks.follow(self._blocks, self._stand, self._q, source)
            return blocks.watch(self._blocks, self._stand, radius, source, room)

        self._watch.keep(self._q, stride, pick)

    def _replace(self, listed: Ints, gradient: Floats, hessian: Floats) -> int:
        return blocks.replace(self._blocks, self._stand, listed, gradient, hessian, self._room)
