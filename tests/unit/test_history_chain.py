"""The index rebuilds what settlements did from the chain alone, equal to the certificate's twin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from eth_utils.address import to_canonical_address

from tests.e2e.clearer import make_clearer
from tests.e2e.test_daemon_standing import SMALL, crowd
from tests.e2e.test_standing_book import limited, seal_submission, settle_batch
from tests.e2e.venue import Venue, buy, sell
from walras.auths import Cost, Leg, Step, Submission, Term
from walras.certificate import Settlement
from walras.chain.events import ScaleReset
from walras.chain.index import Indexer
from walras.chain.trader import Trader
from walras.chain.unfold import Unfolding
from walras.numbers import X40
from walras.schedule import Phase
from walras.store import Cursor
from walras.store.history import Index, Scale

pytestmark = pytest.mark.chain


@dataclass
class Watched:
    """A market with an index of it in memory."""

    venue: Venue
    index: Index
    indexer: Indexer

    def account(self, trader: Trader) -> bytes:
        return bytes(to_canonical_address(trader.sender.address))

    def same_as(self, settlements: Mapping[int, Settlement]) -> None:
        """Every row about these batches agrees with the twin."""
        for batch, twin in settlements.items():
            accounts = {line.account: line for line in self.index.accounts(batch, batch)}
            traded = {a: line.cash for a, line in accounts.items() if not line.reason}
            assert traded == dict(twin.cash)
            assert {a: line.rent for a, line in accounts.items() if line.rent} == {
                a: rent for a, rent in twin.rents.items() if rent
            }
            assert {a: line.reason for a, line in accounts.items() if line.reason} == {
                a: why.name.lower() for a, why in twin.voids.items()
            }
            rates = {
                (a, j): rate for a, every in twin.rates.items() for j, rate in enumerate(every)
            }
            fills = {
                (line.account, line.auth): line.rate for line in self.index.fills(batch, batch)
            }
            assert fills == {place: rate for place, rate in rates.items() if rate}
            shadows = [(s.account, s.cost, s.shadow) for s in self.index.shadows(batch, batch)]
            assert shadows == [
                (a, d, value)
                for a, values in sorted(twin.shadows.items())
                for d, value in enumerate(values)
                if a in twin.rates
            ]
            (line,) = self.index.batches(batch, batch)
            assert (line.loss, line.freedom) == (twin.loss_x40, twin.freedom_x40)
            assert line.rent == sum(twin.rents.values())

    def references_hold(self) -> None:
        """References followed through all batches are those that the contract holds now."""
        for k, product in self.index.products().items():
            (word,) = self.venue.market.read_all([("product", k)])
            assert (product.reference, product.scale) == (word[1], word[2])


@pytest.fixture
def watched(venue: Venue, tmp_path: Path) -> Watched:
    index = Index("sqlite://", venue.node.client.chain_id, venue.market.address)
    return Watched(venue, index, Indexer(venue.market, index))


def both_below(total: int) -> Cost:
    return Cost((Term(0, 1), Term(1, 1)), 0, buy=(Step(total, 0), Step(0, 1_000 * X40)))


def history_of_three(venue: Venue) -> tuple[dict[int, Settlement], list[Trader]]:
    """Standing and not, with a cost, a pair, an amendment, a void, an end: three batches."""
    venue.advance(1, Phase.OPEN)
    buyer, seller, pair, poor = (venue.trader() for _ in range(4))
    seal_submission(venue, buyer, limited(40, 60), 1)
    seal_submission(
        venue, seller, Submission((sell(0, 300, 195), sell(1, 300, 45)), standing=True), 1
    )
    coupled = Submission((buy(0, 100, 205), buy(1, 100, 55)), costs=(both_below(50),))
    seal_submission(venue, pair, coupled, 1)
    seal_submission(venue, poor, Submission((buy(0, 10_000, 210),)), 1)
    settled = {1: settle_batch(venue, 1)}
    venue.advance(2, Phase.OPEN)
    seal_submission(venue, seller, Submission((sell(0, 200, 190),), standing=True), 2)
    spread = replace(buy(0, 7, 100), legs=(Leg(0, 1), Leg(1, -2)), first=120 * X40)
    seal_submission(venue, poor, Submission((spread, buy(1, 3, 60))), 2)
    settled[2] = settle_batch(venue, 2)
    venue.advance(3, Phase.OPEN)
    venue.operator.open(3)
    settled[3] = settle_batch(venue, 3)
    return settled, [buyer, seller, pair, poor]


def test_rows_are_the_twins__over_standing_coupled_and_void(watched: Watched) -> None:
    settled, (buyer, seller, _pair, poor) = history_of_three(watched.venue)
    told = watched.indexer.follow()
    assert (told.batches, told.undone, told.unread) == (3, 0, ())
    watched.same_as(settled)
    watched.references_hold()
    changes = [
        (line.batch, line.change)
        for trader in (buyer, seller, poor)
        for line in watched.index.accounts(account=watched.account(trader))
    ]
    assert changes == [
        *((1, "joined"), (2, "complete")),
        *((1, "joined"), (2, "amended"), (3, "")),
        *((1, ""), (2, "")),
    ]
    assert watched.indexer.follow().batches == 0


def everything(index: Index) -> list[object]:
    return [
        *index.batches(),
        *index.prices(),
        *index.accounts(),
        *index.fills(),
        *index.shadows(),
        *index.gas(),
        *sorted(index.declared().items()),
        *index.products().values(),
    ]


def test_following_bit_by_bit__comes_to_the_same(watched: Watched) -> None:
    venue = watched.venue
    watched.indexer.follow()
    venue.advance(1, Phase.OPEN)
    for batch in (1, 2, 3):
        venue.advance(batch, Phase.OPEN)
        seal_submission(venue, venue.trader(), Submission((buy(0, 9, 210),), standing=True), batch)
        watched.indexer.follow()
        seal_submission(venue, venue.trader(), Submission((sell(0, 20, 190),)), batch)
        watched.indexer.follow()
        settle_batch(venue, batch)
        assert watched.indexer.follow().batches == 1
    whole = Index("sqlite://", venue.node.client.chain_id, venue.market.address)
    assert Indexer(venue.market, whole, page=7).follow().batches == 3
    assert everything(whole) == everything(watched.index)
    assert [line.standing for line in whole.accounts()].count(True) == 3  # one, then two stood


def test_reorganised_chain__is_unwritten(watched: Watched) -> None:
    venue = watched.venue
    venue.advance(1, Phase.OPEN)
    seal_submission(venue, venue.trader(), Submission((buy(0, 9, 210),), standing=True), 1)
    seal_submission(venue, venue.trader(), Submission((sell(0, 20, 190),)), 1)
    settle_batch(venue, 1)
    watched.indexer.follow()
    before = everything(watched.index)
    fork = venue.node.snapshot()
    venue.advance(2, Phase.OPEN)
    seal_submission(venue, venue.trader(), Submission((sell(0, 5, 190),)), 2)
    gone = settle_batch(venue, 2)
    watched.indexer.follow()
    watched.same_as({2: gone})
    venue.node.revert(fork)
    venue.advance(2, Phase.OPEN)
    seal_submission(venue, venue.trader(), Submission((sell(0, 7, 190),)), 2)
    told = watched.indexer.follow()
    assert told.undone > 0
    assert everything(watched.index) == before
    settled = settle_batch(venue, 2)
    assert watched.indexer.follow().batches == 1
    watched.same_as({2: settled})
    watched.references_hold()


def test_settlement_in_chunks__reads_as_one(watched: Watched, tmp_path: Path) -> None:
    """Of two clearers' runs, those chunks count that settled; gas of all of them is kept."""
    venue = watched.venue
    clearer = make_clearer(venue, tmp_path, transaction_gas=SMALL)
    clearer.daemon.once()
    crowd(venue, 7)
    clearer.daemon.once()
    chunks = clearer.log.events().count("verified")
    watched.indexer.follow()
    (line,) = watched.index.batches()
    assert (line.accounts, line.voids) == (7, 0)
    assert len(list(watched.index.accounts())) == 7
    assert [line.change for line in watched.index.accounts()].count("joined") == 3
    actions = [line.action for line in watched.index.gas()]
    assert actions == ["reveal", *["verify"] * chunks]
    assert all(line.gas > 21_000 and line.price > 0 for line in watched.index.gas())
    watched.references_hold()
    for price in watched.index.prices():
        assert price.volume > 0
        assert price.house is not None


