"""Watch lists, nested and widened, against looking at everyone."""

from collections import Counter

import numpy as np
import pytest

from tests.unit.clearing import reading
from walras.clearing.book import Floats
from walras.clearing.dual import Dual, Market
from walras.clearing.generator import market, with_groups
from walras.clearing.orders import Orders
from walras.clearing.separate import Separate

SIZE = 12


def walk(seed: int) -> list[Floats]:
    """Relative steps of all sizes in turn, some far in one price only."""
    rng = np.random.default_rng(seed)
    steps = []
    for scale in (1e-4, 1e-6, 3e-6, 1e-4, 1e-5, 1e-8, 1e-6, 1e-4, 1e-3, 1e-6):
        step = scale * rng.standard_normal(SIZE)
        far = step.copy()
        far[rng.integers(SIZE)] += 30 * scale
        steps += [step, step, far]
    return steps


@pytest.mark.parametrize("flat", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_nobody_leaves_a_piece_unwatched(seed: int, flat: float) -> None:
    orders = Market(market(SIZE, 2_000, flat, seed=seed)).parts()[0]
    assert isinstance(orders, Orders)
    dual = Dual([orders], np.full(SIZE, 0.1))
    dual.refresh()
    seen = Counter[str]()
    for step in walk(seed):
        before = [rows for rows, _, _ in orders._watch._lists]
        dual.aim(step * orders.scale, 1.0)
        now = [rows for rows, _, _ in orders._watch._lists]
        level = reading.matrix(orders.legs, SIZE) @ (dual.q + step * orders.scale)
        assert set(reading.leaving(orders.piece, level)) <= set(orders._watch.rows.tolist())
        seen["nested"] += len(now) > len(before)
        seen["left"] += len(now) < len(before)
        dual.commit(1.0)
        fresh = Dual([Market(market(SIZE, 2_000, flat, seed=seed)).parts()[0]], dual.maker)
        fresh.q[:] = dual.q
        fresh.refresh()
        size = abs(fresh.fills()).max()
        np.testing.assert_allclose(dual.fills(), fresh.fills(), rtol=1e-9, atol=1e-12 * size)
    assert seen["nested"]
    assert seen["left"]


@pytest.mark.parametrize("flat", [0.0, 0.1])
def test_blocks_are_watched_likewise(flat: float) -> None:
    book = with_groups(market(SIZE, 2_000, flat, seed=4), 0.5)
    part = next(part for part in Market(book).parts() if isinstance(part, Separate))
    other = next(part for part in Market(book).parts() if isinstance(part, Separate))
    dual, fresh = (Dual([found], np.full(SIZE, 0.1)) for found in (part, other))
    for both in (dual, fresh):  # a flat order bound by a cost is one of many answers
        both.soften(1e-3, flat_only=True)
    dual.refresh()
    depths = set()
    for step in walk(4):
        dual.aim(step * part.members.scale, 1.0)
        dual.commit(1.0)
        depths.add(len(part._watch._lists))
        fresh.q[:] = dual.q
        fresh.refresh()
        size = abs(fresh.gradient).max()
        np.testing.assert_allclose(dual.gradient, fresh.gradient, rtol=1e-9, atol=1e-9 * size)
    assert len(depths) > 1
