from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import clearing
from tests.vectors.cases.codec import order_of
from walras.auths import Auth, Leg, Step, Submission, cover
from walras.batch import AccountState, BatchState, Product
from walras.certificate import Opened, settle
from walras.errors import CertificateError
from walras.numbers import LEDGER_BOUND
from walras.settlement import apply

TAME = settings(max_examples=40, deadline=None)


@dataclass(frozen=True)
class Batch:
    """A batch whose accounts cover their submissions exactly, and its exact prices."""

    state: BatchState
    opened: tuple[Opened, ...]
    prices: Mapping[int, int]


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
def batches(draw: st.DrawFn) -> Batch:
    market = [draw(products(k)) for k in range(draw(st.integers(1, 3)))]
    opened = []
    for i in range(draw(st.integers(1, 5))):
        auths = draw(st.lists(priced_auths(market), min_size=1, max_size=2))
        submission = Submission(tuple(auths))
        needed = cover(submission)
        assert max(needed.cash, *needed.lots.values()) < LEDGER_BOUND // 8
        account = AccountState((i + 1).to_bytes(20), needed.cash, needed.lots, None, 255, b"")
        opened.append(Opened(account, submission, None, submission.products))
    listed = sorted({k for one in opened for k in one.products})
    state = BatchState(
        number=1,
        batch_id=bytes(32),
        scheduled_lock_out=0,
        products={product.id: product for product in market},
        accounts=tuple(one.account for one in opened),
        house_cash=1 << 94,
        secret=1,
    )
    return Batch(state, tuple(opened), exact_prices(state, opened, listed))


def exact_prices(
    state: BatchState, opened: Sequence[Opened], listed: Sequence[int]
) -> dict[int, int]:
    makers = [
        clearing.maker_of(k, state.products[k].reference, state.products[k].scale) for k in listed
    ]
    orders = [order_of(auth) for one in opened if one.submission for auth in one.submission.auths]
    book = clearing.Book.of(makers, orders, state.ticks)
    return dict(zip(listed, clearing.to_x84(clearing.clearing_prices(book)), strict=True))


@TAME
@given(batches())
def test_the_rounded_exact_root_always_settles(batch: Batch) -> None:
    """S5: a settlement exists for every covered book; S2: nothing appears or vanishes."""
    settlement = settle(batch.state, batch.opened, batch.prices)
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
    settlement = settle(batch.state, batch.opened, batch.prices)
    for one in batch.opened:
        assert one.submission is not None
        fills = dict.fromkeys(one.products, 0)
        rates = settlement.rates[one.account.address]
        for auth, rate in zip(one.submission.auths, rates, strict=True):
            pi = sum(leg.weight * batch.prices[leg.product] for leg in auth.legs)
            assert rate <= 0 or pi < auth.bid << 44
            assert rate >= 0 or pi > auth.ask << 44
            for leg in auth.legs:
                fills[leg.product] += leg.weight * rate
        assert settlement.fills[one.account.address] == fills


@TAME
@given(batches(), st.data())
def test_no_price_further_off_than_its_resolution_settles(
    batch: Batch, data: st.DataObject
) -> None:
    settlement = settle(batch.state, batch.opened, batch.prices)
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
    with pytest.raises(CertificateError, match=r"NotCleared|LedgerOutOfRange|HouseShort"):
        settle(batch.state, batch.opened, moved)


@TAME
@given(batches(), st.data())
def test_other_accepted_prices_move_less_than_the_freedom(
    batch: Batch, data: st.DataObject
) -> None:
    settlement = settle(batch.state, batch.opened, batch.prices)
    signs = {k: data.draw(st.sampled_from((-1, 0, 1))) for k in batch.prices}
    units = {k: signs[k] * batch.state.products[k].scale for k in batch.prices}
    for shift in range(20, 60):
        moved = {k: p + (units[k] << shift) for k, p in batch.prices.items()}
        try:
            settle(batch.state, batch.opened, moved)
        except CertificateError:
            break
        money = sum(settlement.volumes[k] * abs(moved[k] - p) for k, p in batch.prices.items())
        assert money <= settlement.freedom_x40 << 88


def total_cash(state: BatchState) -> int:
    return state.house_cash + sum(account.cash for account in state.accounts)


def total_lots(state: BatchState, k: int) -> int:
    held = sum(account.lots.get(k, 0) for account in state.accounts)
    return state.products[k].house + held
