"""SPEC §9: what of an account trades in the next batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.reference import sealing, wire
from tests.reference.keccak import keccak256

Account = dict[str, Any]


def stand_hash(body: bytes, done: Sequence[int]) -> bytes:
    tag = sealing.tag("stand")
    progress = b"".join((moved % 2**128).to_bytes(16, "big") for moved in done)
    return keccak256(tag + len(body).to_bytes(32, "big") + body + progress)


def complete(reading: wire.Reading, done: Sequence[int]) -> bool:
    """Whether nothing is left that any auth may trade, all of them having limits."""
    if len(done) < len(reading.orders):
        return False
    return all(
        order.room(moved) == (0, 0) for order, moved in zip(reading.orders, done, strict=True)
    )


def kept(
    account: Account, body: bytes, reading: wire.Reading, done: Sequence[int]
) -> Account | None:
    """What stands of a submission that has moved `done` by the end of the batch."""
    if not reading.orders or reading.kind == 0:
        return None
    if reading.reason not in (0, wire.UNCOVERED):
        return None
    uncovered = reading.reason == wire.UNCOVERED
    if uncovered and account.get("uncovered"):
        return None
    if complete(reading, done):
        return None
    return stand(body, done, account["units"], uncovered)


def stand(body: bytes, done: Sequence[int], units: int, uncovered: bool) -> Account:
    return {
        "body": body,
        "done": list(done),
        "units": units,
        "uncovered": uncovered,
        "hash": stand_hash(body, done),
    }


def amend(
    batch: dict[str, Any],
    account: Account,
    ct: bytes,
    home: int | None,
    ticks: Mapping[int, int],
) -> tuple[wire.Reading, Account | None]:
    """An amendment's reading, by rules 1-6 and 8, and what stands from it."""
    units = account["amendment"]["units"]
    body = sealing.unseal(batch["secret"], ct, account["address"], batch["batchId"])
    if body is None:
        return wire.Reading(reason=wire.UNOPENED), None
    reading = wire.read(body, len(ct), units, ticks)
    if reading.reason:
        return reading, None
    if reading.gas + wire.extra_words_gas(reading.products, home) > units * wire.UNIT_GAS:
        reading.reason = wire.OVERSIZED
        return reading, None
    if reading.kind == 0:
        return reading, None
    return reading, stand(body, [0] * len(reading.limited), units, False)
