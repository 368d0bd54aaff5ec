"""Exact line search: the length at which a slope that falls along a direction passes zero."""

import math
from collections.abc import Sequence

__all__ = ["Line"]

_LONGEST = 40  # bits before the point


class Line:
    """The next length to try along a direction on which the slope falls monotonically through 0.

    Lengths are multiples of 2^-bits, told apart to `digits` bits.
    """

    def __init__(self, bits: int = 60, digits: int = 50) -> None:
        self.bits = bits
        self._digits = digits
        self._one = 1 << bits
        self._length = self._one
        self._low, self._high = 0, 0  # high = 0: no bound yet

    @property
    def whole(self) -> bool:
        """Whether the length is 1: the Newton step itself."""
        return self._length == self._one

    def moved(self, start: Sequence[int], direction: Sequence[int]) -> list[int]:
        """Start + length · direction, rounded down."""
        length, bits = self._length, self.bits
        return [at + (d * length >> bits) for at, d in zip(start, direction, strict=True)]

    @property
    def exhausted(self) -> bool:
        """Whether the zero is bracketed as closely as lengths resolve."""
        if not self._high:
            return self._length >> self.bits + _LONGEST > 0
        return self._high - self._low <= max(4, self._low >> self._digits)

    def next(self, slope: float, bend: float) -> None:
        """Newton from a slope and its rate of fall (both relative to the slope at 0), bracketed."""
        if slope > 0:
            self._low = self._length
        else:
            self._high = self._length
        low, high = self._low, self._high
        ahead = slope / bend if bend > 0 else math.inf
        far = int(math.ldexp(ahead, self.bits)) if abs(ahead) < 2.0**60 else self._length << 20
        guess = self._length + far
        margin = (high - low) // 100
        if not high:
            self._length = min(max(guess, 2 * low), 1_000_000 * low)
        elif low + margin < guess < high - margin:
            self._length = guess
        else:
            self._length = (low + high) // 2 if 20 * low > high else high // 10
