"""Whole batches with their exact clearing prices, and settlements of them that must be refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from eth_abi.abi import encode as abi_encode

from tests.reference import certificate, clearing, sealing
from tests.reference.keccak import keccak256
from tests.reference.secp256k1 import G, multiply
from tests.vectors.cases.books import BOOKS, Bidder, Book

CHAIN, MARKET = 31_337, keccak256(b"market")[12:]
SEED = keccak256(b"operator seed of the vectors")
Pairs = list[tuple[bytes, bytes]]
Refusal = tuple[
    str, list[int], list[int], Pairs, dict[str, Any]
]  # and what is changed in the batch


def build() -> dict[str, Any]:
    return {"cases": [case(number + 1, book) for number, book in enumerate(BOOKS)]}


def case(number: int, book: Book) -> dict[str, Any]:
    batch = sealed_batch(number, book)
    submissions = [(account["address"], account["ciphertext"]) for account in batch["accounts"]]
    products = sorted(
        {k for account in batch["accounts"] for k in reading(batch, account).products}
    )
    prices = solve(batch, products)
    expected = certificate.settle(batch, products, prices, submissions)
    expected["outcome"] = keccak256(abi_encode(["uint16[]", "int256[]"], [products, prices]))
    refused = [
        refusal(batch, submissions, attempt)
        for attempt in refusals(book, batch, products, prices, submissions)
    ]
    return {
        "name": book.name,
        **{k: v for k, v in batch.items() if k not in ("products", "accounts")},
        "products": [{"id": k, **product} for k, product in batch["products"].items()],
        "accounts": batch["accounts"],
        "posted": {"products": products, "prices": prices},
        "expected": expected,
        "refused": refused,
    }


def sealed_batch(number: int, book: Book) -> dict[str, Any]:
    batch_id = sealing.batch_id(CHAIN, MARKET, number)
    secret = sealing.batch_key(SEED, batch_id)
    public = multiply(secret, G)
    assert public is not None
    accounts = [
        account_of(bidder, keccak256(b"%s %d" % (book.name.encode(), i))[12:], public, batch_id)
        for i, bidder in enumerate(book.bidders)
    ]
    return {
        "chainId": CHAIN,
        "market": MARKET,
        "number": number,
        "batchId": batch_id,
        "lockOut": 1_800_000_000,
        "secret": secret,
        "houseCash": book.house_cash,
        "products": book.products,
        "accounts": sorted(accounts, key=lambda account: account["address"]),
    }


def account_of(
    bidder: Bidder, address: bytes, public: tuple[int, int], batch_id: bytes
) -> dict[str, Any]:
    salt = keccak256(b"salt" + address)
    ct = sealing.seal(public, bidder.body, address, batch_id, salt)
    assert ct is not None
    if bidder.garbled:
        ct = ct[:65] + bytes(4) + ct[69:]
    return {
        "address": address,
        "cash": bidder.cash,
        "home": bidder.home,
        "lots": bidder.lots,
        "units": bidder.units,
        "sealHash": sealing.seal_hash(batch_id, ct),
        "ciphertext": ct,
    }


def reading(batch: dict[str, Any], account: dict[str, Any]) -> Any:
    return certificate.status(batch, account, account["ciphertext"], certificate.ticks(batch))


def solve(batch: dict[str, Any], products: Sequence[int]) -> list[int]:
    """The exact root of the book, rounded to X84."""
    makers = [
        clearing.maker_of(k, batch["products"][k]["reference"], batch["products"][k]["scale"])
        for k in products
    ]
    read = [reading(batch, account) for account in batch["accounts"]]
    orders = [order for one in read if not one.reason for order in one.orders]
    book = clearing.Book.of(makers, orders, certificate.ticks(batch))
    return clearing.to_x84(clearing.clearing_prices(book))


def changed(batch: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The batch with another `houseCash`, other `house` by product, other `cash` by account."""
    house, cash = changes.get("house", {}), changes.get("cash", {})
    return batch | {
        "houseCash": changes.get("houseCash", batch["houseCash"]),
        "products": {
            k: p | {"house": house.get(k, p["house"])} for k, p in batch["products"].items()
        },
        "accounts": [a | {"cash": cash.get(a["address"], a["cash"])} for a in batch["accounts"]],
    }


def refusal(batch: dict[str, Any], right: Pairs, attempt: Refusal) -> dict[str, Any]:
    name, products, prices, submissions, changes = attempt
    try:
        certificate.settle(changed(batch, changes), products, prices, submissions)
    except certificate.RejectedError as error:
        return {
            "name": name,
            "products": products,
            "prices": prices,
            "submissions": None if submissions == right else refer(submissions, right),
            "changes": changes,
            "error": error.name,
            "arguments": error.arguments,
        }
    raise AssertionError(f"{name}: the reference accepts it")


def refer(submissions: Pairs, right: Pairs) -> list[Any]:
    """Each submission as (address, ciphertext), a known ciphertext by its index."""
    known = {ct: i for i, (_, ct) in enumerate(right)}
    return [(address, known.get(ct, ct)) for address, ct in submissions]


def refusals(
    book: Book, batch: dict[str, Any], products: list[int], prices: list[int], right: Pairs
) -> Iterator[Refusal]:
    """Lies worth telling about this batch."""
    if book.lies:
        for name, submissions in wrong_accounts(right):
            yield name, products, prices, submissions, {}
        for name, other_products, other_prices in wrong_products(batch, products, prices):
            yield name, other_products, other_prices, right, {}
    lines = certificate.settle(batch, products, prices, right)
    for i, k in enumerate(products[:3]):
        # less than its resolution may pass: that far a price does not matter
        stiff = (2 * lines["products"][k]["tolerance"] + 4) * (batch["products"][k]["scale"] << 26)
        for sign, word in ((1, "above"), (-1, "below")):
            moved = [*prices[:i], prices[i] + sign * stiff, *prices[i + 1 :]]
            yield f"product {k} {word} its resolution", products, moved, right, {}
    for name, changes in wrong_funds(batch, lines):
        yield name, products, prices, right, changes


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
        received = settled["accounts"][account["address"]].get("cash", 0)
        if received > 0:
            yield "a seller at the brim", {"cash": {account["address"]: 2**96 - received}}
            break


def wrong_accounts(right: Pairs) -> Iterator[tuple[str, Pairs]]:
    yield "a stranger at the end", [*right, (b"\xff" * 20, right[0][1] if right else b"")]
    if right:
        (first, ct), *rest = right
        yield "first account left out", rest
        yield "first account twice", [right[0], *right]
        yield "ciphertext altered", [(first, ct[:-1] + bytes((ct[-1] ^ 1,))), *rest]
        yield "ciphertext cut", [(first, ct[:-1]), *rest]
    if len(right) > 1:
        (first, ct), (second, other), *rest = right
        yield "accounts swapped", [right[1], right[0], *rest]
        yield "ciphertexts swapped", [(first, other), (second, ct), *rest]
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
