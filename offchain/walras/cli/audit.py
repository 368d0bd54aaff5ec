"""`walras audit`: recompute a settled batch from chain data alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

import click
from eth_utils.address import to_canonical_address, to_checksum_address

from walras.audit import AuditReport, Posted, SecondOpinion, audit
from walras.batch import CASH, AccountState, BatchState
from walras.chain.books import book_of
from walras.chain.events import Deposited, Settled, Withdrawn
from walras.chain.lockout import Book, read_after
from walras.chain.market import Market
from walras.chain.postings import read_posting
from walras.clearing.problem import solve_batch
from walras.cli.output import clock, console, emit, facts, json_option, say, shorten, table
from walras.cli.session import BATCH, Session, market_units, with_session
from walras.decoding import VoidReason
from walras.errors import ChainError
from walras.numbers import X40, X44, ceil_div
from walras.orders.describe import portfolio_text
from walras.schedule import Phase
from walras.units import MarketUnits, exact_text, plain_text

__all__ = ["audit_command", "collect", "without_later_moves"]

_ENGINES: Final = ("clarabel", "osqp", "none")


@click.command("audit")
@click.argument("batch", type=BATCH)
@click.option(
    "--engine",
    type=click.Choice(_ENGINES),
    default=_ENGINES[0],
    show_default=True,
    help="Solver of the second opinion on the prices.",
)
@json_option
@with_session
def audit_command(session: Session, batch: int, engine: str, as_json: bool) -> int:
    """Open every submission of BATCH, check the settlement and solve it again.

    Exit code 1 if anything does not agree.
    """
    market = session.market
    settled = market.settled_event(batch)
    if settled is None:
        return _not_settled(market, batch, as_json)
    book, posted = collect(market, settled)
    report = audit(book.state, book.entries, posted, _opinion(engine))
    units = market_units(market.view())
    emit(as_json, _data(report, posted, units), lambda: _show(report, posted, units))
    return 0 if report.ok else 1


def collect(market: Market, settled: Settled) -> tuple[Book, Posted]:
    """The book as the settlement found it, and what it posted and left, all from the chain."""
    batch = settled.batch
    seals = market.seals(batch)
    book = book_of(market, batch, seals, market.stood(settled.block_number))
    (outcome,) = market.read_all([("outcome", batch)])
    applied = market.applied_block(settled)
    after = read_after(market, book.state, applied)
    posted = Posted(
        prices=dict(zip(settled.products, settled.prices, strict=True)),
        shadows=read_posting(market, settled, seals).shadows,
        volumes=dict(zip(settled.products, settled.volumes, strict=True)),
        live=settled.live,
        void_count=settled.voids,
        loss=settled.loss,
        freedom=settled.freedom,
        voids={to_canonical_address(e.account): e.reason for e in market.void_events(batch)},
        outcome=outcome,
        after=without_later_moves(market, after, settled, applied),
    )
    return book, posted


def without_later_moves(
    market: Market, after: BatchState, settled: Settled, block: int
) -> BatchState:
    """Take deposits and withdrawals that follow the settlement, up to `block`, out again."""
    accounts = {account.address: account for account in after.accounts}
    assets = {p.asset.id: p.asset for p in market.view().products}
    place = (settled.block_number, settled.log_index)
    for event in market.history((Deposited, Withdrawn), settled.block_number, block):
        if not isinstance(event, Deposited | Withdrawn):
            continue
        if (event.block_number, event.log_index) < place:
            continue
        owner = to_canonical_address(event.account)
        if owner not in accounts:
            continue
        cash = event.asset == CASH
        unit = market.terms.cash_unit if cash else assets[event.asset].unit
        moved = ceil_div(event.amount * (X40 if cash else X44), unit)
        accounts[owner] = _less(
            accounts[owner], event.asset, moved if isinstance(event, Deposited) else -moved
        )
    return replace(after, accounts=tuple(accounts.values()))


def _less(account: AccountState, asset: int, amount: int) -> AccountState:
    if asset == CASH:
        return replace(account, cash=account.cash - amount)
    return replace(account, lots={**account.lots, asset: account.lots.get(asset, 0) - amount})


def _opinion(engine: str) -> SecondOpinion | None:
    if engine == "none":
        return None
    return lambda state, opened: solve_batch(state, opened, engine=engine).prices


def _not_settled(market: Market, batch: int, as_json: bool) -> int:
    phase = market.phase(batch)
    now = market.client.now()
    if phase is not Phase.VOID:
        when = clock(market.schedule.boundaries(batch).deadline, now)
        raise ChainError(
            f"batch {batch} is {phase.name}, there is nothing to audit yet; it is settled or void "
            f"at the latest {when}"
        )
    data = {"batch": batch, "ok": True, "phase": phase.name}
    emit(
        as_json,
        data,
        lambda: say(f"Batch {batch} is void: nothing traded, every ledger is as it was."),
    )
    return 0


def _show(report: AuditReport, posted: Posted, units: MarketUnits) -> None:
    cash = units.cash
    _show_prices(report, posted, units)
    if report.settlement is not None:
        rows = [
            (
                shorten(to_checksum_address(address)),
                _moves(fills, units) or "no trade",
                exact_text(cash.cash(report.settlement.cash[address]), places=cash.decimals),
                exact_text(_in_cash(report.surplus[address], units), places=cash.decimals),
            )
            for address, fills in report.settlement.fills.items()
        ]
        table("Fills", ("account", "received", f"{cash.symbol} received", "surplus"), rows, left=2)
    if posted.voids:
        voids = [
            (to_checksum_address(address), VoidReason(reason).name)
            for address, reason in posted.voids.items()
        ]
        table("Void submissions", ("account", "reason"), voids, left=2)
    facts(
        [
            ("surplus", f"{_money(report.total_surplus, units)} gained by all bidders together"),
            ("lost to rounding", f"at most {_money(Fraction(posted.loss, X40), units)}"),
            ("freedom of prices", f"at most {_money(Fraction(posted.freedom, X40), units)}"),
        ]
    )
    for check in report.checks:
        mark, style = ("✓", "green") if check.passed else ("✗", "bold red")
        say(f"{mark} {check.name}: {check.detail}", style)
    if report.ok:
        say(f"Batch {report.batch} is right: everything on chain can be recomputed.", "bold green")
        return
    failed = ", ".join(check.name for check in report.checks if not check.passed)
    console().rule(style="bold red")
    say(f"BATCH {report.batch} IS WRONG: {failed}. Do not rely on it.", "bold red")
    console().rule(style="bold red")


def _show_prices(report: AuditReport, posted: Posted, units: MarketUnits) -> None:
    rows = []
    for k, price in posted.prices.items():
        product = units.by_id(k)
        deviation = report.deviations.get(k)
        rows.append(
            (
                units.label(k),
                exact_text(_price(price, k, units), places=8),
                exact_text(product.tokens_of_ledger(posted.volumes[k]), places=6),
                "" if deviation is None else f"{float(deviation):+.1e}",
            )
        )
    title = f"Batch {report.batch} (prices in {units.cash.symbol} per token)"
    table(title, ("product", "price", "volume", "second opinion"), rows)


def _moves(fills: Mapping[int, int], units: MarketUnits) -> str:
    return portfolio_text(
        [
            (units.label(k), _rounded(units.by_id(k).tokens_of_ledger(fill)))
            for k, fill in fills.items()
            if fill
        ]
    )


def _rounded(value: Fraction) -> Fraction:
    return Fraction(round(value * 10**6), 10**6)


def _price(x84: int, product: int, units: MarketUnits) -> Fraction:
    """Cash tokens per product token."""
    return units.cash.cash(Fraction(x84, X44)) * units.by_id(product).lots(Fraction(1))


def _in_cash(cash_units: Fraction, units: MarketUnits) -> Fraction:
    return units.cash.cash(cash_units * X40)


def _money(cash_units: Fraction, units: MarketUnits) -> str:
    return f"{exact_text(_in_cash(cash_units, units), places=9)} {units.cash.symbol}"


def _data(report: AuditReport, posted: Posted, units: MarketUnits) -> dict[str, Any]:
    settlement = report.settlement
    fills = {} if settlement is None else settlement.fills
    return {
        "batch": report.batch,
        "ok": report.ok,
        "phase": Phase.SETTLED.name,
        "checks": [{"name": c.name, "passed": c.passed, "detail": c.detail} for c in report.checks],
        "prices": {
            units.label(k): plain_text(_price(p, k, units)) for k, p in posted.prices.items()
        },
        "volumes": {
            units.label(k): plain_text(units.by_id(k).tokens_of_ledger(v))
            for k, v in posted.volumes.items()
        },
        "fills": {
            to_checksum_address(address): {
                "products": {
                    units.label(k): plain_text(units.by_id(k).tokens_of_ledger(v))
                    for k, v in moves.items()
                },
                "cash": plain_text(units.cash.cash(settlement.cash[address])),
                "rates_x44": list(settlement.rates[address]),
                "surplus": plain_text(_in_cash(report.surplus[address], units)),
            }
            for address, moves in fills.items()
            if settlement is not None
        },
        "voids": {
            to_checksum_address(address): VoidReason(reason).name
            for address, reason in posted.voids.items()
        },
        "surplus": plain_text(_in_cash(report.total_surplus, units)),
        "loss_to_rounding": plain_text(units.cash.cash(posted.loss)),
        "freedom_of_prices": plain_text(units.cash.cash(posted.freedom)),
        "second_opinion": {units.label(k): float(d) for k, d in report.deviations.items()},
    }
