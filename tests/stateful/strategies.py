"""What people do with a market: amounts, orders and the ways to get a settlement wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from hypothesis import strategies as st

from tests.stateful.books import ALL, CASH
from tests.stateful.setting import BIDDERS, NAMES, PRODUCTS
from walras.auths import Auth, Cost, Leg, Limits, Step, Submission, Term

X40: Final = 2**40
names = st.sampled_from(NAMES)
bidders = st.sampled_from((*BIDDERS[:3], *BIDDERS))
mostly_operator = st.sampled_from(("operator",) * 4 + NAMES)
# the last is never listed, the one before seldom
assets = st.sampled_from((CASH, CASH, CASH, 0, 0, 1, 1, 2, 2, 3, 9))
recipients = st.sampled_from((*NAMES, *NAMES, "market", "nobody"))
# lots or cash units, and base units on top of them
counts = st.sampled_from((0, 1, 7, 100, 3_000, 200_000, 3 * 10**7))
extras = st.sampled_from((0, 0, 0, 0, 1, -1, 2**128))
# eighths of what is there, and base units on top
shares = st.sampled_from((ALL, ALL, 8, 4, 1, 0))
batches_back = st.sampled_from((0, 0, 0, 0, 0, 1, -1))
endings = st.sampled_from(("settled", "settled", "fallback", "clearing"))
base_fees = st.sampled_from((0, 0, 1 << 16, 1 << 17, 1 << 18))
lies = st.lists(
    st.sampled_from(
        (
            *("price", "little", "huge price", "skip", "repeat", "reverse", "foreign", "altered"),
            *("truncated", "cut head", "unpriced", "overpriced", "unknown product", "unsorted"),
            *("lengths", "empty", "progress", "shadow"),
        )
    ),
    max_size=4,
)
# mostly one product, and mostly the same
ID_SETS: Final = st.sampled_from(
    ({0}, {0}, {0}, {0}, {1}, {1}, {2}, {0, 1}, {0, 1}, {0, 2}, {1, 2}, {0, 1, 2}, {0, 3})
)


@st.composite
def auths(draw: st.DrawFn) -> Auth:
    """Of one to three products, a few lots, within a few per cent of the listing prices."""
    ids = sorted(
        draw(st.sets(st.sampled_from((0, 1, 2, 0, 1, 2, 0, 1, 2, 3)), min_size=1, max_size=3))
    )
    weights = st.sampled_from((1, 1, 2, -1, -1, -3))
    legs = tuple(Leg(k, draw(weights) if len(ids) > 1 else 1) for k in ids)
    worth = sum(leg.weight * PRODUCTS[leg.product][2] for leg in legs)
    size = sum(abs(leg.weight) * PRODUCTS[leg.product][2] for leg in legs)
    steps = st.lists(
        st.builds(
            Step, st.sampled_from((1, 3, 10, 30, 0)), st.sampled_from((0, 1, size * X40 // 100))
        ),
        min_size=1,
        max_size=2,
    ).map(tuple)
    kind = draw(st.sampled_from(("buy", "sell", "buy", "sell", "both")))
    eager = draw(st.sampled_from((20, 20, 5, 0, -10))) * {"buy": 1, "sell": -1, "both": 0}[kind]
    first = (1000 * worth + size * (eager + draw(st.integers(-3, 3)))) * X40 // 1000
    gap = draw(st.sampled_from((0, size * X40 // 200))) if kind == "both" else 0
    buy = draw(steps) if kind != "sell" else ()
    auth = Auth(legs, first, gap, buy, draw(steps) if kind != "buy" else ())
    within = draw(st.sampled_from((None, None, None, (0, 0), (4, 4), (40, 15), (9, 60))))
    return auth if within is None else replace(auth, limits=Limits(*within))


@st.composite
def submissions(draw: st.DrawFn, *, stands: float = 0.3) -> Submission:
    """One to three auths, some with a cost over them, some to stand."""
    chosen = tuple(draw(st.lists(auths(), min_size=1, max_size=3)))
    until = draw(st.sampled_from((0, 0, 0, 0, 1, 2**40 - 1)))
    standing = draw(st.integers(0, 9)) < 10 * stands
    return Submission(chosen, until, draw(couplings(len(chosen))), standing)


@st.composite
def couplings(draw: st.DrawFn, count: int) -> tuple[Cost, ...]:
    if draw(st.integers(0, 4)):
        return ()
    terms = tuple(Term(j, draw(st.sampled_from((1, 1, -1, 2)))) for j in range(count))
    side = (Step(draw(st.sampled_from((0, 2, 30))), draw(st.sampled_from((1, X40)))),)
    both = Cost(terms, -X40, 2 * X40, side, side)
    return (draw(st.sampled_from((Cost(terms, 0, 0, side, ()), both))),)


crowds = st.dictionaries(bidders, submissions(), min_size=2, max_size=4)
large_crowds = st.dictionaries(bidders, submissions(), min_size=3, max_size=4)


@st.composite
def plain(draw: st.DrawFn) -> Submission:
    """One product, mostly with a limit: books whose exact root comes at once."""
    first = (100 + draw(st.integers(-4, 4))) * X40
    side = (Step(draw(st.sampled_from((1, 3, 10, 30))), 0),)
    auth = Auth((Leg(0, 1),), first, 0, side, ())
    if draw(st.booleans()):
        auth = Auth((Leg(0, 1),), first, 0, (), side)
    within = draw(st.sampled_from((None, (4, 4), (40, 15), (9, 60))))
    auth = auth if within is None else replace(auth, limits=Limits(*within))
    return Submission((auth,), standing=draw(st.sampled_from((True, True, True, False))))


standing_crowds = st.dictionaries(bidders, plain() | submissions(stands=0.9), max_size=3)
chunk_lies = st.lists(st.sampled_from(("run", "foreign", "board", "overlap", "fresh")), max_size=2)
# of an operator that settles in chunks
STORIES: Final = ("settles", "begins again", "is late", "is undone", "is gone", "is left")
