"""Random books settled by the contract itself: S1 to S6, exactly.

`WALRAS_BOOKS_ON_CHAIN` sets how many.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
from eth_utils.address import to_canonical_address, to_checksum_address
from hypothesis import HealthCheck, event, given, settings

from tests.contract.batches import Bid, enter, exact_prices
from tests.contract.batches import Book as Entered
from tests.contract.node import GAS_LIMIT, Chain, quick_chain
from tests.contract.support import GENESIS, OPERATOR, Bench, new_libraries, new_market, new_token
from tests.property.chain_books import CASH_CAP, COVER_CAP, Book, books
from tests.reference import certificate, curves, sealing
from tests.vectors.cases.codec import order_of
from walras.auths import cover
from walras.batch import CASH, BatchState
from walras.certificate import Opened, Settlement, settle
from walras.clearing.problem import solve_batch
from walras.numbers import X40, X44, ceil_div
from walras.schedule import Phase
from walras.sealing import seal_hash, unseal

pytestmark = [pytest.mark.chain, pytest.mark.slow]

COUNT = int(os.environ.get("WALRAS_BOOKS_ON_CHAIN", "20"))
TAME = settings(
    max_examples=COUNT,
    deadline=None,
    derandomize=COUNT == 20,
    database=None,
    suppress_health_check=list(HealthCheck),
)
DECIMALS = (18, 6, 8, 27, 0, 18, 2, 24)


@dataclass(frozen=True)
class Venue:
    """What markets are made of; every market is undone after its book."""

    chain: Chain
    libraries: dict[str, str]
    cash: str
    tokens: tuple[str, ...]

    def market(self, book: Book) -> Bench:
        """The book's market, its house at the very least, in the first second of batch 1."""
        bench = new_market(
            self.chain,
            self.libraries,
            self.cash,
            cash_unit=book.cash_unit,
            capacity=6_500,
            cash_cap=CASH_CAP,
            cover_cap=COVER_CAP,
            bond=0,
            compensation=0,
            cash_per_wei=1,
            min_base_fee=1,
        )
        for k, (good, cap, token) in enumerate(
            zip(book.goods, book.caps, self.tokens, strict=False)
        ):
            terms = (good.scale, good.tick_bps, good.depth_log2, cap)
            bench.do(OPERATOR, "list", token, good.lot, *terms)
            bench.tokens[k], bench.units[k] = token, good.lot
            self.fund(bench, k, 1 << bench.product(k).house_log2)
        self.fund(bench, CASH, ceil_div(bench.look("leastHouseCash"), X40))
        bench.go(1, Phase.OPEN)
        return bench

    def fund(self, bench: Bench, asset: int, count: int) -> None:
        bench.supply(OPERATOR, asset, count * bench.units[asset])
        bench.do(OPERATOR, "fundHouse", asset, count * bench.units[asset])


@pytest.fixture(scope="module")
def venue() -> Iterator[Venue]:
    """The reference opens seals with a compiled curve; the vectors hold it equal to its own."""
    with quick_chain() as chain, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "unseal", unseal)
        patch.setattr(sealing, "seal_hash", seal_hash)
        libraries = new_libraries(chain)
        tokens = tuple(new_token(chain, decimals) for decimals in DECIMALS)
        cash = new_token(chain, 6)
        chain.warp(GENESIS - 1)
        yield Venue(chain, libraries, cash, tokens)


