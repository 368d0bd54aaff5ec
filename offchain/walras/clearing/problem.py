"""From the opened submissions of a batch to its clearing prices.

    opened submissions -> Book (floats) -> an engine's root -> exact polish -> certificate

Floats only say where to look. The prices returned are integers that `walras.certificate.settle`
accepts; the contract then accepts them too.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from walras.auths import Auth
from walras.batch import BatchState, Product
from walras.certificate import Opened, priced_products, settle
from walras.clearing.book import Book
from walras.clearing.exact import ExactBook
from walras.clearing.polish import polish
from walras.clearing.registry import engine_named
from walras.curve import breakpoints, drops, tau
from walras.errors import CertificateError, ClearingError
from walras.numbers import MAX_PRICE, X40, X44, X84

__all__ = ["Index", "book_of", "exact_book", "solve_batch"]


@dataclass(frozen=True, slots=True)
class Index:
    """What the rows of a book mean: `products[k]` is an id, `orders[i]` an account and its auth."""

    products: tuple[int, ...]
    orders: tuple[tuple[bytes, int], ...]


def solve_batch(
    state: BatchState,
    opened: Sequence[Opened],
    *,
    engine: str = "walras",
    warm: Mapping[int, int] | None = None,
) -> dict[int, int]:
    """Clearing prices X84 by product id, for every product the settlement has to price.

    `engine` names the float solver that gives the starting point (`walras.clearing.engines`),
    `warm` are prices X84 of an earlier batch. Raises ClearingError if the certificate refuses.
    """
    solver = engine_named(engine)
    products = [state.products[product] for product in priced_products(opened)]
    prices = {product.id: product.reference * X44 for product in products}
    if any(_trading(opened)):
        book, index = book_of(opened, products)
        guess = None if warm is None else {**prices, **warm}
        begin = None if guess is None else [guess[k] / X84 for k in index.products]
        with np.errstate(all="ignore"):  # the engine's digits are judged below, exactly
            root = solver(book, warm=None if begin is None else np.array(begin)).prices.tolist()
        start = [_grid(price, product) for price, product in zip(root, products, strict=True)]
        exact = polish(exact_book(opened, products), start).prices
        prices = dict(zip(index.products, exact, strict=True))
    try:
        settle(state, opened, prices)
    except CertificateError as error:
        raise ClearingError(f"the certificate refuses the prices found: {error}") from error
    return prices


def book_of(opened: Sequence[Opened], products: Sequence[Product]) -> tuple[Book, Index]:
    """The trading submissions as a `Book` over `products` in lots and cash units, with maker."""
    place = {product.id: k for k, product in enumerate(products)}
    ticks = {product.id: product.tick for product in products}
    orders = tuple(_trading(opened))
    auths = [auth for _, _, auth in orders]
    legs = [leg for auth in auths for leg in auth.legs]
    curves = [breakpoints(auth, ticks) for auth in auths]
    points = [point for curve in curves for point in curve]
    book = Book(
        leg_ptr=[0, *accumulate(len(auth.legs) for auth in auths)],
        leg_product=np.array([place[leg.product] for leg in legs], np.int64),
        leg_weight=np.array([leg.weight for leg in legs], float),
        curve_ptr=[0, *accumulate(len(curve) for curve in curves)],
        curve_rate=np.array([rate for rate, _ in points], float),
        curve_price=np.array([price / X40 for _, price in points], float),
        reference_price=np.array([product.reference / X40 for product in products], float),
        maker=np.array([float(product.epsilon) for product in products], float),
    )
    index = Index(tuple(place), tuple((address, number) for address, number, _ in orders))
    return book, index


def exact_book(opened: Sequence[Opened], products: Sequence[Product]) -> ExactBook:
    """The trading submissions in the integers of the certificate, in the order of `book_of`."""
    place = {product.id: k for k, product in enumerate(products)}
    ticks = {product.id: product.tick for product in products}
    auths = [auth for _, _, auth in _trading(opened)]
    return ExactBook.build(
        [[(place[leg.product], leg.weight) for leg in auth.legs] for auth in auths],
        [list(_ramps(auth, ticks)) for auth in auths],
        [product.reference for product in products],
        [product.scale for product in products],
    )


def _trading(opened: Sequence[Opened]) -> Iterator[tuple[bytes, int, Auth]]:
    for one in opened:
        if one.reason is None and one.submission is not None:
            for number, auth in enumerate(one.submission.auths):
                yield one.account.address, number, auth


def _ramps(auth: Auth, ticks: Mapping[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """(side, top X40, drop X40, width) of every step with a width, the sell side mirrored."""
    for side, first, steps in ((1, auth.bid, auth.buy), (-1, -auth.ask, auth.sell)):
        top = first
        for step, drop in zip(steps, drops(steps, auth.gross, tau(auth, ticks)), strict=True):
            if step.width:
                yield side, top, drop, step.width
            top -= drop


def _grid(price: float, product: Product) -> int:
    """A float price on the X84 grid; what no price can be is replaced by the reference."""
    if not abs(price) < MAX_PRICE / X84:
        return product.reference * X44
    return int(math.ldexp(price, 84))
