"""SPEC §5: the phase of a batch, row by row of its table."""

from __future__ import annotations

from collections.abc import Mapping

PENDING, OPEN, LOCKED_IN, LOCKED_OUT, REVEAL, CLEARING, FALLBACK, SETTLED, VOID = range(9)


def current(clock: Mapping[str, int], t: int) -> int:
    return 0 if t < clock["genesis"] else (t - clock["genesis"]) // clock["period"]


def phase(
    clock: Mapping[str, int], b: int, t: int, *, key: bool, settled: bool, leaked: bool
) -> int:
    def before(offset: str) -> bool:
        return t < clock["genesis"] + b * clock["period"] + clock[offset]

    if settled:
        return SETTLED
    if leaked or b == 0:
        return VOID
    if t < clock["genesis"] + b * clock["period"]:
        return PENDING
    rows = [
        (before("lockIn"), OPEN),
        (before("lockOut"), LOCKED_IN),
        (before("revealFrom"), LOCKED_OUT),
        (not key and before("keyDeadline"), REVEAL),
        (key and before("exclusiveUntil"), CLEARING),
        (key and before("deadline"), FALLBACK),
    ]
    return next((name for holds, name in rows if holds), VOID)
