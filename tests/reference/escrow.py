"""SPEC §7: what an account must hold, from the most each of its curves can cost."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

from tests.reference.curves import Cost
from tests.reference.wire import Reading


def needed_cash(reading: Reading, done: Sequence[int] = ()) -> int:
    """X40: the most all auths and costs together can pay."""
    progress = reading.progress(done) if done else [0] * len(reading.orders)
    rooms = [order.room(moved) for order, moved in zip(reading.orders, progress, strict=True)]
    total = len(reading.orders) if reading.costs else 0
    for order, (sold, bought) in zip(reading.orders, rooms, strict=True):
        total += max(worth(bought, order.bid), worth(sold, negative(order.ask)))
    return total + sum(cost_cash(cost, rooms) for cost in reading.costs)


def cost_cash(cost: Cost, rooms: Sequence[tuple[int, int]]) -> int:
    above = below = 0  # most and least that s can be, X44
    for index, coefficient in cost.terms:
        sold, bought = rooms[index]
        ends = (-sold * coefficient, bought * coefficient)
        above += max(ends)
        below -= min(ends)
    most = 2**44 * sum(width for width, _ in cost.buy)
    least = 2**44 * sum(width for width, _ in cost.sell)
    if cost.bottom > 0 and above > most:
        most = above
    if cost.top < 0 and below > least:
        least = below
    bid = cost.ask if cost.bid is None else cost.bid
    ask = cost.bid if cost.ask is None else cost.ask
    edge = max(abs(cost.top), abs(cost.bottom))
    return max(worth(most, bid), worth(least, negative(ask))) + ceil(
        edge * 2**40 * cost.touches / 2**44
    )


def needed_lots(reading: Reading, product: int, done: Sequence[int] = ()) -> int:
    """X44: the most of a product that all auths together can deliver."""
    progress = reading.progress(done) if done else [0] * len(reading.orders)
    total = 0
    for order, moved in zip(reading.orders, progress, strict=True):
        sold, bought = order.room(moved)
        for k, weight in order.legs:
            if k == product:
                total += weight * sold if weight > 0 else -weight * bought
    return total


def worth(quantity: int, price: int | None) -> int:
    """X40 of a quantity X44 at a price X40, if that costs anything; rounded up."""
    return 0 if price is None else max(0, ceil(Fraction(quantity * price, 2**44)))


def negative(price: int | None) -> int | None:
    return None if price is None else -price
