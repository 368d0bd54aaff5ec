"""One account's transactions: simulated, one in flight, repriced while stuck, confirmed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Protocol

from eth_utils.address import to_checksum_address

from walras.chain.client import Block, NodeError
from walras.errors import ChainError, Reverted

__all__ = [
    "MOST_GAS",
    "Attempt",
    "Node",
    "NonceTaken",
    "Receipt",
    "SendPolicy",
    "Sender",
    "TransactionStuck",
    "Watch",
]

MOST_GAS: Final = 2**24  # EIP-7825: no transaction above it is valid
_TOO_LOW: Final = ("nonce too low", "nonce is too low", "already used", "oldnonce")
_KNOWN: Final = ("already known", "already imported", "known transaction")
_BIDS: Final = 20  # each 13 % above the last: eleven times the first
_UNDERPRICED: Final = ("underpriced", "fee too low to replace")


class NonceTaken(ChainError):  # noqa: N818
    """The nonce went to a transaction this sender does not know: another process uses the key."""


class TransactionStuck(ChainError):  # noqa: N818
    """Sent and not included in time; it may still be included later."""


@dataclass(frozen=True, slots=True)
class SendPolicy:
    """How hard to try. Times in seconds, fees in wei per gas."""

    confirmations: int = 1
    poll_every: float = 0.25
    stuck_after: float = 30.0
    give_up_after: float = 300.0
    receipt_lag: float = 10.0
    # Nodes replace at +10 % (Nethermind) or +12.5 % (none above); 13 % passes all.
    bump_percent: int = 13
    base_fee_multiple: int = 2
    tip: int | None = None
    max_fee: int | None = None
    gas_margin_percent: int = 20
    gas_cap: int = MOST_GAS


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction of an action; enough to find it again after a restart."""

    hash: bytes
    nonce: int
    max_fee: int
    tip: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """An included transaction; `created` is the contract it made, `logs` are the node's."""

    hash: bytes
    block_number: int
    block_hash: bytes
    gas_used: int
    gas_price: int
    succeeded: bool
    created: str | None = None
    logs: Sequence[Mapping[str, Any]] = field(default=(), repr=False)


class Node(Protocol):
    """The little of a client that sending needs."""

    @property
    def chain_id(self) -> int: ...  # noqa: D102

    def rpc(self, method: str, *params: Any) -> Any: ...  # noqa: D102

    def block(self, tag: int | str = "latest") -> Block: ...  # noqa: D102


class Signer(Protocol):
    """An unlocked account (eth-account's LocalAccount)."""

    @property
    def address(self) -> str: ...

    def sign_transaction(self, transaction_dict: Any) -> Any: ...


Watch = Callable[[Literal["signed", "sent"], Attempt], None]


def _unwatched(_stage: str, _attempt: Attempt) -> None:
    pass


