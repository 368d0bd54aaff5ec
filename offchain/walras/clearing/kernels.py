"""The inner loops: demand, gradient, curvature and line search, one pass over the orders each.

Notation: order i has legs (product, weight) and a demand curve through (rate, price). Prices are
deviations q = p - reference, curve prices likewise (price - w·reference), which keeps two or three
digits that absolute prices would lose. A proximal slope `soft[i]` around `centre[i]` tilts a curve,
    price'(x) = price(x) - soft (x - centre),
so that flat steps get a slope; `soft = 0` is the order itself. Every kernel has a NumPy reading in
tests/unit/clearing/reading.py.
"""

import numpy as np

from walras.clearing.book import Floats, Ints
from walras.clearing.jit import inline_kernel, kernel

__all__ = [
    "add_curvature",
    "along",
    "demand",
    "gather",
    "regrets",
    "scatter",
    "survey",
    "sweep",
    "system",
]


@inline_kernel
def demand(
    rate: Floats, price: Floats, first: int, last: int, soft: float, centre: float, level: float
) -> tuple[float, float]:
    """Demanded rate at price `level` and its slope -dx/dprice, on breakpoints first..last."""
    left = rate[first]
    high = price[first] - soft * (left - centre)
    if level >= high:
        return left, 0.0
    for j in range(first + 1, last + 1):
        right = rate[j]
        low = price[j] - soft * (right - centre)
        if level >= low:
            slope = (right - left) / (high - low)
            # from the nearer end: near rate 0 a long step would round away small fills
            if high - level <= level - low:
                return left + (high - level) * slope, slope
            return right - (level - low) * slope, slope
        left = right
        high = low
    return left, 0.0


@kernel
def survey(
    leg_ptr: Ints,
    leg_product: Ints,
    leg_weight: Floats,
    curve_ptr: Ints,
    curve_rate: Floats,
    curve_price: Floats,
    reference: Floats,
    scale: Floats,
    price: Floats,
    gross: Floats,
    flat: Ints,
    capacity: Floats,
    depth: Floats,
) -> None:
    """Shift curves to deviations and measure the book.

    Writes `price` (M,), `gross` (N,) = sum |w| scale, `flat` (N,) = 1 where a step has no slope,
    adds to `capacity` (K,) = sum |w| range and `depth` (K,) = sum w² range / gross.
    """
    for i in range(len(leg_ptr) - 1):
        origin = 0.0
        weight = 0.0
        for a in range(leg_ptr[i], leg_ptr[i + 1]):
            origin += leg_weight[a] * reference[leg_product[a]]
            weight += abs(leg_weight[a]) * scale[leg_product[a]]
        gross[i] = weight
        first, last = curve_ptr[i], curve_ptr[i + 1] - 1
        flat[i] = 0
        for j in range(first, last + 1):
            price[j] = curve_price[j] - origin
            if j > first and curve_rate[j] > curve_rate[j - 1]:
                if curve_price[j - 1] - curve_price[j] <= 1e-13 * weight:
                    flat[i] = 1
        reach = curve_rate[last] - curve_rate[first]
        for a in range(leg_ptr[i], leg_ptr[i + 1]):
            w = abs(leg_weight[a])
            capacity[leg_product[a]] += w * reach
            if weight > 0.0:
                depth[leg_product[a]] += w * w * (reach / weight)


@kernel
def gather(leg_ptr: Ints, leg_product: Ints, leg_weight: Floats, q: Floats, level: Floats) -> None:
    """level = W q."""
    for i in range(len(leg_ptr) - 1):
        total = 0.0
        for a in range(leg_ptr[i], leg_ptr[i + 1]):
            total += leg_weight[a] * q[leg_product[a]]
        level[i] = total


@kernel
def scatter(
    leg_ptr: Ints, leg_product: Ints, leg_weight: Floats, fill: Floats, total: Floats
) -> Floats:
    """total += W'fill; returns it."""
    for i in range(len(leg_ptr) - 1):
        x = fill[i]
        if x != 0.0:
            for a in range(leg_ptr[i], leg_ptr[i + 1]):
                total[leg_product[a]] += leg_weight[a] * x
    return total


