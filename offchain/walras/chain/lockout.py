"""What a settlement reads, rebuilt from chain data alone: the book as lock-out fixed it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eth_utils.address import to_canonical_address

from walras.batch import AccountState, BatchState, Product
from walras.chain.events import Cancelled, Event, Sealed
from walras.errors import ChainError
from walras.sealing import batch_id, seal_hash, unseal
from walras.submission import decode

if TYPE_CHECKING:
    from walras.chain.market import Market

__all__ = ["LiveSeal", "as_history", "live_seals", "read_state"]


@dataclass(frozen=True, slots=True)
class LiveSeal:
    """What an account sealed, and the units it declared for it."""

    units: int
    ciphertext: bytes


def live_seals(history: Iterable[tuple[str, int, bytes | None]]) -> dict[str, LiveSeal]:
    """The last seal of every account, from (account, units, ciphertext or None for a cancellation).

    In chain order.
    """
    live: dict[str, LiveSeal] = {}
    for account, units, ciphertext in history:
        if ciphertext is None:
            live.pop(account, None)
        else:
            live[account] = LiveSeal(units, ciphertext)
    return live


def as_history(events: Iterable[Event]) -> Iterator[tuple[str, int, bytes | None]]:
    """Sealed and Cancelled events as `live_seals` takes them."""
    for event in events:
        if isinstance(event, Sealed):
            yield event.account, event.units, event.ct
        elif isinstance(event, Cancelled):
            yield event.account, 0, None


def read_state(
    market: Market,
    batch: int,
    *,
    block: int,
    secret: int,
    seals: Mapping[str, LiveSeal],
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
        if raw[3] != batch or raw[6] != seal_hash(number, seals[owner].ciphertext):
            raise ChainError(
                f"the seal of {owner} in batch {batch} is not the one the contract holds; "
                "the node's logs are incomplete or its chain was reorganised, try again"
            )
    ticks = {k: product.tick for k, product in products.items()}
    touched = {o: _products(o, seals[o], secret, number, ticks) for o in owners}
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
    return state, {to_canonical_address(owner): seals[owner].ciphertext for owner in owners}


def _products(
    owner: str, seal: LiveSeal, secret: int, number: bytes, ticks: Mapping[int, int]
) -> tuple[int, ...]:
    """Products whose ledgers decide whether the submission is covered."""
    body = unseal(secret, seal.ciphertext, to_canonical_address(owner), number)
    if body is None:
        return ()
    decoded = decode(body, ciphertext_length=len(seal.ciphertext), units=seal.units, ticks=ticks)
    return decoded.submission.products if decoded.submission is not None else ()
