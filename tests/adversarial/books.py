"""Random and adversarial books in chain integers, every account covered to the last ulp.

`SHAPES` names the generators: each takes a `random.Random` and returns the products' scales and
references and one auth per account; `market` turns them into what a settlement reads. Sizes are cut
until the value of all cover fits the custody caps of SPEC §7.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from walras.batch import AccountState, BatchState, Product, house_log2, least_house_cash
from walras.certificate import Opened
from walras.curve import drops, tau
from walras.submission import Auth, Leg, Step, Submission, VoidReason, cover

X24, X40, X44 = 1 << 24, 1 << 40, 1 << 44
COVER_CAP = 1 << 66
_CASH_CAP = 1 << 55 + 40
_LOTS_CAP = 1 << 51 + 44
_PRICE_CAP = 1 << 112


@dataclass(frozen=True)
class Draft:
    """Products and auths before they are covered: scales X24, references X40."""

    scales: list[int]
    references: list[int]
    auths: list[Auth]
    tick_bps: int = 1
    untouched: int = 0  # products listed by a void submission only


def market(draft: Draft) -> tuple[BatchState, tuple[Opened, ...]]:
    """One account per auth, holding exactly its cover; a house as small as SPEC §8 allows."""
    products = {
        k: Product(
            id=k,
            house=(1 << house_log2(COVER_CAP, scale)) * X44,
            reference=reference,
            scale=scale,
            tick_bps=draft.tick_bps,
            depth_log2=20,
            house_log2=house_log2(COVER_CAP, scale),
        )
        for k, (scale, reference) in enumerate(zip(draft.scales, draft.references, strict=True))
    }
    opened = [_covered(i, auth) for i, auth in enumerate(fitted(draft), start=1)]
    if draft.untouched:
        listed = tuple(range(len(products) - draft.untouched, len(products)))
        account = AccountState((1 << 80).to_bytes(20), 0, {}, None, 255, b"")
        opened.append(Opened(account, None, VoidReason.UNCOVERED, listed))
    state = BatchState(
        number=1,
        batch_id=bytes(32),
        scheduled_lock_out=0,
        products=products,
        accounts=tuple(one.account for one in opened),
        house_cash=least_house_cash(products.values()),
        secret=1,
    )
    return state, tuple(opened)


def fitted(draft: Draft) -> list[Auth]:
    """The auths within curve bounds, narrowed together until the custody caps hold."""
    ticks = {k: -(-(s << 16) * draft.tick_bps // 10_000) for k, s in enumerate(draft.scales)}
    auths = [auth for auth in draft.auths if _within_bounds(auth, ticks)]
    while not _within_caps(auths, draft.references):
        auths = [_narrower(auth) for auth in auths]
    return auths


def _covered(number: int, auth: Auth) -> Opened:
    submission = Submission((auth,))
    needed = cover(submission)
    account = AccountState(
        number.to_bytes(20), needed.cash, dict(needed.lots), None, 255, bytes(32)
    )
    return Opened(account, submission, None, submission.products)


def _within_bounds(auth: Auth, ticks: dict[int, int]) -> bool:
    floor = tau(auth, ticks)
    falls = (
        (auth.bid, sum(drops(auth.buy, auth.gross, floor))),
        (-auth.ask, sum(drops(auth.sell, auth.gross, floor))),
    )
    return all(abs(top) <= _PRICE_CAP and top - fall >= -_PRICE_CAP for top, fall in falls)


def _within_caps(auths: Sequence[Auth], references: Sequence[int]) -> bool:
    lots = [0] * len(references)
    cash = 0
    for auth in auths:
        needed = cover(Submission((auth,)))
        cash += needed.cash
        for product, amount in needed.lots.items():
            lots[product] += amount
    value = sum(amount * reference for amount, reference in zip(lots, references, strict=True))
    return (
        cash <= _CASH_CAP
        and max(lots, default=0) <= _LOTS_CAP
        and cash * X44 + value <= COVER_CAP * X40 * X44
    )


def _narrower(auth: Auth) -> Auth:
    def cut(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(Step(step.width // 2, step.increment) for step in steps)

    return replace(auth, buy=cut(auth.buy), sell=cut(auth.sell))


# --- pieces -------------------------------------------------------------------------------------


def prices(rng: random.Random, count: int) -> tuple[list[int], list[int]]:
    """Scales of lots worth 2^0 to 2^30 cash units and references within SPEC's bounds."""
    scales = [int(X24 * 2.0 ** rng.uniform(0, 30)) for _ in range(count)]
    return scales, [_reference(rng, scale) for scale in scales]


