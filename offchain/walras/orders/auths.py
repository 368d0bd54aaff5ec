"""One auth in human units into the chain's integers, once its scale is known (``scale``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from walras.auths import Auth, Limits, Step, drops
from walras.curve import tau
from walras.errors import OrderError
from walras.numbers import MAX_CURVE_PRICE, MAX_RATE, MAX_STEPS, X44
from walras.orders.escrow import Holdings
from walras.orders.model import HumanAuth, Side
from walras.orders.scale import Scaled, scale
from walras.orders.setting import RateUnit
from walras.orders.sides import per_batch
from walras.orders.steps import steps_below, whole
from walras.units import CashUnits, MarketUnits, floor_text

__all__ = ["Converted", "Plan", "plan_auth"]


@dataclass(frozen=True, slots=True)
class Converted:
    """One auth on chain, and how to read it back.

    ``human`` with rates per batch, written ``per``; ``units`` is n, chain portfolio units per unit
    of the trader's; ``flipped`` if buying and selling were swapped because the portfolio is a
    single short product. ``guard`` is G, what its costs add to the least slope.
    """

    human: HumanAuth
    auth: Auth
    units: Fraction
    flipped: bool
    per: RateUnit
    guard: int = 0

    def rate(self, chain: Fraction | int) -> Fraction:
        """The trader's rate (signed, portfolio units per batch) of a chain rate."""
        return Fraction(chain) / (-self.units if self.flipped else self.units)

    def price(self, chain_x40: Fraction | int, cash: CashUnits) -> Fraction:
        """The trader's price (cash tokens per portfolio unit) of a curve price in X40."""
        return cash.cash(Fraction(chain_x40) * (-self.units if self.flipped else self.units))


