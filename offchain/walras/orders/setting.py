"""The market an order is meant for, beyond its units: its clock and how far prices can go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from walras.errors import OrderError
from walras.orders.model import Expiry
from walras.schedule import Schedule

__all__ = ["SECONDS", "RateUnit", "Setting", "rate_unit", "valid_until"]

SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
_LAST_SECOND: Final = (1 << 40) - 1


@dataclass(frozen=True, slots=True)
class Setting:
    """``now`` in unix seconds. ``cover_cap`` in cash units bounds the value of all cover.

    ``scale_caps`` (cash units X24 per lot, by product) are the largest scales a product can get.
    """

    schedule: Schedule
    now: int
    cover_cap: int
    scale_caps: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class RateUnit:
    """What a trader counts rates in: ``batches`` of the market make one ``name``."""

    name: str
    batches: Fraction

    @property
    def words(self) -> str:
        """Like ``per minute``."""
        return f"per {self.name}"


def rate_unit(name: str, setting: Setting | None) -> RateUnit:
    """The unit of rates called ``name`` in this market."""
    if name == "batch":
        return RateUnit(name, Fraction(1))
    if setting is None:
        raise OrderError(f"rates per {name} need the market's clock; give rates per batch")
    return RateUnit(name, Fraction(SECONDS[name], setting.schedule.period))


def valid_until(expiry: Expiry | None, setting: Setting | None) -> int:
    """Unix seconds of an expiry, 0 for none. Raises OrderError if it is past."""
    if expiry is None:
        return 0
    if expiry.moment is not None:
        return expiry.moment
    if setting is None:
        raise OrderError("this valid_until needs the market's clock; give unix seconds")
    if expiry.batch is not None:
        until = setting.schedule.boundaries(expiry.batch).lock_out
        if until <= setting.now:
            raise OrderError(
                f"valid_until: batch {expiry.batch} has locked out, now is "
                f"batch {setting.schedule.current(setting.now)}; give a later one"
            )
    else:
        assert expiry.seconds is not None
        until = setting.now + int(expiry.seconds)
    if until > _LAST_SECOND:
        raise OrderError("valid_until lies beyond the contract's clock; leave it out")
    return until
