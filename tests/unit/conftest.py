"""A market on Anvil, one for a module and fresh for each test, and a bidder's wallet for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account

from tests.e2e.venue import Venue, open_venue
from tests.unit.wallet import Wallet
from walras.batch import CASH
from walras.chain.accounts import Kdf, Keystore
from walras.chain.devnode import start_anvil


@pytest.fixture(scope="module")
def opened() -> Iterator[Venue]:
    with start_anvil() as node:
        yield open_venue(node)


@pytest.fixture
def venue(opened: Venue) -> Iterator[Venue]:
    snapshot = opened.node.snapshot()
    yield replace(opened, traders=[])
    opened.node.revert(snapshot)


@pytest.fixture
def wallet(
    venue: Venue,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Wallet:
    """A funded account called alice, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    for name, value in (
        ("RPC", venue.node.url),
        ("MARKET", venue.market.address),
        ("DATA_DIR", str(tmp_path / "data")),
        ("PASSWORD", "open sesame"),
    ):
        monkeypatch.setenv(f"WALRAS_{name}", value)
    key = Account.create().key
    stored = Keystore(tmp_path / "data" / "accounts", Kdf("pbkdf2", 2)).import_key(
        "alice", bytes(key), "open sesame"
    )
    venue.node.set_balance(stored.address, 10**20)
    venue.mint(CASH, stored.address, 10_000 * 10**6)
    for product in (0, 1):
        venue.mint(product, stored.address, 100 * 10**18)
    return Wallet(capsys, stored.address)
