"""`walras account`: encrypted keystores."""

from __future__ import annotations

from typing import Any

import click

from walras.chain.accounts import Kdf, Keystore, StoredAccount
from walras.cli.output import emit, json_option, say, table
from walras.cli.session import Session, with_session

__all__ = ["account"]

# Guessing is cheap at this cost: only for accounts that hold test money.
_LIGHT = Kdf("scrypt", 2)

_light_option = click.option(
    "--light", is_flag=True, help="Unlock fast, guard little: for test networks only."
)


@click.group()
def account() -> None:
    """Create, import and list encrypted accounts."""


@account.command("new")
@click.argument("name")
@_light_option
@json_option
@with_session
def new(session: Session, name: str, light: bool, as_json: bool) -> None:
    """Create an account called NAME and encrypt it with a password."""
    stored = _keystore(session, light).new(name, session.password(name, confirm=True))
    _created(stored, as_json)


@account.command("import")
@click.argument("name")
@click.option(
    "--key-file",
    type=click.File("rb"),
    help="File with the private key in hex, - for standard input; else it is asked for.",
)
@_light_option
@json_option
@with_session
def import_(session: Session, name: str, key_file: Any, light: bool, as_json: bool) -> None:
    """Encrypt an existing private key as account NAME."""
    if key_file is not None:
        key = key_file.read(200).decode("ascii", errors="replace")
    else:
        key = click.prompt("Private key (64 hex digits)", hide_input=True, err=True)
    stored = _keystore(session, light).import_key(name, key, session.password(name, confirm=True))
    _created(stored, as_json)


@account.command("list")
@json_option
@with_session
def list_(session: Session, as_json: bool) -> None:
    """List the accounts there are."""
    stored = session.keystore.list()

    def show() -> None:
        if not stored:
            say(
                f"No accounts in {session.keystore.directory}; `walras account new NAME` makes one."
            )
            return
        table("", ("account", "address"), [(a.name, a.address) for a in stored], left=2)

    emit(as_json, [_facts(a) for a in stored], show)


def _keystore(session: Session, light: bool) -> Keystore:
    return Keystore(session.settings.accounts_dir, _LIGHT) if light else session.keystore


def _created(stored: StoredAccount, as_json: bool) -> None:
    def show() -> None:
        say(f"Account {stored.name} is {stored.address}.")
        say(f"Its encrypted key is {stored.path}: keep a copy of the file and the password.")

    emit(as_json, _facts(stored), show)


def _facts(stored: StoredAccount) -> dict[str, str]:
    return {"name": stored.name, "address": stored.address, "path": str(stored.path)}
