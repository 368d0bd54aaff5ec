from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode as abi_encode

from tests.vectors.cases.codec import load, state_of
from walras.certificate import open_batch, settle
from walras.errors import CertificateError
from walras.sealing import keccak256
from walras.settlement import (
    apply,
    decode_submissions,
    encode_submissions,
    outcome_hash,
    replay,
)

CASES = load("certificate")["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_outcome_vectors(case: dict[str, Any]) -> None:
    outcome = outcome_hash(case["posted"]["products"], case["posted"]["prices"])
    assert outcome == case["expected"]["outcome"]


@pytest.mark.parametrize("prices", [[], [0], [-1, 2**138 - 1], [1 - 2**138, 5, 0]])
def test_outcome_is_the_hash_of_the_abi_encoding(prices: list[int]) -> None:
    products = list(range(len(prices)))
    encoded = abi_encode(["uint16[]", "int256[]"], [products, prices])
    assert outcome_hash(products, prices) == keccak256(encoded)


@pytest.mark.parametrize("case", CASES[:4], ids=lambda case: case["name"])
def test_replay_of_calldata_is_the_settlement(case: dict[str, Any]) -> None:
    state, (products, prices) = state_of(case), case["posted"].values()
    pairs = [(account["address"], account["ciphertext"]) for account in case["accounts"]]
    replayed = replay(state, products, prices, decode_submissions(encode_submissions(pairs)))
    posted = dict(zip(products, prices, strict=True))
    assert replayed == settle(state, open_batch(state, dict(pairs)), posted)


def test_submissions_are_packed_in_order() -> None:
    pairs = [(b"\x01" * 20, b"abc"), (b"\x02" * 20, b""), (b"\x03" * 20, b"x" * 300)]
    data = encode_submissions(pairs)
    assert data[:25] == b"\x01" * 20 + b"\x00\x03abc"
    assert decode_submissions(data) == pairs
    assert encode_submissions([]) == b""
    assert decode_submissions(b"") == []


@pytest.mark.parametrize("cut", [1, 3, 4, 21, 22, 24])
def test_submissions_cut_short_are_refused(cut: int) -> None:
    data = encode_submissions([(b"\x01" * 20, b"abc")])
    with pytest.raises(CertificateError, match="TruncatedData"):
        decode_submissions(data[:-cut])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_apply_moves_ledgers_and_conserves(case: dict[str, Any]) -> None:
    before = state_of(case)
    sealed = {account["address"]: account["ciphertext"] for account in case["accounts"]}
    prices = dict(zip(case["posted"]["products"], case["posted"]["prices"], strict=True))
    settlement = settle(before, open_batch(before, sealed), prices)
    after = apply(before, settlement)
    for account, was in zip(after.accounts, before.accounts, strict=True):
        expected = case["expected"]["accounts"][account.address]
        if expected["reason"]:
            assert account == was
            continue
        assert account.home == expected["home"]
        assert account.cash == was.cash + expected["cash"]
        for k, fill in expected["fills"].items():
            assert account.lots[k] == was.lots.get(k, 0) + fill
    total = [
        [s.house_cash + sum(account.cash for account in s.accounts)]
        + [
            product.house + sum(account.lots.get(k, 0) for account in s.accounts)
            for k, product in s.products.items()
        ]
        for s in (before, after)
    ]
    assert total[0] == total[1]
    for k, line in case["expected"]["products"].items():
        assert (after.products[k].house, after.products[k].reference) == (
            line["house"],
            line["reference"],
        )
    untouched = set(before.products) - set(case["expected"]["products"])
    assert all(after.products[k] == before.products[k] for k in untouched)
    assert replace(after, accounts=(), products={}, house_cash=0) == replace(
        before, accounts=(), products={}, house_cash=0
    )
