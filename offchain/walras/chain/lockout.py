"""What a settlement reads, rebuilt from chain data alone: the book as lock-out fixed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from eth_utils.address import to_canonical_address

from walras.batch import AccountState, BatchState, Product
from walras.chain.events import Cancelled, Event, Sealed
from walras.errors import ChainError
from walras.sealing import batch_id, seal_hash, unseal
from walras.submission import decode

if TYPE_CHECKING:
    from walras.chain.market import Market

__all__ = ["live_seals", "read_state"]


def live_seals(events: Iterable[Event]) -> dict[str, Sealed]:
    """The last Sealed of every account that did not cancel afterwards."""
    live: dict[str, Sealed] = {}
    for event in events:
        if isinstance(event, Sealed):
            live[event.account] = event
        elif isinstance(event, Cancelled):
            live.pop(event.account, None)
    return live


def read_state(
    market: Market,
    batch: int,
    *,
    block: int,
    secret: int,
    seals: Mapping[str, Sealed],
) -> tuple[BatchState, dict[bytes, bytes]]:
    """State and ciphertexts of a batch with its live `seals`, ledgers as of `block`.

    Ledgers of live accounts are the same at every block from lock-out to settlement. Raises
    ChainError if the seals are not those that the contract holds.
    """
    number = batch_id(market.client.chain_id, to_canonical_address(market.address), batch)
    count, treasury = market.read_all([("productCount", batch), ("treasury",)], block)
    words = market.read_all([("product", k) for k in range(count)], block)
    products = {k: Product(k, *word) for k, word in enumerate(words)}
    owners = sorted(seals, key=to_canonical_address)
    stored = market.read_all([("account", owner) for owner in owners], block)
    for owner, raw in zip(owners, stored, strict=True):
        if raw[3] != batch or raw[6] != seal_hash(number, seals[owner].ct):
            raise ChainError(
                f"the seal of {owner} in batch {batch} is not the one the contract holds; "
                "the node's logs are incomplete or its chain was reorganised, try again"
            )
    ticks = {k: product.tick for k, product in products.items()}
    touched = {
        owner: _products(seals[owner], secret, number, ticks) if secret else () for owner in owners
    }
    pairs = [(owner, k) for owner in owners for k in touched[owner]]
    balances = market.read_all([("balanceOf", owner, k) for owner, k in pairs], block)
    lots = dict(zip(pairs, balances, strict=True))
    accounts = tuple(
        AccountState(
            address=to_canonical_address(owner),
            cash=raw[0],
            lots={k: lots[owner, k] for k in touched[owner]},
            home=raw[2] - 1 if raw[2] else None,
            units=raw[4],
            seal_hash=raw[6],
        )
        for owner, raw in zip(owners, stored, strict=True)
    )
    state = BatchState(
        number=batch,
        batch_id=number,
        scheduled_lock_out=market.schedule.boundaries(batch).lock_out,
        products=products,
        accounts=accounts,
        house_cash=treasury[0],
        secret=secret,
    )
    return state, {to_canonical_address(owner): seals[owner].ct for owner in owners}


def _products(
    seal: Sealed, secret: int, number: bytes, ticks: Mapping[int, int]
) -> tuple[int, ...]:
    """Products whose ledgers decide whether the submission is covered."""
    body = unseal(secret, seal.ct, to_canonical_address(seal.account), number)
    if body is None:
        return ()
    decoded = decode(body, ciphertext_length=len(seal.ct), units=seal.units, ticks=ticks)
    return decoded.submission.products if decoded.submission is not None else ()
