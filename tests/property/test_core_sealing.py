from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import sealing as reference
from tests.reference.keccak import keccak256 as reference_keccak256
from walras.sealing import (
    GROUP_ORDER,
    SEAL_OVERHEAD,
    encode_point,
    keccak256,
    public_key,
    seal,
    seal_hash,
    unseal,
)

# the reference multiplies on the curve in plain Python
FEW = settings(max_examples=15, deadline=None)
TAME = settings(max_examples=100, deadline=None)
SECRETS = st.integers(1, GROUP_ORDER - 1)
ACCOUNTS = st.binary(min_size=20, max_size=20)
WORDS = st.binary(min_size=32, max_size=32)


@TAME
@given(st.binary(max_size=500))
def test_keccak_is_the_references(data: bytes) -> None:
    assert keccak256(data) == reference_keccak256(data)


@TAME
@given(SECRETS, st.binary(max_size=300), ACCOUNTS, WORDS, WORDS)
def test_what_is_sealed_opens_for_its_account_and_batch_only(
    secret: int, body: bytes, account: bytes, batch: bytes, salt: bytes
) -> None:
    sealed = seal(encode_point(*public_key(secret)), body, account, batch, salt)
    assert len(sealed) == SEAL_OVERHEAD + len(body)
    assert unseal(secret, sealed, account, batch) == body
    assert unseal(secret, sealed, keccak256(account)[:20], batch) is None
    assert unseal(secret, sealed, account, keccak256(batch)) is None
    assert unseal(GROUP_ORDER - secret, sealed, account, batch) is None
    assert seal_hash(batch, sealed) != seal_hash(keccak256(batch), sealed)


@FEW
@given(SECRETS, st.binary(max_size=80), ACCOUNTS, WORDS, WORDS)
def test_seals_are_the_references(
    secret: int, body: bytes, account: bytes, batch: bytes, salt: bytes
) -> None:
    point = public_key(secret)
    expected = reference.seal(point, body, account, batch, salt)
    assert seal(encode_point(*point), body, account, batch, salt) == expected


@FEW
@given(SECRETS, st.sampled_from((0, 2, 3, 4)), WORDS, st.binary(max_size=80), ACCOUNTS, WORDS)
def test_any_bytes_open_as_in_the_reference(
    secret: int, tag: int, x: bytes, rest: bytes, account: bytes, batch: bytes
) -> None:
    text = bytes((tag,)) + x + rest
    assert unseal(secret, text, account, batch) == reference.unseal(secret, text, account, batch)


@FEW
@given(SECRETS, st.binary(max_size=40), ACCOUNTS, WORDS, WORDS, st.data())
def test_any_flipped_bit_opens_as_in_the_reference(
    secret: int, body: bytes, account: bytes, batch: bytes, salt: bytes, data: st.DataObject
) -> None:
    sealed = bytearray(seal(encode_point(*public_key(secret)), body, account, batch, salt))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    text = bytes(sealed)
    assert unseal(secret, text, account, batch) == reference.unseal(secret, text, account, batch)
