"""What the daemon compiles beside its first work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import numba
from walras.clearing import kernels, steps, sums, sweep, system
from walras.clearing.warmup import warm_up
warm_up()
needed = (kernels.refresh, kernels.replace, sums.system, steps.strays, sweep.sweep)
assert all(kernel.signatures for kernel in needed)
"""


def test_warm_up_leaves_its_work_to_the_next_process(tmp_path: Path) -> None:
    """The first process compiles into the cache, a second one finds everything there."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def stored() -> set[str]:
        subprocess.run([sys.executable, "-c", _PROGRAM], check=True, env=environment)
        return {str(path) for path in tmp_path.rglob("*.nbc")}

    first = stored()
    assert first
    assert stored() == first
