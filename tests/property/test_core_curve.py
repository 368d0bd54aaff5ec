from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.core_strategies import auths, signed, ticks
from tests.reference.curves import demand as reference_demand
from tests.reference.curves import exact_rate
from tests.vectors.cases.codec import order_of
from walras.curve import breakpoints, demand
from walras.submission import Auth, Submission, cover

TAME = settings(max_examples=150, deadline=None)


@st.composite
def somewhere(draw: st.DrawFn) -> tuple[Auth, Mapping[int, int], int]:
    """An auth, ticks, and a price X84 at a kink, within a few windows of it, or between."""
    auth, tick = draw(auths()), draw(ticks())
    prices = [price for _, price in breakpoints(auth, tick)]
    near = draw(st.sampled_from(prices)) << 44
    window = auth.gross
    shift = draw(
        st.sampled_from((0, 1, -1, window, -window, window - 1, 1 - window, window + 1))
        | st.integers(-3 * window, 3 * window)
        | signed(156)
    )
    return auth, tick, max(-(2**162) + 1, min(2**162 - 1, near + shift))


@TAME
@given(somewhere())
def test_demand_is_the_references(place: tuple[Auth, Mapping[int, int], int]) -> None:
    auth, tick, pi = place
    assert demand(auth, tick, pi) == reference_demand(order_of(auth), tick, pi)


@TAME
@given(somewhere())
def test_demand_is_the_curve_less_at_most_one_ulp(
    place: tuple[Auth, Mapping[int, int], int],
) -> None:
    auth, tick, pi = place
    exact = exact_rate(order_of(auth), tick, Fraction(pi, 2**84)) * 2**44
    found = demand(auth, tick, pi).rate
    assert 0 <= abs(exact) - abs(found) < 1
    assert found * exact >= 0


@TAME
@given(somewhere(), signed(100))
def test_demand_falls_in_price_and_never_crosses_the_limits(
    place: tuple[Auth, Mapping[int, int], int], by: int
) -> None:
    auth, tick, pi = place
    here, there = demand(auth, tick, pi).rate, demand(auth, tick, pi + by).rate
    assert (here - there) * by >= 0
    if here > 0:
        assert pi < auth.bid << 44
        assert here <= auth.buy_rate << 44
    if here < 0:
        assert pi > auth.ask << 44
        assert -here <= auth.sell_rate << 44


@TAME
@given(somewhere())
def test_one_curve_price_unit_moves_at_most_one_lot(
    place: tuple[Auth, Mapping[int, int], int],
) -> None:
    auth, tick, pi = place
    moved = demand(auth, tick, pi).rate - demand(auth, tick, pi + 2**44).rate
    assert auth.gross**2 * (moved - 1) <= 2**44


@TAME
@given(somewhere())
def test_what_is_not_sloped_stands_still_within_the_window(
    place: tuple[Auth, Mapping[int, int], int],
) -> None:
    auth, tick, pi = place
    here = demand(auth, tick, pi)
    if not here.sloped:
        assert here.loss == 0
        assert here.rate % 2**44 == 0
        for side in (-auth.gross, auth.gross):
            assert demand(auth, tick, pi + side).rate == here.rate


@TAME
@given(somewhere())
def test_cover_pays_whatever_happens(place: tuple[Auth, Mapping[int, int], int]) -> None:
    auth, tick, pi = place
    needed = cover(Submission((auth,)))
    rate = demand(auth, tick, pi).rate
    assert -((-pi * rate) // 2**88) <= needed.cash
    for leg in auth.legs:
        assert -leg.weight * rate <= needed.lots[leg.product]
