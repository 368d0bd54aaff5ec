"""How hypothesis draws: `make test` the same examples every time, `make fuzz` others each time.

One tree, one verdict: a rare example that fails is found by a search, not by whoever lands next.
Hypothesis also draws numbers that it finds in our modules, as far as they are loaded. So all are,
or the examples would depend on which tests ran before in the same process.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from hypothesis import settings

import walras

for module in pkgutil.walk_packages(walras.__path__, "walras."):
    if not module.name.endswith("__main__"):
        import_module(module.name)

settings.register_profile("gate", derandomize=True)
settings.register_profile("fuzz", print_blob=True)
settings.load_profile("gate")
