"""The clearer with submissions that stand, and with batches larger than one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from eth_utils.address import to_canonical_address

from tests.e2e.clearer import make_clearer
from tests.e2e.test_standing_book import limited, seal_submission
from tests.e2e.venue import QUICK, Venue, buy, open_venue, sell
from walras.batch import CASH
from walras.chain.devnode import start_anvil
from walras.numbers import UNIT_GAS, X44
from walras.operator.decide import Apply, Open, Reveal, Settle
from walras.schedule import Phase
from walras.submission import Submission

pytestmark = pytest.mark.chain

SMALL = 100_000  # gas of a transaction that holds two or three accounts


class KilledError(Exception):
    """What a kill between two steps looks like from inside."""


def killed_at(step: str) -> Callable[[str], None]:
    def checkpoint(at: str) -> None:
        if at == step:
            raise KilledError

    return checkpoint


def standing_pair(venue: Venue) -> bytes:
    """A buyer with a limit and a seller, both standing; the buyer's address."""
    buyer, seller = venue.trader(), venue.trader()
    seal_submission(venue, buyer, limited(40, 100), 1)
    seal_submission(venue, seller, Submission((sell(0, 300, 195),), standing=True), 1)
    return to_canonical_address(buyer.sender.address)


def crowd(venue: Venue, count: int, batch: int = 1) -> None:
    """Buyers and sellers of both products, each with an auth of each."""
    venue.to_time(venue.schedule.start(batch))
    for n in range(count):
        trader = venue.trader()
        auths = (
            [buy(0, 10 + n, 210), buy(1, 5, 55)] if n % 2 else [sell(0, 12, 190), sell(1, 7, 45)]
        )
        seal_submission(venue, trader, Submission(tuple(auths), standing=n % 3 == 0), batch)
    venue.to_time(venue.schedule.boundaries(batch).reveal_from)


def test_standing_orders_trade_batch_after_batch_without_a_seal(
    venue: Venue, tmp_path: Path
) -> None:
    clearer = make_clearer(venue, tmp_path)
    clearer.daemon.once()
    venue.to_time(venue.schedule.start(1))
    buyer = standing_pair(venue)
    done = []
    for batch in (1, 2, 3, 4):
        bounds = venue.schedule.boundaries(batch)
        venue.to_time(bounds.start)
        taken = clearer.daemon.once()
        assert (Open(batch) in taken) == (batch > 1)
        venue.to_time(bounds.reveal_from)
        assert clearer.daemon.once()[:2] == [Reveal(batch), Settle(batch)]
        event = venue.market.settled_event(batch)
        assert event is not None
        done.append(event.live)
    assert done == [2, 2, 2, 1]  # the limit was reached in the third
    held = venue.market.account("0x" + buyer.hex()).lots[0]
    assert held == (1_000 + 100) * X44


def test_batch_larger_than_a_transaction_goes_in_chunks(venue: Venue, tmp_path: Path) -> None:
    clearer = make_clearer(venue, tmp_path, transaction_gas=SMALL)
    clearer.daemon.once()
    crowd(venue, 7)
    taken = clearer.daemon.once()
    assert taken[:2] == [Reveal(1), Settle(1)]
    assert Apply(1) not in taken
    assert clearer.log.events().count("verified") > 2
    assert venue.market.phase(1) is Phase.SETTLED
    for trader in venue.traders:
        trader.withdraw(CASH)
    bounds = venue.schedule.boundaries(2)
    venue.to_time(bounds.start)
    assert Open(2) in clearer.daemon.once()
    venue.to_time(bounds.reveal_from)
    assert Settle(2) in clearer.daemon.once()
    assert venue.market.settled_event(2) is not None


def padded(venue: Venue, count: int) -> None:
    """Buyers and sellers who declare many times the units that they use."""
    venue.to_time(venue.schedule.start(1))
    for n in range(count):
        trader = venue.trader()
        auth = buy(0, 10 + n, 210) if n % 2 else sell(0, 12, 190)
        trader.seal(1, 100, venue.ciphertext(trader, Submission((auth,)), 1))
    venue.to_time(venue.schedule.boundaries(1).reveal_from)


@pytest.mark.parametrize(("gas", "chunks"), [(1_000_000, 0), (150_000, 6)])
def test_gas_that_is_used_decides_not_what_was_declared(
    venue: Venue, tmp_path: Path, gas: int, chunks: int
) -> None:
    clearer = make_clearer(venue, tmp_path, transaction_gas=gas)
    clearer.daemon.once()
    padded(venue, 6)
    assert Settle(1) in clearer.daemon.once()
    (weighed,) = (entry for entry in clearer.log.entries if entry["event"] == "weighed")
    assert weighed["declared"] == 600 * UNIT_GAS > 1_000_000 > weighed["estimate"] > 150_000
    assert len(venue.market.verified_events(1)) == chunks
    event = venue.market.settled_event(1)
    assert event is not None
    assert (event.live, event.voids) == (6, 0)


def test_book_that_no_transaction_of_this_node_holds__goes_in_chunks(tmp_path: Path) -> None:
    """It fits by what it declares; the node runs out of gas when it is asked for an estimate."""
    with start_anvil() as node:
        venue = open_venue(node)
        policy = replace(QUICK, gas_margin_percent=1)
        clearer = make_clearer(venue, tmp_path, policy=policy)
        clearer.daemon.once()
        crowd(venue, 7)
        node.client.rpc("evm_setBlockGasLimit", hex(370_000))
        node.mine()
        taken = clearer.daemon.once()
        assert taken[:2] == [Reveal(1), Settle(1)]
        (weighed,) = (entry for entry in clearer.log.entries if entry["event"] == "weighed")
        assert (weighed["estimate"], weighed["refused"]) == (None, True)
        assert (
            weighed["declared"] <= 720_000
        )  # the default of transaction_gas holds many times that
        verified = {event.transaction for event in venue.market.verified_events(1)}
        used = [
            venue.node.client.rpc("eth_getTransactionReceipt", "0x" + t.hex()) for t in verified
        ]
        assert len(used) > 2
        assert max(int(receipt["gasUsed"], 16) for receipt in used) < 370_000
        assert venue.market.phase(1) is Phase.SETTLED


def test_a_transaction_signed_before_a_kill_is_sent_again_not_chunked(
    venue: Venue, tmp_path: Path
) -> None:
    make_clearer(venue, tmp_path).daemon.once()
    padded(venue, 6)
    venue.advance(1, Phase.CLEARING)
    first = make_clearer(venue, tmp_path, checkpoint=killed_at("signed"), transaction_gas=1_000_000)
    with pytest.raises(KilledError):
        first.daemon.once()
    second = make_clearer(venue, tmp_path, transaction_gas=SMALL)
    assert Settle(1) in second.daemon.once()
    assert venue.market.settled_event(1) is not None
    assert not venue.market.verified_events(1)
