"""`walras withdraw`: out of the market, with a word of what an order still needs of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import click

from walras.chain.trader import EVERYTHING
from walras.chain.views import AccountView, MarketView
from walras.cli.amounts import (
    Amount,
    address_of,
    amounts_of,
    report,
    require_ledger,
    require_movable,
)
from walras.cli.live import Work, works
from walras.cli.output import json_option, warn
from walras.cli.prepare import deposits_for
from walras.cli.session import Session, acting, holdings, market_units, with_session
from walras.errors import OrderError
from walras.numbers import ceil_div
from walras.orders import Holdings
from walras.submission import Cover
from walras.units import plain_text

__all__ = ["withdraw"]


@click.command()
@click.argument("amounts", nargs=-1, required=True, metavar="ASSET AMOUNT|all [ASSET AMOUNT]...")
@click.option("--to", help="Address to send to, if not your own.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask, although an order loses its cover.")
@acting
@json_option
@with_session
def withdraw(
    session: Session, amounts: Sequence[str], to: str | None, yes: bool, as_json: bool
) -> None:
    """Take amounts like `cash 1000` or `AAPL all` out of the market."""
    recipient = None if to is None else address_of(to)
    view = session.market.view()
    account = session.market.account(session.address)
    wanted = amounts_of(view, amounts, account)
    require_movable(view, account)
    for amount in wanted:
        require_ledger(account, amount)
    _confirm(list(_uncovered(session, view, account, wanted)), yes)
    trader = session.trader()
    receipts = []
    for amount, text in zip(wanted, amounts[1::2], strict=True):
        base = EVERYTHING if text == "all" else amount.base
        receipts.append(trader.withdraw(amount.asset.id, base, recipient))
    report("Withdrew", wanted, receipts, as_json)


def _confirm(worries: Sequence[str], yes: bool) -> None:
    """Ask if there is anything to ask about; OrderError if nobody is there to answer."""
    if not worries:
        return
    if not yes and not sys.stdin.isatty():
        raise OrderError(f"nothing was withdrawn: {'; '.join(worries)}; --yes withdraws it anyway")
    for worry in worries:
        warn(worry)
    if not yes and not click.confirm("Withdraw it all the same?", err=True):
        raise OrderError("nothing was withdrawn")


def _uncovered(
    session: Session, view: MarketView, account: AccountView, wanted: Sequence[Amount]
) -> Iterator[str]:
    """What each order of the account would lack of what is withdrawn, in words."""
    left = _after(account, wanted)
    for work in works(session, view, account):
        if work.need is None:
            yield (
                f"{work.name} was sealed on another machine, so what it needs is not known here "
                f"({work.lapse})"
            )
            continue
        lacking = _taken(left.lacks(work.need), wanted)
        if lacking.cash or lacking.lots:
            yield _in_words(work, lacking, view)


def _in_words(work: Work, lacking: Cover, view: MarketView) -> str:
    market = market_units(view)
    short = " and ".join(
        f"{plain_text(amount)} {market.cash.symbol if name == 'cash' else name}"
        for name, amount in deposits_for(market, lacking).items()
    )
    return f"{work.name} would lack {short} ({work.lapse})"


def _after(account: AccountView, wanted: Sequence[Amount]) -> Holdings:
    """What the ledger holds once all is withdrawn."""
    before = holdings(account)
    cash, lots = 0, {}
    for amount in wanted:
        asset = amount.asset
        ledger = ceil_div(amount.base << asset.ledger_bits, asset.unit)
        if asset.is_cash:
            cash = ledger
        else:
            lots[asset.id] = ledger
    return before.less(Cover(cash, lots))


def _taken(lacking: Cover, wanted: Sequence[Amount]) -> Cover:
    """Of what is lacking, the assets that are withdrawn: the rest was lacking before."""
    assets = {amount.asset.id for amount in wanted}
    cash = any(amount.asset.is_cash for amount in wanted)
    lots = {k: short for k, short in lacking.lots.items() if k in assets}
    return Cover(lacking.cash if cash else 0, lots)
