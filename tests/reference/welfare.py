"""What a book is worth at given rates: the function that the clearing prices maximise.

Σ_j V_j(y_j) + Σ_d V_d(Σ_j g_dj y_j) − Σ_k (ref_k u_k + u_k²/(2ε_k)) with u = Σ_j w_j y_j, each V
the integral of its inverse curve from 0; a cost's goes on at its end prices. Cash units.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from tests.reference.clearing import Maker
from tests.reference.curves import Cost, Signed
from tests.reference.wire import Reading


def value(ramps: Iterable[Signed], rate: Fraction) -> Fraction:
    """Integral of the inverse curve from 0 to `rate`, as far as the curve goes."""
    sign = 1 if rate >= 0 else -1
    left, total = abs(rate), Fraction(0)
    for side, ramp in ramps:
        if side == sign and ramp.width > 0:
            part = min(left, ramp.width)
            total += part * (ramp.top - ramp.drop * part / ramp.width / 2)
            left -= part
    return total


def cost_value(cost: Cost, s: Fraction) -> Fraction:
    ramps = list(cost.ramps())
    bought, sold = (
        sum((ramp.width for side, ramp in ramps if side == sign), start=Fraction(0))
        for sign in (1, -1)
    )
    beyond = max(s - bought, Fraction(0)) * cost.bottom + min(s + sold, Fraction(0)) * cost.top
    return value(ramps, min(max(s, -sold), bought)) + beyond


def welfare(
    makers: Sequence[Maker],
    readings: Sequence[Reading],
    ticks: dict[int, int],
    rates: Sequence[Sequence[Fraction]],
) -> Fraction:
    """`rates` of every order of every submission, within their domains."""
    total = Fraction(0)
    sold = {maker.product: Fraction(0) for maker in makers}
    for reading, moved in zip(readings, rates, strict=True):
        for order, rate in zip(reading.orders, moved, strict=True):
            total += value(order.ramps(ticks), rate)
            for k, weight in order.legs:
                sold[k] += weight * rate
        for cost in reading.costs:
            s = sum((g * moved[j] for j, g in cost.terms), start=Fraction(0))
            total += cost_value(cost, s)
    for maker in makers:
        u = sold[maker.product]
        total -= maker.reference * u + u * u / maker.epsilon / 2
    return total