def test_void_batch__is_a_row_of_its_own(watched: Watched) -> None:
    venue = watched.venue
    venue.advance(1, Phase.OPEN)
    seal_submission(venue, venue.trader(), Submission((buy(0, 9, 210),)), 1)
    venue.advance(1, Phase.VOID)
    venue.operator.close_void(1)
    watched.indexer.follow()
    (line,) = watched.index.batches()
    assert (line.batch, line.status, line.accounts) == (1, "void", 0)
    assert line.burnt >= 1_000 * X40  # the whole bond, and the pot


def test_scale_that_was_reset__is_known_as_of_its_batches(watched: Watched) -> None:
    """Curves of old batches are read with the ticks of then."""
    venue = watched.venue
    venue.advance(1, Phase.OPEN)
    seal_submission(venue, venue.trader(), Submission((buy(0, 9, 210),)), 1)
    seal_submission(venue, venue.trader(), Submission((sell(0, 20, 190),)), 1)
    first = settle_batch(venue, 1)
    indexer = watched.indexer
    (then,) = venue.market.read_all([("product", 0)])
    indexer.follow()
    event = ScaleReset(
        block_number=venue.node.client.block().number,
        block_hash=bytes(32),
        log_index=0,
        transaction=bytes(32),
        product=0,
        scale=then[2] * 4,
    )
    unfolding = Unfolding(venue.market, watched.index.products(), {})
    unfolding.take([event])
    (row,) = unfolding.rows_up_to(event.block_number)
    assert row == Scale(0, event.block_number, then[2] * 4, then[3], then[4])
    watched.index.advance(Cursor(event.block_number + 1, bytes(32)), [row])
    found = watched.index.products()[0]
    assert (found.scale, found.reference) == (then[2] * 4, then[1])
    watched.same_as({1: first})
