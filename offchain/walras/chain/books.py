"""The book of a batch, with what stands behind the hashes of those that stand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from walras.bodies import Bodies, Known, learn
from walras.chain import events
from walras.chain.lockout import STANDING, Book, LiveSeal, read_book
from walras.chain.market import Market
from walras.chain.postings import read_posting
from walras.errors import ChainError

__all__ = ["book_at_lock_out", "book_of", "learn_batch"]


def book_at_lock_out(
    market: Market, batch: int, *, secret: int | None = None, bodies: Bodies | None = None
) -> Book:
    """What settling a batch reads, from chain data alone.

    Ledgers are read now while the batch is unfinished, at its lock-out block afterwards (that
    needs a node with old state). `secret` stands in while none is published.
    """
    seals = market.seals(batch)
    stood = market.stood(market.lock_out_block(batch))
    return book_of(market, batch, seals, stood, secret=secret, bodies=bodies)


def book_of(
    market: Market,
    batch: int,
    seals: Mapping[str, LiveSeal],
    stood: Collection[str],
    *,
    secret: int | None = None,
    bodies: Bodies | None = None,
) -> Book:
    """The same from live seals and accounts that ever stood, known already.

    Ledgers that a run has written ahead are read as they were before it.

    `bodies` that are missing are learned from the settlements before. Raises ChainError if the
    key is not published.
    """
    published, raw = market.read_all([("secret", batch), ("batch",)])
    opened_by = published or secret
    if not opened_by:
        raise ChainError(f"the key of batch {batch} is not published; nothing can be opened")
    block = _block(market, batch, raw)
    kept = Known() if bodies is None else bodies
    _complete(market, batch, block, stood, kept)
    return read_book(
        market, batch, block=block, secret=opened_by, seals=seals, stood=stood, bodies=kept
    )


def _block(market: Market, batch: int, raw: Sequence[Any]) -> int:
    """Where the ledgers of a batch are still what lock-out left; `raw`: the last batch's word."""
    number, *_, settled, closed, _, unapplied = raw
    if number == batch and unapplied:
        return market.verified_events(batch)[0].block_number - 1
    if number != batch or settled or closed:
        return market.lock_out_block(batch)
    return market.client.block("latest").number


def learn_batch(market: Market, batch: int, bodies: Bodies) -> None:
    """Keep what the settlement of a batch showed of the submissions that stand after it."""
    settled = market.settled_event(batch)
    if settled is not None:
        bodies.keep(learn(read_posting(market, settled, market.seals(batch))))


def _complete(
    market: Market, batch: int, block: int, stood: Collection[str], bodies: Bodies
) -> None:
    """Learn the bodies behind the hashes of `block`, from the newest settlement back."""
    words = market.read_all([("account", owner) for owner in stood], block)
    missing = {raw[6] for raw in words if raw[5] & STANDING and not bodies.find(raw[6])}
    if not missing:
        return
    settled = market.history([events.Settled], last=block)
    earlier = {e.batch for e in settled if isinstance(e, events.Settled) and e.batch < batch}
    for one in sorted(earlier, reverse=True):
        learn_batch(market, one, bodies)
        if all(bodies.find(hash_) for hash_ in missing):
            return
