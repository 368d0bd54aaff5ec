"""Settlements of a ghost's batch: the honest one, by exact rationals, and wrong ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.reference import certificate, clearing, standing
from tests.stateful.ghost import Ghost
from tests.stateful.holders import STANDING
from tests.stateful.items import Item, written


@dataclass(frozen=True)
class Posting:
    """Arguments of `settle`. `cut` bytes are missing at the end of the data."""

    products: Sequence[int]
    prices: Sequence[int]
    items: Sequence[Item]
    cut: int = 0

    def arguments(self, batch: int) -> tuple[int, list[int], list[int], bytes]:
        return batch, list(self.products), list(self.prices), self.data

    @property
    def data(self) -> bytes:
        data = b"".join(map(written, self.items))
        return data[: len(data) - self.cut]


def honest(ghost: Ghost, sealed: Mapping[bytes, bytes]) -> Posting:
    """The one settlement of the live submissions: exact root, rounded to X84."""
    batch = ghost.terms_of_settlement()
    items = []
    for owner in ghost.live:
        holder, address = ghost.holder(owner), bytes.fromhex(owner[2:])
        if holder.flags & STANDING:
            amendment = sealed[address] if holder.pending(ghost.round.number) else None
            items.append((address, holder.body, holder.done, (), amendment))
        else:
            items.append((address, sealed[address], (), (), None))
    return exact(batch, items)


def exact(batch: certificate.Batch, items: Sequence[Item]) -> Posting:
    """The items with their shadow prices, products that have to be priced, and prices."""
    ticks = certificate.ticks(batch)
    accounts = {account["address"]: account for account in batch["accounts"]}
    readings = [
        certificate.status(batch, accounts[item[0]], item[1], ticks, item[2]) for item in items
    ]
    products = {k for reading in readings for k in reading.products}
    for address, *_, amendment in items:
        if amendment is not None:
            account = accounts[address]
            reading, _ = standing.amend(batch, account, amendment, account["home"], ticks)
            products |= set(reading.products)
    listed = {k: batch["products"][k] for k in sorted(products)}
    makers = [clearing.maker_of(k, p["reference"], p["scale"]) for k, p in listed.items()]
    trading = [
        (r, before(batch, accounts[i[0]], r, i[2]))
        for r, i in zip(readings, items, strict=True)
        if not r.reason
    ]
    prices, shadows = map(
        clearing.to_x84, clearing.clearing_point(clearing.Book.read(makers, trading, ticks))
    )
    left = iter(shadows)
    filled = []
    for reading, (address, payload, done, _, amendment) in zip(readings, items, strict=True):
        given = [0 if reading.reason else next(left) for _ in reading.costs]
        filled.append((address, payload, done, given, amendment))
    return Posting(list(listed), prices, filled)


def before(
    batch: certificate.Batch, account: dict[str, Any], reading: Any, done: Sequence[int]
) -> Sequence[int]:
    """Progress of the orders with limits: none of a first seal."""
    return done if account["standing"] else [0] * len(reading.limited)


def lie(ghost: Ghost, truth: Posting, how: str, stranger: bytes) -> Posting:
    """The same settlement with one thing wrong; `stranger` is nobody who is live."""
    items, posted = list(truth.items), dict(zip(truth.products, truth.prices, strict=True))
    unused = [k for k in range(len(ghost.lines)) if k not in posted][:1]
    scale = ghost.lines[0].scale
    (address, payload, done, shadows, amendment), rest = items[0], items[1:]
    altered = payload[:-1] + bytes([payload[-1] ^ 1])
    changes: dict[str, dict[str, Any]] = {
        "price": _shifted(truth, scale << 58),
        "little": _shifted(truth, 1),
        "huge price": _shifted(truth, 2**138),
        "skip": {"items": rest},
        "repeat": {"items": [items[0], *items]},
        "reverse": {"items": items[::-1]},
        "foreign": {"items": sorted([*items, (stranger, b"?" * 80, (), (), None)])},
        "altered": {"items": [(address, altered, done, shadows, amendment), *rest]},
        "progress": {"items": [(address, payload, (*done, 1), shadows, amendment), *rest]},
        "shadow": {"items": [(address, payload, done, (*shadows, 0), amendment), *rest]},
        "truncated": {"cut": 1},
        "cut head": {"cut": len(written(items[-1])) - 23},
        "unpriced": _posted(dict(list(posted.items())[1:])),
        "overpriced": _posted(posted | dict.fromkeys(unused, 2**84)),
        "unknown product": _posted(posted | {99: 2**84}),
        "unsorted": {"products": truth.products[::-1], "prices": truth.prices[::-1]},
        "lengths": {"prices": [*truth.prices, 2**84]},
        "empty": {"products": [], "prices": [], "items": []},
    }
    return replace(truth, **changes[how])


def _shifted(truth: Posting, by: int) -> dict[str, Any]:
    """The first price moved."""
    return {"prices": [truth.prices[0] + by, *truth.prices[1:]] if truth.prices else []}


def _posted(prices: Mapping[int, int]) -> dict[str, Any]:
    return {"products": sorted(prices), "prices": [prices[k] for k in sorted(prices)]}
