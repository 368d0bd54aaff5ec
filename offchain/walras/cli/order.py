"""`walras order`: check, seal, follow and cancel."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from eth_utils.address import to_canonical_address

from walras.chain.sender import Receipt
from walras.chain.views import MarketView
from walras.cli.output import clock, console, emit, facts, json_option, say, table
from walras.cli.prepare import (
    Prepared,
    asset_amounts,
    deposits_for,
    prepare,
    require_open,
)
from walras.cli.session import Session, acting, final_key, with_session
from walras.cli.status import status
from walras.errors import ChainError, OrderError
from walras.orders import Holdings
from walras.orders.describe import Summary, summarise
from walras.schedule import Phase
from walras.sealing import batch_id, seal
from walras.units import MarketUnits, exact_text, floor_text, plain_text

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
    prepared = prepare(session, file, view, account)
    references = {p.asset.id: p.state.reference for p in view.products}
    summaries = [summarise(a, prepared.market, references) for a in prepared.order.auths]
    data = _check_data(prepared, summaries)
    emit(as_json, data, lambda: _show_check(prepared, summaries, view.now))


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


def _show_check(prepared: Prepared, summaries: list[Summary], now: int) -> None:
    cash = prepared.market.cash
    for summary in summaries:
        say(f"Auth {summary.name}: {summary.portfolio}", "bold")
        for sentence in summary.words:
            say(f"  {sentence}")
        for line in summary.chart:
            console().print("  " + line, markup=False, no_wrap=True)
        rows = [
            (
                exact_text(r.rate),
                exact_text(r.asked),
                exact_text(r.read, places=max(cash.decimals, 6)),
                "as asked" if r.read == r.asked else "steeper: one tick at least",
            )
            for r in summary.readings
        ]
        title = f"How the contract reads it (prices in {cash.symbol} per unit)"
        table(title, ("rate", "price asked", "price read", ""), rows, left=0)
    _show_escrow(prepared)
    if prepared.submission.valid_until:
        say(f"Void in batches that lock out after {clock(prepared.submission.valid_until, now)}.")


def _show_escrow(prepared: Prepared) -> None:
    market, held = prepared.market, prepared.held
    cash = market.cash
    need = asset_amounts(market, prepared.need)
    wanted = deposits_for(market, prepared.missing)
    rows = []
    for name in dict.fromkeys([cash.symbol, *need]):
        short = wanted.get("cash" if name == cash.symbol else name, Fraction(0))
        rows.append(
            (
                name,
                exact_text(need.get(name, Fraction(0))),
                "?" if held is None else _held(market, held, name),
                "" if held is None or not short else plain_text(short),
            )
        )
    table("Escrow", ("asset", "locks", "held", "deposit first (with the fee)"), rows)
    fee = _rough(cash.cash(prepared.fee))
    say(
        f"Declares {prepared.units} units for {prepared.ciphertext_length} bytes; "
        f"admission costs about {fee} {cash.symbol} now."
    )
    if held is not None and prepared.covered:
        say("Covered: ready to seal.", "green")


def _check_data(prepared: Prepared, summaries: list[Summary]) -> dict[str, Any]:
    escrow = asset_amounts(prepared.market, prepared.need)
    missing = deposits_for(prepared.market, prepared.missing)
    known = prepared.held is not None
    return {
        "auths": [
            {
                "name": summary.name,
                "portfolio": summary.portfolio,
                "words": list(summary.words),
                "points": [
                    {
                        "rate": plain_text(r.rate),
                        "asked": plain_text(r.asked),
                        "read": plain_text(r.read),
                    }
                    for r in summary.readings
                ],
                "legs": {leg.product: leg.weight for leg in converted.auth.legs},
                "chain_units_per_unit": plain_text(converted.units),
            }
            for summary, converted in zip(summaries, prepared.order.auths, strict=True)
        ],
        "escrow": {name: plain_text(amount) for name, amount in escrow.items()},
        "missing": {k: plain_text(v) for k, v in missing.items()} if known else None,
        "covered": prepared.covered if known else None,
        "valid_until": prepared.submission.valid_until,
        "units": prepared.units,
        "bytes": prepared.ciphertext_length,
        "fee": plain_text(prepared.market.cash.cash(prepared.fee)),
    }


def _held(market: MarketUnits, held: Holdings, name: str) -> str:
    if name == market.cash.symbol:
        return floor_text(market.cash.cash(held.cash), market.cash.decimals)
    product = market.product(name)
    tokens = product.tokens_of_ledger(held.lots.get(product.id, 0))
    return floor_text(tokens, product.decimals)


def _rough(amount: Fraction) -> str:
    return exact_text(amount, places=6).removeprefix("≈")
