"""Books with limits, costs and standing submissions."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from tests.vectors.cases.books import (
    CASH,
    LOTS,
    RENT,
    Bidder,
    Book,
    bidder,
    buy,
    market,
    product,
    random_auths,
    random_side,
    raw,
    sell,
)
from walras.auths import Auth, Cost, Leg, Limits, Step, Submission, Term
from walras.submission import encode

WALL = 1 << 80  # an increment that nobody's price crosses


def limited(auth: Auth, low: int, high: int) -> Auth:
    return replace(auth, limits=Limits(low, high))


def total(terms: Mapping[int, int], most: int, first: int = 0) -> Cost:
    """The combination costs nothing up to `most`, and more than anything beyond."""
    return Cost(
        tuple(Term(*pair) for pair in sorted(terms.items())),
        first,
        0,
        (Step(most, 0), Step(0, WALL)),
        (),
    )


def fixed(terms: Mapping[int, int]) -> Cost:
    """The combination is zero at any price."""
    walls = (Step(0, WALL),)
    return Cost(tuple(Term(*pair) for pair in sorted(terms.items())), 0, 0, walls, walls)


def sellers(*prices: float) -> tuple[Bidder, ...]:
    return tuple(bidder(sell(k, price, 500, CASH)) for k, price in enumerate(prices))


def substitutes() -> tuple[Bidder, ...]:
    return (
        bidder(buy(0, 110, 10), buy(1, 108, 10), costs=(total({0: 1, 1: 1}, 12),)),
        *sellers(100, 99),
    )


def imperfect() -> tuple[Bidder, ...]:
    """Each further unit of two similar products is worth less."""
    falls = Cost(
        (Term(0, 2), Term(1, 3)), 0, 0, (Step(40, CASH // 4), Step(80, 1)), (Step(50, CASH // 3),)
    )
    return (
        bidder(buy(0, 120, 30), buy(1, 125, 30), costs=(falls,)),
        bidder(buy(0, 104, 20), sell(1, 96, 5)),
        *sellers(100, 101),
    )


def paired() -> tuple[Bidder, ...]:
    """As many of one sold as of the other bought."""
    return (
        bidder(buy(0, 130, 40), sell(1, 70, 60), costs=(fixed({0: 1, 1: 1}),)),
        bidder(sell(0, 90, 25, CASH)),
        bidder(buy(1, 110, 100, CASH)),
    )


def beyond_the_ends() -> tuple[Bidder, ...]:
    """Combinations past their curves, where the marginal value stays above zero, and below."""
    eager = Cost((Term(0, 1), Term(1, 1)), 4 * CASH, 0, (Step(3, CASH),), ())
    tired = Cost((Term(0, 1), Term(1, 2)), -4 * CASH, 0, (), (Step(3, CASH),))
    return (
        bidder(buy(0, 101, 10), buy(1, 100, 10), costs=(eager,)),
        bidder(sell(0, 105, 10), sell(1, 103, 10), costs=(tired,)),
        *sellers(100, 99),
        bidder(buy(0, 100, 100, CASH)),
        bidder(buy(1, 102, 100, CASH)),
    )


def cliff() -> tuple[Bidder, ...]:
    """So steep a step that the floor of its S is worth units of cash: [C-3] has to say so."""
    steep = Cost((Term(0, 1), Term(1, 1)), 0, 0, (Step(3, 1 << 100),), ())
    return (bidder(buy(0, 110, 10), sell(1, 90, 10), costs=(steep,)), *sellers(100, 99))


def overlapping() -> tuple[Bidder, ...]:
    """Three auths in two costs each; another account's budget in lots of cash."""
    soft = Cost((Term(1, 1), Term(2, -2)), -CASH, 2 * CASH, (Step(9, 5),), (Step(7, 3),))
    budget = Cost((Term(0, 100), Term(1, 99)), 0, 0, (Step(1500, 1), Step(0, WALL)), ())
    return (
        bidder(
            buy(0, 112, 20),
            buy(1, 111, 20),
            sell(2, 90, 20),
            costs=(total({0: 1, 1: 1, 2: 1}, 5), soft),
        ),
        bidder(buy(0, 105, 9), buy(1, 104, 9), costs=(budget,)),
        *sellers(100, 99),
        bidder(buy(2, 100, 100, CASH)),
    )


