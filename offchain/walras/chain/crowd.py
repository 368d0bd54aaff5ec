"""Many accounts of a development chain that act at once, a hundred transactions a block."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_utils.address import to_checksum_address

from walras.chain.devnode import DevNode
from walras.errors import ChainError, Reverted

__all__ = ["CROWDED", "Crowd", "Sent"]

CROWDED: Final = ("--gas-limit", str(1 << 40), "--base-fee", "0", "--prune-history", "32")
"""Arguments of an Anvil whose blocks hold a crowd's transactions, at no price and for a while."""

_WEI: Final = 10**24
_GAS: Final = 1 << 24  # EIP-7825: the most that a transaction may use
_FEE: Final = 10**9
_WAITS: Final = tuple(0.02 * 1.5**n for n in range(14))  # seconds between looks, 12 in all
_ROUND: Final = 100  # transactions a block: Anvil looks for a receipt through all of its block


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction of an account of the crowd: calldata for the contract at `to`."""

    owner: bytes
    to: str
    data: bytes


class Crowd:
    """Accounts without keys: Anvil sends for them. Nothing else may mine meanwhile."""

    def __init__(self, node: DevNode) -> None:
        self._node = node
        self._nonces: dict[bytes, int] = {}

    def join(self, owners: Iterable[bytes]) -> None:
        """Give accounts native currency, and let Anvil send for them."""
        fresh = [owner for owner in owners if owner not in self._nonces]
        names = [to_checksum_address(owner) for owner in fresh]
        client = self._node.client
        client.rpc_many("anvil_setBalance", [(name, hex(_WEI)) for name in names])
        client.rpc_many("anvil_impersonateAccount", [(name,) for name in names])
        sent = client.rpc_many("eth_getTransactionCount", [(name, "latest") for name in names])
        self._nonces.update((owner, int(n, 16)) for owner, n in zip(fresh, sent, strict=True))

    def send(self, transactions: Sequence[Sent]) -> list[int]:
        """Have them all included, each owner's in order; the gas each used.

        Raises Reverted with the first one's reason if one fails.
        """
        used: list[int] = []
        client = self._node.client
        client.rpc("evm_setAutomine", False)
        try:
            for i in range(0, len(transactions), _ROUND):
                used += self._block(transactions[i : i + _ROUND])
        finally:
            client.rpc("evm_setAutomine", True)
        return used

    def _block(self, transactions: Sequence[Sent]) -> list[int]:
        client = self._node.client
        requests = [self._request(one) for one in transactions]
        hashes = client.rpc_many("eth_sendTransaction", [(request,) for request in requests])
        client.rpc("evm_mine")
        receipts = self._receipts(hashes)
        for request, hash_ in zip(requests, hashes, strict=True):
            if receipts[hash_]["status"] != "0x1":
                self._explain(request, int(receipts[hash_]["blockNumber"], 16))
        return [int(receipts[hash_]["gasUsed"], 16) for hash_ in hashes]

    def _receipts(self, hashes: Sequence[str]) -> dict[str, Any]:
        """Receipts by hash; what a block left out, as a busy node does, is mined with another."""
        client, found = self._node.client, dict[str, Any]()
        for wait in _WAITS:
            left = [hash_ for hash_ in hashes if hash_ not in found]
            answers = client.rpc_many("eth_getTransactionReceipt", [(hash_,) for hash_ in left])
            found.update((h, one) for h, one in zip(left, answers, strict=True) if one is not None)
            if len(found) == len(hashes):
                return found
            time.sleep(wait)
            client.rpc("evm_mine")
        raise ChainError(
            f"the node left out {len(hashes) - len(found)} of {len(hashes)} transactions of the "
            "crowd; is it an Anvil of its own?"
        )

    def _request(self, one: Sent) -> dict[str, Any]:
        # A node takes the requests of a round trip in any order, so each says its place.
        nonce = self._nonces[one.owner]
        self._nonces[one.owner] = nonce + 1
        return {
            "from": to_checksum_address(one.owner),
            "to": one.to,
            "data": "0x" + one.data.hex(),
            "gas": hex(_GAS),
            "maxFeePerGas": hex(_FEE),
            "maxPriorityFeePerGas": "0x0",
            "nonce": hex(nonce),
        }

    def _explain(self, request: dict[str, Any], block: int) -> None:
        """Raises Reverted: the node's reason, as far as the same call still has one."""
        call = {name: request[name] for name in ("from", "to", "data")}
        self._node.client.rpc("eth_call", call, hex(block - 1))
        raise Reverted("failed among others", (), "what another account did before it is why")
