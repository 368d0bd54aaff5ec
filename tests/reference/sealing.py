"""SPEC §4 word for word."""

from __future__ import annotations

import hashlib
import hmac
from functools import cache

from tests.reference.keccak import keccak256
from tests.reference.secp256k1 import G, N, address, compress, ecrecover, multiply


@cache
def tag(name: str) -> bytes:
    return keccak256(f"walras.{name}.v1".encode())


def u256(value: int) -> bytes:
    return value.to_bytes(32)


def batch_id(chain_id: int, market: bytes, b: int) -> bytes:
    return keccak256(tag("batch") + u256(chain_id) + u256(int.from_bytes(market)) + u256(b))


def batch_key(seed: bytes, batch: bytes) -> int:
    counter = 0
    while True:
        mac = hmac.new(seed, batch + counter.to_bytes(4), hashlib.sha256).digest()
        if 0 < int.from_bytes(mac) < N:
            return int.from_bytes(mac)
        counter += 1


def xor_stream(key: bytes, text: bytes) -> bytes:
    blocks = range(0, len(text), 32)
    stream = b"".join(keccak256(tag("stream") + key + u256(at // 32)) for at in blocks)
    return bytes(a ^ b for a, b in zip(text, stream, strict=False))


def stream_key(shared: bytes, r: bytes, account: bytes, batch: bytes) -> bytes:
    return keccak256(tag("key") + u256(int.from_bytes(shared)) + r + account + batch)


def seal(
    public: tuple[int, int], body: bytes, account: bytes, batch: bytes, salt: bytes
) -> bytes | None:
    """None where the salt has to be drawn again."""
    m = salt + b"WAL1" + body
    rho = int.from_bytes(keccak256(tag("rho") + m + account + batch)) % N
    point = multiply(rho, G)
    if point is None or point[0] >= N:
        return None
    r = compress(point)
    shared = address(multiply(rho, public))
    return r + xor_stream(stream_key(shared, r, account, batch), m)


@cache  # one curve multiplication takes milliseconds here
def unseal(secret: int, ct: bytes, account: bytes, batch: bytes) -> bytes | None:
    if len(ct) < 69:
        return None
    r_tag, r_x = ct[0], int.from_bytes(ct[1:33])
    if r_tag not in (2, 3) or not 1 <= r_x < N:
        return None
    shared = ecrecover(0, 25 + r_tag, r_x, secret * r_x % N)
    if shared is None:
        return None
    m = xor_stream(stream_key(shared, ct[:33], account, batch), ct[33:])
    return m[36:] if m[32:36] == b"WAL1" else None


@cache
def seal_hash(batch: bytes, ct: bytes) -> bytes:
    return keccak256(tag("seal") + batch + ct)
