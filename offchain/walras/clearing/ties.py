"""Orders that ask the same price for the same portfolio share what is left in proportion.

A search that starts at neutral fills gives tied orders equal shares by itself. One that starts at
fills somebody had before, or at a vertex, keeps whatever shares it began with: optimal, not fair.
"""

import numpy as np

from walras.clearing import sums
from walras.clearing.book import Floats, Ints
from walras.clearing.dual import Market

__all__ = ["shared"]

_NEAR = 1e-9  # of an order's value: how far from a flat step the price may be
_SAME = 12  # digits in which portfolios and prices of a tie agree


def shared(market: Market, q: Floats, fills: Floats) -> Floats:
    """Fills (N,) with every tie at the prices q (K,), deviations from the references, made even.

    The sum over a tie stays, so do prices, residuals and regrets. Orders bound by groups are left
    alone: their shadow prices decide.
    """
    order, low, high, price = _tied(market, q)
    asked = np.round(price / _signed(market, order), _SAME)
    _, first, count = np.unique(asked, return_inverse=True, return_counts=True)
    ties: dict[bytes, list[int]] = {}
    for n in np.flatnonzero(count[first] > 1):
        ties.setdefault(_key(market, order[n], asked[n]), []).append(n)
    fair = fills.copy()
    for members in ties.values():
        if len(members) > 1:
            chosen = np.array(members)
            rows = order[chosen]
            fair[rows] = _even(_signed(market, rows), low[chosen], high[chosen], fills[rows])
    return fair


def _even(unit: Floats, low: Floats, high: Floats, fills: Floats) -> Floats:
    """Fills at one share of all ranges; `unit` is the signed cash of one of each."""
    ends = np.sort(np.stack([unit * low, unit * high]), axis=0)
    room = ends[1] - ends[0]
    share = np.clip(np.sum(unit * fills - ends[0]) / np.sum(room), 0.0, 1.0)
    fair: Floats = np.clip((ends[0] + share * room) / unit, low, high)
    return fair


def _tied(market: Market, q: Floats) -> tuple[Ints, Floats, Floats, Floats]:
    """Of every flat step that the prices lie on: order, rates at its ends, price."""
    book, price, rate = market.book, market.price, market.book.curve_rate
    level = sums.gather(*market.legs, q, np.empty(book.orders))
    near = _NEAR * market.gross
    begin, end = book.curve_ptr[:-1], book.curve_ptr[1:] - 1
    within = (market.flat > 0) & (level <= price[begin] + near) & (level >= price[end] - near)
    if book.groups:
        within[book.group_order] = False
    rows = np.flatnonzero(within)
    count = end[rows] - begin[rows]
    order = np.repeat(rows, count)
    left = np.arange(len(order)) + np.repeat(begin[rows] - np.cumsum(count) + count, count)
    flat = (price[left] == price[left + 1]) & (rate[left] < rate[left + 1])
    flat &= np.abs(price[left] - level[order]) <= near[order]
    order, left = order[flat], left[flat]
    return order, rate[left], rate[left + 1], price[left]


def _key(market: Market, order: int, asked: float) -> bytes:
    """What members of one tie have in common: products, their weights by value, and the price."""
    ptr, product, weight = market.legs
    legs = slice(ptr[order], ptr[order + 1])
    worth = weight[legs] * market.scale[product[legs]]
    share = np.round(worth / np.copysign(market.gross[order], worth[0]), _SAME)
    return bytes(product[legs].tobytes() + share.tobytes()) + float(asked + 0.0).hex().encode()


def _signed(market: Market, order: Ints) -> Floats:
    """Cash of a unit of each, negative where the first leg is: mirrored ones tie with the rest."""
    ptr, _, weight = market.legs
    return np.copysign(market.gross[order], weight[ptr[order]])
