from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, trunc

from hypothesis import given
from hypothesis import strategies as st

from walras.numbers import ceil_div, ceil_sqrt, div_toward_zero, floor_div

WIDE = st.integers(-(2**220), 2**220)
DIVISORS = st.integers(1, 2**120)


@given(WIDE, DIVISORS)
def test_each_division_rounds_as_its_name_says(a: int, b: int) -> None:
    exact = Fraction(a, b)
    assert floor_div(a, b) == floor(exact)
    assert ceil_div(a, b) == ceil(exact)
    assert div_toward_zero(a, b) == trunc(exact)


@given(st.integers(0, 2**240))
def test_ceil_sqrt_is_the_least_root_from_above(a: int) -> None:
    root = ceil_sqrt(a)
    assert root * root >= a
    assert root == 0 or (root - 1) ** 2 < a
    assert ceil_sqrt(root * root) == root
