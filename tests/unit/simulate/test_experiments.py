"""The claims themselves, at sizes that take a second; docs/SIMULATION.md has a day's figures."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from tests.unit.simulate.paths import bars
from walras.numbers import X44
from walras.simulate.cast import agents_of
from walras.simulate.experiments import (
    arrival_order,
    continuity,
    marginal,
    race_in_batches,
    race_in_book,
    splitting,
    uniqueness,
)
from walras.simulate.experiments.speed import FAST, SLOW, News, news
from walras.simulate.market import Cleared, Market
from walras.simulate.prices import value_paths
from walras.simulate.run import play
from walras.simulate.scenario import Institutions, Makers, Noises, Scenario, Switchers

SMALL = Scenario(
    products=3,
    batches=12,
    index=0,
    makers=Makers(count=2, products=3),
    institutions=Institutions(count=4, notional=100_000.0),
    switchers=Switchers(count=1, budget=50_000.0),
    noise=Noises(count=8),
)


@pytest.fixture(scope="module")
def batch() -> Cleared:
    """One batch in the middle of a day, with makers, standing orders and noise."""
    kept: list[Cleared] = []
    world = value_paths(bars(), 3, 12, 60.0, np.random.default_rng(2))
    play(
        agents_of(SMALL, world.values[0], 2),
        world,
        interval=60.0,
        venue=partial(Market, watch=kept.append),
    )
    return kept[8]


def test_engines_and_starting_points_agree_on_every_fill(batch: Cleared) -> None:
    found = uniqueness(batch, engines=("walras", "osqp"), starts=2)
    assert len(found.answers) == 5
    traded = max(abs(f) for fills in batch.settlement.fills.values() for f in fills.values())
    assert traded > 1_000 * X44
    assert found.fill < 2**20, "of 2^44 ulps that are a lot"
    assert found.cash <= found.freedom


def test_a_smaller_change_of_a_limit_moves_prices_in_proportion(batch: Cleared) -> None:
    at_margin = marginal(batch)
    assert len(at_margin) > 4
    for account, auth in at_margin:
        found = continuity(batch, account, auth, changes=(4.0, 1.0, 0.01, 0.0001))
        assert found.moved[0] >= found.moved[1] >= found.moved[2] >= found.moved[3] > 0
        assert max(found.ratio) < 2.0, "no price moves much more than the limit"
        assert found.ratio[3] == pytest.approx(found.ratio[2], rel=0.01)


def test_two_halves_of_an_order_trade_like_the_whole() -> None:
    found = splitting(scenario=SMALL, seed=1, bars=bars())
    whole, halves = found.units
    assert whole > 100
    assert halves == pytest.approx(whole, rel=1e-9)
    assert found.average[1] == pytest.approx(found.average[0], rel=1e-12)
    assert found.fill < 1e-9


def test_more_parts_gain_nothing_either() -> None:
    found = splitting(parts=5, scenario=SMALL, seed=1, bars=bars())
    assert found.average[1] == pytest.approx(found.average[0], rel=1e-12)


def test_who_comes_first_within_a_batch_changes_nothing() -> None:
    runs = arrival_order(scenario=SMALL, seed=4, bars=bars())
    assert len(runs) == 3
    for run in runs[1:]:
        assert np.array_equal(run.prices, runs[0].prices)
        assert run.profits == runs[0].profits


def test_in_a_book_the_faster_sniper_takes_every_stale_quote() -> None:
    race = race_in_book(news(600.0, seed=1))
    assert race.jumps == race.races > 50
    assert race.profit[FAST] > 1_000
    assert race.profit[SLOW] == 0.0


def test_in_batches_sniping_is_worth_little_and_less_the_longer_they_are() -> None:
    events = news(600.0, seed=1)
    book = race_in_book(events)
    tenth, second = (race_in_batches(events, interval) for interval in (0.1, 1.0))
    assert tenth.jumps == book.jumps
    assert 0 < tenth.total < 0.2 * book.total
    assert second.total < 0.03 * book.total
    assert second.total < 0.2 * tenth.total


def test_two_snipers_in_one_batch_get_the_same_and_compete_their_gain_away() -> None:
    # a jump of 20 basis points 7 ms before the lock-out: both snipers see it, the maker does not
    events = News(10.0, np.array([0.993]), np.array([100.0, 100.2]))
    race = race_in_batches(events, 1.0)
    assert (race.jumps, race.races) == (1, 1)
    assert race.profit[FAST] == race.profit[SLOW]
    assert 0 < race.total < 0.15 * race_in_book(events).total


def test_a_jump_that_only_the_faster_one_sees_in_time_is_a_gain() -> None:
    events = News(10.0, np.array([0.997]), np.array([100.0, 100.2]))
    race = race_in_batches(events, 1.0)
    assert race.profit[FAST] > 0.5 * race_in_book(events).total
    assert race.profit[SLOW] == 0.0


def test_quotes_sealed_early_can_be_sniped_until_lock_out() -> None:
    events = News(10.0, np.array([0.5]), np.array([100.0, 100.2]))
    assert race_in_batches(events, 1.0).races == 0
    assert race_in_batches(events, 1.0, commit=0.6).races == 1
