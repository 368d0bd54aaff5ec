"""Anything the core must stand: auths and books from one ulp to the widths of the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import strategies as st

from walras.auths import Auth, Cost, Leg, Limits, Step, Submission, Term
from walras.numbers import MAX_CURVE_PRICE, MAX_LEGS, MAX_RATE, MAX_WEIGHT

TICK_PRODUCTS = 20


def magnitudes(bits: int) -> st.SearchStrategy[int]:
    """0 … 2^bits - 1, every order of magnitude alike."""
    return st.integers(0, bits).flatmap(lambda n: st.integers(0, max(0, 2**n - 1)))


def signed(bits: int) -> st.SearchStrategy[int]:
    return st.tuples(magnitudes(bits), st.sampled_from((1, -1))).map(lambda pair: pair[0] * pair[1])


def steps(
    most: int = 4, width_bits: int = 46, increment_bits: int = 108
) -> st.SearchStrategy[tuple[Step, ...]]:
    """Up to `most` steps whose widths stay within a side."""
    step = st.builds(Step, magnitudes(width_bits), magnitudes(increment_bits))
    return st.lists(step, max_size=most).map(tuple)


@st.composite
def legs(draw: st.DrawFn, products: int = TICK_PRODUCTS) -> tuple[Leg, ...]:
    count = draw(st.sampled_from((1, 1, 2, 3, MAX_LEGS)))
    ids = sorted(draw(st.permutations(range(products)))[: min(count, products)])
    if len(ids) == 1:
        return (Leg(ids[0], 1),)
    weight = signed(20).map(lambda w: w or MAX_WEIGHT)
    return tuple(Leg(k, draw(weight)) for k in ids)


@st.composite
def auths(draw: st.DrawFn, products: int = TICK_PRODUCTS) -> Auth:
    """Encodable auths; their last prices stay within the widths whatever the ticks below 2^84."""
    chosen = draw(legs(products))
    buy, sell = draw(steps()), draw(steps())
    if not buy and not sell:
        buy = (Step(1, 0),)
    first = draw(signed(110))
    gap = draw(magnitudes(110)) if buy and sell else 0
    assert abs(first) + gap <= MAX_CURVE_PRICE
    assert max(sum(s.width for s in side) for side in (buy, sell)) <= MAX_RATE
    return Auth(chosen, first, gap, buy, sell)


def ticks() -> st.SearchStrategy[Mapping[int, int]]:
    tick = magnitudes(55).map(lambda t: t or 1)
    return st.lists(tick, min_size=TICK_PRODUCTS, max_size=TICK_PRODUCTS).map(
        lambda values: dict(enumerate(values))
    )


@st.composite
def limits(draw: st.DrawFn, auth: Auth) -> Auth:
    """Half of the time with limits from nothing to more than it can trade."""
    if draw(st.booleans()):
        return auth
    low, high = (
        draw(st.integers(0, 2 * r) | magnitudes(48)) for r in (auth.sell_rate, auth.buy_rate)
    )
    return replace(auth, limits=Limits(min(low, 2**48 - 1), min(high, 2**48 - 1)))


@st.composite
def costs(draw: st.DrawFn, auths: int) -> Cost:
    """Encodable costs over some of so many auths."""
    chosen = sorted(draw(st.sets(st.integers(0, auths - 1), min_size=1)))
    factor = signed(20).map(lambda g: g or MAX_WEIGHT)
    buy, sell = draw(steps()), draw(steps())
    if not buy and not sell:
        sell = (Step(0, draw(magnitudes(108))),)
    gap = draw(magnitudes(110)) if buy and sell else 0
    return Cost(tuple(Term(j, draw(factor)) for j in chosen), draw(signed(110)), gap, buy, sell)


@st.composite
def submissions(draw: st.DrawFn) -> Submission:
    chosen = [draw(limits(auth)) for auth in draw(st.lists(auths(), min_size=1, max_size=3))]
    return Submission(
        tuple(chosen),
        draw(st.sampled_from((0, 1, 2**40 - 1))),
        tuple(draw(costs(len(chosen))) for _ in range(draw(st.sampled_from((0, 0, 1, 3))))),
        standing=draw(st.booleans()),
    )


@st.composite
def progress(draw: st.DrawFn, submission: Submission) -> tuple[int, ...]:
    """Of its auths with limits: at their ends, an ulp from them, or between."""
    found = []
    for j in submission.limited:
        within = submission.auths[j].limits
        assert within is not None
        low, high = -within.low << 44, within.high << 44
        ends = st.sampled_from((low, high, 0, min(low + 1, high), max(high - 1, low)))
        found.append(draw(ends | st.integers(low, high)))
    return tuple(found)
