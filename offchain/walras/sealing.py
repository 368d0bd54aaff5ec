"""Sealing a submission to a batch's key and opening it again (SPEC §4).

Twin of ``contracts/libraries/Seal.sol``. Every batch has one secp256k1 key; its secret is
published after lock-out, and decryption is the only opening (Rabin and Thorpe, Time-Lapse
Cryptography, Harvard TR-22-06, 2006). Each hash starts with its own tag: without distinct tags a
published hash would be another's key.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final

from coincurve import PublicKey
from sha3 import keccak_256 as _keccak_256  # type: ignore[import-untyped]

from walras.errors import SealError

__all__ = [
    "GROUP_ORDER",
    "MAGIC",
    "SEAL_OVERHEAD",
    "batch_id",
    "derive_batch_key",
    "encode_point",
    "keccak256",
    "public_key",
    "seal",
    "seal_hash",
    "stand_hash",
    "unseal",
]

GROUP_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
MAGIC: Final = b"WAL1"
_SALT: Final = 32
_POINT: Final = 33
SEAL_OVERHEAD: Final = _POINT + _SALT + len(MAGIC)  # bytes of a ciphertext beyond the body


def keccak256(data: bytes) -> bytes:
    """Ethereum's hash."""
    digest: bytes = _keccak_256(data).digest()
    return digest


_TAG_BATCH: Final = keccak256(b"walras.batch.v1")
_TAG_RHO: Final = keccak256(b"walras.rho.v1")
_TAG_KEY: Final = keccak256(b"walras.key.v1")
_TAG_STREAM: Final = keccak256(b"walras.stream.v1")
_TAG_SEAL: Final = keccak256(b"walras.seal.v1")
_TAG_STAND: Final = keccak256(b"walras.stand.v1")
_S_PREFIX: Final = _TAG_KEY + bytes(12)  # S is hashed as a 32-byte word
_COUNTERS: Final = tuple(i.to_bytes(32) for i in range(128))  # a full seal has 3,825 bytes


def batch_id(chain_id: int, market: bytes, number: int) -> bytes:
    """The 32 bytes that name batch ``number`` of the ``market`` (20-byte address) everywhere."""
    return keccak256(
        _TAG_BATCH + chain_id.to_bytes(32) + bytes(12) + _address(market) + number.to_bytes(32)
    )


def public_key(secret: int) -> tuple[int, int]:
    """Affine coordinates of secret·G, as registered on chain."""
    return PublicKey.from_secret(_scalar(secret)).point()


def encode_point(x: int, y: int) -> bytes:
    """The 65-byte form of a registered key; SealError unless it lies on the curve."""
    try:
        return PublicKey.from_point(x, y).format(compressed=False)
    except (ValueError, OverflowError):
        raise SealError(
            "the batch key is not a point of secp256k1; do not seal to this batch"
        ) from None


def derive_batch_key(seed: bytes, batch: bytes) -> int:
    """Secret key of the batch with id ``batch``: HMAC-SHA256(seed, id ‖ counter) below the order.

    An operator restarted with the same ``seed`` has every key again.
    """
    if len(seed) < 32:
        raise SealError("the operator's seed must have at least 32 bytes; make one at random")
    candidates = (
        int.from_bytes(hmac.digest(seed, batch + i.to_bytes(4), "sha256")) for i in count()
    )
    return next(key for key in candidates if 0 < key < GROUP_ORDER)


def seal(
    public_key: bytes, body: bytes, account: bytes, batch: bytes, salt: bytes | None = None
) -> bytes:
    """Ciphertext of ``body`` for the batch key ``public_key`` (33 or 65 bytes).

    Only ``account`` (20 bytes) can use it, and only in ``batch`` (its id). With ``salt`` (32
    bytes) the result is a function of the arguments; without, a fresh salt is drawn.
    """
    try:
        key = PublicKey(bytes(public_key))
    except ValueError:
        raise SealError(
            "the batch key is not a point of secp256k1; do not seal to this batch"
        ) from None
    for chosen in _salts(salt):
        message = chosen + MAGIC + body
        rho = int.from_bytes(keccak256(_TAG_RHO + message + _address(account) + batch))
        scalar = (rho % GROUP_ORDER).to_bytes(32)
        if not any(scalar):
            continue
        point = PublicKey.from_secret(scalar).format()
        if int.from_bytes(point[1:]) < GROUP_ORDER:
            shared = _address_of(key.multiply(scalar))
            return point + _mask(message, shared, point, account, batch)
    raise SealError("this salt cannot be used with this body; draw another")


def unseal(secret: int, ciphertext: bytes, account: bytes, batch: bytes) -> bytes | None:
    """Body that ``account`` sealed for ``batch``, or None where the contract finds it unopened.

    ``secret`` is the batch's key, 0 < secret < group order.
    """
    point = ciphertext[:_POINT]
    if len(ciphertext) < SEAL_OVERHEAD or point[0] not in (2, 3):
        return None
    # ecrecover refuses R.x = 0 and R.x >= n, some of which are on the curve
    if not 0 < int.from_bytes(point[1:]) < GROUP_ORDER:
        return None
    try:
        key = PublicKey(point)
    except ValueError:  # off the curve
        return None
    shared = _address_of(key.multiply(_scalar(secret)))
    message = _mask(ciphertext[_POINT:], shared, point, account, batch)
    if message[_SALT : _SALT + len(MAGIC)] != MAGIC:
        return None
    return message[_SALT + len(MAGIC) :]


def seal_hash(batch: bytes, ciphertext: bytes) -> bytes:
    """What the contract stores of a seal."""
    return keccak256(_TAG_SEAL + batch + ciphertext)


def stand_hash(body: bytes, done: Sequence[int]) -> bytes:
    """What the contract stores of a standing submission (SPEC §9).

    ``done`` X44: the progress of its auths with limits, in order.
    """
    progress = b"".join(moved.to_bytes(16, signed=True) for moved in done)
    return keccak256(_TAG_STAND + len(body).to_bytes(32) + body + progress)


def _mask(text: bytes, shared: bytes, point: bytes, account: bytes, batch: bytes) -> bytes:
    prefix = _TAG_STREAM + keccak256(_S_PREFIX + shared + point + account + batch)
    size = len(text)
    blocks = [_keccak_256(prefix + i).digest() for i in _counters((size + 31) // 32)]
    stream = int.from_bytes(b"".join(blocks)[:size])
    return (int.from_bytes(text) ^ stream).to_bytes(size)


def _counters(blocks: int) -> tuple[bytes, ...]:
    if blocks <= len(_COUNTERS):
        return _COUNTERS[:blocks]
    return tuple(i.to_bytes(32) for i in range(blocks))


def _salts(salt: bytes | None) -> Iterator[bytes]:
    if salt is None:
        while True:
            yield secrets.token_bytes(_SALT)
    if len(salt) != _SALT:
        raise SealError(f"a salt has {_SALT} bytes, not {len(salt)}; leave it out to draw one")
    yield salt


def _address(value: bytes) -> bytes:
    if len(value) != 20:
        raise SealError(f"an address has 20 bytes, not {len(value)}; pass it in binary")
    return value


def _address_of(key: PublicKey) -> bytes:
    digest: bytes = _keccak_256(key.format(compressed=False)[1:]).digest()
    return digest[12:]


def _scalar(secret: int) -> bytes:
    if not 0 < secret < GROUP_ORDER:
        raise SealError("a secret key lies strictly between 0 and the group order; derive it again")
    return secret.to_bytes(32)
