"""How far cumulative limits and costs were used up, in the words of the orders that set them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from scripts._demo.book import Bidder
from walras.certificate import Settlement
from walras.curve import cost_sum
from walras.numbers import X44
from walras.orders import Setting, convert, parse_order
from walras.units import MarketUnits

__all__ = ["Bound", "read_bounds"]


@dataclass(frozen=True, slots=True)
class Bound:
    """So much `traded` of at `most`; `shadow` is a cost's shadow price, dollars a unit."""

    bidder: str
    what: str
    traded: float
    most: float
    shadow: float | None = None


def read_bounds(
    bidder: Bidder, account: bytes, settlement: Settlement, units: MarketUnits, setting: Setting
) -> Iterator[Bound]:
    """Those of one bidder whose submission traded."""
    if account not in settlement.rates:
        return
    read = convert(parse_order(json.dumps(bidder.order)), units, None, setting)
    rates = settlement.rates[account]
    for auth, rate in zip(read.auths, rates, strict=True):
        limits = auth.human.limits
        if limits is not None:
            traded = auth.rate(Fraction(rate, X44))
            most = (limits.low if traded < 0 else limits.high) or 0
            yield Bound(bidder.name, auth.human.name, float(traded), float(most))
    for cost, shadow in zip(read.costs, settlement.shadows.get(account, ()), strict=True):
        traded = cost.rate(Fraction(cost_sum(cost.cost, rates), X44))
        most, price = cost.rate(cost.cost.buy_rate), cost.price(Fraction(shadow, X44), units.cash)
        yield Bound(bidder.name, cost.human.name, float(traded), float(most), float(price))
