"""Orders that ask the same price for the same portfolio share what is left in proportion.

A search that starts at neutral fills gives tied orders equal shares by itself. One that starts at
fills somebody had before, or at a vertex, keeps whatever shares it began with: optimal, not fair.
"""

import numpy as np

from walras.clearing import steps
from walras.clearing.book import Floats, Ints
from walras.clearing.dual import Market
from walras.clearing.orders import rows

__all__ = ["shared"]

_NEAR = 1e-9  # of an order's value: how far from a flat step the price may be
_SAME = 12  # digits in which portfolios and prices of a tie agree


def shared(market: Market, q: Floats, fills: Floats) -> Floats:
    """Fills (N,) with every tie at the prices q (K,), deviations from the references, made even.

    The sum over a tie stays, so do prices, residuals and regrets. Orders bound by groups are left
    alone: their shadow prices decide.
    """
    order, low, high, price = _tied(market, q, fills)
    unit = _signed(market, order)
    tie, inverse = np.unique(_marks(market, order, price / unit), axis=1, return_inverse=True)
    size = tie.shape[1]
    ends = np.sort(np.stack([unit * low, unit * high]), axis=0)
    room = ends[1] - ends[0]
    given = np.bincount(inverse, unit * fills[order] - ends[0], size)
    share = np.clip(given / np.bincount(inverse, room, size), 0.0, 1.0)[inverse]
    several = np.bincount(inverse, minlength=size)[inverse] > 1
    fair = fills.copy()
    even = np.clip((ends[0] + share * room) / unit, low, high)
    fair[order[several]] = even[several]
    return fair


def _tied(market: Market, q: Floats, fills: Floats) -> tuple[Ints, Floats, Floats, Floats]:
    """Of every flat step that its price and its fill lie on: order, rates at its ends, price."""
    book = market.book
    alone = market.flat.copy()
    alone[book.group_order] = 0
    order, first, last = (np.empty(book.orders, np.int64) for _ in range(3))
    curves = (book.curve_ptr, book.curve_rate, market.price)
    count = steps.tied(
        *market.legs, *curves, market.gross, alone, q, fills, _NEAR, order, first, last
    )
    first, last = first[:count], last[:count]
    return order[:count], book.curve_rate[first], book.curve_rate[last], market.price[first]


def _marks(market: Market, order: Ints, asked: Floats) -> Floats:
    """(4, n) what members of one tie have in common: the price, and of the portfolio three marks.

    Marks are its length and two random projections of its weights by value.
    """
    start, product, weight = rows(order, *market.legs)
    count = np.diff(start)
    worth = weight * market.scale[product]
    share = np.round(worth / np.repeat(_signed(market, order), count), _SAME)
    spell = np.random.default_rng(0).random((2, market.book.products))
    row = np.repeat(np.arange(len(order)), count)
    sums = [np.bincount(row, share * drawn[product], len(order)) for drawn in spell]
    return np.stack([np.round(asked, _SAME), count, *sums])


def _signed(market: Market, order: Ints) -> Floats:
    """Cash of a unit of each, negative where the first leg is: mirrored ones tie with the rest."""
    ptr, _, weight = market.legs
    return np.copysign(market.gross[order], weight[ptr[order]])
