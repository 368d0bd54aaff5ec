"""Settlements of a batch that must be refused."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import Any

from tests.reference import certificate
from tests.reference.curves import Cost
from tests.vectors.cases.books import Book

Item = tuple[Any, ...]  # account, payload, done, shadows, amendment
Items = list[Item]
Refusal = tuple[
    str, list[int], list[int], Items, dict[str, Any]
]  # and what is changed in the batch


def refusals(
    book: Book, batch: dict[str, Any], products: list[int], prices: list[int], right: Items
) -> Iterator[Refusal]:
    """Lies worth telling about this batch."""
    if book.lies:
        for name, items in wrong_accounts(right):
            yield name, products, prices, items, {}
        for name, items in wrong_standing(batch, right):
            yield name, products, prices, items, {}
        for name, other_products, other_prices in wrong_products(batch, products, prices):
            yield name, other_products, other_prices, right, {}
    lines = certificate.settle(batch, products, prices, right)
    for name, items in wrong_shadows(batch, lines, right):
        yield name, products, prices, items, {}
    for i, k in enumerate(products[:3]):
        # less than its resolution may pass: that far a price does not matter
        stiff = (2 * lines["products"][k]["tolerance"] + 4) * (batch["products"][k]["scale"] << 26)
        for sign, word in ((1, "above"), (-1, "below")):
            moved = [*prices[:i], prices[i] + sign * stiff, *prices[i + 1 :]]
            yield f"product {k} {word} its resolution", products, moved, right, {}
    for name, changes in wrong_funds(batch, lines):
        yield name, products, prices, right, changes


def wrong_shadows(
    batch: dict[str, Any], settled: dict[str, Any], right: Items
) -> Iterator[tuple[str, Items]]:
    """Shadow prices too many and too few, beyond their curves, beyond their resolution."""
    for i, (account, item) in enumerate(zip(batch["accounts"], right, strict=True)):
        if not item[3]:
            continue
        place = f"of account {i}"
        yield f"a shadow price {place} too few", with_shadows(right, i, item[3][:-1])
        yield f"a shadow price {place} too many", with_shadows(right, i, [*item[3], 0])
        if settled["accounts"][account["address"]]["reason"]:
            continue
        body = certificate.status(
            batch, account, account["payload"], certificate.ticks(batch), account["done"]
        )
        slacks = settled["accounts"][account["address"]]["slacks"]
        for d, cost in enumerate(body.costs):
            for name, shadow in wrong_values(cost, item[3][d], slacks[d]):
                moved = [*item[3][:d], shadow, *item[3][d + 1 :]]
                yield f"{name} of cost {d} {place}", with_shadows(right, i, moved)


def wrong_values(cost: Cost, shadow: int, slack: int) -> Iterator[tuple[str, int]]:
    yield "a shadow price beyond the top", int(cost.top * 2**84) + 1
    yield "a shadow price beyond the bottom", int(cost.bottom * 2**84) - 1
    for sign, ramp in cost.ramps():
        here = sign * Fraction(shadow, 2**84)
        if not ramp.divided(here):
            continue
        # where the curve is a wall the auths move: by more than that in a cash unit
        far = ceil((2 * slack + 4) * ramp.drop * 2**40 / ramp.width) if ramp.width else 2**84
        for way in (1, -1):
            if ramp.divided(here + way * Fraction(far, 2**84)):
                yield f"a shadow price {far * way * sign:+} off", shadow + sign * way * far


def with_shadows(right: Items, i: int, shadows: list[int]) -> Items:
    address, payload, done, _, amendment = right[i]
    return [*right[:i], (address, payload, done, shadows, amendment), *right[i + 1 :]]


def wrong_standing(batch: dict[str, Any], right: Items) -> Iterator[tuple[str, Items]]:
    """Progress, bodies and amendments other than the stored ones."""
    for i, account in enumerate(batch["accounts"]):
        address, payload, done, shadows, amendment = right[i]
        others: list[tuple[str, Any]] = []
        if account["standing"]:
            others.append(("body cut", (payload[:-1], done, amendment)))
            others.append(("progress too many", (payload, [*done, 0], amendment)))
        else:
            others.append(("progress of a seal", (payload, [0], amendment)))
        if done:
            others.append(("an ulp of progress more", (payload, [done[0] + 1], amendment)))
            others.append(("progress too few", (payload, done[:-1], amendment)))
        if amendment is not None:
            others.append(("amendment cut", (payload, done, amendment[:-1])))
        for name, (other, progress, sealed) in others:
            changed = (address, other, progress, shadows, sealed)
            yield f"{name}, account {i}", [*right[:i], changed, *right[i + 1 :]]


def wrong_funds(
    batch: dict[str, Any], settled: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """A house one ulp short of what it gives, one ulp too full, a ledger at its brim."""
    for k, line in settled["products"].items():
        z = line["residue"]
        if z:
            house = z - 1 if z > 0 else 2**96 + z
            yield f"house of product {k} beyond its range", {"house": {k: house}}
            break
    paid = batch["houseCash"] - settled["houseCash"]
    if paid:
        house = paid - 1 if paid > 0 else 2**96 + paid
        yield "house cash beyond its range", {"houseCash": house}
    for account in batch["accounts"]:
        outcome = settled["accounts"][account["address"]]
        received = outcome.get("cash", 0) - outcome["rent"]
        if received > 0:
            yield "a seller at the brim", {"cash": {account["address"]: 2**96 - received}}
            break


def wrong_accounts(right: Items) -> Iterator[tuple[str, Items]]:
    yield (
        "a stranger at the end",
        [*right, (b"\xff" * 20, right[0][1] if right else b"", [], [], None)],
    )
    if right:
        (first, ct, *more), *rest = right
        yield "first account left out", rest
        yield "first account twice", [right[0], *right]
        yield "payload altered", [(first, ct[:-1] + bytes((ct[-1] ^ 1,)), *more), *rest]
        yield "payload cut", [(first, ct[:-1], *more), *rest]
    if len(right) > 1:
        (first, ct, *more), (second, other, *others), *rest = right
        yield "accounts swapped", [right[1], right[0], *rest]
        if ct != other:
            yield "payloads swapped", [(first, other, *more), (second, ct, *others), *rest]
        yield "last account left out", right[:-1]


def wrong_products(
    batch: dict[str, Any], products: list[int], prices: list[int]
) -> Iterator[tuple[str, list[int], list[int]]]:
    count = len(batch["products"])
    yield "a price too many", products, [*prices, 0]
    yield "an unknown product", [*products, count], [*prices, 0]
    for k in range(count):
        if k not in products:
            at = sum(product < k for product in products)
            reference = batch["products"][k]["reference"] << 44
            more = [*products[:at], k, *products[at:]]
            yield "an unused product", more, [*prices[:at], reference, *prices[at:]]
            break
    if products:
        yield "first product left out", products[1:], prices[1:]
        yield "first product twice", [products[0], *products], [prices[0], *prices]
        yield "price 2^138", products, [2**138, *prices[1:]]
        yield "price -2^138", products, [-(2**138), *prices[1:]]
    if len(products) > 1:
        swapped = [products[1], products[0], *products[2:]]
        yield "products swapped", swapped, [prices[1], prices[0], *prices[2:]]
