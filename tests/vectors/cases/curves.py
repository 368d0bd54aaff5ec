"""Demand at every kink of curves of many shapes, one ulp and one window to each side (SPEC §3)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from tests.reference.curves import demand
from tests.vectors.cases.codec import order_of, show_auth
from walras.auths import Auth, Leg, Step

TOP = 2**112
RATE = 2**48
FAR = 2**162 - 1
Case = tuple[str, Auth, Mapping[int, int]]


def build() -> dict[str, Any]:
    return {"cases": [curve_case(*case) for case in (*single(), *portfolios(), *random_ones())]}


def curve_case(name: str, auth: Auth, ticks: Mapping[int, int]) -> dict[str, Any]:
    order = order_of(auth)
    return {
        "name": name,
        "auth": show_auth(auth),
        "ticks": ticks,
        "points": [(pi, *demand(order, ticks, pi)) for pi in prices(auth, ticks)],
    }


def prices(auth: Auth, ticks: Mapping[int, int]) -> list[int]:
    """Portfolio prices X84 worth a look, descending."""
    window = auth.gross
    beside = {0, 1, window - 1, window, window + 1}
    found = {FAR, -FAR, 0}
    for sign, ramp in order_of(auth).ramps(ticks):
        for m in (ramp.top, ramp.top - ramp.drop):
            kink = int(sign * m * 2**84)
            found |= {kink + side * ulps for side in (-1, 1) for ulps in beside}
        found.add(int(sign * (ramp.top - ramp.drop / 3) * 2**84))
    return sorted((pi for pi in found if abs(pi) <= FAR), reverse=True)


def one(first: int, buy: Any = (), sell: Any = (), gap: int = 0) -> Auth:
    return Auth((Leg(0, 1),), first, gap, steps(buy), steps(sell))


def steps(pairs: Any) -> tuple[Step, ...]:
    return tuple(Step(width, increment) for width, increment in pairs)


def single() -> Iterator[Case]:
    bid = 100 << 40
    tick = {0: 1 << 33}
    yield "constant price, buy", one(bid, [(1000, 0)]), tick
    yield "constant price, sell", one(bid, (), [(1000, 0)]), tick
    yield "mirrored: a buyer at a negative price", one(-bid, [(1000, 0)]), tick
    yield "mirrored: a seller at a negative price", one(-bid, (), [(1000, 0)]), tick
    yield "two-sided with a gap", one(bid, [(10, 0)], [(20, 7)], 3 << 40), tick
    yield "two-sided, ask at bid", one(bid, [(10, 0)], [(20, 7)]), tick
    yield "two-sided around zero", one(-5, [(3, 1)], [(3, 1)], 10), {0: 1}
    yield "one unit", one(bid, [(1, 0)]), {0: 1}
    yield "zero width between", one(bid, [(10, 0), (0, 1 << 38), (10, 0)]), tick
    yield "zero width first", one(bid, (), [(0, 5), (7, 0)]), tick
    yield "zero widths only", one(bid, [(0, 0), (0, 9)]), tick
    yield "steepest: one unit over 2^112", one(TOP, [(1, TOP - 1)]), {0: 1}
    yield "steepest sell", one(-TOP, (), [(1, TOP - 1)]), {0: 1}
    yield "flattest: 2^48 over 2^48 ulps", one(0, [(RATE - 1, 0), (1, 0)]), {0: 1}
    yield "2^48 across all prices", one(TOP, [(RATE - 1, TOP - 1)]), {0: 1}
    yield "2^48 on both sides", one(-1, [(RATE - 1, 3)], [(RATE - 1, 3)], 1), {0: 1 << 50}
    yield "tick above width", one(bid, [(5, 0), (6, 1)]), {0: 2**63}
    yield "width above tick", one(bid, [(1 << 40, 0)]), tick
    yield "increment that does not divide", one(bid, [(3, 7), (7, 11), (11, 13)]), {0: 1}
    yield "16 steps", one(bid, [(k + 1, k << 30) for k in range(16)]), tick


def portfolios() -> Iterator[Case]:
    pair = (Leg(3, 1), Leg(8, -1))
    ticks = {3: 1 << 30, 8: 1 << 31}
    yield "pair", Auth(pair, 0, 0, steps([(500, 0)])), ticks
    yield "pair, two-sided", Auth(pair, -9, 18, steps([(5, 0)]), steps([(6, 1)])), ticks
    heavy = (Leg(3, 2**20), Leg(8, -(2**20)))
    yield "heavy pair", Auth(heavy, 1 << 70, 0, steps([(1, 0), (0, 0), (9, 1)])), ticks
    basket = tuple(Leg(k, (-1) ** k * (k + 1)) for k in range(16))
    many = {k: 3 + (k << 20) for k in range(16)}
    yield "basket of 16", Auth(basket, -(1 << 60), 1 << 59, steps([(5, 9)]), steps([(4, 8)])), many
    heaviest = tuple(Leg(k, 2**20) for k in range(16))
    yield "heaviest", Auth(heaviest, TOP - 5, 0, steps([(RATE - 1, 2**111)])), many


def random_ones() -> Iterator[Case]:
    rng = random.Random(3)
    for i in range(14):
        count = rng.choice((1, 2, 3))
        weights = (
            [1]
            if count == 1
            else [rng.randint(1, 2**12) * rng.choice((1, -1)) for _ in range(count)]
        )
        legs = tuple(Leg(2 * k + 1, weight) for k, weight in enumerate(weights))
        ticks = {leg.product: rng.randint(1, 2 ** rng.randint(1, 60)) for leg in legs}

        def side() -> tuple[Step, ...]:
            return tuple(
                Step(
                    rng.randrange(2 ** rng.randint(1, 44)), rng.randrange(2 ** rng.randint(1, 108))
                )
                for _ in range(rng.randint(1, 3))
            )

        buys = rng.random() < 0.7
        first = rng.randint(-(2**108), 2**108) >> rng.randrange(100)
        gap = rng.randrange(2**100) >> rng.randrange(100)
        sell = side() if not buys or rng.random() < 0.4 else ()
        buy = side() if buys else ()
        yield f"random {i}", Auth(legs, first, gap if buy and sell else 0, buy, sell), ticks
