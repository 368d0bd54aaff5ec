"""Random books for a real market: products of any decimals and worth, auths grown from seeds.

A book is drawn as a shape and a list of seeds, so that a failing one shrinks by losing auths.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from hypothesis import strategies as st

from tests.adversarial.books import anything, one_sided, value
from walras.auths import Auth, Leg, Step, Submission, cover
from walras.numbers import X24, X40, X44

CASH_CAP: Final = 1 << 55
COVER_CAP: Final = 1 << 66
SHAPES: Final = (
    *("mixed", "mixed", "one price", "pairs", "single lots", "crossed", "crossed"),
    *("buyers", "sellers", "nobody", "untouched"),
)
LOTS: Final = (1, 7, 10**6, 10**16, 3 * 5**20, 10**24)  # base units
CASH_UNITS: Final = (1, 7, 10**4, 10**16)


@dataclass(frozen=True)
class Good:
    """A product: base units and cash units X24 of a lot."""

    lot: int
    scale: int
    tick_bps: int
    depth_log2: int


@dataclass(frozen=True)
class Book:
    """A market and what is sealed in its batch 1.

    `orders` trade if they are covered; `uncovered` lack their cash; `bodies` are sealed and
    `garbage` is not.
    """

    cash_unit: int
    goods: tuple[Good, ...]
    orders: tuple[Submission, ...]
    uncovered: tuple[Submission, ...] = ()
    bodies: tuple[bytes, ...] = ()
    garbage: tuple[bytes, ...] = ()
    caps: tuple[int, ...] = field(default=(), repr=False)


@st.composite
def books(draw: st.DrawFn, auths: int = 60) -> Book:
    """Books of up to eight products and so many auths."""
    count = draw(st.sampled_from((1, 2, 3, 4, 8)))
    goods = tuple(draw(st.lists(_goods, min_size=count, max_size=count)))
    caps = tuple(_lots_cap(good, len(goods)) for good in goods)
    goods = tuple(
        replace(g, lot=min(g.lot, 2**126 // cap)) for g, cap in zip(goods, caps, strict=True)
    )
    shape, largest = draw(st.sampled_from(SHAPES)), draw(st.sampled_from((0, 3, 12, 24, 47)))
    most = draw(st.sampled_from([n for n in (2, 6, 12, 30, 60) if n <= auths]))
    seeds = draw(st.lists(st.integers(0, 2**16), min_size=most // 2, max_size=most))
    active = goods[: max(1, len(goods) - 2)] if shape == "untouched" else goods
    grown = [_grown(shape, random.Random(seed), active, largest) for seed in seeds]
    fitted = [_fitted(auth, caps, len(grown)) for auth in grown if shape != "nobody"]
    rest = [_fitted(_whole(k), caps, 1) for k in range(len(active), len(goods))]
    noise = st.lists(st.binary(min_size=1, max_size=90), max_size=2).map(tuple)
    return Book(
        cash_unit=draw(st.sampled_from(CASH_UNITS)),
        goods=goods,
        orders=tuple(_shared_out(fitted, random.Random(len(seeds)))),
        uncovered=tuple(Submission((auth,)) for auth in (*rest, _whole(0))[: draw(_some)]),
        bodies=draw(noise),
        garbage=draw(noise) or (b"garbage",),
        caps=caps,
    )


_some = st.integers(0, 3)
_goods = st.builds(
    Good,
    lot=st.sampled_from(LOTS),
    scale=st.sampled_from((X24, X24 * 100, X24 << 30)) | st.integers(X24, X24 << 30),
    tick_bps=st.sampled_from((1, 10, 255)),
    depth_log2=st.sampled_from((0, 20, 52)),
)


def _lots_cap(good: Good, count: int) -> int:
    """Lots the market may hold: an equal share of what the house can stand behind."""
    return min(1 << 51, (COVER_CAP - CASH_CAP << 24) // (8 * good.scale * count))


def _grown(shape: str, rng: random.Random, goods: Sequence[Good], largest: int) -> Auth:
    references = [good.scale << 16 for good in goods]
    side = {"buyers": 1, "sellers": -1}.get(shape) or rng.choice((1, -1))
    k = rng.randrange(len(goods))
    legs: tuple[Leg, ...] = (Leg(k, 1),)
    width = max(1, int(2 ** rng.uniform(0, largest)))
    if shape in {"mixed", "untouched", "nobody"}:
        return anything(rng, len(goods), references, largest)
    if shape == "pairs" and len(goods) > 1:
        low, high = sorted(rng.sample(range(len(goods)), 2))
        legs = (Leg(low, rng.choice((1, 3))), Leg(high, -rng.choice((1, 2))))
    worth = value(legs, references)
    if shape == "one price":
        return one_sided(side, legs, worth, [Step(1 << largest, 0)])
    if shape == "single lots":
        return one_sided(side, legs, worth + rng.randint(-2, 2), [Step(1, 0)])
    eager = side * rng.uniform(0, 0.05) if shape == "crossed" else rng.uniform(-0.05, 0.05)
    first = worth + int(worth * eager)
    return one_sided(side, legs, first, [Step(width, 0), Step(width, abs(worth) >> 10)])


def _whole(product: int) -> Auth:
    """A bid whose cash will be missing."""
    return Auth((Leg(product, 1),), X40, 0, (Step(1000, 0),), ())


def _fitted(auth: Auth, caps: Sequence[int], count: int) -> Auth:
    """Narrowed until everybody's cover together stays below the custody caps."""
    while True:
        needed = cover(Submission((auth,)))
        lots = all(n <= caps[k] * X44 // (2 * count) for k, n in needed.lots.items())
        if lots and needed.cash <= CASH_CAP * X40 // (4 * count):
            return auth
        buy, sell = ([Step(s.width // 2, s.increment) for s in x] for x in (auth.buy, auth.sell))
        auth = replace(auth, buy=tuple(buy), sell=tuple(sell))


def _shared_out(auths: Sequence[Auth], rng: random.Random) -> list[Submission]:
    """One to three auths to an account."""
    left, shared = list(auths), []
    while left:
        count = rng.randint(1, 3)
        shared.append(Submission(tuple(left[:count])))
        left = left[count:]
    return shared
