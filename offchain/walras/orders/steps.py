"""Points of a curve in chain integers into the steps the contract stores."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from walras.auths import Step

__all__ = ["steps_below", "whole"]


def steps_below(points: Sequence[tuple[int, int]], gross: int, floor: int) -> tuple[Step, ...]:
    """Steps whose curve never lies above ``points`` and meets each that is steep enough.

    ``gross`` and ``floor`` as in ``auths.drops``. Where the guard max(floor, gross²·width) makes a
    step fall further than asked, the steps after it give the difference back as soon as they can.
    """
    steps = []
    price = points[0][1] if points else 0
    for (left, _), (right, asked) in pairwise(points):
        width = right - left
        if width == 0 and price <= asked:
            continue
        guard = max(floor, gross * gross * width)
        increment = max(0, price - guard - asked)
        price -= guard + increment
        steps.append(Step(width, increment))
    return tuple(steps)


def whole(value: Fraction) -> int:
    """An integer that a choice of scale has made exact."""
    assert value.denominator == 1, value
    return value.numerator
