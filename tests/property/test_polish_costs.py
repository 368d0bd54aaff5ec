"""Books with costs and limits settle; their shadow prices are held as tightly as prices are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adversarial.books import X40, X44, one_sided
from tests.property.coupled_books import HARD, SHAPES, Coupled, at_most, coupled_market, draft
from walras.auths import Auth, Cost, Leg, Step, Submission, Term
from walras.batch import BatchState
from walras.certificate import Opened, Settlement, priced_products, settle
from walras.clearing.problem import Solved, book_of, exact_book, solve_batch
from walras.clearing.registry import engine_named, engines
from walras.clearing.shadows import Shadows
from walras.clearing.sweep import GUARD
from walras.curve import breakpoints, cost_breakpoints, cost_sum
from walras.errors import CertificateError

X24, X84 = 1 << 24, 1 << 84

seeds = st.integers(0, 1 << 32)
several = settings(deadline=None, max_examples=25)


def market(
    seed: int, shapes: Sequence[str] = tuple(SHAPES), most: int = 8
) -> tuple[BatchState, tuple[Opened, ...]]:
    return coupled_market(draft(random.Random(seed), shapes, most))


def solved(state: BatchState, opened: tuple[Opened, ...]) -> tuple[Solved, Settlement]:
    found = solve_batch(state, opened)
    return found, settle(state, opened, *found)


def refused(state: BatchState, opened: tuple[Opened, ...], found: Solved) -> str | None:
    try:
        settle(state, opened, *found)
    except CertificateError as error:
        return error.reason
    return None


@pytest.mark.parametrize("shape", SHAPES)
def test_every_kind_settles(shape: str) -> None:
    for seed in range(12):
        state, opened = market(seed, (shape,), 12)
        found, settlement = solved(state, opened)
        assert settlement.shadows == found.shadows


@several
@given(seeds)
def test_mixtures_settle_and_conserve(seed: int) -> None:
    state, opened = market(seed, most=25)
    _, settlement = solved(state, opened)
    for product, house in settlement.house.items():
        assert house + sum(fill.get(product, 0) for fill in settlement.fills.values()) == 0
    assert settlement.house_cash + sum(settlement.cash.values()) == 0
    for one in opened:
        assert one.account.cash + settlement.cash[one.account.address] >= 0
        for product, fill in settlement.fills[one.account.address].items():
            assert one.account.lots[product] + fill >= 0


@several
@given(seeds)
def test_limits_are_never_passed(seed: int) -> None:
    state, opened = market(seed, ("standing",))
    _, settlement = solved(state, opened)
    for one in opened:
        assert one.submission is not None
        after = one.submission.progress(settlement.progress.get(one.account.address, ()))
        for auth, moved in zip(one.submission.auths, after, strict=True):
            if auth.limits is not None:
                assert -auth.limits.low * X44 <= moved <= auth.limits.high * X44


@several
@given(seeds)
def test_a_shadow_price_off_by_more_than_its_resolution_is_refused(seed: int) -> None:
    """Where a cost's own curve slopes, C + 2 ulps of S are all that λ may be off."""
    state, opened = market(seed, ("substitutes", "budget", "pair", "anything"))
    found, _ = solved(state, opened)
    for one in opened:
        assert one.submission is not None
        address = one.account.address
        for d, cost in enumerate(one.submission.costs):
            for sign in (1, -1):
                moved = _beyond(cost, found.shadows[address][d], sign)
                if moved is not None:
                    given = list(found.shadows[address])
                    given[d] = moved
                    wrong = {**found.shadows, address: tuple(given)}
                    reason = refused(state, opened, Solved(found.prices, wrong))
                    assert reason in {"CostNotCleared", "ShadowOutOfRange"}


