"""Every kind of book is certified to 1e-10, or is so empty that nothing is left to certify."""

import numpy as np
import pytest

from tests.unit.clearing.books import Draft, random_draft
from walras.clearing import Book, clear
from walras.clearing.book import Floats
from walras.clearing.generator import market, perturbed, with_groups


def scaled(book: Book, **factors: Floats | float) -> Book:
    arrays = book.arrays()
    for name, factor in factors.items():
        arrays[name] = arrays[name] * factor
    return Book(**arrays)


def steepened(book: Book, factor: float) -> Book:
    """Every curve pulled towards its first price: slopes of price scaled by `factor`."""
    first = np.repeat(book.curve_price[book.curve_ptr[:-1]], np.diff(book.curve_ptr))
    arrays = book.arrays()
    arrays["curve_price"] = first + factor * (book.curve_price - first)
    return Book(**arrays)


def uneven_weights(seed: int) -> Book:
    """Portfolio units over twelve orders of magnitude, with rates that make up for them."""
    book = market(20, 400, 0.2, seed=seed)
    unit = 10.0 ** np.random.default_rng(seed).uniform(-6, 6, book.orders)
    legs, points = np.diff(book.leg_ptr), np.diff(book.curve_ptr)
    return scaled(
        book,
        leg_weight=np.repeat(unit, legs),
        curve_price=np.repeat(unit, points),
        curve_rate=np.repeat(1 / unit, points),
    )


def disconnected(flat: float) -> Book:
    draft = Draft([10.0, 20.0, 30.0, 40.0])
    for k, price in ((0, 10.0), (2, 30.0)):
        fall = 0.0 if flat else 0.1 * price
        draft.order({k: 1.0}, (0.0, 1.01 * price), (100.0, 1.01 * price - fall))
        draft.order({k: 1.0}, (-80.0, 0.99 * price + fall), (0.0, 0.99 * price))
    return draft.book()


def at_one_price(orders: int) -> Book:
    draft = Draft([10.0, 7.0])
    rng = np.random.default_rng(1)
    for i in range(orders):
        size = float(rng.pareto(1.3) + 1)
        draft.order({i % 2: 1.0}, *[(0.0, 10.0 - 3 * (i % 2)), (size, 10.0 - 3 * (i % 2))])
        draft.order({i % 2: 1.0}, *[(-size, 10.0 - 3 * (i % 2)), (0.0, 10.0 - 3 * (i % 2))])
    draft.order({0: 1.0, 1: -1.0}, (0.0, 3.1), (5.0, 2.9))
    return draft.book()


def one_sided(side: int) -> Book:
    """Buyers only (1) above the references, or sellers only (-1) below them."""
    reference = [10.0, 7.0]
    draft = Draft(reference)
    for i in range(50):
        price, rate = reference[i % 2] * (1 + side * 0.002 * (i + 1)), 1.0 + i
        curve = [(0.0, price), (side * rate, price - side * 0.5)]
        draft.order({i % 2: 1.0}, *curve[::side])
    return draft.book()


BOOKS = {
    **{
        f"{label} {products}x{orders} flat {flat} maker {maker}": market(
            products, orders, flat, seed=seed, maker=maker
        )
        for label, products, orders, seed in (
            ("one product", 1, 300, 1),
            ("thin", 100, 200, 2),
            ("thick", 10, 3_000, 3),
            ("between", 50, 1_000, 4),
        )
        for flat in (0.0, 0.2, 1.0)
        for maker in (True, False)
    },
    **{f"weights over 12 orders {seed}": uneven_weights(seed) for seed in range(3)},
    **{
        f"slopes times {factor} flat {flat}": steepened(market(20, 600, flat, seed=5), factor)
        for factor in (1e-3, 1e-6, 1e-8)
        for flat in (0.0, 0.2)
    },
    **{f"disconnected {flat}": disconnected(flat) for flat in (0.0, 1.0)},
    **{
        f"next to nothing trades, flat {flat} maker {maker}": market(
            3, 8, flat, seed=101, maker=maker
        )
        for flat in (0.6, 1.0)
        for maker in (True, False)
    },
    "thousands at one price": at_one_price(2_000),
    "groups": with_groups(market(20, 2_000, 0.2, seed=6), 0.5),
    "flat groups": with_groups(market(20, 1_000, 1.0, seed=6), 0.5),
}