@dataclass(frozen=True, slots=True)
class Plan:
    """An auth whose scale is fixed but whose unlimited sides and guard are not."""

    human: HumanAuth
    scaled: Scaled
    limits: Limits | None
    per: RateUnit
    market: MarketUnits

    @property
    def signed_units(self) -> Fraction:
        """Chain units per unit of the trader's, negative if buying and selling are swapped."""
        return -self.scaled.units if self.scaled.flipped else self.scaled.units

    @property
    def open_ended(self) -> str:
        """The rate and limit that are missing where only escrow bounds a side; or empty."""
        for side, field, bound in self._sides():
            if side is not None and side.unlimited and bound is None:
                return f"{field}_rate or {field}_trade"
        return ""

    def build(self, held: Holdings | None, guard: int) -> Converted:
        """The auth; ``held`` is what open-ended sides may use up, ``guard`` is G."""
        (buy_points, sell_points) = (
            self._points(side, sign, field, bound, held)
            for (side, field, bound), sign in zip(self._sides(), (1, -1), strict=True)
        )
        first = buy_points[0][1] if buy_points else -sell_points[0][1]
        gap = -sell_points[0][1] - first if buy_points and sell_points else 0
        bare = Auth(self.scaled.legs, first, gap, limits=self.limits)
        floor, gross = tau(bare, self.market.ticks()), bare.gross + guard
        buy, sell = (steps_below(points, gross, floor) for points in (buy_points, sell_points))
        for points, steps in ((buy_points, buy), (sell_points, sell)):
            if points:
                self._check_widths(points, steps, sum(drops(steps, gross, floor)))
        auth = replace(bare, buy=buy, sell=sell)
        scaled = self.scaled
        return Converted(self.human, auth, scaled.units, scaled.flipped, self.per, guard)

    def _sides(self) -> tuple[tuple[Side | None, str, int | None], ...]:
        """(buy, sell) of the chain's, each with the trader's word for it and its limit."""
        limits, flipped = self.human.limits, self.scaled.flipped
        low = None if limits is None or limits.low is None else whole(-limits.low * self._units)
        high = None if limits is None or limits.high is None else whole(limits.high * self._units)
        words = (("min", low), ("max", high)) if flipped else (("max", high), ("min", low))
        return (self.scaled.buy, *words[0]), (self.scaled.sell, *words[1])

    @property
    def _units(self) -> Fraction:
        return self.scaled.units

    def _points(
        self, side: Side | None, sign: int, field: str, bound: int | None, held: Holdings | None
    ) -> tuple[tuple[int, int], ...]:
        """The side in chain units: (rate, mirrored price X40), all exact by the choice of scale."""
        if side is None:
            return ()
        cash = self.market.cash
        points = tuple(
            (whole(p.rate * self._units), whole(cash.x40(p.price) / self._units))
            for p in side.points
        )
        if not side.unlimited:
            return points
        first = points[0][1]
        most = self._most(first, sign, field, held) if bound is None else bound
        return (*points, (most, first)) if most else ()

    def _most(self, first: int, sign: int, field: str, held: Holdings | None) -> int:
        """The largest rate that ``held`` covers at the limit ``first``, of an unlimited side."""
        where, missing = f"auth {self.human.name}", f"{field}_rate"
        if held is None:
            raise OrderError(
                f"{where}: without {missing} it trades all that the account's escrow covers; "
                f"choose an account with --account, or give {missing}"
            )
        bounds = [
            held.lots.get(leg.product, 0) // (abs(leg.weight) * X44)
            for leg in self.scaled.legs
            if leg.weight * sign < 0
        ]
        if first > 0:
            bounds.append(held.cash // first)
        if not bounds:
            raise OrderError(f"{where}: no escrow limits this side; give {missing}")
        most = min(*bounds, MAX_RATE - 1)
        if most <= 0:
            raise OrderError(
                f"{where}: without {missing} it trades all that the account's escrow covers, "
                f"and nothing is left for it; deposit first, or give {missing}"
            )
        return most

    def _check_widths(
        self, points: Sequence[tuple[int, int]], steps: Sequence[Step], fall: int
    ) -> None:
        where = f"auth {self.human.name}"
        if len(steps) > MAX_STEPS:
            raise OrderError(
                f"{where}: {len(steps)} segments on one side of rate 0; at most {MAX_STEPS}"
            )
        if points[-1][0] >= MAX_RATE:
            most = floor_text((MAX_RATE - 1) / self._units * self.per.batches, 6)
            raise OrderError(f"{where}: the rate is too large; at most {most} {self.per.words}")
        first = points[0][1]
        if max(abs(first), fall - first) > MAX_CURVE_PRICE:
            most = floor_text(self.market.cash.cash(MAX_CURVE_PRICE * self._units), 0)
            raise OrderError(
                f"{where}: a price is too large or the curve too long; prices stay within ±{most}"
            )


def plan_auth(human: HumanAuth, market: MarketUnits, per: RateUnit) -> Plan:
    """Fix the scale of an auth. Raises OrderError and UnrepresentableNumber."""
    human = replace(human, demand=per_batch(human.demand, per.batches))
    scaled = scale(human, market, per)
    return Plan(human, scaled, _limits(human, scaled), per, market)


def _limits(human: HumanAuth, scaled: Scaled) -> Limits | None:
    """Limits on chain; no limit is the most there is, or 0 on a side that cannot trade."""
    if human.limits is None:
        return None
    where = f"auth {human.name}"
    low, high = human.limits.low, human.limits.high
    sold, bought = None if low is None else -low, high
    if scaled.flipped:
        sold, bought = bought, sold
    found = []
    for limit, side in ((sold, scaled.sell), (bought, scaled.buy)):
        count = (MAX_RATE - 1) * (side is not None) if limit is None else limit * scaled.units
        if count >= MAX_RATE:
            most = floor_text((MAX_RATE - 1) / scaled.units, 6)
            raise OrderError(f"{where}: a cumulative limit is too large; at most {most}")
        found.append(int(count))
    limits = Limits(*found)
    if not (limits.low and scaled.sell) and not (limits.high and scaled.buy):
        raise OrderError(
            f"{where}: its limits forbid the only side its curve has; "
            "a target above 0 buys, one below 0 sells"
        )
    return limits
