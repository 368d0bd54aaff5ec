from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import floor

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.core_strategies import (
    auths,
    costs,
    limits,
    magnitudes,
    progress,
    signed,
    submissions,
    ticks,
)
from tests.reference.curves import Order, exact_rate
from tests.reference.curves import demand as reference_demand
from tests.vectors.cases.codec import order_of, reading_of
from walras.auths import Auth, Cost, Submission, cover
from walras.curve import Demand, breakpoints, cost_demand, demand
from walras.tally import trade

TAME = settings(max_examples=150, deadline=None)


@dataclass(frozen=True)
class Place:
    """An auth, ticks, and a price X84 at a kink, within a few windows of it, or between."""

    auth: Auth
    ticks: Mapping[int, int]
    pi: int
    guard: int = 0
    done: int = 0

    def demand(self, by: int = 0) -> Demand:
        return demand(self.auth, self.ticks, self.pi + by, guard=self.guard, done=self.done)

    @property
    def window(self) -> int:
        return self.auth.gross + self.guard

    @property
    def order(self) -> Order:
        return order_of(self.auth, self.guard)


@st.composite
def somewhere(draw: st.DrawFn) -> Place:
    auth, tick, guard = draw(auths()), draw(ticks()), draw(st.just(0) | magnitudes(24))
    auth = draw(limits(auth))
    done = sum(draw(progress(Submission((auth,)))))
    points = breakpoints(auth, tick, guard)
    near = draw(st.sampled_from([price for _, price in points])) << 44
    if auth.limits is not None and draw(st.booleans()):
        near = at_rate(points, draw(st.sampled_from(auth.room(done)))) or near
    window = auth.gross + guard
    shift = draw(
        st.sampled_from((0, 1, -1, window, -window, window - 1, 1 - window, window + 1))
        | st.integers(-3 * window, 3 * window)
        | signed(156)
    )
    return Place(auth, tick, max(-(2**181) + 1, min(2**181 - 1, near + shift)), guard, done)


def at_rate(points: Sequence[tuple[int, int]], rate: int) -> int | None:
    """A price X84 at which the curve asks for `rate` X44, of either sign."""
    for (left, high), (right, low) in pairwise(points):
        for wanted in (rate, -rate):
            if left << 44 <= wanted < right << 44:
                share = Fraction(wanted - (left << 44), (right - left) << 44)
                return floor((high - (high - low) * share) * 2**44)
    return None


@TAME
@given(somewhere())
def test_demand_is_the_references(place: Place) -> None:
    expected = reference_demand(place.order, place.ticks, place.pi, place.done)
    assert place.demand() == expected


@TAME
@given(somewhere())
def test_demand_is_the_curve_less_at_most_one_ulp(place: Place) -> None:
    pi = Fraction(place.pi, 2**84)
    exact = exact_rate(place.order, place.ticks, pi, place.done) * 2**44
    found = place.demand().rate
    assert 0 <= abs(exact) - abs(found) < 1
    assert found * exact >= 0


@TAME
@given(somewhere(), signed(100))
def test_demand_falls_in_price_and_never_crosses_the_limits(place: Place, by: int) -> None:
    here, there = place.demand().rate, place.demand(by).rate
    assert (here - there) * by >= 0
    sold, bought = place.auth.room(place.done)
    assert -sold <= here <= bought
    if here > 0:
        assert place.pi < place.auth.bid << 44
    if here < 0:
        assert place.pi > place.auth.ask << 44
    if place.auth.limits is not None:
        after = place.done + here
        assert -place.auth.limits.low << 44 <= after <= place.auth.limits.high << 44


@TAME
@given(somewhere())
def test_one_curve_price_unit_moves_at_most_one_lot(place: Place) -> None:
    moved = place.demand().rate - place.demand(2**44).rate
    assert place.window**2 * (moved - 1) <= 2**44


@TAME
@given(somewhere())
def test_what_is_not_sloped_stands_still_within_the_window(place: Place) -> None:
    here = place.demand()
    if not here.sloped:
        assert here.loss == 0 or place.auth.limits is not None
        for side in (-place.window, place.window):
            assert place.demand(side).rate == here.rate


@TAME
@given(somewhere())
def test_cover_pays_whatever_happens(place: Place) -> None:
    auth = place.auth
    needed = cover(Submission((auth,)), () if auth.limits is None else (place.done,))
    rate = place.demand().rate
    assert -((-place.pi * rate) // 2**88) <= needed.cash
    for leg in auth.legs:
        assert -leg.weight * rate <= needed.lots[leg.product]


@TAME
@given(submissions(), ticks(), st.data())
def test_cover_pays_with_costs_that_clear(
    submission: Submission, tick: Mapping[int, int], data: st.DataObject
) -> None:
    """Whatever prices and shadow prices a submission may be settled at, its cover is enough."""
    prices = {k: data.draw(signed(138)) for k in submission.products}
    done = data.draw(progress(submission))
    shadows = [data.draw(shadow_prices(cost)) for cost in submission.costs]
    found = trade(submission, tick, prices, shadows, done)
    needed = cover(submission, done)
    if all(one.clears for one in found.couplings):
        assert found.cash >= -needed.cash
    for k, fill in found.fills.items():
        assert fill >= -needed.lots[k]


def shadow_prices(cost: Cost) -> st.SearchStrategy[int]:
    top, bottom = cost.top << 44, cost.bottom << 44
    return st.sampled_from((top, bottom)) | st.integers(bottom, top)


@TAME
@given(st.integers(1, 3).flatmap(costs), signed(100), st.data())
def test_cost_demand_is_the_references(cost: Cost, by: int, data: st.DataObject) -> None:
    shadow = data.draw(shadow_prices(cost)) + data.draw(st.integers(-2, 2))
    expected = reading_of(Submission((), 0, (cost,))).costs[0]
    found = cost_demand(cost, shadow)
    assert (found.rate, found.loss) == (expected.demand(shadow), expected.slope(shadow))
    assert [cost.top, cost.bottom] == [int(end * 2**40) for end in (expected.top, expected.bottom)]
    assert cost.touches == expected.touches
    assert (found.rate - cost_demand(cost, shadow + by).rate) * by >= 0
