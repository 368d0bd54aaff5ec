"""SPEC §2: reading a body, rule by rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.reference.curves import Cost, Order, Steps

UNOPENED, MALFORMED, OVERSIZED, EXPIRED, UNCOVERED, RENT = 1, 2, 3, 4, 5, 6
UNIT_GAS = 2_560
GAS = {
    "submission": 14_500,
    "stand": 5_200,
    "byte": 25,
    "product": 11_400,
    "auth": 2_700,
    "leg": 1_000,
    "step": 500,
    "limit": 1_500,
    "cost": 3_500,
    "term": 900,
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
    kind: int = 0
    valid_until: int = 0
    orders: list[Order] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)

    @property
    def limited(self) -> list[int]:
        """Indices of the orders whose progress counts."""
        return [j for j, order in enumerate(self.orders) if order.limits is not None]

    def progress(self, done: Sequence[int]) -> list[int]:
        """Progress of every order."""
        found = dict(zip(self.limited, done, strict=True))
        return [found.get(j, 0) for j in range(len(self.orders))]


@dataclass
class Bounds:
    """What gas is spent against."""

    units: int
    ticks: Mapping[int, int]


def read(body: bytes, ct_length: int, units: int, ticks: Mapping[int, int]) -> Reading:
    reading = Reading()
    try:
        _read(reading, body, ct_length, Bounds(units, ticks))
    except VoidError as void:
        reading.reason = void.reason
        reading.orders, reading.costs = [], []
    return reading


def number(body: bytes, at: int, size: int, *, signed: bool = False) -> int:
    value = sum(byte << 8 * (size - 1 - i) for i, byte in enumerate(body[at : at + size]))
    return value - (1 << 8 * size) if signed and value >> (8 * size - 1) else value


def spend(reading: Reading, bounds: Bounds, gas: int) -> None:
    reading.gas += gas
    require(reading.gas <= bounds.units * UNIT_GAS, OVERSIZED)


def _read(reading: Reading, body: bytes, ct_length: int, bounds: Bounds) -> None:
    # rule 1
    require(len(body) >= 9)
    n_products = number(body, 6, 1)
    require(len(body) >= 9 + 2 * n_products)
    n_auths = number(body, 7 + 2 * n_products, 1)
    n_costs = number(body, 8 + 2 * n_products, 1)
    reading.kind = number(body, 0, 1)
    require(reading.kind <= 1)
    require(1 <= n_products <= 64)
    require(1 <= n_auths <= 64)
    require(n_costs <= 16)
    reading.valid_until = number(body, 1, 5)
    # rule 2
    gas = GAS["submission"] + GAS["stand"] * reading.kind
    spend(reading, bounds, gas + GAS["byte"] * ct_length + GAS["product"] * n_products)
    require(ct_length + 24 + 64 * n_products + 20 * n_costs <= 19 * bounds.units, OVERSIZED)
    # rule 3
    listed = [number(body, 7 + 2 * i, 2) for i in range(n_products)]
    for i, product in enumerate(listed):
        require(product in bounds.ticks)
        require(i == 0 or product > listed[i - 1])
    reading.products = listed
    start = 9 + 2 * n_products
    # rule 4
    if n_costs > 0:
        at = start
        for _ in range(n_auths):
            at += auth_length(body, at)
        for _ in range(n_costs):
            at = _read_cost(reading, body, at, n_auths, bounds)
        require(at == len(body))
    # rule 5
    at = start
    for j in range(n_auths):
        guard = sum(abs(g) for cost in reading.costs for index, g in cost.terms if index == j)
        at = _read_auth(reading, body, at, guard, bounds)
    # rule 6
    require(n_costs > 0 or at == len(body))
    touched = {product for order in reading.orders for product, _ in order.legs}
    require(touched == set(listed))


def curve_length(n_buy: int, n_sell: int) -> int:
    return 16 + (14 if n_buy > 0 and n_sell > 0 else 0) + 20 * (n_buy + n_sell)


def auth_length(body: bytes, at: int) -> int:
    """Whole length of the auth at `at`, all of it inside the body."""
    require(at + 4 <= len(body))
    flags, n_legs, n_buy, n_sell = (number(body, at + i, 1) for i in range(4))
    length = 4 + 4 * n_legs + (12 if flags == 1 else 0) + curve_length(n_buy, n_sell)
    require(at + length <= len(body))
    return length


def _read_cost(reading: Reading, body: bytes, at: int, n_auths: int, bounds: Bounds) -> int:
    require(at + 3 <= len(body))
    n_terms, n_buy, n_sell = (number(body, at + i, 1) for i in range(3))
    length = 3 + 4 * n_terms + curve_length(n_buy, n_sell)
    require(at + length <= len(body))
    require(1 <= n_terms <= 16)
    require(n_buy <= 16)
    require(n_sell <= 16)
    require(n_buy + n_sell >= 1)
    spend(reading, bounds, GAS["cost"] + GAS["term"] * n_terms + GAS["step"] * (n_buy + n_sell))
    terms = pairs(body, at + 3, n_terms)
    require(terms[-1][0] < n_auths)
    bid, ask, buy, sell = curve(body, at + 3 + 4 * n_terms, n_buy, n_sell)
    cost = Cost(tuple(terms), bid, ask, buy, sell)
    for _, ramp in cost.ramps():
        require(ramp.top - ramp.drop >= -(2**72))  # 2^112 X40
    reading.costs.append(cost)
    return at + length


def _read_auth(reading: Reading, body: bytes, at: int, guard: int, bounds: Bounds) -> int:
    length = auth_length(body, at)
    flags, n_legs, n_buy, n_sell = (number(body, at + i, 1) for i in range(4))
    require(flags <= 1)
    require(1 <= n_legs <= 16)
    require(n_buy <= 16)
    require(n_sell <= 16)
    require(n_buy + n_sell >= 1)
    gas = GAS["auth"] + GAS["leg"] * n_legs + GAS["step"] * (n_buy + n_sell)
    spend(reading, bounds, gas + GAS["limit"] * flags)
    legs = pairs(body, at + 4, n_legs)
    require(legs[-1][0] < len(reading.products))
    require(n_legs > 1 or legs[0][1] == 1)
    after = at + 4 + 4 * n_legs
    limits = (number(body, after, 6), number(body, after + 6, 6)) if flags else None
    bid, ask, buy, sell = curve(body, after + 12 * flags, n_buy, n_sell)
    order = Order(
        tuple((reading.products[i], w) for i, w in legs), bid, ask, buy, sell, limits, guard
    )
    for _, ramp in order.ramps(bounds.ticks):
        require(ramp.top - ramp.drop >= -(2**72))
    reading.orders.append(order)
    return at + length


def pairs(body: bytes, at: int, count: int) -> list[tuple[int, int]]:
    """Legs or terms: (index, factor), indices ascending, factors within 2^20 and not zero."""
    found = [
        (number(body, at + 4 * i, 1), number(body, at + 4 * i + 1, 3, signed=True))
        for i in range(count)
    ]
    indices = [index for index, _ in found]
    require(indices == sorted(set(indices)))
    require(all(1 <= abs(factor) <= 2**20 for _, factor in found))
    return found


def curve(
    body: bytes, at: int, n_buy: int, n_sell: int
) -> tuple[int | None, int | None, Steps, Steps]:
    """(bid, ask, buy steps, sell steps)."""
    two_sided = n_buy > 0 and n_sell > 0
    first = number(body, at, 16, signed=True)
    gap = number(body, at + 16, 14) if two_sided else 0
    at += 30 if two_sided else 16
    steps = tuple(
        (number(body, at + 20 * i, 6), number(body, at + 20 * i + 6, 14))
        for i in range(n_buy + n_sell)
    )
    buy, sell = steps[:n_buy], steps[n_buy:]
    require(abs(first) <= 2**112)
    require(first + gap <= 2**112)
    for side in (buy, sell):
        require(sum(width for width, _ in side) <= 2**48)
    return first if n_buy else None, first + gap if n_sell else None, buy, sell


def extra_words_gas(products: list[int], home: int | None) -> int:
    """Rule 8."""
    home = products[0] if home is None else home
    return GAS["word"] * len({product // 2 for product in products if product != home})


def guarded(orders: Sequence[Order], costs: Sequence[Cost]) -> list[Order]:
    """Orders with the coefficients that `costs` give them."""
    return [
        replace(order, guard=sum(abs(g) for cost in costs for i, g in cost.terms if i == j))
        for j, order in enumerate(orders)
    ]
