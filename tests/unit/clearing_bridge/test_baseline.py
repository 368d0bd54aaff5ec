"""General solvers as engines: the same outcome as the structure-exploiting one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.clearing.books import random_draft
from tests.unit.clearing.kkt import violation
from walras.clearing import Book, clear, engine_named, engines

LIBRARIES = ("osqp", "clarabel")


def two_products(**extra: object) -> Book:
    """Buyers and sellers of two products and of their spread, with slopes and flat steps."""
    curves = [
        ([0.0, 40.0], [104.0, 96.0]),
        ([-30.0, 0.0], [103.0, 99.0]),
        ([-10.0, 0.0, 20.0], [52.0, 50.0, 47.0]),
        ([0.0, 15.0], [49.5, 49.5]),
        ([-25.0, 0.0, 0.0, 25.0], [51.5, 50.5, 49.5, 48.5]),
    ]
    arrays: dict[str, object] = {
        "leg_ptr": [0, 1, 2, 3, 4, 6],
        "leg_product": [0, 0, 1, 1, 0, 1],
        "leg_weight": [1.0, 1.0, 1.0, 1.0, 1.0, -1.0],
        "curve_ptr": np.cumsum([0] + [len(rate) for rate, _ in curves]),
        "curve_rate": np.concatenate([rate for rate, _ in curves]),
        "curve_price": np.concatenate([price for _, price in curves]),
        "reference_price": [100.0, 50.0],
        "maker": [1e-3, 1e-3],
    }
    return Book(**(arrays | extra))  # type: ignore[arg-type]


BOOKS = {"both": two_products()} | {
    f"random {seed}": random_draft(seed, 2, 30, maker=1.0).book() for seed in (2, 4, 5)
}


@pytest.mark.parametrize("name", engines())
@pytest.mark.parametrize("book", BOOKS)
def test_optimality_conditions_hold_for_every_engine(name: str, book: str) -> None:
    found = engine_named(name)(BOOKS[book])
    assert found.certified
    assert violation(BOOKS[book], found) <= 1e-4


@pytest.mark.parametrize("name", LIBRARIES)
def test_prices_and_fills_agree(name: str) -> None:
    book = two_products()
    expected, found = clear(book), engine_named(name)(book)
    assert expected.certified
    assert found.engine == name
    assert found.certificate <= 1e-6
    np.testing.assert_allclose(found.prices, expected.prices, rtol=1e-6)
    np.testing.assert_allclose(found.fills, expected.fills, atol=1e-4)


@pytest.mark.parametrize("name", LIBRARIES)
def test_without_a_maker(name: str) -> None:
    arrays = two_products().arrays()
    del arrays["maker"]
    found = engine_named(name)(Book(**arrays))
    assert found.certificate <= 1e-6
    assert np.abs(found.residual).max() <= 1e-6


@pytest.mark.parametrize("name", LIBRARIES)
def test_groups_bind_and_have_a_shadow_price(name: str) -> None:
    """Two buyers may together take 10 units: the cap costs what the buyers would still gain."""
    book = two_products(
        group_ptr=[0, 2],
        group_order=[0, 3],
        group_coefficient=[1.0, 1.0],
        group_curve_ptr=[0, 2],
        group_curve_rate=[0.0, 10.0],
        group_curve_price=[0.0, 0.0],
    )
    found = engine_named(name)(book)
    assert found.certificate <= 1e-6
    assert found.fills[0] + found.fills[3] == pytest.approx(10.0, abs=1e-5)
    assert found.group_prices[0] < -0.1  # the joint curve falls without end at its last rate


@pytest.mark.parametrize("name", LIBRARIES)
def test_nothing_to_trade(name: str) -> None:
    book = Book(
        leg_ptr=[0],
        leg_product=[],
        leg_weight=[],
        curve_ptr=[0],
        curve_rate=[],
        curve_price=[],
        reference_price=[3.0],
    )
    found = engine_named(name)(book)
    assert found.prices.tolist() == [3.0]
    assert found.fills.tolist() == []
