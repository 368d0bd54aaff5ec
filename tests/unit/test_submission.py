from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.vectors.cases.codec import load, submission_of
from walras.errors import OrderError
from walras.numbers import MAX_CURVE_PRICE, MAX_RATE, UNIT_GAS
from walras.submission import (
    Auth,
    Cost,
    Cover,
    Leg,
    Limits,
    Step,
    Submission,
    Term,
    VoidReason,
    cover,
    decode,
    encode,
    required_units,
    word_gas,
)

VECTORS = load("decode")
TICKS = {product["id"]: product["tick"] for product in VECTORS["products"]}
BUY = Auth((Leg(3, 1),), 100 << 40, buy=(Step(1000, 5),))
PAIR = Auth((Leg(3, 2), Leg(8, -1)), -7, 10, (Step(10, 0), Step(0, 1)), (Step(4, 9),))
COST = Cost((Term(0, 2), Term(1, -3)), 5, 1, (Step(10, 0),), (Step(4, 9),))


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_decode_vectors(case: dict[str, Any]) -> None:
    decoded = decode(
        case["body"], ciphertext_length=case["length"], units=case["units"], ticks=TICKS
    )
    assert (decoded.reason or 0) == case["reason"]
    assert decoded.gas == case["gas"]
    assert list(decoded.products) == case["products"]
    if case["submission"] is None:
        assert decoded.submission is None
        return
    expected = submission_of(case["submission"])
    assert decoded.submission == expected
    assert encode(expected) == case["body"]
    assert cover(expected) == Cover(**case["cover"])


def test_vectors_reach_every_reason_that_decoding_can_give() -> None:
    reasons = {case["reason"] for case in VECTORS["cases"]}
    assert reasons == {0, VoidReason.MALFORMED, VoidReason.OVERSIZED}


@pytest.mark.parametrize(
    ("auths", "rule"),
    [
        ((), "1 to 64 products"),
        ((BUY,) * 65, "1 to 64 auths"),
        ((replace(BUY, legs=(Leg(1 << 16, 1),)),), "ids lie below"),
        ((replace(BUY, legs=(Leg(-1, 1),)),), "ids lie below"),
        ((replace(BUY, legs=(Leg(3, 2),)),), "weight 1"),
        ((replace(PAIR, legs=(Leg(8, 1), Leg(3, 1))),), "ascend"),
        ((replace(PAIR, legs=(Leg(3, 1), Leg(3, 1))),), "ascend"),
        ((replace(PAIR, legs=(Leg(3, 0), Leg(8, 1))),), "weight"),
        ((replace(PAIR, legs=(Leg(3, 2**20 + 1), Leg(8, 1))),), "weight"),
        ((replace(PAIR, legs=tuple(Leg(k, 1) for k in range(17))),), "16 legs"),
        ((replace(BUY, buy=()),), "buys or sells"),
        ((replace(BUY, buy=(Step(1, 0),) * 17),), "16 steps"),
        ((replace(BUY, gap=1),), "two-sided"),
        ((replace(PAIR, gap=-1),), "not below the bid"),
        ((replace(BUY, first=MAX_CURVE_PRICE + 1),), "within 2^112"),
        ((replace(BUY, first=-MAX_CURVE_PRICE - 1),), "within 2^112"),
        ((replace(PAIR, first=5, gap=MAX_CURVE_PRICE - 4),), "within 2^112"),
        ((replace(BUY, buy=(Step(-1, 0),)),), "not negative"),
        ((replace(BUY, buy=(Step(1, 1 << 112),)),), "increments"),
        ((replace(BUY, buy=(Step(1, -1),)),), "increments"),
        ((replace(BUY, buy=(Step(MAX_RATE - 1, 0), Step(2, 0))),), "at most 2^48"),
        ((replace(BUY, buy=(Step(MAX_RATE, 0),)),), "less than 2^48"),
    ],
)
def test_encode_refuses_what_would_be_malformed(auths: tuple[Auth, ...], rule: str) -> None:
    with pytest.raises(OrderError, match="cannot be encoded") as caught:
        encode(Submission(auths))
    assert rule in str(caught.value)


