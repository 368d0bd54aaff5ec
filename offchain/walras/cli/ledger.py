"""`walras deposit`, `withdraw`, `balance` and `claim`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import click
from eth_utils.address import is_address, to_checksum_address

from walras.chain.permit import deposit_with_permit
from walras.chain.sender import Receipt
from walras.chain.trader import EVERYTHING
from walras.chain.views import AccountView, Asset, MarketView
from walras.cli.order import require_covered, sealed, sealed_facts, show_sealed
from walras.cli.output import clock, emit, facts, json_option, say, table
from walras.cli.prepare import prepare, require_open
from walras.cli.session import Session, acting, asset_units, market_units, with_session
from walras.errors import ChainError, OrderError, Reverted
from walras.units import CashUnits, ProductUnits, exact_text, floor_text, parse_amount, plain_text

__all__ = ["balance", "claim", "deposit", "withdraw"]


@dataclass(frozen=True, slots=True)
class _Amount:
    """A human amount of one asset and what it is in base units."""

    asset: Asset
    units: CashUnits | ProductUnits
    tokens: Fraction
    base: int

    @property
    def text(self) -> str:
        return _shown(self.base, self.asset)


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
    wanted = _amounts(view, amounts)
    _require_movable(view, account)
    for amount in wanted:
        _require_wallet(account, amount)
    if order_file is not None:
        if permit:
            raise click.UsageError("--permit and --seal do not go together; approve instead")
        _deposit_and_seal(session, view, account, wanted, order_file, as_json)
        return
    receipts = [_deposit(session, amount, permit) for amount in wanted]
    _report("Deposited", wanted, receipts, as_json)


@click.command()
@click.argument("amounts", nargs=-1, required=True, metavar="ASSET AMOUNT|all [ASSET AMOUNT]...")
@click.option("--to", help="Address to send to, if not your own.")
@acting
@json_option
@with_session
def withdraw(session: Session, amounts: Sequence[str], to: str | None, as_json: bool) -> None:
    """Take amounts like `cash 1000` or `AAPL all` out of the market."""
    recipient = None if to is None else _address(to)
    view = session.market.view()
    account = session.market.account(session.address)
    wanted = _amounts(view, amounts, account)
    _require_movable(view, account)
    for amount in wanted:
        _require_ledger(account, amount)
    trader = session.trader()
    receipts = []
    for amount, text in zip(wanted, amounts[1::2], strict=True):
        base = EVERYTHING if text == "all" else amount.base
        receipts.append(trader.withdraw(amount.asset.id, base, recipient))
    _report("Withdrew", wanted, receipts, as_json)


@click.command()
@click.argument("address", required=False)
@acting
@json_option
@with_session
def balance(session: Session, address: str | None, as_json: bool) -> None:
    """Show the ledger and wallet of ADDRESS (yours if none is given)."""
    view = session.market.view()
    owner = session.address if address is None else _address(address)
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
    recipient = None if to is None else _address(to)
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


def _amounts(
    view: MarketView, words: Sequence[str], account: AccountView | None = None
) -> list[_Amount]:
    """Pairs of asset and amount; `all` stands for the ledger of ``account``."""
    if len(words) % 2:
        raise click.UsageError("give pairs of asset and amount, like: cash 1000 AAPL 2.5")
    wanted: list[_Amount] = []
    for name, text in zip(words[::2], words[1::2], strict=True):
        asset, units = asset_units(view, name)
        if any(other.asset.id == asset.id for other in wanted):
            raise OrderError(f"{asset.symbol} is given twice; add it up")
        if account is not None and text == "all":
            base = asset.to_base_units(_held(account, asset))
            wanted.append(_Amount(asset, units, Fraction(base, 10**asset.decimals), base))
            continue
        tokens = parse_amount(text, f"amount of {asset.symbol}")
        if account is None:
            base = units.base_units(tokens, f"amount of {asset.symbol}")
        else:
            base = _whole_base_units(tokens, asset)
        wanted.append(_Amount(asset, units, tokens, base))
    return wanted


def _whole_base_units(tokens: Fraction, asset: Asset) -> int:
    base = tokens * 10**asset.decimals
    if base.denominator != 1:
        raise OrderError(
            f"amount of {asset.symbol} {plain_text(tokens)} is finer than the token; "
            f"it has {asset.decimals} decimals"
        )
    return int(base)


def _held(account: AccountView, asset: Asset) -> int:
    return account.cash if asset.is_cash else account.lots.get(asset.id, 0)


def _require_movable(view: MarketView, account: AccountView) -> None:
    if account.frozen:
        deadline = view.terms.schedule.boundaries(account.batch).deadline
        raise ChainError(
            f"{account.address} is live in batch {account.batch} and frozen since its lock-in; "
            "deposit and withdraw when the batch is settled or void "
            f"(at the latest {clock(deadline, view.now)})"
        )


def _require_wallet(account: AccountView, amount: _Amount) -> None:
    there = account.wallet[amount.asset.id]
    if there < amount.base:
        raise OrderError(
            f"the wallet of {account.address} holds {_shown(there, amount.asset)}, "
            f"not {amount.text}; deposit less or get more of the token first"
        )


def _require_ledger(account: AccountView, amount: _Amount) -> None:
    there = amount.asset.to_base_units(_held(account, amount.asset))
    if not 0 < amount.base <= there:
        raise OrderError(
            f"the market holds {_shown(there, amount.asset)} for {account.address}; "
            "withdraw that much at most, or `all`"
        )


def _shown(base_units: int, asset: Asset) -> str:
    amount = Fraction(base_units, 10**asset.decimals)
    return f"{exact_text(amount, places=asset.decimals)} {asset.symbol}"


def _deposit(session: Session, amount: _Amount, permit: bool) -> Receipt:
    if permit:
        return deposit_with_permit(session.market, session.signer(), amount.asset.id, amount.base)
    return session.trader().deposit(amount.asset.id, amount.base)


def _deposit_and_seal(
    session: Session,
    view: MarketView,
    account: AccountView,
    wanted: Sequence[_Amount],
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


def _report(
    done: str, amounts: Sequence[_Amount], receipts: Sequence[Receipt], as_json: bool
) -> None:
    data = [
        {
            "asset": amount.asset.symbol,
            "amount": plain_text(amount.tokens),
            "transaction": "0x" + receipt.hash.hex(),
            "gas": receipt.gas_used,
        }
        for amount, receipt in zip(amounts, receipts, strict=True)
    ]

    def show() -> None:
        for amount, receipt in zip(amounts, receipts, strict=True):
            say(f"{done} {amount.text}.")
            facts([("transaction", "0x" + receipt.hash.hex())])

    emit(as_json, data, show)


def _address(text: str) -> str:
    if not is_address(text):
        raise OrderError(f"{text!r} is no address; it starts with 0x and has 40 hex digits")
    return str(to_checksum_address(text))
