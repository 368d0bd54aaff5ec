"""A book without a slope is a linear program: a vertex of its solutions, found by sifting.

Only orders whose price lies near the market's can matter. Every product may be had from outside
at a penalty; then, from what everybody asks for at some prices, the cheapest way to clear what is
in excess is a linear program over the steps near these prices (HiGHS). Steps that its prices leave
on the wrong side join, and the simplex goes on from where it stood, until nobody is left there and
nothing comes from outside: the optimum of the whole book.
    J. Bixby, J. Gregory, I. Lustig, R. Marsten, D. Shanno, "Very large-scale linear programming",
    Operations Research 40 (1992): sifting.

Its prices are right to the library's tolerance. The vanishing maker, the last digits and the proof
are the engine's own.
"""

from typing import Any

import numpy as np

from walras.clearing import steps
from walras.clearing.book import Floats, Ints
from walras.clearing.dual import Market
from walras.clearing.orders import rows

__all__ = ["level", "vertex"]

_EACH = 8  # steps a product that the first program holds
_NEAREST = 1e-5  # of an order's value: less would hold the market at prices that many share
_SAMPLE = 4096  # orders that tell how far away so many lie
_WIDE = 16.0  # penalty of a lot from outside over the radius of the first list,
_WIDER = 8.0  # and its growth where one was not enough
_ROUNDS = 12
_FEW = 30  # so few steps a product are all looked at from the beginning
_OPTIONS = {
    "output_flag": False,
    "threads": 1,
    "solver": "simplex",
    "presolve": "off",  # takes longer here than it saves
    "primal_feasibility_tolerance": 1e-10,
    "dual_feasibility_tolerance": 1e-10,
}
_SLACK = 1e-10  # of an order's value: how far on the wrong side a step may lie


def level(market: Market) -> bool:
    """Whether the book is such a program: no step slopes, no groups."""
    book = market.book
    return not book.groups and steps.level_only(book.curve_ptr, book.curve_rate, market.price)


def vertex(market: Market, q: Floats) -> tuple[Floats, Floats] | None:
    """Prices (K,), as deviations from the references, and fills (N,) of a level book.

    q: prices to start from, deviations likewise. None if HiGHS finds no optimum or the rounds run
    out.
    """
    return _Sifting(market, q).run()


