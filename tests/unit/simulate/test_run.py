from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from tests.unit.simulate.paths import bars, flat
from walras.auths import Limits, Submission
from walras.batch import AccountState
from walras.numbers import MAX_UNITS
from walras.simulate import PRESETS, Run, Scenario, play, simulate
from walras.simulate.agents import Endowment, Institution, Maker, Quoting, Seal, View, dice_of
from walras.simulate.cast import agents_of, index_legs, with_index
from walras.simulate.desk import Side
from walras.simulate.market import Cleared, Market
from walras.simulate.prices import read_bars, value_paths
from walras.simulate.scenario import Institutions, Makers, Noises, Switchers
from walras.submission import required_units

SMALL = Scenario(
    products=4,
    batches=15,
    index=2,
    makers=Makers(count=3, products=3),
    institutions=Institutions(count=4, notional=100_000.0),
    switchers=Switchers(count=1, budget=50_000.0),
    noise=Noises(count=10),
)


@pytest.fixture(scope="module")
def small() -> Run:
    return simulate(SMALL, seed=3, bars=bars())


def test_a_run_conserves_every_ulp_of_lots_and_cash(small: Run) -> None:
    assert small.conserved
    assert small.before is not None
    assert small.before.lots.keys() == {0, 1, 2, 3}
    assert small.volumes.sum() > 0
    assert not small.voids


def test_a_run_is_a_function_of_its_seed(small: Run) -> None:
    same, other = (simulate(SMALL, seed=seed, bars=bars()) for seed in (3, 4))
    assert np.array_equal(same.prices, small.prices)
    assert np.array_equal(same.volumes, small.volumes)
    assert same.after == small.after
    assert not np.array_equal(other.prices, small.prices)


def test_prices_follow_values(small: Run) -> None:
    assert np.abs(np.log(small.prices / small.values)).max() < 0.01
    assert small.symbols == ("A", "B", "C", "INDEX")


def test_what_is_gained_is_positive_and_much_more_than_what_rounding_lost(small: Run) -> None:
    assert (small.surplus >= 0).all()
    assert 0 < small.loss.sum() < 1e-9 * small.surplus.sum()
    assert (small.freedom < 1.0).all()


def test_what_one_wins_another_loses(small: Run) -> None:
    assert small.profits.keys() == small.kinds.keys()
    # The house takes thousandths of a lot.
    assert abs(sum(small.profits.values())) < 0.01


def test_everything_that_agents_send_could_be_sealed() -> None:
    seen: list[Submission] = []

    def watch(cleared: Cleared) -> None:
        seen.extend(one.submission for one in cleared.opened if one.submission is not None)

    for preset in ("thin", "day"):
        scenario = PRESETS[preset].resized(batches=4)
        stocks = value_paths(read_bars(), scenario.stocks, 4, 60.0, np.random.default_rng(0))
        world = with_index(stocks, index_legs(scenario, stocks.values[0]))
        play(
            agents_of(scenario, world.values[0], 0),
            world,
            interval=60.0,
            venue=partial(Market, watch=watch),
        )
    assert len(seen) > 100
    assert any(submission.costs for submission in seen)
    assert any(submission.limited for submission in seen)
    assert all(required_units(one, home=None) <= MAX_UNITS for one in seen)


def test_an_institution_is_followed_from_arrival_to_its_last_unit() -> None:
    maker = Maker("maker", (0,), Quoting(size=1e6, error=0.0), dice_of(0, "maker"))
    order = Institution("order", {0: 1}, 1, 1_000, 100, 3, 0.01)
    run = play([maker, order], flat(20, (100.0,)), interval=60.0)
    (execution,) = run.executions
    assert (execution.name, execution.kind, execution.quantity) == ("order", "institution", 1_000)
    assert execution.arrival == 3
    assert execution.arrival_price == pytest.approx(1.0, rel=1e-3)
    assert execution.complete
    assert sum(execution.units) == pytest.approx(1_000, rel=1e-12)
    assert len(execution.units) == len(execution.prices) < 15
    assert run.profits["order"] == pytest.approx(-run.profits["maker"], abs=1e-6)


class Amender:
    """Sells, and thinks again."""

    name = "amender"
    kind = "tester"

    def endowment(self, view: View) -> Endowment:
        return Endowment(0.0, {0: 100.0})

    def act(self, view: View, account: AccountState) -> Seal | None:
        if view.batch not in {2, 4}:
            return None
        price = view.desk.worth({0: 1}, view.prices) * 0.99
        auth = view.desk.auth(
            {0: 1}, sell=Side(price, ((10 * view.batch, 0.001),)), limits=Limits(10_000, 0)
        )
        return Seal(Submission((auth,), standing=True))


def test_an_amended_order_is_followed_as_a_new_one_from_the_next_batch() -> None:
    maker = Maker("maker", (0,), Quoting(size=1e6, error=0.0), dice_of(0, "maker"))
    run = play([maker, Amender()], flat(8, (100.0,)), interval=60.0)
    first, second = run.executions
    assert (first.arrival, first.units, first.complete) == (2, [-20.0] * 3, False)
    assert (second.arrival, second.units) == (5, [-40.0] * 4)
    assert first.quantity == second.quantity == -10_000
