"""The contract against its ghost, over random sequences of everything anybody can do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import MarketMachine
from tests.stateful.report import report, unseen
from tests.stateful.setting import Tally
from tests.stateful.world import World

pytestmark = [pytest.mark.chain, pytest.mark.slow]

CAMPAIGN = settings.get_current_profile_name() == "campaign"
STANDARD = settings(
    max_examples=36,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
REPORT = Path(__file__).parents[2] / "build" / "campaign.md"


@pytest.mark.timeout(0 if CAMPAIGN else 300)
def test_every_sequence_leaves_the_contract_as_the_ghost_says(market: World, tally: Tally) -> None:
    """The model, S1, S2 and S9 after every step, S7 at the end of every sequence."""
    assert MarketMachine.base is market
    run_state_machine_as_test(MarketMachine, settings=settings() if CAMPAIGN else STANDARD)
    if CAMPAIGN:
        REPORT.write_text(report(tally))
    assert unseen(tally, everything=CAMPAIGN) == []
