"""How hypothesis draws: `make test` the same examples every time, `make fuzz` others each time.

One tree, one verdict: a rare example that fails is found by a search, not by whoever lands next.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("gate", derandomize=True)
settings.register_profile("fuzz", print_blob=True)
settings.load_profile("gate")
