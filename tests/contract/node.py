"""Anvil at full speed: one socket, a clock that stands still, senders without keys.

A transaction costs a millisecond. `Chain.call` may pretend another time or base fee, so that a
refusal can be looked for at every boundary without a block being mined.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from time import monotonic, sleep
from typing import Any, Final

from eth_abi.abi import decode
from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from walras.chain.artifacts import load
from walras.chain.devnode import start_anvil
from walras.chain.interface import creation_code
from walras.chain.reverts import reverted
from walras.errors import Reverted

GENESIS_TIME: Final = 1_999_990_000
GAS_LIMIT: Final = 16_777_216  # EIP-7825: no transaction above it is valid
RECEIPT_SECONDS: Final = 30.0
RESEND_SECONDS: Final = 0.5


class RpcError(Exception):
    """The node refused a request for a reason of its own."""


@dataclass(frozen=True)
class Event:
    name: str
    args: dict[str, Any]


@dataclass(frozen=True)
class Receipt:
    gas: int
    created: str | None
    events: tuple[Event, ...]

    def event(self, name: str) -> dict[str, Any]:
        """Arguments of the one event of this name."""
        (found,) = [event.args for event in self.events if event.name == name]
        return found


class Chain:
    """One development chain. Time moves only by `warp`."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")
        self.chain_id = int(self.rpc("eth_chainId"), 16)
        self.rpc("anvil_setBlockTimestampInterval", 0)
        self.rpc("evm_mine")
        self.now = self._time()

    def rpc(self, method: str, *params: Any) -> Any:
        """Result of one request; Reverted if the contract refused, RpcError if the node did."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        self._socket.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        length = 0
        while (line := self._answers.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        answer = json.loads(self._answers.read(length))
        if "error" not in answer:
            return answer["result"]
        error = answer["error"]
        if error.get("code") == 3:
            raise reverted(bytes.fromhex(str(error.get("data") or "0x")[2:]))
        raise RpcError(f"{method}: {error}")

    def close(self) -> None:
        """Hang up."""
        self._answers.close()
        self._socket.close()

    def warp(self, time: int) -> None:
        """Mine a block at `time`, where the clock stands from now on."""
        if time != self.now:
            self.rpc("evm_setNextBlockTimestamp", hex(time))
            self.rpc("evm_mine")
            self.now = time

    def call(
        self,
        to: str | None,
        data: bytes,
        sender: str,
        *,
        at: int | None = None,
        base_fee: int | None = None,
        block: str = "latest",
        gas: int = GAS_LIMIT,
    ) -> bytes:
        """What a call answers, at this or another time; Reverted if it is refused."""
        overrides = {"time": hex(self.now if at is None else at)}
        if base_fee is not None:
            overrides["baseFeePerGas"] = hex(base_fee)
        request = {"from": sender, "data": "0x" + data.hex(), "gas": hex(gas)}
        if to is not None:
            request["to"] = to
        answer: str = self.rpc("eth_call", request, block, {}, overrides)
        return bytes.fromhex(answer[2:])

    def send(
        self,
        to: str | None,
        data: bytes,
        sender: str,
        *,
        base_fee: int | None = None,
        gas: int = GAS_LIMIT,
    ) -> Receipt:
        """Include a transaction in a block of its own; Reverted if it fails."""
        price = 0
        if base_fee is not None:
            price = base_fee
            self.rpc("anvil_setBalance", sender, hex(10**30))
            self.rpc("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
        request = {"from": sender, "data": "0x" + data.hex(), "gas": hex(gas)}
        request["gasPrice"] = hex(price)
        if to is not None:
            request["to"] = to
        raw = self._receipt(request)
        if base_fee is not None:
            self.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")
        assert int(raw["blockTimestamp"]) == self.now
        if raw["status"] != "0x1":
            before = hex(int(raw["blockNumber"], 16) - 1)
            self.call(to, data, sender, base_fee=base_fee, block=before, gas=gas)
            raise Reverted("out of gas", (int(raw["gasUsed"], 16),))
        return Receipt(int(raw["gasUsed"], 16), raw["contractAddress"], _events(raw["logs"]))

    def _receipt(self, request: Mapping[str, str]) -> Any:
        """Send and wait for inclusion. After a revert Anvil at times forgets what it is sent."""
        end = monotonic() + RECEIPT_SECONDS
        while monotonic() < end:
            transaction = self.rpc("eth_sendTransaction", request)
            again = monotonic() + RESEND_SECONDS
            while monotonic() < again or self.rpc("eth_getTransactionByHash", transaction):
                raw = self.rpc("eth_getTransactionReceipt", transaction)
                if raw is not None:
                    return raw
                sleep(0.0005)
        raise RpcError(f"{request} is not mined")

    def deploy(self, name: str, *args: object, sender: str, **libraries: str) -> str:
        """Create a compiled contract; its libraries by name where they exist already."""
        linked = {
            gap: libraries.get(gap) or self.deploy(gap, sender=sender) for gap in load(name).gaps
        }
        created = self.send(None, creation_code(name, linked, *args), sender).created
        assert created is not None
        return to_checksum_address(created)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever happens inside has never happened."""
        now, snapshot = self.now, self.rpc("evm_snapshot")
        try:
            yield
        finally:
            assert self.rpc("evm_revert", snapshot)
            self.now = now
            self.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")

    def _time(self) -> int:
        return int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)


@contextmanager
def quick_chain(start: int = GENESIS_TIME) -> Iterator[Chain]:
    """A chain of its own Anvil: free gas, every sender unlocked, real code size limit."""
    free = ["--auto-impersonate", "--block-base-fee-per-gas", "0", "--gas-price", "0"]
    # nothing here asks about old blocks, whose states would fill gigabytes of disk
    limits = ["--gas-limit", str(2 * GAS_LIMIT), "--timestamp", str(start)]
    limits += ["--prune-history", "16"]
    with start_anvil(*free, *limits, "--accounts", "1") as node:
        chain = Chain(node.url)
        try:
            yield chain
        finally:
            chain.close()


def _events(logs: Sequence[Any]) -> tuple[Event, ...]:
    """The market's events in order; those of tokens are left out."""
    return tuple(
        _event(topics, bytes.fromhex(log["data"][2:]))
        for log in logs
        if (topics := [bytes.fromhex(t[2:]) for t in log["topics"]]) and topics[0] in _event_types()
    )


def _event(topics: list[bytes], data: bytes) -> Event:
    name, indexed, plain = _event_types()[topics[0]]
    values = dict(zip(plain, decode(list(plain.values()), data), strict=True))
    for (field, kind), topic in zip(indexed.items(), topics[1:], strict=True):
        values[field] = decode([kind], topic)[0]
    shown = {
        field: to_checksum_address(value) if {**indexed, **plain}[field] == "address" else value
        for field, value in values.items()
    }
    return Event(name, shown)


@cache
def _event_types() -> dict[bytes, tuple[str, dict[str, str], dict[str, str]]]:
    """Topic -> name, indexed and plain arguments with their types."""
    table = {}
    for item in load("Walras").abi:
        if item["type"] == "event":
            inputs = [(i["name"], collapse_if_tuple(dict(i)), i["indexed"]) for i in item["inputs"]]
            signature = f"{item['name']}({','.join(kind for _, kind, _ in inputs)})"
            indexed = {name: kind for name, kind, flag in inputs if flag}
            plain = {name: kind for name, kind, flag in inputs if not flag}
            table[keccak(text=signature)] = (item["name"], indexed, plain)
    return table