def _reference(rng: random.Random, scale: int) -> int:
    factor = rng.choice([1.0, rng.uniform(0.9, 1.1), 2.0 ** rng.uniform(-3, 3)])
    return min(max(int(scale * 2**16 * factor), scale << 13), scale << 19)


def portfolio(rng: random.Random, count: int, legs: int, heaviest: int = 50) -> tuple[Leg, ...]:
    """Distinct products with weights of either sign; a single leg weighs 1."""
    chosen = sorted(rng.sample(range(count), min(legs, count)))
    if len(chosen) == 1:
        return (Leg(chosen[0], 1),)
    return tuple(Leg(k, rng.choice([-1, 1]) * rng.randint(1, heaviest)) for k in chosen)


def value(legs: Sequence[Leg], references: Sequence[int]) -> int:
    """Reference value of a portfolio, X40."""
    return sum(leg.weight * references[leg.product] for leg in legs)


def size_of(legs: Sequence[Leg], references: Sequence[int]) -> int:
    """Gross reference value of a portfolio, X40."""
    return sum(abs(leg.weight) * references[leg.product] for leg in legs)


def one_sided(side: int, legs: tuple[Leg, ...], price: int, steps: Sequence[Step]) -> Auth:
    """A bid (side 1) or an ask (side -1) that starts at `price` X40."""
    given = tuple(steps)
    return Auth(legs, price, 0, given, ()) if side > 0 else Auth(legs, price, 0, (), given)


def steps(rng: random.Random, width: int, size: int) -> tuple[Step, ...]:
    """One to four steps, some of no width, some as steep as the contract allows."""
    return tuple(
        Step(
            0 if rng.random() < 0.1 else max(1, int(width * rng.uniform(0.1, 1))),
            0 if rng.random() < 0.4 else int(size * 10 ** rng.uniform(-4, -1)),
        )
        for _ in range(rng.randint(1, 4))
    )


def around(rng: random.Random, legs: tuple[Leg, ...], references: Sequence[int]) -> int:
    """A limit near the reference value: usually within a few per mille, sometimes far away."""
    spread = rng.choice([0.0, 0.001, 0.004, 0.05, 1.0])
    return value(legs, references) + int(size_of(legs, references) * rng.gauss(0, 1) * spread)


