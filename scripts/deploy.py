"""Open a market: `ape run deploy PLAN.toml --network ethereum:local:foundry`.

Lists the plan's products, fills the house, posts the bond, all from one account, and prints the
addresses as JSON. On a development chain a plan may name tokens "mock:SYMBOL:DECIMALS": they are
deployed and minted, and without --account the chain's first test account acts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import ape
import click
from ape.cli import ConnectedProviderCommand
from eth_account import Account
from eth_utils.address import is_address, to_checksum_address

from walras.chain.accounts import Keystore
from walras.chain.client import Client, connect
from walras.chain.deploy import deploy_contract, open_market
from walras.chain.interface import call
from walras.chain.plan import read_plan
from walras.chain.sender import Sender
from walras.chain.token import Token
from walras.errors import ConfigError, WalrasError

MINTED = 10**33  # base units of every mock token


@click.command(cls=ConnectedProviderCommand)
@click.argument("plan", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--account", help="Account of `walras account` that deploys and operates.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=lambda: Path(click.get_app_dir("walras")),
    help="Where accounts are kept.",
)
def cli(plan: Path, account: str | None, data_dir: Path, provider: Any) -> None:
    """Deploy the market that PLAN describes."""
    try:
        client = connect(provider.http_uri)
        sender = Sender(client, _signer(account, data_dir))
        click.echo(json.dumps(deploy(plan, client, sender), indent=2))
    except WalrasError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


def deploy(plan: Path, client: Client, sender: Sender) -> dict[str, Any]:
    """Deploy what a plan file describes; addresses by role."""
    mocks: dict[str, tuple[str, int]] = {}

    def resolve(name: str) -> tuple[str, int]:
        if is_address(name):
            address = str(to_checksum_address(name))
            return address, Token(client, address).decimals
        if name not in mocks:
            mocks[name] = _mock(sender, name)
        return mocks[name]

    read = read_plan(plan, operator=sender.address, now=client.now(), resolve=resolve)
    market = open_market(client, sender, read.terms, read.products)
    return {
        "market": market.address,
        "operator": sender.address,
        "chain_id": client.chain_id,
        "cash": read.terms.cash,
        "products": [product.token for product in read.products],
    }


def _signer(account: str | None, data_dir: Path) -> Any:
    if account is None:
        return Account.from_key(ape.accounts.test_accounts[0].private_key)
    password = click.prompt(f"Password of account {account}", hide_input=True, err=True)
    return Keystore(data_dir / "accounts").unlock(account, password)


def _mock(sender: Sender, name: str) -> tuple[str, int]:
    kind, _, rest = name.partition(":")
    symbol, _, decimals = rest.partition(":")
    if kind != "mock" or not symbol or not decimals.isdigit():
        raise ConfigError(f'{name!r} is neither an address nor like "mock:USD:6"')
    token = deploy_contract(sender, "MockToken", symbol, symbol, int(decimals))
    sender.send(token, call("MockToken", token, "mint", sender.address, MINTED).data)
    return token, int(decimals)