@pytest.mark.parametrize("name", BOOKS)
def test_certified(name: str) -> None:
    clearing = clear(BOOKS[name])
    assert clearing.certificate <= 1e-10
    assert clearing.certified


@pytest.mark.parametrize("side", [1, -1])
def test_one_sided_books_trade_with_the_maker_only(side: int) -> None:
    book = one_sided(side)
    clearing = clear(book)
    assert clearing.certified
    assert np.all(side * (clearing.prices - book.reference_price) > 0)
    assert np.all(side * clearing.fills >= 0)
    assert 0 < np.abs(clearing.fills).sum() <= 2**-9


@pytest.mark.parametrize("products", [1, 3])
def test_books_of_nobody_stay_at_the_reference(products: int) -> None:
    reference = [10.0] * products
    for maker in (2.0**-10, None):
        clearing = clear(Draft(reference, maker).book())
        assert clearing.certified
        assert clearing.prices.tolist() == reference
        assert clearing.surplus == 0.0


def test_buyers_below_sellers_do_not_trade() -> None:
    draft = Draft([10.0], maker=None)
    draft.order({0: 1.0}, (0.0, 9.0), (5.0, 8.0))
    draft.order({0: 1.0}, (-5.0, 12.0), (0.0, 11.0))
    clearing = clear(draft.book())
    assert clearing.certified
    assert clearing.fills.tolist() == [0.0, 0.0]


def test_an_untouched_product_stays_at_its_reference() -> None:
    clearing = clear(disconnected(0.0))
    assert clearing.prices[[1, 3]].tolist() == [20.0, 40.0]


def test_ties_share_in_proportion_to_size() -> None:
    draft = Draft([10.0])
    sizes = [1.0, 5.0, 40.0, 300.0]
    for size in sizes:
        draft.order({0: 1.0}, (0.0, 10.0), (size, 10.0))
    draft.order({0: 1.0}, (-100.0, 9.0), (0.0, 8.0))
    shares = clear(draft.book()).fills[:4] / np.array(sizes)
    assert shares == pytest.approx(np.full(4, 100.0 / 346.0), rel=1e-6)


def test_failure_is_loud() -> None:
    """What cannot be reached is said, not hidden: no float answer proves 1e-18."""
    book = random_draft(3, 4, 40, flat=0.3).book()
    clearing = clear(book, tolerance=1e-18)
    assert not clearing.certified
    assert 0.0 < clearing.certificate <= 1e-10


def test_numbers_out_of_range_prove_nothing() -> None:
    book = scaled(random_draft(3, 2, 10).book(), curve_rate=1e302)
    with np.errstate(all="ignore"):
        clearing = clear(book)
    assert clearing.certificate == np.inf
    assert not clearing.certified


@pytest.mark.parametrize("orders", [30, 3_000])
@pytest.mark.parametrize("flat", [0.0, 0.2, 0.6, 1.0])
def test_every_start_leads_to_the_same_prices(orders: int, flat: float) -> None:
    """Also where steps are flat: the maker makes prices unique, to 1e-9 and better."""
    for seed in range(3):
        book = market(10, orders, flat, seed=seed)
        rng = np.random.default_rng(seed)
        cold = clear(book)
        for start in (book.reference_price, cold.prices * (1 + 0.003 * rng.standard_normal(10))):
            warm = clear(book, warm=start)
            assert warm.certified
            np.testing.assert_allclose(warm.prices, cold.prices, rtol=1e-10)


def test_a_warm_start_is_shorter() -> None:
    book = market(10, 4_000, 0.0, seed=8)
    cold = clear(book)
    again = clear(book, warm=cold)
    assert again.iterations < cold.iterations / 2
    np.testing.assert_allclose(again.prices, cold.prices, rtol=1e-12)


@pytest.mark.parametrize("flat", [0.2, 1.0])
def test_a_warm_start_from_fills_leads_to_the_same_prices(flat: float) -> None:
    for orders in (500, 4_000):
        book = market(10, orders, flat, seed=9)
        earlier = clear(book)
        cold, warm = clear(perturbed(book, 0.02)), clear(perturbed(book, 0.02), warm=earlier)
        assert warm.certified
        np.testing.assert_allclose(warm.prices, cold.prices, rtol=1e-10)
        other = market(10, orders // 2, flat, seed=3)
        np.testing.assert_allclose(
            clear(other, warm=earlier).prices, clear(other).prices, rtol=1e-10
        )
