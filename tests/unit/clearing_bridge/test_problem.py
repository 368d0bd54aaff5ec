"""From opened submissions to prices the certificate accepts, by every engine."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.adversarial.books import SHAPES, market
from walras.certificate import settle
from walras.clearing import engines, problem
from walras.clearing.problem import Solved, solve_batch
from walras.errors import ClearingError


def test_engines_agree_on_prices() -> None:
    state, opened = market(SHAPES["mixed"](random.Random("mixed9")))
    found = [solve_batch(state, opened, engine=engine).prices for engine in engines()]
    for prices in found:
        assert settle(state, opened, prices).prices == prices
        for product, price in prices.items():
            scale = state.products[product].scale << 60
            assert abs(price - found[0][product]) <= scale * 1e-9


def test_warm_start_changes_nothing_but_time() -> None:
    state, opened = market(SHAPES["mixed"](random.Random("mixed9")))
    cold = solve_batch(state, opened).prices
    near = Solved({k: p + (p >> 10) for k, p in cold.items()}, {})
    warm = solve_batch(state, opened, warm=near).prices
    for product, price in cold.items():
        assert abs(price - warm[product]) <= state.products[product].scale << 30


def test_nobody_trades_at_the_references() -> None:
    state, opened = market(SHAPES["untouched"](random.Random(3)))
    silent = tuple(one for one in opened if one.submission is None)
    lone = replace(state, accounts=tuple(one.account for one in silent))
    prices, shadows = solve_batch(lone, silent)
    assert shadows == {}
    assert prices == {k: state.products[k].reference << 44 for k in silent[0].products}


def test_an_engine_that_loses_its_way_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    state, opened = market(SHAPES["mixed"](random.Random("mixed9")))
    expected = solve_batch(state, opened).prices

    def lost(fill: float) -> Callable[[str], object]:
        def engine(book: object, **_: object) -> SimpleNamespace:
            return SimpleNamespace(prices=np.full(len(expected), fill), group_prices=np.zeros(0))

        return lambda _: engine

    for wrong in (np.nan, np.inf, -1e30, 1e12):
        monkeypatch.setattr(problem, "engine_named", lost(wrong))
        for product, price in solve_batch(state, opened).prices.items():
            assert abs(price - expected[product]) <= state.products[product].scale << 36


def test_refusal_of_the_certificate_is_told() -> None:
    state, opened = market(SHAPES["one_side_only"](random.Random(1)))
    with pytest.raises(ClearingError, match=r"certificate refuses.*HouseShort"):
        solve_batch(replace(state, house_cash=-(1 << 90)), opened)


def test_unknown_engine() -> None:
    state, opened = market(SHAPES["mixed"](random.Random(1)))
    with pytest.raises(ClearingError, match="no engine is called 'guess'"):
        solve_batch(state, opened, engine="guess")
