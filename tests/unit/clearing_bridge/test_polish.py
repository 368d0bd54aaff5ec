"""The exact polish: the same prices from anywhere, and those of the exact reference."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from tests.adversarial.books import SHAPES, market
from tests.reference.clearing import Book, clearing_prices, maker_of, to_x84
from tests.reference.curves import Order
from walras.auths import Auth
from walras.certificate import priced_products
from walras.clearing.exact import ExactBook
from walras.clearing.polish import polish
from walras.clearing.problem import exact_book
from walras.errors import ClearingError


def order_of(auth: Auth) -> Order:
    return Order(
        legs=tuple((leg.product, leg.weight) for leg in auth.legs),
        bid=auth.bid if auth.buy else None,
        ask=auth.ask if auth.sell else None,
        buy=tuple((step.width, step.increment) for step in auth.buy),
        sell=tuple((step.width, step.increment) for step in auth.sell),
    )


def books(shape: str, seed: int) -> tuple[ExactBook, Book]:
    state, opened = market(SHAPES[shape](random.Random(f"{shape}{seed}")))
    products = [state.products[k] for k in priced_products(opened)]
    makers = [maker_of(p.id, p.reference, p.scale) for p in products]
    auths = [auth for one in opened if one.submission for auth in one.submission.auths]
    return (
        exact_book(opened, products),
        Book.of(makers, [order_of(auth) for auth in auths], state.ticks),
    )


@pytest.mark.parametrize("shape", ["interval", "crossed_at_one_price", "steepest", "one_side_only"])
def test_rounded_root_of_the_exact_reference(shape: str) -> None:
    for seed in range(4):
        exact, reference = books(shape, seed)
        expected = to_x84(clearing_prices(reference))
        assert exact.accepts(expected)  # the theorem of MATHEMATICS
        for price, root in zip(polish(exact).prices, expected, strict=True):
            assert abs(Fraction(price - root, 2**84)) <= abs(Fraction(root, 2**84)) / 10**8


@pytest.mark.parametrize("shape", ["mixed", "pairs_only", "wide"])
def test_any_start_leads_to_the_same_prices(shape: str) -> None:
    exact, _ = books(shape, 2)
    cold = polish(exact).prices
    again = polish(exact, cold)
    assert again.prices == cold
    assert again.steps == 0
    rng = random.Random(7)
    for spread in (1e-12, 1e-6, 1e-2):
        start = [int(price * (1 + rng.gauss(0, spread))) for price in cold]
        found = polish(exact, start).prices
        scales = [scale << 60 for scale in exact.scale]
        gaps = [abs(a - b) / s for a, b, s in zip(found, cold, scales, strict=True)]
        assert max(gaps) <= 1e-6


def test_absurd_start_is_given_up() -> None:
    exact, _ = books("pairs_only", 17)
    start = [(-1) ** i * (1 << 137) for i in range(exact.products)]
    assert exact.accepts(polish(exact, start).prices)


def test_failure_names_the_product_and_its_residue() -> None:
    exact, _ = books("mixed", 4)
    with pytest.raises(ClearingError, match=r"product \d+ is .* lots from clearing"):
        polish(exact, max_steps=0)
