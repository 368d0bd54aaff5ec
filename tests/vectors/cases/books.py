"""Small books of every kind the certificate has to judge."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.reference.escrow import needed_cash, needed_lots
from tests.reference.wire import GAS, UNIT_GAS
from tests.vectors.cases.codec import reading_of
from walras.auths import Auth, Cost, Leg, Step, Submission
from walras.submission import encode

CASH = 1 << 40
LOTS = 1 << 44


RENT = 5 << 28  # X40 of a unit of a standing account: half a unit's gas at 2^20 X40


@dataclass(frozen=True)
class Bidder:
    """An account and the body it seals; `cash` X40, `lots` X44.

    A `standing` one seals nothing but perhaps an `amendment`, declared as `amended_units`.
    """

    body: bytes
    cash: int
    lots: Mapping[int, int]
    home: int | None = None
    units: int = 100
    garbled: bool = False
    standing: bool = False
    done: tuple[int, ...] = ()
    uncovered: bool = False
    amendment: bytes | None = None
    amended_units: int = 100


@dataclass(frozen=True)
class Book:
    name: str
    products: Mapping[int, dict[str, int]]
    bidders: tuple[Bidder, ...]
    house_cash: int = 1 << 90
    lies: bool = False  # whether to try every lie about accounts and products on it


def product(price: int | float = 100, *, at: float = 1.0, **other: int) -> dict[str, int]:
    """A product whose lot is worth `price` cash units, its reference `at` times that."""
    scale = int(price * 2**24)
    return {
        "house": 1 << 80,
        "reference": int(scale * 2**16 * at),
        "scale": scale,
        "tickBps": 1,
        "depthLog2": 20,
        "houseLog2": 36,
    } | other


def market(*products: dict[str, int]) -> dict[int, dict[str, int]]:
    return dict(enumerate(products))


def buy(k: int, price: float, width: int, increment: int = 0) -> Auth:
    return Auth((Leg(k, 1),), int(price * CASH), 0, (Step(width, increment),), ())


def sell(k: int, price: float, width: int, increment: int = 0) -> Auth:
    return Auth((Leg(k, 1),), int(price * CASH), 0, (), (Step(width, increment),))


def portfolio(weights: Mapping[int, int], price: float, width: int, *, buys: bool = True) -> Auth:
    legs = tuple(Leg(k, weight) for k, weight in sorted(weights.items()))
    step = (Step(width, 0),)
    return Auth(legs, int(price * CASH), 0, step if buys else (), () if buys else step)


def bidder(*auths: Auth, short: int = 0, **other: Any) -> Bidder:
    """An account that covers `auths` exactly, but for `short` ulps of cash or of its first lots."""
    costs: tuple[Cost, ...] = other.pop("costs", ())
    kind = other.pop("kind", other.get("standing", False))
    done = other.get("done", ())
    submission = Submission(auths, other.pop("valid_until", 0), costs, standing=kind)
    reading = reading_of(submission)
    lots = {k: needed_lots(reading, k, done) for k in submission.products}
    cash = needed_cash(reading, done)
    if cash:
        cash -= short
    elif any(lots.values()):
        lots[next(k for k, needed in lots.items() if needed)] -= short
    if other.get("standing"):
        cash += RENT * other.get("units", 100)
    held = {k: amount for k, amount in lots.items() if amount}
    home = other.pop("home", min(held, default=None))
    return Bidder(encode(submission), other.pop("cash", cash), held, home, **other)


def raw(body: bytes, **other: Any) -> Bidder:
    return Bidder(body, 1 << 60, {}, **other)


CROSS = (bidder(buy(0, 101, 1000)), bidder(sell(0, 99, 800)))
INTERVAL = (bidder(buy(0, 110, 1000)), bidder(sell(0, 90, 1000)))
STOCKS = market(product(250), product(40, at=1.2), product(7, at=0.9), product(1000))


def voids() -> tuple[Bidder, ...]:
    """One of each reason, between two that trade."""
    listed = buy(2, 5, 10)
    words = portfolio({0: 1, 1: 1, 2: 1, 3: 1}, 1500, 2)
    body = encode(Submission((listed,)))
    return (
        bidder(buy(0, 260, 100)),
        bidder(sell(0, 240, 100)),
        bidder(buy(1, 50, 10), garbled=True),
        raw(b""),
        raw(encode(Submission((buy(1, 50, 10),))) + b"\x00"),
        raw(body[:7] + b"\x00\x09" + body[9:]),
        bidder(listed, units=10),
        bidder(listed, units=15),
        bidder(words, units=39),
        bidder(listed, valid_until=1_799_999_999),
        bidder(listed, valid_until=1_800_000_000),
        bidder(listed, short=1),
        bidder(sell(3, 900, 7), short=1),
    )


def void_only() -> tuple[Bidder, ...]:
    return (bidder(buy(1, 50, 10), short=1), bidder(buy(3, 2000, 10), valid_until=5))


def two_sided() -> tuple[Bidder, ...]:
    quote = Auth(
        (Leg(0, 1),), 99 * CASH, 2 * CASH, (Step(50, CASH), Step(70, 0)), (Step(60, CASH),)
    )
    return (bidder(quote), bidder(buy(0, 104, 30)), bidder(buy(0, 101.5, 20), buy(0, 98, 500)))


def pairs() -> tuple[Bidder, ...]:
    return (
        bidder(portfolio({0: 1, 1: -1}, 3, 1000)),
        bidder(portfolio({0: 1, 1: -1}, 1, 700, buys=False)),
        bidder(portfolio({0: -2, 1: 3}, 130, 100)),
    )


def basket() -> tuple[Bidder, ...]:
    weights = {k: (k + 1) * (-1) ** (k // 3) for k in range(16)}
    return (
        bidder(portfolio(weights, 900, 40), units=250),
        bidder(portfolio(weights, 700, 55, buys=False), units=250),
        *(bidder(sell(k, 8 + k, 500)) for k in (0, 5, 11)),
        *(bidder(buy(k, 12 + k, 400)) for k in (2, 5, 15)),
    )


def homes() -> tuple[Bidder, ...]:
    """First products, words saved by a home, and a home that the submission does not touch."""
    words = portfolio({0: 1, 1: 1, 2: 1}, 400, 5)
    two_words, one_word = (-(-gas((words,), n) // UNIT_GAS) for n in (2, 1))
    exact = used_up()
    units = gas(exact, 1) // UNIT_GAS
    return (
        bidder(words, home=None, units=two_words),
        bidder(words, home=None, units=two_words - 1),
        bidder(words, home=2, units=one_word),
        bidder(words, home=2, units=one_word - 1),
        bidder(words, home=3, units=two_words),
        bidder(*exact, home=0, units=units),
        bidder(*exact, home=0, units=units - 1),
        bidder(sell(0, 200, 9)),
        bidder(sell(1, 30, 9), sell(2, 5, 20)),
    )


def gas(auths: tuple[Auth, ...], words: int) -> int:
    """What the settlement of `auths` is charged with that many ledger words."""
    submission = Submission(auths)
    total = GAS["submission"] + GAS["byte"] * (69 + len(encode(submission)))
    total += GAS["product"] * len(submission.products) + GAS["word"] * words
    for auth in auths:
        total += GAS["auth"] + GAS["leg"] * len(auth.legs)
        total += GAS["step"] * (len(auth.buy) + len(auth.sell))
    return total


def used_up() -> tuple[Auth, ...]:
    """Auths on products 0 and 1 which, with one ledger word, need the last gas of a unit."""
    step = Step(1, 0)
    quote = Auth((Leg(0, 1),), CASH, 10**6 * CASH, (step,), (step,))  # a gap has 14 bytes
    for count in range(1, 20):
        for steps in range(count, 8 * count):
            lengths = [steps // count + (i < steps % count) for i in range(count)]
            bids = (
                Auth((Leg(1 - i % 2, 1),), CASH, 0, (step,) * length, ())
                for i, length in enumerate(lengths)
            )
            auths = (quote, *bids)
            if gas(auths, 1) % UNIT_GAS == 0:
                return auths
    raise AssertionError("no number of steps uses the gas up")


def random_book(seed: int) -> Book:
    rng = random.Random(seed)
    count = rng.randint(1, 4)
    products = market(
        *(
            product(
                rng.randint(1, 10 ** rng.randint(1, 6)),
                at=rng.randint(80, 120) / 100,
                tickBps=rng.randint(1, 20),
            )
            for _ in range(count)
        )
    )
    return Book(
        f"random {seed}",
        products,
        tuple(bidder(*random_auths(rng, products), units=200) for _ in range(rng.randint(2, 8))),
    )


def random_auths(rng: random.Random, products: Mapping[int, dict[str, int]]) -> list[Auth]:
    auths = []
    for _ in range(rng.randint(1, 2)):
        ids = sorted(rng.sample(range(len(products)), rng.randint(1, len(products))))
        weights = [rng.choice((-1, 1)) * rng.randint(1, 40) for _ in ids] if len(ids) > 1 else [1]
        worth = [w * products[k]["reference"] for w, k in zip(weights, ids, strict=True)]
        gross = sum(map(abs, worth))
        first = sum(worth) + gross * rng.randint(-300, 300) // 10_000
        kind = rng.choice("bbss2")
        auths.append(
            Auth(
                tuple(Leg(k, w) for k, w in zip(ids, weights, strict=True)),
                first,
                gross // 500 if kind == "2" else 0,
                () if kind == "s" else random_side(rng, gross),
                () if kind == "b" else random_side(rng, gross),
            )
        )
    return auths


def random_side(rng: random.Random, gross: int) -> tuple[Step, ...]:
    return tuple(
        Step(rng.choice((0, 1, rng.randint(1, 10**5))), gross // rng.randint(50, 5000))
        for _ in range(rng.randint(1, 3))
    )


BOOKS = (
    Book("nobody", market(product()), (), lies=True),
    Book("a buyer and a seller", market(product()), CROSS, lies=True),
    Book("price interval around the reference", market(product()), INTERVAL),
    Book("price interval above the reference", market(product(at=0.8)), INTERVAL),
    Book(
        "price interval and a kink inside it",
        market(product()),
        (*INTERVAL, bidder(sell(0, 109, 10**6))),
    ),
    Book("buyers only", market(product()), (bidder(buy(0, 120, 7)), bidder(buy(0, 90, 5)))),
    Book("sellers only", market(product()), (bidder(sell(0, 80, 7)), bidder(sell(0, 130, 5)))),
    Book(
        "all at one price",
        market(product()),
        (*(bidder(buy(0, 100, n)) for n in (1, 10, 1000)), bidder(sell(0, 100, 500))),
    ),
    Book("two-sided quotes", market(product()), two_sided()),
    Book("every void", STOCKS, voids(), lies=True),
    Book("voids only, still priced", STOCKS, void_only(), lies=True),
    Book("homes and words", STOCKS, homes()),
    Book("pairs only", market(product(), product()), pairs(), lies=True),
    Book("baskets of 16", market(*(product(10 + k) for k in range(16))), basket()),
    Book(
        "dearest and cheapest lots",
        market(product(2**30, tickBps=255), product(1)),
        (
            bidder(portfolio({0: 1, 1: -(2**20)}, 2**30 - 2**20, 3)),
            bidder(sell(0, 2**30, 2)),
            bidder(buy(1, 2, 2**44), sell(1, 3, 2**21)),
        ),
    ),
    Book(
        "2^48 lots",
        market(product(1)),
        (
            bidder(Auth((Leg(0, 1),), 2 * CASH, 0, (Step(2**47, 0), Step(2**47, 0)), ())),
            bidder(Auth((Leg(0, 1),), CASH, 0, (), (Step(2**47, 0), Step(2**47, 0)))),
            bidder(buy(0, 1.5, 1)),
        ),
    ),
    Book("one lot each", market(product(10**6)), (bidder(buy(0, 10**6, 1)), bidder(sell(0, 1, 1)))),
    Book(
        "a negative price",
        market(product(), product()),
        (
            bidder(portfolio({0: 1, 1: 40}, -50, 20, buys=False)),
            bidder(portfolio({0: 1, 1: 40}, -40, 25)),
        ),
    ),
    Book(
        "zero widths",
        market(product()),
        (
            bidder(Auth((Leg(0, 1),), 105 * CASH, 0, (Step(0, CASH), Step(9, 0), Step(0, 0)), ())),
            bidder(Auth((Leg(0, 1),), 95 * CASH, 0, (), (Step(0, 0), Step(4, 1)))),
            bidder(Auth((Leg(0, 1),), 95 * CASH, 0, (), (Step(0, 0),))),
        ),
    ),
    *(random_book(seed) for seed in range(8)),
)
