"""A book without a slope is a linear program: a vertex of its solutions, found by sifting.

Only orders whose price lies near the market's can matter. Every product may be had from outside
at a penalty; then, from what everybody asks for at some prices, the cheapest way to clear what is
in excess is a linear program over the steps near these prices (HiGHS). Steps that its prices leave
on the wrong side join, and the simplex goes on from where it stood, until nobody is left there and
nothing comes from outside: the optimum of the whole book.
    J. Bixby, J. Gregory, I. Lustig, R. Marsten, D. Shanno, "Very large-scale linear programming",
    Operations Research 40 (1992): sifting.

A group joins as one more product: its orders hold their coefficients of it, and its own curve sells
it. What it costs is the shadow price.

Prices are right to the library's tolerance. The vanishing maker, the last digits and the proof
are the engine's own.
"""

from typing import Any, NamedTuple

import numpy as np

from walras.clearing import steps
from walras.clearing.book import Book, Floats, Ints
from walras.clearing.dual import Market
from walras.clearing.orders import Legs, rows

__all__ = ["level", "vertex"]

_EACH = 8  # steps a product that the first program holds
_NEAREST = 1e-5  # of an order's value: less would hold the market at prices that many share
_SAMPLE = 4096  # orders that tell how far away so many lie
_WIDE = 16.0  # penalty of a lot from outside over the radius of the first list,
_WIDER = 8.0  # and its growth where one was not enough
_ROUNDS = 12
_PATIENCE = 20  # simplex steps per row
_MANY, _MOST = 10, 10_000  # groups a product, and in all, beyond which a simplex takes longer
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
    """Whether the book is such a program: no step slopes, and groups are few enough."""
    book = market.book
    if book.groups and not (
        book.groups <= min(_MANY * book.products, _MOST)
        and steps.level_only(book.group_curve_ptr, book.group_curve_rate, book.group_curve_price)
    ):
        return False
    return steps.level_only(book.curve_ptr, book.curve_rate, market.price)


def vertex(market: Market, q: Floats) -> tuple[Floats, Floats, Floats] | None:
    """Of a level book prices (K,), as deviations, fills (N,) and shadow prices of groups (G,).

    q: prices to start from, deviations likewise. None if HiGHS finds no optimum or the rounds run
    out.
    """
    book = market.book
    found = _Sifting(_Program.of(market), np.concatenate([q, np.zeros(book.groups)])).run()
    if found is None:
        return None
    prices, fills = found
    return prices[: book.products], fills[: book.orders], -prices[book.products :]


class _Program(NamedTuple):
    """Rows with a demand curve over columns: orders over products, or groups among both.

    gross (rows,), scale (columns,) and cash: what a unit of each is worth, and an average row.
    """

    legs: Legs
    curve_ptr: Ints
    rate: Floats
    price: Floats
    gross: Floats
    scale: Floats
    cash: float

    @classmethod
    def of(cls, market: Market) -> "_Program":
        """The orders of a book, and its groups."""
        book, legs = market.book, market.legs
        cash = market.money / book.orders
        curves = (book.curve_ptr, book.curve_rate, market.price)
        if not book.groups:
            return cls(legs, *curves, market.gross, market.scale, cash)
        group = np.repeat(np.arange(book.groups), np.diff(book.group_ptr))
        worth = np.zeros(book.groups)
        unit = market.gross[book.group_order] / np.maximum(np.abs(book.group_coefficient), 1e-300)
        np.maximum.at(worth, group, unit)
        worth[worth == 0.0] = 1.0
        return cls(
            _extended(book, legs, group),
            np.concatenate([book.curve_ptr, book.curve_ptr[-1] + book.group_curve_ptr[1:]]),
            np.concatenate([book.curve_rate, book.group_curve_rate]),
            np.concatenate([market.price, book.group_curve_price]),
            np.concatenate([market.gross, worth]),
            np.concatenate([market.scale, worth]),
            cash,
        )

    @property
    def size(self) -> tuple[int, int, int]:
        """Rows, columns, breakpoints."""
        return len(self.gross), len(self.scale), len(self.rate)


def _extended(book: Book, legs: Legs, group: Ints) -> Legs:
    """Legs of orders with their coefficients of groups behind, then of groups: one sold each."""
    ptr, product, weight = legs
    behind = ptr[book.group_order + 1]
    own = book.products + np.arange(book.groups)
    more = np.bincount(book.group_order, minlength=book.orders)
    end = ptr + np.concatenate([[0], np.cumsum(more)])
    return (
        np.concatenate([end, end[-1] + 1 + np.arange(book.groups)]),
        np.concatenate([np.insert(product, behind, book.products + group), own]).astype(np.int32),
        np.concatenate([np.insert(weight, behind, book.group_coefficient), -np.ones(len(own))]),
    )