@pytest.mark.parametrize(
    ("cost", "rule"),
    [
        (replace(COST, terms=()), "1 to 16 auths"),
        (replace(COST, terms=tuple(Term(j, 1) for j in range(17))), "1 to 16 auths"),
        (replace(COST, terms=(Term(1, 1), Term(0, 1))), "ascend"),
        (replace(COST, terms=(Term(0, 1), Term(0, 1))), "ascend"),
        (replace(COST, terms=(Term(-1, 1),)), "of its submission"),
        (replace(COST, terms=(Term(2, 1),)), "of its submission"),
        (replace(COST, terms=(Term(0, 0),)), "coefficient"),
        (replace(COST, terms=(Term(0, 2**20 + 1),)), "coefficient"),
        (replace(COST, buy=(), sell=(), gap=0), "buys or sells"),
        (replace(COST, buy=()), "two-sided"),
        (replace(COST, first=MAX_CURVE_PRICE), "within 2^112"),
        (replace(COST, first=-MAX_CURVE_PRICE), "within 2^112"),
        (replace(COST, first=MAX_CURVE_PRICE - 100), "within 2^112"),
        (replace(COST, buy=(Step(1 << 47, 0),) * 3), "at most 2^48"),
    ],
)
def test_encode_refuses_costs_that_would_be_malformed(cost: Cost, rule: str) -> None:
    with pytest.raises(OrderError, match="cannot be encoded") as caught:
        encode(Submission((BUY, BUY), 0, (cost,)))
    assert rule in str(caught.value)


def test_encode_refuses_limits_beyond_their_width_and_too_many_costs() -> None:
    for limits in (Limits(-1, 0), Limits(0, 1 << 48)):
        with pytest.raises(OrderError, match="limits lie"):
            encode(Submission((replace(BUY, limits=limits),)))
    with pytest.raises(OrderError, match="up to 16 costs"):
        encode(Submission((BUY, BUY), 0, (COST,) * 17))


@pytest.mark.parametrize("valid_until", [-1, 1 << 40])
def test_encode_refuses_an_expiry_beyond_its_width(valid_until: int) -> None:
    with pytest.raises(OrderError, match="valid_until"):
        encode(Submission((BUY,), valid_until))


@pytest.mark.parametrize("home", [None, 3, 8, 9])
@pytest.mark.parametrize(
    "submission",
    [
        Submission((BUY,)),
        Submission((PAIR,)),
        Submission((BUY, PAIR, PAIR)),
        Submission((replace(BUY, limits=Limits(0, 5)),), standing=True),
        Submission((BUY, PAIR), 0, (COST, COST)),
    ],
    ids=["a buy", "a pair", "three auths", "limits", "costs"],
)
def test_required_units_are_enough_and_one_less_is_not(
    submission: Submission, home: int | None
) -> None:
    body = encode(submission)
    length = len(body) + 69
    units = required_units(submission, home=home)
    decoded = decode(body, ciphertext_length=length, units=units, ticks=TICKS)
    assert decoded.submission == submission
    gas = decoded.gas + word_gas(submission.products, home)
    assert gas <= units * UNIT_GAS
    size = length + 24 + 64 * len(submission.products) + 20 * len(submission.costs)
    assert size <= 19 * units
    assert gas > (units - 1) * UNIT_GAS or size > 19 * (units - 1)


