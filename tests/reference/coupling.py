"""SPEC §3: [C-5], whether costs clear at their shadow prices."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from tests.reference import wire
from tests.reference.curves import Cost


class RejectedError(Exception):
    def __init__(self, name: str, *args: Any) -> None:
        self.name, self.arguments = name, list(args)
        super().__init__(name, *args)


def couple(
    address: bytes,
    reading: wire.Reading,
    moves: dict[str, Any],
    shadows: Sequence[int],
    out: dict[str, Any],
) -> None:
    """[C-5] of every cost."""
    moves["excesses"], moves["slacks"] = [], []
    for d, (cost, shadow) in enumerate(zip(reading.costs, shadows, strict=True)):
        value = Fraction(shadow, 2**84)
        if not cost.bottom <= value <= cost.top:
            raise RejectedError("ShadowOutOfRange", address, d, shadow)
        excess = sum(g * moves["rates"][j] for j, g in cost.terms) - cost.demand(shadow)
        slack = tolerance(cost, moves["sloped"])
        moves["excesses"].append(excess)
        moves["slacks"].append(slack)
        above = excess > slack and value != cost.bottom
        below = excess < -slack and value != cost.top
        if above or below:
            raise RejectedError("CostNotCleared", address, d, excess, slack)
        span = int((cost.top - cost.bottom) * 2**40)
        excused = (excess > 0 and value == cost.bottom) or (excess < 0 and value == cost.top)
        if not excused:
            out["costLoss"] += abs(excess) * span
        out["costSpan"] += 4 * cost.touches * span
        out["loss"] += cost.slope(shadow)


def tolerance(cost: Cost, slopes: Sequence[bool]) -> int:
    return 2 + sum(abs(g) + 1 for j, g in cost.terms if slopes[j])
