"""Standing submissions over random sequences of batches, on the pure twin."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.core_life import Life
from walras.auths import Auth, Leg, Limits, Step, Submission
from walras.numbers import X40, X44


@given(
    st.integers(0, 25), st.integers(1, 9), st.lists(st.integers(1, 12), max_size=8), st.booleans()
)
@settings(max_examples=25, deadline=None)
def test_a_limit_is_reached_exactly_and_ends_the_submission(
    most: int, width: int, rates: list[int], sells: bool
) -> None:
    """Odd fractions of a ramp in some batches, all that is wanted in those after them."""
    life = Life()
    life.open()
    legs, way = (Leg(0, 1),), 1 if sells else -1
    bidder, partner = sorted(life.ghosts)[:2]

    def order(price: int, rate: int, *, sell: bool) -> Auth:
        side = (Step(rate, X40 // 3),)
        return Auth(legs, price, 0, () if sell else side, side if sell else ())

    within = Limits(most, 0) if sells else Limits(0, most)
    mine = replace(order(100 * X40, width, sell=sells), limits=within)
    life.enter(bidder, Submission((mine,), standing=True), 1)
    life.fund(bidder, Submission((mine,)), 40)
    start = life.account(bidder).lots.get(0, 0)
    total = 0
    batches = [*((rate, X40 // 7) for rate in rates), *[(12, 20 * X40)] * 26]
    for rate, better in batches:
        other = order(100 * X40 + way * better, rate, sell=not sells)
        life.enter(partner, Submission((other,)), 1)
        life.settle_once(1, rate)
        life.accounts_are_the_ghosts()
        life.nothing_is_lost()
        total = life.account(bidder).lots.get(0, 0) - start
        assert abs(total) <= most * X44
        if not life.account(bidder).standing:
            break
    assert total == -way * most * X44


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
