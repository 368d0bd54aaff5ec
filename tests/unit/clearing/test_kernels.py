"""Every kernel against its NumPy reading."""

import numpy as np
import pytest

from tests.unit.clearing import reading
from tests.unit.clearing.books import random_draft
from walras.clearing import kernels, sums
from walras.clearing.book import Floats
from walras.clearing.dual import Dual, Market
from walras.clearing.orders import Orders


@pytest.fixture(params=range(6))
def orders(request: pytest.FixtureRequest) -> Orders:
    market = Market(random_draft(request.param, 4, 60, flat=0.2 * (request.param % 3)).book())
    part = market.parts()[0]
    assert isinstance(part, Orders)
    part.soften(0.01, flat_only=bool(request.param % 2))
    return part


def at(orders: Orders, seed: int) -> Floats:
    return orders.scale * 0.01 * np.random.default_rng(seed).standard_normal(len(orders.scale))


def expected(orders: Orders, q: Floats) -> tuple[Floats, Floats, Floats]:
    weights = reading.matrix(orders.legs, len(q))
    fill, slope = reading.demands(orders.curves, orders.soft, orders.centre, weights @ q)
    return fill, -weights.T @ fill, weights.T @ (slope[:, None] * weights)


def test_refresh_gives_fills_gradient_and_curvature(orders: Orders) -> None:
    q, size = at(orders, 1), len(orders.scale)
    gradient, hessian = np.zeros(size), np.zeros((size, size))
    orders.refresh(q, gradient, hessian)
    fill, slope, bend = expected(orders, q)
    np.testing.assert_allclose(orders.fills(), fill, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(reading.lower(hessian), bend, rtol=1e-9, atol=1e-9 * abs(bend).max())


def test_steps_keep_gradient_and_curvature_as_if_computed_anew(orders: Orders) -> None:
    dual = Dual([orders], np.full(len(orders.scale), 0.1))
    dual.refresh()
    largest = abs(dual.hessian).max()
    for seed, length in ((1, 1.0), (2, 0.3), (3, 1e-3), (4, 1e-5), (5, 1e-3), (6, 2.0)):
        dual.aim(at(orders, seed) * (1.0 if seed < 3 else length), length)
        dual.commit(length)
        fill, slope, bend = expected(orders, dual.q)
        np.testing.assert_allclose(dual.fills(), fill, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(
            dual.gradient - 0.1 * dual.q, slope, rtol=1e-7, atol=1e-7 * abs(fill).max()
        )
        np.testing.assert_allclose(
            reading.lower(dual.hessian), bend, rtol=1e-7, atol=1e-10 * largest
        )


def test_derivative_along_a_line_is_that_of_the_gradient(orders: Orders) -> None:
    dual = Dual([orders], np.full(len(orders.scale), 0.1))
    dual.refresh()
    direction = at(orders, 7)
    dual.aim(direction, 0.5)
    for step in (0.5, 0.1, 0.4999, 1.0, 3.0):
        _, slope, bend = expected(orders, step * direction)
        first, second = dual.along(step)
        assert first == pytest.approx(
            float((slope + 0.1 * step * direction) @ direction), rel=1e-8, abs=1e-6
        )
        assert second == pytest.approx(float(direction @ (bend @ direction + 0.1 * direction)))


def test_leavers_are_those_off_their_piece(orders: Orders) -> None:
    size = len(orders.scale)
    orders.refresh(np.zeros(size), np.zeros(size), np.zeros((size, size)))
    direction = at(orders, 8)
    move, listed = np.zeros(len(orders.level)), np.zeros(len(orders.level) + 1, np.int64)
    everyone = np.arange(len(orders.level))
    stand = (orders.level, orders.piece)
    count = kernels.leavers(*orders.legs, direction, 0.7, *stand, everyone, move, listed)
    level = reading.matrix(orders.legs, size) @ (0.7 * direction)
    np.testing.assert_array_equal(listed[:count], reading.leaving(orders.piece, level))


def test_unwatched_orders_cannot_leave_within_the_radius(orders: Orders) -> None:
    size = len(orders.scale)
    orders.refresh(np.zeros(size), np.zeros(size), np.zeros((size, size)))
    orders.recentre()
    orders.refresh(np.zeros(size), np.zeros(size), np.zeros((size, size)))
    radius = 1e-3 * orders.scale
    watched = np.zeros(len(orders.level) + 1, np.int64)
    soft, stand = (orders.soft, orders.centre), (orders.level, orders.piece)
    lists = (np.arange(len(orders.level)), watched)
    count = kernels.watch(
        *orders.legs, *orders.curves, *soft, np.zeros(size), radius, *stand, *lists
    )
    assert 0 < count < len(orders.level)
    rng = np.random.default_rng(0)
    for _ in range(50):
        q = radius * rng.uniform(-1, 1, size)
        level = reading.matrix(orders.legs, size) @ q
        assert set(reading.leaving(orders.piece, level)) <= set(watched[:count])


def test_settling_follows_new_centres_as_a_refresh_would() -> None:
    orders = Market(random_draft(3, 4, 80, flat=0.5).book()).parts()[0]
    assert isinstance(orders, Orders)
    dual = Dual([orders], np.full(4, 0.1))
    dual.soften(1e-2, flat_only=True)
    dual.refresh()
    for seed in range(5):
        dual.aim(at(orders, seed) * 0.1**seed, 1.0)
        dual.commit(1.0)
        dual.recentre()
        dual.settle()
        gradient, hessian = dual.gradient, dual.hessian.copy()
        fresh = Dual([orders], dual.maker)
        fresh.q[:] = dual.q
        fresh.refresh()
        np.testing.assert_allclose(gradient, fresh.gradient, rtol=1e-7, atol=1e-6)
        np.testing.assert_allclose(
            hessian, fresh.hessian, rtol=1e-7, atol=1e-9 * abs(hessian).max()
        )


def test_foreseeing_takes_pieces_as_if_they_had_no_ends() -> None:
    orders = Market(random_draft(3, 4, 80, flat=1.0).book()).parts()[0]
    assert isinstance(orders, Orders)
    dual = Dual([orders], np.zeros(4))
    dual.soften(1e-2, flat_only=True)
    dual.q[:] = 0.1 * at(orders, 2)
    dual.refresh()
    bent, level = orders.piece[:, 3] > 0, orders.level.copy()
    assert 5 < bent.sum() < 75
    for eta in (1e-2, 2e-3):
        dual.recentre()
        dual.soften(eta, flat_only=True)
        before = dual.hessian.copy()
        dual.foresee()
        limit = orders.curves[2][orders.curves[0][:-1]]
        fill = orders.centre + np.where(bent, (limit - level) / orders.soft, 0.0)
        weights = reading.matrix(orders.legs, 4)
        np.testing.assert_allclose(dual.gradient, -weights.T @ fill, rtol=1e-9)
        slope = np.where(bent, 1.0 / orders.soft, 0.0)
        np.testing.assert_allclose(
            reading.lower(dual.hessian), weights.T @ (slope[:, None] * weights), rtol=1e-9
        )
        assert np.array_equal(before, dual.hessian) == (eta == 1e-2)
        dual.settle()
        fresh = Dual([orders], dual.maker)
        fresh.q[:] = dual.q
        stale = dual.gradient
        fresh.refresh()
        np.testing.assert_allclose(stale, fresh.gradient, rtol=1e-7, atol=1e-6)
        dual.refresh()
        bent = orders.piece[:, 3] > 0


def test_the_curvature_alone_is_that_of_a_refresh(orders: Orders) -> None:
    size = len(orders.scale)
    gradient, hessian, again = np.zeros(size), np.zeros((size, size)), np.zeros((size, size))
    orders.refresh(at(orders, 3), gradient, hessian)
    orders.curve(again)
    np.testing.assert_allclose(again, hessian, rtol=1e-12)


def test_centres_move_to_the_fills_and_tell_what_they_were_worth(orders: Orders) -> None:
    size, before = len(orders.scale), orders.centre.copy()
    q = at(orders, 3)
    orders.refresh(q, np.zeros(size), np.zeros((size, size)))
    fill, _, _ = expected(orders, q)
    moved = np.abs(fill - before)
    gross = orders.span * (orders.high - orders.low)
    cash, shift = orders.recentre()
    np.testing.assert_allclose(orders.centre[orders.soft > 0], fill[orders.soft > 0], rtol=1e-9)
    assert cash == pytest.approx(float(orders.soft @ moved**2), rel=1e-9)
    assert shift == pytest.approx(float((orders.soft * moved / gross).max()), rel=1e-9)


def test_gather_scatter_and_rows() -> None:
    orders = Market(random_draft(9, 5, 40).book()).parts()[0]
    assert isinstance(orders, Orders)
    weights, q = reading.matrix(orders.legs, 5), np.arange(5.0)
    np.testing.assert_allclose(sums.gather(*orders.legs, q, np.empty(40)), weights @ q)
    fill = np.arange(40.0)
    np.testing.assert_allclose(sums.scatter(*orders.legs, fill, np.zeros(5)), weights.T @ fill)
    chosen = np.array([3, 4, 17, 39])
    start, user = sums.users(orders.legs[0], orders.legs[1], 5)
    for k in range(5):
        np.testing.assert_array_equal(user[start[k] : start[k + 1]], np.flatnonzero(weights[:, k]))
    known = np.zeros(40, bool)
    known[chosen] = True
    others = sums.strangers(start, user, np.array([1, 3]), known)
    either = np.flatnonzero((weights[:, 1] != 0) | (weights[:, 3] != 0))
    assert sorted(others) == sorted(set(either) - set(chosen))
    part = orders.subset(chosen)
    np.testing.assert_array_equal(reading.matrix(part.legs, 5), weights[chosen])
    np.testing.assert_array_equal(part.low, orders.low[chosen])


def test_system_scales_to_a_unit_diagonal() -> None:
    root = np.random.default_rng(0).standard_normal((6, 6))
    whole, damping = root @ root.T, np.arange(6.0)
    unit, scaled = np.empty(6), np.zeros((6, 6))
    sums.system(np.tril(whole), damping, unit, scaled)
    damped = whole + np.diag(damping)
    np.testing.assert_allclose(
        reading.lower(scaled), damped / np.sqrt(np.outer(np.diag(damped), np.diag(damped)))
    )
