"""One JSON-RPC node: requests that survive a bad line, blocks, and reverts turned into words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from web3.types import RPCEndpoint

from walras.chain.answers import BadAnswer, checked
from walras.chain.interface import Call
from walras.chain.provider import PatientProvider
from walras.chain.reverts import reverted
from walras.errors import ChainError, WrongChain

__all__ = ["Block", "BlockMissing", "Client", "NodeError", "connect"]

REQUEST_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 15.0
BATCH_SIZE: Final = 100
_REMEMBERED: Final = 64  # times of which the first block is remembered
_REVERTED: Final = 3


class NodeError(ChainError):
    """The node answered with an error of its own: its JSON-RPC `code` and `reason`."""

    def __init__(self, method: str, reason: str, code: int = 0) -> None:
        super().__init__(f"the node refused {method}: {reason}")
        self.method, self.reason, self.code = method, reason, code


class BlockMissing(ChainError):  # noqa: N818
    """The node does not have the block asked for."""


@dataclass(frozen=True, slots=True)
class Block:
    """What the protocol needs of a block: `timestamp` in seconds, `base_fee` in wei per gas.

    `parent` is the hash of the block before; `gas_limit` bounds what its transactions use together.
    """

    number: int
    hash: bytes
    timestamp: int
    base_fee: int
    parent: bytes = b""
    gas_limit: int = 0


class Client:
    """A node of one chain. Every failure is a ChainError that says what to do."""

    def __init__(self, provider: PatientProvider, url: str) -> None:
        self.url = url
        self._provider = provider
        self.constants: dict[tuple[str, str], Any] = {}  # values that no block changes
        # Answers of `first_block_from` given before: where to look first, never believed unseen.
        self._firsts: dict[int, int] = {}
        self.chain_id = int(self.rpc("eth_chainId"), 16)

    def rpc(self, method: str, *params: Any) -> Any:
        """The raw result of one request; NodeError or Reverted if it has none."""
        return _result(method, self._provider.make_request(RPCEndpoint(method), list(params)))

    def rpc_many(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """Raw results of many requests of one kind, a hundred per round trip."""
        results = []
        for i in range(0, len(params), BATCH_SIZE):
            chunk = [(RPCEndpoint(method), list(p)) for p in params[i : i + BATCH_SIZE]]
            answers = self._provider.make_batch_request(chunk)
            if not isinstance(answers, list):
                _result(method, answers)
                raise BadAnswer(method)
            if len(answers) != len(chunk):
                raise BadAnswer(method)
            results += [_result(method, answer) for answer in answers]
        return results

    def read(self, call: Call, block: int | str = "latest", *, code: bytes | None = None) -> Any:
        """The value of a view function as of a block number or tag.

        With `code` the node pretends, for this call, that this is the contract at the address.
        """
        parameters: list[Any] = [call.request(), _tag(block)]
        if code is not None:
            parameters.append({call.address: {"code": "0x" + code.hex()}})
        return call.result(self.rpc("eth_call", *parameters))

    def read_many(self, calls: Sequence[Call], block: int | str = "latest") -> list[Any]:
        """Values of many view functions of one block, a hundred per round trip."""
        requests_ = [(call.request(), _tag(block)) for call in calls]
        answers = self.rpc_many("eth_call", requests_)
        return [call.result(answer) for call, answer in zip(calls, answers, strict=True)]

    def block(self, tag: int | str = "latest") -> Block:
        """A block's header by number, hash or tag; BlockMissing if the node does not have it."""
        if isinstance(tag, str) and tag.startswith("0x"):
            return _header(tag, self.rpc("eth_getBlockByHash", tag, False))
        return _header(tag, self.rpc("eth_getBlockByNumber", _tag(tag), False))

    def now(self) -> int:
        """The time the next transaction will meet on chain, in seconds."""
        return self.block("pending").timestamp

    def first_block_from(self, timestamp: int, head: Block) -> int:
        """Number of the first block not before `timestamp`; head.number + 1 if all are before."""
        if head.timestamp < timestamp:
            return head.number + 1
        known = self._firsts.get(timestamp)
        if known is None or not self._still_first(known, timestamp):
            known = _first(lambda n: self.block(n).timestamp >= timestamp, head.number)
            self._firsts.pop(timestamp, None)
            self._firsts[timestamp] = known
            if len(self._firsts) > _REMEMBERED:
                self._firsts.pop(next(iter(self._firsts)))
        return known

    def _still_first(self, number: int, timestamp: int) -> bool:
        """Whether the chain as it is now has its first block from `timestamp` at `number`."""
        numbers = range(max(number - 1, 0), number + 1)
        raw = self.rpc_many("eth_getBlockByNumber", [(hex(n), False) for n in numbers])
        if None in raw:  # a reorganisation made the chain shorter
            return False
        *before, found = (_header(n, one) for n, one in zip(numbers, raw, strict=True))
        return found.timestamp >= timestamp and all(b.timestamp < timestamp for b in before)


def connect(
    rpc: str,
    expected_chain_id: int | None = None,
    *,
    timeout: float = REQUEST_SECONDS,
    retry_for: float = RETRY_SECONDS,
) -> Client:
    """Open a node by its HTTP address; NodeUnreachable or WrongChain if it cannot serve.

    `timeout` bounds one request, `retry_for` all attempts of it (seconds).
    """
    client = Client(PatientProvider(rpc, timeout, retry_for), rpc)
    if expected_chain_id is not None and client.chain_id != expected_chain_id:
        raise WrongChain(
            f"{rpc} serves chain {client.chain_id}, not {expected_chain_id}; "
            "use a node of that chain or change the chain id"
        )
    return client


def _first(holds: Callable[[int], bool], last: int) -> int:
    """Least n in 0 … last for which a monotone condition holds; it holds at `last`.

    Gallops back from `last`: what is asked for is mostly recent.
    """
    step, high = 1, last
    while high - step >= 0 and holds(high - step):
        high -= step
        step *= 2
    low = max(high - step, -1) + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _header(tag: int | str, raw: Any) -> Block:
    if raw is None:
        raise BlockMissing(f"the node has no block {tag}; it may still be syncing")
    return Block(
        int(raw["number"], 16),
        bytes.fromhex((raw["hash"] or "0x").removeprefix("0x")),
        int(raw["timestamp"], 16),
        int(raw.get("baseFeePerGas") or "0x0", 16),
        bytes.fromhex((raw.get("parentHash") or "0x").removeprefix("0x")),
        int(raw.get("gasLimit") or "0x0", 16),
    )


def _tag(block: int | str) -> str:
    return hex(block) if isinstance(block, int) else block


def _result(method: str, response: Any) -> Any:
    if not isinstance(response, dict):
        raise BadAnswer(method)
    error = response.get("error")
    if error is None:
        if "result" not in response:
            raise BadAnswer(method)
        return checked(method, response["result"])
    if not isinstance(error, dict):
        raise NodeError(method, str(error))
    code, message = error.get("code", 0), str(error.get("message", ""))
    if code == _REVERTED or "revert" in message:
        raise reverted(_revert_data(error.get("data")))
    raise NodeError(method, message, code if isinstance(code, int) else 0)


def _revert_data(data: Any) -> bytes:
    """The revert bytes from whatever shape a node wraps them in."""
    if isinstance(data, dict):
        data = data.get("data", "")
    try:
        return bytes.fromhex(str(data or "").removeprefix("Reverted ").removeprefix("0x"))
    except ValueError:
        return b""
