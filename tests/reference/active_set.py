"""The clearing price of a small book in exact fractions: the slow, obvious reference of the engine.

Newton on the dual in prices and shadow prices together, with an exact line search, in `Fraction`s.
The dual is piecewise quadratic, so the search ends with a step that solves its piece exactly: the
residual of the answer is zero, not small. Needs sloped curves and a maker on every product.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from walras.clearing import Book

Vector = list[Fraction]
Curve = list[tuple[Fraction, Fraction]]  # (rate, price)
Term = list[tuple[int, Fraction]]  # (row of the prices, weight)
Gradient = Callable[[Vector], tuple[Vector, list[Vector]]]


@dataclass(frozen=True)
class Exact:
    """prices (K,), fills (N,), shadow prices (G,), surplus: all exact."""

    prices: Vector
    fills: Vector
    shadow: Vector
    surplus: Fraction


def demand(points: list[tuple[Fraction, Fraction]], level: Fraction) -> tuple[Fraction, Fraction]:
    """Demanded rate at `level` and -d rate / d level, on (rate, price) breakpoints."""
    if level >= points[0][1]:
        return points[0][0], Fraction(0)
    for (left, high), (right, low) in pairwise(points):
        if low <= level < high:
            slope = (right - left) / (high - low)
            return left + (high - level) * slope, slope
    return points[-1][0], Fraction(0)


def value(points: list[tuple[Fraction, Fraction]], fill: Fraction) -> Fraction:
    """Integral of price from rate 0 to `fill`."""
    total = Fraction(0)
    low, high = min(fill, Fraction(0)), max(fill, Fraction(0))
    for (left, top), (right, bottom) in pairwise(points):
        begin, end = max(left, low), min(right, high)
        if end > begin:
            fall = (top - bottom) / (right - left)
            total += (top - fall * ((begin + end) / 2 - left)) * (end - begin)
    return total if fill >= 0 else -total


def solve(matrix: list[Vector], right: Vector) -> Vector:
    """Gaussian elimination with pivoting, for a matrix that may be semidefinite."""
    size = len(right)
    rows = [[*row, side] for row, side in zip(matrix, right, strict=True)]
    for k in range(size):
        pivot = max(range(k, size), key=lambda r: abs(rows[r][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        if rows[k][k] == 0:  # nothing bends in this direction: stay, or walk if something pulls
            rows[k][k] = Fraction(1, 1000)
        for r in range(size):
            if r != k and rows[r][k]:
                factor = rows[r][k] / rows[k][k]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[k], strict=True)]
    return [rows[k][size] / rows[k][k] for k in range(size)]


def clear_exactly(book: Book, steps: int = 400) -> Exact:
    """The clearing of `book`; raises `ArithmeticError` when `steps` do not reach it."""
    if book.maker is None:
        raise ArithmeticError("without a maker prices need not be unique")
    curves, terms = _curves(book), _terms(book)
    reference = [Fraction(p) for p in book.reference_price] + [Fraction(0)] * book.groups
    maker = [Fraction(e) for e in book.maker] + [Fraction(0)] * book.groups
    point = list(reference)

    def gradient(at: Vector) -> tuple[Vector, list[Vector]]:
        slope = [e * (p - r) for e, p, r in zip(maker, at, reference, strict=True)]
        bend = [[Fraction(0)] * len(at) for _ in at]
        for k, e in enumerate(maker):
            bend[k][k] = e
        for curve, term in zip(curves, terms, strict=True):
            x, d = demand(curve, sum((w * at[k] for k, w in term), Fraction(0)))
            for k, w in term:
                slope[k] -= w * x
                for other, v in term:
                    bend[k][other] += w * v * d
        return slope, bend

    for _ in range(steps):
        slope, bend = gradient(point)
        if not any(slope):
            return _answer(book, curves, terms, point, reference, maker)
        move = solve(bend, [-g for g in slope])
        full = [p + m for p, m in zip(point, move, strict=True)]
        if not any(gradient(full)[0]):
            point = full
            continue
        step = _search(curves, terms, point, move, gradient)
        point = [_short(p + step * m) for p, m in zip(point, move, strict=True)]
    raise ArithmeticError(f"no exact clearing after {steps} steps")


def _search(
    curves: list[Curve], terms: list[Term], point: Vector, move: Vector, gradient: Gradient
) -> Fraction:
    """The exact root of the directional derivative: bisection over the breakpoints it crosses."""

    def slope(step: Fraction) -> Fraction:
        at = [p + step * m for p, m in zip(point, move, strict=True)]
        return sum((g * m for g, m in zip(gradient(at)[0], move, strict=True)), Fraction(0))

    kinks = set()
    for curve, term in zip(curves, terms, strict=True):
        level = sum((w * point[k] for k, w in term), Fraction(0))
        pace = sum((w * move[k] for k, w in term), Fraction(0))
        if pace:
            kinks |= {(price - level) / pace for _, price in curve}
    ends = sorted(kink for kink in kinks if kink > 0)
    before = len(ends)
    first, last = 0, len(ends)
    while first < last:
        middle = (first + last) // 2
        if slope(ends[middle]) >= 0:
            last = middle
        else:
            first = middle + 1
    low = ends[first - 1] if first else Fraction(0)
    high = ends[first] if first < before else low + 1
    at_low, at_high = slope(low), slope(high)
    return low - at_low * (high - low) / (at_high - at_low)


def _short(number: Fraction) -> Fraction:
    """The same to about 120 bits: exact steps would double their digits each time."""
    if number == 0:
        return number
    shift = 120 - (abs(number.numerator).bit_length() - number.denominator.bit_length())
    scaled = number * Fraction(2) ** shift
    return Fraction(round(scaled)) / Fraction(2) ** shift


def _curves(book: Book) -> list[list[tuple[Fraction, Fraction]]]:
    curves = []
    for ptr, rate, price in (
        (book.curve_ptr, book.curve_rate, book.curve_price),
        (book.group_curve_ptr, book.group_curve_rate, book.group_curve_price),
    ):
        for begin, end in pairwise(ptr):
            points = zip(rate[begin:end], price[begin:end], strict=True)
            curves.append([(Fraction(x), Fraction(m)) for x, m in points])
    return curves


def _terms(book: Book) -> list[list[tuple[int, Fraction]]]:
    """Level of each curve as a linear form in (prices, shadow prices)."""
    terms = [
        [(int(book.leg_product[a]), Fraction(book.leg_weight[a])) for a in range(begin, end)]
        for begin, end in pairwise(book.leg_ptr)
    ]
    for d in range(book.groups):
        for a in range(book.group_ptr[d], book.group_ptr[d + 1]):
            coefficient = -Fraction(book.group_coefficient[a])
            terms[book.group_order[a]].append((book.products + d, coefficient))
        terms.append([(book.products + d, Fraction(1))])
    return terms


def _answer(
    book: Book,
    curves: list[Curve],
    terms: list[Term],
    point: Vector,
    reference: Vector,
    maker: Vector,
) -> Exact:
    fills = [
        demand(curve, sum((w * point[k] for k, w in term), Fraction(0)))[0]
        for curve, term in zip(curves, terms, strict=True)
    ]
    surplus = sum((value(c, x) for c, x in zip(curves, fills, strict=True)), Fraction(0))
    for p, r, e in zip(point, reference, maker, strict=True):
        surplus -= e * (p - r) * r + e * (p - r) ** 2 / 2
    size = book.products
    return Exact(point[:size], fills[: book.orders], point[size:], surplus)
