"""`walras order status`: what became of a submission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import click
from eth_utils.address import to_canonical_address

from walras.auths import Auth
from walras.chain.books import book_of
from walras.chain.lockout import LiveSeal, as_history, live_seals
from walras.chain.market import Market
from walras.chain.postings import read_posting
from walras.chain.views import MarketView
from walras.cli.followed import followed
from walras.cli.live import pending
from walras.cli.market import next_boundary
from walras.cli.output import clock, emit, facts, json_option, say, table
from walras.cli.session import BATCH, Session, acting, market_units, with_session
from walras.cli.standing import Stand
from walras.curve import portfolio_price
from walras.errors import ChainError
from walras.numbers import X44
from walras.opening import open_batch
from walras.orders.describe import portfolio_text
from walras.orders.history import Followed, Shown, follow
from walras.schedule import Phase
from walras.submission import VoidReason
from walras.units import MarketUnits, exact_text, plain_text
from walras.words import counted

__all__ = ["VOID_WORDS", "status"]

VOID_WORDS: Final = {
    VoidReason.UNOPENED: "it does not open with the key of the batch",
    VoidReason.MALFORMED: "its bytes are no submission",
    VoidReason.OVERSIZED: "it needs more units than were declared",
    VoidReason.EXPIRED: "it expired before lock-out",
    VoidReason.UNCOVERED: "the ledger did not cover it at lock-out",
    VoidReason.RENT: "the ledger could not pay its rent",
}


@dataclass(frozen=True, slots=True)
class _Fate:
    """A submission in its batch; ``found`` once it is settled.

    ``reason`` is why it trades nothing there, known once the key is out.
    """

    batch: int
    phase: Phase
    account: str
    seal: LiveSeal
    reason: VoidReason | None
    found: Followed | None


@click.command("status")
@click.option("--batch", type=BATCH, help="A batch of a submission not standing.")
@acting
@json_option
@with_session
def status(session: Session, batch: int | None, as_json: bool) -> None:
    """Show your submission: live, void or filled, and at what prices."""
    market, owner = session.market, session.address
    view, account = market.view(), market.account(owner)
    number = batch or account.batch or view.current
    seals = {}
    if number and not (account.standing and batch is None):
        seals = live_seals(as_history(market.sealed_events(number)))
    if owner not in seals and batch is None:
        waits = pending(session, view, account)
        stand = Stand(account, view, followed(session, owner), waits)
        if account.standing or stand.found is not None:
            emit(as_json, stand.data(), stand.show)
            return
    if owner not in seals:
        raise ChainError(
            f"{owner} has no submission in batch {number}; `walras order seal FILE` makes one, "
            "--batch shows an earlier one"
        )
    fate = _fate(market, number, owner, seals)
    units = market_units(view)
    emit(as_json, _data(fate, units), lambda: _show(fate, view, units))


def _fate(market: Market, batch: int, owner: str, seals: Mapping[str, LiveSeal]) -> _Fate:
    phase, seal = market.phase(batch), seals[owner]
    if not market.read_all([("secret", batch)])[0]:
        return _Fate(batch, phase, owner, seal, None, None)
    settled = market.settled_event(batch) if phase is Phase.SETTLED else None
    if settled is None:
        book = book_of(market, batch, {owner: seal}, ())
        (opened,) = open_batch(book.state, book.entries)
        return _Fate(batch, phase, owner, seal, opened.reason, None)
    reason = next(
        (VoidReason(e.reason) for e in market.void_events(batch) if e.account == owner), None
    )
    posting = read_posting(market, settled, seals)
    shown = Shown(batch, posting, reason is not None)
    return _Fate(batch, phase, owner, seal, reason, follow(to_canonical_address(owner), [shown]))


def _fills(fate: _Fate, units: MarketUnits) -> list[tuple[Auth, dict[str, Fraction], Fraction]]:
    """Per auth: tokens received by symbol, and cash tokens received."""
    if fate.found is None or fate.reason is not None or not fate.found.fills:
        return []
    (fill,) = fate.found.fills
    fills = []
    for auth, rate in zip(fate.found.submission.auths, fill.rates, strict=True):
        tokens = {
            units.label(leg.product): units.by_id(leg.product).tokens_of_ledger(leg.weight * rate)
            for leg in auth.legs
        }
        cash = units.cash.cash(Fraction(-portfolio_price(auth, fill.prices) * rate, X44**2))
        fills.append((auth, tokens, cash))
    return fills


def _show(fate: _Fate, view: MarketView, units: MarketUnits) -> None:
    now = view.now
    say(f"Batch {fate.batch}: {_words(fate)}", "bold")
    size = f"{counted(len(fate.seal.ciphertext), 'byte')}, {counted(fate.seal.units, 'unit')}"
    lines = [("sealed", size)]
    if fate.batch == view.current:
        what, when = next_boundary(view)
        lines.append(("next", f"{what} at {clock(when, now)}"))
    facts(lines)
    rows = []
    for number, (_, tokens, cash) in enumerate(_fills(fate, units), 1):
        moved = [(name, _rounded(amount)) for name, amount in tokens.items() if amount]
        rows.append(
            (
                str(number),
                portfolio_text(moved) or "no trade",
                exact_text(cash, places=units.cash.decimals),
            )
        )
    if rows:
        table("", ("auth", "received", f"{units.cash.symbol} received"), rows, left=2)


def _rounded(amount: Fraction) -> Fraction:
    return Fraction(round(amount * 10**9), 10**9)


def _words(fate: _Fate) -> str:
    reason = fate.reason
    if fate.phase is Phase.VOID:
        return "void; nothing traded and your ledger is as it was (see `walras claim`)"
    if reason is not None:
        tense = "is" if fate.phase is Phase.SETTLED else "will be"
        return f"your submission {tense} void, {VOID_WORDS[reason]}"
    if fate.phase is Phase.SETTLED:
        return "settled"
    if fate.phase is Phase.OPEN:
        return "live; you can amend or cancel it"
    return f"live and committed ({fate.phase.name})"


def _data(fate: _Fate, units: MarketUnits) -> dict[str, Any]:
    reason = fate.reason
    return {
        "batch": fate.batch,
        "phase": fate.phase.name,
        "account": fate.account,
        "bytes": len(fate.seal.ciphertext),
        "units": fate.seal.units,
        "void": None if reason is None else reason.name,
        "fills": [
            {
                "products": {name: plain_text(amount) for name, amount in tokens.items()},
                "cash": plain_text(cash),
            }
            for _, tokens, cash in _fills(fate, units)
        ],
    }
