from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.simulate.paths import flat
from walras.errors import ConfigError
from walras.simulate.agents import Arbitrageur, address_of
from walras.simulate.cast import agents_of, index_legs, with_index
from walras.simulate.scenario import PRESETS, Scenario, read_scenario


def test_the_presets_are_there_and_the_day_has_two_hundred_agents() -> None:
    prices = np.linspace(20.0, 300.0, 20)
    day = agents_of(PRESETS["day"], prices, 0)
    assert len(day) == 200
    assert len({address_of(agent.name) for agent in day}) == 200
    assert {"maker", "pair maker", "arbitrageur", "institution", "switcher", "noise"} == {
        agent.kind for agent in day
    }
    assert read_scenario("thin") is PRESETS["thin"]


def test_a_file_changes_a_preset(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('preset = "thin"\nbatches = 7\n[makers]\nsize = 5\n', "utf-8")
    found = read_scenario(str(file))
    assert (found.batches, found.makers.size, found.products) == (7, 5.0, 5)
    assert isinstance(found.makers.size, float)
    assert found.noise == PRESETS["thin"].noise


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batchs = 7", "batchs is no setting; here are arbitrage, batches"),
        ("[makers]\nsized = 5", "makers.sized is no setting"),
        ("makers = 3", r"write \[makers\]"),
        ("batches = 1.5", "batches = 1.5: a number"),
        ("interval = -1", "interval = -1"),
        ("interval = true", "interval = True"),
        ("batches = 0", "at least one batch"),
        ("products = 4\nindex = 4", "needs as many stocks"),
        ("products = 0", "take 1 to 1,000 stocks"),
        ('preset = "none"', "no preset 'none'"),
        ("batches =", "not TOML"),
    ],
)
def test_a_file_that_means_nothing_says_so(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=message):
        read_scenario(str(file))


def test_neither_a_preset_nor_a_file() -> None:
    with pytest.raises(ConfigError, match="nowhere is neither"):
        read_scenario("nowhere")


def test_other_sizes_leave_out_an_index_that_does_not_fit() -> None:
    assert PRESETS["day"].resized(products=5).index == 0
    assert PRESETS["day"].resized(products=12).index == 10
    assert PRESETS["day"].resized(batches=9, interval=1.0) == Scenario(batches=9, interval=1.0)


def test_the_index_is_worth_its_constituents() -> None:
    scenario = Scenario(products=4, index=3)
    world = flat(2)
    legs = index_legs(scenario, world.values[0])
    whole = with_index(world, legs)
    assert whole.symbols == ("A", "B", "C", "INDEX")
    worth = sum(weight * whole.values[1, k] for k, weight in legs.items())
    assert worth == pytest.approx(0.0, abs=1e-9)
    assert whole.values[0, 3] == pytest.approx(100.0, rel=1e-3)
    assert index_legs(Scenario(products=3, index=0), world.values[0]) == {}
    assert with_index(world, {}) is world


def test_every_product_has_as_many_makers() -> None:
    makers = [a for a in agents_of(PRESETS["day"], np.full(20, 50.0), 0) if a.kind == "maker"]
    covered = [k for maker in makers for k in maker.products]  # type: ignore[attr-defined]
    counts = np.bincount(covered, minlength=20)
    assert counts.min() >= 4
    assert counts.max() <= 6


def test_arbitrageurs_trade_the_index_only() -> None:
    found = agents_of(PRESETS["thin"], np.full(5, 50.0), 0)
    assert not any(isinstance(agent, Arbitrageur) for agent in found)
