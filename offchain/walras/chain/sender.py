"""One account's transactions: simulated, one in flight, repriced while stuck, confirmed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Final, Literal

from eth_utils.address import to_checksum_address

from walras.chain.client import NodeError
from walras.chain.outbox import Outbox
from walras.chain.transactions import (
    Attempt,
    Node,
    NonceTaken,
    Receipt,
    SendPolicy,
    Signer,
    TransactionStuck,
    Watch,
)
from walras.errors import ChainError, Reverted, StoreError

__all__ = ["Sender"]

_TOO_LOW: Final = ("nonce too low", "nonce is too low", "already used", "oldnonce")
_KNOWN: Final = ("already known", "already imported", "known transaction")
_BIDS: Final = 20  # each 13 % above the last: eleven times the first
_UNDERPRICED: Final = ("underpriced", "fee too low to replace")


def _unwatched(_stage: Literal["signed", "sent"], _attempt: Attempt) -> None:
    pass


class Sender:
    """Sends for one account. Nothing is sent that would revert now."""

    def __init__(
        self,
        node: Node,
        signer: Signer,
        policy: SendPolicy | None = None,
        *,
        outbox: Outbox | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`outbox` is what this account's processes on this machine share; None: there is one."""
        self.node = node
        self.policy = policy or SendPolicy()
        self.address = to_checksum_address(signer.address)
        self._signer = signer
        self._outbox = outbox
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
        Raises Reverted, NonceTaken, TransactionStuck, NodeUnreachable or NodeError; StoreError if
        the outbox cannot be written, then nothing was sent.
        """
        box = self._outbox
        with nullcontext() if box is None else box.turn(self._clock, self._sleep):
            return self._send(to, data, estimate, earlier, watch)

    def accounted(self, nonce: int, end: int) -> int:
        """The first nonce from `nonce` on, up to `end`, that was not used through the outbox.

        ChainError if the node does not show yet what used one.
        """
        while nonce < end and self._outbox is not None:
            known = self._outbox.known(nonce)
            if not known:
                break
            if not any(map(self._receipt, known)):
                raise ChainError(
                    f"the node does not show yet what used nonce {nonce} of {self.address}; "
                    "looking again"
                )
            nonce += 1
        return nonce

    def _send(
        self,
        to: str | None,
        data: bytes,
        estimate: int | None,
        earlier: Sequence[Attempt],
        watch: Watch,
    ) -> Receipt:
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
            other = self._other(attempts) if missing else None
            if not missing or other is not None:
                missing_since = None
            elif missing_since is None:
                missing_since = now
            elif now - missing_since >= self.policy.receipt_lag:
                raise self._taken(attempts[-1])
            if now - started >= self.policy.give_up_after:
                raise self._too_late(attempts[-1])
            last, passed = attempts[-1], other is not None and self._confirmed(other)
            stuck = receipt is None and not missing and now - priced >= self.policy.stuck_after
            if passed or stuck:
                self.simulate(to, data)
                # What was signed with a nonce that another transaction has is dead.
                nonce, replaced = (self.nonce(), None) if passed else (last.nonce, last)
                attempts.append(self._broadcast(to, data, nonce, replaced, watch))
                priced = self._clock()
            self._sleep(self.policy.poll_every)

    def _taken(self, attempt: Attempt) -> NonceTaken:
        return NonceTaken(
            f"nonce {attempt.nonce} of {self.address} went to an unknown transaction; "
            "another process uses this account"
        )

    def _too_late(self, attempt: Attempt) -> TransactionStuck:
        return TransactionStuck(
            f"transaction 0x{attempt.hash.hex()} was not confirmed within "
            f"{self.policy.give_up_after:.0f} s; the node is slow or fees are too low"
        )

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
            self._note(attempt)
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

    def _note(self, attempt: Attempt) -> None:
        try:
            if self._outbox is not None:
                self._outbox.note(attempt.nonce, attempt.hash)
        except StoreError:
            if self._outbox is None or not self._outbox.clearer:
                raise  # nothing was sent
            # a clearer meets its deadlines first: at worst a command does not know of it

    def _other(self, attempts: Sequence[Attempt]) -> Receipt | None:
        """What another process of this machine had included with the nonce of the last attempt."""
        own = {attempt.hash for attempt in attempts}
        known = () if self._outbox is None else self._outbox.known(attempts[-1].nonce)
        found = (self._receipt(digest) for digest in known if digest not in own)
        return next((receipt for receipt in found if receipt is not None), None)

    def _included(self, attempts: Sequence[Attempt]) -> Receipt | None:
        found = (self._receipt(attempt.hash) for attempt in reversed(attempts))
        return next((receipt for receipt in found if receipt is not None), None)

    def _receipt(self, digest: bytes) -> Receipt | None:
        raw = self.node.rpc("eth_getTransactionReceipt", "0x" + digest.hex())
        included = raw is not None and raw.get("blockNumber") is not None
        return Receipt.of(digest, raw) if included else None

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
