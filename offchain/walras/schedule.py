"""When a batch does what: phases as a pure function of time and three facts (SPEC §5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from walras.errors import ConfigError

__all__ = ["OFFSETS", "Boundaries", "Phase", "Schedule"]

OFFSETS: Final = (
    "lock_in",
    "lock_out",
    "reveal_from",
    "key_deadline",
    "exclusive_until",
    "deadline",
)
"""Boundaries within a batch, in their order."""

_MAX_PERIOD = 30 * 24 * 3600


class Phase(IntEnum):
    """Phases of a batch, numbered as on chain."""

    PENDING = 0
    OPEN = 1
    LOCKED_IN = 2
    LOCKED_OUT = 3
    REVEAL = 4
    CLEARING = 5
    FALLBACK = 6
    SETTLED = 7
    VOID = 8


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Absolute times of one batch in seconds; a phase ends when its boundary is reached."""

    start: int
    lock_in: int
    lock_out: int
    reveal_from: int
    key_deadline: int
    exclusive_until: int
    deadline: int
    end: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """The market's clock: ``genesis`` in unix seconds, the rest seconds after a batch's start."""

    genesis: int
    period: int
    lock_in: int
    lock_out: int
    reveal_from: int
    key_deadline: int
    exclusive_until: int
    deadline: int

    def check(self, block_time: int) -> Schedule:
        """Return self if the contract would accept it with this block time (seconds).

        Raises ConfigError naming the first boundary that comes too early.
        """
        before = 0
        for name in OFFSETS:
            offset = getattr(self, name)
            if offset < before + 2 * block_time:
                raise ConfigError(
                    f"schedule: {name} = {offset} s must be at least {before + 2 * block_time} s, "
                    f"two blocks of {block_time} s after the boundary before it"
                )
            before = offset
        if not self.deadline <= self.period <= _MAX_PERIOD:
            raise ConfigError(
                f"schedule: period = {self.period} s must lie between the deadline "
                f"({self.deadline} s) and {_MAX_PERIOD} s"
            )
        return self

    def start(self, batch: int) -> int:
        """Unix time at which ``batch`` (≥ 1) opens."""
        return self.genesis + batch * self.period

    def boundaries(self, batch: int) -> Boundaries:
        """All absolute times of ``batch``."""
        t = self.start(batch)
        return Boundaries(
            start=t,
            lock_in=t + self.lock_in,
            lock_out=t + self.lock_out,
            reveal_from=t + self.reveal_from,
            key_deadline=t + self.key_deadline,
            exclusive_until=t + self.exclusive_until,
            deadline=t + self.deadline,
            end=t + self.period,
        )

    def current(self, now: int) -> int:
        """The batch that owns the moment ``now``; 0 while none has started."""
        return max(0, (now - self.genesis) // self.period)

    def phase(
        self,
        batch: int,
        now: int,
        *,
        key_published: bool = False,
        settled: bool = False,
        leaked: bool = False,
    ) -> Phase:
        """Phase of ``batch`` at ``now``; total in all arguments."""
        if settled:
            return Phase.SETTLED
        if leaked or batch == 0:
            return Phase.VOID
        limits = [
            (0, Phase.PENDING),
            (self.lock_in, Phase.OPEN),
            (self.lock_out, Phase.LOCKED_IN),
            (self.reveal_from, Phase.LOCKED_OUT),
        ]
        if key_published:
            limits += [(self.exclusive_until, Phase.CLEARING), (self.deadline, Phase.FALLBACK)]
        else:
            limits += [(self.key_deadline, Phase.REVEAL)]
        offset = now - self.start(batch)
        return next((phase for limit, phase in limits if offset < limit), Phase.VOID)
