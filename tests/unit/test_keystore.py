"""Keystores: standard files, owner-only, and errors that give nothing away."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from eth_account import Account

from walras.chain.accounts import Kdf, Keystore
from walras.errors import AccountError

KEY = "4c" * 32
ADDRESS = Account.from_key(KEY).address


@pytest.fixture(params=["pbkdf2", "scrypt"])
def keystore(request: pytest.FixtureRequest, tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "accounts", Kdf(request.param, 2))


def test_an_account_comes_back_with_its_password(keystore: Keystore) -> None:
    stored = keystore.new("alice", "open sesame")
    assert keystore.unlock("alice", "open sesame").address == stored.address
    assert keystore.unlock(stored.address.lower(), "open sesame").address == stored.address


@pytest.mark.parametrize("key", [KEY, f"0x{KEY}", f" {KEY}\n", bytes.fromhex(KEY)])
def test_keys_are_imported(keystore: Keystore, key: str | bytes) -> None:
    assert keystore.import_key("bob", key, "pw").address == ADDRESS
    assert keystore.unlock("bob", "pw").key == bytes.fromhex(KEY)


def test_accounts_are_listed_by_name(keystore: Keystore) -> None:
    assert keystore.list() == ()
    for name in ("carol", "alice"):
        keystore.new(name, "pw")
    assert [account.name for account in keystore.list()] == ["alice", "carol"]


def test_the_file_is_standard_and_its_owners_alone(keystore: Keystore) -> None:
    stored = keystore.import_key("bob", KEY, "pw")
    text = stored.path.read_text()
    assert json.loads(text)["version"] == 3
    assert KEY not in text
    assert stat.S_IMODE(stored.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(stored.path.parent.stat().st_mode) == 0o700


def test_a_wrong_password_is_named_and_not_repeated(keystore: Keystore) -> None:
    keystore.new("alice", "open sesame")
    with pytest.raises(AccountError, match="wrong password for account alice") as caught:
        keystore.unlock("alice", "open barley")
    assert "barley" not in str(caught.value)


def test_an_existing_account_is_never_replaced(keystore: Keystore) -> None:
    keystore.import_key("bob", KEY, "pw")
    with pytest.raises(AccountError, match="account bob exists"):
        keystore.new("bob", "other")
    assert keystore.unlock("bob", "pw").address == ADDRESS


@pytest.mark.parametrize("key", ["", "zz" * 32, KEY[:-2], KEY + "00", "00" * 32, "ff" * 32])
def test_what_is_no_key_is_refused_unseen(keystore: Keystore, key: str) -> None:
    with pytest.raises(AccountError, match="no private key") as caught:
        keystore.import_key("bob", key, "pw")
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize("name", ["", "../eve", "a/b", ".hidden", "x" * 65, "a b"])
def test_names_that_leave_the_directory_are_refused(keystore: Keystore, name: str) -> None:
    with pytest.raises(AccountError, match="unusable"):
        keystore.new(name, "pw")


def test_an_empty_password_is_refused(keystore: Keystore) -> None:
    with pytest.raises(AccountError, match="password is empty"):
        keystore.new("alice", "")


def test_an_unknown_account_names_the_known(keystore: Keystore) -> None:
    keystore.new("alice", "pw")
    with pytest.raises(AccountError, match=r"no account dave .* \(there are: alice\)"):
        keystore.unlock("dave", "pw")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"address": 5}', '{"address": "xyz"}'])
def test_a_foreign_file_is_named(keystore: Keystore, text: str) -> None:
    keystore.directory.mkdir()
    (keystore.directory / "odd.json").write_text(text)
    with pytest.raises(AccountError, match=r"odd\.json is no keystore"):
        keystore.list()


def test_a_damaged_keystore_is_named(keystore: Keystore) -> None:
    stored = keystore.new("alice", "pw")
    document = json.loads(stored.path.read_text())
    del document["crypto"]["ciphertext"]
    stored.path.write_text(json.dumps(document))
    with pytest.raises(AccountError, match="cannot be decrypted"):
        keystore.unlock("alice", "pw")


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AccountError, match="cannot write"):
        Keystore(tmp_path / "file" / "accounts", Kdf("pbkdf2", 2)).new("alice", "pw")
