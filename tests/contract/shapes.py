"""Small batches of every shape, and every way to be void, for the bench of PRODUCTS."""

from __future__ import annotations

from typing import Any

from tests.contract.batches import Bid, buys, order, sells
from walras.auths import Auth, Leg, Step, Submission
from walras.numbers import X40
from walras.submission import VoidReason, encode

SHAPES: dict[str, dict[str, Bid]] = {
    "cross": {"a": buys(0, 101, 1000), "b": sells(0, 99, 800)},
    "interval": {"a": buys(0, 110, 1000), "b": sells(0, 90, 1000)},
    "tie": {
        "a": buys(0, 100, 1),
        "b": buys(0, 100, 10),
        "c": buys(0, 100, 1000),
        "d": sells(0, 100, 500),
    },
    "buyers only": {"a": buys(0, 120, 7), "b": buys(3, 900, 5)},
    "sellers only": {"a": sells(0, 80, 7), "b": sells(3, 1100, 5)},
    "no trade": {"a": buys(0, 90, 7), "b": sells(0, 110, 5)},
    "pair only": {
        "a": Bid((order({0: 1, 1: -1}, 63, buy=[1000]),)),
        "b": Bid((order({0: 1, 1: -1}, 58, sell=[700]),)),
    },
    "pairs in a ring": {
        "a": Bid((order({0: 2, 1: -5}, 3, buy=[100, 50]),)),
        "b": Bid((order({1: 25, 3: -1}, 2, buy=[60]),)),
        "c": Bid((order({0: -10, 3: 1}, 5, buy=[40]),)),
    },
    "basket": {
        "a": Bid((order({0: 3, 1: -7, 2: 11, 3: 1, 4: -2, 5: 1}, 1025, buy=[40, 10]),)),
        "b": Bid((order({0: 3, 1: -7, 2: 11, 3: 1, 4: -2, 5: 1}, 980, sell=[55]),)),
        "c": buys(2, 8, 300),
        "d": sells(5, 95, 90),
    },
    "two-sided": {
        "maker": Bid((order({0: 1}, 99, buy=[50, 70], sell=[60]),)),
        "taker": buys(0, 104, 30),
        "both": Bid((order({0: 1}, 101.5, buy=[20]), order({0: 1}, 102, sell=[5, 5]))),
    },
    "negative price": {
        "a": Bid((order({0: 1, 1: 40}, -50, sell=[20]),)),
        "b": Bid((order({0: 1, 1: 40}, -40, buy=[25]),)),
    },
    "zero width and kinks": {
        "a": Bid((Auth((Leg(0, 1),), 105 * X40, 0, (Step(0, X40), Step(9, 0), Step(0, 0)), ()),)),
        "b": Bid((Auth((Leg(0, 1),), 95 * X40, 0, (), (Step(0, 0), Step(4, 1))),)),
    },
    "sizes": {
        "small": buys(5, 101, 1),
        "large": Bid((Auth((Leg(5, 1),), 100 * X40, 0, (), (Step(10**9, 10 * X40),)),)),
        "larger": Bid((Auth((Leg(5, 1),), 102 * X40, 0, (Step(10**9, 10 * X40),), ()),)),
    },
}


def flipped(at: int) -> Any:
    return lambda ct: ct[:at] + bytes((ct[at] ^ 1,)) + ct[at + 1 :]


