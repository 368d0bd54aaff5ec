"""The contract against its ghost, over random sequences of everything anybody can do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import MarketMachine, StandingMachine
from tests.stateful.report import report, unseen
from tests.stateful.setting import Tally
from tests.stateful.ways import RARE, STANDING_WAYS, WAYS
from tests.stateful.world import World

pytestmark = [pytest.mark.chain, pytest.mark.slow]

CAMPAIGN = settings.get_current_profile_name() == "campaign"
STANDARD = settings(
    max_examples=30,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# a step of these is some batches
SHORT = settings(STANDARD, max_examples=40, stateful_step_count=40)
REPORT = Path(__file__).parents[2] / "build" / "campaign.md"


@pytest.mark.timeout(0 if CAMPAIGN else 300)
def test_every_sequence_leaves_the_contract_as_the_ghost_says(market: World, tally: Tally) -> None:
    """The model, S1, S2 and S9 after every step, S7 at the end of every sequence."""
    assert MarketMachine.base is market
    run_state_machine_as_test(MarketMachine, settings=settings() if CAMPAIGN else STANDARD)
    if CAMPAIGN:
        REPORT.write_text(report(tally))
    assert unseen(tally, everything=CAMPAIGN) == []


@pytest.mark.timeout(0 if CAMPAIGN else 300)
def test_what_stands_is_what_the_ghost_says(
    market: World, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress, limits, rent, amendments, chunks: exact after every step (S1 to S4, S7)."""
    monkeypatch.setattr(StandingMachine, "base", market, raising=False)
    stood, chunked, ways = tally.stood, tally.chunked, tally.ways.copy()
    run_state_machine_as_test(StandingMachine, settings=settings() if CAMPAIGN else SHORT)
    assert tally.stood - stood > 100
    assert tally.chunked - chunked > 50
    wanted = {*WAYS, *STANDING_WAYS} - (frozenset() if CAMPAIGN else RARE)
    assert wanted <= set(tally.ways - ways)
