"""What `walras order check` says of an order: its meaning, its escrow, its life."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from walras.auths import Cover
from walras.chain.views import MarketView
from walras.cli.output import clock, console, say, span, table
from walras.cli.prepare import Prepared, asset_amounts, deposits_for
from walras.orders import Converted, Holdings
from walras.orders.describe import Summary, summarise
from walras.orders.describe_costs import summarise_cost
from walras.orders.escrow import bounded, lifetime_cover
from walras.orders.progress import batches_at_full_rate
from walras.schedule import Phase
from walras.units import MarketUnits, exact_text, floor_text, plain_text
from walras.words import counted

__all__ = ["Checked", "explain"]


@dataclass(frozen=True, slots=True)
class Checked:
    """An order explained; ``lifetime`` is the escrow it takes to its limits, ``notes`` its life.

    ``lifetime`` is None if it stands with a side that no limit ends: it takes more every batch.
    ``batches`` are those it needs at full rate, None without a limit.
    """

    prepared: Prepared
    auths: tuple[Summary, ...]
    costs: tuple[Summary, ...]
    lifetime: Cover | None
    batches: int | None
    notes: tuple[str, ...]

    def data(self) -> dict[str, Any]:
        """For JSON; amounts in tokens."""
        prepared, market = self.prepared, self.prepared.market
        known = prepared.held is not None
        missing = deposits_for(market, prepared.missing)
        return {
            "auths": [
                {
                    **_summary_data(summary, "portfolio"),
                    **_limits_data(converted),
                    "legs": {leg.product: leg.weight for leg in converted.auth.legs},
                    "chain_units_per_unit": plain_text(converted.units),
                }
                for summary, converted in zip(self.auths, prepared.order.auths, strict=True)
            ],
            "costs": [
                {
                    **_summary_data(summary, "group"),
                    "coefficients": {
                        term.auth + 1: term.coefficient for term in converted.cost.terms
                    },
                    "chain_units_per_unit": plain_text(converted.units),
                }
                for summary, converted in zip(self.costs, prepared.order.costs, strict=True)
            ],
            "standing": prepared.submission.standing,
            "batches_at_full_rate": self.batches,
            "escrow": _plain(asset_amounts(market, prepared.need)),
            "escrow_in_all": (
                None if self.lifetime is None else _plain(asset_amounts(market, self.lifetime))
            ),
            "missing": _plain(missing) if known else None,
            "covered": prepared.covered if known else None,
            "valid_until": prepared.submission.valid_until,
            "units": prepared.units,
            "bytes": prepared.ciphertext_length,
            "fee": plain_text(market.cash.cash(prepared.fee)),
            "rent_per_batch": plain_text(market.cash.cash(prepared.rent)),
            "notes": list(self.notes),
        }

    def show(self) -> None:
        """For a person."""
        cash = self.prepared.market.cash
        for kind, summaries in (("Auth", self.auths), ("Cost", self.costs)):
            for summary in summaries:
                _show_summary(kind, summary, cash.symbol, max(cash.decimals, 6))
        _show_escrow(self.prepared, self.lifetime)
        fee = exact_text(cash.cash(self.prepared.fee), places=6).removeprefix("≈")
        say(
            f"Declares {counted(self.prepared.units, 'unit')} for "
            f"{counted(self.prepared.ciphertext_length, 'byte')}; "
            f"admission costs about {fee} {cash.symbol} now."
        )
        for note in self.notes:
            say(note)
        if self.prepared.held is not None and self.prepared.covered:
            say("Covered: ready to seal.", "green")


def explain(prepared: Prepared, view: MarketView) -> Checked:
    """Explain an order to somebody who may seal it in the present batch of the market."""
    order, market = prepared.order, prepared.market
    references = {p.asset.id: p.state.reference for p in view.products}
    humans = [converted.human for converted in order.auths]
    batches = _batches(order.auths)
    return Checked(
        prepared,
        tuple(summarise(auth, market, references) for auth in order.auths),
        tuple(summarise_cost(cost, humans, market.cash) for cost in order.costs),
        _lifetime(prepared),
        batches,
        tuple(_notes(prepared, view, batches)),
    )


def _lifetime(prepared: Prepared) -> Cover | None:
    if not prepared.submission.standing:
        return prepared.need
    return lifetime_cover(prepared.submission) if bounded(prepared.submission) else None


def _batches(auths: Iterable[Converted]) -> int | None:
    """Batches until every auth is at a limit at full rate; None if one never is."""
    longest = []
    for converted in auths:
        needs = [n for n in batches_at_full_rate(converted.auth) if n is not None]
        if not needs:
            return None
        longest.append(max(needs))
    return max(longest)


def _notes(prepared: Prepared, view: MarketView, batches: int | None) -> Iterable[str]:
    schedule, until = view.terms.schedule, prepared.submission.valid_until
    if until:
        yield f"Void in batches that lock out after {clock(until, view.now)}."
    if not prepared.submission.standing:
        return
    cash = prepared.market.cash
    rent = exact_text(cash.cash(prepared.rent), places=6)
    yield (
        "Standing: it trades in every batch until it is complete, expired or cancelled, and pays a "
        f"rent of {rent} {cash.symbol} a batch or more, as gas prices go."
    )
    first = view.current + (view.phase not in (Phase.OPEN, Phase.LOCKED_IN))
    if batches is not None:
        last = schedule.boundaries(first + batches - 1).lock_out
        yield (
            f"At full rate it is complete after {counted(batches, 'batch')}, "
            f"{span(batches * schedule.period)}: {clock(last, view.now)} at the earliest."
        )
        if 0 < until < last:
            yield "It expires before that, so it cannot trade all of its limits."
    yield (
        "A standing order is public from its first batch on: when that batch's key is published "
        "everybody reads its curves, limits and costs, for as long as it stands."
    )


def _summary_data(summary: Summary, kind: str) -> dict[str, Any]:
    return {
        "name": summary.name,
        kind: summary.combination,
        "per": summary.per,
        "words": list(summary.words),
        "points": [
            {"rate": plain_text(r.rate), "asked": plain_text(r.asked), "read": plain_text(r.read)}
            for r in summary.readings
        ],
    }


def _limits_data(converted: Converted) -> dict[str, Any]:
    limits = converted.human.limits
    low, high = (None, None) if limits is None else (limits.low, limits.high)
    sell, buy = batches_at_full_rate(converted.auth)
    return {
        "min_trade": None if low is None else plain_text(low),
        "max_trade": None if high is None else plain_text(high),
        "batches_at_full_rate": max((n for n in (sell, buy) if n is not None), default=None),
    }


def _show_summary(kind: str, summary: Summary, cash: str, places: int) -> None:
    say(f"{kind} {summary.name}: {summary.combination}", "bold")
    for sentence in summary.words:
        say(f"  {sentence}")
    if not summary.chart:
        return
    for line in summary.chart:
        console().print("  " + line, markup=False, no_wrap=True)
    rows = [
        (
            exact_text(r.rate),
            exact_text(r.asked),
            exact_text(r.read, places=places),
            "as asked" if r.read == r.asked else "steeper: the least slope",
        )
        for r in summary.readings
    ]
    rate = "rate" if summary.per == "batch" else f"rate per {summary.per}"
    title = f"How the contract reads it (prices in {cash} per unit)"
    table(title, (rate, "price asked", "price read", ""), rows, left=0)


def _show_escrow(prepared: Prepared, lifetime: Cover | None) -> None:
    market, held = prepared.market, prepared.held
    cash, standing = market.cash, prepared.submission.standing
    need = asset_amounts(market, prepared.need)
    in_all = {} if lifetime is None else asset_amounts(market, lifetime)
    wanted = deposits_for(market, prepared.missing)
    places = max(cash.decimals, 6)
    rows = []
    for name in dict.fromkeys([cash.symbol, *need, *in_all]):
        short = wanted.get("cash" if name == cash.symbol else name, Fraction(0))
        amounts = [exact_text(need.get(name, Fraction(0)), places=places)]
        if standing:
            total = exact_text(in_all.get(name, Fraction(0)), places=places)
            amounts.append("no limit" if lifetime is None else total)
        rows.append(
            (
                name,
                *amounts,
                "?" if held is None else _held(market, held, name),
                "" if held is None or not short else plain_text(short),
            )
        )
    locks = ("locks in a batch", "takes in all") if standing else ("locks",)
    table("Escrow", ("asset", *locks, "held", "deposit first (with the fee)"), rows)


def _held(market: MarketUnits, held: Holdings, name: str) -> str:
    if name == market.cash.symbol:
        return floor_text(market.cash.cash(held.cash), market.cash.decimals)
    product = market.product(name)
    tokens = product.tokens_of_ledger(held.lots.get(product.id, 0))
    return floor_text(tokens, product.decimals)


def _plain(amounts: dict[str, Fraction]) -> dict[str, str]:
    return {name: plain_text(amount) for name, amount in amounts.items()}
