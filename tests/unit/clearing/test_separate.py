"""Costs that share no order: shadow prices, gradient and curvature against their plain reading."""

import numpy as np
import pytest

from tests.unit.clearing import reading
from tests.unit.clearing.books import Draft, random_draft
from walras.clearing import Book, clear
from walras.clearing.book import Floats
from walras.clearing.costs import Costs
from walras.clearing.dual import Dual, Market
from walras.clearing.groups import Groups
from walras.clearing.orders import Curves
from walras.clearing.separate import Separate


def book(seed: int, *, flat: bool) -> Book:
    """Twelve costs of one to five orders each; joint limits, or curves that bend."""
    rng = np.random.default_rng(seed)
    draft = random_draft(seed, 4, 40, flat=0.3 if seed % 2 else 0.0)
    order = iter(rng.permutation(40).tolist())
    for _ in range(12):
        members = {
            next(order): float(rng.choice([-2, -1, 1, 3])) for _ in range(rng.integers(1, 5))
        }
        size = 10 ** rng.uniform(0, 3)
        if flat:
            draft.group(members, (-size, 0.0), (size, 0.0))
        else:
            middle = float(rng.uniform(-1, 1))
            draft.group(members, (-size, middle + 2), (0.0, middle), (size, middle - 1))
    return draft.book()


@pytest.fixture(params=[(seed, flat) for seed in range(4) for flat in (False, True)])
def part(request: pytest.FixtureRequest) -> tuple[Separate, Curves]:
    seed, flat = request.param
    made = book(seed, flat=flat)
    found = next(part for part in Market(made).parts() if isinstance(part, Separate))
    found.soften(0.01, flat_only=False)
    own = (made.group_curve_ptr, made.group_curve_rate, made.group_curve_price)
    return found, own


def one(curves: Curves, b: int) -> Curves:
    ptr, rate, price = curves
    at = slice(ptr[b], ptr[b + 1])
    return np.array([0, ptr[b + 1] - ptr[b]]), rate[at], price[at]


def expected(part: Separate, own: Curves, q: Floats) -> Floats:
    """(n,) fills at q, cost by cost."""
    members, fills = part.members, np.zeros(len(part.index))
    level = reading.matrix(members.legs, len(q)) @ q
    for b in range(len(part.groups)):
        rows = np.flatnonzero(part._owner == b)
        mine = members.subset(rows)
        _, fills[rows] = reading.shadow_price(
            part._share[rows],
            mine.curves,
            members.soft[rows],
            members.centre[rows],
            level[rows],
            one(own, b),
        )
    return fills


def direction(part: Separate, seed: int) -> Floats:
    scale = part.members.scale
    return 0.01 * scale * np.random.default_rng(seed).standard_normal(len(scale))


def test_shadow_prices_and_fills(part: tuple[Separate, Curves]) -> None:
    separate, own = part
    dual = Dual([separate], np.full(4, 0.1))
    dual.q[:] = direction(separate, 1)
    dual.refresh()
    wanted = expected(separate, own, dual.q)
    size = np.maximum(1.0, np.abs(wanted))
    assert np.max(np.abs(separate.fills() - wanted) / size) <= 1e-7
    weights = reading.matrix(separate.members.legs, 4)
    np.testing.assert_allclose(
        dual.gradient - 0.1 * dual.q, -weights.T @ wanted, rtol=1e-6, atol=1e-6
    )


def test_curvature_is_the_derivative_of_the_gradient(part: tuple[Separate, Curves]) -> None:
    separate, _ = part
    dual = Dual([separate], np.zeros(4))
    q = direction(separate, 2)
    for k in range(4):
        step = np.zeros(4)
        step[k] = 1e-7 * separate.members.scale[k]
        ends = []
        for sign in (-1, 1):
            dual.q[:] = q + sign * step
            dual.refresh()
            ends.append(dual.gradient.copy())
        dual.q[:] = q
        dual.refresh()
        bend = reading.lower(dual.hessian)
        slope = (ends[1] - ends[0]) / (2 * step[k])
        np.testing.assert_allclose(slope, bend[k], atol=1e-4 * np.abs(bend).max())


