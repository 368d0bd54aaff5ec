"""Submissions of many shapes on a market where everything costs the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.contract.batches import order
from walras.auths import Auth, Leg, Step
from walras.numbers import X40

__all__ = ["FRESH_WORDS", "OWN_PRODUCTS", "PRICE", "SHAPES", "Shape"]

PRICE: Final = 100  # cash units per lot, everywhere


@dataclass(frozen=True)
class Shape:
    """A kind of submission: auths of the i-th account, and the product it holds first, if any."""

    name: str
    auths: Callable[[int], tuple[Auth, ...]]
    home: int | None = 0
    garbage: bool = False


def one(k: int, steps: int = 1, limit: int = PRICE) -> Callable[[int], tuple[Auth, ...]]:
    """Buy or sell one product, turn by turn."""
    return lambda i: (side({k: 1}, i, steps, limit),)


def basket(*products: int) -> Callable[[int], tuple[Auth, ...]]:
    """A portfolio of several products."""
    weights = {k: 2 if k % 2 else 1 for k in products}
    return lambda i: (side(weights, i, 1, PRICE * sum(weights.values())),)


def many(*products: int) -> Callable[[int], tuple[Auth, ...]]:
    """Ten single auths, spread over the products."""
    return lambda i: tuple(side({products[j % len(products)]: 1}, i + j) for j in range(10))


def side(weights: dict[int, int], turn: int, steps: int = 1, limit: int = PRICE) -> Auth:
    """Buyers begin a cash unit above the limit, sellers one below, so that both trade."""
    widths = [1_000 // steps] * steps
    if turn % 2:
        return order(weights, limit - 1, sell=widths)
    return order(weights, limit + 1, buy=widths)


def resting(i: int) -> tuple[Auth, ...]:
    """Too far from the market to trade."""
    return (side({0: 1}, i, limit=PRICE + (20 if i % 2 else -20)),)


def scattered(_: int) -> tuple[Auth, ...]:
    """Eight products, one to a word; the house sells them thousandths of a lot."""
    return tuple(
        Auth((Leg(k, 1),), (PRICE + 1) * X40, 0, (Step(1_000, X40),), ()) for k in range(0, 16, 2)
    )


SHAPES: Final = (
    Shape("one auth, first product", one(0)),
    Shape("one auth, another product", one(0), home=20),
    Shape("one auth, five steps", one(0, steps=5)),
    Shape("one auth, unfilled", resting),
    Shape("three legs, adjacent words", basket(0, 1, 2)),
    Shape("three legs, scattered words", basket(0, 4, 8)),
    Shape("ten auths, 2 products", many(0, 1)),
    Shape("ten auths, 5 words", many(0, 2, 4, 6, 8)),
    Shape("ten auths, 10 words", many(*range(0, 20, 2))),
    Shape("garbage", one(0), garbage=True),
)
# As many as a batch holds of these: every balance a fresh slot; every price asked for once.
FRESH_WORDS: Final = Shape("fresh words", scattered, home=20)
OWN_PRODUCTS: Final = Shape("own products", lambda i: (side({i: 1}, 0),), home=None)
