"""Costs in human units into the chain's integers.

The combination of the trader, Σ c_j·rate_j, is Σ L_j·y_j in chain rates y with L_j = c_j/n_j. With
g the greatest common divisor of the |L_j| the chain's coefficients are m·L_j/g and one unit of the
trader's combination is m/g of the chain's; m is the smallest whole number for which every rate of
the curve is whole. An end of the curve is hard: see ``penalty``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm

from walras.auths import Auth, Cost, Step, Term
from walras.errors import OrderError
from walras.numbers import MAX_CURVE_PRICE, MAX_RATE, MAX_STEPS, MAX_WEIGHT
from walras.orders.auths import Plan
from walras.orders.model import HumanCost, Side
from walras.orders.scale import off_grid_price, off_grid_rate
from walras.orders.setting import RateUnit
from walras.orders.sides import per_batch, whole_sides
from walras.orders.steps import steps_below, whole
from walras.units import CashUnits, floor_text, fraction_gcd

__all__ = ["ConvertedCost", "CostPlan", "plan_cost"]


@dataclass(frozen=True, slots=True)
class ConvertedCost:
    """One cost on chain, and how to read it back.

    ``human`` with rates per batch, written ``per``; ``units`` chain units of the combination per
    unit of the trader's. ``penalty`` X40 is the price beyond an end that matters, of which there
    are (below, above) as ``ends`` says.
    """

    human: HumanCost
    cost: Cost
    units: Fraction
    per: RateUnit
    penalty: int
    ends: tuple[bool, bool]

    def rate(self, chain: Fraction | int) -> Fraction:
        """The trader's combination per batch of the chain's."""
        return Fraction(chain) / self.units

    def price(self, chain_x40: Fraction | int, cash: CashUnits) -> Fraction:
        """The trader's price (cash tokens per unit of the combination) of one in X40."""
        return cash.cash(Fraction(chain_x40) * self.units)


@dataclass(frozen=True, slots=True)
class CostPlan:
    """A cost whose scale is fixed; its hard ends wait for the auths."""

    human: HumanCost
    terms: tuple[Term, ...]
    units: Fraction
    per: RateUnit
    sides: tuple[Side, Side]
    cash: CashUnits

    def ends(self, auths: Mapping[int, Auth]) -> tuple[bool, bool]:
        """Whether the curve ends (below, above) of what the group can trade at full rates."""
        low = high = 0
        for term in self.terms:
            sell, buy = auths[term.auth].sell_rate, auths[term.auth].buy_rate
            size = abs(term.coefficient)
            low += size * (sell if term.coefficient > 0 else buy)
            high += size * (buy if term.coefficient > 0 else sell)
        above, below = (
            not side.unlimited and whole(side.points[-1].rate * self.units) < most
            for side, most in zip(self.sides, (high, low), strict=True)
        )
        return below, above

    def build(self, penalty: int = 0, ends: tuple[bool, bool] = (False, False)) -> Cost:
        """The cost, its curve falling to −``penalty`` (X40) at its ``ends`` (below, above)."""
        bids, asks = (self._points(side) for side in self.sides)
        if ends[1]:
            bids = (*bids, (bids[-1][0], -penalty))
        if ends[0]:
            asks = (*asks, (asks[-1][0], -penalty))
        gross = Cost(self.terms, 0).gross
        buy, sell = steps_below(bids, gross, 1), steps_below(asks, gross, 1)
        if not buy and not sell:
            buy = (Step(0, 0),)  # a curve has a step; this one changes the price by one in X40
        bid, ask = bids[0][1], -asks[0][1]
        cost = Cost(self.terms, bid if buy else ask, ask - bid if buy and sell else 0, buy, sell)
        self._check(cost)
        return cost

    def _points(self, side: Side) -> tuple[tuple[int, int], ...]:
        """(units, mirrored price X40) outward from 0."""
        return tuple(
            (whole(p.rate * self.units), whole(self.cash.x40(p.price) / self.units))
            for p in side.points
        )

    def _check(self, cost: Cost) -> None:
        where = f"cost {self.human.name}"
        longest = max(len(cost.buy), len(cost.sell))
        if longest > MAX_STEPS:
            raise OrderError(
                f"{where}: {longest} segments on one side of 0, its end included; "
                f"at most {MAX_STEPS}"
            )
        if max(cost.buy_rate, cost.sell_rate) >= MAX_RATE:
            most = floor_text((MAX_RATE - 1) / self.units * self.per.batches, 6)
            raise OrderError(f"{where}: the curve is too long; at most {most} {self.per.words}")
        if max(abs(cost.first), abs(cost.ask), cost.top, -cost.bottom) > MAX_CURVE_PRICE:
            raise OrderError(
                f"{where}: its prices, or those of the auths it limits, are too large for the "
                "contract; use smaller coefficients, rates or prices, or fewer costs that overlap"
            )


def plan_cost(human: HumanCost, auths: Sequence[Plan], cash: CashUnits, per: RateUnit) -> CostPlan:
    """Fix the scale of a cost. Raises OrderError and UnrepresentableNumber."""
    where = f"cost {human.name}"
    human = replace(human, demand=per_batch(human.demand, per.batches))
    sizes = [(j, c / auths[j].signed_units) for j, c in human.group]
    base = fraction_gcd([abs(size) for _, size in sizes])
    largest = max(abs(size) for _, size in sizes) / base
    if largest > MAX_WEIGHT:
        raise OrderError(
            f"{where}: the coefficients are too unlike each other; on chain the largest would be "
            f"{int(largest):,} times the smallest part they share, at most {MAX_WEIGHT:,}"
        )
    sides = whole_sides(human.demand)
    multiple = _multiple(sides, base, int(MAX_WEIGHT // largest), per, where)
    units = multiple / base
    _check_prices(human, sides, units, cash)
    terms = tuple(Term(j, whole(size / base) * multiple) for j, size in sizes)
    return CostPlan(human, terms, units, per, sides, cash)


def _multiple(
    sides: tuple[Side, Side], base: Fraction, most: int, per: RateUnit, where: str
) -> int:
    """The smallest m ≤ ``most`` that makes every rate a whole number."""
    rates = [p.rate if i == 0 else -p.rate for i, side in enumerate(sides) for p in side.points]
    needed = lcm(*((rate / base).denominator for rate in rates))
    if needed <= most:
        return needed
    fine = 1
    while fine * 10 <= most:
        fine *= 10
    rate = next((r for r in rates if (r * fine / base).denominator != 1), rates[-1])
    raise off_grid_rate(rate, base / fine, per, f"{where}: rate")


def _check_prices(
    human: HumanCost, sides: tuple[Side, Side], units: Fraction, cash: CashUnits
) -> None:
    grid = units / cash.x40(Fraction(1))
    for side, sign in zip(sides, (1, -1), strict=True):
        for point in side.points:
            if (point.price / grid).denominator != 1:
                raise off_grid_price(human.demand, sign * point.price, grid, f"cost {human.name}")
