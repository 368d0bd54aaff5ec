"""Formulae of one product: tick, maker, next reference, bounds, house (SPEC §1, §6, §8)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product as every
from typing import Any

from tests.reference import formulae

LOW, HIGH = 1 << 24, 1 << 54  # scales
SCALES = (LOW, LOW + 1, 100 << 24, 123_456_789_012_345, HIGH)
PRICE = 2**138 - 1
MOST = 2**96 - 1


def build() -> dict[str, Any]:
    return {
        "tick": list(tick_cases()),
        "maker": list(maker_cases()),
        "reference": list(reference_cases()),
        "loss": list(loss_cases()),
        "freedom": list(freedom_cases()),
        "house": list(house_cases()),
    }


def tick_cases() -> Iterator[dict[str, int]]:
    for scale, bps in every(SCALES, (1, 2, 99, 255)):
        yield {"scale": scale, "tickBps": bps, "tick": formulae.tick(scale, bps)}


def maker_cases() -> Iterator[dict[str, int]]:
    for scale in SCALES:
        for reference in (scale << 13, scale << 16, (scale << 19) - 1):
            at, unit = reference << 44, scale << 26
            for price in (at, at + 1, at - 1, at + unit, at + unit - 1, at - unit, at - unit - 1):
                yield maker_case(price, reference, scale)
            for price in (0, PRICE, -PRICE, at + 12_345 * unit + 6):
                yield maker_case(price, reference, scale)


def maker_case(price: int, reference: int, scale: int) -> dict[str, int]:
    sold = formulae.maker(price, reference, scale)
    return {"price": price, "reference": reference, "scale": scale, "sold": sold}


def reference_cases() -> Iterator[dict[str, int]]:
    rng = random.Random(5)
    for scale, depth in every(SCALES, (0, 20, 52)):
        for reference in (scale << 13, scale << 16, scale << 19):
            at = reference << 44
            drift = (scale << 16) // 200 << 44
            for _ in range(4):
                price = at + rng.choice((-1, 1)) * rng.choice((0, 1, drift, drift // 3, 9 * drift))
                volume = rng.choice((0, 2**44 - 1, 2**44, rng.randrange(2**70), 2**95)) + 5
                yield reference_case(price, reference, scale, depth, volume)
    yield reference_case(PRICE, HIGH << 16, HIGH, 0, MOST)
    yield reference_case(-PRICE, HIGH << 16, HIGH, 0, MOST)


def reference_case(
    price: int, reference: int, scale: int, depth: int, volume: int
) -> dict[str, int]:
    return {
        "price": price,
        "reference": reference,
        "scale": scale,
        "depthLog2": depth,
        "volume": volume,
        "next": formulae.next_reference(price, reference, scale, depth, volume),
    }


def loss_cases() -> Iterator[dict[str, Any]]:
    for slopes, costs in (
        *((slopes, 0) for slopes in (0, 1, 2**89 - 1, 2**89, 2**89 + 1, 2**120)),
        (0, 1),
        (2**89 - 1, 2**44 - 1),
        (2**89 + 1, 2**44 + 1),
        (0, 2**230),
    ):
        for lines in ([], [(0, LOW)], [(1, LOW), (-2, HIGH)], [(-(2**39), HIGH)] * 3):
            yield {
                "slopes": slopes,
                "excesses": [e for e, _ in lines],
                "scales": [scale for _, scale in lines],
                "costs": costs,
                "loss": formulae.loss(slopes, lines, costs),
            }


def freedom_cases() -> Iterator[dict[str, Any]]:
    for lines in (
        [],
        [(0, 0, LOW)],
        [(2, 1, LOW)],
        [(2, 2**44, LOW), (0, 2**44 + 1, HIGH)],
        [(51, 10**6 << 44, 100 << 24), (3, 5 << 43, 1 << 30), (2, 0, 1 << 50)],
        [(2**39, 2**95, HIGH)] * 4,
    ):
        for spans in (0, 1, 2**80 - 1, 2**80, 2**130 + 1):
            yield {
                "gross": [gross for gross, _, _ in lines],
                "volumes": [volume for _, volume, _ in lines],
                "scales": [scale for _, _, scale in lines],
                "spans": spans,
                "freedom": formulae.freedom(lines, spans),
            }


def house_cases() -> Iterator[dict[str, int]]:
    for cover_cap, scale in every((1, 2**20, 10**12, 2**66 - 1, 2**66), SCALES):
        k = formulae.house_log2(cover_cap, scale)
        yield {
            "coverCap": cover_cap,
            "scale": scale,
            "houseLog2": k,
            "leastCash": formulae.least_house_cash([(scale, k)]),
        }
