from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.vectors.cases.codec import auth_of, load
from walras.errors import OrderError
from walras.numbers import MAX_CURVE_PRICE, MAX_RATE, UNIT_GAS
from walras.submission import (
    Auth,
    Cover,
    Leg,
    Step,
    Submission,
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
    auths = tuple(auth_of(shown) for shown in case["submission"]["auths"])
    expected = Submission(auths, case["submission"]["validUntil"])
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


@pytest.mark.parametrize("valid_until", [-1, 1 << 40])
def test_encode_refuses_an_expiry_beyond_its_width(valid_until: int) -> None:
    with pytest.raises(OrderError, match="valid_until"):
        encode(Submission((BUY,), valid_until))


@pytest.mark.parametrize("home", [None, 3, 8, 9])
@pytest.mark.parametrize("auths", [(BUY,), (PAIR,), (BUY, PAIR, PAIR)])
def test_required_units_are_enough_and_one_less_is_not(
    auths: tuple[Auth, ...], home: int | None
) -> None:
    submission = Submission(auths)
    body = encode(submission)
    length = len(body) + 69
    units = required_units(submission, home=home)
    decoded = decode(body, ciphertext_length=length, units=units, ticks=TICKS)
    assert decoded.submission == submission
    gas = decoded.gas + word_gas(submission.products, home)
    assert (units - 1) * UNIT_GAS < gas <= units * UNIT_GAS


def test_required_units_pay_for_the_length() -> None:
    units = required_units(Submission((BUY,)), home=3, ciphertext_length=3_000)
    # gas 105,100 needs 42 units; 22 bytes of head and 64 of price, 19 to a unit, need more
    assert -(-105_100 // UNIT_GAS) < units == -(-(3_000 + 22 + 64) // 19)


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


def test_products_are_those_of_all_auths() -> None:
    assert Submission((PAIR, replace(BUY, legs=(Leg(5, 1),)))).products == (3, 5, 8)
