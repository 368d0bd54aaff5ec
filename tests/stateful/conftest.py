"""One Anvil and one market for all sequences; `--hypothesis-profile=campaign` runs many more.

`WALRAS_SEQUENCES` sets how many a campaign has.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from tests.contract.fixtures import chain
from tests.stateful.fixtures import market, tally

settings.register_profile(
    "campaign",
    max_examples=int(os.environ.get("WALRAS_SEQUENCES", "250")),
    stateful_step_count=100,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)

__all__ = ["chain", "market", "tally"]
