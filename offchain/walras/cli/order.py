"""`walras order`: check, seal, follow and cancel."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from eth_utils.address import to_canonical_address

from walras.chain.transactions import Receipt
from walras.chain.views import AccountView, MarketView
from walras.cli.check import explain
from walras.cli.live import notes
from walras.cli.output import clock, emit, facts, json_option, say, warn
from walras.cli.prepare import (
    Prepared,
    deposits_for,
    prepare,
    require_open,
)
from walras.cli.session import Session, acting, final_key, with_session
from walras.cli.status import status
from walras.errors import ChainError, OrderError, StoreError
from walras.schedule import Phase
from walras.sealing import batch_id, seal, seal_hash
from walras.units import exact_text, plain_text
from walras.words import counted

__all__ = ["order", "require_covered", "sealed", "sealed_facts", "show_sealed"]

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def order() -> None:
    """Check, seal, follow and cancel an order."""


order.add_command(status)


@order.command("check")
@click.argument("file", type=_FILE)
@acting
@json_option
@with_session
def check(session: Session, file: Path, as_json: bool) -> None:
    """Say what the order in FILE means, what it locks and how the contract reads it."""
    view = session.market.view()
    account = session.market.account(session.address) if session.may_have_account else None
    checked = explain(prepare(session, file, view, account), view)
    emit(as_json, checked.data(), checked.show)


_UNITS = click.option(
    "--units", type=click.IntRange(10, 255), help="Declare more units than needed."
)
_FORCE = click.option(
    "--force", is_flag=True, help="Seal although the escrow does not cover it yet."
)


@order.command("seal")
@click.argument("file", type=_FILE)
@_UNITS
@_FORCE
@acting
@json_option
@with_session
def seal_(session: Session, file: Path, units: int | None, force: bool, as_json: bool) -> None:
    """Seal the order in FILE for the current batch; replaces your earlier one while it is open."""
    view = session.market.view()
    account = session.market.account(session.address)
    _seal(session, view, account, file, units, force, as_json)


@order.command("amend")
@click.argument("file", type=_FILE)
@_UNITS
@_FORCE
@acting
@json_option
@with_session
def amend(session: Session, file: Path, units: int | None, force: bool, as_json: bool) -> None:
    """Replace your standing order by the one in FILE, sealed, from the next batch on."""
    view = session.market.view()
    account = _standing(session)
    if account.paused:
        raise ChainError("your standing order is paused; resume it before you amend it")
    if view.phase is not Phase.OPEN:
        opens = view.terms.schedule.start(view.current + 1)
        raise ChainError(
            f"batch {view.current} is {view.phase.name} and takes no amendment; "
            f"batch {view.current + 1} opens at {clock(opens, view.now)}"
        )
    _seal(session, view, account, file, units, force, as_json, amends=True)


def _seal(
    session: Session,
    view: MarketView,
    account: AccountView,
    file: Path,
    units: int | None,
    force: bool,
    as_json: bool,
    amends: bool = False,
) -> None:
    prepared = prepare(session, file, view, account)
    require_open(view, prepared.submission, account, amends=amends)
    if not force:
        require_covered(prepared)
    declared = max(units or 0, prepared.units)
    ciphertext = sealed(session, view, prepared)
    receipt = session.trader().seal(view.current, declared, ciphertext)
    data = sealed_facts(session.address, view, prepared, declared, receipt)
    data["amends"] = amends
    emit(as_json, data, lambda: show_sealed(view, data, prepared.market.cash.symbol))


@order.command("pause")
@acting
@json_option
@with_session
def pause(session: Session, as_json: bool) -> None:
    """Leave your standing order out of the batches until you resume it."""
    account = _unfrozen(_standing(session))
    if account.paused:
        raise ChainError("your standing order is paused already; `walras order resume` ends that")
    receipt = session.trader().pause()
    _done(as_json, account, "paused", receipt, "Paused: no batch, no rent, until you resume it.")


@order.command("resume")
@acting
@json_option
@with_session
def resume(session: Session, as_json: bool) -> None:
    """Bring a paused standing order back."""
    account = _unfrozen(_standing(session))
    if not account.paused:
        raise ChainError("your standing order is not paused; there is nothing to resume")
    receipt = session.trader().resume()
    _done(as_json, account, "resumed", receipt, "Resumed: live in every batch that opens.")


@order.command("cancel")
@acting
@json_option
@with_session
def cancel(session: Session, as_json: bool) -> None:
    """Take your submission back: until lock-in, or a standing one while it is not frozen."""
    view = session.market.view()
    account = session.market.account(session.address)
    if account.standing:
        _unfrozen(account)
        receipt = session.trader().cancel()
        _done(as_json, account, "cancelled", receipt, "Cancelled: your standing order has ended.")
        return
    if not account.live:
        raise ChainError(f"{account.address} has no live submission; there is nothing to cancel")
    if view.phase is not Phase.OPEN or account.batch != view.current:
        raise ChainError(
            f"your submission in batch {account.batch} is committed since lock-in and stays in "
            "that batch; the next one starts without it"
        )
    receipt = session.trader().cancel()
    data = {"batch": account.batch, "transaction": "0x" + receipt.hash.hex()}
    emit(
        as_json,
        data,
        lambda: say(
            f"Cancelled in batch {account.batch}; its fee stays paid. When the batch's key is "
            "published, anybody can read what you had sealed."
        ),
    )


def _standing(session: Session) -> AccountView:
    """The acting account, which has a standing order."""
    account = session.market.account(session.address)
    if not account.standing:
        raise ChainError(
            f"{account.address} has no standing order; one stands from the settlement of its "
            "first batch on"
        )
    return account


def _unfrozen(account: AccountView) -> AccountView:
    if account.frozen:
        raise ChainError(
            "your standing order is committed to the present batch and frozen until it has "
            "settled; try again after that"
        )
    return account


def _done(as_json: bool, account: AccountView, what: str, receipt: Receipt, words: str) -> None:
    data = {
        "account": account.address,
        what: True,
        "transaction": "0x" + receipt.hash.hex(),
        "gas": receipt.gas_used,
    }
    emit(as_json, data, lambda: say(words))


def require_covered(prepared: Prepared) -> None:
    """OrderError with the deposit to make if something is missing."""
    if not prepared.covered:
        wanted = deposits_for(prepared.market, prepared.missing)
        amounts = " ".join(f"{name} {plain_text(amount)}" for name, amount in wanted.items())
        raise OrderError(
            "the escrow does not cover this order and its fee; first: "
            f"walras deposit {amounts} (or seal with --force and deposit before lock-in)"
        )


def sealed(session: Session, view: MarketView, prepared: Prepared) -> bytes:
    """The ciphertext for the current batch's key, as checked against the contract, and noted."""
    number = batch_id(view.chain_id, to_canonical_address(view.address), view.current)
    key = final_key(session, view)
    ciphertext = seal(key, prepared.body, to_canonical_address(session.address), number)
    try:
        notes(session).keep(seal_hash(number, ciphertext), prepared.body)
    except StoreError as error:
        warn(f"{error}: `order status` and `withdraw` will not know what is in this seal")
    return ciphertext


