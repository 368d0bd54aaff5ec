"""What a history asks the node beyond its logs: transactions, receipts, scales of long ago."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from walras.batch import Product
from walras.chain import events
from walras.chain.client import Client, NodeError
from walras.chain.market import Market
from walras.errors import ChainError
from walras.store.history import Scale

__all__ = ["receipts", "scales_before", "transactions"]


def transactions(client: Client, hashes: Sequence[bytes]) -> list[Any]:
    """Transactions as the node shows them; ChainError if it lacks one."""
    return _by_hash(client, "eth_getTransactionByHash", hashes)


def receipts(client: Client, hashes: Sequence[bytes]) -> list[Any]:
    """Receipts of transactions as the node shows them; ChainError if it lacks one."""
    return _by_hash(client, "eth_getTransactionReceipt", hashes)


def scales_before(market: Market, products: Sequence[int], block: int) -> Iterator[Scale]:
    """Scales of products just before a block.

    Raises ChainError if one was reset since and the node no longer has the state of then.
    """
    words = [Product(k, *w) for k, w in zip(products, _words(market, products), strict=True)]
    resets = market.history([events.ScaleReset], block)
    moved = {e.product for e in resets if isinstance(e, events.ScaleReset)}
    for now in words:
        product = _then(market, now.id, block - 1) if now.id in moved else now
        yield Scale(now.id, block - 1, product.scale, product.tick_bps, product.depth_log2)


def _then(market: Market, product: int, block: int) -> Product:
    try:
        return Product(product, *_words(market, [product], block)[0])
    except NodeError as error:
        raise ChainError(
            f"the node no longer has the state of block {block}, which tells the scale of "
            f"product {product} then ({error.reason}); index with a node that keeps old state"
        ) from error


def _words(market: Market, products: Sequence[int], block: int | str = "latest") -> list[Any]:
    return market.read_all([("product", k) for k in products], block)


def _by_hash(client: Client, method: str, hashes: Sequence[bytes]) -> list[Any]:
    found = client.rpc_many(method, [("0x" + hash_.hex(),) for hash_ in hashes])
    if None in found:
        missing = hashes[found.index(None)].hex()
        raise ChainError(f"the node does not show transaction 0x{missing}; try again")
    return found
