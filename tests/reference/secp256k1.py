"""secp256k1 by the school book (SEC 2, §2.4.1), and the ecrecover precompile on top of it."""

from __future__ import annotations

from tests.reference.keccak import keccak256

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
Point = tuple[int, int] | None  # None is infinity
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def add(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    if a == b:
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(k: int, a: Point) -> Point:
    total: Point = None
    while k:
        if k & 1:
            total = add(total, a)
        a = add(a, a)
        k >>= 1
    return total


def lift(x: int, odd: int) -> Point:
    """The point with this x and this parity of y; None if x is not on the curve."""
    square = (x**3 + 7) % P
    y = pow(square, (P + 1) // 4, P)
    if x >= P or y * y % P != square:
        return None
    return x, y if y % 2 == odd else P - y


def compress(point: tuple[int, int]) -> bytes:
    return bytes((2 + point[1] % 2,)) + point[0].to_bytes(32)


def address(point: Point) -> bytes:
    assert point is not None
    return keccak256(point[0].to_bytes(32) + point[1].to_bytes(32))[12:]


def ecrecover(message: int, v: int, r: int, s: int) -> bytes | None:
    """The precompile at address 1: None where it returns nothing."""
    if v not in (27, 28) or not 0 < r < N or not 0 < s < N:
        return None
    point = lift(r, v - 27)
    if point is None:
        return None
    inverse = pow(r, -1, N)
    signer = add(
        multiply(-message * inverse % N, G),
        multiply(s * inverse % N, point),
    )
    return None if signer is None else address(signer)