def void_costs() -> tuple[Bidder, ...]:
    """Costs of submissions that do not trade still get their shadow prices."""
    cost = total({0: 1, 1: 1}, 12)
    both = (buy(0, 110, 10), buy(1, 108, 10))
    return (
        bidder(*both, costs=(cost,), short=1),
        bidder(*both, costs=(cost, fixed({0: 1, 1: -1})), valid_until=5),
        bidder(*both, costs=(cost,), units=31),
        bidder(*both, costs=(cost,), units=25),
        bidder(*both, costs=(cost,)),
        *sellers(90, 90),
    )


def limits() -> tuple[Bidder, ...]:
    """Limits that bind, do not, are spent in part and wholly, on either side."""
    quote = Auth((Leg(0, 1),), 99 * CASH, 2 * CASH, (Step(50, CASH),), (Step(60, CASH),))
    return (
        bidder(limited(buy(0, 110, 30), 0, 12)),
        bidder(limited(buy(0, 110, 30, CASH), 0, 1000), kind=True),
        bidder(limited(buy(0, 109, 30), 0, 12), standing=True, done=(5 * LOTS + 7,)),
        bidder(limited(sell(0, 92, 30), 40, 0), standing=True, done=(-40 * LOTS + 1,)),
        bidder(limited(sell(0, 93, 30), 40, 0), standing=True, done=(-40 * LOTS,)),
        bidder(limited(quote, 10, 10), standing=True, done=(-10 * LOTS,)),
        bidder(limited(buy(0, 105, 30), 0, 0)),
        bidder(sell(0, 95, 200, CASH)),
    )


