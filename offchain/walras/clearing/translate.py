"""The trading submissions of a batch as books: in floats, and in the certificate's integers.

Both have the same rows: products, auths and costs in the order in which the settlement lists them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from walras.auths import Auth, Cost
from walras.batch import Product
from walras.clearing.book import Book
from walras.clearing.exact import Coupling, ExactBook, Ramp
from walras.curve import breakpoints, cost_breakpoints, drops, tau
from walras.numbers import X40, X44
from walras.opening import Opened

__all__ = ["Bound", "Index", "Row", "book_of", "bound_of", "exact_book", "trading"]

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Index:
    """What the rows of a book mean.

    `products[k]` is an id, `orders[i]` an account and its auth, `costs[d]` an account and its cost.
    """

    products: tuple[int, ...]
    orders: tuple[tuple[bytes, int], ...]
    costs: tuple[tuple[bytes, int], ...]


def book_of(opened: Sequence[Opened], products: Sequence[Product]) -> tuple[Book, Index]:
    """The trading submissions as a `Book` over `products` in lots and cash units, with maker."""
    place = {product.id: k for k, product in enumerate(products)}
    ticks = {product.id: product.tick for product in products}
    rows = tuple(trading(opened))
    legs = [leg for row in rows for leg in row.auth.legs]
    curves = [_curve(row, ticks) for row in rows]
    points = [point for curve in curves for point in curve]
    bound = tuple(bound_of(opened))
    book = Book(
        leg_ptr=_pointers([len(row.auth.legs) for row in rows]),
        leg_product=np.array([place[leg.product] for leg in legs], np.int64),
        leg_weight=np.array([leg.weight for leg in legs], float),
        curve_ptr=_pointers([len(curve) for curve in curves]),
        curve_rate=np.array([rate for rate, _ in points], float),
        curve_price=np.array([price for _, price in points], float),
        reference_price=np.array([product.reference / X40 for product in products], float),
        maker=np.array([float(product.epsilon) for product in products], float),
        **_groups(bound, rows, _worths(rows, curves, products)),
    )
    index = Index(
        tuple(place),
        tuple((row.address, row.number) for row in rows),
        tuple((row.address, row.number) for row in bound),
    )
    return book, index


def exact_book(opened: Sequence[Opened], products: Sequence[Product]) -> ExactBook:
    """The trading submissions in the integers of the certificate, in the order of `book_of`."""
    place = {product.id: k for k, product in enumerate(products)}
    ticks = {product.id: product.tick for product in products}
    rows = tuple(trading(opened))
    return ExactBook.build(
        [[(place[leg.product], leg.weight) for leg in row.auth.legs] for row in rows],
        [list(_ramps(row.auth, row.auth.gross + row.guard, tau(row.auth, ticks))) for row in rows],
        [product.reference for product in products],
        [product.scale for product in products],
        [row.room[::-1] if row.auth.limits else None for row in rows],
        [
            Coupling(
                tuple((one.first + t.auth, t.coefficient) for t in one.cost.terms),
                tuple(_ramps(one.cost, one.cost.gross, 1)),
                one.cost.bottom,
                one.cost.top,
            )
            for one in bound_of(opened)
        ],
    )


class Row(NamedTuple):
    """An auth that trades: its account, its number there, its guard G and its room (A, B) X44."""

    address: bytes
    number: int
    auth: Auth
    guard: int
    room: tuple[int, int]


class Bound(NamedTuple):
    """A cost that binds: its account, its number there, and the row of the account's first auth."""

    address: bytes
    number: int
    cost: Cost
    first: int


def trading(opened: Sequence[Opened]) -> Iterator[Row]:
    """The auths of all submissions that trade."""
    for one in opened:
        if one.reason is None and one.submission is not None:
            auths, guards = one.submission.auths, one.submission.guards
            every = zip(auths, guards, one.submission.progress(one.done), strict=True)
            for number, (auth, guard, moved) in enumerate(every):
                yield Row(one.account.address, number, auth, guard, auth.room(moved))


