"""Amounts that go in or out of the market, as typed and in base units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import click
from eth_utils.address import is_address, to_checksum_address

from walras.chain.transactions import Receipt
from walras.chain.views import AccountView, Asset, MarketView
from walras.cli.output import clock, emit, facts, say
from walras.cli.session import asset_units
from walras.errors import ChainError, OrderError
from walras.units import CashUnits, ProductUnits, exact_text, parse_amount, plain_text

__all__ = [
    "Amount",
    "address_of",
    "amounts_of",
    "report",
    "require_ledger",
    "require_movable",
    "require_wallet",
]


@dataclass(frozen=True, slots=True)
class Amount:
    """A human amount of one asset and what it is in base units."""

    asset: Asset
    units: CashUnits | ProductUnits
    tokens: Fraction
    base: int

    @property
    def text(self) -> str:
        """Like ``1,000 USD``."""
        return _shown(self.base, self.asset)


def amounts_of(
    view: MarketView, words: Sequence[str], account: AccountView | None = None
) -> list[Amount]:
    """Pairs of asset and amount; `all` stands for the ledger of ``account``."""
    if len(words) % 2:
        raise click.UsageError("give pairs of asset and amount, like: cash 1000 AAPL 2.5")
    wanted: list[Amount] = []
    for name, text in zip(words[::2], words[1::2], strict=True):
        asset, units = asset_units(view, name)
        if any(other.asset.id == asset.id for other in wanted):
            raise OrderError(f"{asset.symbol} is given twice; add it up")
        if account is not None and text == "all":
            base = asset.to_base_units(_held(account, asset))
            wanted.append(Amount(asset, units, Fraction(base, 10**asset.decimals), base))
            continue
        tokens = parse_amount(text, f"amount of {asset.symbol}")
        if account is None:
            base = units.base_units(tokens, f"amount of {asset.symbol}")
        else:
            base = _whole_base_units(tokens, asset)
        wanted.append(Amount(asset, units, tokens, base))
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


def require_movable(view: MarketView, account: AccountView) -> None:
    """ChainError that says until when, if the ledger is frozen."""
    if account.frozen:
        deadline = view.terms.schedule.boundaries(account.batch).deadline
        raise ChainError(
            f"{account.address} is live in batch {account.batch} and frozen since its lock-in; "
            "deposit and withdraw when the batch is settled or void "
            f"(at the latest {clock(deadline, view.now)})"
        )


def require_wallet(account: AccountView, amount: Amount) -> None:
    """OrderError unless the account has that much outside the market."""
    there = account.wallet[amount.asset.id]
    if there < amount.base:
        raise OrderError(
            f"the wallet of {account.address} holds {_shown(there, amount.asset)}, "
            f"not {amount.text}; deposit less or get more of the token first"
        )


def require_ledger(account: AccountView, amount: Amount) -> None:
    """OrderError unless the account has that much in the market."""
    there = amount.asset.to_base_units(_held(account, amount.asset))
    if not 0 < amount.base <= there:
        raise OrderError(
            f"the market holds {_shown(there, amount.asset)} for {account.address}; "
            "withdraw that much at most, or `all`"
        )


def _shown(base_units: int, asset: Asset) -> str:
    amount = Fraction(base_units, 10**asset.decimals)
    return f"{exact_text(amount, places=asset.decimals)} {asset.symbol}"


def report(
    done: str, amounts: Sequence[Amount], receipts: Sequence[Receipt], as_json: bool
) -> None:
    """Say what was ``done`` with each amount, and by which transaction."""
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


def address_of(text: str) -> str:
    """An address as typed; OrderError if it is none."""
    if not is_address(text):
        raise OrderError(f"{text!r} is no address; it starts with 0x and has 40 hex digits")
    return str(to_checksum_address(text))
