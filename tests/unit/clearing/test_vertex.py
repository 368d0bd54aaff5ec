"""The linear program behind books without a slope, and the sifting that solves it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.clearing.books import Draft
from walras.clearing import Clearing, clear
from walras.clearing import engine as search
from walras.clearing import vertex as sifting
from walras.clearing.book import Book
from walras.clearing.dual import Market
from walras.clearing.evaluate import evaluate
from walras.clearing.generator import market, perturbed, with_groups
from walras.clearing.vertex import level, vertex

SIZES = [(2, 12), (10, 30), (60, 120), (100, 900), (3, 600), (20, 4000)]


def proof(book: Book, start: float) -> float:
    """Certificate of the vertex found from prices a factor 1 + start beside the references."""
    found = vertex(Market(book), start * book.reference_price)
    assert found is not None
    deviations, fills, _ = found
    return evaluate(book, book.reference_price + deviations, fills).certificate


@pytest.mark.parametrize(("products", "orders"), SIZES)
def test_vertex_is_an_optimum(products: int, orders: int) -> None:
    """By the judge of every engine, thin books in one program and thick ones sifted."""
    for seed in range(5):
        assert proof(market(products, orders, 1.0, seed=seed, maker=False), 0.0) < 1e-9


@pytest.mark.parametrize("start", [-0.5, -0.02, 0.02, 3.0])
def test_sifting_finds_the_optimum_from_anywhere(start: float) -> None:
    assert proof(market(20, 4000, 1.0, seed=5, maker=False), start) < 1e-9


def test_steps_that_were_left_out_come_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first list of next to nobody costs rounds, not the optimum."""
    monkeypatch.setattr(sifting, "_EACH", 1)
    monkeypatch.setattr(sifting, "_WIDE", 1.0)
    assert proof(market(20, 4000, 1.0, seed=6, maker=False), 0.01) < 1e-9


def test_price_that_thousands_share_holds_nobody() -> None:
    """Everybody near the start is at no distance from it; the market clears elsewhere."""
    draft = Draft([10.0])
    for _ in range(2000):
        draft.order({0: 1.0}, (0.0, 10.0), (1.0, 10.0))
    draft.order({0: 1.0}, (-5000.0, 9.0), (0.0, 9.0))
    found = vertex(Market(draft.book()), np.zeros(1))
    assert found is not None
    deviations, fills, _ = found
    assert deviations == pytest.approx([-1.0], abs=1e-9)
    assert fills[:-1] == pytest.approx(np.ones(2000))
    assert fills[-1] == pytest.approx(-2000.0)


def test_only_books_without_slope_are_level() -> None:
    flat = market(10, 30, 1.0, seed=1)
    assert level(Market(flat))
    assert not level(Market(market(10, 30, 0.2, seed=1)))
    assert not level(Market(Draft([10.0]).book()))
    bound = with_groups(flat, 0.5)
    assert level(Market(bound))
    arrays = bound.arrays()
    arrays["group_curve_price"] = -np.arange(2.0 * bound.groups)
    assert not level(Market(Book(**arrays)))


@pytest.mark.parametrize(("products", "orders"), [(5, 60), (10, 900), (40, 300)])
@pytest.mark.parametrize("maker", [False, True])
def test_groups_are_products_of_the_program(
    monkeypatch: pytest.MonkeyPatch, products: int, orders: int, maker: bool
) -> None:
    """Welfare is that of the search, shadow prices prove it, and limits bind."""
    for seed in range(4):
        book = with_groups(market(products, orders, 1.0, seed=seed, maker=maker), 0.4)
        near, far = clear(book), _without_vertex(monkeypatch, book)
        assert near.certified
        assert far.certified
        assert near.surplus == pytest.approx(far.surplus, rel=1e-9)
        assert np.abs(near.group_prices).max() > 0.0
        if maker:
            assert near.prices == pytest.approx(far.prices, rel=1e-9)
        else:
            assert near.iterations == 0


def test_without_a_maker_the_vertex_is_the_answer() -> None:
    for products, orders in SIZES[:4]:
        book = market(products, orders, 1.0, seed=2, maker=False)
        cold = clear(book)
        assert cold.certified
        assert cold.iterations == 0
        assert clear(perturbed(book, 0.05), warm=cold).certified


@pytest.mark.parametrize(("products", "orders"), [(60, 600), (5, 1500)])
def test_search_from_the_vertex_finds_what_the_homotopy_finds(
    monkeypatch: pytest.MonkeyPatch, products: int, orders: int
) -> None:
    """With makers prices are unique, wherever the search starts; and it is the shorter way."""
    book = market(products, orders, 1.0, seed=3, maker=True)
    near, far = clear(book), _without_vertex(monkeypatch, book)
    assert near.certified
    assert far.certified
    assert near.prices == pytest.approx(far.prices, rel=1e-9)
    assert near.iterations < far.iterations


def test_where_the_library_fails_the_homotopy_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    for products, orders in [(10, 60), (3, 900)]:
        book = market(products, orders, 1.0, seed=4, maker=False)
        found = _without_vertex(monkeypatch, book)
        assert found.certified
        assert found.iterations > 0


def _without_vertex(monkeypatch: pytest.MonkeyPatch, book: Book) -> Clearing:
    with monkeypatch.context() as patched:
        patched.setattr(search, "vertex", lambda *_: None)
        return clear(book)
