"""The linear program that all-flat thin books start from."""

from __future__ import annotations

import pytest

from tests.unit.clearing.books import Draft
from walras.clearing import clear
from walras.clearing import engine as search
from walras.clearing.dual import Market
from walras.clearing.evaluate import evaluate
from walras.clearing.generator import market, with_groups
from walras.clearing.vertex import vertex


@pytest.mark.parametrize(("products", "orders"), [(2, 12), (10, 30), (60, 120), (100, 900)])
def test_vertex_is_an_optimum(products: int, orders: int) -> None:
    """Within what HiGHS promises, by the judge of every engine."""
    for seed in range(5):
        book = market(products, orders, 1.0, seed=seed, maker=False)
        found = vertex(Market(book))
        assert found is not None
        deviations, fills = found
        proof = evaluate(book, book.reference_price + deviations, fills)
        assert proof.certificate < 1e-6


def test_books_with_slopes_or_groups_are_no_linear_program() -> None:
    assert vertex(Market(market(10, 30, 0.2, seed=1))) is None
    assert vertex(Market(with_groups(market(10, 30, 1.0, seed=1), 0.5))) is None


def test_book_of_nobody_is_no_linear_program() -> None:
    assert vertex(Market(Draft([10.0]).book())) is None


def test_search_from_the_vertex_finds_what_the_homotopy_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With makers prices are unique, wherever the search starts; and it is the shorter way."""
    book = market(60, 600, 1.0, seed=3, maker=True)
    near = clear(book)
    monkeypatch.setattr(search, "vertex", lambda _: None)
    far = clear(book)
    assert near.certified
    assert far.certified
    assert near.prices == pytest.approx(far.prices, rel=1e-9)
    assert 2 * near.iterations < far.iterations
