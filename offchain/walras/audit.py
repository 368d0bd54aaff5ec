"""Audit of one settled batch: recompute everything from chain data and say what does not agree.

Pure: the caller reads the chain and hands over what it found. Every decision is made in exact
integers; the second opinion on the prices is a callable, so no solver is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

from walras.auths import Submission
from walras.batch import AccountState, BatchState
from walras.certificate import Settlement, evaluate, settle
from walras.curve import breakpoints, cost_breakpoints, cost_sum, portfolio_price
from walras.decoding import VoidReason
from walras.errors import CertificateError, ClearingError
from walras.numbers import X40, X44, X84
from walras.opening import Entry, Opened, open_batch, priced_products
from walras.settlement import apply, outcome_hash
from walras.words import counted

__all__ = ["AuditReport", "Check", "Posted", "SecondOpinion", "audit", "surplus_of"]

SecondOpinion = Callable[[BatchState, Sequence[Opened]], Mapping[int, int]]
"""Another solver's prices X84 by product."""

_AGREEMENT: Final = Fraction(
    1, 10**6
)  # of a product's scale: what two honest solvers may differ by


@dataclass(frozen=True, slots=True)
class Posted:
    """What the chain says about the settlement of a batch.

    ``prices`` X84 and ``volumes`` lots X44 by product, ``loss`` and ``freedom`` X40 and ``live``
    from the event; ``voids`` from the void events by address, ``void_count`` from the settlement's;
    ``outcome`` is the stored hash; ``after`` are the ledgers, houses, references and standing
    submissions the settlement left. ``shadows`` X84 by account from the settlement's calldata.
    """

    prices: Mapping[int, int]
    shadows: Mapping[bytes, tuple[int, ...]]
    volumes: Mapping[int, int]
    live: int
    void_count: int
    loss: int
    freedom: int
    voids: Mapping[bytes, int]
    outcome: bytes
    after: BatchState


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; ``detail`` says what was found, and what differs if it failed."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Outcome of an audit.

    ``settlement`` is what the posted prices do to the opened book (None if it cannot be computed),
    ``surplus`` by account in cash units, exactly: what its fills are worth on its own curves less
    what it paid. ``deviations``: posted price less the second opinion's, as a share of scale.
    """

    batch: int
    opened: tuple[Opened, ...]
    settlement: Settlement | None
    surplus: Mapping[bytes, Fraction]
    deviations: Mapping[int, Fraction]
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return all(check.passed for check in self.checks)

    @property
    def total_surplus(self) -> Fraction:
        """Cash units gained by all accounts together."""
        return sum(self.surplus.values(), Fraction(0))


def audit(
    state: BatchState,
    entries: Sequence[Entry],
    posted: Posted,
    second_opinion: SecondOpinion | None = None,
) -> AuditReport:
    """Open, settle and compare. Never raises for what the chain says, only reports it."""
    checks = [_completeness(state, entries, posted)]
    try:
        opened = open_batch(state, entries)
    except CertificateError as error:
        checks.append(Check("opening", False, str(error)))
        return AuditReport(state.number, (), None, {}, {}, tuple(checks))
    checks.append(_openings(opened))
    checks.append(_voids(opened, posted))
    checks.append(_certificate(state, opened, posted))
    checks.append(_outcome(posted))
    settlement: Settlement | None = None
    deviations: dict[int, Fraction] = {}
    if set(priced_products(opened)) <= set(posted.prices) <= set(state.products):
        settlement = evaluate(state, opened, posted.prices, _costed(opened, posted))
        checks.append(_figures(settlement, posted))
        checks.append(_ledgers(apply(state, settlement), posted.after))
    if second_opinion is not None:
        check, deviations = _second_opinion(state, opened, posted, second_opinion)
        checks.append(check)
    surplus = {} if settlement is None else _surpluses(state, opened, settlement)
    return AuditReport(state.number, opened, settlement, surplus, deviations, tuple(checks))


def surplus_of(
    submission: Submission,
    ticks: Mapping[int, int],
    rates: Sequence[int],
    prices: Mapping[int, int],
) -> Fraction:
    """What ``rates`` (X44) are worth on its own curves and costs less their price, in cash units.

    Σ_j ∫ m_j + Σ_d ∫ m_d − Σ_j (w_j·p) y_j; ``prices`` X84 by product. Never negative at the rates
    of its demand, but for what the costs' rounding is worth.
    """
    worth = Fraction(0)
    for auth, guard, rate in zip(submission.auths, submission.guards, rates, strict=True):
        worth += _value(breakpoints(auth, ticks, guard), Fraction(rate, X44))
        worth -= Fraction(rate, X44) * Fraction(portfolio_price(auth, prices), X84)
    for cost in submission.costs:
        worth += _value(cost_breakpoints(cost), Fraction(cost_sum(cost, rates), X44))
    return worth


def _value(points: Sequence[tuple[int, int]], target: Fraction) -> Fraction:
    """∫ m from 0 to ``target``; beyond its ends a curve goes on level."""
    first, last = points[0], points[-1]
    low, high = min(target, Fraction(first[0])), max(target, Fraction(last[0]))
    whole: list[tuple[Fraction | int, int]] = [(low, first[1]), *points, (high, last[1])]
    zero, worth = Fraction(0), Fraction(0)
    for (left, upper), (right, lower) in pairwise(whole):
        start = max(min(target, zero), Fraction(left))
        end = min(max(target, zero), Fraction(right))
        if start >= end:
            continue
        slope = Fraction(lower - upper) / (right - left)
        area = (end - start) * (upper + slope * ((start + end) / 2 - left)) / X40
        worth += area if target > 0 else -area
    return worth


def _completeness(state: BatchState, entries: Sequence[Entry], posted: Posted) -> Check:
    live = {account.address for account in state.accounts}
    missing = live - {entry.account for entry in entries}
    passed = not missing and posted.live == len(live) == len(entries)
    detail = (
        f"{counted(len(live), 'account')} live at lock-out, {posted.live} listed by the settlement"
    )
    if missing:
        detail += f"; nothing is known of {_names(missing)}"
    return Check("completeness", passed, detail)


def _openings(opened: Sequence[Opened]) -> Check:
    count = sum(one.reason is not VoidReason.UNOPENED for one in opened)
    detail = (
        f"opened {count} of {counted(len(opened), 'submission')}; all match their stored hashes"
    )
    return Check("opening", True, detail)


def _voids(opened: Sequence[Opened], posted: Posted) -> Check:
    own = {one.account.address: int(one.reason) for one in opened if one.reason is not None}
    differ = {a for a in own.keys() | posted.voids.keys() if own.get(a) != posted.voids.get(a)}
    if differ:
        return Check("voids", False, f"status differs from the void events: {_names(differ)}")
    if len(own) != posted.void_count:
        detail = f"{counted(len(own), 'submission')} void, the settlement says {posted.void_count}"
        return Check("voids", False, detail)
    return Check(
        "voids", True, f"{counted(len(own), 'submission')} void, each for the posted reason"
    )


def _certificate(state: BatchState, opened: Sequence[Opened], posted: Posted) -> Check:
    try:
        settle(state, opened, posted.prices, _costed(opened, posted))
    except CertificateError as error:
        return Check("certificate", False, str(error))
    count = len(posted.prices)
    return Check(
        "certificate",
        True,
        f"cleared: {counted(count, 'product')}, all of them; the prices are optimal",
    )


def _outcome(posted: Posted) -> Check:
    products = list(posted.prices)
    own = outcome_hash(products, [posted.prices[k] for k in products])
    if own != posted.outcome:
        detail = f"the event's prices hash to 0x{own.hex()}, not 0x{posted.outcome.hex()}"
        return Check("outcome", False, detail)
    return Check("outcome", True, f"prices are those behind the stored hash 0x{own.hex()[:12]}…")


def _figures(settlement: Settlement, posted: Posted) -> Check:
    own = (dict(settlement.volumes), settlement.loss_x40, settlement.freedom_x40)
    said = (dict(posted.volumes), posted.loss, posted.freedom)
    names = ("volumes", "loss to rounding", "freedom of prices")
    wrong = [n for n, mine, theirs in zip(names, own, said, strict=True) if mine != theirs]
    if wrong:
        return Check("figures", False, f"the event's {' and '.join(wrong)} are not the true ones")
    return Check("figures", True, "volumes and bounds of the event are exact")


def _costed(opened: Sequence[Opened], posted: Posted) -> dict[bytes, tuple[int, ...]]:
    """The posted shadow prices of those that have costs."""
    costs = {one.account.address for one in opened if one.costs}
    return {account: values for account, values in posted.shadows.items() if account in costs}


def _stands(account: AccountState) -> tuple[bytes, int, bool] | None:
    return (account.seal_hash, account.units, account.uncovered) if account.standing else None


def _ledgers(expected: BatchState, found: BatchState) -> Check:
    wrong = []
    after = {account.address: account for account in found.accounts}
    for account in expected.accounts:
        other = after.get(account.address)
        lots = {} if other is None else other.lots
        if other is None or other.cash != account.cash:
            wrong.append(f"cash of {_names([account.address])}")
        if any(lots.get(k, 0) != held for k, held in account.lots.items()):
            wrong.append(f"lots of {_names([account.address])}")
        if other is not None and _stands(other) != _stands(account):
            wrong.append(f"what stands of {_names([account.address])}")
    for k, product in expected.products.items():
        other_product = found.products.get(k)
        if other_product is None or other_product.house != product.house:
            wrong.append(f"house of product {k}")
        if other_product is None or other_product.reference != product.reference:
            wrong.append(f"reference of product {k}")
    if found.house_cash != expected.house_cash:
        wrong.append("house cash")
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        return Check("ledgers", False, f"not as the prices make them: {', '.join(wrong[:5])}{more}")
    return Check(
        "ledgers",
        True,
        f"{counted(len(expected.accounts), 'account')}, houses and references moved exactly",
    )


def _second_opinion(
    state: BatchState, opened: Sequence[Opened], posted: Posted, solve: SecondOpinion
) -> tuple[Check, dict[int, Fraction]]:
    try:
        prices = solve(state, opened)
    except ClearingError as error:
        return Check("second opinion", False, f"the other solver found nothing: {error}"), {}
    deviations = {
        k: Fraction(posted.prices.get(k, 0) - price, state.products[k].scale << 60)
        for k, price in prices.items()
    }
    if prices.keys() != posted.prices.keys():
        return Check("second opinion", False, "another set of products has to be priced"), {}
    worst = max(map(abs, deviations.values()), default=Fraction(0))
    detail = f"another solver's prices agree to {float(worst):.1e} of scale"
    return Check("second opinion", worst <= _AGREEMENT, detail), deviations


def _surpluses(
    state: BatchState, opened: Sequence[Opened], settlement: Settlement
) -> dict[bytes, Fraction]:
    ticks = state.ticks
    return {
        one.account.address: surplus_of(
            one.submission, ticks, settlement.rates[one.account.address], settlement.prices
        )
        for one in opened
        if one.submission is not None and one.account.address in settlement.rates
    }


def _names(addresses: Sequence[bytes] | set[bytes]) -> str:
    listed = sorted(addresses)
    shown = ", ".join("0x" + address.hex() for address in listed[:3])
    return shown + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")
