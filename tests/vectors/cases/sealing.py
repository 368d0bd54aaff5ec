"""Seals, and everything that may or may not open (SPEC §4)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from tests.reference import sealing as ref
from tests.reference.keccak import keccak256
from tests.reference.secp256k1 import G, N, P, Point, address, lift, multiply
from tests.reference.standing import stand_hash

SEED = keccak256(b"operator seed of the vectors")
MARKET = keccak256(b"market")[12:]
BATCH = ref.batch_id(31_337, MARKET, 7)
SECRET = ref.batch_key(SEED, BATCH)
ACCOUNT = keccak256(b"bidder")[12:]
SALT = keccak256(b"salt")
LONGEST = 19 * 255 - 24 - 69  # bytes of body that the most units allow


def text(length: int) -> bytes:
    return hashlib.shake_128(b"body").digest(length)


def public(secret: int) -> tuple[int, int]:
    point = multiply(secret, G)
    assert point is not None
    return point


def sealed(body: bytes, *, secret: int = SECRET, salt: bytes = SALT) -> bytes:
    ct = ref.seal(public(secret), body, ACCOUNT, BATCH, salt)
    assert ct is not None
    return ct


def forged(tag: int, r_x: int, point: Point) -> bytes:
    """A ciphertext around any 33 bytes that decrypts for whoever takes them for `point`."""
    r = bytes((tag,)) + r_x.to_bytes(32)
    shared = address(multiply(SECRET, point or G))
    return r + ref.xor_stream(ref.stream_key(shared, r, ACCOUNT, BATCH), SALT + b"WAL1" + text(20))


def flip(data: bytes, byte: int, bit: int) -> bytes:
    out = bytearray(data)
    out[byte] ^= 1 << bit
    return bytes(out)


def build() -> dict[str, Any]:
    return {
        "tags": {
            name: ref.tag(name) for name in ("batch", "rho", "key", "stream", "seal", "stand")
        },
        "batches": list(batches()),
        "keys": list(keys()),
        "seals": list(seals()),
        "opens": [opened(*case) for case in opens()],
        "stands": list(stands()),
    }


def stands() -> Iterator[dict[str, Any]]:
    """Hashes of standing submissions; the same bytes may be body or progress."""
    most = 2**92
    for body, done in (
        (b"", []),
        (b"", [0]),
        (bytes(16), []),
        (text(57), [1, -1]),
        (text(57), [-1, 1]),
        (text(500), [most, -most, 0, 7]),
        (text(500) + (7).to_bytes(16), [most, -most, 0]),
    ):
        yield {"body": body, "done": done, "hash": stand_hash(body, done)}


def batches() -> Iterator[dict[str, Any]]:
    top = 2**256 - 1
    for chain, market, number in [
        (31_337, MARKET, 7),
        (1, MARKET, 7),
        (31_337, bytes(20), 7),
        (31_337, MARKET, 8),
        (0, bytes(20), 0),
        (top, b"\xff" * 20, 2**32 - 1),
    ]:
        yield {
            "chainId": chain,
            "market": market,
            "number": number,
            "batchId": ref.batch_id(chain, market, number),
        }


def keys() -> Iterator[dict[str, Any]]:
    for seed, batch in [(SEED, BATCH), (SEED, bytes(32)), (b"\x00" * 32, BATCH)]:
        yield {"seed": seed, "batchId": batch} | key(ref.batch_key(seed, batch))
    for secret in (1, 2, N - 1):
        yield {"seed": None, "batchId": None} | key(secret)


def key(secret: int) -> dict[str, Any]:
    x, y = public(secret)
    joint = keccak256(x.to_bytes(32) + y.to_bytes(32))
    return {"secret": secret, "x": x, "y": y, "address": joint[12:], "keyHash": joint}


def seals() -> Iterator[dict[str, Any]]:
    for secret in (SECRET, 1, N - 1):
        yield seal_case(secret, SALT, text(49), ACCOUNT, BATCH)
    for length in (0, 1, 27, 28, 29, 60, LONGEST):  # around the 32-byte blocks of the stream
        yield seal_case(SECRET, SALT, text(length), ACCOUNT, BATCH)
    yield seal_case(SECRET, bytes(32), text(49), bytes(20), BATCH)
    yield seal_case(SECRET, b"\xff" * 32, text(49), b"\xff" * 20, bytes(32))


def seal_case(
    secret: int, salt: bytes, body: bytes, account: bytes, batch: bytes
) -> dict[str, Any]:
    x, y = public(secret)
    ct = ref.seal((x, y), body, account, batch, salt)
    assert ct is not None
    assert ref.unseal(secret, ct, account, batch) == body
    return {
        "secret": secret,
        "x": x,
        "y": y,
        "account": account,
        "batchId": batch,
        "salt": salt,
        "body": body,
        "ciphertext": ct,
        "sealHash": ref.seal_hash(batch, ct),
    }


Case = tuple[str, int, bytes, bytes, bytes]  # name, secret, account, batch, ciphertext


def opened(name: str, secret: int, account: bytes, batch: bytes, ct: bytes) -> dict[str, Any]:
    return {
        "name": name,
        "secret": secret,
        "account": account,
        "batchId": batch,
        "ciphertext": ct,
        "body": ref.unseal(secret, ct, account, batch),
    }


def opens() -> Iterator[Case]:
    good = sealed(text(49))
    for name, ct in [
        ("good", good),
        *lengths(good),
        *tags(good),
        *points(),
        *flips(good),
    ]:
        yield name, SECRET, ACCOUNT, BATCH, ct
    yield "copied by another account", SECRET, flip(ACCOUNT, 0, 0), BATCH, good
    yield "replayed in another batch", SECRET, ACCOUNT, flip(BATCH, 31, 0), good
    yield "opened with another secret", SECRET - 1, ACCOUNT, BATCH, good
    yield "opened with the negated secret", N - SECRET, ACCOUNT, BATCH, good
    yield "secret 1", 1, ACCOUNT, BATCH, sealed(text(5), secret=1)
    yield "secret n-1", N - 1, ACCOUNT, BATCH, sealed(text(5), secret=N - 1)


def lengths(good: bytes) -> Iterator[tuple[str, bytes]]:
    yield "length 69, empty body", sealed(b"")
    yield "length 70, one byte of body", sealed(b"\x07")
    for length in (0, 1, 32, 33, 34, 65, 68, 69, 70):
        yield f"cut to {length} bytes", good[:length]
    yield "a byte appended", good + b"\x00"


def tags(good: bytes) -> Iterator[tuple[str, bytes]]:
    for tag in (0, 1, 2, 3, 4, 5, 6, 7, 27, 28, 255):
        yield f"tag {tag} in place of {good[0]}", bytes((tag,)) + good[1:]


def points() -> Iterator[tuple[str, bytes]]:
    """R.x at every edge; those at and above n would open if the curve alone decided."""
    for tag in (2, 3):
        yield f"R.x = 0, tag {tag}", forged(tag, 0, None)
        for name, x in [("1", 1), ("n-2", N - 2), ("n", N), ("n+2", N + 2), ("p-3", P - 3)]:
            point = lift(x, tag - 2)
            assert point is not None
            yield f"R.x = {name}, on the curve, tag {tag}", forged(tag, x, point)
        for name, x in [("5", 5), ("n-1", N - 1), ("n+1", N + 1), ("p-1", P - 1)]:
            assert lift(x, tag - 2) is None
            yield f"R.x = {name}, off the curve, tag {tag}", forged(tag, x, None)
        yield f"R.x = p, tag {tag}", forged(tag, P, None)
        yield f"R.x = p+1, 1 on the curve, tag {tag}", forged(tag, P + 1, lift(1, tag - 2))
        yield f"R.x = 2^256-1, tag {tag}", forged(tag, 2**256 - 1, None)


def flips(good: bytes) -> Iterator[tuple[str, bytes]]:
    for byte, bit, part in [
        (0, 0, "parity of R"),
        (1, 7, "top bit of R.x"),
        (17, 3, "middle of R.x"),
        (32, 0, "last bit of R.x"),
        (33, 0, "salt"),
        (64, 7, "end of the salt"),
        (65, 0, "magic"),
        (68, 7, "end of the magic"),
        (69, 0, "first byte of the body"),
        (len(good) - 1, 0, "last bit"),
    ]:
        yield f"bit flipped: {part}", flip(good, byte, bit)
