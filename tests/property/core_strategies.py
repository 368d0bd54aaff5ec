"""Anything the core must stand: auths and books from one ulp to the widths of the protocol."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from walras.auths import Auth, Leg, Step, Submission
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


def submissions() -> st.SearchStrategy[Submission]:
    return st.builds(
        Submission,
        st.lists(auths(), min_size=1, max_size=3).map(tuple),
        st.sampled_from((0, 1, 2**40 - 1)),
    )