def bound_of(opened: Sequence[Opened]) -> Iterator[Bound]:
    """The costs of all submissions that trade."""
    first = 0
    for one in opened:
        if one.reason is None and one.submission is not None:
            for number, cost in enumerate(one.submission.costs):
                yield Bound(one.account.address, number, cost, first)
            first += len(one.submission.auths)


def _curve(row: Row, ticks: Mapping[int, int]) -> Points:
    """(rate, price) in units and cash, cut to what the limits leave; rate 0 always stays."""
    points = [(rate * X44, m) for rate, m in breakpoints(row.auth, ticks, row.guard)]
    low, high = -row.room[0], row.room[1]
    kept = [point for point in points if low <= point[0] <= high]
    if low < kept[0][0]:
        kept.insert(0, (low, _price(points, low)))
    if kept[-1][0] < high:
        kept.append((high, _price(points, high)))
    return [(rate / X44, m / X40) for rate, m in kept]


def _price(points: Sequence[tuple[int, int]], rate: int) -> int:
    """X40, where the curve passes `rate` inside a step."""
    (left, high), (right, low) = next(
        step for step in pairwise(points) if step[0][0] <= rate <= step[1][0]
    )
    return high - (high - low) * (rate - left) // max(right - left, 1)


def _groups(bound: Sequence[Bound], rows: Sequence[Row], worths: Sequence[float]) -> dict[str, Any]:
    """The costs as groups of a `Book`."""
    if not bound:
        return {}
    terms = [(one.first + term.auth, term.coefficient) for one in bound for term in one.cost.terms]
    curves = [_extended(one, rows, worths) for one in bound]
    points = [point for curve in curves for point in curve]
    return {
        "group_ptr": _pointers([len(one.cost.terms) for one in bound]),
        "group_order": np.array([row for row, _ in terms], np.int64),
        "group_coefficient": np.array([coefficient for _, coefficient in terms], float),
        "group_curve_ptr": _pointers([len(curve) for curve in curves]),
        "group_curve_rate": np.array([rate for rate, _ in points], float),
        "group_curve_price": np.array([price for _, price in points], float),
    }


def _extended(one: Bound, rows: Sequence[Row], worths: Sequence[float]) -> Points:
    """A cost's curve in units and cash; beyond both ends the price stays as it is there.

    Prices are cut where they would stop all of the cost's auths twice over: floats cannot tell
    the rest apart.
    """
    sold = bought = worth = 0.0
    for term in one.cost.terms:
        row = one.first + term.auth
        low, high = (-rows[row].room[0], rows[row].room[1])
        ends = (term.coefficient * low / X44, term.coefficient * high / X44)
        sold, bought = sold + min(ends), bought + max(ends)
        worth = max(worth, worths[row] / abs(term.coefficient))
    points = [
        (float(rate), min(max(m / X40, -2 * worth), 2 * worth))
        for rate, m in cost_breakpoints(one.cost)
    ]
    if sold < points[0][0]:
        points.insert(0, (sold, points[0][1]))
    if points[-1][0] < bought:
        points.append((bought, points[-1][1]))
    return points


def _worths(
    rows: Sequence[Row], curves: Sequence[Points], products: Sequence[Product]
) -> list[float]:
    """Cash per unit of each auth, beyond what could still change its mind."""
    reference = {product.id: product.reference / X40 for product in products}
    return [
        sum(abs(leg.weight) * reference[leg.product] for leg in row.auth.legs)
        + max(abs(price) for _, price in curve)
        for row, curve in zip(rows, curves, strict=True)
    ]


def _ramps(curve: Auth | Cost, gross: int, floor: int) -> Iterator[Ramp]:
    """(side, top X40, drop X40, width) of every step with a width, the sell side mirrored."""
    for side, first, steps in ((1, curve.bid, curve.buy), (-1, -curve.ask, curve.sell)):
        top = first
        for step, drop in zip(steps, drops(steps, gross, floor), strict=True):
            if step.width:
                yield side, top, drop, step.width
            top -= drop


def _pointers(lengths: Sequence[int]) -> list[int]:
    return [0, *accumulate(lengths)]
