"""What sending is made of: attempts, receipts, how hard to try, and what can go wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, Self

from walras.chain.client import Block
from walras.errors import ChainError

__all__ = [
    "MOST_GAS",
    "Attempt",
    "Node",
    "NonceTaken",
    "Receipt",
    "SendPolicy",
    "Signer",
    "TransactionStuck",
    "Watch",
]

MOST_GAS: Final = 2**24  # EIP-7825: no transaction above it is valid


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

    @classmethod
    def of(cls, digest: bytes, raw: Mapping[str, Any]) -> Self:
        """From a node's answer about the transaction of this hash."""
        return cls(
            digest,
            int(raw["blockNumber"], 16),
            bytes.fromhex(raw["blockHash"].removeprefix("0x")),
            int(raw["gasUsed"], 16),
            int(raw.get("effectiveGasPrice", "0x0"), 16),
            int(raw["status"], 16) == 1,
            raw.get("contractAddress"),
            raw["logs"],
        )


class Node(Protocol):
    """The little of a client that sending needs."""

    @property
    def chain_id(self) -> int: ...  # noqa: D102

    def rpc(self, method: str, *params: Any) -> Any: ...  # noqa: D102

    def block(self, tag: int | str = "latest") -> Block: ...  # noqa: D102


class Signer(Protocol):
    """An unlocked account (eth-account's LocalAccount)."""

    @property
    def address(self) -> str: ...  # noqa: D102

    def sign_transaction(self, transaction_dict: Any) -> Any: ...  # noqa: D102


Watch = Callable[[Literal["signed", "sent"], Attempt], None]
