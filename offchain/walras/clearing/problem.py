"""From the opened submissions of a batch to its clearing prices and shadow prices.

    opened submissions -> Book (floats) -> an engine's root -> exact polish -> certificate

Floats only say where to look. The prices returned are integers that `walras.certificate.settle`
accepts; the contract then accepts them too.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from walras.batch import BatchState, Product
from walras.certificate import complete_shadows, settle
from walras.clearing.polish import polish
from walras.clearing.registry import Engine, engine_named
from walras.clearing.translate import Bound, Index, book_of, bound_of, exact_book, trading
from walras.errors import CertificateError, ClearingError
from walras.numbers import MAX_PRICE, X44, X84
from walras.opening import Opened, priced_products

__all__ = ["Index", "Solved", "book_of", "exact_book", "solve_batch"]


class Solved(NamedTuple):
    """Clearing prices X84 by product id and, of accounts with costs, their shadow prices X84."""

    prices: dict[int, int]
    shadows: dict[bytes, tuple[int, ...]]


def solve_batch(
    state: BatchState,
    opened: Sequence[Opened],
    *,
    engine: str = "walras",
    warm: Solved | None = None,
) -> Solved:
    """Prices for every product the settlement has to price, shadow prices for every cost.

    `engine` names the float solver that gives the starting point (`walras.clearing.engines`),
    `warm` is what an earlier batch came to. The engine of this package leaves books with costs to
    the polish, which needs no start. Raises ClearingError if the certificate refuses.
    """
    solver = engine_named(engine)
    products = [state.products[product] for product in priced_products(opened)]
    prices = {product.id: product.reference * X44 for product in products}
    shadows: dict[bytes, tuple[int, ...]] = {}
    if any(trading(opened)):
        bound = tuple(bound_of(opened))
        begin = None if warm is None else _Start.warm(warm, products, bound)
        if engine != "walras" or not bound:
            begin = _root(solver, opened, products, begin)
        start = (None, None) if begin is None else begin
        exact = polish(exact_book(opened, products), *start)
        prices = dict(zip(prices, exact.prices, strict=True))
        shadows = _by_account(bound, exact.shadows)
    shadows = complete_shadows(opened, shadows)
    try:
        settle(state, opened, prices, shadows)
    except CertificateError as error:
        raise ClearingError(f"the certificate refuses the prices found: {error}") from error
    return Solved(prices, shadows)


class _Start(NamedTuple):
    """Prices X84 by product and shadow prices X84 by cost to begin the polish at."""

    prices: list[int]
    shadows: list[int]

    @classmethod
    def warm(cls, warm: Solved, products: Sequence[Product], bound: Sequence[Bound]) -> Self:
        """Of an earlier batch; references and zeros where that knows nothing."""
        shadows = []
        for one in bound:
            known = warm.shadows.get(one.address, ())
            shadows.append(known[one.number] if one.number < len(known) else 0)
        return cls([warm.prices.get(k.id, k.reference * X44) for k in products], shadows)


def _root(
    solver: Engine, opened: Sequence[Opened], products: Sequence[Product], begin: _Start | None
) -> _Start:
    """An engine's root on the X84 grid."""
    book, _ = book_of(opened, products)
    warm = None if begin is None else np.array([price / X84 for price in begin.prices])
    with np.errstate(all="ignore"):  # the engine's digits are judged by the polish, exactly
        root = solver(book, warm=warm)
    return _Start(
        [_grid(p, k) for p, k in zip(root.prices.tolist(), products, strict=True)],
        [_shadow(price) for price in root.group_prices.tolist()],
    )


def _by_account(bound: Sequence[Bound], shadows: Sequence[int]) -> dict[bytes, tuple[int, ...]]:
    found: dict[bytes, tuple[int, ...]] = {}
    for one, shadow in zip(bound, shadows, strict=True):
        found[one.address] = (*found.get(one.address, ()), shadow)
    return found


def _grid(price: float, product: Product) -> int:
    """A float price on the X84 grid; what no price can be is replaced by the reference."""
    if not abs(price) < MAX_PRICE / X84:
        return product.reference * X44
    return int(math.ldexp(price, 84))


def _shadow(price: float) -> int:
    """A float shadow price on the X84 grid, or zero; the polish keeps it within its curve."""
    return int(math.ldexp(price, 84)) if abs(price) < 2.0**72 else 0