def anything(rng: random.Random, count: int, references: Sequence[int], largest: float) -> Auth:
    """An auth of any of the usual kinds, up to 2^largest lots."""
    kinds = [1] * 6 + [2, 2, 3, 5, 16]
    legs = portfolio(rng, count, rng.choice(kinds))
    gross = sum(abs(leg.weight) for leg in legs)
    size = size_of(legs, references)
    width = max(1, int(2 ** rng.uniform(0, largest)) // gross)
    first = around(rng, legs, references)
    side = rng.choice([1, -1, 0])
    if side:
        return one_sided(side, legs, first, steps(rng, width, size))
    gap = rng.choice([0, 1, int(size * 0.002)])
    return Auth(legs, first, gap, steps(rng, width, size), steps(rng, width, size))


# --- shapes -------------------------------------------------------------------------------------


def mixed(rng: random.Random) -> Draft:
    count = rng.randint(1, 8)
    scales, references = prices(rng, count)
    largest = rng.choice([3, 12, 24, 40])
    auths = [anything(rng, count, references, largest) for _ in range(rng.randint(1, 60))]
    return Draft(scales, references, auths, tick_bps=rng.choice([1, 1, 10, 255]))


def ties(rng: random.Random) -> Draft:
    """Everybody at the same limit, of one product and of a pair across it."""
    scales, references = prices(rng, 2)
    legs: list[tuple[Leg, ...]] = [
        (Leg(0, 1),),
        (Leg(1, 1),),
        (Leg(0, 1), Leg(1, -1)),
        (Leg(0, 2), Leg(1, -2)),
    ]
    auths = []
    for _ in range(rng.randint(4, 120)):
        chosen = rng.choice(legs)
        step = Step(rng.choice([1, 7, 1000, 1 << 30]), 0)
        auths.append(one_sided(rng.choice([1, -1]), chosen, value(chosen, references), [step]))
    return Draft(scales, references, auths)


def one_lot(rng: random.Random) -> Draft:
    """Orders of a single lot, against each other and one big order that cannot fill."""
    scales, references = prices(rng, 2)
    auths = [
        one_sided(
            rng.choice([1, -1]), (Leg(k, 1),), references[k] + rng.randint(-3, 3), [Step(1, 0)]
        )
        for k in (0, 1)
        for _ in range(rng.randint(1, 40))
    ]
    auths.append(one_sided(1, (Leg(0, 1),), references[0] * 2, [Step((1 << 48) - 1, 0)]))
    return Draft(scales, references, auths)


def largest_sizes(rng: random.Random) -> Draft:
    """2^48 units of lots worth one cash unit, beside orders of one lot."""
    scales = [X24, X24]
    references = [X40, X40]
    auths = []
    for _ in range(rng.randint(2, 20)):
        legs = rng.choice([(Leg(0, 1),), (Leg(1, 1),), (Leg(0, 1), Leg(1, -1))])
        width = rng.choice([(1 << 48) - 1, 1 << 47, 1])
        auths.append(
            one_sided(rng.choice([1, -1]), legs, around(rng, legs, references), [Step(width, 0)])
        )
    return Draft(scales, references, auths)


def no_width(rng: random.Random) -> Draft:
    """Vertical pieces: steps without width between steps of one lot and wide ones."""
    scales, references = prices(rng, 2)
    auths = []
    for _ in range(rng.randint(2, 30)):
        legs = portfolio(rng, 2, rng.choice([1, 1, 2]), 4)
        size = size_of(legs, references)
        ladder = [
            Step(rng.choice([0, 0, 1, 1000]), rng.choice([0, 1, size >> 12]))
            for _ in range(rng.randint(1, 16))
        ]
        auths.append(one_sided(rng.choice([1, -1]), legs, around(rng, legs, references), ladder))
    return Draft(scales, references, auths)


def pairs_only(rng: random.Random) -> Draft:
    """No order pins a level: only spreads trade, in a ring or a chain."""
    count = rng.randint(2, 10)
    scales, references = prices(rng, count)
    auths = []
    for _ in range(rng.randint(2, 40)):
        first, second = rng.sample(range(count), 2)
        low, high = min(first, second), max(first, second)
        weight = rng.choice([1, 1, rng.randint(1, 1000)])
        legs = (Leg(low, weight), Leg(high, -rng.choice([weight, rng.randint(1, 1000)])))
        width = int(2 ** rng.uniform(0, 40)) // (2 * weight) + 1
        auths.append(
            one_sided(rng.choice([1, -1]), legs, around(rng, legs, references), [Step(width, 0)])
        )
    return Draft(scales, references, auths)


def near_parallel(rng: random.Random) -> Draft:
    """Heavy portfolios whose weights differ by one in a million."""
    scales, references = prices(rng, 3)
    heavy = 1 << 20
    auths = []
    for _ in range(rng.randint(2, 16)):
        legs = tuple(
            Leg(k, sign * (heavy - rng.randint(0, 2)))
            for k, sign in zip((0, 1, 2), (1, -1, rng.choice([1, -1])), strict=True)
        )[: rng.choice([2, 3])]
        width = rng.choice([1, 100, 1 << 20])
        auths.append(
            one_sided(rng.choice([1, -1]), legs, around(rng, legs, references), [Step(width, 0)])
        )
    auths += [anything(rng, 3, references, 20) for _ in range(rng.randint(0, 3))]
    return Draft(scales, references, auths)


def sixteen_legs(rng: random.Random) -> Draft:
    count = 18
    scales, references = prices(rng, count)
    auths = []
    for _ in range(rng.randint(2, 24)):
        legs = portfolio(rng, count, 16, rng.choice([2, 1000, 1 << 20]))
        width = rng.choice([1, 1000, 1 << 20])
        auths.append(
            one_sided(rng.choice([1, -1]), legs, around(rng, legs, references), [Step(width, 0)])
        )
    return Draft(scales, references, auths)


def thin_and_huge(rng: random.Random) -> Draft:
    """A deep product beside one with a single lot, tied by a heavy pair."""
    scales = [X24, X24 << 30]
    references = [X40, X40 << 30]
    deep = [
        one_sided(
            side, (Leg(0, 1),), X40 + side * rng.randint(-(1 << 30), 1 << 30), [Step(1 << 46, 0)]
        )
        for side in (1, -1)
        for _ in range(rng.randint(1, 4))
    ]
    thin = one_sided(rng.choice([1, -1]), (Leg(1, 1),), references[1], [Step(1, 0)])
    legs = (Leg(0, 1 << 20), Leg(1, -rng.choice([1, 3])))
    tie = one_sided(rng.choice([1, -1]), legs, around(rng, legs, references), [Step(1 << 24, 0)])
    return Draft(scales, references, [*deep, thin, tie])


def one_side_only(rng: random.Random) -> Draft:
    """Buyers or sellers alone: only the maker trades, thousandths of a lot."""
    scales, references = prices(rng, 3)
    side = rng.choice([1, -1])
    auths = []
    for _ in range(rng.randint(1, 20)):
        legs = (Leg(rng.randint(0, 2), 1),)
        price = int(references[legs[0].product] * 2 ** rng.uniform(-4, 4))
        auths.append(one_sided(side, legs, price, [Step(int(2 ** rng.uniform(0, 47)), 0)]))
    return Draft(scales, references, auths)


def crossed_at_one_price(rng: random.Random) -> Draft:
    """Demand meets supply exactly at a limit, sizes equal: the price is pinned by kinks alone."""
    scales, references = prices(rng, 1)
    level = references[0] + rng.choice([0, 1, -1, references[0] // 100])
    width = rng.choice([1, 1000, 1 << 40])
    auths = [
        one_sided(1, (Leg(0, 1),), level, [Step(width, 0)]),
        one_sided(-1, (Leg(0, 1),), level, [Step(width, 0)]),
        Auth((Leg(0, 1),), level, 0, (Step(1, 0),), (Step(1, 0),)),
    ]
    return Draft(scales, references, auths)


def interval(rng: random.Random) -> Draft:
    """A wide price interval between satisfied buyers and sellers, with a friend's kink inside."""
    scales, references = prices(rng, 1)
    one = references[0]
    width = rng.choice([1, 1000, 1 << 40])
    auths = [
        one_sided(1, (Leg(0, 1),), one + one // 10, [Step(width, 0)]),
        one_sided(-1, (Leg(0, 1),), one - one // 10, [Step(width, 0)]),
    ]
    if rng.random() < 0.7:
        kink = one + int(one * rng.uniform(-0.09, 0.09))
        friend = [Step(rng.choice([1, 10**6]), 0)]
        auths.append(one_sided(rng.choice([1, -1]), (Leg(0, 1),), kink, friend))
    return Draft(scales, references, auths)


def untouched(rng: random.Random) -> Draft:
    """Products that only a void submission lists stay at their reference."""
    scales, references = prices(rng, 5)
    auths = [anything(rng, 3, references, 20) for _ in range(rng.randint(0, 10))]
    return Draft(scales, references, auths, untouched=2)


def steepest(rng: random.Random) -> Draft:
    """Curves as steep, as flat and as negative as their widths allow."""
    scales, references = prices(rng, 2)
    auths = []
    for _ in range(rng.randint(2, 20)):
        legs = portfolio(rng, 2, rng.choice([1, 2]), 1000)
        size = size_of(legs, references)
        increment = rng.choice([0, 1, size, 1 << 60, 1 << 90])
        first = around(rng, legs, references) + rng.choice([-1, 0, 0, 1]) * (increment // 2)
        step = Step(rng.choice([1, 2, 1 << 20]), increment)
        auths.append(one_sided(rng.choice([1, -1]), legs, first, [step]))
    return Draft(scales, references, auths)


def wide(rng: random.Random) -> Draft:
    """Many products, few orders: floppy directions everywhere."""
    count = rng.randint(20, 60)
    scales, references = prices(rng, count)
    number = rng.randint(count // 2, 3 * count)
    return Draft(scales, references, [anything(rng, count, references, 24) for _ in range(number)])


def nobody(rng: random.Random) -> Draft:
    scales, references = prices(rng, 2)
    return Draft(scales, references, [], untouched=rng.choice([0, 2]))


SHAPES: dict[str, Callable[[random.Random], Draft]] = {
    shape.__name__: shape
    for shape in (
        mixed,
        ties,
        one_lot,
        largest_sizes,
        no_width,
        pairs_only,
        near_parallel,
        sixteen_legs,
        thin_and_huge,
        one_side_only,
        crossed_at_one_price,
        interval,
        untouched,
        steepest,
        wide,
        nobody,
    )
}