@kernel
def sweep(
    leg_ptr: Ints,
    leg_product: Ints,
    leg_weight: Floats,
    curve_ptr: Ints,
    rate: Floats,
    price: Floats,
    soft: Floats,
    centre: Floats,
    q: Floats,
    level: Floats,
    fill: Floats,
    slope: Floats,
    gradient: Floats,
) -> None:
    """At prices q: level = W q, fill = demand, slope = -dfill/dlevel, gradient -= W'fill."""
    for i in range(len(leg_ptr) - 1):
        begin, end = leg_ptr[i], leg_ptr[i + 1]
        total = 0.0
        for a in range(begin, end):
            total += leg_weight[a] * q[leg_product[a]]
        level[i] = total
        x, d = demand(rate, price, curve_ptr[i], curve_ptr[i + 1] - 1, soft[i], centre[i], total)
        fill[i] = x
        slope[i] = d
        if x != 0.0:
            for a in range(begin, end):
                gradient[leg_product[a]] -= leg_weight[a] * x


@kernel
def along(
    curve_ptr: Ints,
    rate: Floats,
    price: Floats,
    soft: Floats,
    centre: Floats,
    level: Floats,
    direction: Floats,
    step: float,
) -> tuple[float, float]:
    """Derivative of the dual along `direction` after `step`, and its own derivative."""
    first = 0.0
    second = 0.0
    for i in range(len(level)):
        move = direction[i]
        if move != 0.0:
            x, d = demand(
                rate,
                price,
                curve_ptr[i],
                curve_ptr[i + 1] - 1,
                soft[i],
                centre[i],
                level[i] + step * move,
            )
            first -= move * x
            second += move * move * d
    return first, second


@kernel
def add_curvature(
    leg_ptr: Ints,
    leg_product: Ints,
    leg_weight: Floats,
    slope: Floats,
    counted: Floats,
    hessian: Floats,
) -> int:
    """hessian += sum (slope - counted) w w' (lower triangle; products ascend), counted = slope.

    Returns how many orders changed: zero means the last step stayed within one quadratic piece.
    """
    changed = 0
    for i in range(len(leg_ptr) - 1):
        change = slope[i] - counted[i]
        if change != 0.0:
            changed += 1
            counted[i] = slope[i]
            for a in range(leg_ptr[i], leg_ptr[i + 1]):
                row = leg_product[a]
                scaled = change * leg_weight[a]
                for b in range(leg_ptr[i], a + 1):
                    hessian[row, leg_product[b]] += scaled * leg_weight[b]
    return changed


@kernel
def system(hessian: Floats, damping: Floats, unit: Floats, matrix: Floats) -> None:
    """matrix = S (hessian + diag damping) S, lower triangle, S = diag(unit) making its diagonal one."""
    size = len(damping)
    for i in range(size):
        diagonal = hessian[i, i] + damping[i]
        unit[i] = 1.0 / np.sqrt(diagonal) if diagonal > 0.0 else 1.0
        for j in range(i):
            matrix[i, j] = hessian[i, j] * unit[i] * unit[j]
        matrix[i, i] = diagonal * unit[i] * unit[i] if diagonal > 0.0 else 1.0


@kernel
def regrets(
    curve_ptr: Ints, rate: Floats, price: Floats, level: Floats, fill: Floats, regret: Floats
) -> float:
    """regret[i] = integral of |price(t) - level| between the fill and the demand; returns the surplus.

    The surplus is sum of integral of price(t) dt from 0 to the fill, less nothing. A fill outside
    its curve has an infinite regret.
    """
    surplus = 0.0
    for i in range(len(fill)):
        first, last = curve_ptr[i], curve_ptr[i + 1] - 1
        x = fill[i]
        here = level[i]
        lost = 0.0
        gain = 0.0
        if not (rate[first] <= x <= rate[last]):
            lost = np.inf
        for j in range(first, last):
            left, right = rate[j], rate[j + 1]
            if right <= left:
                continue
            high, low = price[j], price[j + 1]
            fall = (high - low) / (right - left)
            # missed: the part of the step right of the fill that is worth more than its price
            a = max(left, x)
            if a < right:
                above = high - fall * (a - left) - here
                if above > 0.0:
                    below = max(low - here, 0.0)
                    width = right - a if low >= here else min(above / fall, right - a)
                    lost += 0.5 * (above + below) * width
            # regretted: the part of the step left of the fill that is worth less than its price
            b = min(right, x)
            if b > left:
                under = here - (high - fall * (b - left))
                if under > 0.0:
                    over = max(here - high, 0.0)
                    width = b - left if high <= here else min(under / fall, b - left)
                    lost += 0.5 * (under + over) * width
            # value between rate 0 and the fill
            if x > 0.0:
                a, b = max(left, 0.0), min(right, x)
            else:
                a, b = max(left, x), min(right, 0.0)
            if b > a:
                value = (high - fall * (0.5 * (a + b) - left)) * (b - a)
                gain += value if x > 0.0 else -value
        regret[i] = lost
        surplus += gain
    return surplus
