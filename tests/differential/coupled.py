"""Random submissions with limits and costs, from everyday sizes to the widths of the protocol."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from walras.auths import Auth, Cost, Leg, Limits, Step, Submission, Term
from walras.curve import cost_demand, cost_sum, demands, portfolio_price
from walras.numbers import MAX_CURVE_PRICE, X24, X40, X44, X84

PRODUCTS = 6
SCALES = tuple(price * X24 for price in (1, 30, 100, 250, 4_000, 1 << 30))
TICK_BPS = 2
TICKS = {k: -(-(scale * 2**16 * TICK_BPS) // 10**4) for k, scale in enumerate(SCALES)}


@dataclass(frozen=True)
class Case:
    """A submission with its progress, at posted prices of all products."""

    submission: Submission
    prices: tuple[int, ...]
    shadows: tuple[int, ...]
    done: tuple[int, ...]

    @property
    def ticks(self) -> Mapping[int, int]:
        return TICKS


def cases(rng: random.Random, count: int, *, extreme: bool) -> Iterator[Case]:
    """Submissions the twin can encode; `extreme` ones reach the widths."""
    while count:
        case = _case(rng, extreme)
        if all(_fits(cost) for cost in case.submission.costs):
            count -= 1
            yield case


def _fits(cost: Cost) -> bool:
    return -MAX_CURVE_PRICE <= cost.bottom <= cost.top <= MAX_CURVE_PRICE


def _case(rng: random.Random, extreme: bool) -> Case:
    prices = tuple(
        rng.randrange(-(2**138) + 1, 2**138)
        if extreme and rng.random() < 0.3
        else int(scale / X24 * X84 * rng.uniform(0.8, 1.2))
        for scale in SCALES
    )
    auths = tuple(_auth(rng, prices, extreme) for _ in range(rng.choice((1, 2, 3, 5))))
    costs = tuple(_cost(rng, len(auths), extreme) for _ in range(rng.choice((1, 1, 1, 2, 4))))
    until = rng.choice((0, 1, 2**40 - 1))
    submission = Submission(auths, until, costs, standing=rng.random() < 0.5)
    shadows = tuple(_shadow(rng, cost) for cost in costs)
    return Case(submission, prices, shadows, _progress(rng, submission))


def _progress(rng: random.Random, submission: Submission) -> tuple[int, ...]:
    if rng.random() < 0.3:
        return ()
    limits = [submission.auths[j].limits for j in submission.limited]
    return tuple(
        rng.choice((-r.low * X44, r.high * X44, rng.randint(-r.low * X44, r.high * X44)))
        for r in limits
        if r is not None
    )


def _auth(rng: random.Random, prices: Sequence[int], extreme: bool) -> Auth:
    ids = sorted(rng.sample(range(PRODUCTS), rng.choice((1, 1, 2, 3))))
    most = 2**20 if extreme else 5
    legs = tuple(Leg(k, rng.choice((-1, 1)) * rng.randint(1, most)) for k in ids)
    if len(legs) == 1:
        legs = (Leg(ids[0], 1),)
    pi = portfolio_price(Auth(legs, 0), dict(enumerate(prices))) // X44
    spread = max(abs(pi) // rng.choice((5, 100, 10**4)), X40)
    first = _clip(pi + rng.randint(-spread, spread))
    buy, sell, gap = _sides(rng, extreme)
    limits = None
    if rng.random() < 0.6:
        most = 2 ** (47 if extreme else 14)
        limits = Limits(rng.choice((0, rng.randrange(most))), rng.choice((0, rng.randrange(most))))
    return Auth(legs, first, min(gap, MAX_CURVE_PRICE - first), buy, sell, limits)


def _sides(
    rng: random.Random, extreme: bool, narrow: bool = False
) -> tuple[tuple[Step, ...], tuple[Step, ...], int]:
    kind = rng.randrange(3)
    buy = _steps(rng, extreme, narrow) if kind != 1 else ()
    sell = _steps(rng, extreme, narrow) if kind != 0 else ()
    gap = rng.randrange(1 << rng.choice((1, 40, 106 if extreme else 44)))
    return buy, sell, gap if kind == 2 else 0


def _steps(rng: random.Random, extreme: bool, narrow: bool) -> tuple[Step, ...]:
    bits = 44 if extreme else 12
    width = 0 if rng.random() < 0.1 else bits - 20 * (narrow and extreme)
    return tuple(
        Step(rng.randrange(1 << width), rng.randrange(1 << rng.choice((1, 40, 43, bits * 2))))
        for _ in range(rng.choice((1, 1, 2, 4)))
    )


def _cost(rng: random.Random, auths: int, extreme: bool) -> Cost:
    chosen = sorted(rng.sample(range(auths), rng.randint(1, min(auths, 3))))
    most = 2**20 if extreme and rng.random() < 0.5 else 3
    terms = tuple(Term(j, rng.choice((-1, 1)) * rng.randint(1, most)) for j in chosen)
    size = 2 ** rng.choice((3, 43, 46, 110 if extreme else 47))
    first = _clip(rng.randint(-size, size))
    buy, sell, gap = _sides(rng, extreme, narrow=True)
    cost = Cost(terms, first, min(gap, MAX_CURVE_PRICE - first), buy, sell)
    if rng.random() < 0.2:  # an end at zero, where cover and signs change
        level = cost.first - rng.choice((cost.bottom, cost.top))
        if abs(level) <= MAX_CURVE_PRICE and level + cost.gap <= MAX_CURVE_PRICE:
            return replace(cost, first=level)
    return cost


def _clip(price: int) -> int:
    most = MAX_CURVE_PRICE - 2**108
    return min(max(price, -most), most)


def _shadow(rng: random.Random, cost: Cost) -> int:
    top, bottom = cost.top * X44, cost.bottom * X44
    inside = rng.randint(bottom, top)
    return rng.choice(
        (top, bottom, inside, inside, top + 1, bottom - 1, rng.randrange(-(2**159), 2**159))
    )


def clearing(case: Case) -> tuple[int, ...]:
    """Shadow prices at which the costs clear, if a few rounds of bisection find them."""
    found = [cost.top * X44 for cost in case.submission.costs]
    for _ in range(1 if len(found) == 1 else 6):
        for d, cost in enumerate(case.submission.costs):
            low, high = cost.bottom * X44, cost.top * X44
            while high - low > 1:
                found[d] = (low + high) // 2
                # s rises with λ and S falls
                if _excess(case, d, found) > 0:
                    high = found[d]
                else:
                    low = found[d]
            found[d] = min((low, high), key=lambda value: _miss(case, d, found, value))
    return tuple(found)


def _miss(case: Case, d: int, shadows: Sequence[int], value: int) -> int:
    cost = case.submission.costs[d]
    excess = _excess(case, d, [*shadows[:d], value, *shadows[d + 1 :]])
    best = (excess > 0 and value == cost.bottom * X44) or (excess < 0 and value == cost.top * X44)
    return 0 if best else abs(excess)


def _excess(case: Case, d: int, shadows: Sequence[int]) -> int:
    prices = dict(enumerate(case.prices))
    moved = demands(case.submission, TICKS, prices, shadows, case.done)
    cost = case.submission.costs[d]
    return cost_sum(cost, [one.rate for one in moved]) - cost_demand(cost, shadows[d]).rate


def mutants(rng: random.Random, body: bytes, count: int) -> Iterator[bytes]:
    """The body, and others near it: bits flipped, bytes cut, doubled and set to extremes."""
    yield body
    for _ in range(count):
        bent = bytearray(body)
        for _ in range(rng.choice((1, 1, 2, 4))):
            at = rng.randrange(len(bent))
            change = rng.randrange(5)
            if change == 0:
                bent[at] ^= 1 << rng.randrange(8)
            elif change == 1:
                bent[at] = rng.choice((0, 1, 2, 16, 17, 127, 128, 255))
            elif change == 2:
                del bent[at : at + rng.choice((1, 4, 20))]
            elif change == 3:
                bent[at:at] = bent[at : at + rng.choice((1, 4, 20))]
            else:
                bent += bytes(rng.choice((1, 20)))
            if not bent:
                break
        yield bytes(bent)
