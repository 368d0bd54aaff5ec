"""Bad lines, dead nodes, reorganised chains: a batch settles once, or the clearer says why not."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.clearer import build, make_clearer
from tests.e2e.proxy import FAULTS, at_random, bad_line
from tests.e2e.venue import Venue, buy, sell
from walras.chain.client import Block, connect
from walras.chain.events import KeyRevealed, Settled
from walras.chain.market import Market
from walras.errors import NodeUnreachable
from walras.operator.daemon import Halted
from walras.operator.decide import Reveal, Settle, Wait

pytestmark = pytest.mark.chain


class EnoughError(Exception):
    """Ends a daemon's loop from inside its pause."""


def open_batch_one(venue: Venue) -> None:
    for batch in (1, 2, 3, 4):
        venue.operator.register_key(batch, *venue.keys.public(batch))
    venue.to_time(venue.schedule.start(1))


def lock_out(venue: Venue) -> None:
    venue.seal(venue.trader(), [buy(0, 20, 210), buy(1, 5, 60)], 1)
    venue.seal(venue.trader(), [sell(0, 30, 195), sell(1, 9, 45)], 1)
    venue.to_time(venue.schedule.boundaries(1).reveal_from)


def happened(venue: Venue) -> tuple[int, int]:
    return len(venue.market.history([KeyRevealed])), len(venue.market.history([Settled]))


# ------------------------------------------------------------------------------------- bad lines


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_the_line_is_survived(venue: Venue, tmp_path: Path, fault: str) -> None:
    open_batch_one(venue)
    lock_out(venue)
    with bad_line(venue.node.url, lambda _: "") as line:
        client = connect(line.url, timeout=0.5, retry_for=10.0)
        clearer = build(Market(client, venue.market.address), tmp_path, venue.keys)
        line.choose = at_random(0.15, 1, (fault,))
        taken = clearer.daemon.once()
        assert line.done[fault] > 5
    assert taken[:2] == [Reveal(1), Settle(1)]
    assert happened(venue) == (1, 1)


def test_a_lost_answer_to_a_transaction_does_not_send_it_twice(
    venue: Venue, tmp_path: Path
) -> None:
    open_batch_one(venue)
    lock_out(venue)
    nonce = venue.operator.sender.nonce()
    with bad_line(venue.node.url, lambda _: "") as line:
        client = connect(line.url, timeout=0.5, retry_for=10.0)
        clearer = build(Market(client, venue.market.address), tmp_path, venue.keys)
        lost: list[bytes] = []

        def lose_first(payload: bytes) -> str:
            if b"eth_sendRawTransaction" in payload and payload not in lost:
                lost.append(payload)
                return "drop-answer"
            return ""

        line.choose = lose_first
        clearer.daemon.once()
        assert len(lost) >= 2
    assert happened(venue) == (1, 1)
    assert venue.operator.sender.nonce() == nonce + 2


def test_a_node_that_stays_away_halts_loudly(venue: Venue, tmp_path: Path) -> None:
    open_batch_one(venue)
    with bad_line(venue.node.url, lambda _: "") as line:
        client = connect(line.url, timeout=0.5, retry_for=0.2)
        market = Market(client, venue.market.address)
        pauses: list[float] = []
        clearer = build(market, tmp_path, venue.keys, sleep=pauses.append, max_failures=3, poll=1.0)
        line.choose = lambda _: "drop"
        with pytest.raises(Halted, match="3 failures in a row, the last: no usable answer"):
            clearer.daemon.run()
    assert pauses == [2.0, 4.0]
    assert clearer.log.events() == ["failed", "failed", "failed", "halted"]


def test_a_node_that_comes_back_is_forgiven(venue: Venue, tmp_path: Path) -> None:
    open_batch_one(venue)
    lock_out(venue)
    with bad_line(venue.node.url, lambda _: "") as line:
        client = connect(line.url, timeout=0.5, retry_for=0.2)
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                line.choose = lambda _: ""
            if happened(venue) == (1, 1):
                raise EnoughError

        market = Market(client, venue.market.address)
        clearer = build(market, tmp_path, venue.keys, sleep=pause, max_failures=4)
        line.choose = lambda _: "500"
        with pytest.raises(EnoughError):
            clearer.daemon.run()
    assert happened(venue) == (1, 1)


def test_a_look_asks_for_the_head_once(venue: Venue, tmp_path: Path) -> None:
    """A block that follows the last one read says so itself; logs are checked once read."""
    open_batch_one(venue)
    asked: Counter[str] = Counter()

    def count(payload: bytes) -> str:
        posted = json.loads(payload)
        one = posted[0] if isinstance(posted, list) else posted
        asked[" ".join((one["method"], *(p for p in one["params"] if isinstance(p, str))))] += 1
        return ""

    with bad_line(venue.node.url, count) as line:
        market = Market(connect(line.url), venue.market.address)
        clearer = build(market, tmp_path, venue.keys)
        clearer.daemon.once()
        for mined, blocks in ((0, 1), (1, 2), (0, 1), (2, 3)):
            venue.node.mine(mined) if mined else None
            asked.clear()
            assert isinstance(clearer.daemon.step(), Wait)
            assert asked["eth_getBlockByNumber latest"] == 1
            assert sum(n for name, n in asked.items() if "getBlock" in name) == blocks
            assert asked["eth_getLogs"] == (mined > 0)


