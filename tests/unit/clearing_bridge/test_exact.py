"""The compiled demand of a book against the certificate's own curve, auth by auth."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest

from tests.adversarial.books import SHAPES, market
from walras.batch import BatchState, Product
from walras.certificate import Opened, evaluate, priced_products
from walras.clearing.exact import GUARD, ExactBook
from walras.clearing.limbs import Ints, integers
from walras.clearing.problem import book_of, exact_book
from walras.clearing.shadows import Shadows
from walras.clearing.system import newton_step

X84 = 1 << 84


def opened_market(shape: str, seed: int) -> tuple[BatchState, tuple[Opened, ...], list[Product]]:
    state, opened = market(SHAPES[shape](random.Random(f"{shape}{seed}")))
    return state, opened, [state.products[k] for k in priced_products(opened)]


def prices_near(products: list[Product], opened: tuple[Opened, ...], seed: int) -> list[int]:
    """Around the references, sometimes exactly on a curve's first price."""
    rng = random.Random(seed)
    prices = [int(p.reference * (1 << 44) * rng.gauss(1, 0.004)) for p in products]
    for one in opened:
        if one.submission and len(one.submission.auths[0].legs) == 1 and rng.random() < 0.3:
            auth = one.submission.auths[0]
            place = [p.id for p in products].index(auth.legs[0].product)
            prices[place] = (auth.first << 44) + rng.randint(-2, 2)
    return prices


@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "nobody"])
def test_demand_and_tolerance_are_the_certificates(shape: str) -> None:
    for seed in range(6):
        state, opened, products = opened_market(shape, seed)
        book = exact_book(opened, products)
        for trial in range(4):
            prices = prices_near(products, opened, trial)
            posted = {p.id: price for p, price in zip(products, prices, strict=True)}
            expected = evaluate(state, opened, posted)
            answer = book.respond([price << GUARD for price in prices], on_chain=True)
            demand = [lots >> GUARD for lots in integers(answer.demand)]
            assert demand == list(expected.residues.values())
            assert answer.tolerance.tolist() == [c - 2 for c in expected.tolerances.values()]
            cleared = all(
                abs(expected.excesses[k]) <= expected.tolerances[k] for k in expected.excesses
            )
            assert book.accepts(prices) == cleared


def test_guard_digits_only_refine() -> None:
    _, opened, products = opened_market("mixed", 5)
    book = exact_book(opened, products)
    fine = [price << GUARD for price in prices_near(products, opened, 1)]
    coarse = integers(book.respond(fine, on_chain=True).demand)
    for exact, rounded in zip(integers(book.respond(fine).demand), coarse, strict=True):
        assert abs(exact - rounded) < (1 << GUARD) * 60 * 50


def test_book_of_floats_tells_the_same_demand() -> None:
    _, opened, products = opened_market("mixed", 3)
    book, index = book_of(opened, products)
    exact = exact_book(opened, products)
    assert index.products == tuple(p.id for p in products)
    assert len(index.orders) == book.orders == exact.auths
    top = np.add.reduceat(exact.rows.ramp_width, exact.rows.ramp_ptr[:-1])
    span = book.curve_rate[book.curve_ptr[1:] - 1] - book.curve_rate[book.curve_ptr[:-1]]
    assert span.tolist() == top.astype(float).tolist()


def single(tops: list[int], drop: int, width: int) -> ExactBook:
    """Auths of one product, one ramp each."""
    return ExactBook.build(
        [[(0, 1)] for _ in tops],
        [[(1, top, drop, width)] for top in tops],
        [100 << 40],
        [100 << 24],
    )


def stepped(book: ExactBook, ramp: Ints, excess: list[int]) -> list[int]:
    costs = Shadows(book)
    depth = [1] * book.products
    return newton_step(book, ramp, excess, depth, costs.reduction, costs.free([]))


def test_step_solves_a_pair_that_floats_cannot() -> None:
    """A wide pair leaves the level to a maker 2^70 times softer; the step is exact all the same."""
    width, drop = 1 << 40, 1 << 44
    book = ExactBook.build(
        [[(0, 1), (1, -1)]], [[(1, 1 << 40, drop, width)]], [1 << 40, 1 << 40], [1 << 54, 1 << 54]
    )
    excess = [1 << 40, 1 << 39]
    step = stepped(book, np.zeros(1, np.int64), excess)
    slope, epsilon = Fraction(width << 40, drop), Fraction(1 << 14, 1 << 54)
    a, b = (Fraction(s, 2**112) for s in step)
    expected = [Fraction(e, 2**72) for e in excess]
    assert abs(slope * (a - b) + epsilon * a - expected[0]) < Fraction(1, 2**70)
    assert abs(slope * (b - a) + epsilon * b - expected[1]) < Fraction(1, 2**70)


def test_step_sees_ties_that_cancel() -> None:
    """Opposite pairs add up to nothing off the diagonal, yet their products hang together."""
    ramps = [(1, 1 << 40, 1 << 42, 1 << 30)]
    book = ExactBook.build(
        [[(0, 1 << 20), (1, 1)], [(0, 1 << 20), (1, -1)]],
        [ramps, ramps],
        [1 << 40, 1 << 40],
        [1 << 54, 1 << 24],
    )
    step = stepped(book, np.array([0, 1]), [1 << 72, 1 << 72])
    slope = Fraction(2 << 30, 4)
    assert Fraction(step[1], 2**112) == pytest.approx(Fraction(1, 1) / (slope + 2**-10), rel=1e-12)


def test_kinks_belong_to_the_curve() -> None:
    book = single([100 << 40], 1 << 40, 7)
    at_top = book.respond([100 << 112])
    at_bottom = book.respond([99 << 112])
    assert integers(at_top.demand) == [0]
    assert integers(at_bottom.demand) == [7 << 72]
    assert at_top.sloped.tolist() == at_bottom.sloped.tolist() == [1]  # the window


def test_window_where_floats_are_finer_than_it() -> None:
    """Prices near zero: the window of 2 X84 is far wider than what floats cannot tell apart."""
    book = ExactBook.build(
        [[(0, 1), (1, -1)]], [[(1, 0, 4, 1)]], [1 << 40, 1 << 40], [1 << 24, 1 << 24]
    )
    for price, sloped in ((0, 1), (1, 1), (2, 0)):
        answer = book.respond([price << GUARD, 0])
        assert answer.sloped.tolist() == [sloped, sloped]
        assert answer.tolerance.tolist() == [2 * sloped, 2 * sloped]
