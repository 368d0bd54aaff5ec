"""SPEC §6: a settlement from the posted bytes, every check where the page has it.

Data are plain dictionaries named as in tests/vectors/README.md, numbers are `int`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor
from typing import Any

from tests.reference import formulae, sealing, wire
from tests.reference.curves import demand

CASH = 65_535
LEDGER = 2**96
Batch = dict[str, Any]


class RejectedError(Exception):
    def __init__(self, name: str, *args: Any) -> None:
        self.name, self.arguments = name, list(args)
        super().__init__(name, *args)


def ticks(batch: Batch) -> dict[int, int]:
    return {k: formulae.tick(p["scale"], p["tickBps"]) for k, p in batch["products"].items()}


def status(batch: Batch, account: dict[str, Any], ct: bytes, tick: dict[int, int]) -> wire.Reading:
    """Rules 1-8."""
    body = sealing.unseal(batch["secret"], ct, account["address"], batch["batchId"])
    if body is None:
        return wire.Reading(reason=wire.UNOPENED)
    reading = wire.read(body, len(ct), account["units"], tick)
    if reading.reason:
        return reading
    gas = reading.gas + wire.extra_words_gas(reading.products, account["home"])
    lacks = wire.needed_cash(reading.orders) > account["cash"] or any(
        wire.needed_lots(reading.orders, k) > account["lots"].get(k, 0) for k in reading.products
    )
    if 0 < reading.valid_until < batch["lockOut"]:
        reading.reason = wire.EXPIRED
    elif gas > account["units"] * wire.UNIT_GAS:
        reading.reason = wire.OVERSIZED
    elif lacks:
        reading.reason = wire.UNCOVERED
    return reading


def settle(
    batch: Batch,
    products: Sequence[int],
    prices: Sequence[int],
    submissions: Sequence[tuple[bytes, bytes]],
) -> dict[str, Any]:
    """Outcome of `settle(b, products, prices, submissions)`, or RejectedError."""
    posted = check_prices(batch, products, prices)
    sums = {k: {"z": 0, "c": 0, "C": 0, "volume": 0, "used": False} for k in posted}
    live = {account["address"]: account for account in batch["accounts"]}
    out: dict[str, Any] = {"accounts": {}, "loss": 0, "ticks": ticks(batch)}
    before = b""
    for address, ct in submissions:
        if address <= before:
            raise RejectedError("AccountsNotAscending", address)
        if address not in live:
            raise RejectedError("AccountNotLive", address)
        if sealing.seal_hash(batch["batchId"], ct) != live[address]["sealHash"]:
            raise RejectedError("WrongCiphertext", address)
        out["accounts"][address] = trade(batch, live[address], ct, posted, sums, out)
        before = address
    if len(submissions) != len(live):
        raise RejectedError("LiveCountMismatch", len(submissions), len(live))
    del out["ticks"]
    close(batch, posted, sums, out)
    return out


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


def trade(
    batch: Batch,
    account: dict[str, Any],
    ct: bytes,
    posted: dict[int, int],
    sums: dict[int, dict[str, Any]],
    out: dict[str, Any],
) -> dict[str, Any]:
    """One submission: its reason, or its fills, rates and cash, added to the sums."""
    reading = status(batch, account, ct, out["ticks"])
    for k in reading.products:
        if k not in posted:
            raise RejectedError("PriceMissing", k)
        sums[k]["used"] = True
    if reading.reason:
        return {"reason": reading.reason}
    fills = dict.fromkeys(reading.products, 0)
    rates, cash = [], 0
    for order in reading.orders:
        pi = sum(weight * posted[k] for k, weight in order.legs)
        rate, sloped, slope = demand(order, out["ticks"], pi)
        rates.append(rate)
        cash += floor(-Fraction(pi, 2**84) * Fraction(rate, 2**44) * 2**40)
        out["loss"] += slope
        for k, weight in order.legs:
            fills[k] += weight * rate
            sums[k]["z"] += weight * rate
            sums[k]["C"] += abs(weight) + 1
            sums[k]["c"] += abs(weight) + 1 if sloped else 0
            sums[k]["volume"] += max(0, weight * rate)
    moves = [(k, account["lots"].get(k, 0) + fill) for k, fill in fills.items()]
    for asset, balance in [*moves, (CASH, account["cash"] + cash)]:
        if not 0 <= balance < LEDGER:
            raise RejectedError("LedgerOutOfRange", account["address"], asset, balance)
    home = reading.products[0] if account["home"] is None else account["home"]
    return {"reason": 0, "fills": fills, "rates": rates, "cash": cash, "home": home}


def close(
    batch: Batch, posted: dict[int, int], sums: dict[int, dict[str, Any]], out: dict[str, Any]
) -> None:
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
    out["houseCash"] = batch["houseCash"] - sum(a.get("cash", 0) for a in out["accounts"].values())
    if not 0 <= out["houseCash"] < LEDGER:
        raise RejectedError("HouseShort", CASH, out["houseCash"])
    scales = {k: batch["products"][k]["scale"] for k in posted}
    lines = out["products"]
    out["loss"] = formulae.loss(out["loss"], [(lines[k]["excess"], scales[k]) for k in lines])
    out["freedom"] = formulae.freedom(
        [(lines[k]["gross"], lines[k]["volume"], scales[k]) for k in lines]
    )