def test_what_happens_within_a_look__is_left_to_the_next(
    venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seals, lock-out and reveal pass while it asks for the head: no key for an older book."""
    open_batch_one(venue)
    client, asked = venue.node.client, 0
    block = client.block

    def passes(tag: int | str = "latest") -> Block:
        nonlocal asked
        found = block(tag)
        asked += tag == "latest"
        if asked == 1 and tag == "latest":
            lock_out(venue)
        return found

    clearer = make_clearer(venue, tmp_path)
    clearer.daemon.once()
    monkeypatch.setattr(client, "block", passes)
    assert isinstance(clearer.daemon.step(), Wait)
    monkeypatch.undo()
    assert clearer.daemon.once()[:2] == [Reveal(1), Settle(1)]
    assert happened(venue) == (1, 1)


def test_an_unreachable_node_is_named(venue: Venue) -> None:
    with (
        bad_line(venue.node.url, lambda _: "garbage") as line,
        pytest.raises(NodeUnreachable, match="does not answer in JSON"),
    ):
        connect(line.url, retry_for=0.2)


# ---------------------------------------------------------------------------------- reorganisations


def test_a_reorganisation_before_finality_changes_the_book(venue: Venue, tmp_path: Path) -> None:
    """Seals that vanish with their blocks are forgotten, those of the new blocks are cleared."""
    open_batch_one(venue)
    buyer, seller, other = venue.trader(), venue.trader(), venue.trader()
    clearer = make_clearer(venue, tmp_path)
    venue.seal(buyer, [buy(0, 20, 210)], 1)
    clearer.daemon.step()
    common = clearer.journal.cursor()
    fork = venue.node.snapshot()
    venue.seal(seller, [sell(0, 30, 195)], 1)
    assert isinstance(clearer.daemon.step(), Wait)
    assert len(clearer.journal.seals(1)) == 2

    venue.node.revert(fork)
    venue.seal(other, [sell(0, 5, 190)], 1)
    venue.seal(buyer, [buy(0, 10, 205)], 1)
    assert isinstance(clearer.daemon.step(), Wait)
    assert "reorganised" in clearer.log.events()
    assert common in clearer.journal.known_blocks()
    assert [record.account for record in clearer.journal.seals(1)] == [
        buyer.sender.address,
        other.sender.address,
        buyer.sender.address,
    ]
    venue.to_time(venue.schedule.boundaries(1).reveal_from)
    clearer.daemon.once()
    event = venue.market.settled_event(1)
    assert event is not None
    assert event.live == 2
    assert "rereading" not in clearer.log.events()


def test_a_settlement_that_is_undone_is_sent_again(venue: Venue, tmp_path: Path) -> None:
    open_batch_one(venue)
    lock_out(venue)
    clearer = make_clearer(venue, tmp_path)
    assert clearer.daemon.step() == Reveal(1)
    fork = venue.node.snapshot()
    assert clearer.daemon.step() == Settle(1)
    assert happened(venue) == (1, 1)
    venue.node.revert(fork)
    assert happened(venue) == (1, 0)
    assert Settle(1) in clearer.daemon.once()
    assert happened(venue) == (1, 1)


def test_anvils_own_reorganisation_is_followed(venue: Venue, tmp_path: Path) -> None:
    open_batch_one(venue)
    clearer = make_clearer(venue, tmp_path)
    venue.seal(venue.trader(), [buy(0, 20, 210)], 1)
    venue.node.mine(5)
    clearer.daemon.step()
    assert len(clearer.journal.seals(1)) == 1
    venue.node.client.rpc("anvil_reorg", 6, [])  # takes the seal's block with it
    clearer.daemon.step()
    assert "reorganised" in clearer.log.events()
    assert clearer.journal.seals(1) == ()
    cursor = clearer.journal.cursor()
    assert cursor is not None
    assert cursor.hash == venue.node.client.block("latest").hash


def test_a_reorganisation_across_lock_out_after_the_key_halts(venue: Venue, tmp_path: Path) -> None:
    open_batch_one(venue)
    buyer = venue.trader()
    venue.seal(buyer, [buy(0, 20, 210)], 1)
    fork = venue.node.snapshot()
    clearer = make_clearer(venue, tmp_path)
    venue.to_time(venue.schedule.boundaries(1).lock_out)
    venue.to_time(venue.schedule.boundaries(1).reveal_from)
    assert clearer.daemon.step() == Reveal(1)
    venue.node.revert(fork)
    venue.seal(buyer, [buy(0, 20, 150)], 1)
    venue.to_time(venue.schedule.boundaries(1).reveal_from)
    with pytest.raises(Halted, match="reorganised across the lock-out of batch 1"):
        clearer.daemon.step()


def test_the_key_waits_for_confirmations(venue: Venue, tmp_path: Path) -> None:
    open_batch_one(venue)
    lock_out(venue)
    clearer = make_clearer(venue, tmp_path, confirmations=4)
    waiting = clearer.daemon.step()
    assert isinstance(waiting, Wait)
    assert "not final" in waiting.reason
    venue.node.mine(2)
    assert isinstance(clearer.daemon.step(), Wait)
    venue.node.mine(1)
    assert clearer.daemon.step() == Reveal(1)
