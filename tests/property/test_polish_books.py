"""Random books settle, and their settlement keeps the promises of DESIGN §8."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adversarial.books import SHAPES, Draft, market
from walras.batch import BatchState
from walras.certificate import Opened, Settlement, priced_products, settle
from walras.clearing.polish import polish
from walras.clearing.problem import exact_book
from walras.curve import portfolio_price

X44 = 1 << 44

drafts = st.builds(
    lambda shape, seed: SHAPES[shape](random.Random(seed)),
    st.sampled_from(["mixed", "ties", "no_width", "pairs_only", "steepest", "interval"]),
    st.integers(0, 1 << 32),
)
several = settings(deadline=None, max_examples=30)


def settled(draft: Draft) -> tuple[BatchState, tuple[Opened, ...], Settlement]:
    state, opened = market(draft)
    return state, opened, settle(state, opened, prices_of(state, opened))


def prices_of(state: BatchState, opened: tuple[Opened, ...]) -> dict[int, int]:
    products = [state.products[k] for k in priced_products(opened)]
    found = polish(exact_book(opened, products)).prices
    return {p.id: price for p, price in zip(products, found, strict=True)}


@several
@given(drafts)
def test_lots_and_cash_are_conserved(draft: Draft) -> None:
    _, _, settlement = settled(draft)
    for product, house in settlement.house.items():
        assert house + sum(fill.get(product, 0) for fill in settlement.fills.values()) == 0
    assert settlement.house_cash + sum(settlement.cash.values()) == 0
    assert settlement.house_cash >= 0 or any(settlement.residues.values())


@several
@given(drafts)
def test_nobody_trades_beyond_a_limit_or_a_ledger(draft: Draft) -> None:
    _, opened, settlement = settled(draft)
    for one in opened:
        if one.submission is None:
            continue
        address = one.account.address
        (auth,), (rate,) = one.submission.auths, settlement.rates[address]
        assert -auth.sell_rate * X44 <= rate <= auth.buy_rate * X44
        price = portfolio_price(auth, settlement.prices)
        assert rate <= 0 or price < auth.bid * X44
        assert rate >= 0 or price > auth.ask * X44
        assert settlement.fills[address] == {leg.product: leg.weight * rate for leg in auth.legs}
        assert one.account.cash + settlement.cash[address] >= 0
        for product, fill in settlement.fills[address].items():
            assert one.account.lots[product] + fill >= 0


@several
@given(drafts, st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(draft: Draft, rng: random.Random) -> None:
    """Prices of a shuffled book are accepted for the book as it was, and the other way round."""
    state, opened = market(draft)
    mixed = list(draft.auths)
    rng.shuffle(mixed)
    other_state, other = market(replace(draft, auths=mixed))
    settle(state, opened, prices_of(other_state, other))
    settle(other_state, other, prices_of(state, opened))


@several
@given(drafts)
def test_an_order_that_does_not_trade_changes_nothing(draft: Draft) -> None:
    state, opened = market(draft)
    prices = prices_of(state, opened)
    settlement = settle(state, opened, prices)
    trading = tuple(
        one
        for one in opened
        if any(settlement.rates.get(one.account.address, (0,))) or one.submission is None
    )
    kept = set(priced_products(trading))
    smaller = replace(state, accounts=tuple(one.account for one in trading))
    remaining = {product: price for product, price in prices.items() if product in kept}
    # Idle orders within the window only add to the tolerance, so a few ulps may be missing now.
    again = prices_of(smaller, trading)
    for product, price in remaining.items():
        assert abs(price - again[product]) <= (state.products[product].scale << 60) // 10**6
