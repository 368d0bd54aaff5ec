"""What a cost means: in words, as a table of prices asked and read, and as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from walras.curve import cost_breakpoints
from walras.orders.costs import ConvertedCost
from walras.orders.describe import Summary, chart, read_points
from walras.orders.model import Constant, HumanAuth, Point
from walras.units import CashUnits, exact_text

__all__ = ["group_text", "summarise_cost"]

Curve = list[tuple[Fraction, Fraction]]


def summarise_cost(
    converted: ConvertedCost, auths: Sequence[HumanAuth], cash: CashUnits
) -> Summary:
    """Explain one cost of an order with these ``auths``."""
    human, per = converted.human, converted.per
    group = group_text([(auths[j].name, c) for j, c in human.group])
    whole = [
        (converted.rate(x) * per.batches, converted.price(m, cash))
        for x, m in cost_breakpoints(converted.cost)
    ]
    curve = _wanted_part(whole, converted)
    readings = read_points(_asked(converted, curve), curve)
    drawn = chart(curve, readings) if any(r.asked for r in readings) else ()
    words = _ends(converted, group)
    words += _worth(converted, curve, cash)
    if converted.penalty:
        words.append(
            "Beyond an end the contract reads a price of "
            f"{_rough(converted.price(converted.penalty, cash))} {cash.symbol} a unit, more than "
            "any price this market's caps allow: it is never traded."
        )
    return Summary(human.name, group, per.name, tuple(words), readings, drawn)


def group_text(terms: Sequence[tuple[str, Fraction]]) -> str:
    """Like ``apple − 2·micro``."""
    text = ""
    for name, coefficient in terms:
        sign = "−" if coefficient < 0 else "+" if text else ""
        size = "" if abs(coefficient) == 1 else f"{exact_text(abs(coefficient))}·"
        text += f" {sign} {size}{name}" if text else f"{sign}{size}{name}"
    return text


def _wanted_part(whole: Curve, converted: ConvertedCost) -> Curve:
    """The curve without the steps at its ends, which would dwarf it."""
    below, above = converted.ends
    return whole[below : len(whole) - above]


def _asked(converted: ConvertedCost, curve: Curve) -> tuple[Point, ...]:
    demand = converted.human.demand
    if isinstance(demand, Constant):
        rates = sorted({curve[0][0], Fraction(0), curve[-1][0]})
        return tuple(Point(rate, demand.price) for rate in rates)
    return tuple(Point(p.rate * converted.per.batches, p.price) for p in demand)


def _ends(converted: ConvertedCost, group: str) -> list[str]:
    """The hard limits, in one sentence."""
    demand, per = converted.human.demand, converted.per
    if isinstance(demand, Constant):
        low, high = demand.min_rate, demand.max_rate
    else:
        low, high = demand[0].rate, demand[-1].rate
    if low is None and high is None:
        return []
    if low == high:
        return [f"{group} is always {exact_text(low or Fraction(0))}: they trade in proportion."]
    bounds = [
        f"{word} {exact_text(rate * per.batches)}"
        for word, rate in (("at least", low), ("at most", high))
        if rate is not None
    ]
    return [f"{group} is {' and '.join(bounds)} {per.words}, at any price."]


def _worth(converted: ConvertedCost, curve: Curve, cash: CashUnits) -> list[str]:
    """What a further unit of the combination is worth, unless it is nothing everywhere."""
    demand = converted.human.demand
    prices = [demand.price] if isinstance(demand, Constant) else [p.price for p in demand]
    if not any(prices):
        return []
    first, last = (exact_text(price, places=6) for price in (curve[0][1], curve[-1][1]))
    unit = f"A further unit of it is worth {first} {cash.symbol}"
    if len(set(prices)) == 1:
        return [f"{unit}, on top of what the auths' own curves say."]
    ends = [f"{exact_text(rate)} {converted.per.words}" for rate, _ in (curve[0], curve[-1])]
    falling = f"{unit} at {ends[0]}, falling to {last} at {ends[1]}"
    return [f"{falling}, on top of what the auths' own curves say."]


def _rough(value: Fraction) -> str:
    return f"{float(value):.0e}"
