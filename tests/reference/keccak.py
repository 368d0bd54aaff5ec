"""Keccak-256 as Ethereum uses it: Keccak-f[1600], rate 136 bytes, padding 0x01 … 0x80.

Source: https://keccak.team/keccak_specs_summary.html, loops as in the pseudo-code.
"""

from __future__ import annotations

_RATE = 136
_LANE = (1 << 64) - 1


def _rotate(lane: int, by: int) -> int:
    by %= 64
    return ((lane << by) | (lane >> (64 - by))) & _LANE


def _round_constants() -> list[int]:
    """Bit 2^j − 1 of constant i is output bit j + 7i of the LFSR x^8 + x^6 + x^5 + x^4 + 1."""
    bits, state = [], 1
    for _ in range(7 * 24):
        bits.append(state & 1)
        state = (state << 1) ^ (0x171 if state & 0x80 else 0)
    return [sum(bits[j + 7 * i] << ((1 << j) - 1) for j in range(7)) for i in range(24)]


_CONSTANTS = _round_constants()


def _permute(a: list[list[int]]) -> list[list[int]]:
    for constant in _CONSTANTS:
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[(x - 1) % 5] ^ _rotate(c[(x + 1) % 5], 1) for x in range(5)]
        a = [[a[x][y] ^ d[x] for y in range(5)] for x in range(5)]
        b = [[0] * 5 for _ in range(5)]
        b[0][0] = a[0][0]
        x, y = 1, 0
        for t in range(24):
            b[y][(2 * x + 3 * y) % 5] = _rotate(a[x][y], (t + 1) * (t + 2) // 2)
            x, y = y, (2 * x + 3 * y) % 5
        a = [
            [b[x][y] ^ (~b[(x + 1) % 5][y] & b[(x + 2) % 5][y] & _LANE) for y in range(5)]
            for x in range(5)
        ]
        a[0][0] ^= constant
    return a


def keccak256(data: bytes) -> bytes:
    padded = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % _RATE))
    padded[-1] |= 0x80
    a = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), _RATE):
        for i in range(_RATE // 8):
            lane = padded[start + 8 * i : start + 8 * i + 8]
            a[i % 5][i // 5] ^= int.from_bytes(lane, "little")
        a = _permute(a)
    return b"".join(a[i % 5][i // 5].to_bytes(8, "little") for i in range(4))
