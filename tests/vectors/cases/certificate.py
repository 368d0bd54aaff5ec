"""Whole batches with their exact clearing prices, and settlements of them that must be refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode as abi_encode

from tests.reference import certificate, clearing, sealing, standing
from tests.reference.keccak import keccak256
from tests.reference.secp256k1 import G, multiply
from tests.vectors.cases.books import RENT, Bidder, Book
from tests.vectors.cases.lies import Item, Items, Refusal, refusals

CHAIN, MARKET = 31_337, keccak256(b"market")[12:]
SEED = keccak256(b"operator seed of the vectors")


def build(books: Sequence[Book]) -> dict[str, Any]:
    return {"cases": [case(number + 1, book) for number, book in enumerate(books)]}


def case(number: int, book: Book) -> dict[str, Any]:
    batch = sealed_batch(number, book)
    products, prices, items = solve(batch)
    expected = certificate.settle(batch, products, prices, items)
    expected["outcome"] = keccak256(abi_encode(["uint16[]", "int256[]"], [products, prices]))
    refused = [
        refusal(batch, items, attempt) for attempt in refusals(book, batch, products, prices, items)
    ]
    return {
        "name": book.name,
        **{k: v for k, v in batch.items() if k not in ("products", "accounts")},
        "products": [{"id": k, **product} for k, product in batch["products"].items()],
        "accounts": batch["accounts"],
        "posted": {
            "products": products,
            "prices": prices,
            "shadows": {item[0]: item[3] for item in items if item[3]},
        },
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
        "rent": RENT,
        "products": book.products,
        "accounts": sorted(accounts, key=lambda account: account["address"]),
    }


def account_of(
    bidder: Bidder, address: bytes, public: tuple[int, int], batch_id: bytes
) -> dict[str, Any]:
    def sealed(salt: bytes, body: bytes) -> bytes:
        ct = sealing.seal(public, body, address, batch_id, keccak256(salt + address))
        assert ct is not None
        return ct[:65] + bytes(4) + ct[69:] if bidder.garbled else ct

    payload = bidder.body if bidder.standing else sealed(b"salt", bidder.body)
    seal_hash = (
        standing.stand_hash(payload, bidder.done)
        if bidder.standing
        else sealing.seal_hash(batch_id, payload)
    )
    amendment = None
    if bidder.amendment is not None:
        ct = sealed(b"amendment", bidder.amendment)
        amendment = {
            "units": bidder.amended_units,
            "sealHash": sealing.seal_hash(batch_id, ct),
            "ciphertext": ct,
        }
    return {
        "address": address,
        "cash": bidder.cash,
        "home": bidder.home,
        "lots": bidder.lots,
        "units": bidder.units,
        "standing": bidder.standing,
        "uncovered": bidder.uncovered,
        "sealHash": seal_hash,
        "payload": payload,
        "done": bidder.done,
        "amendment": amendment,
    }


def solve(batch: dict[str, Any]) -> tuple[list[int], list[int], Items]:
    """Products to price, the exact root of the book rounded to X84, and the items with it."""
    ticks = certificate.ticks(batch)
    accounts = batch["accounts"]
    read = [
        certificate.status(batch, account, account["payload"], ticks, account["done"])
        for account in accounts
    ]
    products = {k for reading in read for k in reading.products}
    for account in accounts:
        if account["amendment"]:
            ct = account["amendment"]["ciphertext"]
            products |= set(standing.amend(batch, account, ct, None, ticks)[0].products)
    posted = sorted(products)
    makers = [
        clearing.maker_of(k, batch["products"][k]["reference"], batch["products"][k]["scale"])
        for k in posted
    ]
    trading = [
        (reading, account["done"] if account["standing"] else [0] * len(reading.limited))
        for reading, account in zip(read, accounts, strict=True)
        if not reading.reason
    ]
    prices, shadows = clearing.clearing_point(clearing.Book.read(makers, trading, ticks))
    values = iter(clearing.to_x84(shadows))
    items: Items = []
    for reading, account in zip(read, accounts, strict=True):
        # nobody reads those of a submission that does not trade
        given = [0 if reading.reason else next(values) for _ in reading.costs]
        amendment = account["amendment"] and account["amendment"]["ciphertext"]
        items.append(
            (account["address"], account["payload"], list(account["done"]), given, amendment)
        )
    return posted, clearing.to_x84(prices), items


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


def refusal(batch: dict[str, Any], right: Items, attempt: Refusal) -> dict[str, Any]:
    name, products, prices, items, changes = attempt
    try:
        certificate.settle(changed(batch, changes), products, prices, items)
    except certificate.RejectedError as error:
        return {
            "name": name,
            "products": products,
            "prices": prices,
            "items": None if items == right else refer(items, right),
            "changes": changes,
            "error": error.name,
            "arguments": error.arguments,
        }
    raise AssertionError(f"{name}: the reference accepts it")


FIELDS = ("account", "payload", "done", "shadows", "amendment")


def refer(items: Items, right: Items) -> list[Any]:
    """Each right item by its place, the others by what differs from the likest right one."""
    return [right.index(item) if item in right else altered(item, right) for item in items]


def altered(item: Item, right: Items) -> dict[str, Any]:
    def differences(i: int) -> dict[str, Any]:
        values = zip(FIELDS, item, right[i], strict=True)
        return {field: new for field, new, old in values if new != old}

    if not right:
        return dict(zip(FIELDS, item, strict=True))
    like = min(range(len(right)), key=lambda i: len(str(differences(i))))
    return {"of": like, **differences(like)}
