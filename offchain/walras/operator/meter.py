"""What a daemon tells of itself while it works."""

from __future__ import annotations

from collections.abc import Mapping

from walras.operator.decide import Decision
from walras.operator.view import Sight

__all__ = ["Meter"]


class Meter:
    """Hears what a daemon does; this one does not listen. No method may raise or wait."""

    def looked(self, sight: Sight) -> None:
        """The chain was read."""

    def passed(self, step: str) -> None:
        """A step was done: a sign of life."""

    def decided(self, decision: Decision) -> None:
        """The next step is known."""

    def failed(self, failures: int) -> None:
        """A step failed and is tried again; so many failures in a row."""

    def halted(self, reason: str) -> None:
        """The daemon stops and needs a person."""

    def cleared(self, seconds: Mapping[str, float], accounts: int, voids: int) -> None:
        """Prices of a batch were found; seconds by stage."""

    def settled(self, batch: int) -> None:
        """A batch settled at the prices sent."""

    def used(self, action: str, gas: int) -> None:
        """A transaction was included."""
