"""Wide integers in compiled loops against Python's own."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from walras.clearing.limbs import divide, integers, limbs

wide = st.integers(-(2**190), 2**190)


@given(st.lists(wide, max_size=5))
def test_there_and_back(values: list[int]) -> None:
    assert integers(limbs(values, 8)) == values


@given(st.lists(wide, min_size=1, max_size=5))
def test_limbs_are_carried(values: list[int]) -> None:
    assert np.all((limbs(values, 8)[:, :-1] >> 24) == 0)


magnitude = st.integers(0, 113).flatmap(lambda n: st.integers(max(1, 2**n - 2), 2**n + 2))


def divided(number: int, divisor: int) -> tuple[int, int]:
    written = np.zeros(6, np.int64)
    remainder = np.zeros(6, np.int64)
    divide(limbs([number], 10)[0], limbs([divisor], 5)[0], remainder, written)
    return integers(written[None])[0], integers(remainder[None])[0]


@settings(deadline=None)  # the first example compiles
@given(magnitude, st.integers(0, 2**120), st.integers(0, 2**113))
def test_division_is_exact(divisor: int, quotient: int, rest: int) -> None:
    number = divisor * quotient + rest % divisor
    assert divided(number, divisor) == (quotient, rest % divisor)


def test_digits_guessed_too_low_or_too_high_are_mended() -> None:
    """Quotients that are whole, or miss being whole by one part, sit where a float guess errs."""
    rng = random.Random(5)
    for _ in range(3_000):
        divisor, quotient = rng.getrandbits(113) + 1, rng.getrandbits(116)
        number = divisor * quotient
        assert divided(number, divisor) == (quotient, 0)
        assert divided(number + divisor - 1, divisor) == (quotient, divisor - 1)
