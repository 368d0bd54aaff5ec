"""What a clearer is given instead of reaching for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from walras.operator.clearing import Log, Solver
from walras.operator.meter import Meter

__all__ = ["Surroundings"]

_UNHEARD: Final = Meter()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The world of one clearer.

    `checkpoint` is called by name between any two steps, `sleep` may raise to stop the daemon,
    `meter` hears what it does.
    """

    log: Log
    sleep: Callable[[float], None]
    solve: Solver
    checkpoint: Callable[[str], None] = lambda _: None
    meter: Meter = _UNHEARD
