"""An order as people write it: tokens, cash tokens and decimal numbers (no chain integers)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Constant", "Demand", "HumanAuth", "Order", "Point", "Side"]


@dataclass(frozen=True, slots=True)
class Point:
    """A corner of a demand curve.

    ``rate`` in portfolio units per batch, ``price`` in cash tokens per portfolio unit.
    """

    rate: Fraction
    price: Fraction


@dataclass(frozen=True, slots=True)
class Constant:
    """Any rate from ``min_rate`` ≤ 0 to ``max_rate`` ≥ 0 at one price.

    A rate of None is unlimited, in practice: as much as the account's escrow covers.
    """

    min_rate: Fraction | None
    max_rate: Fraction | None
    price: Fraction


Demand = tuple[Point, ...] | Constant


@dataclass(frozen=True, slots=True)
class HumanAuth:
    """A portfolio in tokens per portfolio unit (by the name the trader wrote) and its curve."""

    name: str
    weights: tuple[tuple[str, Fraction], ...]
    demand: Demand


@dataclass(frozen=True, slots=True)
class Order:
    """Everything one account wants; ``valid_until`` in unix seconds, 0 for no expiry."""

    auths: tuple[HumanAuth, ...]
    valid_until: int = 0


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a curve outward from rate 0, as a buyer's: rates ≥ 0, prices falling.

    ``points[0].rate`` is 0 and its price the limit. A sell side is held mirrored: sizes instead of
    negative rates, negated prices. ``rate`` None stands for an unlimited constant side.
    """

    points: tuple[Point, ...]
    unlimited: bool = False

    @property
    def first(self) -> Fraction:
        """Price at rate 0, the trader's limit (mirrored on a sell side)."""
        return self.points[0].price