def limited_costs() -> tuple[Bidder, ...]:
    cost = total({0: 1, 1: 1}, 12)
    return (
        bidder(
            limited(buy(0, 110, 10), 0, 4),
            buy(1, 108, 10),
            costs=(cost,),
            standing=True,
            done=(LOTS // 3,),
        ),
        *sellers(100, 99),
    )


def lives() -> tuple[Bidder, ...]:
    """Every way in which a submission goes on standing, or ends."""
    bid, ask = buy(0, 110, 10), sell(0, 90, 10, CASH)
    part = limited(ask, 1000, 0)
    return (
        bidder(bid, kind=True),
        bidder(bid, kind=True, short=1),
        bidder(bid, kind=True, valid_until=5),
        bidder(bid, kind=True, units=12),
        bidder(ask, standing=True),
        bidder(part, standing=True, done=(-3 * LOTS - 1,)),
        bidder(limited(buy(0, 110, 4), 0, 5), standing=True, done=(LOTS,)),
        bidder(bid, standing=True, short=1),
        bidder(bid, standing=True, short=1, uncovered=True),
        bidder(bid, standing=True, uncovered=True),
        bidder(bid, standing=True, valid_until=5),
        bidder(bid, standing=True, cash=100 * RENT - 1),
        bidder(bid, standing=True, valid_until=5, cash=100 * RENT - 1),
        bidder(bid, standing=True, units=12),
        raw(encode(Submission((bid,), standing=True))[:-1], standing=True),
        bidder(ask, standing=True, cash=100 * RENT),
        bidder(limited(sell(0, 90, 10), 10, 0), kind=True),
    )


def amendments() -> tuple[Bidder, ...]:
    """Good and bad ones, of submissions that go on and that end."""
    bid, ask = buy(0, 110, 10), sell(0, 90, 10, CASH)
    good = encode(Submission((limited(sell(1, 5, 7), 70, 0),), standing=True))
    old = encode(Submission((buy(1, 5, 7),), valid_until=5, standing=True))
    once = encode(Submission((buy(2, 5, 7),)))
    odd = good[:-1]
    ahead = limited(bid, 0, 100)
    return (
        bidder(ahead, standing=True, done=(LOTS,), amendment=good),
        bidder(ask, standing=True, amendment=old, amended_units=30),
        bidder(ask, standing=True, amendment=once),
        bidder(ask, standing=True, amendment=odd),
        bidder(ask, standing=True, amendment=good, amended_units=12),
        bidder(bid, standing=True, valid_until=5, amendment=good),
        bidder(bid, standing=True, valid_until=5, amendment=odd),
        bidder(bid, standing=True, short=1, amendment=good),
        bidder(bid, standing=True, short=1, uncovered=True, amendment=good),
        bidder(bid, standing=True, short=1, uncovered=True, amendment=once),
        bidder(bid, standing=True, amendment=good, cash=100 * RENT - 1),
        bidder(ask, standing=True, amendment=b"", garbled=True),
        *homeless(),
    )


def homeless() -> tuple[Bidder, ...]:
    """Whether an amendment fits depends on the home that the old submission gets."""
    other = encode(Submission((buy(1, 5, 7),), standing=True))
    units = -(-(14_500 + 5_200 + 25 * (69 + len(other)) + 11_400 + 2_700 + 1_000 + 500) // 2_560)
    return (
        bidder(buy(0, 109, 3), standing=True, home=None, amendment=other, amended_units=units),
        bidder(
            buy(0, 109, 3),
            standing=True,
            home=None,
            short=1,
            amendment=other,
            amended_units=units,
        ),
    )


def random_flow(seed: int) -> Book:
    """Coupled, limited and standing submissions at random."""
    rng = random.Random(1000 + seed)
    products = market(
        *(
            product(
                rng.randint(1, 10 ** rng.randint(1, 6)),
                at=rng.randint(80, 120) / 100,
                tickBps=rng.randint(1, 20),
            )
            for _ in range(rng.randint(1, 4))
        )
    )
    bidders = tuple(random_bidder(rng, products) for _ in range(rng.randint(2, 6)))
    return Book(f"random flow {seed}", products, bidders)


def random_bidder(rng: random.Random, products: Mapping[int, dict[str, int]]) -> Bidder:
    auths = [a for _ in range(rng.randint(1, 2)) for a in random_auths(rng, products)]
    auths = [a if rng.random() < 0.5 else random_limits(rng, a) for a in auths]
    costs = tuple(random_cost(rng, auths, products) for _ in range(rng.randint(0, 2)))
    standing = rng.random() < 0.6
    done = tuple(
        rng.randint(-a.limits.low * LOTS, a.limits.high * LOTS) if rng.random() < 0.7 else 0
        for a in auths
        if a.limits
    )
    return bidder(
        *auths,
        costs=costs,
        standing=standing,
        kind=standing or rng.random() < 0.5,
        done=done if standing else (),
        uncovered=standing and rng.random() < 0.3,
        short=rng.choice((0, 0, 0, 0, 1)),
        units=255,
    )


def random_limits(rng: random.Random, auth: Auth) -> Auth:
    return limited(
        auth, rng.randrange(1 + 2 * auth.sell_rate), rng.randrange(1 + 2 * auth.buy_rate)
    )


def random_cost(
    rng: random.Random, auths: list[Auth], products: Mapping[int, dict[str, int]]
) -> Cost:
    """Prices of the size of the auths' own, per unit of the combination."""
    chosen = sorted(rng.sample(range(len(auths)), rng.randint(1, len(auths))))
    terms = tuple(Term(j, rng.choice((-1, 1)) * rng.randint(1, 20)) for j in chosen)
    worth = [
        Fraction(sum(abs(g.weight) * products[g.product]["reference"] for g in auths[j].legs), 20)
        for j in chosen
    ]
    unit = int(min(worth))
    kind = rng.choice("bs2")
    return Cost(
        terms,
        unit * rng.randint(-100, 100) // 5000,
        unit // 500 if kind == "2" else 0,
        () if kind == "s" else random_side(rng, unit),
        () if kind == "b" else random_side(rng, unit),
    )


PAIR = market(product(), product())
BOOKS = (
    Book("substitutes", PAIR, substitutes(), lies=True),
    Book("imperfect substitutes", PAIR, imperfect()),
    Book("as many sold as bought", PAIR, paired()),
    Book("beyond the ends of a cost", PAIR, beyond_the_ends()),
    Book("a cost that falls off", PAIR, cliff()),
    Book("overlapping costs and a budget", market(*[product()] * 3), overlapping()),
    Book("costs of void submissions", PAIR, void_costs(), lies=True),
    Book("limits", market(product()), limits(), lies=True),
    Book("limits and costs", PAIR, limited_costs()),
    Book("lives of standing submissions", market(product()), lives(), lies=True),
    Book("amendments", market(product(), product(5), product(5)), amendments(), lies=True),
    *(random_flow(seed) for seed in range(7)),
)
