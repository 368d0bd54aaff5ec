"""SPEC §1, §6 and §8: the formulae of one product, in natural units."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import ceil, floor, isqrt, trunc


def ceil_root(value: int) -> int:
    root = isqrt(value)
    return root if root * root == value else root + 1


def tick(scale: int, tick_bps: int) -> int:
    """X40 per lot."""
    return ceil(Fraction(scale, 2**24) * Fraction(tick_bps, 10_000) * 2**40)


def maker(price: int, reference: int, scale: int) -> int:
    """Lots X44 sold: 2^-10 lot per 100 % of scale."""
    distance = Fraction(price, 2**84) - Fraction(reference, 2**40)
    return floor(distance / Fraction(scale, 2**24) / 2**10 * 2**44)


def next_reference(price: int, reference: int, scale: int, depth_log2: int, volume: int) -> int:
    lots = volume // 2**44
    share = Fraction(lots, lots + 2**depth_log2)
    move = trunc((Fraction(price, 2**44) - reference) * share)
    most = scale * 2**16 // 200
    moved = reference + max(-most, min(most, move))
    return max(scale * 2**13, min(scale * 2**19, moved))


def loss(slopes: int, excesses: Iterable[tuple[int, int]]) -> int:
    """[C-3] X40; `excesses` are (e, scale)."""
    return ceil(Fraction(slopes, 2**89)) + ceil(
        sum(
            (Fraction((abs(e) + 1) ** 2 * scale, 2**63) for e, scale in excesses), start=Fraction(0)
        )
    )


def freedom(products: Iterable[tuple[int, int, int]]) -> int:
    """[C-4] X40; `products` are (C, volume X44, scale)."""
    reach = size = 0
    for gross, volume, scale in products:
        reach += (4 * (gross + 2)) ** 2 * scale
        size += ceil(Fraction(volume, 2**44)) ** 2 * scale
    return ceil(Fraction(ceil_root(reach) * ceil_root(size), 2**18))


def house_log2(cover_cap: int, scale: int) -> int:
    """Smallest k with 2^k ≥ ⌈√(2·coverCap·2^14 / s)⌉ + 1."""
    ratio = Fraction(2 * cover_cap * 2**14, scale)
    root = ceil_root(ceil(ratio))
    k = 0
    while 2**k < root + 1:
        k += 1
    return k


def least_house_cash(products: Iterable[tuple[int, int]]) -> int:
    """X40; `products` are (scale, houseLog2)."""
    return sum(8 * scale * 2**k * 2**16 for scale, k in products)
