"""SPEC §6: a settlement from the posted bytes, every check where the page has it.

Data are plain dictionaries named as in tests/vectors/README.md, numbers are `int`. An item is
(account, payload, done, shadows, amendment), of which the last three may be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import floor
from typing import Any

from tests.reference import escrow, formulae, sealing, standing, wire
from tests.reference.coupling import RejectedError, couple
from tests.reference.curves import demand, effective

__all__ = ["RejectedError", "settle", "status", "ticks"]

CASH = 65_535
LEDGER = 2**96
Batch = dict[str, Any]
Sums = dict[int, dict[str, Any]]


def ticks(batch: Batch) -> dict[int, int]:
    return {k: formulae.tick(p["scale"], p["tickBps"]) for k, p in batch["products"].items()}


def status(
    batch: Batch,
    account: dict[str, Any],
    payload: bytes,
    tick: dict[int, int],
    done: Sequence[int] = (),
) -> wire.Reading:
    """Rules 1-10."""
    if account.get("standing"):
        body, length = payload, 69 + len(payload)
    else:
        opened = body_of(batch, account, payload)
        if opened is None:
            return wire.Reading(reason=wire.UNOPENED)
        body, length = opened, len(payload)
    reading = wire.read(body, length, account["units"], tick)
    if reading.reason:
        return reading
    gas = reading.gas + wire.extra_words_gas(reading.products, account["home"])
    rent = rent_of(batch, account)
    if 0 < reading.valid_until < batch["lockOut"]:
        reading.reason = wire.EXPIRED
    elif gas > account["units"] * wire.UNIT_GAS:
        reading.reason = wire.OVERSIZED
    elif rent > account["cash"]:
        reading.reason = wire.RENT
    elif escrow.needed_cash(reading, done) > account["cash"] - rent or any(
        escrow.needed_lots(reading, k, done) > account["lots"].get(k, 0) for k in reading.products
    ):
        reading.reason = wire.UNCOVERED
    return reading


def rent_of(batch: Batch, account: dict[str, Any]) -> int:
    return account["units"] * batch.get("rent", 0) if account.get("standing") else 0


def settle(
    batch: Batch,
    products: Sequence[int],
    prices: Sequence[int],
    items: Sequence[tuple[Any, ...]],
) -> dict[str, Any]:
    """Outcome of `settle(b, products, prices, submissions)`, or RejectedError."""
    sums, out = add_up(batch, products, prices, items)
    if len(items) != len(batch["accounts"]):
        raise RejectedError("LiveCountMismatch", len(items), len(batch["accounts"]))
    close(batch, dict(zip(products, prices, strict=True)), sums, out)
    return out


def add_up(
    batch: Batch,
    products: Sequence[int],
    prices: Sequence[int],
    items: Sequence[tuple[Any, ...]],
) -> tuple[Sums, dict[str, Any]]:
    """What some of the batch's items come to, with the certificate still open."""
    posted = check_prices(batch, products, prices)
    sums: Sums = {k: {"z": 0, "c": 0, "C": 0, "volume": 0, "used": False} for k in posted}
    live = {account["address"]: account for account in batch["accounts"]}
    out: dict[str, Any] = {
        "accounts": {},
        "loss": 0,
        "costLoss": 0,
        "costSpan": 0,
        "ticks": ticks(batch),
    }
    before = b""
    for item in items:
        address, payload, done, shadows, amendment = whole(item)
        if address <= before:
            raise RejectedError("AccountsNotAscending", address)
        if address not in live:
            raise RejectedError("AccountNotLive", address)
        check_hashes(batch, live[address], payload, done, amendment)
        account = live[address]
        found = trade(batch, account, (payload, done, shadows), posted, sums, out)
        if amendment is not None:
            amended(batch, account, amendment, found, sums, out)
        out["accounts"][address] = found
        before = address
    del out["ticks"]
    return sums, out


def whole(item: Sequence[Any]) -> tuple[bytes, bytes, Sequence[int], Sequence[int], bytes | None]:
    defaults: tuple[Any, ...] = (b"", b"", (), (), None)
    address, payload, done, shadows, amendment = (*item, *defaults[len(item) :])
    return address, payload, done, shadows, amendment


def check_hashes(
    batch: Batch,
    account: dict[str, Any],
    payload: bytes,
    done: Sequence[int],
    amendment: bytes | None,
) -> None:
    if account.get("standing"):
        fine = standing.stand_hash(payload, done) == account["sealHash"]
    else:
        if done:
            raise RejectedError("WrongItem", account["address"])
        fine = sealing.seal_hash(batch["batchId"], payload) == account["sealHash"]
    kept = account.get("amendment")
    if (kept is None) != (amendment is None):
        fine = False
    elif kept is not None and amendment is not None:
        fine = fine and sealing.seal_hash(batch["batchId"], amendment) == kept["sealHash"]
    if not fine:
        raise RejectedError("WrongCiphertext", account["address"])


def check_prices(batch: Batch, products: Sequence[int], prices: Sequence[int]) -> dict[int, int]:
    if len(products) != len(prices):
        raise RejectedError("LengthMismatch", len(products), len(prices))
    for i, (product, price) in enumerate(zip(products, prices, strict=True)):
        if i and product <= products[i - 1]:
            raise RejectedError("ProductsNotAscending", product)
        if product not in batch["products"]:
            raise RejectedError("UnknownProduct", product)
        if not -(2**138) < price < 2**138:
            raise RejectedError("PriceOutOfRange", product, price)
    return dict(zip(products, prices, strict=True))


def price_listed(products: Sequence[int], sums: Sums) -> None:
    for k in products:
        if k not in sums:
            raise RejectedError("PriceMissing", k)
        sums[k]["used"] = True


