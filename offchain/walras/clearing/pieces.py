"""One curve in Python integers, for the few that a submission couples.

Prices are X112; quantities have `FINE` bits more than the X72 of the book.
"""

from collections.abc import Sequence
from typing import NamedTuple

from walras.clearing.exact import Ramp
from walras.clearing.sweep import PRICE_BITS, QUANTITY_BITS

__all__ = ["FINE", "Curve", "Piece", "curve_of"]

FINE = 32
_SHIFT = PRICE_BITS - 40
_UNIT = QUANTITY_BITS + FINE


class Piece(NamedTuple):
    """A ramp: above `top` (mirrored by `side`) it asks for nothing; X112."""

    side: int
    top: int
    fall: int  # X112
    drop: int  # X40
    width: int


class Curve(NamedTuple):
    """Ramps, and what limits leave to buy and to sell; quantities X104."""

    pieces: tuple[Piece, ...]
    room: tuple[int, int] | None

    def demand(self, level: int) -> tuple[int, Piece | None]:
        """Demand at `level`, and the ramp it lies on if it moves there."""
        rate, sign, on = 0, 1, None
        for piece in self.pieces:
            below = piece.top - piece.side * level
            if below < 0:
                continue
            sign = piece.side
            if below < piece.fall:
                rate += (below * piece.width << FINE) // piece.drop
                on = piece
            else:
                rate += piece.width << _UNIT
        if self.room is not None:
            most = self.room[0] if sign > 0 else self.room[1]
            if rate > most:
                return sign * most, None
        return sign * rate, on


def curve_of(ramps: Sequence[Ramp], room: tuple[int, int] | None) -> Curve:
    """From ramps (prices X40) and a room X72."""
    fine = room and (room[0] << FINE, room[1] << FINE)
    pieces = tuple(
        Piece(side, top << _SHIFT, drop << _SHIFT, drop, width) for side, top, drop, width in ramps
    )
    return Curve(pieces, fine)
