"""Standing submissions through a real chain: joined, traded, amended, completed, read back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_utils.address import to_canonical_address

from tests.e2e.venue import Venue, buy, sell
from walras.auths import Cost, Limits, Step, Submission, Term
from walras.bodies import Known
from walras.certificate import Settlement, settle
from walras.chain.books import book_at_lock_out
from walras.chain.trader import Trader
from walras.clearing.problem import solve_batch
from walras.errors import ChainError
from walras.numbers import X40, X44
from walras.opening import open_batch
from walras.schedule import Phase
from walras.settlement import encode_submissions
from walras.submission import required_units

pytestmark = pytest.mark.usefixtures("venue")


def seal_submission(venue: Venue, trader: Trader, submission: Submission, batch: int) -> None:
    units = required_units(submission, home=0) + 10
    trader.seal(batch, units, venue.ciphertext(trader, submission, batch))


def settle_batch(venue: Venue, batch: int) -> Settlement:
    """Clear a batch from chain data alone and settle it, equal to the twin."""
    venue.advance(batch, Phase.CLEARING)
    book = book_at_lock_out(venue.market, batch)
    opened = open_batch(book.state, book.entries)
    prices, shadows = solve_batch(book.state, opened)
    settlement = settle(book.state, opened, prices, shadows)
    submissions = encode_submissions(book.entries, settlement.shadows)
    venue.operator.settle(batch, prices, submissions)
    event = venue.market.settled_event(batch)
    assert event is not None
    assert (event.loss, event.freedom) == (settlement.loss_x40, settlement.freedom_x40)
    return settlement


def limited(units: int, high: int) -> Submission:
    auth = replace(buy(0, units, 205), limits=Limits(0, high))
    return Submission((auth,), standing=True)


def test_limit_is_reached_exactly_over_batches(venue: Venue) -> None:
    venue.advance(1, Phase.OPEN)
    buyer, seller = venue.trader(), venue.trader()
    seal_submission(venue, buyer, limited(40, 100), 1)
    seal_submission(venue, seller, Submission((sell(0, 300, 195),), standing=True), 1)
    address = to_canonical_address(buyer.sender.address)
    settlements = [settle_batch(venue, 1)]
    assert settlements[0].joined >= {address}
    for batch in (2, 3):
        venue.advance(batch, Phase.OPEN)
        venue.operator.open(batch)
        settlements.append(settle_batch(venue, batch))
    done = [one.progress[address][0] for one in settlements]
    assert done == [40 * X44, 80 * X44, 100 * X44]
    assert settlements[-1].ended == {address: None}
    word = venue.market.read_all([("account", buyer.sender.address)])[0]
    assert word[5] == 0
    assert venue.market.read_all([("standing",)])[0][0] == 1


def test_amendment_replaces_in_the_next_batch(venue: Venue) -> None:
    venue.advance(1, Phase.OPEN)
    buyer, seller = venue.trader(), venue.trader()
    address = to_canonical_address(buyer.sender.address)
    seal_submission(venue, buyer, limited(40, 100), 1)
    seal_submission(venue, seller, Submission((sell(0, 300, 195),), standing=True), 1)
    settle_batch(venue, 1)
    venue.advance(2, Phase.OPEN)
    seal_submission(venue, buyer, limited(7, 10), 2)
    second = settle_batch(venue, 2)
    assert second.amended == {address}
    assert second.fills[address][0] == 40 * X44
    venue.advance(3, Phase.OPEN)
    venue.operator.open(3)
    assert settle_batch(venue, 3).fills[address][0] == 7 * X44


def test_costs_clear_on_chain(venue: Venue) -> None:
    venue.advance(1, Phase.OPEN)
    buyer, seller = venue.trader(), venue.trader()
    both = Cost((Term(0, 1), Term(1, 1)), 0, buy=(Step(50, 0), Step(0, 1_000 * X40)))
    seal_submission(venue, buyer, Submission((buy(0, 100, 205), buy(1, 100, 55)), costs=(both,)), 1)
    seal_submission(venue, seller, Submission((sell(0, 400, 195), sell(1, 400, 45))), 1)
    settled = settle_batch(venue, 1)
    address = to_canonical_address(buyer.sender.address)
    (coupling,) = settled.couplings[address]
    assert sum(settled.rates[address]) == pytest.approx(50 * X44, abs=coupling.tolerance + 1)


def test_bodies_unknown_are_said_so(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    venue.advance(1, Phase.OPEN)
    seller = venue.trader()
    seal_submission(venue, seller, Submission((sell(0, 10, 195),), standing=True), 1)
    settle_batch(venue, 1)
    venue.advance(2, Phase.OPEN)
    venue.operator.open(2)
    venue.advance(2, Phase.CLEARING)
    known = Known()
    monkeypatch.setattr(known, "keep", lambda _: None, raising=False)
    monkeypatch.setattr("walras.chain.books.learn_batch", lambda *_: None)
    with pytest.raises(ChainError, match="nothing known stands behind"):
        book_at_lock_out(venue.market, 2)