class Sender:
    """Sends for one account. Nothing is sent that would revert now."""

    def __init__(
        self,
        node: Node,
        signer: Signer,
        policy: SendPolicy | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.node = node
        self.policy = policy or SendPolicy()
        self.address = to_checksum_address(signer.address)
        self._signer = signer
        self._clock = clock
        self._sleep = sleep

    def nonce(self) -> int:
        """The account's next nonce that no included transaction has."""
        return int(self.node.rpc("eth_getTransactionCount", self.address, "latest"), 16)

    def simulate(self, to: str | None, data: bytes) -> bytes:
        """Run the call on the pending block without sending; Reverted if it would."""
        answer: str = self.node.rpc("eth_call", self._call(to, data), "pending")
        return bytes.fromhex(answer.removeprefix("0x"))

    def estimate(self, to: str | None, data: bytes) -> int:
        """Gas limit that the call needs on the pending block, as the node estimates it."""
        return int(self.node.rpc("eth_estimateGas", self._call(to, data), "pending"), 16)

    def send(
        self,
        to: str | None,
        data: bytes,
        *,
        estimate: int | None = None,
        earlier: Sequence[Attempt] = (),
        watch: Watch = _unwatched,
    ) -> Receipt:
        """Send one call (or creation, `to` None) and return its receipt once confirmed.

        `estimate` spares asking the node for one. `earlier` are attempts of the same action from
        before a restart: they are waited for, then replaced. `watch` is told of each attempt:
        "signed" before the node sees it, "sent" after.
        Raises Reverted, NonceTaken, TransactionStuck, NodeUnreachable or NodeError.
        """
        nonce = self.nonce()
        attempts = list(earlier)
        if not any(a.nonce == nonce and self._pending(a) for a in attempts):
            found = self._included(attempts)
            if found is not None:
                return self._settled(found, to, data)
            self.simulate(to, data)
            attempts.append(self._broadcast(to, data, nonce, None, watch, estimate))
        return self._wait(to, data, attempts, watch)

    def _wait(
        self,
        to: str | None,
        data: bytes,
        attempts: list[Attempt],
        watch: Watch,
    ) -> Receipt:
        started = priced = self._clock()
        missing_since: float | None = None
        while True:
            receipt = self._included(attempts)
            if receipt is not None and self._confirmed(receipt):
                return self._settled(receipt, to, data)
            now = self._clock()
            # Nodes may count a transaction before they can show its receipt.
            missing = receipt is None and self.nonce() > attempts[-1].nonce
            missing_since = None if not missing else now if missing_since is None else missing_since
            if missing_since is not None and now - missing_since >= self.policy.receipt_lag:
                raise NonceTaken(
                    f"nonce {attempts[-1].nonce} of {self.address} went to an unknown transaction; "
                    "another process uses this account"
                )
            if now - started >= self.policy.give_up_after:
                raise TransactionStuck(
                    f"transaction 0x{attempts[-1].hash.hex()} was not confirmed within "
                    f"{self.policy.give_up_after:.0f} s; the node is slow or fees are too low"
                )
            if receipt is None and not missing and now - priced >= self.policy.stuck_after:
                self.simulate(to, data)
                last = attempts[-1]
                attempts.append(self._broadcast(to, data, last.nonce, last, watch))
                priced = self._clock()
            self._sleep(self.policy.poll_every)

    def _broadcast(
        self,
        to: str | None,
        data: bytes,
        nonce: int,
        replaced: Attempt | None,
        watch: Watch,
        estimate: int | None = None,
    ) -> Attempt:
        call, gas = self._call(to, data), self._gas_limit(estimate or self.estimate(to, data))
        attempt = self._fees(nonce, replaced)
        for _ in range(_BIDS):
            raw, attempt = self._sign(call, gas, attempt)
            watch("signed", attempt)
            try:
                self.node.rpc("eth_sendRawTransaction", raw)
            except NodeError as error:
                reason = error.reason.lower()
                if any(word in reason for word in _UNDERPRICED):
                    # A transaction of this nonce from before a restart is still pending.
                    attempt = self._fees(nonce, attempt)
                    continue
                # A raced inclusion shows as one of these; the wait tells whose it was.
                if not any(word in reason for word in _KNOWN + _TOO_LOW):
                    raise
            watch("sent", attempt)
            return attempt
        raise TransactionStuck(
            f"the node finds {attempt.max_fee} wei per gas too low to replace nonce {nonce}; "
            "wait until what is pending is included"
        )

    def _fees(self, nonce: int, replaced: Attempt | None) -> Attempt:
        policy = self.policy
        tip = policy.tip
        if tip is None:
            tip = int(self.node.rpc("eth_maxPriorityFeePerGas"), 16)
        fee = self.node.block("latest").base_fee * policy.base_fee_multiple + tip
        if replaced is not None:
            tip = max(tip, _bumped(replaced.tip, policy.bump_percent))
            fee = max(fee, _bumped(replaced.max_fee, policy.bump_percent))
        if policy.max_fee is not None and fee > policy.max_fee:
            if replaced is not None and replaced.max_fee >= policy.max_fee:
                raise TransactionStuck(
                    f"replacing nonce {nonce} would cost {fee} wei per gas, the limit is "
                    f"{policy.max_fee}; raise max_fee"
                )
            fee = policy.max_fee
        return Attempt(b"", nonce, fee, min(tip, fee))

    def _sign(self, call: Mapping[str, str], gas: int, attempt: Attempt) -> tuple[str, Attempt]:
        transaction: dict[str, Any] = {
            "chainId": self.node.chain_id,
            "data": call["data"],
            "gas": gas,
            "maxFeePerGas": attempt.max_fee,
            "maxPriorityFeePerGas": attempt.tip,
            "nonce": attempt.nonce,
            "type": 2,
            "value": 0,
        }
        if "to" in call:
            transaction["to"] = call["to"]
        signed = self._signer.sign_transaction(transaction)
        return "0x" + bytes(signed.raw_transaction).hex(), replace(attempt, hash=bytes(signed.hash))

    def _call(self, to: str | None, data: bytes) -> dict[str, str]:
        call = {"from": self.address, "data": "0x" + data.hex()}
        if to is not None:
            call["to"] = to_checksum_address(to)
        return call

    def _gas_limit(self, estimate: int) -> int:
        margin = estimate * self.policy.gas_margin_percent // 100
        return max(min(estimate + margin, self.policy.gas_cap), estimate)

    def _pending(self, attempt: Attempt) -> bool:
        raw = self.node.rpc("eth_getTransactionByHash", "0x" + attempt.hash.hex())
        return raw is not None and raw.get("blockNumber") is None

    def _included(self, attempts: Sequence[Attempt]) -> Receipt | None:
        for attempt in reversed(attempts):
            raw = self.node.rpc("eth_getTransactionReceipt", "0x" + attempt.hash.hex())
            if raw is not None and raw.get("blockNumber") is not None:
                return Receipt(
                    attempt.hash,
                    int(raw["blockNumber"], 16),
                    bytes.fromhex(raw["blockHash"].removeprefix("0x")),
                    int(raw["gasUsed"], 16),
                    int(raw.get("effectiveGasPrice", "0x0"), 16),
                    int(raw["status"], 16) == 1,
                    raw.get("contractAddress"),
                    raw["logs"],
                )
        return None

    def _confirmed(self, receipt: Receipt) -> bool:
        head = self.node.block("latest").number
        return head - receipt.block_number + 1 >= self.policy.confirmations

    def _settled(self, receipt: Receipt, to: str | None, data: bytes) -> Receipt:
        if receipt.succeeded:
            return receipt
        self.node.rpc("eth_call", self._call(to, data), hex(receipt.block_number))
        raise Reverted("out of gas or changed since", (), "look at the transaction's trace")


def _bumped(fee: int, percent: int) -> int:
    return -(-fee * (100 + percent) // 100) + 1