def test_required_units_pay_for_the_length() -> None:
    units = required_units(Submission((BUY,)), home=3, ciphertext_length=3_000)
    # gas 105,100 needs 42 units; 24 bytes of head and 64 of price, 19 to a unit, need more
    assert -(-105_100 // UNIT_GAS) < units == -(-(3_000 + 24 + 64) // 19)


def test_required_units_refuse_what_no_seal_may_declare() -> None:
    many = tuple(Auth((Leg(k, 1),), 1, buy=(Step(1, 0),)) for k in range(64))
    with pytest.raises(OrderError, match="255 is the most"):
        required_units(Submission(many), home=None)


def test_word_gas_counts_pairs_of_products_but_not_home() -> None:
    assert word_gas((4,), None) == 0
    assert word_gas((4, 5), None) == 23_500  # 5 lies in a word of its own, home 4 does not
    assert word_gas((4, 5), 5) == 23_500
    assert word_gas((4, 5, 6), None) == 47_000
    assert word_gas((4, 5), 6) == 23_500
    assert word_gas((4, 5, 6, 9), 6) == 47_000
    assert word_gas((0,), 7) == 23_500


def test_cover_of_a_two_sided_pair() -> None:
    # buying 10 needs 10 of product 8; selling 4 needs 2·4 of product 3 and pays max(-ask, 0)
    needed = cover(Submission((PAIR,)))
    assert needed.cash == 0
    assert needed.lots == {3: 8 << 44, 8: 10 << 44}
    assert cover(Submission((replace(PAIR, gap=1),))).cash == 4 * 6
    assert cover(Submission((replace(PAIR, first=50),))).cash == 10 * 50


def test_cover_shrinks_with_the_progress_of_limits() -> None:
    bid = replace(BUY, limits=Limits(7, 30))
    submission = Submission((PAIR, bid))
    assert cover(submission).cash == 30 * (100 << 40)
    assert cover(submission, (10 << 44,)).cash == 20 * (100 << 40)
    assert cover(submission, (1,)).cash == 30 * (100 << 40) - (100 << 40 >> 44)
    # net sold: it may buy back, but no more than its rate
    assert cover(submission, (-(5 << 44),)).cash == 35 * (100 << 40)
    ask = replace(BUY, buy=(), sell=(Step(20, 0),), limits=Limits(7, 30))
    assert cover(Submission((ask,))).lots == {3: 7 << 44}
    assert cover(Submission((ask,)), (-(7 << 44),)).lots == {3: 0}


def test_cover_of_a_cost_is_the_most_it_can_pay() -> None:
    two = (replace(BUY, first=0), replace(BUY, first=0))
    # the curve's own best price, and two ulps of rounding that are worth less than one each
    few = Cost((Term(0, 1), Term(1, 1)), 3 << 44, 0, (Step(10, 0), Step(0, 1 << 60)), ())
    ends = few.touches * max(few.top, -few.bottom) + (1 << 44) - 1 >> 44
    assert cover(Submission(two, 0, (few,))).cash == 2 + 10 * (3 << 44) + ends
    # worth something beyond its curve: all that both can buy
    more = replace(few, buy=(Step(10, 0),))
    assert cover(Submission(two, 0, (more,))).cash == 2 + 2000 * (3 << 44) + 6 * 3
    # a one-sided curve keeps its only best price beyond rate 0
    beyond = Cost((Term(0, 1), Term(1, 1)), 3 << 44, 0, (), (Step(10, 0),))
    found = cover(Submission(two, 0, (beyond,))).cash
    assert found == 2 + 2000 * (3 << 44) + 6 * 3 + 1


def test_progress_belongs_to_the_auths_with_limits() -> None:
    submission = Submission((PAIR, replace(BUY, limits=Limits(0, 5)), PAIR), standing=True)
    assert submission.limited == (1,)
    assert submission.progress((9,)) == (0, 9, 0)
    assert submission.progress(()) == (0, 0, 0)
    assert not submission.complete((5 << 44,))
    alone = Submission((submission.auths[1],) * 2, standing=True)
    assert alone.complete((5 << 44, 5 << 44))
    assert not alone.complete((5 << 44, (5 << 44) - 1))


def test_guards_are_the_coefficients_of_all_costs() -> None:
    submission = Submission((BUY,) * 3, 0, (COST, COST, Cost((Term(1, 7),), 0, 0, (Step(1, 0),))))
    assert submission.guards == (4, 13, 0)
    assert [submission.guard(j) for j in range(3)] == [4, 13, 0]


def test_products_are_those_of_all_auths() -> None:
    assert Submission((PAIR, replace(BUY, legs=(Leg(5, 1),)))).products == (3, 5, 8)
