"""Integers wider than a machine word for compiled loops.

A number is a row of `int64` limbs of 24 bits, least significant first: value = Σ limb[i]·2^(24 i).
A row is *carried* when all limbs but the last lie in 0 .. 2^24 - 1; the last one then has the sign.
Between two carries there is room for 2^18 products of a limb and a weight (|w| <= 2^20).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from walras.clearing.jit import inline_kernel, kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

__all__ = ["BITS", "MASK", "approximate", "carry", "divide", "integers", "limbs", "positive"]

BITS = 24
MASK = (1 << BITS) - 1


def limbs(values: Sequence[int], count: int) -> Ints:
    """(len(values), count) carried rows of Python integers; each must fit `count` limbs, signed."""
    width = 3 * count  # a limb of 24 bits is three bytes
    raw = b"".join([value.to_bytes(width, "little", signed=True) for value in values])
    octets = np.frombuffer(raw, np.uint8).reshape(len(values), count, 3).astype(np.int64)
    rows: Ints = octets[:, :, 0] | octets[:, :, 1] << 8 | octets[:, :, 2] << 16
    rows[:, -1] -= (rows[:, -1] >> (BITS - 1)) << BITS
    return rows


def integers(rows: Ints) -> list[int]:
    """The Python integers of `rows`, carried or not."""
    rows = rows.copy()
    for i in range(rows.shape[1] - 1):
        rows[:, i + 1] += rows[:, i] >> BITS
        rows[:, i] &= MASK
    even = (rows.shape[1] - 1) & ~1  # two limbs fit a machine word, the last one may be large
    whole = rows[:, even].tolist() if even == rows.shape[1] - 1 else _joined(rows[:, even:])
    for i in range(even - 2, -1, -2):
        pair = (rows[:, i] | rows[:, i + 1] << BITS).tolist()
        whole = [low + (high << 2 * BITS) for low, high in zip(pair, whole, strict=True)]
    return whole


def _joined(rows: Ints) -> list[int]:
    return [low + (high << BITS) for low, high in rows.tolist()]


@inline_kernel
def carry(number: Ints) -> None:
    """Bring all limbs but the last into 0 .. 2^24 - 1."""
    for i in range(len(number) - 1):
        number[i + 1] += number[i] >> BITS
        number[i] &= MASK


@inline_kernel
def approximate(number: Ints) -> float:
    """The nearest float, to a relative 2^-51 for a carried number."""
    value = 0.0
    for i in range(len(number) - 1, -1, -1):
        value = value * (MASK + 1.0) + number[i]
    return value


@inline_kernel
def positive(number: Ints) -> bool:
    """Whether a carried number is above zero."""
    last = len(number) - 1
    answer = bool(number[last] > 0)
    if number[last] == 0:
        for i in range(last):
            answer = answer or bool(number[i] != 0)
    return answer


@inline_kernel
def _reaches(number: Ints, bound: Ints) -> bool:
    """Whether number >= bound, both carried and not negative; number has one limb more."""
    answer = True
    if number[len(bound)] == 0:
        for i in range(len(bound)):
            if number[i] != bound[i]:
                answer = bool(number[i] > bound[i])
    return answer


@inline_kernel
def _subtract(number: Ints, times: int | np.int64, bound: Ints) -> None:
    for i in range(len(bound)):
        number[i] -= times * bound[i]
    carry(number)


@kernel
def divide(number: Ints, divisor: Ints, remainder: Ints, quotient: Ints) -> None:
    """Write number // divisor, rounded down, and the remainder; number >= 0 is carried.

    Long division in base 2^24. Each digit is guessed from 50 bits of remainder and divisor, so it
    is off by one at most, which the exact remainder shows. `remainder` has one limb more than
    `divisor`.
    """
    size = approximate(divisor)
    remainder[:] = 0
    quotient[:] = 0
    for digit in range(len(number) - 1, -1, -1):
        for i in range(len(divisor), 0, -1):
            remainder[i] = remainder[i - 1]
        remainder[0] = number[digit]
        guess = np.int64(approximate(remainder) / size)
        if guess > 0:
            _subtract(remainder, guess, divisor)
        if remainder[len(divisor)] < 0:
            guess -= 1
            _subtract(remainder, -1, divisor)
        elif _reaches(remainder, divisor):
            guess += 1
            _subtract(remainder, 1, divisor)
        if digit < len(quotient):
            quotient[digit] = guess