GOOD = encode(Submission((order({0: 1}, 5, buy=[1]),)))
TWO = encode(Submission((order({0: 1, 2: 1}, 5, buy=[1]),)))
WIDTH_2 = b"\x00\x00\x00\x00\x00\x02" + bytes(14)
MALFORMED = {
    "empty": b"",
    "a byte": b"\x00",
    "cut": GOOD[:-1],
    "a byte too many": GOOD + b"\x00",
    "kind 2": b"\x02" + GOOD[1:],
    "no product": GOOD[:6] + b"\x00" + GOOD[9:],
    "no auth": GOOD[:9] + b"\x00" + GOOD[10:],
    "a cost": GOOD[:10] + b"\x01" + GOOD[11:],
    "unknown product": GOOD[:7] + b"\x00\x06" + GOOD[9:],
    "product far beyond": GOOD[:7] + b"\xff\xff" + GOOD[9:],
    "products twice": TWO[:7] + b"\x00\x02\x00\x02" + TWO[11:],
    "products descending": TWO[:7] + b"\x00\x02\x00\x00" + TWO[11:],
    "product of no leg": TWO[:14] + b"\x01" + TWO[15:17] + TWO[21:],
    "flags": GOOD[:11] + b"\x01" + GOOD[12:],
    "no leg": GOOD[:12] + b"\x00" + GOOD[13:15] + GOOD[19:],
    "no step": GOOD[:13] + b"\x00" + GOOD[14:35],
    "index beyond the list": GOOD[:15] + b"\x01" + GOOD[16:],
    "legs twice": TWO[:21] + b"\x00" + TWO[22:],
    "weight zero": TWO[:18] + bytes(3) + TWO[21:],
    "weight beyond 2^20": TWO[:18] + b"\x10\x00\x01" + TWO[21:],
    "lone weight not one": GOOD[:16] + b"\x00\x00\x02" + GOOD[19:],
    "price beyond 2^112": GOOD[:19] + (2**112 + 1).to_bytes(16) + GOOD[35:],
    "price below -2^112": GOOD[:19] + (-(2**112) - 1).to_bytes(16, signed=True) + GOOD[35:],
    "width beyond 2^48": GOOD[:13] + b"\x02" + GOOD[14:35] + b"\xff" * 6 + GOOD[41:] + WIDTH_2,
    "curve ends below -2^112": GOOD[:19] + (-(2**112)).to_bytes(16, signed=True) + GOOD[35:],
}


VOIDS: dict[str, tuple[Bid, VoidReason]] = {
    "garbage": (Bid(spoil=lambda ct: bytes(range(90)), body=GOOD), VoidReason.UNOPENED),
    "too short to be anything": (Bid(spoil=lambda ct: ct[:68], body=GOOD), VoidReason.UNOPENED),
    "only the magic": (Bid(spoil=lambda ct: ct[:69], body=GOOD), VoidReason.MALFORMED),
    "tag 4": (Bid(spoil=lambda ct: b"\x04" + ct[1:], body=GOOD), VoidReason.UNOPENED),
    "other parity": (Bid(spoil=flipped(0), body=GOOD), VoidReason.UNOPENED),
    "magic flipped": (Bid(spoil=flipped(65), body=GOOD), VoidReason.UNOPENED),
    "R.x = 0": (Bid(spoil=lambda ct: ct[:1] + bytes(32) + ct[33:], body=GOOD), VoidReason.UNOPENED),
    "R.x = 2^256-1": (
        Bid(spoil=lambda ct: ct[:1] + b"\xff" * 32 + ct[33:], body=GOOD),
        VoidReason.UNOPENED,
    ),
    "off the curve": (
        Bid(spoil=lambda ct: ct[:1] + (5).to_bytes(32) + ct[33:], body=GOOD),
        VoidReason.UNOPENED,
    ),
    "too few units": (Bid((order({0: 1}, 5, buy=[1]),), fewer=1), VoidReason.OVERSIZED),
    "a word too many": (
        Bid((order({0: 1, 2: 1}, 5, buy=[1]),), fewer=1, home=4),
        VoidReason.OVERSIZED,
    ),
    "expired": (
        Bid((order({0: 1}, 5, buy=[1]),), valid_until=2_000_001_399),
        VoidReason.EXPIRED,
    ),
    "cash short by a unit": (Bid((order({0: 1}, 5, buy=[1]),), short=1), VoidReason.UNCOVERED),
    "selling what one has not": (
        Bid(body=encode(Submission((order({0: 1}, 5, sell=[1]),))), held=((0, 0),), spare=100),
        VoidReason.UNCOVERED,
    ),
    "short of one leg": (
        Bid(body=encode(Submission((order({0: 1, 1: -1}, 0, buy=[3]),))), held=((1, 2),)),
        VoidReason.UNCOVERED,
    ),
}
