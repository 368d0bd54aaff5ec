"""Phases around every boundary of a batch, whatever is known of it (SPEC §5)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product as every
from typing import Any

from tests.reference import phases

CLOCKS = (
    {
        "genesis": 1_700_000_000,
        "period": 120,
        "lockIn": 30,
        "lockOut": 60,
        "revealFrom": 70,
        "keyDeadline": 80,
        "exclusiveUntil": 95,
        "deadline": 120,
    },
    {
        "genesis": 0,
        "period": 2_592_000,
        "lockIn": 2,
        "lockOut": 4,
        "revealFrom": 6,
        "keyDeadline": 8,
        "exclusiveUntil": 10,
        "deadline": 12,
    },
)


def build() -> dict[str, Any]:
    return {"clocks": list(clock_cases())}


def clock_cases() -> Iterator[dict[str, Any]]:
    for clock in CLOCKS:
        offsets = sorted({0, *(clock[k] for k in clock if k != "genesis")})
        moments = sorted({offset + d for offset in offsets for d in (-1, 0, 1)})
        rows = []
        for b, offset, key, settled, leaked in every(
            (0, 1, 9), moments, (False, True), (False, True), (False, True)
        ):
            t = clock["genesis"] + b * clock["period"] + offset
            if t < 0 or (settled and (leaked or not key)) or (b == 0 and (key or offset > 2)):
                continue
            found = phases.phase(clock, b, t, key=key, settled=settled, leaked=leaked)
            flags = "k" * key + "s" * settled + "l" * leaked
            rows.append((b, t, flags, found, phases.current(clock, t)))
        yield clock | {"rows": rows}
