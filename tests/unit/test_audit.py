"""The audit agrees with an honest settlement and names whatever is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from tests.vectors.cases.codec import books, entries_of, shadows_of, state_of
from walras.audit import Posted, audit, surplus_of
from walras.auths import Cost, Term
from walras.batch import BatchState
from walras.certificate import settle
from walras.curve import demand
from walras.errors import ClearingError
from walras.numbers import X40, X44, X84
from walras.opening import Entry, open_batch
from walras.settlement import apply, outcome_hash
from walras.submission import Auth, Leg, Step, Submission

CASES = books()
BOOK = max(CASES, key=lambda case: len(case["accounts"]))
VOIDS = next(case for case in CASES if case["name"] == "every void")

Audited = tuple[BatchState, list[Entry], Posted]


def honest(case: dict[str, Any]) -> Audited:
    """A case with what an honest chain says about its settlement."""
    state = state_of(case)
    entries = entries_of(case)
    products, prices = case["posted"]["products"], case["posted"]["prices"]
    opened = open_batch(state, entries)
    settlement = settle(state, opened, dict(zip(products, prices, strict=True)), shadows_of(case))
    posted = Posted(
        prices=settlement.prices,
        shadows={entry.account: () for entry in entries} | dict(settlement.shadows),
        volumes=settlement.volumes,
        live=len(opened),
        void_count=len(settlement.voids),
        loss=settlement.loss_x40,
        freedom=settlement.freedom_x40,
        voids={address: int(reason) for address, reason in settlement.voids.items()},
        outcome=outcome_hash(products, prices),
        after=apply(state, settlement),
    )
    return state, entries, posted


def failed(audited: Audited) -> list[str]:
    return [check.name for check in audit(*audited).checks if not check.passed]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_honest_settlement__passes_every_check(case: dict[str, Any]) -> None:
    state, entries, posted = honest(case)
    report = audit(state, entries, posted, lambda *_: posted.prices)
    assert report.ok, report.checks
    assert len(report.checks) == 8
    assert set(report.deviations.values()) <= {0}
    assert set(report.surplus) == {
        account.address for account in state.accounts if account.address not in posted.voids
    }
    coupled = posted.shadows
    assert all(gain >= 0 for a, gain in report.surplus.items() if not coupled[a])
    assert all(gain * X40 >= -posted.loss for gain in report.surplus.values())
    assert report.total_surplus == sum(report.surplus.values())


def first(mapping: dict[int, int] | Any) -> int:
    return int(next(iter(mapping)))


def bumped(mapping: Any, by: int = 1) -> dict[int, int]:
    key = first(mapping)
    return {**mapping, key: mapping[key] + by}


def poorer(after: BatchState) -> BatchState:
    account, *others = after.accounts
    return replace(after, accounts=(replace(account, cash=account.cash - 1), *others))


def lighter(after: BatchState) -> BatchState:
    account = next(account for account in after.accounts if account.lots)
    thinner = replace(account, lots=bumped(account.lots, -1))
    accounts = tuple(thinner if a is account else a for a in after.accounts)
    return replace(after, accounts=accounts)


def moved(after: BatchState, **fields: int) -> BatchState:
    key = first(after.products)
    product = after.products[key]
    changed = replace(product, **{k: getattr(product, k) + v for k, v in fields.items()})
    return replace(after, products={**after.products, key: changed})


@pytest.mark.parametrize(
    ("lie", "found"),
    [
        (lambda p: replace(p, live=p.live + 1), ["completeness"]),
        (lambda p: replace(p, void_count=p.void_count + 1), ["voids"]),
        (lambda p: replace(p, voids={b"\x01" * 20: 2}), ["voids"]),
        (lambda p: replace(p, outcome=bytes(32)), ["outcome"]),
        (lambda p: replace(p, volumes=bumped(p.volumes)), ["figures"]),
        (lambda p: replace(p, loss=p.loss - 1), ["figures"]),
        (lambda p: replace(p, freedom=p.freedom + 1), ["figures"]),
        (lambda p: replace(p, after=poorer(p.after)), ["ledgers"]),
        (lambda p: replace(p, after=lighter(p.after)), ["ledgers"]),
        (lambda p: replace(p, after=moved(p.after, house=1)), ["ledgers"]),
        (lambda p: replace(p, after=moved(p.after, reference=1)), ["ledgers"]),
        (lambda p: replace(p, after=replace(p.after, house_cash=0)), ["ledgers"]),
        (lambda p: replace(p, after=replace(p.after, accounts=())), ["ledgers"]),
    ],
)
def test_lie__fails_the_check_that_sees_it(
    lie: Callable[[Posted], Posted], found: list[str]
) -> None:
    state, entries, posted = honest(BOOK)
    assert failed((state, entries, lie(posted))) == found


def test_other_prices__fail_certificate_outcome_and_all_that_follows() -> None:
    state, entries, posted = honest(BOOK)
    prices = bumped(posted.prices, X84)
    names = failed((state, entries, replace(posted, prices=prices)))
    assert {"certificate", "outcome", "ledgers"} <= set(names)


def test_price_left_out__is_reported_without_a_settlement() -> None:
    state, entries, posted = honest(BOOK)
    prices = dict(posted.prices)
    prices.pop(first(prices))
    report = audit(state, entries, replace(posted, prices=prices), lambda *_: posted.prices)
    assert report.settlement is None
    assert not report.ok
    assert "PriceMissing" in next(c.detail for c in report.checks if c.name == "certificate")
    assert {c.name for c in report.checks if not c.passed} >= {"certificate", "second opinion"}


def test_hidden_ciphertext__and_a_forged_one() -> None:
    state, entries, posted = honest(BOOK)
    hidden, *rest = entries
    assert "completeness" in failed((state, rest, posted))
    forged = [replace(hidden, payload=hidden.payload + b"\x00"), *rest]
    report = audit(state, forged, posted)
    assert [c.name for c in report.checks if not c.passed] == ["opening"]
    assert hidden.account.hex() in report.checks[-1].detail


def test_void_reason__other_than_posted__names_the_account() -> None:
    state, entries, posted = honest(VOIDS)
    address, reason = next(iter(posted.voids.items()))
    lie = replace(posted, voids={**posted.voids, address: reason % 5 + 1})
    report = audit(state, entries, lie)
    (wrong,) = [check for check in report.checks if not check.passed]
    assert wrong.name == "voids"
    assert address.hex() in wrong.detail


def test_second_opinion__that_differs_or_fails__is_reported() -> None:
    state, entries, posted = honest(BOOK)
    key = first(posted.prices)
    far = bumped(posted.prices, state.products[key].scale << 45)
    report = audit(state, entries, posted, lambda *_: far)
    assert [c.name for c in report.checks if not c.passed] == ["second opinion"]
    assert report.deviations[key] == Fraction(-1, 2**15)

    def helpless(*_: object) -> dict[int, int]:
        raise ClearingError("no prices")

    report = audit(state, entries, posted, helpless)
    assert [c.name for c in report.checks if not c.passed] == ["second opinion"]


def test_surplus__of_a_straight_curve__is_the_triangle() -> None:
    ticks = {0: 1}
    # buys 10 from 100 down to 90, sells 10 from 110 up to 120
    steps = (Step(10, 10 * X40 - 10),)
    auth = Auth((Leg(0, 1),), 100 * X40, 10 * X40, steps, steps)
    for price, surplus in (
        *((100, 0), (105, 0), (95, Fraction(25, 2)), (90, 50), (80, 150)),
        *((110, 0), (115, Fraction(25, 2)), (130, 150)),
    ):
        rate = demand(auth, ticks, price * X84).rate
        assert surplus_of(Submission((auth,)), ticks, [rate], {0: price * X84}) == surplus


def test_surplus__of_a_cost__is_the_area_under_it_and_level_beyond_its_end() -> None:
    ticks = {0: 1}
    auth = Auth((Leg(0, 1),), 100 * X40, 0, (Step(20, 20 * X40 - 4 * 20),), ())
    # worth 8 a unit at first, 4 less at each of ten units, and no more or less beyond
    cost = Cost((Term(0, 1),), 8 * X40, buy=(Step(10, 4 * X40 - 10),))
    both = Submission((auth,), costs=(cost,))
    for rate, worth in ((10, 950 + 60), (15, Fraction(15 * 185, 2) + 80), (0, 0)):
        assert surplus_of(both, ticks, [rate * X44], {0: 0}) == worth


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_surplus__falls_with_the_price_by_what_is_bought(case: dict[str, Any]) -> None:
    """An auth by itself: its surplus is the integral of its demand over the price."""
    state = state_of(case)
    opened = open_batch(state, entries_of(case))
    auths = [a for one in opened if one.submission for a in one.submission.auths]
    for auth in auths:
        k, weight = auth.legs[0].product, auth.legs[0].weight
        middle = abs(auth.first) // abs(weight)
        points = [(middle + shift * auth.gross * X40 << 44) for shift in (-3, 4)]
        if weight < 0:
            points.reverse()
        alone = Submission((auth,))
        zeros = dict.fromkeys(alone.products, 0)
        rates = [demand(auth, state.ticks, weight * p).rate for p in points]
        cheap, dear = (
            surplus_of(alone, state.ticks, [rate], {**zeros, k: p})
            for rate, p in zip(rates, points, strict=True)
        )
        step = Fraction(weight * (points[1] - points[0]), X84)
        slack = Fraction(abs(auth.first) + abs(weight * points[1]), X44)
        gain = cheap - dear
        assert Fraction(rates[1], X44) * step - slack <= gain
        assert gain <= Fraction(rates[0], X44) * step + slack
