"""What a node may answer: an answer of another shape is an error of the node, told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from walras.errors import ChainError

__all__ = ["BadAnswer", "checked"]


class BadAnswer(ChainError):  # noqa: N818
    """The node's answer is none that an Ethereum node gives."""

    def __init__(self, method: str) -> None:
        super().__init__(
            f"the answer to {method} is no answer of an Ethereum node; check its address, "
            "or ask another node"
        )


def checked(method: str, result: Any) -> Any:
    """A result whose shape is what `method` gives; BadAnswer if it is not."""
    fits = _SHAPES.get(method)
    if fits is not None and not fits(result):
        raise BadAnswer(method)
    return result


def _hexadecimal(value: Any) -> bool:
    if not isinstance(value, str) or not value.startswith("0x"):
        return False
    try:
        int(value, 16)
    except ValueError:
        return value == "0x"
    return "_" not in value


def _bytes(value: Any) -> bool:
    return _hexadecimal(value) and len(value) % 2 == 0


def _quantity(value: Any) -> bool:
    return _hexadecimal(value) and value != "0x"


def _block(value: Any) -> bool:
    """A block, of which a pending one has no hash; None if there is none."""
    return value is None or (
        isinstance(value, dict)
        and all(_quantity(value.get(name)) for name in ("number", "timestamp"))
        and (value.get("hash") is None or _bytes(value["hash"]))
        and (value.get("parentHash") is None or _bytes(value["parentHash"]))
        and all(
            value.get(name) is None or _quantity(value[name])
            for name in ("baseFeePerGas", "gasLimit")
        )
    )


def _receipt(value: Any) -> bool:
    """A receipt; without a block, or None, as long as the transaction is not included."""
    if value is None or (isinstance(value, dict) and value.get("blockNumber") is None):
        return True
    return (
        isinstance(value, dict)
        and all(_quantity(value.get(name)) for name in ("blockNumber", "gasUsed", "status"))
        and _bytes(value.get("blockHash"))
        and _quantity(value.get("effectiveGasPrice", "0x0"))
        and isinstance(value.get("logs"), list)
    )


def _logs(value: Any) -> bool:
    return isinstance(value, list) and all(map(_log, value))


def _log(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("topics"), list)
        and all(map(_bytes, value["topics"]))
        and all(_bytes(value.get(name)) for name in ("data", "blockHash", "transactionHash"))
        and all(_quantity(value.get(name)) for name in ("blockNumber", "logIndex"))
    )


def _transaction(value: Any) -> bool:
    return value is None or isinstance(value, dict)


_SHAPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "eth_call": _bytes,
    "eth_chainId": _quantity,
    "eth_estimateGas": _quantity,
    "eth_getBalance": _quantity,
    "eth_getBlockByHash": _block,
    "eth_getBlockByNumber": _block,
    "eth_getLogs": _logs,
    "eth_getTransactionByHash": _transaction,
    "eth_getTransactionCount": _quantity,
    "eth_getTransactionReceipt": _receipt,
    "eth_maxPriorityFeePerGas": _quantity,
}
