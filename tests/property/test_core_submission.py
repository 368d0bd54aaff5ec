from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.core_strategies import TICK_PRODUCTS, submissions, ticks
from tests.reference import wire
from tests.vectors.cases.codec import order_of
from walras.errors import OrderError
from walras.numbers import UNIT_GAS
from walras.submission import Submission, cover, decode, encode, required_units, word_gas

TAME = settings(max_examples=150, deadline=None)
TICKS = dict.fromkeys(range(TICK_PRODUCTS), 1 << 30)


def agrees(body: bytes, length: int, units: int, tick: Mapping[int, int]) -> None:
    """The package and the reference read the same in any bytes."""
    found = decode(body, ciphertext_length=length, units=units, ticks=tick)
    reading = wire.read(body, length, units, tick)
    assert (found.reason or 0, found.gas) == (reading.reason, reading.gas)
    assert list(found.products) == reading.products
    if found.submission is None:
        assert reading.reason
    else:
        assert [order_of(auth) for auth in found.submission.auths] == reading.orders
        assert found.submission.valid_until == reading.valid_until


@TAME
@given(submissions(), ticks())
def test_what_is_encoded_decodes(submission: Submission, tick: Mapping[int, int]) -> None:
    body = encode(submission)
    found = decode(body, ciphertext_length=len(body) + 69, units=10_000, ticks=tick)
    assert found.submission == submission
    assert found.products == submission.products
    agrees(body, len(body) + 69, 255, tick)


@TAME
@given(st.binary(max_size=200), st.integers(0, 255))
def test_any_bytes_decode(body: bytes, units: int) -> None:
    agrees(body, len(body) + 69, units, TICKS)


@TAME
@given(submissions(), st.data())
def test_any_damage_decodes(submission: Submission, data: st.DataObject) -> None:
    body = bytearray(encode(submission))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(body) - 1)))
        piece = data.draw(st.binary(max_size=2))
        body[at : at + data.draw(st.integers(0, 2))] = piece
    agrees(bytes(body), len(body) + 69, data.draw(st.sampled_from((20, 60, 255))), TICKS)


@TAME
@given(submissions(), st.none() | st.integers(0, TICK_PRODUCTS))
def test_required_units_are_least(submission: Submission, home: int | None) -> None:
    try:
        units = required_units(submission, home=home)
    except OrderError:
        units = 10_000
    body = encode(submission)
    length = len(body) + 69
    found = decode(body, ciphertext_length=length, units=units, ticks=TICKS)
    assert found.submission == submission
    gas = found.gas + word_gas(submission.products, home)
    assert gas <= units * UNIT_GAS
    size = length + 22 + 64 * len(submission.products)
    assert size <= 19 * units
    less = (units - 1) * UNIT_GAS < gas or size > 19 * (units - 1) or units == 10
    assert less or units == 10_000


@TAME
@given(submissions())
def test_cover_is_the_references(submission: Submission) -> None:
    orders = [order_of(auth) for auth in submission.auths]
    needed = cover(submission)
    assert needed.cash == wire.needed_cash(orders)
    assert needed.lots == {k: wire.needed_lots(orders, k) for k in submission.products}
