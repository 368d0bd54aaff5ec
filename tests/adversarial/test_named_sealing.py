"""Attacks on seals and keys that the first review ran, each against what was built (§A1).

A docstring names the review and the number of its finding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from eth_utils.address import to_canonical_address

from tests.adversarial.named import STRANGER, voids
from tests.contract.batches import Bid, buys, ciphertext, enter, order, run, sells
from tests.contract.node import Chain
from tests.contract.shapes import SHAPES
from tests.contract.support import (
    OPERATOR,
    Bench,
    address,
    new_market,
    storage_slot,
)
from walras.auths import Submission
from walras.batch import CASH
from walras.schedule import Phase
from walras.sealing import GROUP_ORDER, keccak256, seal_hash
from walras.submission import VoidReason, encode

pytestmark = pytest.mark.chain

FIELD = 2**256 - 2**32 - 977


def test_nothing_published_with_a_seal_is_its_key(bench: Bench) -> None:
    """Review 1 §A1.1: without distinct tags a public hash is the secret scalar."""
    book = enter(bench, 1, {"a": buys(0, 100, 3)})
    ((owner, ct),) = book.pairs
    published = [seal_hash(bench.id(1), ct), bench.account(book.names["a"])["seal_hash"]]
    tail = ct[33:]
    for word in published:
        scalar = int.from_bytes(word) % GROUP_ORDER
        for key in (word, scalar.to_bytes(32)):
            stream = b"".join(keccak256(TAG_STREAM + key + i.to_bytes(32)) for i in range(8))
            assert bytes(x ^ y for x, y in zip(tail, stream, strict=False))[32:36] != b"WAL1"
    assert owner


TAG_KEY, TAG_STREAM = keccak256(b"walras.key.v1"), keccak256(b"walras.stream.v1")


def test_bidder_cannot_choose_his_order_after_seeing_the_book(bench: Bench) -> None:
    """Review 1 §A1.2: decryption of the sealed bytes is the only opening, also for the clearer."""
    book = run(bench, 1, {**SHAPES["cross"], "late": Bid(body=b"", spoil=lambda ct: bytes(120))})
    late = book.names["late"]
    better = ciphertext(bench, 1, late, buys(0, 120, 5))
    told = sorted({**dict(book.pairs), to_canonical_address(late): better}.items())
    assert book.refusal(book.prices(), told) == ("WrongCiphertext", late)
    plain = encode(Submission((order({0: 1}, 5, buy=[1]),)))
    told = sorted({**dict(book.pairs), to_canonical_address(late): plain}.items())
    assert book.refusal(book.prices(), told) == ("WrongCiphertext", late)
    assert voids(book)["late"] is VoidReason.UNOPENED
    book.settle(book.prices())


def shared_address(secret: int, point: bytes) -> bytes:
    from coincurve import PublicKey  # noqa: PLC0415

    key = PublicKey(point).multiply(secret.to_bytes(32)).format(compressed=False)
    return keccak256(key[1:])[12:]


def masked(shared: bytes, point: bytes, owner: str, batch: bytes, body: bytes) -> bytes:
    """A ciphertext made by somebody who knows the shared secret, not its scalar."""
    account = to_canonical_address(owner)
    key = keccak256(TAG_KEY + shared.rjust(32, b"\x00") + point + account + batch)
    message = bytes(32) + b"WAL1" + body
    stream = b"".join(keccak256(TAG_STREAM + key + i.to_bytes(32)) for i in range(40))
    return point + bytes(x ^ y for x, y in zip(message, stream, strict=False))


def always(ct: bytes) -> Callable[[bytes], bytes]:
    return lambda _: ct


BODY = encode(Submission((order({0: 1}, 120, buy=[5]),)))


def test_points_that_ecrecover_refuses_open_nowhere(bench: Bench) -> None:
    """Review 1 §A1.3: R.x in [n, p) lies on the curve for libraries, not for the chain."""
    x = next(x for x in range(GROUP_ORDER, FIELD) if pow(x**3 + 7, (FIELD - 1) // 2, FIELD) == 1)
    point = b"\x02" + x.to_bytes(32)
    shared = shared_address(bench.key(1), point)
    forged = masked(shared, point, address("forger"), bench.id(1), BODY)
    bids = {**SHAPES["cross"], "forger": Bid(body=BODY, spoil=lambda _: forged, spare=100_000)}
    book = run(bench, 1, bids)
    assert voids(book)["forger"] is VoidReason.UNOPENED
    receipt = book.settle(book.prices())
    assert receipt.event("Voided")["reason"] == VoidReason.UNOPENED


def test_failed_ecrecover_does_not_reuse_the_secret_before_it(bench: Bench) -> None:
    """Review 1 §A1.4: the word of the last call survives a call that returns nothing."""
    names = sorted(("first", "second"), key=lambda n: to_canonical_address(address(n)))
    book = enter(bench, 1, {names[0]: buys(0, 101, 9), "seller": sells(0, 90, 9)})
    honest = dict(book.pairs)[to_canonical_address(address(names[0]))]
    off = next(x for x in range(5, 99) if pow(x**3 + 7, (FIELD - 1) // 2, FIELD) != 1)
    point = b"\x02" + off.to_bytes(32)
    for shared in (shared_address(bench.key(1), honest[:33]), bytes(20)):
        forged = masked(shared, point, address(names[1]), bench.id(1), BODY)
        bid = Bid(body=BODY, spoil=always(forged), spare=100_000)
        with bench.chain.undone():
            both = book.joined(enter(bench, 1, {names[1]: bid}))
            bench.go(1, Phase.CLEARING)
            assert voids(both)[names[1]] is VoidReason.UNOPENED
            receipt = both.settle(both.prices())
            assert receipt.event("Voided")["account"] == address(names[1])


def test_key_is_bound_to_what_bidders_read(bench: Bench) -> None:
    """Review 1 §A1.5: a secret of another point with the same address end would be none at all."""
    x, y = public_point(bench.key(1))
    assert bench.look("keyHash", 1) == keccak256(x.to_bytes(32) + y.to_bytes(32))
    at = bench.time(1, Phase.REVEAL)
    wrong = GROUP_ORDER - bench.key(1)
    assert bench.refusal(OPERATOR, "reveal", 1, wrong, at=at) == ("WrongSecret", 1)


def public_point(secret: int) -> tuple[int, int]:
    from walras.sealing import public_key  # noqa: PLC0415

    return public_key(secret)


def test_late_seal_does_not_fall_into_the_next_batch(bench: Bench) -> None:
    """Review 1 §A1.6: it would be readable there with the key of its own batch."""
    owner = bench.endow(STRANGER, cash=10_000)
    for phase in (Phase.LOCKED_OUT, Phase.REVEAL):
        at = bench.time(1, phase)
        assert bench.refusal(owner, "seal", 10, bytes(80), 1, at=at) == ("WrongPhase", 1, phase)
    at = bench.time(2, Phase.OPEN)
    assert bench.refusal(owner, "seal", 10, bytes(80), 1, at=at) == ("NotCurrent", 1, 2)


def test_binding_is_all_256_bits_of_the_hash(bench: Bench) -> None:
    """Review 1 §A1.9: a cut hash gives two openings."""
    book = run(bench, 1, {"a": buys(0, 100, 3)})
    ((owner, ct),) = book.pairs
    stored = bench.account(book.names["a"])["seal_hash"]
    assert stored == seal_hash(bench.id(1), ct)
    assert stored != seal_hash(bench.id(2), ct)
    place = keccak256(owner.rjust(32, b"\x00") + int(storage_slot("ledger"), 16).to_bytes(32))
    slot = hex(int.from_bytes(place) + 1)
    assert bench.chain.rpc("eth_getStorageAt", bench.market, slot, "latest") == "0x" + stored.hex()
    prices = book.prices()
    for bit in range(0, 256, 5):
        other = int.from_bytes(stored) ^ 1 << bit
        value = "0x" + other.to_bytes(32).hex()
        bench.chain.rpc("anvil_setStorageAt", bench.market, slot, value)
        assert book.refusal(prices) == ("WrongCiphertext", book.names["a"])


def test_seeds_of_the_tests_are_not_secrets_of_the_market(chain: Chain, bench: Bench) -> None:
    """Review 1 §A1.9: keys follow chain, contract and batch, not the batch number alone."""
    other = new_market(chain, bench.libraries, bench.tokens[CASH])
    assert len({bench.key(1), bench.key(2), other.key(1), other.key(2)}) == 4
    assert hashlib.sha256(bench.id(1)).digest() != bench.key(1).to_bytes(32)
