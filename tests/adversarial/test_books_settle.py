"""A settlement exists for every covered book: whatever is sealed, prices are found and accepted.

`WALRAS_BOOKS` sets how many books of each shape are tried.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.adversarial.books import SHAPES, market
from walras.certificate import priced_products, settle
from walras.clearing.polish import polish
from walras.clearing.problem import exact_book, solve_batch

BOOKS = int(os.environ.get("WALRAS_BOOKS", "12"))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_book_settles(shape: str) -> None:
    for seed in range(BOOKS):
        state, opened = market(SHAPES[shape](random.Random(f"{shape}{seed}")))
        settlement = settle(state, opened, *solve_batch(state, opened))
        for product, residue in settlement.residues.items():
            assert residue + settlement.house[product] == 0
        assert sum(settlement.cash.values()) + settlement.house_cash == 0


@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "nobody"])
def test_the_polish_needs_no_engine(shape: str) -> None:
    for seed in range(100, 100 + max(1, BOOKS // 3)):
        state, opened = market(SHAPES[shape](random.Random(f"{shape}{seed}")))
        products = [state.products[k] for k in priced_products(opened)]
        found = polish(exact_book(opened, products)).prices
        settle(state, opened, {p.id: x for p, x in zip(products, found, strict=True)})
