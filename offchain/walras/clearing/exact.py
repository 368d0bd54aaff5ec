"""Exact demand of a whole book: the certificate's arithmetic as compiled loops over 24-bit limbs.

Prices are X112 and quantities X72 here: the X84 and X44 of the protocol with `GUARD` = 28 further bits,
so that a root can be found to a small fraction of an ulp before it is rounded. A number is a row of
`int64` limbs, least significant first, value = sum(limb[i] << 24 i); all limbs but the last lie in
0 .. 2^24 - 1, the last one carries the sign. 24 bits leave room to add 2^15 products of limb and weight
before a carry is due.

Every curve is a sum of ramps. A ramp of side s = 1 (buy) or -1 (sell) demands, at portfolio price π,

    s · width · clamp((top - s·π) / drop, 0, 1)

which is one step of SPEC §3 (`top` = m, and the mirrored side for sells).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from walras.clearing.jit import inline_kernel, kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

__all__ = ["GUARD", "PRICE_BITS", "QUANTITY_BITS", "ExactBook", "Response"]

GUARD = 28
PRICE_BITS = 84 + GUARD
QUANTITY_BITS = 44 + GUARD
_LIMB = 24
_MASK = (1 << _LIMB) - 1
_PRICE_LIMBS = 8  # portfolio prices and curve prices: below 2^(162 + GUARD)
_DROP_LIMBS = 5  # drops: at most 2^113
_QUANTITY_LIMBS = 5  # one auth's demand: at most 2^(92 + GUARD)
_PRODUCT_LIMBS = _PRICE_LIMBS + 2  # price times width


@dataclass(frozen=True, slots=True)
class Response:
    """What a book demands at one price vector.

    demand: per product, lots X72 the auths want to buy, net.
    tolerance: per product, c of SPEC §6 in ulps of X44.
    sloped: per product, how many auths on a slope touch it.
    ramp: per auth, the ramp its price lies on, or -1.
    """

    demand: tuple[int, ...]
    tolerance: Ints
    sloped: Ints
    ramp: Ints


@dataclass(frozen=True, slots=True)
class ExactBook:
    """The trading auths of a batch as arrays of exact numbers, products numbered 0 to K-1.

    leg_ptr (N+1,), leg_product, leg_weight: portfolios.
    ramp_ptr (N+1,), ramp_side, ramp_width, ramp_top (R, 8), ramp_drop (R, 5): curves, tops falling
    within each side; tops X112, drops X40, widths whole units.
    reference X40 and scale X24: per product, Python integers.
    """

    leg_ptr: Ints
    leg_product: Ints
    leg_weight: Ints
    ramp_ptr: Ints
    ramp_side: Ints
    ramp_width: Ints
    ramp_top: Ints
    ramp_drop: Ints
    reference: tuple[int, ...]
    scale: tuple[int, ...]

    @classmethod
    def build(
        cls,
        portfolios: Sequence[Sequence[tuple[int, int]]],
        curves: Sequence[Sequence[tuple[int, int, int, int]]],
        reference: Sequence[int],
        scale: Sequence[int],
    ) -> "ExactBook":
        """From portfolios [(product, weight)] and curves [(side, top X40, drop X40, width)]."""
        legs = [leg for portfolio in portfolios for leg in portfolio]
        ramps = [ramp for curve in curves for ramp in curve]
        shift = PRICE_BITS - 40
        return cls(
            leg_ptr=_pointers(portfolios),
            leg_product=np.array([product for product, _ in legs], np.int64),
            leg_weight=np.array([weight for _, weight in legs], np.int64),
            ramp_ptr=_pointers(curves),
            ramp_side=np.array([ramp[0] for ramp in ramps], np.int64),
            ramp_width=np.array([ramp[3] for ramp in ramps], np.int64),
            ramp_top=_limbs([ramp[1] << shift for ramp in ramps], _PRICE_LIMBS),
            ramp_drop=_limbs([ramp[2] for ramp in ramps], _DROP_LIMBS),
            reference=tuple(reference),
            scale=tuple(scale),
        )

    @property
    def products(self) -> int:
        """K."""
        return len(self.scale)

    def respond(self, prices: Sequence[int], *, on_chain: bool = False) -> Response:
        """Demand at X112 `prices`; with `on_chain`, demands are rounded as SPEC §3 rounds."""
        demand = np.zeros((self.products, _QUANTITY_LIMBS), np.int64)
        tolerance = np.zeros(self.products, np.int64)
        sloped = np.zeros(self.products, np.int64)
        ramp = np.empty(len(self.leg_ptr) - 1, np.int64)
        _respond(
            self.leg_ptr,
            self.leg_product,
            self.leg_weight,
            self.ramp_ptr,
            self.ramp_side,
            self.ramp_width,
            self.ramp_top,
            self.ramp_drop,
            _limbs(prices, _PRICE_LIMBS),
            on_chain,
            demand,
            tolerance,
            sloped,
            ramp,
        )
        return Response(tuple(_integers(demand)), tolerance, sloped, ramp)

    def maker(self, prices: Sequence[int]) -> list[int]:
        """What the maker sells at X112 prices, lots X72, rounded down: 2^-10 lot per 100 % of scale."""
        shift = PRICE_BITS - 40
        return [
            (price - (reference << shift)) // (scale << 26)
            for price, reference, scale in zip(prices, self.reference, self.scale, strict=True)
        ]

    def accepts(self, prices: Sequence[int]) -> bool:
        """Whether X84 `prices` pass [C-1] of SPEC §6 on every product."""
        fine = [price << GUARD for price in prices]
        answer = self.respond(fine, on_chain=True)
        excess = [
            (demand >> GUARD) - (supply >> GUARD)
            for demand, supply in zip(answer.demand, self.maker(fine), strict=True)
        ]
        return all(abs(e) <= c + 2 for e, c in zip(excess, answer.tolerance.tolist(), strict=True))

    def capacity(self) -> list[int]:
        """Per product, the most lots all auths together could trade, buys and sells added."""
        rate = np.add.reduceat(np.append(self.ramp_width, 0), self.ramp_ptr[:-1]).tolist()
        lots = [0] * self.products
        row = np.repeat(np.arange(len(rate)), np.diff(self.leg_ptr)).tolist()
        for i, k, w in zip(row, self.leg_product.tolist(), self.leg_weight.tolist(), strict=True):
            lots[k] += abs(w) * rate[i]
        return lots

    def slopes(self, ramp: Ints) -> Floats:
        """Slope of each auth on its `ramp`, lots per cash unit; 0 off every ramp."""
        drop = self.ramp_drop @ np.ldexp(1.0, _LIMB * np.arange(_DROP_LIMBS) - 40)
        on = ramp >= 0
        slope = np.zeros(len(ramp))
        slope[on] = self.ramp_width[ramp[on]] / drop[ramp[on]]
        return slope

    def drop(self, ramp: int) -> int:
        """Exact drop X40 of one ramp."""
        return _integers(self.ramp_drop[ramp : ramp + 1])[0]


def _pointers(rows: Sequence[Sequence[object]]) -> Ints:
    return np.array([0, *accumulate(len(row) for row in rows)], np.int64)


def _limbs(values: Sequence[int], count: int) -> Ints:
    """Rows of `count` limbs, the last one signed. 24 bits are three bytes: numpy splits them."""
    width = 3 * count
    raw = b"".join([value.to_bytes(width, "little", signed=True) for value in values])
    octets = np.frombuffer(raw, np.uint8).reshape(len(values), count, 3).astype(np.int64)
    limbs = octets[:, :, 0] | octets[:, :, 1] << 8 | octets[:, :, 2] << 16
    limbs[:, -1] -= (limbs[:, -1] >> (_LIMB - 1)) << _LIMB
    return limbs


def _integers(limbs: Ints) -> list[int]:
    return [sum(limb << _LIMB * i for i, limb in enumerate(row)) for row in limbs.tolist()]


@inline_kernel
def _carry(number: Ints) -> None:
    """Bring all limbs but the last into 0 .. 2^24 - 1."""
    for i in range(len(number) - 1):
        number[i + 1] += number[i] >> _LIMB
        number[i] &= _MASK


@inline_kernel
def _approximate(number: Ints) -> float:
    value = 0.0
    for i in range(len(number) - 1, -1, -1):
        value = value * (_MASK + 1.0) + number[i]
    return value


@kernel
def _divide(number: Ints, divisor: Ints, remainder: Ints, quotient: Ints) -> None:
    """quotient = number // divisor for number >= 0; schoolbook, digits guessed in floating point.

    A guess from 53 bits is off by at most one, which the exact remainder shows.
    """
    scale = _approximate(divisor)
    remainder[:] = 0
    quotient[:] = 0
    count = len(divisor)
    for digit in range(len(number) - 1, -1, -1):
        for i in range(count, 0, -1):
            remainder[i] = remainder[i - 1]
        remainder[0] = number[digit]
        guess = np.int64(_approximate(remainder) / scale)
        if guess > 0:
            for i in range(count):
                remainder[i] -= guess * divisor[i]
            _carry(remainder)
        if remainder[count] < 0:
            guess -= 1
            for i in range(count):
                remainder[i] += divisor[i]
            _carry(remainder)
        elif not _below(remainder, divisor):
            guess += 1
            for i in range(count):
                remainder[i] -= divisor[i]
            _carry(remainder)
        if digit < len(quotient):
            quotient[digit] = guess


@inline_kernel
def _below(left: Ints, right: Ints) -> bool:
    """left < right, both non-negative and carried; left has one limb more."""
    answer = False
    if left[len(right)] == 0:
        for i in range(len(right) - 1, -1, -1):
            if left[i] != right[i]:
                answer = left[i] < right[i]
                break
    return answer


@kernel
def _respond(
    leg_ptr: Ints,
    leg_product: Ints,
    leg_weight: Ints,
    ramp_ptr: Ints,
    ramp_side: Ints,
    ramp_width: Ints,
    ramp_top: Ints,
    ramp_drop: Ints,
    prices: Ints,
    on_chain: bool,
    demand: Ints,
    tolerance: Ints,
    sloped: Ints,
    ramp: Ints,
) -> None:
    """One pass over the auths: SPEC §3 for each, its legs added to the products."""
    level = np.empty(_PRICE_LIMBS, np.int64)
    below = np.empty(_PRICE_LIMBS, np.int64)
    beyond = np.empty(_PRICE_LIMBS, np.int64)
    product = np.empty(_PRODUCT_LIMBS, np.int64)
    remainder = np.empty(_DROP_LIMBS + 1, np.int64)
    quotient = np.empty(_QUANTITY_LIMBS, np.int64)
    rate = np.empty(_QUANTITY_LIMBS, np.int64)
    for auth in range(len(leg_ptr) - 1):
        level[:] = 0
        gross = 0
        for leg in range(leg_ptr[auth], leg_ptr[auth + 1]):
            weight = leg_weight[leg]
            gross += abs(weight)
            for i in range(_PRICE_LIMBS):
                level[i] += weight * prices[leg_product[leg], i]
        rate[:] = 0
        side = 1
        on_slope = False
        ramp[auth] = -1
        for step in range(ramp_ptr[auth], ramp_ptr[auth + 1]):
            width = ramp_width[step]
            if width == 0:
                continue
            for i in range(_PRICE_LIMBS):
                below[i] = ramp_top[step, i] - ramp_side[step] * level[i]
                beyond[i] = -below[i]
            for i in range(_DROP_LIMBS):
                beyond[i + QUANTITY_BITS // _LIMB] += ramp_drop[step, i]
            _carry(below)
            _carry(beyond)
            if below[_PRICE_LIMBS - 1] >= 0:
                side = ramp_side[step]
                if beyond[_PRICE_LIMBS - 1] < 0 or not np.any(beyond):
                    rate[3] += width & _MASK
                    rate[4] += width >> _LIMB
                else:
                    low = width & _MASK
                    high = width >> _LIMB
                    product[:] = 0
                    for i in range(_PRICE_LIMBS):
                        product[i] += below[i] * low
                        product[i + 1] += below[i] * high
                    _carry(product)
                    _divide(product, ramp_drop[step], remainder, quotient)
                    if on_chain:
                        quotient[0] = 0
                        quotient[1] &= ~((1 << (GUARD - _LIMB)) - 1)
                    for i in range(_QUANTITY_LIMBS):
                        rate[i] += quotient[i]
                    ramp[auth] = step
            # The window: below > -W and beyond > -W, W in X84.
            below[1] += gross << (GUARD - _LIMB)
            beyond[1] += gross << (GUARD - _LIMB)
            _carry(below)
            _carry(beyond)
            if (below[_PRICE_LIMBS - 1] >= 0 and np.any(below)) and (
                beyond[_PRICE_LIMBS - 1] >= 0 and np.any(beyond)
            ):
                on_slope = True
        _carry(rate)
        for leg in range(leg_ptr[auth], leg_ptr[auth + 1]):
            target = leg_product[leg]
            weight = leg_weight[leg] * side
            for i in range(_QUANTITY_LIMBS):
                demand[target, i] += weight * rate[i]
            if on_slope:
                tolerance[target] += abs(weight) + 1
                sloped[target] += 1
