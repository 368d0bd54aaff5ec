"""SPEC §2: reading a body, rule by rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

from tests.reference.curves import Order

UNOPENED, MALFORMED, OVERSIZED, EXPIRED, UNCOVERED = 1, 2, 3, 4, 5
UNIT_GAS = 2_560
GAS = {
    "submission": 14_500,
    "byte": 25,
    "product": 11_400,
    "auth": 2_700,
    "leg": 1_000,
    "step": 500,
    "word": 23_500,
}


class VoidError(Exception):
    def __init__(self, reason: int) -> None:
        self.reason = reason


def require(condition: bool, reason: int = MALFORMED) -> None:
    if not condition:
        raise VoidError(reason)


@dataclass
class Reading:
    reason: int = 0
    gas: int = 0
    products: list[int] = field(default_factory=list)  # to be priced
    valid_until: int = 0
    orders: list[Order] = field(default_factory=list)


def read(body: bytes, ct_length: int, units: int, ticks: Mapping[int, int]) -> Reading:
    reading = Reading()
    try:
        _read(reading, body, ct_length, units, ticks)
    except VoidError as void:
        reading.reason = void.reason
        reading.orders = []
    return reading


def number(body: bytes, at: int, size: int, *, signed: bool = False) -> int:
    value = sum(byte << 8 * (size - 1 - i) for i, byte in enumerate(body[at : at + size]))
    return value - (1 << 8 * size) if signed and value >> (8 * size - 1) else value


def _read(
    reading: Reading, body: bytes, ct_length: int, units: int, ticks: Mapping[int, int]
) -> None:
    # rule 1
    require(len(body) >= 9)
    n_products = number(body, 6, 1)
    require(len(body) >= 9 + 2 * n_products)
    n_auths = number(body, 7 + 2 * n_products, 1)
    n_costs = number(body, 8 + 2 * n_products, 1)
    require(number(body, 0, 1) == 0)
    require(1 <= n_products <= 64)
    require(1 <= n_auths <= 64)
    require(n_costs == 0)
    reading.valid_until = number(body, 1, 5)
    # rule 2
    reading.gas += GAS["submission"] + GAS["byte"] * ct_length + GAS["product"] * n_products
    require(reading.gas <= units * UNIT_GAS, OVERSIZED)
    require(ct_length + 22 + 64 * n_products <= 19 * units, OVERSIZED)
    # rule 3
    listed = [number(body, 7 + 2 * i, 2) for i in range(n_products)]
    for i, product in enumerate(listed):
        require(product in ticks)
        require(i == 0 or product > listed[i - 1])
    reading.products = listed
    # rule 4
    at = 9 + 2 * n_products
    for _ in range(n_auths):
        at = _read_auth(reading, body, at, units, ticks)
    # rule 5
    require(at == len(body))
    touched = {product for order in reading.orders for product, _ in order.legs}
    require(touched == set(listed))


def _read_auth(reading: Reading, body: bytes, at: int, units: int, ticks: Mapping[int, int]) -> int:
    require(at + 4 <= len(body))
    flags, n_legs, n_buy, n_sell = (number(body, at + i, 1) for i in range(4))
    two_sided = n_buy > 0 and n_sell > 0
    length = 4 + 4 * n_legs + 16 + (14 if two_sided else 0) + 20 * (n_buy + n_sell)
    require(at + length <= len(body))
    require(flags == 0)
    require(1 <= n_legs <= 16)
    require(n_buy <= 16)
    require(n_sell <= 16)
    require(n_buy + n_sell >= 1)
    reading.gas += GAS["auth"] + GAS["leg"] * n_legs + GAS["step"] * (n_buy + n_sell)
    require(reading.gas <= units * UNIT_GAS, OVERSIZED)
    indices = [number(body, at + 4 + 4 * i, 1) for i in range(n_legs)]
    weights = [number(body, at + 5 + 4 * i, 3, signed=True) for i in range(n_legs)]
    require(indices == sorted(set(indices)))
    require(indices[-1] < len(reading.products))
    require(all(1 <= abs(weight) <= 2**20 for weight in weights))
    require(n_legs > 1 or weights == [1])
    prices_at = at + 4 + 4 * n_legs
    first = number(body, prices_at, 16, signed=True)
    gap = number(body, prices_at + 16, 14) if two_sided else 0
    steps_at = prices_at + (30 if two_sided else 16)
    steps = tuple(
        (number(body, steps_at + 20 * i, 6), number(body, steps_at + 20 * i + 6, 14))
        for i in range(n_buy + n_sell)
    )
    order = Order(
        legs=tuple((reading.products[i], w) for i, w in zip(indices, weights, strict=True)),
        bid=first if n_buy else None,
        ask=first + gap if n_sell else None,
        buy=steps[:n_buy],
        sell=steps[n_buy:],
    )
    require(abs(first) <= 2**112)
    require(first + gap <= 2**112)
    for side in (order.buy, order.sell):
        require(sum(width for width, _ in side) <= 2**48)
    for _, ramp in order.ramps(ticks):
        require(ramp.top - ramp.drop >= -(2**72))  # 2^112 X40
    reading.orders.append(order)
    return at + length


def extra_words_gas(products: list[int], home: int | None) -> int:
    """Rule 7."""
    home = products[0] if home is None else home
    return GAS["word"] * len({product // 2 for product in products if product != home})


def needed_cash(orders: list[Order]) -> int:
    """Rule 8, X40: the most each auth can pay."""
    total = Fraction(0)
    for order in orders:
        pays = [Fraction(0)]
        for _, first, steps in order.sides():
            pays.append(Fraction(first * sum(width for width, _ in steps)))
        total += max(pays)
    return ceil(total)


def needed_lots(orders: list[Order], product: int) -> int:
    """Rule 8, X44: the most of a product all auths together can deliver."""
    total = 0
    for order in orders:
        bought = sum(width for width, _ in order.buy)
        sold = sum(width for width, _ in order.sell)
        for k, weight in order.legs:
            if k == product:
                total += weight * sold if weight > 0 else -weight * bought
    return total * 2**44
