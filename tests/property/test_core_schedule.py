from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.reference import phases
from walras.schedule import Phase, Schedule

NAMES = ("lockIn", "lockOut", "revealFrom", "keyDeadline", "exclusiveUntil", "deadline", "period")


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    gaps = draw(st.lists(st.integers(1, 100), min_size=6, max_size=6))
    offsets = [sum(gaps[: i + 1]) for i in range(6)]
    period = offsets[-1] + draw(st.integers(0, 50))
    return Schedule(draw(st.integers(0, 2**40)), period, *offsets)


def clock_of(s: Schedule) -> dict[str, int]:
    offsets = (s.lock_in, s.lock_out, s.reveal_from, s.key_deadline, s.exclusive_until, s.deadline)
    return {"genesis": s.genesis} | dict(zip(NAMES, (*offsets, s.period), strict=True))


@given(schedules(), st.integers(0, 5), st.integers(-200, 5_000), st.booleans(), st.booleans())
def test_phase_is_the_references(
    schedule: Schedule, batch: int, offset: int, key: bool, leaked: bool
) -> None:
    now = schedule.genesis + offset
    expected = phases.phase(clock_of(schedule), batch, now, key=key, settled=False, leaked=leaked)
    assert schedule.phase(batch, now, key_published=key, leaked=leaked) == expected
    assert schedule.current(now) == phases.current(clock_of(schedule), now)


@given(schedules(), st.integers(1, 5), st.integers(0, 700), st.integers(0, 700), st.booleans())
def test_phases_only_move_forward(
    schedule: Schedule, batch: int, early: int, later: int, key: bool
) -> None:
    """S9, between facts and when the key is published in its time."""
    start = schedule.start(batch)
    first = schedule.phase(batch, start + early, key_published=key)
    assert schedule.phase(batch, start + early + later, key_published=key) >= first
    if first is Phase.REVEAL:
        assert schedule.phase(batch, start + early + later, key_published=True) >= first


@given(schedules(), st.integers(0, 5_000))
def test_the_current_batch_has_started_and_the_next_has_not(schedule: Schedule, by: int) -> None:
    now = schedule.genesis + by
    batch = schedule.current(now)
    assert schedule.start(batch) <= now < schedule.start(batch + 1)
    times = schedule.boundaries(batch)
    assert (times.start, times.end) == (schedule.start(batch), schedule.start(batch + 1))
