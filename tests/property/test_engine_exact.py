"""The engine against exact fractions, and the laws a clearing obeys."""

from fractions import Fraction

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.reference.active_set import clear_exactly
from tests.unit.clearing.books import random_draft
from tests.unit.clearing.kkt import violation
from walras.clearing import Book, Clearing, clear


def proved(book: Book, found: Clearing) -> bool:
    """Certified, but for one rounding of each price, below which the maker's dust hides."""
    maker = np.zeros(book.products) if book.maker is None else book.maker
    dust = float(np.abs(found.prices) @ (maker * np.spacing(np.abs(found.prices))))
    return found.gap <= 1e-10 * found.surplus + dust


seeds = st.integers(0, 10**6)


@given(seeds, st.integers(1, 3), st.integers(0, 8))
@settings(max_examples=30, deadline=None)
def test_prices_fills_and_surplus_are_those_of_exact_arithmetic(
    seed: int, products: int, orders: int
) -> None:
    book = random_draft(seed, products, orders).book()
    exact, found = clear_exactly(book), clear(book)
    assert proved(book, found)
    assert violation(book, found) <= 1e-9
    np.testing.assert_allclose(found.prices, np.array(exact.prices, float), rtol=1e-9)
    size = np.array([abs(x) for x in book.curve_rate]).max(initial=1.0)
    np.testing.assert_allclose(
        found.fills, np.array(exact.fills, float), rtol=1e-8, atol=1e-9 * size
    )
    if exact.surplus:
        assert abs(Fraction(found.surplus) / exact.surplus - 1) <= 1e-6


@given(seeds, st.integers(1, 3), st.integers(2, 6), st.integers(1, 3))
@example(227132, 1, 2, 3)  # far out, its shadow prices hardly bend
@settings(max_examples=15, deadline=None)
def test_costs_too(seed: int, products: int, orders: int, groups: int) -> None:
    draft = random_draft(seed, products, orders)
    rng = np.random.default_rng(seed)
    for _ in range(groups):
        members = rng.choice(orders, int(rng.integers(1, orders + 1)), replace=False)
        size = 10 ** rng.uniform(0, 4)
        draft.group(
            {int(j): float(rng.choice([-2, -1, 1, 3])) for j in members},
            (-size, float(rng.uniform(0, 5))),
            (size, float(-rng.uniform(0.001, 5))),
        )
    book = draft.book()
    exact, found = clear_exactly(book), clear(book)
    assert proved(book, found)
    np.testing.assert_allclose(found.prices, np.array(exact.prices, float), rtol=1e-7)
    largest = np.abs(book.curve_rate).max()
    np.testing.assert_allclose(found.fills, np.array(exact.fills, float), atol=1e-6 * largest)
