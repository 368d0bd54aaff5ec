"""The market's logs, read in pages as large as the node allows, as events."""

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
from walras.chain.events import KINDS, Event

__all__ = ["decode_log", "read_events"]

_PAGE: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Form:
    """How the logs of one event are laid out."""

    kind: type[Event]
    topic: bytes
    indexed: tuple[tuple[str, str], ...]
    plain: tuple[tuple[str, str], ...]

    names: ClassVar[Mapping[str, str]] = {"fromBatch": "from_batch", "from": "sender"}


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
    return {form.topic: form for form in [_form(kind) for kind in KINDS]}


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
