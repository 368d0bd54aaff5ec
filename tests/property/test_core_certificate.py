from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.core_strategies import limits, progress, signed
from tests.reference import clearing
from tests.reference.welfare import welfare
from tests.vectors.cases.codec import reading_of
from walras.auths import Auth, Cost, Leg, Step, Submission, Term, cover
from walras.batch import AccountState, BatchState, Product
from walras.certificate import Opened, Settlement, settle
from walras.curve import cost_breakpoints, effective_prices
from walras.errors import CertificateError
from walras.numbers import LEDGER_BOUND, ceil_div
from walras.settlement import apply

TAME = settings(max_examples=40, deadline=None)


@dataclass(frozen=True)
class Batch:
    """A batch whose accounts cover their submissions exactly, and its exact prices."""

    state: BatchState
    opened: tuple[Opened, ...]
    prices: Mapping[int, int]
    shadows: Mapping[bytes, tuple[int, ...]]

    def settle(self) -> Settlement:
        return settle(self.state, self.opened, self.prices, self.shadows)


@st.composite
def products(draw: st.DrawFn, number: int) -> Product:
    # above 2^41 ten million of the heaviest portfolio would cost more than a ledger holds
    bits = draw(st.integers(24, 40))
    scale = draw(st.integers(1 << bits, 2 << bits))
    reference = scale * draw(st.integers(2**15, 2**17))
    tick_bps, depth = draw(st.sampled_from((1, 10, 255))), draw(st.sampled_from((0, 20, 52)))
    return Product(number, 1 << 90, reference, scale, tick_bps, depth)


