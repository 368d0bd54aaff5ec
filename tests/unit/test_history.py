"""From events and calldata to rows, where the chain is awkward: other runs, contracts, resets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from eth_utils.address import to_checksum_address

from tests.e2e.venue import buy, sell, timetable
from walras.auths import Submission
from walras.chain import events
from walras.chain.client import Block, BlockMissing, NodeError
from walras.chain.index import Indexed, Indexer
from walras.chain.interface import call
from walras.chain.market import Market
from walras.errors import ChainError
from walras.numbers import X44, X84
from walras.opening import Entry
from walras.sealing import batch_id, public_key, seal
from walras.settlement import encode_submissions
from walras.store.history import Index
from walras.submission import encode

MARKET = to_checksum_address("0x" + "ab" * 20)
OTHER = to_checksum_address("0x" + "cd" * 20)
CHAIN, SECRET, UNIT_RENT, TICKS, UNITS = 31_337, 12_345, 7, 3, 30
SCALE = 200 << 24
BUYER, SELLER = b"\x01" * 20, b"\x02" * 20
BODIES = {
    BUYER: encode(Submission((buy(0, 20, 210),), standing=True)),
    SELLER: encode(Submission((sell(0, 20, 190),), standing=True)),
}


@dataclass
class Node:
    """A node that shows what a test put there, ten blocks a batch."""

    happened: list[events.Event] = field(default_factory=list)
    sent: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    scale: int = SCALE
    old_scale: int | None = SCALE
    hidden: bool = False
    chain_id: int = CHAIN

    def emit(self, kind: type[events.Event], block: int, transaction: bytes, **values: Any) -> None:
        self.happened.append(
            kind(
                block_number=block,
                block_hash=block.to_bytes(32),
                log_index=len(self.happened),
                transaction=transaction,
                **values,
            )
        )

    def block(self, number: int | str = "latest") -> Block:
        head = self.happened[-1].block_number + 1
        number = head if isinstance(number, str) else number
        if number > head:
            raise BlockMissing("no such block")
        return Block(number, number.to_bytes(32), number * 100, 1)

    def first_block_from(self, _timestamp: int, _head: Block) -> int:
        return 0

    def rpc_many(self, method: str, asked: Sequence[Sequence[str]]) -> list[Any]:
        if method == "eth_getTransactionReceipt":
            receipt = {"from": OTHER, "gasUsed": "0x5208", "effectiveGasPrice": "0x2"}
            return [receipt for _ in asked]
        known = {} if self.hidden else self.sent
        return [known.get(bytes.fromhex(hash_[2:])) for (hash_,) in asked]


def market_of(node: Node) -> Market:
    """As much of a market as following it takes."""

    class Fake:
        client = node
        address = MARKET
        schedule = timetable(0)

        def history(
            self, kinds: Sequence[type[events.Event]], first: int = 0, last: int | None = None
        ) -> list[events.Event]:
            end = node.block().number if last is None else last
            found = (e for e in node.happened if first <= e.block_number <= end)
            return [e for e in found if isinstance(e, tuple(kinds))]

        def read_all(self, calls: Sequence[Any], block: int | str = "latest") -> list[Any]:
            if block != "latest" and node.old_scale is None:
                raise NodeError("eth_call", "missing trie node")
            scale = node.scale if block == "latest" else node.old_scale
            word = (0, SCALE << 16, scale, 1, 20)
            return [UNIT_RENT if name == "unitRent" else word for name, *_ in calls]

    return cast("Market", Fake())


def settle(node: Node, batch: int, price: int = 200, *, to: str = MARKET, chunks: int = 1) -> None:
    """Both accounts trade in a batch: sealed in the first, standing afterwards."""
    base, number = 10 * batch, batch_id(CHAIN, bytes.fromhex(MARKET[2:]), batch)
    key = b"\x04" + b"".join(part.to_bytes(32) for part in public_key(SECRET))
    first, payloads = batch == 1, dict(BODIES)
    node.emit(events.Opened, base, _hash(batch, 0), batch=batch, live=0, units=0, ticks=TICKS)
    for account, body in BODIES.items() if first else ():
        payloads[account] = seal(key, body, account, number)
        owner, ct = to_checksum_address(account), payloads[account]
        sealing = {"batch": batch, "account": owner, "units": UNITS, "ct": ct}
        node.emit(events.Sealed, base + 1, _hash(batch, account[0]), **sealing)
    node.emit(events.KeyRevealed, base + 2, _hash(batch, 90), batch=batch, secret=SECRET)
    prices = {0: price * X84}
    items = [Entry(account, payload) for account, payload in payloads.items()]
    last = _hash(batch, 90 + chunks)
    for n in range(chunks):
        part = encode_submissions(items if chunks == 1 else [items[n]])
        board = (list(prices), list(prices.values()), part)
        node.sent[_hash(batch, 91 + n)] = {
            "to": to,
            "input": "0x" + call("Walras", MARKET, "settle", batch, *board).data.hex(),
        }
    for account in BODIES if first else ():
        joined = {"batch": batch, "account": to_checksum_address(account)}
        node.emit(events.Joined, base + 3, last, **joined)
    settled: dict[str, Any] = {"products": (0,), "prices": (price * X84,), "volumes": (5 * X44,)}
    settled |= {"batch": batch, "settler": OTHER, "live": 2, "voids": 0, "loss": 1, "freedom": 2}
    node.emit(events.Settled, base + 4, last, **settled)


def _hash(batch: int, n: int) -> bytes:
    return (1_000 * batch + n).to_bytes(32)


def follow(node: Node) -> tuple[Index, Indexed]:
    index = Index("sqlite://", CHAIN, MARKET)
    return index, Indexer(market_of(node), index).follow()


def test_who_stands_pays_rent_by_the_units_it_once_declared() -> None:
    node = Node()
    settle(node, 1)
    settle(node, 2)
    index, told = follow(node)
    assert told == Indexed(2, 0, 25)
    rents = [(line.batch, line.standing, line.rent) for line in index.accounts()]
    rent = UNITS * TICKS * UNIT_RENT
    assert rents == [(1, False, 0), (1, False, 0), (2, True, rent), (2, True, rent)]
    assert [line.rent for line in index.batches()] == [0, 2 * rent]
    assert [line.rate > 0 for line in index.fills()] == [True, False, True, False]
    assert [(line.action, line.gas, line.price) for line in index.gas()] == [
        *(("open", 21_000, 2), ("reveal", 21_000, 2), ("settle", 21_000, 2)) * 2
    ]


def test_events_of_a_run_that_did_not_settle_are_not_the_batchs() -> None:
    """Somebody verified under prices at which the seller was complete, and gave up."""
    node = Node()
    settle(node, 1)
    settle(node, 2)
    settled = node.happened.pop()
    owner = to_checksum_address(SELLER)
    node.emit(events.Ended, 23, _hash(2, 50), batch=2, account=owner)
    node.emit(events.Voided, 23, _hash(2, 50), batch=2, account=owner, reason=5)
    run = {"settler": OTHER, "sender": "0x" + "00" * 20, "listed": 1, "run": bytes(32)}
    node.emit(events.Verified, 23, _hash(2, 50), batch=2, **run)
    node.happened.append(settled)
    index, _ = follow(node)
    assert [(line.reason, line.change) for line in index.accounts(2)] == [("", "")] * 2


def test_chunks_are_put_together_across_settlers() -> None:
    node = Node()
    settle(node, 1, chunks=2)
    settled = node.happened.pop()
    nobody = "0x" + "00" * 20
    for n, (settler, sender) in enumerate(((MARKET, nobody), (OTHER, MARKET))):
        chunk = {"settler": settler, "sender": sender, "listed": n + 1, "run": bytes(32)}
        if n == 1:
            node.happened.append(settled)  # it comes before the event of the last chunk
        node.emit(events.Verified, 14, _hash(1, 91 + n), batch=1, **chunk)
    index, _ = follow(node)
    assert [line.account for line in index.accounts()] == [BUYER, SELLER]


def test_a_settlement_through_a_contract_has_prices_but_no_fills() -> None:
    node = Node()
    settle(node, 1)
    settle(node, 2, to=OTHER)
    settle(node, 3)
    index, told = follow(node)
    assert told.unread == (2,)
    assert [line.batch for line in index.fills()] == [1, 1, 3, 3]
    assert [line.house is None for line in index.prices()] == [False, True, False]
    assert [line.accounts for line in index.batches()] == [2, 2, 2]


def test_curves_are_read_with_the_scale_of_their_time() -> None:
    """A wider tick makes a flatter curve: the fills tell which was used."""
    quiet = Node()
    settle(quiet, 1, 209)
    settle(quiet, 2, 209)
    moved = Node(scale=SCALE * 16)
    settle(moved, 1, 209)
    reset = {"product": 0, "scale": SCALE * 16}
    moved.emit(events.ScaleReset, 15, _hash(1, 99), **reset)
    settle(moved, 2, 209)
    before, after = (list(follow(node)[0].fills()) for node in (quiet, moved))
    assert before[:2] == after[:2]
    assert before[2:] != after[2:]
    assert follow(moved)[0].products()[0].scale == SCALE * 16


def test_a_pruned_node_is_named_where_old_state_is_needed() -> None:
    node = Node(scale=SCALE * 16, old_scale=None)
    settle(node, 1)
    assert follow(node)[1].batches == 1  # nothing was reset: the scale is as it was listed
    node.emit(events.ScaleReset, 15, _hash(1, 99), product=0, scale=SCALE * 16)
    with pytest.raises(ChainError, match="no longer has the state of block 13"):
        follow(node)


def test_what_the_node_hides_is_said_and_nothing_is_written() -> None:
    node = Node(hidden=True)
    settle(node, 1)
    index = Index("sqlite://", CHAIN, MARKET)
    indexer = Indexer(market_of(node), index)
    with pytest.raises(ChainError, match="does not show transaction"):
        indexer.follow()
    assert index.cursors() == ()
    node.hidden = False
    assert indexer.follow().batches == 1


def test_a_key_that_is_not_shown_is_missed() -> None:
    node = Node()
    settle(node, 1)
    node.happened = [e for e in node.happened if not isinstance(e, events.KeyRevealed)]
    with pytest.raises(ChainError, match="does not show the key of batch 1"):
        follow(node)
