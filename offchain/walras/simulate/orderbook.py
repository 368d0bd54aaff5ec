"""A continuous limit order book with price and time priority: what batches are compared with."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

__all__ = ["OrderBook", "Trade"]


@dataclass(slots=True)
class _Resting:
    number: int
    owner: str
    price: float
    size: float


@dataclass(frozen=True, slots=True)
class Trade:
    """``size`` shares went from ``seller`` to ``buyer`` at the resting order's ``price``."""

    buyer: str
    seller: str
    price: float
    size: float


class OrderBook:
    """One product; messages take effect in the order in which they arrive."""

    def __init__(self) -> None:
        self._sides: dict[int, dict[float, deque[_Resting]]] = {1: {}, -1: {}}
        self._number = 0

    def best(self, side: int) -> float | None:
        """Highest bid (``side`` 1) or lowest ask (-1)."""
        prices = self._sides[side]
        return None if not prices else max(prices) if side > 0 else min(prices)

    def submit(
        self, owner: str, side: int, price: float, size: float, *, rest: bool = True
    ) -> tuple[int, list[Trade]]:
        """Trade against the other side up to ``price``; what is left rests, unless told not to.

        Returns the order's number and its trades.
        """
        trades = []
        while size > 0:
            best = self.best(-side)
            if best is None or side * (best - price) > 0:
                break
            queue = self._sides[-side][best]
            first = queue[0]
            part = min(size, first.size)
            buyer, seller = (owner, first.owner) if side > 0 else (first.owner, owner)
            trades.append(Trade(buyer, seller, best, part))
            size -= part
            first.size -= part
            if first.size <= 0:
                queue.popleft()
            if not queue:
                del self._sides[-side][best]
        self._number += 1
        if size > 0 and rest:
            order = _Resting(self._number, owner, price, size)
            self._sides[side].setdefault(price, deque()).append(order)
        return self._number, trades

    def cancel(self, number: int) -> bool:
        """Take an order out; False if it is no longer there."""
        for prices in self._sides.values():
            for price, queue in prices.items():
                for order in queue:
                    if order.number == number:
                        queue.remove(order)
                        if not queue:
                            del prices[price]
                        return True
        return False