def _beyond(cost: Cost, shadow: int, sign: int) -> int | None:
    """λ moved on its ramp until S must miss; None where the ramp is too short or there is none."""
    for (left, high), (right, low) in zip(
        cost_breakpoints(cost), cost_breakpoints(cost)[1:], strict=False
    ):
        if low * X44 < shadow < high * X44 and right > left:
            step = -(-(2 * cost.touches + 4) * (high - low) // (right - left))
            moved = shadow + sign * step
            return moved if low * X44 < moved < high * X44 else None
    return None


def test_shadow_prices_beyond_their_curve_are_refused() -> None:
    state, opened = market(3, ("at_an_end",))
    found, _ = solved(state, opened)
    for one in opened:
        assert one.submission is not None
        address = one.account.address
        for d, cost in enumerate(one.submission.costs):
            for wrong in (cost.top * X44 + 1, cost.bottom * X44 - 1):
                given = list(found.shadows[address])
                given[d] = wrong
                shadows = {**found.shadows, address: tuple(given)}
                assert refused(state, opened, Solved(found.prices, shadows)) == "ShadowOutOfRange"


@several
@given(seeds)
def test_a_cost_that_never_binds_changes_no_price(seed: int) -> None:
    """Two caps, both beyond what the auths can trade together."""
    rng = random.Random(seed)
    drafted = draft(rng, ("substitutes",), 6)
    books = []
    for factor in (1, 1000):
        wishes = []
        for submission, done in drafted.wishes:
            costs = tuple(
                at_most(
                    [(t.auth, t.coefficient) for t in cost.terms],
                    2 * factor * sum(auth.buy_rate for auth in submission.auths),
                )
                for cost in submission.costs
            )
            wishes.append((replace(submission, costs=costs), done))
        books.append(coupled_market(replace(drafted, wishes=wishes)))
    (state, opened), (other_state, other) = books
    first, second = solve_batch(state, opened), solve_batch(other_state, other)
    for product, price in first.prices.items():
        assert abs(price - second.prices[product]) <= (state.products[product].scale << 60) / 10**6


@several
@given(seeds)
def test_nobody_is_worse_off_than_without_trading(seed: int) -> None:
    """Σ V_j(y_j) + Σ V_d(s_d) + cash >= 0, to the resolution of the costs and of cash."""
    state, opened = market(seed)
    _, settlement = solved(state, opened)
    for one in opened:
        assert one.submission is not None
        address, submission = one.account.address, one.submission
        rates = settlement.rates[address]
        gained = Fraction(settlement.cash[address], X40)
        for auth, guard, rate in zip(submission.auths, submission.guards, rates, strict=True):
            gained += _worth(breakpoints(auth, state.ticks, guard), rate)
        missed = Fraction(len(rates), X40)
        couplings = settlement.couplings.get(address, ())
        for cost, coupling in zip(submission.costs, couplings, strict=True):
            gained += _worth(cost_breakpoints(cost), cost_sum(cost, rates))
            if not coupling.excused:
                missed += Fraction(abs(coupling.excess) * (cost.top - cost.bottom), X44 * X40)
        assert gained >= -missed


def _worth(curve: Sequence[tuple[int, int]], end: int) -> Fraction:
    """∫₀ of a curve, cash units; `end` X44. Beyond its ends the price stays as it is there."""
    points = [(rate * X44, price) for rate, price in curve]
    points = [
        (min(end, points[0][0]), points[0][1]),
        *points,
        (max(end, points[-1][0]), points[-1][1]),
    ]
    total = Fraction(0)
    for (left, top), (right, bottom) in pairwise(points):
        begin, stop = max(left, min(end, 0)), min(right, max(end, 0))
        if stop > begin:
            middle = top - Fraction((top - bottom) * (begin + stop - 2 * left), 2 * (right - left))
            total += middle * (stop - begin)
    return (total if end >= 0 else -total) / (X44 * X40)


@several
@given(seeds)
def test_warm_or_cold_prices_agree(seed: int) -> None:
    state, opened = market(seed)
    cold = solve_batch(state, opened)
    near = {k: price + (price >> 12) for k, price in cold.prices.items()}
    for start in (Solved(near, cold.shadows), Solved(near, {})):
        warm = solve_batch(state, opened, warm=start)
        for product, price in cold.prices.items():
            scale = state.products[product].scale << 60
            assert abs(price - warm.prices[product]) <= scale / 10**6


@pytest.mark.parametrize("seed", range(6))
def test_published_freedom_covers_what_accepted_prices_differ_by(seed: int) -> None:
    """[C-4]: a price pushed as far as it is accepted, with shadow prices that follow it."""
    state, opened = market(seed, ("substitutes", "pair", "at_an_end", "degenerate"), 4)
    found, settlement = solved(state, opened)
    for product in found.prices:
        for sign in (1, -1):
            by = 1
            while refused(state, opened, _pushed(state, opened, found, product, sign * by)) is None:
                by *= 2
            assert (settlement.volumes[product] * (by // 2)) >> 88 <= settlement.freedom_x40


def _pushed(
    state: BatchState, opened: tuple[Opened, ...], found: Solved, product: int, by: int
) -> Solved:
    prices = {**found.prices, product: found.prices[product] + by}
    book = exact_book(opened, [state.products[k] for k in prices])
    guess = [shadow << GUARD for own in found.shadows.values() for shadow in own]
    fine, _ = Shadows(book).settle([price << GUARD for price in prices.values()], guess)
    rounded = iter([(shadow + (1 << GUARD - 1)) >> GUARD for shadow in fine])
    return Solved(
        prices,
        {address: tuple(next(rounded) for _ in own) for address, own in found.shadows.items()},
    )


# --- by hand, and against others ----------------------------------------------------------------


def one_price(side: int, product: int, price: int, width: int, fall: int = 0) -> Auth:
    return one_sided(side, (Leg(product, 1),), price, [Step(width, fall)])


def test_perfect_substitutes_of_the_published_sample() -> None:
    """Two buyers of one account, 10 falling to 5, who together want one unit; sellers at 6.25."""
    unit, cash = 10**6, X40
    buyers = tuple(one_price(1, k, 10 * cash, unit, 5 * cash) for k in (0, 1))
    both = at_most([(0, 1), (1, 1)], unit)
    sellers = [one_price(-1, k, 25 * cash // 4, unit) for k in (0, 1)]
    wishes = [(Submission(buyers, costs=(both,)), ()), *((Submission((s,)), ()) for s in sellers)]
    state, opened = coupled_market(Coupled([8 * X24] * 2, [6 * cash] * 2, wishes))
    for engine in engines():
        found = solve_batch(state, opened, engine=engine)
        settlement = settle(state, opened, *found)
        first, second, third = (one.account.address for one in opened)
        for price in found.prices.values():
            assert price / X84 == pytest.approx(6.25, abs=1e-3)
        for rate in settlement.rates[first]:
            assert rate / X44 == pytest.approx(unit / 2, rel=1e-3)
        assert sum(settlement.rates[first]) <= unit * X44 + both.touches
        assert settlement.rates[second] == settlement.rates[third]
        # The marginal value at half a unit is 7.5: what the cap is worth makes up the difference.
        assert found.shadows[first][0] / X84 == pytest.approx(-1.25, abs=1e-2)


def test_a_hard_limit_is_reached_and_not_passed() -> None:
    """One buyer below the market, bound to 7 units by a vertical end."""
    buyer = one_price(1, 0, 9 * X40, 1000)
    wishes: list[tuple[Submission, tuple[int, ...]]] = [
        (Submission((buyer,), costs=(at_most([(0, 3)], 21),)), ()),
        (Submission((one_price(-1, 0, 5 * X40, 5000),)), ()),
    ]
    state, opened = coupled_market(Coupled([8 * X24], [8 * X40], wishes))
    _, settlement = solved(state, opened)
    address = opened[0].account.address
    (coupling,) = settlement.couplings[address]
    assert abs(coupling.excess) <= coupling.tolerance
    assert abs(3 * settlement.rates[address][0] - 21 * X44) <= coupling.tolerance


def test_shadow_price_stays_at_the_end_that_does_not_stop_anybody() -> None:
    """A cost worth at most a hundredth: the buyer pays it and trades on."""
    buyer = one_price(1, 0, 9 * X40, 1000)
    weak = Cost((Term(0, 1),), 0, 0, (Step(1, X40 // 100),), ())
    wishes: list[tuple[Submission, tuple[int, ...]]] = [
        (Submission((buyer,), costs=(weak,)), ()),
        (Submission((one_price(-1, 0, 5 * X40, 5000),)), ()),
    ]
    state, opened = coupled_market(Coupled([8 * X24], [8 * X40], wishes))
    found, settlement = solved(state, opened)
    address = opened[0].account.address
    assert found.shadows[address] == (weak.bottom * X44,)
    assert settlement.couplings[address][0].excused
    assert settlement.rates[address][0] == 1000 * X44


@pytest.mark.parametrize("seed", range(8))
def test_clarabel_finds_the_same_root(seed: int) -> None:
    """An independent solver on the same book, to the digits it has."""
    rng = random.Random(f"mild{seed}")
    state, opened = coupled_market(mild(rng))
    found = solve_batch(state, opened)
    products = [state.products[k] for k in priced_products(opened)]
    book, _ = book_of(opened, products)
    theirs = engine_named("clarabel")(book)
    for product, price in zip(products, theirs.prices, strict=True):
        assert price == pytest.approx(
            found.prices[product.id] / X84, abs=1e-4 * product.scale / X24
        )


def mild(rng: random.Random) -> Coupled:
    """Orders within a few per mille of references of about 100, sizes alike: a book for floats."""
    count = 3
    references = [int(X40 * rng.uniform(50, 200)) for _ in range(count)]
    wishes: list[tuple[Submission, tuple[int, ...]]] = []
    for _ in range(12):
        auths = []
        for _ in range(3):
            k, side = rng.randrange(count), rng.choice([1, -1])
            price = int(references[k] * (1 + side * 0.002 + rng.gauss(0, 0.003)))
            auths.append(one_price(side, k, price, rng.randint(50, 500), references[k] // 200))
        end = rng.choice([HARD, references[0] // 1000])
        terms = tuple(Term(j, rng.choice([1, 1, -1, 2])) for j in range(3))
        steps = (Step(rng.randint(1, 300), references[0] // 1000), Step(0, end))
        costs = (Cost(terms, 0, 0, steps, steps),) if rng.random() < 0.7 else ()
        wishes.append((Submission(tuple(auths), costs=costs), ()))
    return Coupled([reference >> 16 for reference in references], references, wishes)