@st.composite
def priced_auths(draw: st.DrawFn, market: Sequence[Product]) -> Auth:
    """Auths that disagree by a few per cent, of one lot to ten million."""
    count = draw(st.integers(1, len(market)))
    ids = sorted(draw(st.permutations(range(len(market))))[:count])
    weight = st.integers(1, 60) | st.integers(-60, -1)
    weights = [draw(weight) for _ in ids] if count > 1 else [1]
    worth = [w * market[k].reference for w, k in zip(weights, ids, strict=True)]
    gross = sum(map(abs, worth))
    first = sum(worth) + gross * draw(st.integers(-60, 60)) // 1000
    width = st.sampled_from((0, 1, 10, 1000)) | st.integers(1, 10**7)
    increment = st.sampled_from((0, gross // 1000)) | st.integers(0, gross // 20)
    side = st.lists(st.builds(Step, width, increment), min_size=1, max_size=2).map(tuple)
    kind = draw(st.sampled_from(("buy", "sell", "both")))
    return Auth(
        tuple(Leg(k, w) for k, w in zip(ids, weights, strict=True)),
        first,
        draw(st.sampled_from((0, gross // 500))) if kind == "both" else 0,
        draw(side) if kind != "sell" else (),
        draw(side) if kind != "buy" else (),
    )


@st.composite
def priced_costs(draw: st.DrawFn, auths: Sequence[Auth], market: Sequence[Product]) -> Cost:
    """Prices of a few per cent of the lightest auth's worth, per unit of the combination."""
    chosen = sorted(draw(st.sets(st.integers(0, len(auths) - 1), min_size=1)))
    factor = st.integers(1, 30) | st.integers(-30, -1)
    terms = tuple(Term(j, draw(factor)) for j in chosen)
    unit = min(
        sum(abs(leg.weight) * market[leg.product].reference for leg in auths[j].legs)
        for j in chosen
    )
    width = st.sampled_from((0, 1, 10, 1000)) | st.integers(1, 10**7)
    increment = st.sampled_from((0, 1, unit // 1000, unit)) | st.integers(0, unit // 50)
    side = st.lists(st.builds(Step, width, increment), min_size=1, max_size=2).map(tuple)
    kind = draw(st.sampled_from(("buy", "sell", "both")))
    return Cost(
        terms,
        unit * draw(st.integers(-30, 30)) // 1000,
        draw(st.sampled_from((0, unit // 500))) if kind == "both" else 0,
        draw(side) if kind != "sell" else (),
        draw(side) if kind != "buy" else (),
    )


@st.composite
def flows(draw: st.DrawFn, market: Sequence[Product]) -> tuple[Submission, tuple[int, ...]]:
    """A submission, half of them with limits and costs, and its progress."""
    auths = draw(st.lists(priced_auths(market), min_size=1, max_size=3))
    if draw(st.booleans()):
        return Submission(tuple(auths)), ()
    auths = [draw(limits(auth)) for auth in auths]
    costs = draw(st.lists(priced_costs(auths, market), max_size=2))
    submission = Submission(tuple(auths), 0, tuple(costs), standing=True)
    return submission, draw(progress(submission))


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    market = [draw(products(k)) for k in range(draw(st.integers(1, 3)))]
    opened = []
    for i in range(draw(st.integers(1, 5))):
        submission, done = draw(flows(market))
        needed = cover(submission, done)
        assert max(needed.cash, *needed.lots.values()) < LEDGER_BOUND // 8
        address = (i + 1).to_bytes(20)
        account = AccountState(
            address, needed.cash, needed.lots, None, 255, b"", submission.standing
        )
        opened.append(Opened(account, submission, None, submission.products, done))
    state = BatchState(
        number=1,
        batch_id=bytes(32),
        scheduled_lock_out=0,
        products={product.id: product for product in market},
        accounts=tuple(one.account for one in opened),
        house_cash=1 << 94,
        secret=1,
    )
    return Batch(state, tuple(opened), *exact_prices(state, opened))


def makers_of(state: BatchState, listed: Sequence[int]) -> list[clearing.Maker]:
    products = state.products
    return [clearing.maker_of(k, products[k].reference, products[k].scale) for k in listed]


def exact_prices(
    state: BatchState, opened: Sequence[Opened]
) -> tuple[dict[int, int], dict[bytes, tuple[int, ...]]]:
    """The rounded root: prices by product, shadow prices by account."""
    listed = sorted({k for one in opened for k in one.products})
    makers = makers_of(state, listed)
    readings = [
        (reading_of(one.submission), one.done or [0] * len(one.submission.limited))
        for one in opened
        if one.submission
    ]
    prices, shadows = clearing.clearing_point(clearing.Book.read(makers, readings, state.ticks))
    values = iter(clearing.to_x84(shadows))
    return dict(zip(listed, clearing.to_x84(prices), strict=True)), {
        one.account.address: tuple(next(values) for _ in range(one.costs)) for one in opened
    }


@TAME
@given(batches())
def test_the_rounded_exact_root_always_settles(batch: Batch) -> None:
    """S5: a settlement exists for every covered book; S2: nothing appears or vanishes."""
    settlement = batch.settle()
    after = apply(batch.state, settlement)
    for k in batch.state.products:
        assert total_lots(after, k) == total_lots(batch.state, k)
    assert total_cash(after) == total_cash(batch.state)
    for account in after.accounts:
        assert account.cash >= 0
        assert min(account.lots.values()) >= 0


@TAME
@given(batches())
def test_portfolios_trade_in_proportion_and_within_their_curves(batch: Batch) -> None:
    """S3."""
    settlement = batch.settle()
    for one in batch.opened:
        assert one.submission is not None
        address = one.account.address
        fills = dict.fromkeys(one.products, 0)
        rates = settlement.rates[address]
        prices = effective_prices(one.submission, batch.prices, batch.shadows[address])
        progress = one.submission.progress(one.done)
        for auth, rate, pi, done in zip(one.submission.auths, rates, prices, progress, strict=True):
            assert rate <= 0 or pi < auth.bid << 44
            assert rate >= 0 or pi > auth.ask << 44
            sold, bought = auth.room(done)
            assert -sold <= rate <= bought
            for leg in auth.legs:
                fills[leg.product] += leg.weight * rate
        assert settlement.fills[address] == fills


@TAME
@given(batches(), st.data())
def test_no_other_rates_are_worth_more_than_the_stated_loss(
    batch: Batch, data: st.DataObject
) -> None:
    """[C-3], and that what settles is the optimum."""
    settlement = batch.settle()
    readings, settled = [], []
    others: list[list[Fraction]] = []
    for one in batch.opened:
        assert one.submission is not None
        readings.append(reading_of(one.submission))
        rates = settlement.rates[one.account.address]
        settled.append([Fraction(rate, 2**44) for rate in rates])
        others.append([])
        progress = one.submission.progress(one.done)
        for auth, rate, done in zip(one.submission.auths, rates, progress, strict=True):
            sold, bought = auth.room(done)
            near = data.draw(signed(60))
            chosen = data.draw(
                st.sampled_from((rate, 0, -sold, bought, rate + near)) | st.integers(-sold, bought)
            )
            others[-1].append(Fraction(min(max(chosen, -sold), bought), 2**44))
    makers = makers_of(batch.state, sorted(batch.prices))
    ticks = batch.state.ticks
    gain = welfare(makers, readings, ticks, others) - welfare(makers, readings, ticks, settled)
    assert gain * 2**40 <= settlement.loss_x40


@TAME
@given(batches(), st.data())
def test_no_price_further_off_than_its_resolution_settles(
    batch: Batch, data: st.DataObject
) -> None:
    settlement = batch.settle()
    k = data.draw(st.sampled_from(sorted(batch.prices)))
    unit = batch.state.products[k].scale << 26
    touched = sum(
        abs(leg.weight) + 1
        for one in batch.opened
        if one.submission
        for auth in one.submission.auths
        for leg in auth.legs
        if leg.product == k
    )
    far = (settlement.tolerances[k] + touched + 4) * unit * data.draw(st.sampled_from((1, 10**6)))
    sign = data.draw(st.sampled_from((1, -1)))
    moved = dict(batch.prices) | {k: batch.prices[k] + sign * far}
    refused = r"NotCleared|LedgerOutOfRange|HouseShort"
    with pytest.raises(CertificateError, match=refused):
        settle(batch.state, batch.opened, moved, batch.shadows)


@TAME
@given(batches(), st.data())
def test_no_shadow_price_further_off_than_its_resolution_settles(
    batch: Batch, data: st.DataObject
) -> None:
    for one in batch.opened:
        assert one.submission is not None
        shadows = batch.shadows[one.account.address]
        for d, (cost, shadow) in enumerate(zip(one.submission.costs, shadows, strict=True)):
            moved = data.draw(beyond_resolution(cost, shadow))
            other = {**batch.shadows, one.account.address: (*shadows[:d], moved, *shadows[d + 1 :])}
            if moved != shadow:
                with pytest.raises(CertificateError, match=r"CostNotCleared|ShadowOutOfRange"):
                    settle(batch.state, batch.opened, batch.prices, other)


@st.composite
def beyond_resolution(draw: st.DrawFn, cost: Cost, shadow: int) -> int:
    """Outside the curve, or so far along a slope that the curve asks for something else."""
    far = [(cost.top << 44) + 1, (cost.bottom << 44) - 1]
    points = cost_breakpoints(cost)
    for (left, high), (right, low) in pairwise(points):
        if left < right and low << 44 < shadow < high << 44:
            step = ceil_div((2 * cost.touches + 4) * (high - low), right - left)
            far += [x for x in (shadow - step, shadow + step) if low << 44 < x < high << 44]
    return draw(st.sampled_from(far))


@TAME
@given(batches(), st.data())
def test_other_accepted_prices_move_less_than_the_freedom(
    batch: Batch, data: st.DataObject
) -> None:
    settlement = batch.settle()
    signs = {k: data.draw(st.sampled_from((-1, 0, 1))) for k in batch.prices}
    units = {k: signs[k] * batch.state.products[k].scale for k in batch.prices}
    ways = {
        a: [data.draw(st.sampled_from((-1, 0, 1))) for _ in v] for a, v in batch.shadows.items()
    }
    for shift in range(20, 60):
        moved = {k: p + (units[k] << shift) for k, p in batch.prices.items()}
        shadows = {
            a: tuple(x + (way << shift + 10) for x, way in zip(v, ways[a], strict=True))
            for a, v in batch.shadows.items()
        }
        try:
            settle(batch.state, batch.opened, moved, shadows)
        except CertificateError:
            break
        money = sum(settlement.volumes[k] * abs(moved[k] - p) for k, p in batch.prices.items())
        assert money <= settlement.freedom_x40 << 88


def total_cash(state: BatchState) -> int:
    return state.house_cash + sum(account.cash for account in state.accounts)


def total_lots(state: BatchState, k: int) -> int:
    held = sum(account.lots.get(k, 0) for account in state.accounts)
    return state.products[k].house + held
