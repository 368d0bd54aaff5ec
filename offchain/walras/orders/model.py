"""An order as people write it: tokens, cash tokens and decimal numbers (no chain integers)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

__all__ = [
    "Constant",
    "Demand",
    "Expiry",
    "HumanAuth",
    "HumanCost",
    "HumanLimits",
    "Order",
    "Point",
    "Side",
]


@dataclass(frozen=True, slots=True)
class Point:
    """A corner of a demand curve.

    ``rate`` in portfolio units per batch (in an order file per whatever it says), ``price`` in cash
    tokens per portfolio unit.
    """

    rate: Fraction
    price: Fraction


@dataclass(frozen=True, slots=True)
class Constant:
    """Any rate from ``min_rate`` ≤ 0 to ``max_rate`` ≥ 0 at one price.

    A rate of None is unlimited: of an auth as much as the account's escrow covers, of a cost
    without any end.
    """

    min_rate: Fraction | None
    max_rate: Fraction | None
    price: Fraction


Demand = tuple[Point, ...] | Constant


@dataclass(frozen=True, slots=True)
class HumanLimits:
    """Net of everything traded, never below ``low`` ≤ 0 nor above ``high`` ≥ 0 portfolio units.

    None is no limit.
    """

    low: Fraction | None
    high: Fraction | None


@dataclass(frozen=True, slots=True)
class HumanAuth:
    """A portfolio in tokens per portfolio unit (by the name the trader wrote) and its curve.

    Its rates are per ``per``: batch, second, minute, hour or day.
    """

    name: str
    weights: tuple[tuple[str, Fraction], ...]
    demand: Demand
    limits: HumanLimits | None = None
    per: str = "batch"


@dataclass(frozen=True, slots=True)
class HumanCost:
    """A demand curve over Σ coefficient·rate of auths, by their index in the order.

    Rates (of the curve and of the auths) are per ``per``; prices in cash tokens per unit of the
    combination. Nothing beyond the ends of the curve is traded, whatever it would bring.
    """

    name: str
    group: tuple[tuple[int, Fraction], ...]
    demand: Demand
    per: str = "batch"


@dataclass(frozen=True, slots=True)
class Expiry:
    """Until when an order lives: one of a moment in unix seconds, a batch, or seconds from now."""

    moment: int | None = None
    batch: int | None = None
    seconds: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """Everything one account wants; ``expiry`` None for none."""

    auths: tuple[HumanAuth, ...]
    costs: tuple[HumanCost, ...] = ()
    standing: bool = False
    expiry: Expiry | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a curve outward from rate 0, as a buyer's: rates ≥ 0, prices falling.

    ``points[0].rate`` is 0 and its price the limit. A sell side is held mirrored: sizes instead of
    negative rates, negated prices. An ``unlimited`` one has no end.
    """

    points: tuple[Point, ...]
    unlimited: bool = False

    @property
    def first(self) -> Fraction:
        """Price at rate 0, the trader's limit (mirrored on a sell side)."""
        return self.points[0].price
