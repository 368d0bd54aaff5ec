"""A demand curve drawn with braille dots, for terminals. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from walras.units import exact_text

__all__ = ["Mark", "draw"]

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # bit by (row, column) in a cell
_MET, _MISSED = "●", "○"


class Mark(NamedTuple):
    """A point the trader asked for; ``met`` if the drawn curve runs through it."""

    rate: Fraction
    price: Fraction
    met: bool


def draw(
    curve: Sequence[tuple[Fraction, Fraction]],
    marks: Sequence[Mark],
    *,
    width: int = 48,
    height: int = 11,
) -> list[str]:
    """Lines of text: price upward, rate to the right, axis at rate 0.

    ``curve`` are the corners (rate, price), rates rising and prices falling; above its first price
    and below its last one the rate stays what it is there.
    """
    canvas = _Canvas(curve, marks, width, height)
    corners = [canvas.at(*corner) for corner in curve]
    top, bottom = 0, height * 4 - 1
    path = [(corners[0][0], top), *corners, (corners[-1][0], bottom)]
    for start, end in pairwise(path):
        canvas.line(start, end)
    return canvas.render(marks)


class _Canvas:
    def __init__(
        self,
        curve: Sequence[tuple[Fraction, Fraction]],
        marks: Sequence[Mark],
        width: int,
        height: int,
    ) -> None:
        rates = [r for r, _ in curve] + [m.rate for m in marks] + [Fraction(0)]
        prices = [p for _, p in curve] + [m.price for m in marks]
        self.width, self.height = width, height
        self.low, self.high = min(rates), max(rates)
        # a constant price has to look flat although its slope is one tick
        span = max(max(prices) - min(prices), max(map(abs, prices)) / 50) or Fraction(1)
        self.bottom, self.top = min(prices) - span / 8, max(prices) + span / 8
        self.cells = [[0] * width for _ in range(height)]

    def at(self, rate: Fraction, price: Fraction) -> tuple[int, int]:
        """Dot column and row of a point."""
        span = self.high - self.low or Fraction(1)
        x = round((rate - self.low) / span * (2 * self.width - 1))
        y = round((self.top - price) / (self.top - self.bottom) * (4 * self.height - 1))
        return x, y

    def line(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Dots from one to the other, both included."""
        (x0, y0), (x1, y1) = start, end
        count = max(abs(x1 - x0), abs(y1 - y0), 1)
        for i in range(count + 1):
            x, y = x0 + round((x1 - x0) * i / count), y0 + round((y1 - y0) * i / count)
            self.cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]

    def render(self, marks: Sequence[Mark]) -> list[str]:
        """The picture with its axes and labels."""
        zero = self.at(Fraction(0), self.top)[0] // 2
        rows = [
            [chr(0x2800 + c) if c else ("│" if i == zero else " ") for i, c in enumerate(row)]
            for row in self.cells
        ]
        labels = [""] * self.height
        for mark in marks:
            x, y = self.at(mark.rate, mark.price)
            rows[y // 4][x // 2] = _MET if mark.met else _MISSED
            labels[y // 4] = _short(mark.price)
        margin = max(map(len, labels))
        lines = [
            f"{label:>{margin}} ┤{''.join(row)}" for label, row in zip(labels, rows, strict=True)
        ]
        axis = "".join("┼" if i == zero else "─" for i in range(self.width))
        return [*lines, " " * margin + " └" + axis, " " * (margin + 2) + self._rate_labels(zero)]

    def _rate_labels(self, zero: int) -> str:
        row = [" "] * (self.width + 12)
        ends = [(0, self.low), (self.width - 1, self.high), (zero, Fraction(0))]
        for column, rate in ends:
            text = _short(rate)
            start = max(0, column - len(text) // 2)
            row[start : start + len(text)] = text
        return "".join(row).rstrip()


def _short(value: Fraction) -> str:
    return exact_text(value, places=4).removeprefix("≈")
