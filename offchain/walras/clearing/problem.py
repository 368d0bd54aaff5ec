"""From the opened submissions of a batch to its clearing prices and shadow prices.

    opened submissions -> Book (floats) -> an engine's root -> exact polish -> certificate

Floats only say where to look. The prices returned are integers that `walras.certificate.settle`
accepts; the contract then accepts them too.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from walras.auths import Auth, Cost
from walras.batch import BatchState, Product
from walras.certificate import complete_shadows, settle
from walras.clearing.book import Book
from walras.clearing.exact import Coupling, ExactBook, Ramp
from walras.clearing.polish import polish
from walras.clearing.registry import engine_named
from walras.curve import breakpoints, cost_breakpoints, drops, tau
from walras.errors import CertificateError, ClearingError
from walras.numbers import MAX_PRICE, X40, X44, X84
from walras.opening import Opened, priced_products

__all__ = ["Index", "Solved", "book_of", "exact_book", "solve_batch"]

Points = list[tuple[float, float]]


class Solved(NamedTuple):
    """Clearing prices X84 by product id and, of accounts with costs, their shadow prices X84."""

    prices: dict[int, int]
    shadows: dict[bytes, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Index:
    """What the rows of a book mean.

    `products[k]` is an id, `orders[i]` an account and its auth, `costs[d]` an account and its cost.
    """

    products: tuple[int, ...]
    orders: tuple[tuple[bytes, int], ...]
    costs: tuple[tuple[bytes, int], ...]


def solve_batch(
    state: BatchState,
    opened: Sequence[Opened],
    *,
    engine: str = "walras",
    warm: Solved | None = None,
) -> Solved:
    """Prices for every product the settlement has to price, shadow prices for every cost.

    `engine` names the float solver that gives the starting point (`walras.clearing.engines`),
    `warm` is what an earlier batch came to. Raises ClearingError if the certificate refuses.
    """
    solver = engine_named(engine)
    products = [state.products[product] for product in priced_products(opened)]
    prices = {product.id: product.reference * X44 for product in products}
    shadows: dict[bytes, tuple[int, ...]] = {}
    if any(_trading(opened)):
        book, index = book_of(opened, products)
        guess = None if warm is None else {**prices, **warm.prices}
        begin = None if guess is None else np.array([guess[k] / X84 for k in index.products])
        with np.errstate(all="ignore"):  # the engine's digits are judged below, exactly
            root = solver(book, warm=begin)
        start = [_grid(p, k) for p, k in zip(root.prices.tolist(), products, strict=True)]
        bound = [_shadow(price) for price in root.group_prices.tolist()]
        exact = polish(exact_book(opened, products), start, bound)
        prices = dict(zip(index.products, exact.prices, strict=True))
        shadows = _by_account(index.costs, exact.shadows)
    shadows = complete_shadows(opened, shadows)
    try:
        settle(state, opened, prices, shadows)
    except CertificateError as error:
        raise ClearingError(f"the certificate refuses the prices found: {error}") from error
    return Solved(prices, shadows)


def book_of(opened: Sequence[Opened], products: Sequence[Product]) -> tuple[Book, Index]:
    """The trading submissions as a `Book` over `products` in lots and cash units, with maker."""
    place = {product.id: k for k, product in enumerate(products)}
    ticks = {product.id: product.tick for product in products}
    rows = tuple(_trading(opened))
    legs = [leg for row in rows for leg in row.auth.legs]
    curves = [_curve(row, ticks) for row in rows]
    points = [point for curve in curves for point in curve]
    bound = tuple(_bound(opened))
    book = Book(
        leg_ptr=_pointers([len(row.auth.legs) for row in rows]),
        leg_product=np.array([place[leg.product] for leg in legs], np.int64),
        leg_weight=np.array([leg.weight for leg in legs], float),
        curve_ptr=_pointers([len(curve) for curve in curves]),
        curve_rate=np.array([rate for rate, _ in points], float),
        curve_price=np.array([price for _, price in points], float),
        reference_price=np.array([product.reference / X40 for product in products], float),
        maker=np.array([float(product.epsilon) for product in products], float),
        **_groups(bound, rows),
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
    rows = tuple(_trading(opened))
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
            for one in _bound(opened)
        ],
    )


class _Row(NamedTuple):
    """An auth that trades: its account, its number there, its guard G and its room (A, B) X44."""

    address: bytes
    number: int
    auth: Auth
    guard: int
    room: tuple[int, int]


class _Bound(NamedTuple):
    """A cost that binds: its account, its number there, and the row of the account's first auth."""

    address: bytes
    number: int
    cost: Cost
    first: int


