"""A bidder at a terminal, the order files it writes, and batches settled for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.venue import Venue
from walras.chain.books import book_at_lock_out
from walras.clearing.problem import solve_batch
from walras.cli.app import run
from walras.opening import open_batch
from walras.schedule import Phase
from walras.settlement import encode_submissions

__all__ = ["Wallet", "order", "points", "settle"]


class Wallet:
    """A bidder at a terminal."""

    def __init__(self, capsys: pytest.CaptureFixture[str], address: str) -> None:
        self.capsys, self.address = capsys, address

    def json(self, *arguments: str, code: int = 0) -> Any:
        assert run([*arguments, "--json"]) == code, self.capsys.readouterr().err
        return json.loads(self.capsys.readouterr().out)

    def text(self, *arguments: str) -> str:
        assert run(list(arguments)) == 0, self.capsys.readouterr().err
        return self.capsys.readouterr().out

    def refused(self, *arguments: str, code: int = 1) -> str:
        assert run(list(arguments)) == code
        error = self.capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        return error.removeprefix("error: ").rstrip()


def points(auth: dict[str, Any]) -> dict[str, Any]:
    """Expand [rate, price] pairs; only the form with `data` is written with them."""
    if "data" not in auth:
        return auth
    demand = auth["data"]["demand"]
    if isinstance(demand, list):
        demand = [{"rate": rate, "price": price} for rate, price in demand]
    return {**auth, "data": {"demand": demand}}


def order(*auths: dict[str, Any], **fields: Any) -> str:
    """Write an order file."""
    Path("order.json").write_text(json.dumps({"auths": [points(a) for a in auths], **fields}))
    return "order.json"


def settle(venue: Venue, batch: int) -> None:
    """Clear a batch from chain data alone and settle it."""
    venue.advance(batch, Phase.CLEARING)
    book = book_at_lock_out(venue.market, batch)
    prices, shadows = solve_batch(book.state, open_batch(book.state, book.entries))
    venue.operator.settle(batch, prices, encode_submissions(book.entries, shadows))
