"""What one command works with: the node, the market, the account that acts."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import click
from eth_utils.address import is_address, to_checksum_address

from walras.chain.accounts import Keystore
from walras.chain.client import Client, connect
from walras.chain.market import Market
from walras.chain.outbox import Outbox
from walras.chain.sender import Sender
from walras.chain.trader import Trader
from walras.chain.views import AccountView, Asset, MarketView
from walras.cli.output import warn
from walras.cli.settings import Settings
from walras.errors import AccountError, ChainError, ConfigError, NoContract, OrderError, StoreError
from walras.orders import Holdings
from walras.sealing import keccak256
from walras.units import CashUnits, MarketUnits, ProductUnits

__all__ = [
    "BATCH",
    "Session",
    "acting",
    "asset_units",
    "final_key",
    "holdings",
    "market_units",
    "with_session",
]

_LONGEST_PASSWORD: Final = 4_096  # bytes
_RETRY_SECONDS: Final = 3.0  # a person waits for the answer


BATCH: Final = click.IntRange(1, (1 << 32) - 1)
"""A batch's number, on the command line."""


class Session:
    """Everything a command may need, opened when first used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def client(self) -> Client:
        """The node; NodeUnreachable or WrongChain."""
        return connect(self.settings.rpc, self.settings.chain_id, retry_for=_RETRY_SECONDS)

    @cached_property
    def market(self) -> Market:
        """The market; NoContract, or ConfigError if none is set."""
        if self.settings.market is None:
            raise ConfigError(
                "no market is set; give --market ADDRESS, WALRAS_MARKET or market in walras.toml"
            )
        return Market(self.client, self.settings.market)

    @cached_property
    def keystore(self) -> Keystore:
        """The accounts on disk."""
        return Keystore(self.settings.accounts_dir)

    @cached_property
    def address(self) -> str:
        """Address of the account that acts: the one named, or the only one there is."""
        named = self.settings.account
        if named is not None and is_address(named):
            return str(to_checksum_address(named))
        if named is not None:
            return self.keystore.find(named).address
        stored = self.keystore.list()
        if len(stored) == 1:
            return stored[0].address
        if not stored:
            raise AccountError(
                f"there is no account in {self.keystore.directory}; "
                "create one with `walras account new NAME`"
            )
        names = ", ".join(account.name for account in stored)
        raise AccountError(f"which account? Give --account with one of {names}")

    @property
    def may_have_account(self) -> bool:
        """Whether `address` would give one."""
        return self.settings.account is not None or len(self.keystore.list()) == 1

    def signer(self) -> Any:
        """The unlocked account; AccountError if the password is wrong."""
        stored = self.keystore.find(self.address)
        return self.keystore.unlock(stored.name, self.password(stored.name))

    def trader(self) -> Trader:
        """The market bound to the unlocked account."""
        return self.market.bind(self.sender(self.signer()))

    def sender(self, signer: Any) -> Sender:
        """What sends for an unlocked account; AccountError if it cannot pay gas."""
        if int(self.client.rpc("eth_getBalance", signer.address, "latest"), 16) == 0:
            raise AccountError(
                f"{signer.address} has nothing to pay gas with on chain {self.client.chain_id}; "
                "send it some of the chain's own currency"
            )
        return Sender(self.client, signer, outbox=self.outbox(signer.address))

    def outbox(self, address: str, *, clearer: bool = False) -> Outbox | None:
        """What the processes of an account share; None, and a warning, if it cannot be written."""
        path = self.settings.data_dir / "sent" / f"{self.client.chain_id}-{address}"
        try:
            return Outbox(path, clearer=clearer)
        except StoreError as error:
            warn(f"{error}: a clearer and commands of this account will not know of each other")
            return None

    def password(self, name: str, *, confirm: bool = False) -> str:
        """From --password-file, WALRAS_PASSWORD, or asked for on a terminal."""
        path = self.settings.password_file
        if path is not None:
            return _password_of(path)
        given = os.environ.get("WALRAS_PASSWORD")
        if given is not None:
            return given
        if not sys.stdin.isatty():
            raise AccountError(
                f"no password for account {name}; give --password-file or set WALRAS_PASSWORD"
            )
        prompt = f"Password of account {name}"
        answer: str = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
        return answer


def with_session(command: Callable[..., Any]) -> Callable[..., Any]:
    """Pass a fresh Session as the command's first argument."""

    @click.pass_obj
    @functools.wraps(command)
    def wrapped(settings: Settings, *args: Any, **options: Any) -> Any:
        return command(Session(settings), *args, **options)

    return wrapped


def _override(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is not None:
        assert parameter.name is not None
        ctx.obj = replace(ctx.obj, **{parameter.name: value})


def acting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take --account and --password-file after its name, too."""
    account = click.option(
        "--account", expose_value=False, callback=_override, help="Name or address."
    )
    password = click.option(
        "--password-file",
        type=click.Path(path_type=Path, dir_okay=False),
        expose_value=False,
        callback=_override,
        help="File with the account's password.",
    )
    return account(password(command))


def market_units(view: MarketView) -> MarketUnits:
    """What converts human numbers in this market; all listed products."""
    cash = CashUnits(view.cash.symbol, view.cash.decimals, view.cash.unit)
    return MarketUnits(
        cash,
        tuple(
            ProductUnits(p.asset.id, p.asset.symbol, p.asset.decimals, p.asset.unit, p.state.tick)
            for p in view.products
        ),
    )


def asset_units(view: MarketView, name: str) -> tuple[Asset, CashUnits | ProductUnits]:
    """The asset called ``name``: `cash`, the cash token's symbol, or a product."""
    units = market_units(view)
    if name == units.cash.symbol and any(p.symbol == name for p in units.products):
        raise OrderError(f"cash and a product are called {name}; name it cash or by its #id")
    if name.lower() == "cash" or name == units.cash.symbol:
        return view.cash, units.cash
    product = units.product(name)
    return view.products[product.id].asset, product


def final_key(session: Session, view: MarketView) -> bytes:
    """Public key of the current batch; ChainError unless it has been there since finality.

    A key that a reorganisation could still replace might be one that nobody can open.
    """
    key = session.market.batch_key(view.current)
    finality = view.terms.schedule.reveal_from - view.terms.schedule.lock_out
    head = session.client.block("latest")
    block = session.client.first_block_from(view.now - finality + 1, head) - 1
    try:
        (then,) = session.market.read_all([("keyHash", view.current)], max(block, 0))
    except NoContract:
        then = b""
    if then != keccak256(key[1:]):
        raise ChainError(
            f"the key of batch {view.current} is too fresh to be final; "
            f"seal again in {finality} s at most"
        )
    return key


def holdings(account: AccountView) -> Holdings:
    """What an account's ledger holds."""
    return Holdings(account.cash, account.lots)


def _password_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST_PASSWORD).decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise AccountError(f"cannot read the password from {path}: {reason}") from None
