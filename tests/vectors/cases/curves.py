"""Demand at every kink of curves of many shapes, one ulp and one window to each side (SPEC §3)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.reference.curves import Ramp, demand
from tests.vectors.cases.codec import order_of, reading_of, show_auth, show_cost
from walras.auths import Auth, Cost, Leg, Limits, Step, Submission, Term

TOP = 2**112
RATE = 2**48
FAR = 2**181 - 1
Case = tuple[str, Auth, Mapping[int, int]]


def build() -> dict[str, Any]:
    cases = [curve_case(*case) for case in (*single(), *portfolios(), *random_ones())]
    guarded = [
        curve_case(f"{name}, in costs", auth, ticks, guard=3 + 1000 * i)
        for i, (name, auth, ticks) in enumerate((*single(), *portfolios()))
    ]
    return {
        "cases": [*cases, *guarded, *limited()],
        "costs": [cost_case(*case) for case in costs()],
    }


def curve_case(
    name: str, auth: Auth, ticks: Mapping[int, int], *, guard: int = 0, done: int = 0
) -> dict[str, Any]:
    order = order_of(auth, guard)
    return {
        "name": name,
        "auth": show_auth(auth),
        "ticks": ticks,
        "guard": guard,
        "done": done,
        "points": [
            (pi, *demand(order, ticks, pi, done))
            for pi in prices(order.window, [*order.ramps(ticks), *order.domain(ticks, done)], FAR)
        ],
    }


def cost_case(name: str, cost: Cost) -> dict[str, Any]:
    shown = reading_of(Submission((), 0, (cost,))).costs[0]
    far = 2**156
    return {
        "name": name,
        "cost": show_cost(shown),
        "top": int(shown.top * 2**40),
        "bottom": int(shown.bottom * 2**40),
        "points": [
            (shadow, shown.demand(shadow)) for shadow in prices(shown.window, shown.ramps(), far)
        ],
    }


def limited() -> Iterator[dict[str, Any]]:
    """Curves cut at either side, near their limits to the ulp."""
    tick = {0: 1 << 33}
    bid = one(100 << 40, [(10, 1 << 36), (7, 0)])
    quote = one(100 << 40, [(10, 0), (5, 9)], [(8, 0), (9, 3)], 1 << 40)
    for name, auth, low, high in (
        ("limit within the first step", bid, 0, 4),
        ("limit within the second step", bid, 0, 13),
        ("limit at a kink", bid, 0, 10),
        ("limit at the rate", bid, 0, 17),
        ("limit beyond the rate", bid, 0, 18),
        ("limit of nothing", bid, 0, 0),
        ("limits of a quote", quote, 9, 12),
        ("the quote may not sell", quote, 0, 12),
        ("the quote may not buy", quote, 9, 0),
    ):
        within = replace(auth, limits=Limits(low, high))
        ends = {0, -low << 44, high << 44}
        for done in sorted(ends | {(high << 44) - 1, 1 - (low << 44), (high << 44) // 3 + 1}):
            if -low << 44 <= done <= high << 44:
                yield curve_case(f"{name}, done {done}", within, tick, guard=2, done=done)


def costs() -> Iterator[tuple[str, Cost]]:
    pair = (Term(0, 1), Term(1, -1))
    yield "a cost that buys", Cost(pair, 7 << 40, 0, steps([(9, 1 << 38), (0, 5), (4, 0)]), ())
    yield "a cost that sells", Cost(pair, -7, 0, (), steps([(9, 0), (3, 1)]))
    yield "a cost of both sides", Cost(pair, -5, 11, steps([(3, 0)]), steps([(6, 1 << 40)]))
    yield "a wall", Cost(pair, 0, 0, steps([(9, 0), (0, TOP - 36)]), ())
    yield "a wall at nothing", Cost(pair, 0, 0, steps([(0, 1 << 60)]), steps([(0, 1 << 70)]))
    heavy = tuple(Term(j, 2**20 * (-1) ** j) for j in range(16))
    yield "the heaviest cost", Cost(heavy, TOP, 0, steps([(RATE - 1, 5)]), ())
    yield "the lightest, widest", Cost((Term(3, 1),), -TOP, 0, (), steps([(RATE - 1, 0), (1, 0)]))


def prices(window: int, ramps: Iterable[tuple[int, Ramp]], far: int) -> list[int]:
    """Prices X84 worth a look, descending."""
    beside = {0, 1, window - 1, window, window + 1}
    found = {far, -far, 0}
    for sign, ramp in ramps:
        for m in (ramp.top, ramp.top - ramp.drop):
            kink = int(sign * m * 2**84)
            found |= {kink + side * ulps for side in (-1, 1) for ulps in beside}
        found.add(int(sign * (ramp.top - ramp.drop / 3) * 2**84))
    return sorted((pi for pi in found if abs(pi) <= far), reverse=True)


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
