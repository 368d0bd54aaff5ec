"""Fixtures of every test that talks to the contracts: one Anvil, one market, nothing remembered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.node import Chain, quick_chain
from tests.contract.support import Bench, copy_of, open_bench

__all__ = ["bench", "chain", "opened_bench"]


@pytest.fixture(scope="session")
def chain() -> Iterator[Chain]:
    """A quick chain."""
    with quick_chain() as node:
        yield node


@pytest.fixture(scope="session")
def opened_bench(chain: Chain) -> Bench:
    """The funded market, one second before batch 1."""
    return open_bench(chain)


@pytest.fixture
def bench(opened_bench: Bench) -> Iterator[Bench]:
    """The market for one test: its books are checked at the end, then everything is undone."""
    mine = copy_of(opened_bench)
    with mine.chain.undone():
        yield mine
        mine.check_books()
