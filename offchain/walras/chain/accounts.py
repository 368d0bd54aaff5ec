"""Keystores: one encrypted JSON file per account, as every Ethereum wallet reads them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from walras.documents import write_new
from walras.errors import AccountError

__all__ = ["Kdf", "Keystore", "StoredAccount"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Kdf:
    """How costly a guess of the password is.

    `iterations`: scrypt's n (a power of two) or pbkdf2's rounds; None takes eth-account's
    (262,144 and 1,000,000). Lower them for throw-away accounts only.
    """

    kind: Literal["scrypt", "pbkdf2"] = "scrypt"
    iterations: int | None = None


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account on disk; its key stays encrypted."""

    name: str
    address: str
    path: Path


class Keystore:
    """A directory of encrypted accounts, each with a name."""

    def __init__(self, directory: Path, kdf: Kdf | None = None) -> None:
        self.directory = directory
        self._kdf = kdf or Kdf()

    def new(self, name: str, password: str) -> StoredAccount:
        """Create an account; AccountError if the name is taken or unusable."""
        return self._write(name, Account.create(), password)

    def import_key(self, name: str, key: str | bytes, password: str) -> StoredAccount:
        """Store a private key (32 bytes, or their hex)."""
        try:
            raw = key if isinstance(key, bytes) else bytes.fromhex(key.strip().removeprefix("0x"))
            account = Account.from_key(raw)
        except ValueError:
            # The message must not repeat what was typed: it may be most of a key.
            raise AccountError(
                "that is no private key; give the 64 hex digits of a secp256k1 secret"
            ) from None
        return self._write(name, account, password)

    def list(self) -> tuple[StoredAccount, ...]:
        """All accounts, by name."""
        try:
            files = sorted(path for path in self.directory.iterdir() if path.suffix == ".json")
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise AccountError(f"cannot read {self.directory}: {error.strerror}") from error
        return tuple(map(self._stored, files))

    def find(self, name_or_address: str) -> StoredAccount:
        """One account by name or address; AccountError names those there are."""
        wanted = name_or_address.lower()
        accounts = self.list()
        for account in accounts:
            if wanted in {account.name.lower(), account.address.lower()}:
                return account
        known = ", ".join(a.name for a in accounts) or "none yet"
        raise AccountError(
            f"no account {name_or_address} in {self.directory} (there are: {known}); "
            "create one with `walras account new`"
        )

    def unlock(self, name_or_address: str, password: str) -> LocalAccount:
        """Decrypt an account; AccountError if the password is wrong."""
        stored = self.find(name_or_address)
        try:
            account: LocalAccount = Account.from_key(Account.decrypt(_read(stored.path), password))
        except (ValueError, LookupError, TypeError, AttributeError, NotImplementedError) as error:
            if "MAC mismatch" in str(error):
                raise AccountError(
                    f"wrong password for account {stored.name}; nothing was changed, try again"
                ) from None
            raise AccountError(f"{stored.path} cannot be decrypted; restore it") from None
        if account.address != stored.address:
            raise AccountError(
                f"{stored.path} says {stored.address}, but its key is that of {account.address}; "
                "restore it"
            )
        return account

    def _write(self, name: str, account: Any, password: str) -> StoredAccount:
        if not _NAME.fullmatch(name):
            raise AccountError(
                f"account name {name!r} is unusable; take up to 64 letters, digits, '.', '_', '-'"
            )
        if not password:
            raise AccountError("the password is empty; an account needs one")
        path = self.directory / f"{name}.json"
        document = Account.encrypt(
            account.key, password, kdf=self._kdf.kind, iterations=self._kdf.iterations
        )
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_new(path, json.dumps(document).encode(), 0o600)
        except FileExistsError:
            raise AccountError(
                f"account {name} exists in {self.directory}; take another name"
            ) from None
        except OSError as error:
            raise AccountError(
                f"cannot write {path}: {error.strerror}; check the directory"
            ) from error
        return StoredAccount(name, account.address, path)

    @staticmethod
    def _stored(path: Path) -> StoredAccount:
        document = _read(path)
        try:
            return StoredAccount(path.stem, to_checksum_address(document["address"]), path)
        except (KeyError, ValueError, TypeError):
            raise AccountError(f"{path} is no keystore; move it out of the directory") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
    except OSError as error:
        raise AccountError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise AccountError(f"{path} is no keystore; restore it from a copy")
    return document
