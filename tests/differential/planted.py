"""The state that lock-out of a golden batch leaves, written straight into a market's storage.

A standing account's cash is written before the rent it owes from `OWED` earlier batches, if that
fits its width: the case says what is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tests.contract.support import Bench, storage_slot
from walras.sealing import keccak256

MARK: Final = 77  # rent index after the batch
OWED: Final = 3
STANDING, UNCOVERED, AMENDED = 1, 4, 8
Words = dict[int, int]


def slot(label: str) -> int:
    return int(storage_slot(label), 16)


def within(key: bytes | int, place: int) -> int:
    """Slot of a mapping's value."""
    word = key.to_bytes(32) if isinstance(key, int) else key.rjust(32, b"\x00")
    return int.from_bytes(keccak256(word + place.to_bytes(32)))


def plant(bench: Bench, case: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Write the case, after a refusal's changes."""
    for place, word in words(case, changes).items():
        value = "0x" + word.to_bytes(32).hex()
        bench.chain.rpc("anvil_setStorageAt", bench.market, hex(place), value)


def words(case: Mapping[str, Any], changes: Mapping[str, Any]) -> Words:
    number, accounts = case["number"], case["accounts"]
    standing = [a for a in accounts if a["standing"]]
    house, cash = changes.get("house", {}), changes.get("cash", {})
    units = sum(a["units"] for a in standing)
    found = {
        slot("batch"): number | len(accounts) << 32 | 1 << 96,  # one tick
        slot("standing"): len(standing) | units << 32 | MARK - 1 << 64,
        slot("treasury"): changes.get("houseCash", case["houseCash"]),
        slot("count"): len(case["products"]),
        within(number, slot("secret")): case["secret"],
    }
    for p in case["products"]:
        held = house.get(p["id"], p["house"])
        low = held | p["reference"] << 96 | p["scale"] << 176 | p["tickBps"] << 232
        word = low | p["depthLog2"] << 240 | p["houseLog2"] << 248
        found[within(p["id"], slot("products"))] = word
    for account in accounts:
        held = cash.get(account["address"], account["cash"])
        found |= account_words(account, held, number, case["rent"], slot("ledger"))
        if account["amendment"]:
            first = within(account["address"], slot("amendments"))
            found[first] = int.from_bytes(account["amendment"]["sealHash"])
            found[first + 1] = number | account["amendment"]["units"] << 32
    return found


def account_words(
    account: Mapping[str, Any], cash: int, number: int, rent: int, place: int
) -> Words:
    home, lots = account["home"], account["lots"]
    batch, flags = number, 0
    if account["standing"]:
        owed = account["units"] * rent * OWED
        batch = MARK - 1 - (OWED if cash + owed < 1 << 96 else 0)
        cash += owed if batch < MARK - 1 else 0
        flags = STANDING | UNCOVERED * account["uncovered"]
    if account["amendment"]:
        flags |= AMENDED
    first = within(account["address"], place)
    low = cash | (lots.get(home, 0) if home is not None else 0) << 96
    high = (0 if home is None else home + 1) << 192 | batch << 208 | account["units"] << 240
    found = {first: low | high | flags << 248, first + 1: int.from_bytes(account["sealHash"])}
    inner = within(account["address"], place + 1)
    for k, held in lots.items():
        if k != home:
            pair = within(k >> 1, inner)
            found[pair] = found.get(pair, 0) | held << 128 * (k & 1)
    return found
