"""Orders bound by costs, as one part of the dual: their shadow prices are eliminated exactly.

Groups that share orders form a block. For given portfolio prices s the block's shadow prices λ
minimise
    psi(λ) = sum_j V_j*(s_j - g_j·λ) + sum_d V_d*(λ_d),
a convex piecewise quadratic in as many variables as the block has groups; Newton solves it to the
last digit. The public problem keeps its K prices and stays continuously differentiable, with
curvature
    W'(A - A G'(G A G' + S)^-1 G A)W,     A = diag(order slopes), S = diag(group slopes).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from walras.clearing import overlap, shadow, sums
from walras.clearing.book import Floats, Ints
from walras.clearing.costs import Costs
from walras.clearing.orders import Curves, Orders

__all__ = ["Groups"]


class Groups:
    """Orders bound by costs that share some of them. Implements `Part`.

    costs: their orders are rows of the book; groups (G,): the rows of the costs themselves;
    price (G,): their shadow prices;
    members: the bound orders; their curves are softened like any others, the group curves where
    they have a flat step (a joint limit is a flat step at price 0).
    """

    def __init__(self, costs: Costs, members: Orders, products: int) -> None:
        self.members, self.index, self.groups = members, members.index, costs.row
        count = len(costs.row)
        self.price = np.zeros(count)
        local = np.searchsorted(self.index, costs.order)
        self._sort(costs, local)
        ptr, rate, price = costs.curve_ptr, costs.curve_rate, costs.curve_price
        self._curves: Curves = (ptr, rate, price)
        low, high = rate[ptr[:-1]], rate[ptr[1:] - 1]
        gross = members.span * np.maximum(members.high - members.low, 1e-300)
        self._width = np.maximum(high - low, 1e-300)
        self._span = costs.unit_price(gross[local]) / self._width
        share = np.abs(costs.coefficient)
        bound = np.repeat(np.arange(count), np.diff(costs.ptr))
        spread = share**2 / np.maximum(members.span, 1e-300)[local]
        self._depth = 100 * (np.bincount(bound, spread, count) + 1 / np.maximum(self._span, 1e-300))
        lots = share * (members.high - members.low)[local]
        self._reach = np.maximum(np.bincount(bound, lots, count) + high - low, 1e-300)
        self._flat = np.zeros(count)
        inner = np.ones(len(rate), bool)
        inner[ptr[:-1]] = False
        fall, step = -np.diff(price, prepend=0.0), np.diff(rate, prepend=0.0)
        owner = np.repeat(np.arange(count), np.diff(ptr))
        level = inner & (step > 0) & (fall <= 1e-13 * (self._span * (high - low))[owner])
        self._flat[owner[level]] = 1.0
        self.any_flat = members.any_flat or bool(self._flat.any())
        self._soft, self._centre = np.zeros(count), np.zeros(count)
        size = len(self.index)
        self._fill, self._slope, self._move = np.zeros(size), np.zeros(size), np.zeros(size)
        self._level = np.zeros(size)
        self._inverse = np.zeros(self._square[-1])
        self._trial = (self.price.copy(), np.zeros(size), np.zeros(size), self._inverse.copy())
        width = int(np.diff(self._block_group).max(initial=1))
        self._room = (
            np.zeros((width, products)),
            np.full(products, -1),
            np.zeros(products, np.int64),
        )

    def refresh(
        self, q: Floats, gradient: Floats, hessian: Floats, *, curvature: bool = True
    ) -> None:
        """See `Part.refresh`."""
        sums.gather(*self.members.legs, q, self._level)
        self._solve(self._level, self.price, self._fill, self._slope, self._inverse)
        gradient -= sums.scatter(*self.members.legs, self._fill, np.zeros(len(q)))
        if curvature:
            self.curve(hessian)

    def curve(self, hessian: Floats) -> None:
        """See `Part.curve`."""
        self._spread(self._slope, self._inverse, None, 1.0, hessian)

    def aim(self, direction: Floats, step: float) -> tuple[float, float]:
        """See `Part.aim`."""
        sums.gather(*self.members.legs, direction, self._move)
        self._linear = self._respond(self._move)
        self._tried = np.nan
        self._trial[0][:] = self.price
        return self.along(step)

    def along(self, step: float) -> tuple[float, float]:
        """See `Part.along`."""
        _, fill, slope, inverse = self._trial
        self._tried = step
        self._solve(self._level + step * self._move, *self._trial)
        first = -float(self._move @ (fill - self._fill + step * self._linear))
        bend = overlap.responses(*self._blocks, slope, inverse, self._move, np.empty(len(fill)))
        return first, float(self._move @ (bend - self._linear))

    def commit(self, step: float, gradient: Floats, hessian: Floats) -> int:
        """See `Part.commit`."""
        if step != self._tried:
            self.along(step)
        self._level += step * self._move
        return self._adopt(self._fill - step * self._linear, gradient, hessian)

    def soften(self, eta: float, *, flat_only: bool) -> None:
        """See `Part.soften`."""
        self.members.soften(eta, flat_only=flat_only)
        self._soft = eta * self._span * (self._flat if flat_only else 1.0)

    def recall(self, fills: Floats) -> None:
        """See `Part.recall`."""
        self.members.recall(fills)

    def recentre(self) -> tuple[float, float]:
        """See `Part.recentre`."""
        cash, shift = self.members.recentred(self._fill.copy())
        joint = self._joint()
        shifted = np.abs(joint - self._centre)
        self._centre = joint
        off = self._soft * shifted / np.maximum(self._span * self._width, 1e-300)
        return cash + float(self._soft @ (shifted * shifted)), max(shift, float(off.max()))

    def foresee(self, gradient: Floats, hessian: Floats) -> int:  # noqa: ARG002 (see below)
        """See `Part.foresee`; nothing is: shadow prices would have to be, too."""
        return 0

    def settle(self, gradient: Floats, hessian: Floats) -> int:
        """See `Part.settle`."""
        self._trial[0][:] = self.price
        self._solve(self._level, *self._trial)
        return self._adopt(self._fill, gradient, hessian)

    def fills(self) -> Floats:
        """See `Part.fills`."""
        return self._fill.copy()

    def nudged(self, fills: Floats, direction: Floats) -> Floats:
        """See `Part.nudged`; groups keep their linear combinations on their own slopes."""
        move = sums.gather(*self.members.legs, direction, np.empty(len(fills)))
        return np.clip(fills - self._respond(move), self.members.low, self.members.high)

    def _sort(self, costs: Costs, local: Ints) -> None:
        """Sort costs into blocks of shared orders; rows by block."""
        shape = (len(self.price), len(self.index))
        matrix = csr_array((costs.coefficient, local, costs.ptr), shape)
        links = csr_array((np.ones(len(local)), local, costs.ptr), shape)
        count, block = connected_components(links @ links.T, directed=False)
        order_block = np.zeros(len(self.index), np.int64)
        order_block[local] = block[np.repeat(np.arange(len(self.price)), np.diff(costs.ptr))]
        self._group_of = np.argsort(block, kind="stable")
        self._order_of = np.argsort(order_block, kind="stable")
        self._block_group = _starts(block, count)
        self._block_order = _starts(order_block, count)
        rank = np.empty(len(self.price), np.int64)
        rank[self._group_of] = np.arange(len(self.price)) - np.repeat(
            self._block_group[:-1], np.diff(self._block_group)
        )
        by_order = matrix.T.tocsr()
        self._square = np.concatenate([[0], np.cumsum(np.diff(self._block_group) ** 2)])
        self._blocks = (
            self._block_group,
            self._block_order,
            self._order_of.astype(np.int64),
            self._square.astype(np.int64),
            by_order.indptr.astype(np.int64),
            rank[by_order.indices],
            by_order.data,
        )

    def _solve(
        self, level: Floats, price: Floats, fill: Floats, slope: Floats, inverse: Floats
    ) -> None:
        members = self.members
        shadow.shadow_prices(
            *self._blocks,
            self._group_of,
            *members.curves,
            members.soft,
            members.centre,
            *self._curves,
            self._soft,
            self._centre,
            self._depth,
            self._reach,
            level,
            price,
            fill,
            slope,
            inverse,
        )

    def _respond(self, move: Floats) -> Floats:
        """First-order fall of the fills when portfolio prices move by `move`."""
        return overlap.responses(
            *self._blocks, self._slope, self._inverse, move, np.empty(len(move))
        )

    def _joint(self) -> Floats:
        """(G,) the groups' own fills."""
        ptr = self._curves[0]
        joint = np.empty(len(self.price))
        overlap.joint_fills(*self._curves, self._soft, self._centre, self.price, joint)
        return np.clip(joint, self._curves[1][ptr[:-1]], self._curves[1][ptr[1:] - 1])

    def _adopt(self, predicted: Floats, gradient: Floats, hessian: Floats) -> int:
        """Make the last trial the present state; correct what differs from the prediction."""
        price, fill, slope, inverse = self._trial
        missed = sums.scatter(*self.members.legs, fill - predicted, np.zeros(len(gradient)))
        gradient -= missed
        blocks = np.empty(len(self._block_group) - 1, np.int64)
        changed = overlap.changes(
            *self._blocks[1:4], self._slope, slope, self._inverse, inverse, blocks
        )
        self._spread(self._slope, self._inverse, changed, -1.0, hessian)
        self._spread(slope, inverse, changed, 1.0, hessian)
        self.price[:], self._fill[:], self._slope[:], self._inverse[:] = price, fill, slope, inverse
        return int(changed.sum())

    def _spread(
        self, slope: Floats, inverse: Floats, only: Ints | None, sign: float, hessian: Floats
    ) -> None:
        chosen = np.ones(len(self._block_group) - 1, np.int64) if only is None else only
        legs = self.members.legs
        overlap.curvature(*self._blocks, *legs, slope, inverse, chosen, sign, *self._room, hessian)


def _starts(label: NDArray[Any], count: int) -> Ints:
    return np.concatenate([[0], np.cumsum(np.bincount(label, minlength=count))]).astype(np.int64)
