"""Bodies: every rule kept at its boundary and broken just beyond it (SPEC §2, rules 1-5)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from tests.reference import formulae, wire
from tests.vectors.cases.codec import show_order

COUNT = 70
PRODUCTS = [
    {"id": k, "scale": (1 + 977 * k) << 24, "tickBps": 1 + 7 * k % 255} for k in range(COUNT)
]
TICKS = {p["id"]: formulae.tick(p["scale"], p["tickBps"]) for p in PRODUCTS}
OVERHEAD = 69
TOP_PRICE = 2**112
TOP_RATE = 2**48
Pairs = Sequence[tuple[int, int]]
Case = tuple[str, bytes, int | None, int]  # name, body, declared units, ciphertext length or 0


def body(
    products: Sequence[int],
    *auths: bytes,
    kind: int = 0,
    valid_until: int = 0,
    n_products: int | None = None,
    n_auths: int | None = None,
    n_costs: int = 0,
) -> bytes:
    return b"".join(
        (
            bytes((kind,)),
            valid_until.to_bytes(5),
            bytes((len(products) if n_products is None else n_products,)),
            *(product.to_bytes(2) for product in products),
            bytes((len(auths) if n_auths is None else n_auths, n_costs)),
            *auths,
        )
    )


def auth(
    legs: Pairs = ((0, 1),),
    first: int = 100 << 40,
    buy: Pairs = (),
    sell: Pairs = (),
    *,
    gap: int | None = None,
    flags: int = 0,
    counts: tuple[int, int, int] | None = None,
) -> bytes:
    if gap is None and buy and sell:
        gap = 0
    return b"".join(
        (
            bytes((flags, *(counts or (len(legs), len(buy), len(sell))))),
            *(bytes((index,)) + weight.to_bytes(3, signed=True) for index, weight in legs),
            first.to_bytes(16, signed=True),
            b"" if gap is None else gap.to_bytes(14),
            *(width.to_bytes(6) + increment.to_bytes(14) for width, increment in (*buy, *sell)),
        )
    )


BUY = auth(buy=((1000, 5),))
SELL = auth(sell=((1000, 5),))
PAIR = auth(((0, 3), (1, -2)), -7 << 40, ((10, 0), (0, 9)), ((4, 1 << 50),), gap=1 << 41)


def build() -> dict[str, Any]:
    cases = [*heads(), *auths(), *curves(), *endings(), *capacity(), *mutations()]
    return {
        "products": [p | {"tick": TICKS[p["id"]]} for p in PRODUCTS],
        "cases": [decoded(*case) for case in cases],
    }


def decoded(name: str, raw: bytes, units: int | None, length: int) -> dict[str, Any]:
    length = length or OVERHEAD + len(raw)
    units = 255 if units is None else units
    reading = wire.read(raw, length, units, TICKS)
    case = {
        "name": name,
        "body": raw,
        "length": length,
        "units": units,
        "reason": reading.reason,
        "gas": reading.gas,
        "products": reading.products,
        "submission": None,
        "cover": None,
    }
    if not reading.reason:
        case["submission"] = {
            "validUntil": reading.valid_until,
            "auths": [show_order(order) for order in reading.orders],
        }
        case["cover"] = {
            "cash": wire.needed_cash(reading.orders),
            "lots": {k: wire.needed_lots(reading.orders, k) for k in reading.products},
        }
    return case


def named(cases: dict[str, bytes]) -> Iterator[Case]:
    for name, raw in cases.items():
        yield name, raw, None, 0


def heads() -> Iterator[Case]:
    """Rules 1 and 3."""
    whole = body([0], BUY)
    yield from named({f"cut to {n} bytes": whole[:n] for n in (0, 1, 6, 7, 8, 9, 10, 11, 12)})
    yield from named(
        {
            "one buy": whole,
            "valid until the end of time": body([0], BUY, valid_until=2**40 - 1),
            "kind 1": body([0], BUY, kind=1),
            "kind 255": body([0], BUY, kind=255),
            "no products": body([], BUY),
            "no products, no auths": body([]),
            "no auths": body([0]),
            "64 auths": body([0], *[BUY] * 64),
            "65 auths": body([0], *[BUY] * 65),
            "one auth more than there is": body([0], BUY, n_auths=2),
            "one auth fewer than there is": body([0], BUY, BUY, n_auths=1),
            "a cost": body([0], BUY, n_costs=1),
            "more products than bytes": body([0], BUY, n_products=255),
            "highest product": body([COUNT - 1], BUY),
            "unknown product": body([COUNT], BUY),
            "product 65535": body([65_535], BUY),
            "products equal": body([3, 3], PAIR),
            "products descending": body([4, 3], PAIR),
            "products ascending, second unknown": body([3, COUNT], PAIR),
            "unknown product and kind 1": body([COUNT], BUY, kind=1),
        }
    )
    for count in (27, 64, 65):
        many = body(range(count), *(auth(((k, 1),), buy=((1, 0),)) for k in range(min(count, 64))))
        yield f"{count} products", many, None, 0


def auths() -> Iterator[Case]:
    """Rule 4: shape and legs."""
    sixteen = [(k, k + 1) for k in range(16)]
    ids = range(16)
    yield from named(
        {
            "one sell": body([0], SELL),
            "a two-sided pair": body([5, 9], PAIR),
            "flags 1": body([0], auth(buy=((1, 0),), flags=1)),
            "flags 128": body([0], auth(buy=((1, 0),), flags=128)),
            "no legs": body([0], auth((), buy=((1, 0),))),
            "no steps": body([0], auth()),
            "16 legs": body(ids, auth(sixteen, buy=((1, 0),))),
            "17 legs": body(range(17), auth([(k, 1) for k in range(17)], buy=((1, 0),))),
            "16 buy steps": body([0], auth(buy=((1, 0),) * 16)),
            "17 buy steps": body([0], auth(buy=((1, 0),) * 17)),
            "16 sell steps": body([0], auth(sell=((1, 0),) * 16)),
            "17 sell steps": body([0], auth(sell=((1, 0),) * 17)),
            "16 steps on both sides": body([0], auth(buy=((1, 0),) * 16, sell=((2, 0),) * 16)),
            "255 legs that are not there": body([0], auth(buy=((1, 0),), counts=(255, 1, 0))),
            "a buy step that is not there": body([0], auth(buy=((1, 0),), counts=(1, 2, 0))),
            "a sell step that is not there": body([0], auth(buy=((1, 0),), counts=(1, 1, 1))),
            "index beyond the list": body([0], auth(((1, 1),), buy=((1, 0),))),
            "index 255": body([0], auth(((255, 1),), buy=((1, 0),))),
            "indices equal": body([0, 1], auth(((0, 1), (0, 1)), buy=((1, 0),))),
            "indices descending": body([0, 1], auth(((1, 1), (0, 1)), buy=((1, 0),))),
            "weight 0": body([0, 1], auth(((0, 0), (1, 1)), buy=((1, 0),))),
            "weight 2^20": body([0, 1], auth(((0, 2**20), (1, -1)), buy=((1, 0),))),
            "weight -2^20": body([0, 1], auth(((0, -(2**20)), (1, 1)), buy=((1, 0),))),
            "weight 2^20 + 1": body([0, 1], auth(((0, 2**20 + 1), (1, 1)), buy=((1, 0),))),
            "weight -2^20 - 1": body([0, 1], auth(((0, -(2**20) - 1), (1, 1)), buy=((1, 0),))),
            "weight 2^23 - 1": body([0, 1], auth(((0, 2**23 - 1), (1, 1)), buy=((1, 0),))),
            "weight -2^23": body([0, 1], auth(((0, -(2**23)), (1, 1)), buy=((1, 0),))),
            "one leg of weight 2": body([0], auth(((0, 2),), buy=((1, 0),))),
            "one leg of weight -1": body([0], auth(((0, -1),), buy=((1, 0),))),
            "one leg of weight 0": body([0], auth(((0, 0),), buy=((1, 0),))),
        }
    )
    for cut in (1, 3, 4, 5, 8, 9, 24, 25, 44):
        yield f"auth cut to {cut} bytes", body([0], BUY[:cut]), None, 0


def curves() -> Iterator[Case]:
    """Rule 4: prices and sides. τ of product 0 is TICKS[0], W of a single leg is 1."""
    tau = TICKS[0]
    low = -TOP_PRICE + tau  # a first price from which one flat step just fits
    wide = TOP_RATE  # W²·width of the widest side
    yield from named(
        {
            "first 2^112": body([0], auth(first=TOP_PRICE, buy=((1, 0),))),
            "first 2^112 + 1": body([0], auth(first=TOP_PRICE + 1, buy=((1, 0),))),
            "first 2^127 - 1": body([0], auth(first=2**127 - 1, buy=((1, 0),))),
            "first -2^112, ask": body([0], auth(first=-TOP_PRICE, sell=((1, 0),))),
            "first -2^112 - 1, ask": body([0], auth(first=-TOP_PRICE - 1, sell=((1, 0),))),
            "first -2^127, ask": body([0], auth(first=-(2**127), sell=((1, 0),))),
            "first -2^112, bid": body([0], auth(first=-TOP_PRICE, buy=((1, 0),))),
            "last bid -2^112": body([0], auth(first=low, buy=((1, 0),))),
            "last bid -2^112 - 1": body([0], auth(first=low - 1, buy=((1, 0),))),
            "last ask 2^112": body([0], auth(first=-low, sell=((1, 0),))),
            "last ask 2^112 + 1": body([0], auth(first=-low + 1, sell=((1, 0),))),
            "ask below 2^112, last ask beyond": body(
                [0], auth(first=0, buy=((1, 0),), sell=((1, 0),), gap=2**112 - 1)
            ),
            "last ask 2^112 after the gap": body(
                [0], auth(first=-5, buy=((1, 0),), sell=((1, 0),), gap=TOP_PRICE - tau + 5)
            ),
            "last ask 2^112 + 1 after the gap": body(
                [0], auth(first=-5, buy=((1, 0),), sell=((1, 0),), gap=TOP_PRICE - tau + 6)
            ),
            "ask beyond 2^112": body(
                [0], auth(first=2, buy=((1, 0),), sell=((1, 0),), gap=2**112 - 1)
            ),
            "gap 0": body([0], auth(first=0, buy=((1, 0),), sell=((1, 0),), gap=0)),
            "largest increment, fits": body([0], auth(first=0, buy=((1, TOP_PRICE - tau),))),
            "largest increment, one more": body(
                [0], auth(first=0, buy=((1, TOP_PRICE - tau + 1),))
            ),
            "increment 2^112 - 1": body([0], auth(first=TOP_PRICE, buy=((1, 2**112 - 1),))),
            "increments 2^112 - 1 sixteen times": body(
                [0], auth(first=TOP_PRICE, buy=((1, 2**112 - 1),) * 16)
            ),
            "width 2^48 - 1": body([0], auth(buy=((TOP_RATE - 1, 0),))),
            "widths sum to 2^48": body([0], auth(buy=((TOP_RATE - 1, 0), (1, 0)))),
            "widths sum to 2^48 + 1": body([0], auth(buy=((TOP_RATE - 1, 0), (2, 0)))),
            "sold widths sum to 2^48": body([0], auth(sell=((TOP_RATE // 2, 0),) * 2)),
            "sold widths sum to 2^48 + 1": body(
                [0], auth(sell=((TOP_RATE // 2, 0), (TOP_RATE // 2, 0), (1, 0)))
            ),
            "2^48 on both sides": body(
                [0], auth(buy=((TOP_RATE // 2, 0),) * 2, sell=((TOP_RATE // 2, 0),) * 2)
            ),
            "widths 2^48 - 1 sixteen times": body([0], auth(buy=((TOP_RATE - 1, 0),) * 16)),
            "widest side from the lowest price": body(
                [0], auth(first=-TOP_PRICE + max(tau, wide) * 2, buy=((wide // 2, 0),) * 2)
            ),
            "widths of zero": body([0], auth(buy=((0, 0), (0, 5), (0, 0)))),
            "W^2 times width is 2^90": body(
                [0, 1], auth(((0, 2**20), (1, 2**20)), 0, ((TOP_RATE - 1, 0),))
            ),
            "heaviest auth": body(
                range(16),
                auth([(k, 2**20) for k in range(16)], TOP_PRICE, ((TOP_RATE - 1, 0), (1, 2**111))),
            ),
            "heaviest auth, too steep": body(
                range(16),
                auth([(k, -(2**20)) for k in range(16)], 0, ((TOP_RATE - 1, 2**112 - 1),)),
            ),
        }
    )


def endings() -> Iterator[Case]:
    """Rule 5."""
    yield from named(
        {
            "a byte after the end": body([0], BUY) + b"\x00",
            "an auth after the end": body([0], BUY, n_auths=1) + BUY,
            "a listed product without a leg": body([0, 1], BUY),
            "all products by different auths": body(
                [2, 3], auth(((0, 1),), buy=((1, 0),)), auth(((1, 1),), sell=((1, 0),))
            ),
            "the last of three without a leg": body([2, 3, 4], PAIR),
        }
    )


def capacity() -> Iterator[Case]:
    """Rules 2 and 4: gas at the declared units, and the precedence of reasons."""
    one, two, whole = body([0], BUY), body([0], BUY, BUY), body([5, 9], PAIR)
    for name, raw in (("a buy", one), ("two buys", two), ("a pair", whole)):
        least = least_units(raw)
        for units in (10, least - 3, least - 2, least - 1, least, 255):
            yield f"{name} declared as {units} units", raw, units, 0
        for units in (least, least + 1, 2 * least, 255):
            longest = longest_ciphertext(raw, units)
            for length in (longest, longest + 1, 60_000):
                yield f"{name} in a ciphertext of {length} bytes, {units} units", raw, units, length
    yield "gas used up to the last unit", *used_up()
    yield "no units", one, 0, 0
    bare = least_units(one) - 1  # enough for the head
    yield "64 products in one unit", body(range(64), BUY), 1, 0
    yield "kind 1 in one unit", body([0], BUY, kind=1), 1, 0
    yield "unknown product in one unit", body([COUNT], BUY), 1, 0
    yield "a zero weight that is not paid for", body([0], auth(((0, 0),), buy=((1, 0),))), bare, 0
    yield "a flag that is not paid for", body([0], auth(buy=((1, 0),), flags=1)), bare, 0
    yield "paid for the first of two auths", two, least_units(two) - 1, 0
    yield (
        "bad first auth, second not paid for",
        body([0], auth(((0, 2),), buy=((1, 0),)), BUY),
        least_units(two) - 1,
        0,
    )
    yield (
        "first auth not paid for, second bad",
        body([0], BUY, auth(flags=9)),
        bare,
        OVERHEAD + len(one),
    )
    yield "paid for, with a byte after the end", one + b"\x00", least_units(one), 0


def fits(raw: bytes, length: int, units: int) -> bool:
    return not wire.read(raw, length, units, TICKS).reason


def least_units(raw: bytes) -> int:
    return next(units for units in range(256) if fits(raw, OVERHEAD + len(raw), units))


def longest_ciphertext(raw: bytes, units: int) -> int:
    return max(length for length in range(5_000) if fits(raw, length, units))


def used_up() -> tuple[bytes, int, int]:
    """A portfolio, units and a ciphertext length that take exactly the gas declared."""
    for count in range(2, 17):
        raw = body(range(count), auth(tuple((k, 1) for k in range(count)), buy=((1, 0),)))
        fixed = sum(wire.GAS[part] for part in ("submission", "auth", "step"))
        fixed += count * (wire.GAS["product"] + wire.GAS["leg"])
        for length in range(OVERHEAD + len(raw), 1_000):
            gas = fixed + wire.GAS["byte"] * length
            units = gas // wire.UNIT_GAS
            if gas % wire.UNIT_GAS == 0 and length + 22 + 64 * count <= 19 * units:
                return raw, units, length
    raise AssertionError("no length uses the gas up")


def mutations() -> Iterator[Case]:
    """Random damage to good bodies, the same in every run."""
    rng = random.Random(20_261_122)
    bases = [
        body([5, 9], PAIR),
        body(
            [1, 2, 30],
            auth(((0, 1), (2, -1)), 9 << 50, ((7, 1 << 60),)),
            auth(((1, 1),), 1, (), ((3, 3),)),
        ),
        body(
            [0, 69],
            auth(((0, 1),), 1 << 60, ((1 << 40, 0),)),
            auth(((1, 1),), -(1 << 80), ((2, 0),), ((5, 7),)),
        ),
    ]
    for i in range(120):
        raw = bytearray(rng.choice(bases))
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            at = rng.randrange(len(raw))
            damage = rng.randrange(6)
            if damage <= 2:
                raw[at] ^= 1 << rng.randrange(8)
            elif damage == 3:
                raw[at] = rng.choice((0, 1, 255))
            elif damage == 4:
                del raw[at]
            else:
                raw.insert(at, rng.randrange(256))
        yield f"mutation {i}", bytes(raw), rng.choice((None, None, 20)), 0
