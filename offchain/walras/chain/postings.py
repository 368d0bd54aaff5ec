"""How a batch was settled: the calldata of its settlement, read back from the chain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from eth_utils.address import to_canonical_address

from walras.batch import Product
from walras.bodies import Posting
from walras.chain.events import Settled, Verified
from walras.chain.interface import arguments_of
from walras.chain.lockout import LiveSeal
from walras.errors import ChainError
from walras.opening import Entry
from walras.sealing import batch_id
from walras.settlement import decode_submissions

if TYPE_CHECKING:
    from walras.chain.market import Market

__all__ = [
    "Posted",
    "listed",
    "read_chunks",
    "read_posted",
    "read_posting",
    "read_verified",
    "run_of",
    "sealed_by_account",
    "settling_transactions",
    "submissions_of",
]

_NOBODY: Final = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class Posted:
    """Calldata of a settlement: submissions of each of its chunks in order; one if at once."""

    transactions: tuple[bytes, ...]
    submissions: tuple[bytes, ...]


def read_posted(market: Market, settled: Settled) -> Posted:
    """The calldata of the settlement that emitted `settled`.

    Raises ChainError if the node does not show it, or a contract in between sent it.
    """
    transactions = settling_transactions(settled, market.verified_events(settled.batch))
    return Posted(transactions, tuple(_submissions(market, hash_) for hash_ in transactions))


def read_posting(market: Market, settled: Settled, seals: Mapping[str, LiveSeal]) -> Posting:
    """What a settlement showed of the bodies that stand after it, with the `seals` of its batch."""
    batch = settled.batch
    (secret, count) = market.read_all([("secret", batch), ("productCount", batch)])
    products = market.read_all([("product", k) for k in range(count)], settled.block_number)
    entries: list[Entry] = []
    shadows: dict[bytes, tuple[int, ...]] = {}
    for some, values in read_chunks(market, settled, seals):
        entries += some
        shadows |= values
    return Posting(
        batch_id=batch_id(market.client.chain_id, to_canonical_address(market.address), batch),
        secret=secret,
        entries=tuple(entries),
        prices=dict(zip(settled.products, settled.prices, strict=True)),
        shadows=shadows,
        ticks={k: Product(k, *word).tick for k, word in enumerate(products)},
        sealed=sealed_by_account(seals),
    )


def read_chunks(
    market: Market, settled: Settled, seals: Mapping[str, LiveSeal]
) -> Iterator[tuple[list[Entry], dict[bytes, tuple[int, ...]]]]:
    """Entries and shadow prices X84 by account of each chunk of a settlement, one if at once."""
    for data in read_posted(market, settled).submissions:
        yield listed(data, sealed_by_account(seals))


def listed(
    submissions: bytes, sealed: Mapping[bytes, tuple[int, bytes]]
) -> tuple[list[Entry], dict[bytes, tuple[int, ...]]]:
    """Entries and shadow prices X84 by account in a chunk's calldata."""

    def amends(account: bytes, payload: bytes) -> bool:
        return account in sealed and sealed[account][1] != payload

    return decode_submissions(submissions, amends)


def sealed_by_account(seals: Mapping[str, LiveSeal]) -> dict[bytes, tuple[int, bytes]]:
    """Units and ciphertext of seals, by account."""
    return {
        bytes(to_canonical_address(owner)): (seal.units, seal.ciphertext)
        for owner, seal in seals.items()
    }


def settling_transactions(settled: Settled, verified: Iterable[Verified]) -> tuple[bytes, ...]:
    """The settlement's transaction; those of all its chunks, in order, if it has several.

    `verified` are all chunks of the batch in chain order.
    """
    chunks = list(verified)
    by_transaction = {event.transaction: event for event in chunks}
    last = by_transaction.get(settled.transaction)
    if last is None:
        return (settled.transaction,)
    return tuple(event.transaction for event in run_of(last, chunks))


def run_of(last: Verified, verified: Iterable[Verified]) -> tuple[Verified, ...]:
    """The chunks of the run that ends with `last`, in order, among all `verified` of its batch."""
    chunks, run = list(verified), [last]
    while run[0].sender.lower() != _NOBODY:
        found = [e for e in chunks if e.settler == run[0].sender and _before(e, run[0])]
        if not found:
            raise ChainError(
                f"the node does not show all chunks of batch {last.batch}; use a node with "
                "full logs"
            )
        run.insert(0, found[-1])
    return tuple(run)


def read_verified(market: Market, event: Verified) -> tuple[dict[int, int], bytes]:
    """Prices X84 and items that a chunk was verified with."""
    sent: Any = market.client.rpc("eth_getTransactionByHash", "0x" + event.transaction.hex())
    submissions = submissions_of(event.transaction, sent)
    data = bytes.fromhex(sent["input"].removeprefix("0x"))
    *_, products, prices, _ = arguments_of("Walras", "verify", data) or ((), (), ())
    return dict(zip(products, prices, strict=True)), submissions


def _before(one: Verified, other: Verified) -> bool:
    return (one.block_number, one.log_index) < (other.block_number, other.log_index)


def _submissions(market: Market, transaction: bytes) -> bytes:
    sent: Any = market.client.rpc("eth_getTransactionByHash", "0x" + transaction.hex())
    return submissions_of(transaction, sent)


def submissions_of(transaction: bytes, sent: Mapping[str, Any] | None) -> bytes:
    """The items that a settling transaction carries, as the node shows it."""
    if sent is None:
        raise ChainError(f"the node does not show the settlement 0x{transaction.hex()}; try again")
    data = bytes.fromhex(sent["input"].removeprefix("0x"))
    for name in ("settle", "verify"):
        arguments = arguments_of("Walras", name, data)
        if arguments is not None:
            return bytes(arguments[-1])
    raise ChainError(
        f"transaction 0x{transaction.hex()} settled through another contract; "
        "its calldata cannot be read here"
    )
