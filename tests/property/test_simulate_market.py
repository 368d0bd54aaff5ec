"""Whatever agents send, for as long as they like: nothing is made or lost, and limits hold."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from walras.auths import Auth, Cost, Limits, Step, Submission, Term
from walras.numbers import X44
from walras.simulate.agents import Cancel, Endowment, Seal
from walras.simulate.desk import Desk, Side, cash_x40
from walras.simulate.market import Market

WHO = [bytes([n]) * 20 for n in range(1, 5)]
DESK = Desk(("A", "B", "C"), (100.0, 40.0, 7.0))


@st.composite
def auths(draw: st.DrawFn) -> Auth:
    """Anything near the prices of one to three products."""
    products = draw(st.sets(st.integers(0, 2), min_size=1))
    weights = {k: draw(st.sampled_from((-30, -2, 1, 7, 50))) for k in products}
    legs = dict.fromkeys(products, 1) if len(products) == 1 else weights
    worth = sum(weight * (1.0, 0.4, 0.07)[k] for k, weight in legs.items())
    gross = sum(abs(weight) * (1.0, 0.4, 0.07)[k] for k, weight in legs.items())
    first = worth + gross * draw(st.floats(-0.02, 0.02))
    widths = st.tuples(st.integers(1, 500), st.floats(0.0, 0.05).map(lambda d: d * gross))
    steps = st.lists(widths, min_size=1, max_size=3)
    buy = Side(first, draw(steps)) if draw(st.booleans()) else None
    sell = Side(first + 0.001 * gross, draw(steps)) if buy is None or draw(st.booleans()) else None
    limits = Limits(*draw(st.tuples(st.integers(0, 900), st.integers(0, 900))))
    return DESK.auth(legs, buy=buy, sell=sell, limits=limits if draw(st.booleans()) else None)


@st.composite
def submissions(draw: st.DrawFn) -> Submission:
    found = tuple(draw(st.lists(auths(), min_size=1, max_size=3)))
    costs: tuple[Cost, ...] = ()
    if draw(st.booleans()):
        terms = tuple(Term(j, draw(st.sampled_from((-2, 1, 3)))) for j in range(len(found)))
        step = Step(draw(st.integers(1, 400)), cash_x40(draw(st.floats(0.0, 0.5))))
        costs = (Cost(terms, 0, buy=(step,), sell=(step,) if draw(st.booleans()) else ()),)
    return Submission(found, costs=costs, standing=draw(st.booleans()))


actions = st.one_of(st.none(), st.just(Cancel()), submissions().map(Seal))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(actions, min_size=4, max_size=4), min_size=1, max_size=8))
def test_nothing_is_made_or_lost_and_limits_hold(days: list[list[Seal | Cancel | None]]) -> None:
    market = Market(DESK, interval=1.0)
    rich = Endowment(100_000.0, {0: 500.0, 1: 500.0, 2: 500.0})
    market.deposit(dict.fromkeys(WHO, rich))
    before = market.totals()
    for day in days:
        for address, action in zip(WHO, day, strict=True):
            market.enter(address, action)
        cleared = market.clear()
        assert market.totals() == before
        for one in cleared.opened:
            account = market.accounts[one.account.address]
            assert account.cash >= 0
            assert all(held >= 0 for held in account.lots.values())
            assert one.submission is not None
            moved = cleared.settlement.progress.get(one.account.address, one.done)
            for j, done in zip(one.submission.limited, moved, strict=True):
                limits = one.submission.auths[j].limits
                assert limits is not None
                assert -limits.low * X44 <= done <= limits.high * X44
