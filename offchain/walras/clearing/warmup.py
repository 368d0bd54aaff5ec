"""Compile what a batch needs before the first one waits for it."""

from walras.clearing.engine import clear
from walras.clearing.exact import ExactBook
from walras.clearing.generator import market, with_groups
from walras.clearing.polish import polish
from walras.numbers import X24, X40, X44

__all__ = ["warm_up"]


def warm_up() -> None:
    """Clear a few small books of every kind, in floats and in integers.

    A minute on a slow machine the first time for each version and user, half a second later.
    """
    for orders, flat in ((40, 0.0), (40, 0.5), (40, 1.0), (600, 0.5), (600, 1.0)):
        book = market(3, orders, flat)
        clear(book)
        clear(with_groups(book, 0.2))
    unit = 1000 * X40
    buy, sell = (1, 11 * unit, 2 * unit, 5 * X44), (-1, -9 * unit, 2 * unit, 3 * X44)
    portfolios = [[(0, 1)], [(0, 1), (1, 2)]]
    rooms = [(4 * X44, 4 * X44), None]
    scale = [10_000 * X24, 1000 * X24]
    polish(ExactBook.build(portfolios, [[buy], [sell]], [10 * unit, unit], scale, rooms))
