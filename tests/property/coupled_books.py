"""Random books of submissions with costs and limits, covered to the last ulp.

`SHAPES` names the kinds of submission; `coupled_market` mixes them into what a settlement reads.
Amounts shrink until the value of all cover fits the custody caps of SPEC §7.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.adversarial import books
from tests.adversarial.books import X40, X44, one_sided
from walras.auths import Auth, Cost, Limits, Step, Submission, Term, cover, drops
from walras.batch import AccountState, BatchState, Product, house_log2, least_house_cash
from walras.certificate import Opened
from walras.curve import tau

HARD = 1 << 100  # an increment no market reaches: a vertical end of a curve
Wish = tuple[Submission, tuple[int, ...]]


@dataclass(frozen=True)
class Coupled:
    """Products (scales X24, references X40), submissions and their progress X44."""

    scales: list[int]
    references: list[int]
    wishes: Sequence[Wish]
    tick_bps: int = 1


def coupled_market(draft: Coupled) -> tuple[BatchState, tuple[Opened, ...]]:
    """One account per submission, holding exactly its cover."""
    products = {
        k: Product(
            id=k,
            house=(1 << house_log2(books.COVER_CAP, scale)) * X44,
            reference=reference,
            scale=scale,
            tick_bps=draft.tick_bps,
            depth_log2=20,
            house_log2=house_log2(books.COVER_CAP, scale),
        )
        for k, (scale, reference) in enumerate(zip(draft.scales, draft.references, strict=True))
    }
    ticks = {k: product.tick for k, product in products.items()}
    wishes = [wish for wish in draft.wishes if _within_bounds(wish[0], ticks)]
    while not _within_caps(wishes, draft.references):
        wishes = [(_narrower(submission), ()) for submission, _ in wishes]
    opened = tuple(_covered(i, *wish) for i, wish in enumerate(wishes, start=1))
    state = BatchState(
        number=1,
        batch_id=bytes(32),
        scheduled_lock_out=0,
        products=products,
        accounts=tuple(one.account for one in opened),
        house_cash=least_house_cash(products.values()),
        secret=1,
    )
    return state, opened


def _covered(number: int, submission: Submission, done: tuple[int, ...]) -> Opened:
    needed = cover(submission, done)
    account = AccountState(
        number.to_bytes(20), needed.cash, dict(needed.lots), None, 255, bytes(32)
    )
    return Opened(account, submission, None, submission.products, done)


def _within_bounds(submission: Submission, ticks: dict[int, int]) -> bool:
    curves: list[tuple[Auth | Cost, int, int]] = [(c, c.gross, 1) for c in submission.costs]
    curves += [
        (auth, auth.gross + guard, tau(auth, ticks))
        for auth, guard in zip(submission.auths, submission.guards, strict=True)
    ]
    most = 1 << 112
    return all(
        abs(first) <= most and first - sum(drops(steps, gross, floor)) >= -most
        for curve, gross, floor in curves
        for first, steps in ((curve.bid, curve.buy), (-curve.ask, curve.sell))
    )


def _within_caps(wishes: Sequence[Wish], references: Sequence[int]) -> bool:
    lots, cash = [0] * len(references), 0
    for submission, done in wishes:
        needed = cover(submission, done)
        cash += needed.cash
        for product, amount in needed.lots.items():
            lots[product] += amount
    value = sum(amount * reference for amount, reference in zip(lots, references, strict=True))
    return (
        cash <= 1 << 55 + 40
        and max(lots, default=0) <= 1 << 51 + 44
        and cash * X44 + value <= books.COVER_CAP * X40 * X44
    )


def _narrower(submission: Submission) -> Submission:
    def cut(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(Step(step.width // 2, step.increment // 2) for step in steps)

    return replace(
        submission,
        auths=tuple(replace(a, buy=cut(a.buy), sell=cut(a.sell)) for a in submission.auths),
        costs=tuple(
            replace(c, first=c.first // 2, gap=c.gap // 2, buy=cut(c.buy), sell=cut(c.sell))
            for c in submission.costs
        ),
    )


# --- pieces -------------------------------------------------------------------------------------


def at_most(terms: Sequence[tuple[int, int]], most: int, end: int = HARD) -> Cost:
    """s <= most, nothing asked below."""
    return Cost(tuple(Term(*term) for term in terms), 0, 0, (Step(most, 0), Step(0, end)), ())


def _auths(rng: random.Random, references: Sequence[int], count: int, side: int) -> list[Auth]:
    found = []
    for _ in range(count):
        legs = books.portfolio(rng, len(references), rng.choice([1, 1, 1, 2, 3]), 5)
        size = books.size_of(legs, references)
        width = max(1, int(2 ** rng.uniform(0, 16)))
        own = rng.choice([1, -1]) if side == 0 else side
        first = books.around(rng, legs, references)
        found.append(one_sided(own, legs, first, books.steps(rng, width, size)))
    return found


def _any_cost(rng: random.Random, auths: Sequence[Auth], price: int) -> Cost:
    """Any terms, any curve: with a bid, an ask, both; steps with and without width."""
    chosen = sorted(rng.sample(range(len(auths)), rng.randint(1, min(5, len(auths)))))
    heavy = rng.choice([1, 1, 3, 1000, 1 << 20])
    terms = tuple(Term(j, rng.choice([-1, 1]) * rng.randint(1, heavy)) for j in chosen)
    wide = max(1, int(heavy * 2 ** rng.uniform(0, 17)))

    def steps() -> tuple[Step, ...]:
        return tuple(
            Step(
                rng.choice([0, 1, max(1, int(wide * rng.random()))]),
                rng.choice([0, 1, int(price * 10 ** rng.uniform(-5, 0.5)), HARD]),
            )
            for _ in range(rng.randint(1, 3))
        )

    sides = rng.choice(["buy", "sell", "both"])
    gap = rng.choice([0, 0, 1, price]) if sides == "both" else 0
    return Cost(
        terms,
        rng.choice([0, 0, int(price * rng.gauss(0, 0.1)), int(price * rng.gauss(0, 4))]),
        gap,
        steps() if sides != "sell" else (),
        steps() if sides != "buy" else (),
    )


# --- kinds of submission ------------------------------------------------------------------------


def plain(rng: random.Random, references: Sequence[int]) -> Wish:
    return Submission(tuple(_auths(rng, references, rng.randint(1, 3), 0))), ()


def anything(rng: random.Random, references: Sequence[int]) -> Wish:
    """Up to six auths and five overlapping costs of any kind."""
    auths = _auths(rng, references, rng.randint(1, 6), 0)
    price = books.size_of(auths[0].legs, references)
    costs = tuple(_any_cost(rng, auths, price) for _ in range(rng.randint(1, 5)))
    return Submission(tuple(auths), costs=costs), ()


def substitutes(rng: random.Random, references: Sequence[int]) -> Wish:
    """So many units of several portfolios together, no matter which: seed 002."""
    auths = _auths(rng, references, rng.randint(2, 5), 1)
    most = max(1, sum(auth.buy_rate for auth in auths) // rng.choice([2, 10, 1000]))
    terms = [(j, rng.choice([1, 1, 1, 2])) for j in range(len(auths))]
    return Submission(tuple(auths), costs=(at_most(terms, most),)), ()


def budget(rng: random.Random, references: Sequence[int]) -> Wish:
    """Buys and sells in the proportion of their worth: what is bought is paid by what is sold."""
    auths = [*_auths(rng, references, 2, 1), *_auths(rng, references, 2, -1)]
    worth = [books.size_of(auth.legs, references) for auth in auths]
    unit = max(1, max(worth) >> rng.choice([3, 10, 19]))
    terms = [(j, min(max(1, value // unit), 1 << 20)) for j, value in enumerate(worth)]
    cost = at_most(terms, max(1, int(2 ** rng.uniform(0, 20))), rng.choice([HARD, X40]))
    return Submission(tuple(auths), costs=(cost,)), ()


def pair(rng: random.Random, references: Sequence[int]) -> Wish:
    """Two legs that must trade in step, from both sides, to within a few units."""
    auths = [*_auths(rng, references, 1, 1), *_auths(rng, references, 1, -1)]
    terms = ((0, 1), (1, rng.choice([1, 2])))
    width = rng.choice([0, 1, 5])
    steps = (Step(width, 0), Step(0, HARD))
    cost = Cost(tuple(Term(*term) for term in terms), 0, 0, steps, steps)
    return Submission(tuple(auths), costs=(cost,)), ()


def standing(rng: random.Random, references: Sequence[int]) -> Wish:
    """Limits almost reached, or reached, some of them bound together."""
    auths, done = [], []
    for auth in _auths(rng, references, rng.randint(1, 4), 0):
        total = max(1, auth.buy_rate + auth.sell_rate)
        low, high = (rng.choice([0, 1, total, 3 * total]) for _ in range(2))
        left = rng.choice([0, 1, X44 // 3, X44 + 1, rng.randint(0, total * X44)])
        moved = rng.choice([min(left, (low + high) * X44), max(0, (low + high) * X44 - left)])
        auths.append(replace(auth, limits=Limits(low, high)))
        done.append(moved - low * X44)
    costs: tuple[Cost, ...] = ()
    if rng.random() < 0.5:
        costs = (_any_cost(rng, auths, books.size_of(auths[0].legs, references)),)
    return Submission(tuple(auths), costs=costs, standing=True), tuple(done)


def at_an_end(rng: random.Random, references: Sequence[int]) -> Wish:
    """Costs whose curve is too small or too weak to stop anybody: λ at its bottom or its top."""
    side = rng.choice([1, -1])
    auths = _auths(rng, references, rng.randint(1, 3), side)
    price = books.size_of(auths[0].legs, references)
    end = rng.choice([0, 1, price >> 20, price >> 8])
    steps = (Step(rng.choice([0, 1]), end),)
    terms = tuple(Term(j, rng.choice([1, -1, 3])) for j in range(len(auths)))
    first = rng.choice([0, price >> 9, -(price >> 9)])
    cost = Cost(terms, first, 0, *rng.choice([(steps, ()), ((), steps), (steps, steps)]))
    return Submission(tuple(auths), costs=(cost,)), ()


def degenerate(rng: random.Random, references: Sequence[int]) -> Wish:
    """The same limit said twice, multiples of it, and limits that follow from others."""
    auths = _auths(rng, references, rng.randint(2, 4), 1)
    every = [(j, 1) for j in range(len(auths))]
    most = max(1, auths[0].buy_rate // rng.choice([1, 2, 7]))
    costs = [at_most(every, most), at_most(every, most + rng.choice([0, 0, 1]))]
    costs.append(at_most([(j, 3) for j, _ in every], 3 * most))
    costs += [at_most([(j, 1)], most) for j in range(len(auths))]
    rng.shuffle(costs)
    return Submission(tuple(auths), costs=tuple(costs[: rng.randint(2, len(costs))])), ()


SHAPES: dict[str, Callable[[random.Random, Sequence[int]], Wish]] = {
    shape.__name__: shape
    for shape in (
        plain,
        anything,
        substitutes,
        budget,
        pair,
        standing,
        at_an_end,
        degenerate,
    )
}


def draft(rng: random.Random, shapes: Sequence[str] = tuple(SHAPES), most: int = 25) -> Coupled:
    """A few products, up to `most` submissions of `shapes`, and plain ones to trade with."""
    scales, references = books.prices(rng, rng.randint(1, 6))
    names = [rng.choice(shapes) for _ in range(rng.randint(1, most))]
    names += ["plain"] * rng.randint(0, 5)
    wishes = [SHAPES[name](rng, references) for name in names]
    return Coupled(scales, references, wishes, rng.choice([1, 1, 10, 255]))