def sealed_facts(
    account: str, view: MarketView, prepared: Prepared, units: int, receipt: Receipt
) -> dict[str, Any]:
    """What a seal did, for JSON."""
    return {
        "account": account,
        "batch": view.current,
        "units": units,
        "bytes": prepared.ciphertext_length,
        "auths": len(prepared.order.auths),
        "costs": len(prepared.order.costs),
        "standing": prepared.submission.standing,
        "fee": plain_text(prepared.market.cash.cash(prepared.fee)),
        "transaction": "0x" + receipt.hash.hex(),
        "gas": receipt.gas_used,
    }


def show_sealed(view: MarketView, data: dict[str, Any], cash: str) -> None:
    """What a seal did, for a person."""
    at = view.terms.schedule.boundaries(view.current)
    count = counted(data["auths"], "auth")
    if data["costs"]:
        count += f" and {counted(data['costs'], 'cost')}"
    amends = data.get("amends", False)
    goal = f"to amend from batch {view.current + 1} on" if amends else f"for batch {view.current}"
    say(f"Sealed {count} {goal}: {data['bytes']} bytes, {counted(data['units'], 'unit')}.")
    facts(
        [
            ("fee", f"about {_rough(Fraction(data['fee']))} {cash}"),
            ("gas", f"{data['gas']:,}"),
            ("lock-in", f"{clock(at.lock_in, view.now)}; until then you can amend or cancel"),
            ("lock-out", clock(at.lock_out, view.now)),
        ]
    )
    say(
        "Only the holder of the batch key can read it now. When the key is published everybody "
        "can, even if the batch is void or you cancelled.",
        "dim",
    )
    if data["standing"] and not amends:
        say("It stands from this batch's settlement on, public, until it ends.", "dim")


def _rough(amount: Fraction) -> str:
    return exact_text(amount, places=6).removeprefix("≈")
