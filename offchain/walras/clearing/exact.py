"""A whole book in the integers of the certificate.

Prices are X112 and quantities X72 here: the X84 and X44 of the protocol with `GUARD` = 28 further
bits, so that a root can be found to a small fraction of an ulp before it is rounded.

A cost is an auth on a product of its own: price λ, weight 1, the cost's curve, no market maker; the
auths of its combination hold it with weight -g. So rows and columns are products, then costs, and
one sweep answers for both (MATHEMATICS §5).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple, Self

import numpy as np

from walras.clearing.limbs import BITS, MASK, Floats, Ints, integers, limbs
from walras.clearing.sweep import (
    DROP,
    GUARD,
    PRICE_BITS,
    QUANTITY,
    QUANTITY_BITS,
    Response,
    Rows,
    sweep,
)

__all__ = ["GUARD", "PRICE_BITS", "QUANTITY_BITS", "Coupling", "ExactBook", "Response", "Rows"]

Ramp = tuple[int, int, int, int]  # side, top X40, drop X40, width

_PRICE = 8  # limbs of curve and portfolio prices: below 2^(162 + GUARD)
_EFFECTIVE = 9  # of effective prices, shadow prices included: below 2^(181 + GUARD)


class Coupling(NamedTuple):
    """One cost: `terms` (auth, coefficient), its own `ramps`, the ends of its prices X40."""

    terms: tuple[tuple[int, int], ...]
    ramps: tuple[Ramp, ...]
    bottom: int
    top: int


@dataclass(frozen=True)
class ExactBook:
    """The trading auths of a batch and their costs; products are numbered 0 to K-1.

    reference (X40) and scale (X24) by product, curves and rooms (X72 left to buy and to sell, None
    without limits) by auth are Python integers.
    """

    rows: Rows
    reference: tuple[int, ...]
    scale: tuple[int, ...]
    curves: Sequence[Sequence[Ramp]] = field(repr=False)
    rooms: Sequence[tuple[int, int] | None] = field(repr=False)
    costs: tuple[Coupling, ...] = field(repr=False)

    @classmethod
    def build(
        cls,
        portfolios: Sequence[Sequence[tuple[int, int]]],
        curves: Sequence[Sequence[Ramp]],
        reference: Sequence[int],
        scale: Sequence[int],
        rooms: Sequence[tuple[int, int] | None] = (),
        costs: Sequence[Coupling] = (),
    ) -> Self:
        """From portfolios [(product, weight)] and curves [(side, top X40, drop X40, width)].

        `rooms` X44 (left to buy, left to sell) by auth, if any has limits.
        """
        rooms = [room and (room[0] << GUARD, room[1] << GUARD) for room in rooms]
        rooms = rooms or [None] * len(portfolios)
        held: list[list[tuple[int, int]]] = [list(row) for row in portfolios]
        for number, cost in enumerate(costs, start=len(scale)):
            for auth, coefficient in cost.terms:
                held[auth].append((number, -coefficient))
            held.append([(number, 1)])
        every = [*curves, *(cost.ramps for cost in costs)]
        rows = _rows(held, every, rooms, _EFFECTIVE if costs else _PRICE)
        return cls(rows, tuple(reference), tuple(scale), curves, rooms, tuple(costs))

    @property
    def products(self) -> int:
        """K."""
        return len(self.scale)

    @property
    def auths(self) -> int:
        """N."""
        return self.rows.auths

    @cached_property
    def boxes(self) -> list[tuple[int, int]]:
        """Least and highest shadow price X112 of each cost."""
        shift = PRICE_BITS - 40
        return [(cost.bottom << shift, cost.top << shift) for cost in self.costs]

    def respond(
        self, prices: Sequence[int], shadows: Sequence[int] = (), *, on_chain: bool = False
    ) -> Response:
        """Demand at X112 `prices` and `shadows`; `on_chain` rounds rates to X44 as in SPEC §3."""
        price = limbs([*prices, *shadows], self.rows.ramp_top.shape[1])
        size = self.products + len(self.costs)
        answer = Response(
            demand=np.zeros((size, QUANTITY), np.int64),
            tolerance=np.zeros(size, np.int64),
            sloped=np.zeros(size, np.int64),
            ramp=np.full(self.auths + len(self.costs), -1, np.int64),
        )
        sweep(self.rows, price, _floats(price), on_chain, answer)
        return answer

    def maker(self, prices: Sequence[int]) -> list[int]:
        """Lots X72 the maker sells at X112 `prices`, rounded down: 2^-10 per 100 % of scale."""
        shift = PRICE_BITS - 40
        return [
            (price - (reference << shift)) // (scale << 26)
            for price, reference, scale in zip(prices, self.reference, self.scale, strict=True)
        ]

    def excess(self, prices: Sequence[int], shadows: Sequence[int] = ()) -> list[int]:
        """Ulps beyond the tolerance at X84 `prices` and `shadows`, by product and then by cost.

        [C-1] of SPEC §6 and [C-5] of SPEC §3; a shadow price beyond its curve counts as infinitely
        far off.
        """
        fine = [price << GUARD for price in prices]
        shadow = [price << GUARD for price in shadows]
        answer = self.respond(fine, shadow, on_chain=True)
        demand = [lots >> GUARD for lots in integers(answer.demand)]
        tolerance = [2 + c for c in answer.tolerance.tolist()]
        beyond = [
            max(0, abs(lots - (supply >> GUARD)) - most)
            for lots, supply, most in zip(demand, self.maker(fine), tolerance, strict=False)
        ]
        own = slice(self.products, None)
        for missing, most, price, (bottom, top) in zip(
            demand[own], tolerance[own], shadow, self.boxes, strict=True
        ):
            excused = (price == bottom and missing < 0) or (price == top and missing > 0)
            off = 0 if excused else max(0, abs(missing) - most)
            beyond.append(off if bottom <= price <= top else 1 << 200)
        return beyond

    def accepts(self, prices: Sequence[int], shadows: Sequence[int] = ()) -> bool:
        """Whether X84 `prices` and `shadows` pass [C-1] and [C-5] everywhere."""
        return not any(self.excess(prices, shadows))

    def capacity(self) -> list[int]:
        """Per product, the most lots all auths together could trade, buys and sells added."""
        total = np.concatenate([[0], np.cumsum(self.rows.ramp_width)])
        rate = total[self.rows.ramp_ptr[1:]] - total[self.rows.ramp_ptr[:-1]]
        traded = np.repeat(rate, np.diff(self.rows.leg_ptr)).tolist()
        lots = [0] * (self.products + len(self.costs))
        legs = zip(self.rows.leg_product.tolist(), self.rows.leg_weight.tolist(), strict=True)
        for (product, weight), units in zip(legs, traded, strict=True):
            lots[product] += abs(weight) * units
        return lots[: self.products]

    def slopes(self, ramp: Ints) -> Floats:
        """Slope of each curve on its `ramp`, units per cash unit; 0 off every ramp."""
        slope = np.zeros(len(ramp))
        on = ramp >= 0
        width = np.ldexp(self.rows.ramp_width[ramp[on]].astype(float), PRICE_BITS)
        slope[on] = width / self.rows.fall[ramp[on]]
        return slope

    def drop(self, ramp: int) -> int:
        """Exact drop X40 of one ramp."""
        return integers(self.rows.ramp_drop[ramp : ramp + 1])[0]


def _rows(
    portfolios: Sequence[Sequence[tuple[int, int]]],
    curves: Sequence[Sequence[Ramp]],
    rooms: Sequence[tuple[int, int] | None],
    width: int,
) -> Rows:
    legs = np.array([leg for row in portfolios for leg in row], np.int64).reshape(-1, 2)
    ramps = [ramp for curve in curves for ramp in curve]
    top = limbs([ramp[1] << PRICE_BITS - 40 for ramp in ramps], width)
    drop = limbs([ramp[2] for ramp in ramps], DROP)
    limited = [i for i, room in enumerate(rooms) if room is not None]
    return Rows(
        leg_ptr=_pointers(portfolios),
        leg_product=np.ascontiguousarray(legs[:, 0]),
        leg_weight=np.ascontiguousarray(legs[:, 1]),
        ramp_ptr=_pointers(curves),
        ramp_side=np.array([ramp[0] for ramp in ramps], np.int64),
        ramp_width=np.array([ramp[3] for ramp in ramps], np.int64),
        ramp_top=top,
        ramp_drop=drop,
        high=_floats(top),
        fall=np.ldexp(_floats(drop), PRICE_BITS - 40),
        limited=np.bincount(limited, minlength=len(portfolios)).astype(np.int64),
        room=_room(rooms, limited),
        auths=len(rooms),
    )


def _room(rooms: Sequence[tuple[int, int] | None], limited: Sequence[int]) -> Ints:
    """(N, 2, 5) limbs X72, zero without limits; empty if nobody has any."""
    if not limited:
        return np.zeros((0, 2, QUANTITY), np.int64)
    wide = limbs([side for i in limited for side in rooms[i] or ()], QUANTITY + 1)
    wide[:, QUANTITY - 1] += wide[:, QUANTITY] << BITS
    room = np.zeros((len(rooms), 2, QUANTITY), np.int64)
    room[limited] = wide[:, :QUANTITY].reshape(-1, 2, QUANTITY)
    return room


def _pointers(rows: Sequence[Sequence[object]]) -> Ints:
    return np.array([0, *accumulate(len(row) for row in rows)], np.int64)


def _floats(rows: Ints) -> Floats:
    value = np.zeros(len(rows))
    for column in rows.T[::-1]:
        value = value * (MASK + 1.0) + column
    return value
