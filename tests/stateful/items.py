"""Items of a settlement as bytes: written for the contract, read back for the ghost (SPEC §6)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

# account, payload, done, shadow prices, amendment
Item = tuple[bytes, bytes, Sequence[int], Sequence[int], bytes | None]


def written(item: Item) -> bytes:
    account, payload, done, shadows, amendment = item
    head = account + len(payload).to_bytes(2) + bytes((len(shadows), len(done)))
    progress = b"".join(moved.to_bytes(16, signed=True) for moved in done)
    values = b"".join(shadow.to_bytes(20, signed=True) for shadow in shadows)
    behind = b"" if amendment is None else len(amendment).to_bytes(2) + amendment
    return head + payload + progress + values + behind


def parse(data: bytes, amended: Collection[bytes]) -> tuple[list[Item], bool]:
    """Whole items, and whether the data ends inside one; `amended` have one more ciphertext."""
    items: list[Item] = []
    at = 0
    while at < len(data):
        account, length = data[at : at + 20], int.from_bytes(data[at + 20 : at + 22])
        if at + 24 > len(data):
            return items, True
        shadows, done = data[at + 22], data[at + 23]
        at += 24
        progress, prices = at + length, at + length + 16 * done
        end = prices + 20 * shadows
        payload, amendment = data[at:progress], None
        moved = [_signed(data, progress + 16 * i, 16) for i in range(done)]
        values = [_signed(data, prices + 20 * i, 20) for i in range(shadows)]
        if account in amended and end <= len(data):
            size = int.from_bytes(data[end : end + 2])
            amendment, end = data[end + 2 : end + 2 + size], end + 2 + size
        if end > len(data):
            return items, True
        items.append((account, payload, moved, values, amendment))
        at = end
    return items, False


def _signed(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], signed=True)
