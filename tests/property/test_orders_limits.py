"""Costs, limits and rates of an order mean exactly what was written; a hard limit holds."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from walras.curve import cost_sum
from walras.errors import OrderError, UnrepresentableNumber, WalrasError
from walras.numbers import X24, X40, X44
from walras.orders import Conversion, Setting, convert, parse_order
from walras.orders.describe_costs import summarise_cost
from walras.schedule import Schedule
from walras.submission import decode, encode
from walras.tally import trade
from walras.units import CashUnits, MarketUnits, ProductUnits

TAME = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much]
)
CASH = CashUnits("USD", decimals=2, unit=1)
MARKET = MarketUnits(
    CASH,
    (
        ProductUnits(0, "A", decimals=2, lot=1, tick=X40),
        ProductUnits(1, "B", decimals=2, lot=4, tick=X40),
        ProductUnits(2, "C", decimals=2, lot=100, tick=X40),
    ),
)
COVER, SCALE = 10**4, 100  # cash units; cash units per lot
CLOCK = Schedule(0, 60, 20, 24, 28, 36, 44, 56)
SETTING = Setting(CLOCK, 600, COVER, dict.fromkeys(range(3), SCALE * X24))
REACH = (2 * COVER * SCALE * 2**10) ** 0.5  # |p − ref| of a lot, in cash units

products = st.sampled_from("ABC")
rates = st.integers(0, 50)
coefficients = st.integers(1, 3) | st.integers(-3, -1)


@st.composite
def auth(draw: st.DrawFn) -> dict[str, Any]:
    low, high = draw(rates), draw(rates)
    assume(low or high)
    demand = {"min_rate": -low, "max_rate": high, "price": draw(st.integers(-9, 300))}
    return {"portfolio": {draw(products): draw(st.sampled_from([1, -1, 2]))}, "demand": demand}


@st.composite
def limit(draw: st.DrawFn, auths: int) -> dict[str, Any]:
    chosen = draw(st.lists(st.integers(1, auths), min_size=1, max_size=3, unique=True))
    group = {str(j): draw(coefficients) for j in chosen}
    ends = draw(st.fixed_dictionaries({}, optional={"max": rates, "min": rates.map(lambda x: -x)}))
    assume(ends)
    return {"group": group, **ends}


@st.composite
def limited(draw: st.DrawFn, costs: int = 3) -> Conversion:
    auths = draw(st.lists(auth(), min_size=1, max_size=4))
    limits = draw(st.lists(limit(len(auths)), min_size=1, max_size=costs))
    text = json.dumps({"auths": auths, "costs": limits})
    return convert(parse_order(text), MARKET, None, SETTING)


def reach(found: Conversion, j: int) -> float:
    """The largest price of an auth's portfolio, by the energy of all cover, in cash units."""
    legs = found.submission.auths[j].legs
    squares = sum(leg.weight**2 for leg in legs)
    references = sum(abs(leg.weight) for leg in legs) * 8 * SCALE
    return float(references + REACH * squares**0.5)


def best_response(found: Conversion, prices: list[float], share: float = 1) -> float:
    """How far past its ends the bidder's optimum goes if an end costs ``share`` of the penalty.

    A linear program: buys, sells of each auth, then the excess above and below each cost.
    """
    auths, costs = found.submission.auths, found.costs
    n, d = len(auths), len(costs)
    gain = np.zeros(2 * n + 2 * d)
    bounds: list[tuple[float, float | None]] = [(0, a.buy_rate) for a in auths]
    bounds += [(0, a.sell_rate) for a in auths] + [(0, None)] * (2 * d)
    rows, most = [], []
    for j, (one, price) in enumerate(zip(auths, prices, strict=True)):
        gain[j], gain[n + j] = one.bid / X40 - price, price - one.ask / X40
    for k, converted in enumerate(costs):
        cost = converted.cost
        gain[2 * n + k] = gain[2 * n + d + k] = -share * converted.penalty / X40
        for sign, ends, width, at in (
            (1, converted.ends[1], cost.buy_rate, 2 * n + k),
            (-1, converted.ends[0], cost.sell_rate, 2 * n + d + k),
        ):
            row = np.zeros(2 * n + 2 * d)
            for term in cost.terms:
                row[term.auth] += sign * term.coefficient
                row[n + term.auth] -= sign * term.coefficient
            row[at] = -1
            if ends:
                rows.append(row)
                most.append(float(width))
    if not rows:
        return 0.0
    solved = linprog(-gain, A_ub=np.array(rows), b_ub=most, bounds=bounds, method="highs")
    assert solved.status == 0, solved.message
    return float(solved.x[2 * n :].max())


@TAME
@given(limited(), st.data())
def test_hard_limits__hold_at_every_price_any_book_could_bring(
    found: Conversion, data: st.DataObject
) -> None:
    share = st.sampled_from([-1.0, 1.0]) | st.floats(-1, 1)
    prices = [data.draw(share) * reach(found, j) for j in range(len(found.auths))]
    assert best_response(found, prices) < 1e-6


def test_hard_limits__would_break_with_a_smaller_penalty() -> None:
    auths = [{"portfolio": {"A": 1}, "demand": {"min_rate": 0, "max_rate": 9, "price": 100}}]
    text = json.dumps({"auths": auths, "costs": [{"group": ["1"], "max": 4}]})
    found = convert(parse_order(text), MARKET, None, SETTING)
    price = -reach(found, 0)
    assert best_response(found, [price]) == 0
    assert best_response(found, [price], 0.45) > 4 * 99


