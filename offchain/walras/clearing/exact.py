"""Exact demand of a whole book: the certificate's arithmetic in compiled loops.

Prices are X112 and quantities X72 here: the X84 and X44 of the protocol with `GUARD` = 28 further
bits, so that a root can be found to a small fraction of an ulp before it is rounded.

Every curve is a sum of ramps. A ramp of side s = 1 (buy) or -1 (sell) demands, at the portfolio
price π,

    s · width · clamp((top - s·π) / drop, 0, 1)

which is one step of SPEC §3: `top` is its m, on the mirrored side for sells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, Self

import numpy as np

from walras.clearing.jit import inline_kernel, kernel
from walras.clearing.limbs import (
    BITS,
    MASK,
    Floats,
    Ints,
    carry,
    divide,
    integers,
    limbs,
    positive,
)

__all__ = ["GUARD", "PRICE_BITS", "QUANTITY_BITS", "ExactBook", "Response", "Rows"]

GUARD = 28
PRICE_BITS = 84 + GUARD
QUANTITY_BITS = 44 + GUARD
_PRICE = 8  # limbs of curve and portfolio prices: below 2^(162 + GUARD)
_DROP = 5  # of drops: at most 2^113
_QUANTITY = 5  # of one auth's demand: at most 2^(92 + GUARD)
_PRODUCT = _PRICE + 2  # of a price times a width
_WHOLE = QUANTITY_BITS // BITS  # limb where whole units begin
_COARSE = ~((1 << GUARD - BITS) - 1)  # what X44 keeps of the second limb of X72


class Rows(NamedTuple):
    """The auths as arrays: N auths, R ramps.

    leg_ptr (N+1,), leg_product, leg_weight: portfolios. ramp_ptr (N+1,), ramp_side, ramp_width
    (R,) whole units, ramp_top (R, 8) limbs X112, ramp_drop (R, 5) limbs X40: curves, with tops
    falling within each side; high and fall (R,): the floats next to top and drop, both X112.
    """

    leg_ptr: Ints
    leg_product: Ints
    leg_weight: Ints
    ramp_ptr: Ints
    ramp_side: Ints
    ramp_width: Ints
    ramp_top: Ints
    ramp_drop: Ints
    high: Floats
    fall: Floats


class Response(NamedTuple):
    """What a book demands at one price vector.

    demand (K, 5): lots X72 the auths want, net, in limbs. tolerance (K,): c of SPEC §6.
    sloped (K,): how many auths on a slope touch the product. ramp (N,): the ramp the auth's price
    lies on, or -1.
    """

    demand: Ints
    tolerance: Ints
    sloped: Ints
    ramp: Ints


@dataclass(frozen=True, slots=True)
class ExactBook:
    """The trading auths of a batch; products are numbered 0 to K-1.

    reference (X40) and scale (X24) by product are Python integers.
    """

    rows: Rows
    reference: tuple[int, ...]
    scale: tuple[int, ...]

    @classmethod
    def build(
        cls,
        portfolios: Sequence[Sequence[tuple[int, int]]],
        curves: Sequence[Sequence[tuple[int, int, int, int]]],
        reference: Sequence[int],
        scale: Sequence[int],
    ) -> Self:
        """From portfolios [(product, weight)] and curves [(side, top X40, drop X40, width)]."""
        legs = np.array([leg for row in portfolios for leg in row], np.int64).reshape(-1, 2)
        ramps = [ramp for curve in curves for ramp in curve]
        top = limbs([ramp[1] << PRICE_BITS - 40 for ramp in ramps], _PRICE)
        drop = limbs([ramp[2] for ramp in ramps], _DROP)
        return cls(
            Rows(
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
            ),
            tuple(reference),
            tuple(scale),
        )

    @property
    def products(self) -> int:
        """K."""
        return len(self.scale)

    @property
    def auths(self) -> int:
        """N."""
        return len(self.rows.leg_ptr) - 1

    def respond(self, prices: Sequence[int], *, on_chain: bool = False) -> Response:
        """Demand at X112 `prices`; with `on_chain`, rates are rounded to X44 as in SPEC §3."""
        price = limbs(prices, _PRICE)
        answer = Response(
            demand=np.zeros((self.products, _QUANTITY), np.int64),
            tolerance=np.zeros(self.products, np.int64),
            sloped=np.zeros(self.products, np.int64),
            ramp=np.full(self.auths, -1, np.int64),
        )
        _respond(self.rows, price, _floats(price), on_chain, answer)
        return answer

    def maker(self, prices: Sequence[int]) -> list[int]:
        """Lots X72 the maker sells at X112 `prices`, rounded down: 2^-10 per 100 % of scale."""
        shift = PRICE_BITS - 40
        return [
            (price - (reference << shift)) // (scale << 26)
            for price, reference, scale in zip(prices, self.reference, self.scale, strict=True)
        ]

    def excess(self, prices: Sequence[int]) -> list[int]:
        """E of SPEC §6 for each product at X84 `prices`, in ulps beyond the tolerance c + 2."""
        fine = [price << GUARD for price in prices]
        answer = self.respond(fine, on_chain=True)
        residues = zip(
            integers(answer.demand), self.maker(fine), answer.tolerance.tolist(), strict=True
        )
        return [
            max(0, abs((demand >> GUARD) - (supply >> GUARD)) - tolerance - 2)
            for demand, supply, tolerance in residues
        ]

    def accepts(self, prices: Sequence[int]) -> bool:
        """Whether X84 `prices` pass [C-1] of SPEC §6 on every product."""
        return not any(self.excess(prices))

    def capacity(self) -> list[int]:
        """Per product, the most lots all auths together could trade, buys and sells added."""
        total = np.concatenate([[0], np.cumsum(self.rows.ramp_width)])
        rate = total[self.rows.ramp_ptr[1:]] - total[self.rows.ramp_ptr[:-1]]
        traded = np.repeat(rate, np.diff(self.rows.leg_ptr)).tolist()
        lots = [0] * self.products
        legs = zip(self.rows.leg_product.tolist(), self.rows.leg_weight.tolist(), strict=True)
        for (product, weight), units in zip(legs, traded, strict=True):
            lots[product] += abs(weight) * units
        return lots

    def slopes(self, ramp: Ints) -> Floats:
        """(N,) slope of each auth on its `ramp`, lots per cash unit; 0 off every ramp."""
        slope = np.zeros(self.auths)
        on = ramp >= 0
        width = np.ldexp(self.rows.ramp_width[ramp[on]].astype(float), PRICE_BITS)
        slope[on] = width / self.rows.fall[ramp[on]]
        return slope

    def drop(self, ramp: int) -> int:
        """Exact drop X40 of one ramp."""
        return integers(self.rows.ramp_drop[ramp : ramp + 1])[0]


def _pointers(rows: Sequence[Sequence[object]]) -> Ints:
    return np.array([0, *accumulate(len(row) for row in rows)], np.int64)


def _floats(rows: Ints) -> Floats:
    value = np.zeros(len(rows))
    for column in rows.T[::-1]:
        value = value * (MASK + 1.0) + column
    return value


@kernel
def _respond(
    rows: Rows, prices: Ints, prices_near: Floats, on_chain: bool, answer: Response
) -> None:
    """SPEC §3 for every auth, added to the products of its legs.

    Floats with a bound on their error settle which auths are far from every slope; the others,
    and all quantities, are exact.
    """
    level = np.empty(_PRICE, np.int64)
    rate = np.empty(_QUANTITY, np.int64)
    below = np.empty(_PRICE, np.int64)
    beyond = np.empty(_PRICE, np.int64)
    for auth in range(len(rows.leg_ptr) - 1):
        first, last = rows.leg_ptr[auth], rows.leg_ptr[auth + 1]
        near, size, gross = _near_level(rows, prices_near, first, last)
        exact = False
        sloped = False
        side = 1
        rate[:] = 0
        for step in range(rows.ramp_ptr[auth], rows.ramp_ptr[auth + 1]):
            top = rows.high[step]
            gap = top - rows.ramp_side[step] * near
            margin = 2.0**-47 * (size + abs(top) + rows.fall[step]) + 2.0**GUARD * 2 * gross
            if gap < -margin:
                continue
            if gap > rows.fall[step] + margin:
                side = rows.ramp_side[step]
                _add_width(rows.ramp_width[step], rate)
                continue
            if not exact:
                _exact_level(rows, prices, first, last, level)
                exact = True
            _measure(rows, step, level, below, beyond)
            if below[_PRICE - 1] >= 0:
                side = rows.ramp_side[step]
                if positive(beyond):
                    _add_fraction(rows, step, below, on_chain, rate)
                    answer.ramp[auth] = step
                else:
                    _add_width(rows.ramp_width[step], rate)
            sloped = _within_window(below, beyond, gross) or sloped
        carry(rate)
        _deliver(rows, first, last, rate, side, sloped, answer)


@inline_kernel
def _near_level(rows: Rows, prices_near: Floats, first: int, last: int) -> tuple[float, float, int]:
    """Π in floating point, the sum of the sizes of its terms, and W."""
    near = 0.0
    size = 0.0
    gross = 0
    for leg in range(first, last):
        term = rows.leg_weight[leg] * prices_near[rows.leg_product[leg]]
        near += term
        size += abs(term)
        gross += abs(rows.leg_weight[leg])
    return near, size, gross


@inline_kernel
def _exact_level(rows: Rows, prices: Ints, first: int, last: int, level: Ints) -> None:
    """Π X112, not carried."""
    level[:] = 0
    for leg in range(first, last):
        for i in range(_PRICE):
            level[i] += rows.leg_weight[leg] * prices[rows.leg_product[leg], i]


@inline_kernel
def _measure(rows: Rows, step: int, level: Ints, below: Ints, beyond: Ints) -> None:
    """How far the price lies below the top of a ramp, and above its bottom; both carried."""
    for i in range(_PRICE):
        below[i] = rows.ramp_top[step, i] - rows.ramp_side[step] * level[i]
        beyond[i] = -below[i]
    for i in range(_DROP):
        beyond[i + _WHOLE] += rows.ramp_drop[step, i]
    carry(below)
    carry(beyond)


@inline_kernel
def _within_window(below: Ints, beyond: Ints, gross: int) -> bool:
    """Sloped: within W, in X84, of the inside of the ramp. Overwrites both measures."""
    below[1] += gross << (GUARD - BITS)
    beyond[1] += gross << (GUARD - BITS)
    carry(below)
    carry(beyond)
    return positive(below) and positive(beyond)


@inline_kernel
def _add_width(width: int, rate: Ints) -> None:
    rate[_WHOLE] += width & MASK
    rate[_WHOLE + 1] += width >> BITS


@kernel
def _add_fraction(rows: Rows, step: int, below: Ints, on_chain: bool, rate: Ints) -> None:
    """Add ⌊below · width / drop⌋ to a rate."""
    product = np.zeros(_PRODUCT, np.int64)
    remainder = np.empty(_DROP + 1, np.int64)
    quotient = np.empty(_QUANTITY, np.int64)
    low, high = rows.ramp_width[step] & MASK, rows.ramp_width[step] >> BITS
    for i in range(_PRICE):
        product[i] += below[i] * low
        product[i + 1] += below[i] * high
    carry(product)
    divide(product, rows.ramp_drop[step], remainder, quotient)
    if on_chain:
        quotient[0] = 0
        quotient[1] &= _COARSE
    for i in range(_QUANTITY):
        rate[i] += quotient[i]


@inline_kernel
def _deliver(
    rows: Rows, first: int, last: int, rate: Ints, side: int, sloped: bool, answer: Response
) -> None:
    """Add an auth's legs to the demand of their products, and to the tolerances if sloped."""
    for leg in range(first, last):
        product = rows.leg_product[leg]
        weight = side * rows.leg_weight[leg]
        for i in range(_QUANTITY):
            answer.demand[product, i] += weight * rate[i]
        if sloped:
            answer.tolerance[product] += abs(weight) + 1
            answer.sloped[product] += 1
