"""The README states what was measured, and what was measured meets what was promised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts._numbers.readme import (
    GAS_AIMS,
    GAS_GOALS,
    ROOT,
    TIMES_GOALS,
    gas_rows,
    stated,
    table,
    times_rows,
    write_block,
)

GAS = json.loads((ROOT / "snapshots" / "gas.json").read_text())
TIMES = json.loads((ROOT / "snapshots" / "times.json").read_text())


def test_readme_states_the_snapshots() -> None:
    assert stated("gas") == table(gas_rows(GAS))
    assert stated("times") == table(times_rows(TIMES))


@pytest.mark.parametrize(("topic", "case"), GAS_GOALS)
def test_measured_gas_meets_its_goal(topic: str, case: str) -> None:
    assert GAS[topic][case] <= GAS_GOALS[topic, case]


def test_aims_are_stated_beside_what_must_hold() -> None:
    shown = stated("gas")
    for place, aim in GAS_AIMS.items():
        assert aim < GAS_GOALS[place]
        assert f"{GAS_GOALS[place]:,} (aim {aim:,})" in shown


@pytest.mark.parametrize("case", GAS["settle_marginal"])
def test_measured_gas_of_every_shape_is_declared(case: str) -> None:
    assert GAS["settle_marginal"][case] <= GAS["declared_bound"][case]


def test_measured_times_meet_their_goals() -> None:
    assert all(TIMES[case] <= most for case, most in TIMES_GOALS.items())
    assert TIMES["batch"]["voids"] == 0


def test_block_is_replaced_between_its_marks_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- gas -->\nold\n<!-- /gas -->\nafter <!-- times -->\n")
    write_block("gas", "new\nlines", readme)
    assert readme.read_text() == (
        "before\n<!-- gas -->\nnew\nlines\n<!-- /gas -->\nafter <!-- times -->\n"
    )
    assert stated("gas", readme) == "new\nlines"
