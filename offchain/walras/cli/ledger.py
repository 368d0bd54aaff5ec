"""`walras deposit`, `balance` and `claim`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import click

from walras.chain.permit import deposit_with_permit
from walras.chain.transactions import Receipt
from walras.chain.views import AccountView, MarketView
from walras.cli.amounts import (
    Amount,
    address_of,
    amounts_of,
    report,
    require_movable,
    require_wallet,
)
from walras.cli.order import require_covered, sealed, sealed_facts, show_sealed
from walras.cli.output import emit, json_option, say, table
from walras.cli.prepare import prepare, require_open
from walras.cli.session import Session, acting, market_units, with_session
from walras.errors import ChainError, Reverted
from walras.units import exact_text, floor_text, plain_text

__all__ = ["balance", "claim", "deposit"]


@click.command()
@click.argument("amounts", nargs=-1, required=True, metavar="ASSET AMOUNT [ASSET AMOUNT]...")
@click.option(
    "--seal",
    "order_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Seal the order in this file in the same transaction.",
)
@click.option(
    "--permit",
    is_flag=True,
    help="Allow by signature (EIP-2612), where the token can, instead of a second transaction.",
)
@acting
@json_option
@with_session
def deposit(
    session: Session,
    amounts: Sequence[str],
    order_file: Path | None,
    permit: bool,
    as_json: bool,
) -> None:
    """Bring amounts like `cash 1000` or `AAPL 2.5` from your wallet into the market."""
    view = session.market.view()
    account = session.market.account(session.address)
    wanted = amounts_of(view, amounts)
    require_movable(view, account)
    for amount in wanted:
        require_wallet(account, amount)
    if order_file is not None:
        if permit:
            raise click.UsageError("--permit and --seal do not go together; approve instead")
        _deposit_and_seal(session, view, account, wanted, order_file, as_json)
        return
    receipts = [_deposit(session, amount, permit) for amount in wanted]
    report("Deposited", wanted, receipts, as_json)


@click.command()
@click.argument("address", required=False)
@acting
@json_option
@with_session
def balance(session: Session, address: str | None, as_json: bool) -> None:
    """Show the ledger and wallet of ADDRESS (yours if none is given)."""
    view = session.market.view()
    owner = session.address if address is None else address_of(address)
    account = session.market.account(owner)
    market = market_units(view)
    rows: list[tuple[str, Fraction, Fraction, int]] = []
    for asset in (view.cash, *(p.asset for p in view.products)):
        wallet = Fraction(account.wallet[asset.id], 10**asset.decimals)
        ledger = (
            market.cash.cash(account.cash)
            if asset.is_cash
            else market.by_id(asset.id).tokens_of_ledger(account.lots.get(asset.id, 0))
        )
        name = asset.symbol if asset.is_cash else market.label(asset.id)
        rows.append((name, ledger, wallet, asset.decimals))
    claimable = market.cash.cash(account.claimable)
    data = {
        "account": account.address,
        "market": {name: plain_text(ledger) for name, ledger, _, _ in rows},
        "wallet": {name: plain_text(wallet) for name, _, wallet, _ in rows},
        "claimable": plain_text(claimable),
        "live_in_batch": account.batch if account.live else None,
        "frozen": account.frozen,
    }

    def show() -> None:
        say(f"Account {account.address}", "bold")
        shown = [
            (name, floor_text(ledger, places), floor_text(wallet, places))
            for name, ledger, wallet, places in rows
        ]
        table("", ("asset", "in the market", "in the wallet"), shown)
        if claimable:
            say(
                f"Claimable: {exact_text(claimable, places=6)} {market.cash.symbol}; `walras claim`"
            )
        if account.live:
            frozen = "frozen until it is over" if account.frozen else "free until lock-in"
            say(f"Live in batch {account.batch}, {frozen}.")

    emit(as_json, data, show)


@click.command()
@click.option("--to", help="Address to send to, if not your own.")
@acting
@json_option
@with_session
def claim(session: Session, to: str | None, as_json: bool) -> None:
    """Take out what void batches and settlements owe you."""
    recipient = None if to is None else address_of(to)
    view, account = session.market.view(), session.market.account(session.address)
    trader = session.trader()
    try:
        trader.compensate(account.address)
        account = session.market.account(account.address)
    except Reverted as refused:
        if refused.name != "NothingDue":
            raise
    claimable = view.cash.to_base_units(account.claimable)
    if not claimable:
        raise ChainError(f"nothing is claimable by {account.address}")
    receipt = trader.claim(recipient)
    amount = Fraction(claimable, 10**view.cash.decimals)
    data = {"cash": plain_text(amount), "transaction": "0x" + receipt.hash.hex()}
    emit(as_json, data, lambda: say(f"Claimed {exact_text(amount)} {view.cash.symbol}."))


def _deposit(session: Session, amount: Amount, permit: bool) -> Receipt:
    if permit:
        signer = session.signer()
        sender, asset = session.sender(signer), amount.asset.id
        return deposit_with_permit(session.market, signer, sender, asset, amount.base)
    return session.trader().deposit(amount.asset.id, amount.base)


def _deposit_and_seal(
    session: Session,
    view: MarketView,
    account: AccountView,
    wanted: Sequence[Amount],
    file: Path,
    as_json: bool,
) -> None:
    ledger = {a.asset.id: a.units.ledger(a.base) for a in wanted}
    prepared = prepare(session, file, view, account, ledger)
    require_open(view, prepared.submission, account)
    require_covered(prepared)
    ciphertext = sealed(session, view, prepared)
    receipt = session.trader().deposit_and_seal(
        {a.asset.id: a.base for a in wanted}, view.current, prepared.units, ciphertext
    )
    data = sealed_facts(account.address, view, prepared, prepared.units, receipt)
    market = prepared.market
    data["deposited"] = {
        market.cash.symbol if a.asset.is_cash else market.label(a.asset.id): plain_text(a.tokens)
        for a in wanted
    }

    def show() -> None:
        say(f"Deposited {', '.join(a.text for a in wanted)}.")
        show_sealed(view, data, prepared.market.cash.symbol)

    emit(as_json, data, show)