def _trading(opened: Sequence[Opened]) -> Iterator[_Row]:
    for one in opened:
        if one.reason is None and one.submission is not None:
            auths, guards = one.submission.auths, one.submission.guards
            every = zip(auths, guards, one.submission.progress(one.done), strict=True)
            for number, (auth, guard, moved) in enumerate(every):
                yield _Row(one.account.address, number, auth, guard, auth.room(moved))


def _bound(opened: Sequence[Opened]) -> Iterator[_Bound]:
    first = 0
    for one in opened:
        if one.reason is None and one.submission is not None:
            for number, cost in enumerate(one.submission.costs):
                yield _Bound(one.account.address, number, cost, first)
            first += len(one.submission.auths)


def _curve(row: _Row, ticks: Mapping[int, int]) -> Points:
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


def _groups(bound: Sequence[_Bound], rows: Sequence[_Row]) -> dict[str, Any]:
    """The costs as groups of a `Book`; beyond both ends their price stays as it is there."""
    if not bound:
        return {}
    terms = [(one.first + term.auth, term.coefficient) for one in bound for term in one.cost.terms]
    curves = [_extended(one, rows) for one in bound]
    points = [point for curve in curves for point in curve]
    return {
        "group_ptr": _pointers([len(one.cost.terms) for one in bound]),
        "group_order": np.array([row for row, _ in terms], np.int64),
        "group_coefficient": np.array([coefficient for _, coefficient in terms], float),
        "group_curve_ptr": _pointers([len(curve) for curve in curves]),
        "group_curve_rate": np.array([rate for rate, _ in points], float),
        "group_curve_price": np.array([price for _, price in points], float),
    }


def _extended(one: _Bound, rows: Sequence[_Row]) -> Points:
    points = [(float(rate), m / X40) for rate, m in cost_breakpoints(one.cost)]
    reach = [0.0, 0.0]
    for term in one.cost.terms:
        sold, bought = rows[one.first + term.auth].room
        ends = sorted((-term.coefficient * sold / X44, term.coefficient * bought / X44))
        reach = [reach[0] + ends[0], reach[1] + ends[1]]
    if reach[0] < points[0][0]:
        points.insert(0, (reach[0], points[0][1]))
    if reach[1] > points[-1][0]:
        points.append((reach[1], points[-1][1]))
    return points


def _ramps(curve: Auth | Cost, gross: int, floor: int) -> Iterator[Ramp]:
    """(side, top X40, drop X40, width) of every step with a width, the sell side mirrored."""
    for side, first, steps in ((1, curve.bid, curve.buy), (-1, -curve.ask, curve.sell)):
        top = first
        for step, drop in zip(steps, drops(steps, gross, floor), strict=True):
            if step.width:
                yield side, top, drop, step.width
            top -= drop


def _by_account(
    costs: Sequence[tuple[bytes, int]], shadows: Sequence[int]
) -> dict[bytes, tuple[int, ...]]:
    found: dict[bytes, tuple[int, ...]] = {}
    for (address, _), shadow in zip(costs, shadows, strict=True):
        found[address] = (*found.get(address, ()), shadow)
    return found


def _pointers(lengths: Sequence[int]) -> list[int]:
    return [0, *accumulate(lengths)]


def _grid(price: float, product: Product) -> int:
    """A float price on the X84 grid; what no price can be is replaced by the reference."""
    if not abs(price) < MAX_PRICE / X84:
        return product.reference * X44
    return int(math.ldexp(price, 84))


def _shadow(price: float) -> int:
    """A float shadow price on the X84 grid, or zero; the polish keeps it within its curve."""
    return int(math.ldexp(price, 84)) if abs(price) < 2.0**72 else 0