class _Sifting:
    """The program in what is average: a variable is a share of a step, a row a product's cash."""

    def __init__(self, market: Market, q: Floats) -> None:
        import highspy  # noqa: PLC0415 (a tenth of a second that most books need not wait for)

        book = market.book
        self.market, self.highspy = market, highspy
        self.q = q
        self.cash = market.money / book.orders
        self.fill = np.empty(book.orders)
        self.state = np.full(len(book.curve_rate), steps.LISTED, np.int8)
        self.above = np.empty(len(book.curve_rate))
        self.owner: list[Ints] = []
        self.share: list[Floats] = []  # signed: a full step is sold back
        create: Any = highspy.Highs  # it carries no types
        self.highs = create()
        for option, value in _OPTIONS.items():
            self.highs.setOptionValue(option, value)
        radius = self._radius()
        self.penalty = np.full(book.products, _WIDE * radius)
        self.outside = 2 * book.products if np.isfinite(radius) else 0
        self._begin(radius)

    def run(self) -> tuple[Floats, Floats] | None:
        """Solve, let strays in, solve again."""
        for _ in range(_ROUNDS):
            self.highs.run()
            if self.highs.getModelStatus() != self.highspy.HighsModelStatus.kOptimal:
                return None
            found = self.highs.getSolution()
            move = -np.array(found.row_dual) * self.market.scale
            value = np.array(found.col_value)
            if not (self._widened(value) | self._joined(move)):
                return self.q + move, self._fills(value)
        return None

    def _radius(self) -> float:
        """Within which about `_EACH` steps a product lie."""
        book = self.market.book
        if len(book.curve_rate) - book.orders <= _FEW * book.products:
            return np.inf
        stride = max(1, book.orders // _SAMPLE)
        room = np.empty(len(book.curve_rate))
        curves = (book.curve_ptr, book.curve_rate, self.market.price)
        count = steps.distances(*self.market.legs, *curves, self.market.gross, self.q, stride, room)
        wanted = _EACH * book.products // stride
        if wanted >= count:
            return np.inf
        return max(float(np.partition(room[:count], wanted)[wanted]), _NEAREST)

    def _begin(self, radius: float) -> None:
        """Rows, what comes from outside, and the steps within `radius`."""
        market, book = self.market, self.market.book
        bought = np.zeros(book.products)
        owner, step = (np.empty(len(book.curve_rate), np.int64) for _ in range(2))
        count = steps.near(
            *market.legs,
            book.curve_ptr,
            book.curve_rate,
            market.price,
            market.gross,
            self.q,
            radius,
            self.state,
            self.above,
            self.fill,
            bought,
            owner,
            step,
        )
        size, none = book.products, np.zeros(0, np.int32)
        excess = -bought * market.scale / self.cash
        self.highs.addRows(size, excess, excess, 0, np.zeros(size, np.int32), none, np.zeros(0))
        if self.outside:
            every = np.arange(self.outside, dtype=np.int32)
            cost = np.tile(self.penalty, 2)
            sign = np.repeat([1.0, -1.0], size)
            self._add(cost, np.full(len(cost), np.inf), every, every % size, sign)
        self._join(owner[:count], step[:count])

    def _join(self, owner: Ints, step: Ints) -> None:
        """More steps as variables: an empty one to be filled, a full one to be emptied."""
        market, rate = self.market, self.market.book.curve_rate
        start, product, weight = rows(owner, *market.legs)
        gross, above = market.gross[owner], self.above[step]
        sign = np.where(above > 0.0, -1.0, 1.0)
        worth = weight * market.scale[product] * np.repeat(sign / gross, np.diff(start))
        width = (rate[step + 1] - rate[step]) * gross / self.cash
        self._add(np.abs(above), width, start[:-1].astype(np.int32), product, worth)
        self.owner.append(owner)
        self.share.append(sign * self.cash / gross)

    def _add(self, cost: Floats, most: Floats, start: Ints, product: Ints, worth: Floats) -> None:
        count = len(cost)
        if count:
            least = np.zeros(count)
            self.highs.addCols(count, cost, least, most, len(worth), start, product, worth)

    def _joined(self, move: Floats) -> bool:
        """Let steps in that a `move` of prices (K,) leaves on the wrong side; whether any."""
        market, book = self.market, self.market.book
        owner, step = (np.empty(len(book.curve_rate), np.int64) for _ in range(2))
        stand = (self.state, self.above)
        count = steps.strays(
            *market.legs, book.curve_ptr, market.gross, move, _SLACK, *stand, owner, step
        )
        self._join(owner[:count], step[:count])
        return count > 0

    def _widened(self, value: Floats) -> bool:
        """Raise the penalty of products that came from outside; whether any did."""
        came = value[: self.outside].reshape(2, -1).sum(axis=0) > 0.0 if self.outside else None
        if came is None or not came.any():
            return False
        self.penalty[came] *= _WIDER
        every = np.arange(self.outside, dtype=np.int32)
        self.highs.changeColsCost(self.outside, every, np.tile(self.penalty, 2))
        return True

    def _fills(self, value: Floats) -> Floats:
        book = self.market.book
        owner, share = np.concatenate(self.owner), np.concatenate(self.share)
        fills = self.fill + np.bincount(owner, share * value[self.outside :], book.orders)
        low, high = book.curve_rate[book.curve_ptr[:-1]], book.curve_rate[book.curve_ptr[1:] - 1]
        return np.clip(fills, low, high)
