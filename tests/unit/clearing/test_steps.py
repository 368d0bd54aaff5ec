"""The loops over steps against their plain readings."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.clearing import reading
from tests.unit.clearing.books import Draft
from walras.clearing import steps
from walras.clearing.book import Floats
from walras.clearing.dual import Market
from walras.clearing.generator import market as generated
from walras.clearing.orders import Curves


@pytest.fixture(params=[0, 1, 2])
def market(request: pytest.FixtureRequest) -> Market:
    return Market(generated(7, 90, 0.6, seed=request.param))


@pytest.fixture
def q(market: Market) -> Floats:
    noise = np.random.default_rng(1).standard_normal(market.book.products)
    return np.asarray(0.01 * noise * market.scale)


def curves(market: Market) -> Curves:
    return (market.book.curve_ptr, market.book.curve_rate, market.price)


def above(market: Market, q: Floats) -> Floats:
    """Of every wide step (order, breakpoint), how far it lies above the level of its order."""
    owner, step = reading.wide_steps(curves(market))
    levels = reading.matrix(market.legs, len(q)) @ q
    return np.asarray((market.price[step] - levels[owner]) / market.gross[owner])


def test_distances_are_those_of_a_sample(market: Market, q: Floats) -> None:
    owner, _ = reading.wide_steps(curves(market))
    room = np.empty(len(market.price))
    count = steps.distances(*market.legs, *curves(market), market.gross, q, 3, room)
    expected = np.abs(above(market, q))[owner % 3 == 0]
    assert room[:count] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("radius", [0.0, 0.004, np.inf])
def test_near_steps_are_listed_and_those_above_filled(
    market: Market, q: Floats, radius: float
) -> None:
    book, size = market.book, len(market.price)
    owner, step = reading.wide_steps(curves(market))
    away = above(market, q)
    state, lies, fill = np.full(size, -1, np.int8), np.empty(size), np.empty(book.orders)
    bought, owners, found = np.zeros(len(q)), np.empty(size, np.int64), np.empty(size, np.int64)
    count = steps.near(
        *market.legs,
        *curves(market),
        market.gross,
        q,
        radius,
        state,
        lies,
        fill,
        bought,
        owners,
        found,
    )
    listed = np.abs(away) <= radius
    assert list(found[:count]) == list(step[listed])
    assert list(owners[:count]) == list(owner[listed])
    kinds = np.where(away > 0, steps.FULL, steps.EMPTY)
    assert list(state[step]) == list(np.where(listed, steps.LISTED, kinds))
    assert lies[step] == pytest.approx(away, rel=1e-12)
    width = book.curve_rate[step + 1] - book.curve_rate[step]
    filled = book.curve_rate[book.curve_ptr[:-1]].copy()
    np.add.at(filled, owner[away > 0], width[away > 0])
    assert fill == pytest.approx(filled, rel=1e-12)
    assert bought == pytest.approx(reading.matrix(market.legs, len(q)).T @ filled, rel=1e-9)


def test_strays_are_the_steps_on_the_wrong_side(market: Market, q: Floats) -> None:
    owner, step = reading.wide_steps(curves(market))
    move, slack = 0.5 * q[::-1].copy(), 1e-3
    before, after = above(market, q), above(market, q + move)
    state = np.full(len(market.price), steps.LISTED, np.int8)
    state[step] = np.where(before > 0, steps.FULL, steps.EMPTY)
    state[step[::5]] = steps.LISTED
    lies = np.zeros(len(market.price))
    lies[step] = before
    wrong = np.where(before > 0, after < -slack, after > slack)
    wrong[::5] = False
    owners, found = (np.empty(len(market.price), np.int64) for _ in range(2))
    ptr, gross = market.book.curve_ptr, market.gross
    count = steps.strays(*market.legs, ptr, gross, move, slack, state, lies, owners, found)
    assert count > 0
    assert list(found[:count]) == list(step[wrong])
    assert list(owners[:count]) == list(owner[wrong])
    assert (state[step[wrong]] == steps.LISTED).all()


def test_level_books_have_a_step_and_no_slope() -> None:
    def told(*breakpoints: tuple[float, float]) -> bool:
        draft = Draft([10.0])
        draft.order({0: 1.0}, *breakpoints)
        book = draft.book()
        return bool(steps.level_only(book.curve_ptr, book.curve_rate, book.curve_price))

    assert told((0.0, 10.0), (5.0, 10.0))
    assert told((0.0, 11.0), (5.0, 11.0), (5.0, 10.0), (7.0, 10.0))
    assert not told((0.0, 11.0), (5.0, 10.0))
    assert not told((0.0, 11.0), (5.0, 11.0), (7.0, 10.0))
    assert not told((0.0, 11.0), (0.0, 10.0))


def test_stretch_of_equal_prices_is_one_step() -> None:
    draft = Draft([10.0])
    draft.order({0: 1.0}, (-2.0, 12.0), (0.0, 12.0), (0.0, 10.0), (3.0, 10.0), (4.0, 10.0))
    draft.order({0: 1.0}, (0.0, 10.0), (4.0, 10.0), (4.0, 9.0), (9.0, 9.0))
    draft.order({0: 1.0}, (0.0, 10.0), (4.0, 9.0))
    book = draft.book()
    survey = Market(book)
    order, first, last = (np.empty(3, np.int64) for _ in range(3))
    fill = np.array([3.5, 1.0, 1.0])
    zero, gross, flat = np.zeros(1), survey.gross, survey.flat
    count = steps.tied(
        *survey.legs, *curves(survey), gross, flat, zero, fill, 1e-9, order, first, last
    )
    assert count == 2
    assert [order[0], first[0], last[0]] == [0, 2, 4]
    assert [order[1], first[1], last[1]] == [1, 5, 6]
