"""A crowd on a node that leaves transactions out of a block, or receipts out of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from walras.chain.crowd import Crowd, Sent
from walras.chain.devnode import DevNode
from walras.errors import ChainError

OWNER, TO = bytes([7]) * 20, "0x" + "22" * 20


@dataclass
class BusyClient:
    """Includes one more transaction with every block."""

    mined: int = 0
    pool: list[str] = field(default_factory=list)
    most: int = 1 << 20

    def rpc(self, method: str, *_: Any) -> Any:
        if method == "evm_mine":
            self.mined = min(self.mined + 1, self.most)

    def rpc_many(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        if method == "eth_getTransactionCount":
            return ["0x0"] * len(params)
        if method == "eth_sendTransaction":
            self.pool += [request["nonce"] for (request,) in params]
            return [request["nonce"] for (request,) in params]
        if method == "eth_getTransactionReceipt":
            return [self.receipt(hash_) for (hash_,) in params]
        return [None] * len(params)

    def receipt(self, hash_: str) -> dict[str, str] | None:
        number = self.pool.index(hash_) + 1
        if number > self.mined:
            return None
        return {"status": "0x1", "blockNumber": hex(number), "gasUsed": hex(1_000 + number)}


def crowd_of(client: BusyClient, monkeypatch: pytest.MonkeyPatch) -> Crowd:
    monkeypatch.setattr("walras.chain.crowd.time.sleep", lambda _: None)
    found = Crowd(DevNode(cast("Any", client), "", 0))
    found.join([OWNER])
    return found


def test_what_a_block_left_out__is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    client = BusyClient()
    sent = [Sent(OWNER, TO, b"")] * 3
    assert crowd_of(client, monkeypatch).send(sent) == [1_001, 1_002, 1_003]
    assert client.mined == 3


def test_what_is_never_included__is_said_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    client = BusyClient(most=1)
    with pytest.raises(ChainError, match="left out 2 of 3 transactions"):
        crowd_of(client, monkeypatch).send([Sent(OWNER, TO, b"")] * 3)
