"""Sequences are played on the market of tests/stateful, against its ghost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.fixtures import chain
from tests.stateful.fixtures import market, tally
from tests.stateful.machine import MarketMachine
from tests.stateful.world import World

__all__ = ["chain", "machine", "market", "tally"]


@pytest.fixture
def machine(market: World) -> Iterator[MarketMachine]:
    """A machine at rest; at the end everybody leaves with everything."""
    assert MarketMachine.base is market
    played = MarketMachine()
    yield played
    played.teardown()
