"""The report a program can read: build/demo/report.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from scripts._demo.outcome import Outcome
from scripts._demo.play import BATCH

__all__ = ["report"]


def report(
    outcome: Outcome, audit: Mapping[str, Any], seal_median: int, seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Prices in dollars a share; surplus, gap and turnover in dollars."""
    return {
        "batch": BATCH,
        "products": list(outcome.symbols),
        "prices": {outcome.symbols[k]: round(float(p), 9) for k, p in outcome.prices.items()},
        "auths": outcome.auths,
        "filled": outcome.filled,
        "voids": dict(Counter(reason.name for reason in outcome.voids.values())),
        "surplus": round(float(Fraction(audit["surplus"])), 9),
        "gap": float(outcome.gap),
        "turnover": round(float(outcome.turnover), 9),
        "gas": {
            "seal_median": seal_median,
            "settle": outcome.settle_gas,
            "settle_per_auth": round(outcome.settle_gas / outcome.auths),
        },
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
    }
