"""The market that sequences start from, for the machine and for the regressions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.node import Chain
from tests.reference import sealing
from tests.stateful.machine import MarketMachine
from tests.stateful.setting import Tally
from tests.stateful.world import World, open_world
from walras.sealing import seal_hash, unseal


@pytest.fixture(scope="module")
def tally() -> Tally:
    """Counts of all sequences of a module."""
    return Tally()


@pytest.fixture(scope="module")
def market(chain: Chain, tally: Tally) -> Iterator[World]:
    """A market and its ghost. The ghost opens seals with a compiled curve.

    The reference's own takes a tenth of a second for each; the vectors hold the two equal.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "unseal", unseal)
        patch.setattr(sealing, "seal_hash", seal_hash)
        world = open_world(chain, tally)
        patch.setattr(MarketMachine, "base", world, raising=False)
        yield world
