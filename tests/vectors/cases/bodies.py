"""Bodies byte by byte, good and bad ones alike (SPEC §2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.reference import formulae, wire

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
    flags: int | None = None,
    limits: tuple[int, int] | None = None,
    counts: tuple[int, int, int] | None = None,
) -> bytes:
    if gap is None and buy and sell:
        gap = 0
    if flags is None:
        flags = int(limits is not None)
    return b"".join(
        (
            bytes((flags, *(counts or (len(legs), len(buy), len(sell))))),
            *(bytes((index,)) + weight.to_bytes(3, signed=True) for index, weight in legs),
            *(limit.to_bytes(6) for limit in limits or ()),
            first.to_bytes(16, signed=True),
            b"" if gap is None else gap.to_bytes(14),
            *(width.to_bytes(6) + increment.to_bytes(14) for width, increment in (*buy, *sell)),
        )
    )


def cost(
    terms: Pairs,
    first: int = 0,
    buy: Pairs = ((9, 0),),
    sell: Pairs = (),
    *,
    gap: int | None = None,
) -> bytes:
    return b"".join(
        (
            bytes((len(terms), len(buy), len(sell))),
            *(bytes((index,)) + g.to_bytes(3, signed=True) for index, g in terms),
            first.to_bytes(16, signed=True),
            b"" if gap is None else gap.to_bytes(14),
            *(width.to_bytes(6) + increment.to_bytes(14) for width, increment in (*buy, *sell)),
        )
    )


BUY = auth(buy=((1000, 5),))
SELL = auth(sell=((1000, 5),))
PAIR = auth(((0, 3), (1, -2)), -7 << 40, ((10, 0), (0, 9)), ((4, 1 << 50),), gap=1 << 41)


def named(cases: dict[str, bytes]) -> Iterator[Case]:
    for name, raw in cases.items():
        yield name, raw, None, 0


def fits(raw: bytes, length: int, units: int) -> bool:
    return not wire.read(raw, length, units, TICKS).reason


def least_units(raw: bytes) -> int:
    return next(units for units in range(256) if fits(raw, OVERHEAD + len(raw), units))


def longest_ciphertext(raw: bytes, units: int) -> int:
    return max(length for length in range(4_000) if fits(raw, length, units))
