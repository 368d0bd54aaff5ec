"""Whether a clearer is alive: it did something lately, and has not halted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import urlopen

from walras.operator.decide import Decision, Halt, Wait
from walras.operator.meter import Meter
from walras.operator.view import Sight

__all__ = ["Health", "ask"]

_PATIENCE: Final = 2.0  # seconds for an answer


class Health(Meter):
    """Unhealthy once halted, or when `stale_after` seconds passed without a step being done."""

    def __init__(self, stale_after: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._stale_after = stale_after
        self._clock = clock
        self._alive = clock()
        self._looked: float | None = None
        self._facts: dict[str, Any] = {}
        self._failures = 0
        self._halted: str | None = None
        self._next: str | None = None

    def looked(self, sight: Sight) -> None:
        """Note what was seen."""
        batch = sight.chain.batch
        self._alive = self._looked = self._clock()
        self._failures = 0
        self._facts = {
            "block": sight.block_number,
            "batch": batch.number,
            "phase": sight.phase.name,
            "live": batch.live,
            "unapplied": batch.unapplied,
        }

    def passed(self, step: str) -> None:  # noqa: ARG002
        """Note that it lives."""
        self._alive = self._clock()

    def decided(self, decision: Decision) -> None:
        """Note what comes next."""
        match decision:
            case Wait(_, reason) | Halt(reason):
                self._next = reason
            case _:
                self._next = f"{type(decision).__name__} {decision.batch}"

    def failed(self, failures: int) -> None:
        """Note that the last step failed."""
        self._failures = failures

    def halted(self, reason: str) -> None:
        """Note why it stopped."""
        self._halted = reason

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether it is healthy, and the facts as JSON has them."""
        now = self._clock()
        healthy = self._halted is None and now - self._alive <= self._stale_after
        return healthy, {
            "healthy": healthy,
            "halted": self._halted,
            "seconds_since_step": round(now - self._alive, 3),
            "seconds_since_look": None if self._looked is None else round(now - self._looked, 3),
            "failures": self._failures,
            "next": self._next,
            **self._facts,
        }


def ask(host: str, port: int) -> dict[str, Any] | None:
    """What the clearer that serves there says of its health; None if none answers."""
    address = f"[{host}]" if ":" in host else host
    try:
        with urlopen(f"http://{address}:{port}/health", timeout=_PATIENCE) as answer:
            body = answer.read()
    except HTTPError as error:  # unhealthy is an answer, too
        body = error.read()
    except (OSError, HTTPException):
        return None
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "healthy" in found else None