def test_overlapping_limits__would_break_with_the_penalty_of_one() -> None:
    # b may buy only with a in the ratio 1 : 3, and a may not buy at all: b pulls 3 times its price
    auths = [
        {"portfolio": {"A": 1}, "demand": {"min_rate": 0, "max_rate": 9, "price": 0}},
        {"portfolio": {"A": 1}, "demand": {"min_rate": 0, "max_rate": 9, "price": 0}},
    ]
    costs = [{"group": {"1": 1}, "max": 0}, {"group": {"1": 1, "2": -3}, "min": 0}]
    text = json.dumps({"auths": auths, "costs": costs})
    found = convert(parse_order(text), MARKET, None, SETTING)
    prices = [reach(found, 0), -reach(found, 1)]
    assert best_response(found, prices) < 1e-6
    assert best_response(found, prices, 0.01) > 1


@TAME
@given(limited(costs=1), st.data())
def test_one_limit__holds_in_the_contracts_integers(found: Conversion, data: st.DataObject) -> None:
    """The root λ of a cost, to the last bit: what [C-5] accepts there is within the limit."""
    submission, cost = found.submission, found.costs[0].cost
    bound = int(REACH * X40 * X44)
    prices = {
        k: data.draw(st.integers(-bound, bound) | st.sampled_from([-bound, bound]))
        for k in submission.products
    }
    low, high = cost.bottom * X44, cost.top * X44

    def at(shadow: int) -> tuple[int, bool]:
        moved = trade(submission, MARKET.ticks(), prices, (shadow,))
        (coupling,) = moved.couplings
        return cost_sum(cost, moved.rates), coupling.clears and coupling.fair

    def excess(shadow: int) -> int:
        return trade(submission, MARKET.ticks(), prices, (shadow,)).couplings[0].excess

    first, last = low, high
    while first < last:  # the excess grows with λ: find where it turns
        middle = (first + last) // 2
        first, last = (first, middle) if excess(middle) >= 0 else (middle + 1, last)
    accepted = [s for s, fine in map(at, {first, max(first - 1, low)}) if fine]
    assert accepted
    for s in accepted:
        if found.costs[0].ends[1]:
            assert s <= cost.buy_rate * X44 + cost.touches
        if found.costs[0].ends[0]:
            assert s >= -cost.sell_rate * X44 - cost.touches


@TAME
@given(limited(), st.data())
def test_combination__on_chain_is_the_traders_times_the_units(
    found: Conversion, data: st.DataObject
) -> None:
    chain = [data.draw(st.integers(-1000, 1000)) for _ in found.auths]
    human = [one.rate(y) for one, y in zip(found.auths, chain, strict=True)]
    for one in found.costs:
        wanted = sum(coefficient * human[j] for j, coefficient in one.human.group)
        assert one.rate(cost_sum(one.cost, chain)) == wanted
    body = encode(found.submission)
    read = decode(body, ciphertext_length=len(body) + 69, units=255, ticks=MARKET.ticks())
    assert read.submission == found.submission


@st.composite
def curves(draw: st.DrawFn) -> list[dict[str, int]]:
    """Points from below to above 0, one of them at 0, prices falling or level."""
    xs = draw(st.lists(st.integers(-40, 40), min_size=2, max_size=6, unique=True))
    falls = draw(st.lists(st.integers(0, 60), min_size=8, max_size=8))
    price, points = draw(st.integers(-100, 300)), []
    for x, fall in zip(sorted({*xs, 0}), falls, strict=False):
        price -= fall
        points.append({"rate": x, "price": price * 4})
    return points


@TAME
@given(st.lists(auth(), min_size=2, max_size=2), curves(), coefficients)
def test_cost_curve__is_never_read_as_worth_more(
    auths: list[dict[str, Any]], points: list[dict[str, int]], coefficient: int
) -> None:
    cost = {"group": {"1": coefficient, "2": 1}, "demand": points}
    try:
        text = json.dumps({"auths": auths, "costs": [cost]})
        found = convert(parse_order(text), MARKET, None, SETTING)
    except WalrasError:
        assume(False)
        raise
    humans = [one.human for one in found.auths]
    readings = summarise_cost(found.costs[0], humans, CASH).readings
    assert [(int(r.rate), int(r.asked)) for r in readings] == [
        (p["rate"], p["price"]) for p in points
    ]
    for reading in readings:
        if reading.rate > 0:
            assert reading.read <= reading.asked
        if reading.rate < 0:
            assert reading.read >= reading.asked


@TAME
@given(
    st.integers(14, 90_000),
    st.sampled_from([("second", 1), ("minute", 60), ("hour", 3_600), ("day", 86_400)]),
    st.integers(1, 10**6),
    st.integers(0, 3),
)
def test_rates_per_time__are_exact_or_have_exact_neighbours(
    period: int, per: tuple[str, int], digits: int, places: int
) -> None:
    setting = Setting(Schedule(0, period, 2, 4, 6, 8, 10, 12), 10**6, 1, {})
    rate = str(Fraction(digits) / 10**places) if places == 0 else f"{digits}e-{places}"

    def rate_of(text: str) -> Fraction:
        demand = {"min_rate": 0, "max_rate": text, "price": 1}
        auth = {"portfolio": {"A": 1}, "per": per[0], "demand": demand}
        found = convert(parse_order(json.dumps(auth)), MARKET, None, setting)
        return Fraction(found.submission.auths[0].buy_rate, 100)

    try:
        assert rate_of(rate) == Fraction(rate) * period / per[1]
    except UnrepresentableNumber as error:
        near = str(error.nearest).split(" or ")
        assert [rate_of(text) for text in near] == [Fraction(x) * period / per[1] for x in near]
        if len(near) == 2:
            assert Fraction(near[0]) < Fraction(rate) < Fraction(near[1])
    except OrderError as error:
        assert "too large" in str(error)  # noqa: PT017 - the only other refusal there is
