"""The result on the terminal: tables, and the book of one stock as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scripts._demo.depth import book_of
from scripts._demo.outcome import Balance, Outcome
from scripts._demo.play import VILLAINS
from walras.cli.status import VOID_WORDS

__all__ = ["show"]

_LEVELS: Final = 15
_BAR: Final = 30


def show(
    console: Console,
    outcome: Outcome,
    audit: Mapping[str, Any],
    books: Sequence[Balance],
    report: Mapping[str, Any],
) -> None:
    """Everything worth reading after a run."""
    console.print()
    console.print(_prices(outcome))
    console.print(_ladder(outcome))
    console.print(_fills(outcome))
    console.print(_bounds(outcome))
    console.print(_voids(outcome))
    console.print(_balances(books))
    console.print(_checks(audit))
    console.print(_figures(report))


def _prices(outcome: Outcome) -> Table:
    table = _table("Prices and volumes")
    _columns(table, "stock", "last close", "cleared at", "change", "shares", "turnover")
    for k, price in outcome.prices.items():
        reference = outcome.references[k]
        change = float(price / reference - 1)
        table.add_row(
            outcome.symbols[k],
            f"{float(reference):,.2f}",
            f"{float(price):,.4f}",
            Text(f"{change:+.2%}", style="green" if change >= 0 else "red"),
            f"{float(outcome.volumes[k]):,.1f}",
            f"{float(price * outcome.volumes[k]):,.0f}",
        )
    table.add_section()
    table.add_row("all", "", "", "", "", f"{float(outcome.turnover):,.0f}")
    return table


def _ladder(outcome: Outcome) -> Table:
    """Demand and supply of the most traded stock, level by level."""
    k = max(outcome.prices, key=lambda k: outcome.prices[k] * outcome.volumes[k])
    cleared = float(outcome.prices[k])
    levels = cleared * (1 + np.linspace(0.035, -0.035, _LEVELS))
    demand, supply = book_of(outcome, k, levels)
    most = max(float(demand.max()), float(supply.max()), 1.0)
    title = f"The book of {outcome.symbols[k]}, all others at their clearing prices"
    table = _table(title)
    _columns(table, "price", "demand", "", "supply")
    table.add_column("", justify="left")
    for level, bought, sold in zip(levels, demand, supply, strict=True):
        here = abs(level - cleared) < 1e-9
        table.add_row(
            Text(f"{'◆ ' if here else ''}{level:,.2f}", style="bold yellow" if here else ""),
            f"{bought:,.0f}",
            Text(_bar(bought / most), style="blue"),
            f"{sold:,.0f}",
            Text(_bar(sold / most), style="red"),
        )
    return table


def _fills(outcome: Outcome) -> Table:
    table = _table("Fills (shares received, dollars received)")
    _columns(table, "bidder", "kind", "auths", *outcome.symbols, "USD", left=2)
    for trader in outcome.traders:
        shares = [_signed(trader.shares.get(k, 0.0), 1) for k in range(len(outcome.symbols))]
        auths = f"{trader.filled}/{trader.auths}"
        table.add_row(trader.name, trader.kind, auths, *shares, _signed(trader.dollars, 0))
    return table


def _bounds(outcome: Outcome) -> Table:
    table = _table("Limits of what stands, and costs over several auths")
    _columns(table, "bidder", "what", "traded", "at most", "shadow price", left=2)
    for b in outcome.bounds:
        shadow = "" if b.shadow is None else f"{b.shadow:,.4f}"
        table.add_row(b.bidder, b.what, f"{b.traded:+,.4f}", f"{b.most:+,.0f}", shadow)
    return table


def _voids(outcome: Outcome) -> Table:
    table = _table("Void submissions: nothing of them trades, and nothing of them stops the batch")
    _columns(table, "bidder", "sealed", "reason", "which means", left=4)
    for name, reason in outcome.voids.items():
        sealed = VILLAINS.get(name, "an order")
        table.add_row(name, sealed, Text(reason.name, style="red"), VOID_WORDS[reason])
    return table


def _balances(books: Sequence[Balance]) -> Table:
    table = _table("The books balance, in ledger integers (2^-40 cash units, 2^-44 lots)")
    _columns(table, "asset", "bidders gained", "house gained", "sum", "contract holds", "unclaimed")
    table.add_column("", justify="left")
    for b in books:
        table.add_row(
            b.symbol,
            f"{b.bidders:+,d}",
            f"{b.house:+,d}",
            Text(f"{b.bidders + b.house}", style="bold green" if b.conserved else "bold red"),
            f"{b.held:,d}",
            f"{b.held - b.claimed:,d}",
            Text("✓ covered", style="green") if b.solvent else Text("✗ SHORT", style="bold red"),
        )
    return table


def _checks(audit: Mapping[str, Any]) -> Table:
    table = _table("walras audit 1")
    _columns(table, "", "check", "found", left=3)
    for check in audit["checks"]:
        mark = Text("✓", style="green") if check["passed"] else Text("✗", style="bold red")
        table.add_row(mark, check["name"], check["detail"])
    return table


def _figures(report: Mapping[str, Any]) -> Table:
    gas, seconds = report["gas"], report["seconds"]
    table = _table("Figures")
    _columns(table, "what", "value", left=1)
    rows = [
        ("auths that traded", f"{report['filled']} of {report['auths']}"),
        ("gained by all bidders together", f"{float(report['surplus']):,.2f} USD"),
        ("welfare lost to rounding, at most", f"{float(report['gap']):.1e} USD"),
        ("gas of a seal (median)", f"{gas['seal_median']:,}"),
        ("gas of the settlement", f"{gas['settle']:,}"),
        ("gas of the settlement per auth", f"{gas['settle_per_auth']:,}"),
        *(
            (f"seconds: {name.replace('_', ' ')}", f"{value:.1f}")
            for name, value in seconds.items()
        ),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1),
    )


def _columns(table: Table, *names: str, left: int = 1) -> None:
    for i, name in enumerate(names):
        table.add_column(name, justify="left" if i < left else "right", no_wrap=i < len(names) - 1)


def _signed(value: float, places: int) -> Text:
    if abs(value) < 0.5 * 10**-places:
        return Text("·", style="dim")
    return Text(f"{value:+,.{places}f}", style="blue" if value > 0 else "red")


def _bar(share: float) -> str:
    eighths = round(share * _BAR * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