def bids_of(book: Book) -> dict[str, Bid]:
    """What everybody seals, by name."""
    bids = {f"order {i}": Bid(s.auths) for i, s in enumerate(book.orders)}
    for i, submission in enumerate(book.uncovered):
        bids[f"uncovered {i}"] = Bid(submission.auths, short=cover(submission).cash // X40)
    for i, body in enumerate(book.bodies):
        bids[f"body {i}"] = Bid(body=body)
    for i, noise in enumerate(book.garbage):
        bids[f"garbage {i}"] = Bid(body=b"", spoil=partial(_instead, noise))
    return bids


def _instead(noise: bytes, _ciphertext: bytes) -> bytes:
    return noise


@TAME
@given(book=books())
def test_every_book_settles_exactly(venue: Venue, book: Book) -> None:
    with venue.chain.undone():
        bench = venue.market(book)
        entered = enter(bench, 1, bids_of(book))
        bench.go(1, Phase.CLEARING)
        state, opened = entered.opened()
        prices = solve_batch(state, opened).prices
        found = settle(state, opened, prices)
        event(f"{len(prices)} products priced")
        event(f"{len(found.fills) // 10 * 10} trading accounts or more")
        event(f"{sum(v > 0 for v in found.volumes.values())} products traded")
        check_curves(opened, found, state)
        check_reference(state, entered, found)
        if len(prices) <= 3 and len(book.orders) <= 8:
            check_freedom(state, opened, found)
        check_lies(entered, prices)
        receipt = entered.settle(prices)  # S6: nothing anybody sealed is in the way
        assert receipt.gas < GAS_LIMIT
        check_event(receipt.event("Settled"), found, entered)
        check_ledgers(bench, state, opened, found)
        bench.check_books()


def check_curves(opened: tuple[Opened, ...], found: Settlement, state: BatchState) -> None:
    """S3: each auth within an ulp of its own curve and never beyond it, its legs in proportion."""
    for one in opened:
        address = one.account.address
        if one.reason or not one.submission:
            assert address not in found.fills
            continue
        fills = dict.fromkeys(one.products, 0)
        for auth, rate in zip(one.submission.auths, found.rates[address], strict=True):
            pi = Fraction(sum(leg.weight * found.prices[leg.product] for leg in auth.legs), 2**84)
            exact = curves.exact_rate(order_of(auth), state.ticks, pi)
            assert abs(exact * X44 - rate) < 1
            assert abs(Fraction(rate, X44)) <= abs(exact)
            for leg in auth.legs:
                fills[leg.product] += leg.weight * rate
        assert found.fills[address] == fills


def check_reference(state: BatchState, entered: Entered, found: Settlement) -> None:
    """S5: the exact reference comes to the same settlement, from the bytes."""
    batch = {
        "secret": state.secret,
        "batchId": state.batch_id,
        "lockOut": state.scheduled_lock_out,
        "houseCash": state.house_cash,
        "products": {
            p.id: {
                "house": p.house,
                "reference": p.reference,
                "scale": p.scale,
                "tickBps": p.tick_bps,
                "depthLog2": p.depth_log2,
            }
            for p in state.products.values()
        },
        "accounts": [
            {
                "address": a.address,
                "cash": a.cash,
                "lots": dict(a.lots),
                "home": a.home,
                "units": a.units,
                "sealHash": a.seal_hash,
            }
            for a in state.accounts
        ],
    }
    prices = list(found.prices.values())
    exact = certificate.settle(batch, list(found.prices), prices, entered.pairs)
    trades = {a: one for a, one in exact["accounts"].items() if not one["reason"]}
    assert {a: one["fills"] for a, one in trades.items()} == found.fills
    assert {a: one["cash"] for a, one in trades.items()} == found.cash
    voids = {a: one["reason"] for a, one in exact["accounts"].items() if one["reason"]}
    assert voids == found.voids
    assert {k: p["volume"] for k, p in exact["products"].items()} == found.volumes
    assert {k: p["reference"] for k, p in exact["products"].items()} == found.next_references
    assert (exact["loss"], exact["freedom"]) == (found.loss_x40, found.freedom_x40)


def check_freedom(state: BatchState, opened: tuple[Opened, ...], found: Settlement) -> None:
    """S5: the exact root settles too, and what lies between moves less cash than was said."""
    exact = exact_prices(state, opened)
    settle(state, opened, exact)
    moved = sum(found.volumes[k] * abs(exact[k] - p) for k, p in found.prices.items())
    assert moved <= found.freedom_x40 << 88


def check_lies(entered: Entered, prices: Mapping[int, int]) -> None:
    """S4: nobody is left out, counted twice or put in another order."""
    pairs, live = entered.pairs, len(entered.pairs)
    first, last = (to_checksum_address(pairs[i][0]) for i in (0, -1))
    missing = entered.refusal(prices, pairs[:-1])
    # a submission that is left out may leave a price without use, but it is counted first
    assert missing == ("LiveCountMismatch", live - 1, live)
    assert entered.refusal(prices, [*pairs, pairs[-1]]) == ("AccountsNotAscending", last)
    assert entered.refusal(prices, [pairs[0], *pairs]) == ("AccountsNotAscending", first)
    altered = pairs[-1][1][:-1] + bytes([pairs[-1][1][-1] ^ 1])
    changed = [*pairs[:-1], (pairs[-1][0], altered)]
    assert entered.refusal(prices, changed) == ("WrongCiphertext", last)


def check_event(said: dict[str, Any], found: Settlement, entered: Entered) -> None:
    """The contract says of the settlement what the twin says."""
    assert said == {
        "batch": 1,
        "settler": OPERATOR,
        "products": tuple(found.prices),
        "prices": tuple(found.prices.values()),
        "volumes": tuple(found.volumes[k] for k in found.prices),
        "live": len(entered.pairs),
        "voids": len(found.voids),
        "loss": found.loss_x40,
        "freedom": found.freedom_x40,
    }


def check_ledgers(
    bench: Bench, state: BatchState, opened: tuple[Opened, ...], found: Settlement
) -> None:
    """S2: every ledger moved by its fill, the house by the rest: lots and cash sum to zero."""
    for one in opened:
        account, address = one.account, one.account.address
        fills, cash = found.fills.get(address, {}), found.cash.get(address, 0)
        owner = to_checksum_address(address)
        assert bench.balance(owner, CASH) == account.cash + cash
        for k in state.products:
            assert bench.balance(owner, k) == account.lots.get(k, 0) + fills.get(k, 0)
        home = account.home if account.home is not None or not fills else min(fills)
        assert bench.account(owner)["home_product"] == (0 if home is None else home + 1)
    for k, product in state.products.items():
        bought = sum(fills.get(k, 0) for fills in found.fills.values())
        assert bench.product(k).house == product.house - bought
        assert bench.product(k).reference == found.next_references.get(k, product.reference)
    assert bench.treasury()["house_cash"] == state.house_cash - sum(found.cash.values())
    assert to_canonical_address(OPERATOR) not in found.fills