def test_steps_lead_where_a_fresh_start_would(part: tuple[Separate, Curves]) -> None:
    separate, _ = part
    dual = Dual([separate], np.full(4, 0.1))
    dual.refresh()
    largest = np.abs(dual.hessian).max()
    for seed, length in ((1, 1.0), (2, 0.3), (3, 1e-3), (4, 1e-5), (5, 1e-6), (6, 2.0)):
        dual.aim(direction(separate, seed), length)
        dual.commit(length)
        if seed == 4:
            dual.recentre()
            dual.refresh()
    gradient, fills, bend = dual.gradient.copy(), separate.fills(), dual.hessian.copy()
    dual.bend_anew()
    np.testing.assert_allclose(dual.hessian, bend, atol=1e-10 * largest)
    dual.refresh()
    np.testing.assert_allclose(gradient, dual.gradient, rtol=1e-7, atol=1e-7 * abs(fills).max())
    np.testing.assert_allclose(fills, separate.fills(), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(bend, dual.hessian, atol=1e-9 * largest)


def test_derivative_along_a_line_is_that_of_the_gradient(part: tuple[Separate, Curves]) -> None:
    separate, _ = part
    dual = Dual([separate], np.full(4, 0.1))
    dual.refresh()
    course = direction(separate, 7)
    dual.aim(course, 0.5)
    fresh = Dual([separate], dual.maker)
    found = [dual.along(step) for step in (0.5, 0.1, 0.4999)]
    for step, (first, second) in zip((0.5, 0.1, 0.4999), found, strict=True):
        fresh.q[:] = step * course
        fresh.refresh()
        assert first == pytest.approx(float(fresh.gradient @ course), rel=1e-7, abs=1e-6)
        bend = reading.lower(fresh.hessian) + 0.1 * np.eye(4)
        assert second == pytest.approx(float(course @ bend @ course), rel=1e-7)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("seed", [0, 2, 4, 6])
def test_blocks_that_nobody_watches_follow(seed: int, flat: bool) -> None:
    found = next(p for p in Market(book(seed, flat=flat)).parts() if isinstance(p, Separate))
    dual = Dual([found], np.full(4, 0.1))
    dual.q[:] = direction(found, 8)
    dual.refresh()
    before = found.fills()
    for turn in range(3):
        dual.aim(direction(found, turn), 1e-4)
        dual.commit(1e-4)
    assert found._watch.partial
    fills, prices = found.fills(), found.price.copy()
    dual.refresh()
    moved = np.abs(found.fills() - before).max()
    np.testing.assert_allclose(fills, found.fills(), atol=1e-6 * moved)
    np.testing.assert_allclose(prices, found.price, rtol=1e-9, atol=1e-12)


def test_costs_are_told_apart() -> None:
    draft = random_draft(5, 3, 6)
    draft.group({0: 1.0, 1: 1.0}, (-1.0, 0.0), (1.0, 0.0))
    draft.group({2: 1.0, 3: 1.0}, (-1.0, 0.0), (1.0, 0.0))
    draft.group({3: 1.0, 4: 1.0}, (-1.0, 0.0), (1.0, 0.0))
    draft.group({}, (-1.0, 2.0), (1.0, -2.0))
    made = draft.book()
    alone, crowded = Costs.of(made).separate()
    assert (alone.tolist(), crowded.tolist()) == ([0, 3], [1, 2])
    kinds = [type(part) for part in Market(made).parts()]
    assert kinds[1:] == [Separate, Groups]
    clearing = clear(made)
    assert clearing.certified
    assert clearing.group_prices[3] == 0.0


def test_a_joint_limit_binds_or_changes_nothing() -> None:
    def with_limit(limit: float) -> Draft:
        draft = Draft([10.0, 10.0])
        for k in (0, 1):
            draft.order({k: 1.0}, (0.0, 12.0), (10.0, 10.0))
            draft.order({k: 1.0}, (-10.0, 11.0), (0.0, 9.0))
        draft.group({0: 1.0, 2: 1.0}, (0.0, 0.0), (limit, 0.0))
        return draft

    free, loose, tight = (clear(with_limit(limit).book()) for limit in (1e6, 20.0, 6.0))
    np.testing.assert_allclose(loose.prices, free.prices, rtol=1e-12)
    assert loose.group_prices.tolist() == [0.0]
    assert tight.certified
    assert tight.fills[0] + tight.fills[2] == pytest.approx(6.0, rel=1e-12)
    assert tight.group_prices[0] < 0.0
