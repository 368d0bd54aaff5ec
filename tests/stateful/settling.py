"""Settlements of a ghost's batch: the honest one, by exact rationals, and wrong ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.reference import certificate, clearing
from tests.stateful.ghost import Ghost, Pairs


@dataclass(frozen=True)
class Posting:
    """Arguments of `settle`. `cut` bytes are missing at the end of the data."""

    products: Sequence[int]
    prices: Sequence[int]
    pairs: Pairs
    cut: int = 0

    def arguments(self, batch: int) -> tuple[int, list[int], list[int], bytes]:
        data = b"".join(a + len(ct).to_bytes(2) + ct for a, ct in self.pairs)
        return batch, list(self.products), list(self.prices), data[: len(data) - self.cut]


def honest(ghost: Ghost, sealed: Mapping[bytes, bytes]) -> Posting:
    """The one settlement of the live submissions: exact root, rounded to X84."""
    batch = ghost.terms_of_settlement()
    pairs = sorted((a["address"], sealed[a["address"]]) for a in batch["accounts"])
    products, prices = exact_prices(batch, pairs)
    return Posting(products, prices, pairs)


def exact_prices(batch: certificate.Batch, pairs: Pairs) -> tuple[list[int], list[int]]:
    """Products that have to be priced, and their clearing prices."""
    ticks = certificate.ticks(batch)
    accounts = {account["address"]: account for account in batch["accounts"]}
    readings = [certificate.status(batch, accounts[a], ct, ticks) for a, ct in pairs]
    products = sorted({k for reading in readings for k in reading.products})
    listed = {k: batch["products"][k] for k in products}
    makers = [clearing.maker_of(k, p["reference"], p["scale"]) for k, p in listed.items()]
    orders = [order for reading in readings if not reading.reason for order in reading.orders]
    root = clearing.clearing_prices(clearing.Book.of(makers, orders, ticks))
    return products, clearing.to_x84(root)


def lie(ghost: Ghost, truth: Posting, how: str, stranger: bytes) -> Posting:
    """The same settlement with one thing wrong; `stranger` is nobody who is live."""
    pairs, posted = truth.pairs, dict(zip(truth.products, truth.prices, strict=True))
    unused = [k for k in range(len(ghost.lines)) if k not in posted][:1]
    scale = ghost.lines[0].scale
    address, ct = pairs[0]
    changes: dict[str, dict[str, Any]] = {
        "price": _shifted(truth, scale << 58),
        "little": _shifted(truth, 1),
        "huge price": _shifted(truth, 2**138),
        "skip": {"pairs": pairs[1:]},
        "repeat": {"pairs": [*pairs[:1], *pairs]},
        "reverse": {"pairs": pairs[::-1]},
        "foreign": {"pairs": sorted([*pairs, (stranger, b"?" * 80)])},
        "altered": {"pairs": [(address, ct[:-1] + bytes([ct[-1] ^ 1])), *pairs[1:]]},
        "truncated": {"cut": 1},
        "cut head": {"cut": len(pairs[-1][1]) + 1},
        "unpriced": _posted(dict(list(posted.items())[1:])),
        "overpriced": _posted(posted | dict.fromkeys(unused, 2**84)),
        "unknown product": _posted(posted | {99: 2**84}),
        "unsorted": {"products": truth.products[::-1], "prices": truth.prices[::-1]},
        "lengths": {"prices": [*truth.prices, 2**84]},
        "empty": {"products": [], "prices": [], "pairs": []},
    }
    return replace(truth, **changes[how])


def _shifted(truth: Posting, by: int) -> dict[str, Any]:
    """The first price moved."""
    return {"prices": [truth.prices[0] + by, *truth.prices[1:]] if truth.prices else []}


def _posted(prices: Mapping[int, int]) -> dict[str, Any]:
    return {"products": sorted(prices), "prices": [prices[k] for k in sorted(prices)]}
