"""The market's logs as dataclasses, read in pages as large as the node allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Final

from eth_abi.abi import decode
from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from walras.chain.artifacts import load
from walras.chain.client import Client, NodeError

__all__ = [
    "Cancelled",
    "Deposited",
    "Event",
    "KeyLeaked",
    "KeyRegistered",
    "KeyRevealed",
    "Listed",
    "Sealed",
    "Settled",
    "VoidClosed",
    "Voided",
    "Withdrawn",
    "decode_log",
    "read_events",
]

_PAGE: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Where a log stands: its block, its place in it, its transaction."""

    block_number: int
    block_hash: bytes
    log_index: int
    transaction: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Event):
    """Product `product` trades from batch `from_batch` on; `lot` in base units."""

    product: int
    token: str
    lot: int
    from_batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposited(Event):
    """`amount` base units of `asset` came into the ledger of `account`."""

    account: str
    asset: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn(Event):
    """`amount` base units of `asset` left the ledger of `account` for `to`."""

    account: str
    asset: int
    amount: int
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRegistered(Event):
    """The point (x, y) is the public key of `batch`."""

    batch: int
    x: int
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevealed(Event):
    """The secret key of `batch` is public."""

    batch: int
    secret: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLeaked(Event):
    """The secret key of `batch` was shown before its lock-out."""

    batch: int
    reporter: str
    secret: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed(Event):
    """`account` sealed `ct` for `batch`, declaring `units`."""

    batch: int
    account: str
    units: int
    ct: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled(Event):
    """`account` is no longer live in `batch`."""

    batch: int
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Voided(Event):
    """The submission of `account` did not trade in `batch`; `reason` is a VoidReason."""

    batch: int
    account: str
    reason: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Event):
    """`batch` settled: prices X84, volumes X44, loss and freedom in cash X40."""

    batch: int
    settler: str
    products: tuple[int, ...]
    prices: tuple[int, ...]
    volumes: tuple[int, ...]
    live: int
    voids: int
    loss: int
    freedom: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidClosed(Event):
    """The bond paid for the void `batch`; amounts in cash X40."""

    batch: int
    caller: str
    reward: int
    compensation: int
    burnt: int


_KINDS: Final[tuple[type[Event], ...]] = (
    Listed,
    Deposited,
    Withdrawn,
    KeyRegistered,
    KeyRevealed,
    KeyLeaked,
    Sealed,
    Cancelled,
    Voided,
    Settled,
    VoidClosed,
)


@dataclass(frozen=True, slots=True)
class _Form:
    """How the logs of one event are laid out."""

    kind: type[Event]
    topic: bytes
    indexed: tuple[tuple[str, str], ...]
    plain: tuple[tuple[str, str], ...]

    names: ClassVar[Mapping[str, str]] = {"fromBatch": "from_batch"}


def read_events(
    client: Client,
    market: str,
    kinds: Sequence[type[Event]],
    *,
    first: int,
    last: int,
    indexed: int | None = None,
) -> tuple[Event, ...]:
    """Events of `kinds` in blocks first … last in chain order.

    `indexed` filters by the first indexed argument (batch or product). Nodes bound the range of
    one query differently; a refused page is asked again by halves.
    """
    names = {kind.__name__ for kind in kinds}
    wanted = [topic for topic, form in _forms().items() if form.kind.__name__ in names]
    topics: list[Any] = [["0x" + topic.hex() for topic in wanted]]
    if indexed is not None:
        topics.append(f"0x{indexed:064x}")
    found: list[Event] = []
    page, start = _PAGE, first
    while start <= last:
        end = min(start + page - 1, last)
        query = {
            "address": market,
            "topics": topics,
            "fromBlock": hex(start),
            "toBlock": hex(end),
        }
        try:
            logs = client.rpc("eth_getLogs", query)
        except NodeError:
            if end == start:
                raise
            page = (end - start + 1) // 2
            continue
        found += _decoded(logs)
        start = end + 1
    return tuple(found)


def decode_log(log: Mapping[str, Any]) -> Event | None:
    """One raw log of the market; None for kinds not modelled here."""
    topics = [bytes.fromhex(t.removeprefix("0x")) for t in log["topics"]]
    form = _forms().get(topics[0]) if topics else None
    if form is None:
        return None
    values: dict[str, Any] = {}
    for (name, kind), topic in zip(form.indexed, topics[1:], strict=True):
        values[name] = decode((kind,), topic)[0]
    data = decode([kind for _, kind in form.plain], bytes.fromhex(log["data"][2:]))
    values.update({name: value for (name, _), value in zip(form.plain, data, strict=True)})
    for name, kind in form.indexed + form.plain:
        if kind == "address":
            values[name] = to_checksum_address(values[name])
    return form.kind(
        block_number=int(log["blockNumber"], 16),
        block_hash=bytes.fromhex(log["blockHash"][2:]),
        log_index=int(log["logIndex"], 16),
        transaction=bytes.fromhex(log["transactionHash"][2:]),
        **values,
    )


def _decoded(logs: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
    for log in logs:
        event = None if log.get("removed") else decode_log(log)
        if event is not None:
            yield event


@cache
def _forms() -> dict[bytes, _Form]:
    return {form.topic: form for form in [_form(kind) for kind in _KINDS]}


def _form(kind: type[Event]) -> _Form:
    (item,) = (i for i in load("Walras").abi if i["type"] == "event" and i["name"] == kind.__name__)
    types = [collapse_if_tuple(dict(i)) for i in item["inputs"]]
    named = [
        (_Form.names.get(i["name"], i["name"]), t)
        for i, t in zip(item["inputs"], types, strict=True)
    ]
    flags = [bool(i["indexed"]) for i in item["inputs"]]
    return _Form(
        kind,
        keccak(text=f"{kind.__name__}({','.join(types)})"),
        tuple(n for n, flag in zip(named, flags, strict=True) if flag),
        tuple(n for n, flag in zip(named, flags, strict=True) if not flag),
    )
