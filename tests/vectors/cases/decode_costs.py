"""Bodies with limits, costs and of kind 1: each rule at its boundary and just beyond it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.vectors.cases.bodies import (
    BUY,
    OVERHEAD,
    SELL,
    TOP_PRICE,
    TOP_RATE,
    Case,
    auth,
    body,
    cost,
    least_units,
    named,
)

TWO = ((0, 1), (1, -1))
LIMITED = auth(buy=((10, 0),), limits=(5, 7))
SOFT = cost(TWO, 3 << 40, ((4, 1), (0, 9)), ((5, 2),), gap=1 << 39)


def costs_and_limits() -> Iterator[Case]:
    yield from kinds()
    yield from limits()
    yield from shapes()
    yield from terms()
    yield from prices()
    yield from order_of_reading()


def coupled(*costs: bytes, auths: int = 2, n_costs: int | None = None) -> bytes:
    """Bids for product 0 under `costs`."""
    count = len(costs) if n_costs is None else n_costs
    return body([0], *[BUY] * auths, *costs, n_auths=auths, n_costs=count)


def kinds() -> Iterator[Case]:
    yield from named(
        {
            "kind 1": body([0], BUY, kind=1),
            "kind 1 with limits and costs": body(
                [0], LIMITED, SELL, SOFT, kind=1, n_auths=2, n_costs=1
            ),
            "kind 2": body([0], BUY, kind=2),
        }
    )


def limits() -> Iterator[Case]:
    both = auth(buy=((10, 0),), sell=((3, 0),), limits=(5, 7))
    yield from named(
        {
            "limits": body([0], LIMITED),
            "limits of a pair": body([5, 9], auth(TWO, 0, ((3, 1),), ((4, 2),), limits=(1, 9))),
            "limits of both sides": body([0], both),
            "limits 0": body([0], auth(buy=((10, 0),), sell=((9, 0),), limits=(0, 0))),
            "limits 2^48 - 1": body([0], auth(buy=((10, 0),), limits=(TOP_RATE - 1, TOP_RATE - 1))),
            "limits above the rates": body([0], auth(sell=((10, 0),), limits=(11, 0))),
            "flags 1 without limits": body([0], auth(buy=((1, 0),), flags=1)),
            "flags 2": body([0], auth(buy=((1, 0),), flags=2)),
            "flags 2 with limits": body([0], auth(buy=((1, 0),), flags=2, limits=(1, 1))),
            "limits without the flag": body([0], auth(buy=((1, 0),), flags=0, limits=(1, 1))),
        }
    )
    for cut in (8, 9, 14, 19, 20, 36, 55):
        yield f"limited auth cut to {cut} bytes", body([0], LIMITED[:cut]), None, 0


def shapes() -> Iterator[Case]:
    tail = ((0, 1), (1, 1))
    yield from named(
        {
            "a cost": coupled(cost(TWO)),
            "a cost of both sides": coupled(SOFT),
            "16 costs": coupled(*[cost(TWO)] * 16),
            "17 costs": coupled(*[cost(TWO)] * 17),
            "16 auths in a cost": coupled(cost([(j, j + 1) for j in range(16)]), auths=16),
            "17 auths in a cost": coupled(cost([(j, 1) for j in range(17)]), auths=17),
            "a cost without auths": coupled(cost(())),
            "a cost without steps": coupled(cost(tail, 1, ())),
            "16 steps on both sides of a cost": coupled(
                cost(tail, 0, ((1, 0),) * 16, ((2, 0),) * 16, gap=1)
            ),
            "17 buy steps of a cost": coupled(cost(tail, 0, ((1, 0),) * 17)),
            "17 sell steps of a cost": coupled(cost(tail, 0, (), ((1, 0),) * 17)),
            "a cost more than there is": coupled(cost(TWO), n_costs=2),
            "a cost fewer than there is": coupled(cost(TWO), cost(TWO), n_costs=1),
            "costs, none declared": coupled(cost(TWO), n_costs=0),
            "a byte after the costs": coupled(cost(TWO)) + b"\x00",
            "a listed product without a leg, with a cost": body(
                [0, 1], BUY, BUY, cost(TWO), n_auths=2, n_costs=1
            ),
            "auths end where costs begin": body(
                [0], LIMITED, SELL, SOFT, cost(((1, 5),)), n_auths=2, n_costs=2
            ),
            "an auth less than declared, with a cost": body(
                [0], BUY, BUY, cost(TWO), n_auths=1, n_costs=1
            ),
        }
    )
    for cut in (0, 1, 2, 3, 4, 10, 11, 20, 26, 27, 46):
        yield f"cost cut to {cut} bytes", coupled(cost(TWO)[:cut], n_costs=1), None, 0


def terms() -> Iterator[Case]:
    most = 2**20
    yield from named(
        {
            "a cost of one auth": coupled(cost(((1, -7),))),
            "terms equal": coupled(cost(((1, 1), (1, 1)))),
            "terms descending": coupled(cost(((1, 1), (0, 1)))),
            "a term beyond the auths": coupled(cost(((0, 1), (2, 1)))),
            "term 255": coupled(cost(((255, 1),))),
            "coefficient 0": coupled(cost(((0, 0), (1, 1)))),
            "coefficient 2^20": coupled(cost(((0, most), (1, 1)))),
            "coefficient -2^20": coupled(cost(((0, -most), (1, 1)))),
            "coefficient 2^20 + 1": coupled(cost(((0, most + 1), (1, 1)))),
            "coefficient -2^20 - 1": coupled(cost(((0, -most - 1), (1, 1)))),
            "coefficient -2^23": coupled(cost(((0, -(2**23)),))),
        }
    )


def prices() -> Iterator[Case]:
    one, top = ((0, 1),), TOP_PRICE
    wide = TOP_RATE // 2
    # what its costs add to the window of an auth makes its steps fall further
    guarded = auth(first=-top + 16 * 9, buy=((9, 0),))
    yield from named(
        {
            "first of a cost 2^112": coupled(cost(one, top, ((1, 0),))),
            "first of a cost 2^112 + 1": coupled(cost(one, top + 1, ((1, 0),))),
            "ask of a cost -2^112 - 1": coupled(cost(one, -top - 1, (), ((1, 0),))),
            "ask of a cost beyond 2^112": coupled(
                cost(one, 2, ((1, 0),), ((1, 0),), gap=2**112 - 1)
            ),
            "bottom of a cost -2^112": coupled(cost(one, -top + 1, ((1, 0),))),
            "bottom of a cost -2^112 - 1": coupled(cost(one, -top, ((1, 0),))),
            "top of a cost 2^112": coupled(cost(one, top - 1, (), ((1, 0),))),
            "top of a cost 2^112 + 1": coupled(cost(one, top, (), ((1, 0),))),
            "a wall of 2^112 - 1": coupled(cost(one, 5, ((5, 0), (0, 2**112 - 1)))),
            "a wall beyond": coupled(cost(one, 4, ((5, 0), (0, 2**112 - 1)))),
            "widths of a cost sum to 2^48": coupled(cost(one, 0, ((wide, 0), (wide, 0)))),
            "widths of a cost sum to 2^48 + 1": coupled(
                cost(one, 0, ((wide, 0), (wide, 0), (1, 0)))
            ),
            "sold widths of a cost sum to 2^48 + 1": coupled(
                cost(one, 0, (), ((wide, 0), (wide, 0), (1, 0)))
            ),
            "heaviest cost": coupled(
                cost([(j, 2**20) for j in range(16)], top, ((TOP_RATE - 1, 0),)), auths=16
            ),
            "a bid that its costs push below": body(
                [0], guarded, cost(((0, 2**20),)), n_auths=1, n_costs=1
            ),
            "widest auth in the heaviest costs": body(
                [0],
                auth(first=top, buy=((TOP_RATE - 1, 0),)),
                *[cost(((0, 2**20),))] * 16,
                n_auths=1,
                n_costs=16,
            ),
        }
    )


def order_of_reading() -> Iterator[Case]:
    """Gas of limits and costs, and which violation is met first."""
    for name, raw in (
        ("limits", body([0], LIMITED)),
        ("a cost", coupled(cost(TWO))),
        ("two costs", coupled(SOFT, cost(TWO))),
    ):
        least = least_units(raw)
        for units in (least - 2, least - 1, least):
            yield f"{name} declared as {units} units", raw, units, 0
    bad = auth(((0, 2),), buy=((1, 0),))
    two = body([0], BUY, bad, cost(TWO), n_auths=2, n_costs=1)
    bare = least_units(body([0], BUY)) - 1
    yield "bad auth before a good cost", two, None, 0
    yield "bad auth before a cost not paid for", two, bare, 0
    yield "bad cost not paid for", coupled(cost(((0, 0),))), bare, 0
    yield "bad cost before auths not paid for", coupled(cost(((0, 0),))), 24, 0
    yield "good cost before auths not paid for", coupled(cost(((0, 1),))), 21, 0
    yield (
        "a flag, then a bad cost",
        body([0], auth(buy=((1, 0),), flags=9), cost(()), n_auths=1, n_costs=1),
        None,
        0,
    )
    yield "a byte after the costs, auths not paid for", coupled(cost(TWO)) + b"\x00", 24, 0
    length = OVERHEAD + 500
    for units in (-(-(length + 24 + 64 + 20) // 15), (length + 24 + 64 + 20) // 15):
        raw = body([0], BUY, cost(((0, 1),)), n_auths=1, n_costs=1)
        yield f"a long ciphertext and a shadow price in {units} units", raw, units, length
