"""`walras market show`: what a bidder has to know before sealing."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import click

from walras.chain.views import MarketView, ProductView
from walras.cli.output import clock, emit, facts, json_option, say, span, table
from walras.cli.session import Session, market_units, with_session
from walras.numbers import MIN_UNITS
from walras.schedule import Phase
from walras.units import MarketUnits, ProductUnits, exact_text, plain_text
from walras.words import counted

__all__ = ["market", "next_boundary"]

_MEANING: Final = {
    Phase.PENDING: "nothing is open yet",
    Phase.OPEN: "seal, amend or cancel",
    Phase.LOCKED_IN: "new seals enter, nothing can be changed or cancelled",
    Phase.LOCKED_OUT: "nothing enters, the chain becomes final",
    Phase.REVEAL: "the operator publishes the key",
    Phase.CLEARING: "the operator clears and settles",
    Phase.FALLBACK: "anybody may settle",
    Phase.SETTLED: "settled; the next batch opens at its start",
    Phase.VOID: "void, nothing trades; the next batch opens at its start",
}


@click.group()
def market() -> None:
    """Look at the market: phase, products, fees."""


@market.command("show")
@json_option
@with_session
def show(session: Session, as_json: bool) -> None:
    """Show the current batch, the products and the prices of admission."""
    view = session.market.view()
    units = market_units(view)
    fee = units.cash.cash(view.fee)
    emit(as_json, _data(view, units, fee), lambda: _tables(view, units, fee))


def next_boundary(view: MarketView) -> tuple[str, int]:
    """What happens next in the current batch, and when (unix seconds)."""
    at = view.terms.schedule.boundaries(view.current)
    if view.current == 0:
        return "batch 1 opens", view.terms.schedule.start(1)
    boundaries = {
        Phase.OPEN: ("lock-in", at.lock_in),
        Phase.LOCKED_IN: ("lock-out", at.lock_out),
        Phase.LOCKED_OUT: ("the key may be published", at.reveal_from),
        Phase.REVEAL: ("void without a key", at.key_deadline),
        Phase.CLEARING: ("anybody may settle", at.exclusive_until),
        Phase.FALLBACK: ("void without a settlement", at.deadline),
    }
    return boundaries.get(view.phase, (f"batch {view.current + 1} opens", at.end))


def _tables(view: MarketView, units: MarketUnits, fee: Fraction) -> None:
    cash, live = units.cash, view.batch
    here = live.number == view.current
    what, when = next_boundary(view)
    money = f"{exact_text(fee, places=6).removeprefix('≈')} {cash.symbol}"
    facts(
        [
            ("market", f"{view.address} on chain {view.chain_id}"),
            ("block", f"{view.block_number}"),
            ("cash", f"{cash.symbol} ({view.cash.token})"),
            ("batch", _batch(view)),
            ("next", f"{what} at {clock(when, view.now)}; one batch every {_period(view)}"),
            (
                "sealed",
                f"{counted(live.live if here else 0, 'account')}, {_capacity(view)} units taken",
            ),
            ("admission", f"about {money} for {MIN_UNITS} units now"),
        ]
    )
    rows = [_row(product, units) for product in view.products]
    columns = ("id", "product", "token", "lot", "reference", "tick", "in custody", "")
    prices = f"Products (prices in {cash.symbol} per token)"
    table(prices, columns, rows, left=3)
    for lacking in view.seals_need:
        say(f"No seal enters yet: {lacking}.", "yellow")


def _row(product: ProductView, units: MarketUnits) -> tuple[str, ...]:
    own = units.by_id(product.asset.id)
    return (
        str(own.id),
        own.symbol,
        product.asset.token,
        exact_text(own.tokens(Fraction(1))),
        exact_text(_per_token(product.state.reference, own, units), places=6),
        exact_text(_per_token(own.tick, own, units), places=6).removeprefix("≈"),
        exact_text(own.tokens_of_ledger(product.asset.custody), places=4),
        "" if product.trading else "from the next batch on",
    )


def _per_token(x40_per_lot: int, product: ProductUnits, units: MarketUnits) -> Fraction:
    return units.cash.cash(x40_per_lot) * product.lots(Fraction(1))


def _batch(view: MarketView) -> str:
    if view.current == 0:
        return "none yet"
    return f"{view.current}: {view.phase.name}, {_MEANING[view.phase]}"


def _capacity(view: MarketView) -> str:
    taken = view.batch.units if view.batch.number == view.current else 0
    return f"{taken:,} of {view.terms.capacity:,}"


def _period(view: MarketView) -> str:
    return span(view.terms.schedule.period)


def _data(view: MarketView, units: MarketUnits, fee: Fraction) -> dict[str, Any]:
    what, when = next_boundary(view)
    here = view.batch.number == view.current
    return {
        "market": view.address,
        "chain_id": view.chain_id,
        "block": view.block_number,
        "now": view.now,
        "batch": view.current,
        "phase": view.phase.name,
        "next": {"event": what, "at": when},
        "live": view.batch.live if here else 0,
        "units": {
            "taken": view.batch.units if here else 0,
            "capacity": view.terms.capacity,
        },
        "fee": {"units": MIN_UNITS, "cash": plain_text(fee)},
        "cash": {
            "symbol": units.cash.symbol,
            "token": view.cash.token,
            "decimals": view.cash.decimals,
        },
        "products": [
            {
                "id": p.asset.id,
                "symbol": p.asset.symbol,
                "token": p.asset.token,
                "decimals": p.asset.decimals,
                "lot": plain_text(units.by_id(p.asset.id).tokens(Fraction(1))),
                "reference": plain_text(
                    _per_token(p.state.reference, units.by_id(p.asset.id), units)
                ),
                "tick": plain_text(_per_token(p.state.tick, units.by_id(p.asset.id), units)),
                "custody": plain_text(units.by_id(p.asset.id).tokens_of_ledger(p.asset.custody)),
                "trading": p.trading,
            }
            for p in view.products
        ],
        "seals_need": list(view.seals_need),
    }
