"""Laws every clearing obeys, and agreement with libraries that know nothing of the engine."""

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from tests.unit.clearing.books import Draft, random_draft
from tests.unit.clearing.kkt import violation
from walras.clearing import Book, Clearing, clear, engine_named
from walras.clearing.book import Floats
from walras.errors import ClearingError

seeds = st.integers(0, 10**6)
flats = st.sampled_from([0.0, 0.3, 1.0])
law = settings(max_examples=25, deadline=None)


def mixed(seed: int, flat: float) -> Draft:
    return random_draft(seed, 4, 40, flat=flat)


def answer(engine: str, book: Book) -> Clearing:
    """What another engine says; it may give up, loudly, and then contradicts nobody."""
    try:
        return engine_named(engine)(book)
    except ClearingError:
        return reject()


def same(found: Floats, expected: Floats) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@given(seeds, flats)
@law
def test_optimality_conditions_hold(seed: int, flat: float) -> None:
    book = mixed(seed, flat).book()
    clearing = clear(book)
    assert clearing.certified
    assert violation(book, clearing) <= 1e-7


@given(seeds, flats)
@law
def test_another_start_leads_to_the_same_prices(seed: int, flat: float) -> None:
    book = mixed(seed, flat).book()
    cold = clear(book)
    moved = cold.prices * (1 + 0.003 * np.random.default_rng(seed).standard_normal(4))
    warm = clear(book, warm=moved)
    assert warm.certified
    assert warm.surplus == pytest.approx(cold.surplus, rel=1e-9)
    np.testing.assert_allclose(warm.prices, cold.prices, rtol=1e-9)


@given(seeds, st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
@law
def test_units_do_not_matter(seed: int, cash: float, lot: float) -> None:
    book = mixed(seed, 0.0).book()
    arrays = book.arrays()
    arrays["curve_price"] = arrays["curve_price"] * cash
    arrays["reference_price"] = arrays["reference_price"] * cash
    arrays["curve_rate"] = arrays["curve_rate"] * lot
    arrays["maker"] = arrays["maker"] / cash * lot
    plain, scaled = clear(book), clear(Book(**arrays))
    same(scaled.prices, plain.prices * cash)
    assert scaled.surplus == pytest.approx(plain.surplus * cash * lot, rel=1e-9)


@given(seeds)
@law
def test_names_and_sequence_do_not_matter(seed: int) -> None:
    draft = mixed(seed, 0.0)
    rng = np.random.default_rng(seed)
    rows, names = rng.permutation(40), rng.permutation(4)
    reference = [0.0] * 4
    for k, name in enumerate(names):
        reference[name] = draft.reference[k]
    other = Draft(reference)
    for row in rows:
        legs = {int(names[k]): w for k, w in reversed(draft.legs[row].items())}
        other.order(legs, *draft.curves[row])
    plain, renamed = clear(draft.book()), clear(other.book())
    same(renamed.prices[names], plain.prices)
    np.testing.assert_allclose(renamed.fills, plain.fills[rows], rtol=1e-6, atol=1e-7)


@given(seeds, st.floats(0.01, 0.99))
@law
def test_splitting_an_order_changes_nothing(seed: int, share: float) -> None:
    draft, split = mixed(seed, 0.0), mixed(seed, 0.0)
    curve = draft.curves[0]
    split.curves[0] = [(x * share, m) for x, m in curve]
    split.order(draft.legs[0], *[(x * (1 - share), m) for x, m in curve])
    whole, parts = clear(draft.book()), clear(split.book())
    same(parts.prices, whole.prices)
    assert parts.fills[0] + parts.fills[40] == pytest.approx(whole.fills[0], rel=1e-6, abs=1e-7)


@given(seeds, flats)
@law
def test_everybody_twice_trades_twice(seed: int, flat: float) -> None:
    draft, twice = mixed(seed, flat), mixed(seed, flat)
    for legs, curve in zip(draft.legs, draft.curves, strict=True):
        twice.order(legs, *curve)
    twice.maker = 2 * 2.0**-10
    once, double = clear(draft.book()), clear(twice.book())
    np.testing.assert_allclose(double.prices, once.prices, rtol=1e-9)
    assert double.surplus == pytest.approx(2 * once.surplus, rel=1e-9)
    size = np.abs(draft.book().curve_rate).max()
    for half in (double.fills[:40], double.fills[40:]):
        np.testing.assert_allclose(half, once.fills, rtol=1e-6, atol=1e-9 * size)


@given(seeds)
@law
def test_an_order_that_does_not_trade_changes_nothing(seed: int) -> None:
    draft = mixed(seed, 0.0)
    plain = clear(draft.book())
    price = float(plain.prices[0])  # negative where a strange book wants it so
    draft.order({0: 1.0}, (0.0, price - 0.5 * abs(price)), (1e4, price - 0.6 * abs(price)))
    more = clear(draft.book())
    same(more.prices, plain.prices)
    assert more.fills[40] == 0.0


@given(seeds, st.floats(1.0001, 1.1))
@law
def test_raising_a_limit_never_lowers_the_surplus(seed: int, factor: float) -> None:
    draft = mixed(seed, 0.0)
    before = clear(draft.book()).surplus
    row = next(i for i, curve in enumerate(draft.curves) if curve[0][0] == 0.0)
    gross = sum(abs(w) * draft.reference[k] for k, w in draft.legs[row].items())
    draft.curves[row] = [(x, m + (factor - 1) * gross) for x, m in draft.curves[row]]
    assert clear(draft.book()).surplus >= before * (1 - 1e-9)


@given(seeds, flats)
@settings(max_examples=8, deadline=None)
def test_clarabel_agrees(seed: int, flat: float) -> None:
    book = random_draft(seed, 3, 20, flat=flat, maker=1.0).book()
    ours, theirs = clear(book), answer("clarabel", book)
    assert ours.surplus == pytest.approx(theirs.surplus, rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(ours.prices, theirs.prices, rtol=1e-4)


@given(seeds)
@settings(max_examples=5, deadline=None)
def test_osqp_does_not_contradict(seed: int) -> None:
    book = random_draft(seed, 2, 10, maker=100.0).book()
    ours, theirs = clear(book), answer("osqp", book)
    np.testing.assert_allclose(ours.prices, theirs.prices, rtol=1e-2)
