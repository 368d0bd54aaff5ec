"""`walras order`: check, seal, follow and cancel."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from eth_utils.address import to_canonical_address

from walras.chain.sender import Receipt
from walras.chain.views import MarketView
from walras.cli.check import explain
from walras.cli.output import clock, emit, facts, json_option, say
from walras.cli.prepare import (
    Prepared,
    deposits_for,
    prepare,
    require_open,
)
from walras.cli.session import Session, acting, final_key, with_session
from walras.cli.status import status
from walras.errors import ChainError, OrderError
from walras.schedule import Phase
from walras.sealing import batch_id, seal
from walras.units import exact_text, plain_text

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


@order.command("seal")
@click.argument("file", type=_FILE)
@click.option("--units", type=click.IntRange(10, 255), help="Declare more units than needed.")
@click.option("--force", is_flag=True, help="Seal although the escrow does not cover it yet.")
@acting
@json_option
@with_session
def seal_(session: Session, file: Path, units: int | None, force: bool, as_json: bool) -> None:
    """Seal the order in FILE for the current batch; replaces your earlier one while it is open."""
    view = session.market.view()
    account = session.market.account(session.address)
    prepared = prepare(session, file, view, account)
    require_open(view, prepared.submission, account)
    if not force:
        require_covered(prepared)
    declared = max(units or 0, prepared.units)
    ciphertext = sealed(session, view, prepared)
    receipt = session.trader().seal(view.current, declared, ciphertext)
    data = sealed_facts(session.address, view, prepared, declared, receipt)
    emit(as_json, data, lambda: show_sealed(view, data, prepared.market.cash.symbol))


@order.command("cancel")
@acting
@json_option
@with_session
def cancel(session: Session, as_json: bool) -> None:
    """Take your submission back; possible until lock-in."""
    view = session.market.view()
    account = session.market.account(session.address)
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
    """The ciphertext for the current batch's key, as checked against the contract."""
    number = batch_id(view.chain_id, to_canonical_address(view.address), view.current)
    key = final_key(session, view)
    return seal(key, prepared.body, to_canonical_address(session.address), number)


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
        "fee": plain_text(prepared.market.cash.cash(prepared.fee)),
        "transaction": "0x" + receipt.hash.hex(),
        "gas": receipt.gas_used,
    }


def show_sealed(view: MarketView, data: dict[str, Any], cash: str) -> None:
    """What a seal did, for a person."""
    at = view.terms.schedule.boundaries(view.current)
    count = f"{data['auths']} auth" + ("s" if data["auths"] != 1 else "")
    say(f"Sealed {count} for batch {view.current}: {data['bytes']} bytes, {data['units']} units.")
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


def _rough(amount: Fraction) -> str:
    return exact_text(amount, places=6).removeprefix("≈")
