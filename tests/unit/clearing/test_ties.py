"""Ties share in proportion to size, wherever the search started."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.clearing.books import Draft
from walras.clearing import Clearing, clear
from walras.clearing.book import Floats


def tied(sizes: list[float], sold: float, *, maker: float | None = None) -> Draft:
    """Buyers of `sizes` at one price, every third as a seller of the mirrored portfolio."""
    draft = Draft([10.0, 20.0], maker)
    draft.order({0: 1.0, 1: 2.0}, (-sold, 49.0), (0.0, 48.0))
    for n, size in enumerate(sizes):
        weight = n % 4 + 1.0
        if n % 3:
            draft.order({0: weight, 1: 2 * weight}, (0.0, 50 * weight), (size, 50 * weight))
        else:
            draft.order({0: -weight, 1: -2 * weight}, (-size, -50 * weight), (0.0, -50 * weight))
    return draft


def shares(clearing: Clearing, sizes: list[float]) -> Floats:
    found: Floats = np.abs(clearing.fills[1:]) / np.array(sizes)
    return found


@pytest.mark.parametrize("maker", [None, 2.0**-10])
@pytest.mark.parametrize("count", [3, 90])
def test_warm_start_remembers_no_shares(count: int, maker: float | None) -> None:
    """Whoever traded more in the last batch, or not at all, gets no other share in this one."""
    sizes = [1.0 + n % 7 for n in range(count)]
    before = clear(tied(sizes, 2.0, maker=maker).book())
    sizes = [size * (1 + (n % 5 == 0)) for n, size in enumerate(sizes)] + [100.0, 3.0]
    book = tied(sizes, 30.0, maker=maker).book()
    for start in (None, before, before.prices):
        clearing = clear(book, warm=start)
        assert clearing.certified
        found = shares(clearing, sizes)
        assert found == pytest.approx(np.full(len(sizes), found.mean()), rel=1e-6)
        assert 0 < found.mean() < 1


def test_order_in_two_parts_at_one_price_shares_as_one() -> None:
    """A stretch cut in two is still one range: its share is that of everybody else."""
    draft = Draft([10.0])
    draft.order({0: 1.0}, (-8.0, 9.0), (0.0, 9.0))
    draft.order({0: 1.0}, (0.0, 10.0), (5.0, 10.0), (8.0, 10.0))
    draft.order({0: 1.0}, (0.0, 10.0), (8.0, 10.0))
    for start in (None, clear(draft.book())):
        clearing = clear(draft.book(), warm=start)
        assert clearing.certified
        assert clearing.fills == pytest.approx([-8.0, 4.0, 4.0])