def trade(
    batch: Batch,
    account: dict[str, Any],
    given: tuple[bytes, Sequence[int], Sequence[int]],
    posted: dict[int, int],
    sums: Sums,
    out: dict[str, Any],
) -> dict[str, Any]:
    """One submission: its reason, or its fills, rates and cash, added to the sums."""
    payload, done, shadows = given
    reading = status(batch, account, payload, out["ticks"], done)
    price_listed(reading.products, sums)
    if len(shadows) != len(reading.costs):
        raise RejectedError("ShadowsMismatch", len(shadows), len(reading.costs))
    rent = rent_of(batch, account)
    found: dict[str, Any] = {"reason": reading.reason}
    found["rent"] = rent if rent <= account["cash"] else 0
    body = payload if account.get("standing") else body_of(batch, account, payload) or b""
    before = list(done) if account.get("standing") else [0] * len(reading.limited)
    if reading.reason:
        return found | {"next": standing.kept(account, body, reading, before)}
    moves = fill(reading, before, posted, shadows, sums, out)
    couple(account["address"], reading, moves, shadows, out)
    balances = [(k, account["lots"].get(k, 0) + lots) for k, lots in moves["fills"].items()]
    cash = account["cash"] - rent + moves["cash"]
    for asset, balance in [*balances, (CASH, cash)]:
        if not 0 <= balance < LEDGER:
            raise RejectedError("LedgerOutOfRange", account["address"], asset, balance)
    del moves["sloped"]
    home = reading.products[0] if account["home"] is None else account["home"]
    after = standing.kept(account, body, reading, moves["done"])
    return found | moves | {"home": home, "next": after}


def body_of(batch: Batch, account: dict[str, Any], ct: bytes) -> bytes | None:
    return unsealed(batch["secret"], ct, account["address"], batch["batchId"])


@cache
def unsealed(secret: int, ct: bytes, account: bytes, batch_id: bytes) -> bytes | None:
    return sealing.unseal(secret, ct, account, batch_id)


def fill(
    reading: wire.Reading,
    done: Sequence[int],
    posted: dict[int, int],
    shadows: Sequence[int],
    sums: Sums,
    out: dict[str, Any],
) -> dict[str, Any]:
    """What every auth trades, added to the sums."""
    fills = dict.fromkeys(reading.products, 0)
    rates, slopes, cash = [], [], 0
    prices = effective(reading.orders, reading.costs, posted, shadows)
    progress = reading.progress(done)
    for order, pi, moved in zip(reading.orders, prices, progress, strict=True):
        rate, sloped, slope = demand(order, out["ticks"], pi, moved)
        rates.append(rate)
        slopes.append(sloped)
        worth = sum(weight * posted[k] for k, weight in order.legs)
        cash += floor(-Fraction(worth, 2**84) * Fraction(rate, 2**44) * 2**40)
        out["loss"] += slope
        for k, weight in order.legs:
            fills[k] += weight * rate
            sums[k]["z"] += weight * rate
            sums[k]["C"] += abs(weight) + 1
            sums[k]["c"] += abs(weight) + 1 if sloped else 0
            sums[k]["volume"] += max(0, weight * rate)
    after = [progress[j] + rates[j] for j in reading.limited]
    return {"fills": fills, "rates": rates, "sloped": slopes, "cash": cash, "done": after}


def amended(
    batch: Batch,
    account: dict[str, Any],
    ct: bytes,
    found: dict[str, Any],
    sums: Sums,
    out: dict[str, Any],
) -> None:
    """The amendment's products are priced; a good one is what stands from the next batch on."""
    home = found.get("home", account["home"])
    reading, stands = standing.amend(batch, account, ct, home, out["ticks"])
    price_listed(reading.products, sums)
    found["amendment"] = {"reason": reading.reason, "replaces": stands is not None}
    if stands is not None:
        found["next"] = stands


def close(batch: Batch, posted: dict[int, int], sums: Sums, out: dict[str, Any]) -> None:
    """[C-1] to [C-4], next references, house."""
    out["products"] = {}
    for k, price in posted.items():
        product, line = batch["products"][k], sums[k]
        if not line["used"]:
            raise RejectedError("PriceUnused", k)
        e = line["z"] - formulae.maker(price, product["reference"], product["scale"])
        if abs(e) > line["c"] + 2:
            raise RejectedError("NotCleared", k, e, line["c"] + 2)
        house = product["house"] - line["z"]
        if not 0 <= house < LEDGER:
            raise RejectedError("HouseShort", k, house)
        out["products"][k] = {
            "price": price,
            "residue": line["z"],
            "excess": e,
            "tolerance": line["c"] + 2,
            "gross": line["C"],
            "volume": line["volume"],
            "house": house,
            "reference": formulae.next_reference(
                price, product["reference"], product["scale"], product["depthLog2"], line["volume"]
            ),
        }
    out["rent"] = sum(a["rent"] for a in out["accounts"].values())
    out["houseCash"] = batch["houseCash"] - sum(a.get("cash", 0) for a in out["accounts"].values())
    if not 0 <= out["houseCash"] < LEDGER:
        raise RejectedError("HouseShort", CASH, out["houseCash"])
    scales = {k: batch["products"][k]["scale"] for k in posted}
    lines = out["products"]
    excesses = [(lines[k]["excess"], scales[k]) for k in lines]
    out["loss"] = formulae.loss(out["loss"], excesses, out.pop("costLoss"))
    out["freedom"] = formulae.freedom(
        [(lines[k]["gross"], lines[k]["volume"], scales[k]) for k in lines], out.pop("costSpan")
    )
