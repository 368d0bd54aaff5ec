from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.core_strategies import TICK_PRODUCTS, progress, submissions, ticks
from tests.reference import escrow, wire
from tests.vectors.cases.codec import reading_of
from walras.errors import OrderError
from walras.numbers import UNIT_BYTES, UNIT_GAS
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
        expected = reading_of(found.submission)
        assert (expected.orders, expected.costs) == (reading.orders, reading.costs)
        assert (expected.kind, expected.valid_until) == (reading.kind, reading.valid_until)


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
    size = length + 24 + 64 * len(submission.products) + 20 * len(submission.costs)
    assert size <= UNIT_BYTES * units
    less = (units - 1) * UNIT_GAS < gas or size > UNIT_BYTES * (units - 1) or units == 10
    assert less or units == 10_000


@TAME
@given(submissions(), st.data())
def test_cover_is_the_references(submission: Submission, data: st.DataObject) -> None:
    done = data.draw(progress(submission) | st.just(()))
    reading = reading_of(submission)
    needed = cover(submission, done)
    assert needed.cash == escrow.needed_cash(reading, done)
    assert needed.lots == {k: escrow.needed_lots(reading, k, done) for k in submission.products}


@TAME
@given(submissions(), st.data())
def test_what_moves_leaves_no_less_room(submission: Submission, data: st.DataObject) -> None:
    """Cover bounds a batch, whatever happened in those before."""
    done = data.draw(progress(submission))
    whole = [auth.room() for auth in submission.auths]
    for auth, moved, (sell, buy) in zip(
        submission.auths, submission.progress(done), whole, strict=True
    ):
        left = auth.room(moved)
        assert 0 <= left[0] <= auth.sell_rate << 44
        assert 0 <= left[1] <= auth.buy_rate << 44
        if auth.limits is None:
            assert left == (sell, buy)
        else:
            assert -auth.limits.low << 44 <= moved - left[0]
            assert moved + left[1] <= auth.limits.high << 44
