"""What the machine of core_life draws from and judges by."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from tests.reference import clearing
from tests.vectors.cases.codec import reading_of
from walras.auths import Auth, Cost, Leg, Limits, Step, Submission, Term
from walras.batch import BatchState
from walras.certificate import Opened, priced_products
from walras.numbers import X40, X44

PRODUCTS = 2


@dataclass
class Ghost:
    """An account as plain arithmetic has it."""

    cash: int = 0
    lots: list[int] = field(default_factory=lambda: [0] * PRODUCTS)
    submission: Submission | None = None  # that stands
    moved: list[int] = field(default_factory=list)  # X44 of each of its auths
    strikes: int = 0  # batches running in which it was uncovered


@dataclass
class Sealed:
    """What an account sealed in the batch that is open, beside what stands of it."""

    submission: Submission
    ciphertext: bytes


@st.composite
def auths(draw: st.DrawFn) -> Auth:
    """A few lots around 100, or around zero for a pair; limits of a few batches."""
    pair = draw(st.booleans())
    legs = (Leg(0, 1), Leg(1, -1)) if pair else (Leg(draw(st.integers(0, 1)), 1),)
    first = ((0 if pair else 100) + draw(st.integers(-12, 12))) * X40
    side = (Step(draw(st.sampled_from((1, 3, 20))), draw(st.sampled_from((0, X40)))),)
    kind = draw(st.sampled_from(("buy", "sell", "both")))
    if kind == "buy":
        auth = Auth(legs, first, 0, side, ())
    elif kind == "sell":
        auth = Auth(legs, first, 0, (), side)
    else:
        auth = Auth(legs, first, X40, side, side)
    if draw(st.booleans()):
        return auth
    low, high = (draw(st.sampled_from((0, 1, 4, 30, 1000))) for _ in range(2))
    return replace(auth, limits=Limits(low, high))


@st.composite
def costs(draw: st.DrawFn, count: int) -> Cost:
    chosen = sorted(draw(st.sets(st.integers(0, count - 1), min_size=1)))
    terms = tuple(Term(j, draw(st.sampled_from((1, -1, 2)))) for j in chosen)
    side = (Step(draw(st.sampled_from((0, 2, 10))), draw(st.sampled_from((1, X40, 1 << 60)))),)
    return draw(
        st.sampled_from((Cost(terms, 0, 0, side, ()), Cost(terms, -X40, 2 * X40, side, side)))
    )


def spent(submission: Submission, moved: list[int]) -> bool:
    """Nothing left that any auth may buy or sell."""
    for auth, rate in zip(submission.auths, moved, strict=True):
        if auth.limits is None:
            return False
        if auth.buy_rate and rate < auth.limits.high * X44:
            return False
        if auth.sell_rate and rate > -auth.limits.low * X44:
            return False
    return True


def root(
    state: BatchState, opened: tuple[Opened, ...]
) -> tuple[dict[int, int], dict[bytes, tuple[int, ...]]]:
    """Exact prices and shadow prices, rounded."""
    listed, trading = priced_products(opened), [one for one in opened if one.reason is None]
    makers = [
        clearing.maker_of(k, state.products[k].reference, state.products[k].scale) for k in listed
    ]
    readings = [(reading_of(one.submission), one.done) for one in trading if one.submission]
    prices, shadows = clearing.clearing_point(clearing.Book.read(makers, readings, state.ticks))
    values = iter(clearing.to_x84(shadows))
    return dict(zip(listed, clearing.to_x84(prices), strict=True)), {
        one.account.address: tuple(next(values) for _ in range(one.costs)) for one in trading
    }
