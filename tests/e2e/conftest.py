"""One Anvil for all tests of a worker; every test starts from the same opened market."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.venue import Venue, open_venue
from walras.chain.accounts import Kdf, Keystore
from walras.chain.devnode import DevNode, start_anvil


@pytest.fixture(scope="session")
def anvil() -> Iterator[DevNode]:
    with start_anvil() as node:
        yield node


@pytest.fixture(scope="session")
def opened_venue(anvil: DevNode) -> Venue:
    return open_venue(anvil)


@pytest.fixture
def venue(opened_venue: Venue) -> Iterator[Venue]:
    """The market before its first batch; whatever the test does is undone."""
    snapshot = opened_venue.node.snapshot()
    yield replace(opened_venue, traders=[])
    opened_venue.node.revert(snapshot)


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    """A keystore whose passwords cost next to nothing to check."""
    return Keystore(tmp_path / "accounts", Kdf("pbkdf2", 2))
