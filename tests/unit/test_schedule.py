from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.vectors.cases.codec import load
from walras.errors import ConfigError
from walras.schedule import Phase, Schedule

CLOCKS = load("schedule")["clocks"]


def schedule_of(clock: dict[str, Any]) -> Schedule:
    return Schedule(
        genesis=clock["genesis"],
        period=clock["period"],
        lock_in=clock["lockIn"],
        lock_out=clock["lockOut"],
        reveal_from=clock["revealFrom"],
        key_deadline=clock["keyDeadline"],
        exclusive_until=clock["exclusiveUntil"],
        deadline=clock["deadline"],
    )


SCHEDULE = schedule_of(CLOCKS[0])


@pytest.mark.parametrize("clock", CLOCKS, ids=lambda clock: f"period {clock['period']}")
def test_phase_vectors(clock: dict[str, Any]) -> None:
    schedule = schedule_of(clock)
    for batch, now, facts, phase, current in clock["rows"]:
        found = schedule.phase(
            batch, now, key_published="k" in facts, settled="s" in facts, leaked="l" in facts
        )
        assert (found, schedule.current(now)) == (phase, current), (batch, now, facts)


def test_vectors_reach_every_phase() -> None:
    assert {row[3] for clock in CLOCKS for row in clock["rows"]} == set(Phase)


def test_boundaries_are_absolute() -> None:
    times = SCHEDULE.boundaries(9)
    start = 1_700_000_000 + 9 * 120
    assert times.start == SCHEDULE.start(9) == start
    assert times.lock_in == start + 30
    assert times.lock_out == start + 60
    assert times.reveal_from == start + 70
    assert times.key_deadline == start + 80
    assert times.exclusive_until == start + 95
    assert times.deadline == start + 120
    assert times.end == SCHEDULE.start(10)


def test_check_returns_a_good_schedule() -> None:
    assert SCHEDULE.check(block_time=5) is SCHEDULE
    longest = replace(SCHEDULE, period=30 * 24 * 3600)
    assert longest.check(block_time=5) is longest


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"lock_in": 9}, "lock_in = 9"),
        ({"lock_out": 39}, "lock_out"),
        ({"reveal_from": 69}, "reveal_from"),
        ({"key_deadline": 79}, "key_deadline"),
        ({"exclusive_until": 89}, "exclusive_until"),
        ({"deadline": 104}, "deadline"),
        ({"period": 119}, "period"),
        ({"period": 30 * 24 * 3600 + 1}, "period"),
    ],
)
def test_check_names_what_comes_too_early(change: dict[str, int], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        replace(SCHEDULE, **change).check(block_time=5)


def test_before_genesis_nothing_is_open() -> None:
    assert SCHEDULE.current(0) == 0
    assert SCHEDULE.phase(1, 0) is Phase.PENDING
    assert SCHEDULE.phase(0, 0) is Phase.VOID