class _Sifting:
    """The program in what is average: a variable is a share of a step, a row a product's cash."""

    def __init__(self, program: _Program, q: Floats) -> None:
        import highspy  # noqa: PLC0415 (a tenth of a second that most books need not wait for)

        count, products, breakpoints = program.size
        self.program, self.highspy, self.q = program, highspy, q
        self.fill = np.empty(count)
        self.state = np.full(breakpoints, steps.LISTED, np.int8)
        self.above = np.empty(breakpoints)
        self.owner: list[Ints] = []
        self.share: list[Floats] = []  # signed: a full step is sold back
        create: Any = highspy.Highs  # it carries no types
        self.highs = create()
        for option, value in _OPTIONS.items():
            self.highs.setOptionValue(option, value)
        self.highs.setOptionValue("simplex_iteration_limit", _PATIENCE * (products + 1000))
        radius = self._radius()
        self.penalty = np.full(products, _WIDE * radius)
        self.outside = 2 * products if np.isfinite(radius) else 0
        self._begin(radius)

    def run(self) -> tuple[Floats, Floats] | None:
        """Solve, let strays in, solve again."""
        for _ in range(_ROUNDS):
            self.highs.run()
            if self.highs.getModelStatus() != self.highspy.HighsModelStatus.kOptimal:
                return None
            found = self.highs.getSolution()
            move = -np.array(found.row_dual) * self.program.scale
            value = np.array(found.col_value)
            if not (self._widened(value) | self._joined(move)):
                return self.q + move, self._fills(value)
        return None

    def _radius(self) -> float:
        """Within which about `_EACH` steps a product lie."""
        program = self.program
        count, products, breakpoints = program.size
        if breakpoints - count <= _FEW * products:
            return np.inf
        stride = max(1, count // _SAMPLE)
        room = np.empty(breakpoints)
        curves = (program.curve_ptr, program.rate, program.price)
        listed = steps.distances(*program.legs, *curves, program.gross, self.q, stride, room)
        wanted = _EACH * products // stride
        if wanted >= listed:
            return np.inf
        return max(float(np.partition(room[:listed], wanted)[wanted]), _NEAREST)

    def _begin(self, radius: float) -> None:
        """Rows, what comes from outside, and the steps within `radius`."""
        program = self.program
        size = len(program.scale)
        bought = np.zeros(size)
        owner, step = self._room()
        count = steps.near(
            *program.legs,
            program.curve_ptr,
            program.rate,
            program.price,
            program.gross,
            self.q,
            radius,
            self.state,
            self.above,
            self.fill,
            bought,
            owner,
            step,
        )
        excess, none = -bought * program.scale / program.cash, np.zeros(0, np.int32)
        self.highs.addRows(size, excess, excess, 0, np.zeros(size, np.int32), none, np.zeros(0))
        if self.outside:
            every = np.arange(self.outside)
            most, sign = np.full(self.outside, np.inf), np.repeat([1.0, -1.0], size)
            self._add(np.tile(self.penalty, 2), most, every, every % size, sign)
        self._join(owner[:count], step[:count])

    def _join(self, owner: Ints, step: Ints) -> None:
        """More steps as variables: an empty one to be filled, a full one to be emptied."""
        program, rate = self.program, self.program.rate
        start, product, weight = rows(owner, *program.legs)
        gross, above = program.gross[owner], self.above[step]
        sign = np.where(above > 0.0, -1.0, 1.0)
        worth = weight * program.scale[product] * np.repeat(sign / gross, np.diff(start))
        width = (rate[step + 1] - rate[step]) * gross / program.cash
        self._add(np.abs(above), width, start[:-1], product, worth)
        self.owner.append(owner)
        self.share.append(sign * program.cash / gross)

    def _add(self, cost: Floats, most: Floats, start: Ints, product: Ints, worth: Floats) -> None:
        count = len(cost)
        if count:
            least, begin, index = np.zeros(count), start.astype(np.int32), product.astype(np.int32)
            self.highs.addCols(count, cost, least, most, len(worth), begin, index, worth)

    def _joined(self, move: Floats) -> bool:
        """Let steps in that a `move` of prices (K,) leaves on the wrong side; whether any."""
        program = self.program
        owner, step = self._room()
        count = steps.strays(
            *program.legs,
            program.curve_ptr,
            program.gross,
            move,
            _SLACK,
            self.state,
            self.above,
            owner,
            step,
        )
        self._join(owner[:count], step[:count])
        return count > 0

    def _room(self) -> tuple[Ints, Ints]:
        """For orders and breakpoints of as many steps as there can be."""
        return np.empty(len(self.above), np.int64), np.empty(len(self.above), np.int64)

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
        ptr, rate = self.program.curve_ptr, self.program.rate
        owner, share = np.concatenate(self.owner), np.concatenate(self.share)
        given = np.bincount(owner, share * value[self.outside :], len(self.fill))
        return np.clip(self.fill + given, rate[ptr[:-1]], rate[ptr[1:] - 1])
