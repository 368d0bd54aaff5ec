"""The journal remembers per market and batch, rewinds, and fails in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from walras.bodies import Body
from walras.chain.transactions import Attempt
from walras.errors import StoreError
from walras.store import Cursor, Journal, SealRecord, history_tables, tables

MARKET, OTHER = "0x" + "aa" * 20, "0x" + "bb" * 20


SHADOWS = {b"\x01" * 20: (-(2**150), 7), b"\x02" * 20: ()}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'journal.sqlite'}"


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    opened = Journal(url, 1, MARKET)
    yield opened
    opened.close()


def block(number: int) -> Cursor:
    return Cursor(number, number.to_bytes(32))


def seal(batch: int, at: int, index: int = 0, ciphertext: bytes | None = b"ct") -> SealRecord:
    return SealRecord(batch, at, index, f"0x{at:040x}", 10, ciphertext)


def test_starts_empty(journal: Journal) -> None:
    assert journal.cursor() is None
    assert journal.known_blocks() == ()
    assert journal.seals(1) == ()
    assert journal.leaks() == ()
    assert journal.lock_out(1) is None
    assert journal.prices(1, b"book") is None
    assert journal.attempts(1, "Settle") == ()
    assert journal.nonces_used() == 0


def test_survives_a_restart(url: str, journal: Journal) -> None:
    attempt = Attempt(b"h" * 32, 5, 2**90, 7)
    prices = {0: -(2**137), 70: 2**137 + 1}
    journal.advance(block(7), [seal(1, 6), seal(2, 7)], [(1, 7, 3)])
    journal.remember_lock_out(1, b"l" * 32)
    journal.remember_prices(1, b"book", prices, SHADOWS)
    journal.record_attempt(1, "Settle", attempt)
    journal.close()

    again = Journal(url, 1, MARKET)
    assert again.cursor() == block(7)
    assert again.seals(1) == (seal(1, 6),)
    assert again.leaks() == (1,)
    assert again.lock_out(1) == b"l" * 32
    assert again.prices(1, b"book") == (prices, SHADOWS)
    assert again.attempts(1, "Settle") == (attempt,)
    assert again.nonces_used() == 6
    again.close()


def test_markets_and_chains_are_kept_apart(url: str, journal: Journal) -> None:
    journal.advance(block(7), [seal(1, 6)], [(1, 7, 3)])
    journal.record_attempt(1, "Settle", Attempt(b"h" * 32, 5, 1, 1))
    for chain_id, market in ((2, MARKET), (1, OTHER)):
        other = Journal(url, chain_id, market)
        assert other.cursor() is None
        assert other.seals(1) == ()
        assert other.leaks() == ()
        assert other.attempts(1, "Settle") == ()
        other.advance(block(7), [seal(1, 6)])
        other.rewind(0)
        other.close()
    assert journal.cursor() == block(7)
    assert journal.seals(1) == (seal(1, 6),)


def test_rewinding_forgets_later_blocks_only(journal: Journal) -> None:
    journal.advance(block(5), [seal(1, 5)])
    journal.advance(block(9), [seal(1, 8), seal(1, 9, ciphertext=None)], [(1, 9, 1)])
    assert [b.number for b in journal.known_blocks()] == [9, 5]
    journal.rewind(8)
    assert journal.cursor() == block(5)
    assert journal.seals(1) == (seal(1, 5), seal(1, 8))
    assert journal.leaks() == ()
    journal.rewind(-1)
    assert journal.cursor() is None
    assert journal.seals(1) == ()


def test_seals_come_in_chain_order(journal: Journal) -> None:
    journal.advance(block(9), [seal(1, 9, 4), seal(1, 9, 1), seal(1, 8, 7)])
    places = [(record.block_number, record.log_index) for record in journal.seals(1)]
    assert places == [(8, 7), (9, 1), (9, 4)]


def test_a_failed_step_leaves_nothing_behind(journal: Journal) -> None:
    journal.advance(block(5), [seal(1, 5)])
    with pytest.raises(StoreError, match="cannot be used"):
        journal.advance(block(9), [seal(1, 5)])  # the same log twice
    assert journal.cursor() == block(5)


def test_prices_belong_to_their_book(journal: Journal) -> None:
    journal.remember_prices(1, b"book", {0: 1}, {})
    journal.remember_prices(1, b"other", {0: 2}, SHADOWS)
    journal.remember_prices(1, b"book", {0: 3}, {})
    assert journal.prices(1, b"book") == ({0: 3}, {})
    assert journal.prices(1, b"other") == ({0: 2}, SHADOWS)
    assert journal.prices(2, b"book") is None


def test_newest_prices_are_those_of_the_newest_batch(journal: Journal) -> None:
    assert journal.last_prices() is None
    for batch in (9, 10, 2):
        journal.remember_prices(batch, b"book", {0: batch}, {})
    assert journal.last_prices() == ({0: 10}, {})


def test_forgetting_spares_what_stands_and_what_is_recent(journal: Journal) -> None:
    old, kept, late = Body(b"old", ()), Body(b"kept", (5,)), Body(b"late", ())
    journal.advance(block(1), [seal(1, 1)], stood=[("0xa", 1, 0), ("0xb", 1, 1)])
    journal.keep([old, kept])
    for batch in (1, 9):
        journal.record_attempt(batch, "Settle", Attempt(bytes([batch]) * 32, batch, 1, 1))
        journal.remember_lock_out(batch, b"l" * 32)
        journal.remember_prices(batch, b"book", {0: 1}, {})
        journal.remember_effects(batch, [(bytes([batch]) * 32, b"effects")])
    journal.advance(block(5_000), [seal(9, 5_000)], stood=[("0xc", 5_000, 0)])
    journal.keep([late])
    journal.forget(9, {"0xb": kept.hash})
    assert (journal.seals(1), journal.seals(9)) == ((), (seal(9, 5_000),))
    assert (journal.lock_out(1), journal.lock_out(9)) == (None, b"l" * 32)
    assert (journal.prices(1, b"book"), journal.prices(9, b"book")) == (None, ({0: 1}, {}))
    assert (journal.effects(1), len(journal.effects(9))) == ((), 1)
    assert (journal.attempts(1, "Settle"), len(journal.attempts(9, "Settle"))) == ((), 1)
    assert journal.nonces_used() == 10
    assert journal.stood() == {"0xb", "0xc"}
    assert journal.find(old.hash) is None
    assert journal.find(kept.hash) == kept
    assert journal.find(late.hash) == late


def test_the_highest_nonce_is_never_forgotten(journal: Journal) -> None:
    for nonce in (3, 4):
        journal.record_attempt(1, "Settle", Attempt(bytes([nonce]) * 32, nonce, 1, 1))
    journal.forget(100, {})
    assert journal.nonces_used() == 5
    assert len(journal.attempts(1, "Settle")) == 1


def test_attempts_come_by_nonce_and_fee_and_once(journal: Journal) -> None:
    first, dearer, later = (
        Attempt(bytes([i]) * 32, nonce, fee, 1)
        for i, nonce, fee in ((3, 1, 5), (1, 1, 9), (2, 2, 1))
    )
    for attempt in (later, dearer, first, first):
        journal.record_attempt(1, "Reveal", attempt)
    assert journal.attempts(1, "Reveal") == (first, dearer, later)
    assert journal.attempts(1, "Settle") == ()
    assert journal.nonces_used() == 3


def test_old_blocks_are_dropped(journal: Journal) -> None:
    for number in (1, 2, 5_000):
        journal.advance(block(number), [])
    assert [b.number for b in journal.known_blocks()] == [5_000]


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/at/all/journal.sqlite", "nonsense", "nodialect://host/db"]
)
def test_an_unusable_database_is_named(url: str) -> None:
    with pytest.raises(StoreError, match="the database at"):
        Journal(url, 1, MARKET)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_text("not a database " * 100)
    with pytest.raises(StoreError, match="not a database"):
        Journal(f"sqlite:///{path}", 1, MARKET)


def test_the_password_of_a_database_is_not_repeated() -> None:
    with pytest.raises(StoreError) as caught:
        Journal("nodialect://user:hunter22@host/db", 1, MARKET)
    assert "hunter22" not in str(caught.value)
    assert "@host/db" in str(caught.value)


def test_tables_exist_in_postgres_too() -> None:
    assert history_tables.PRICES in tables._TABLES.sorted_tables
    for table in tables._TABLES.sorted_tables:
        ddl = str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
        assert "PRIMARY KEY (chain_id, market" in ddl
