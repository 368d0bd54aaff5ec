from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode as abi_encode

from tests.vectors.cases.codec import books, entries_of, shadows_of, state_of
from walras.batch import AccountState
from walras.certificate import Entry, open_batch, settle
from walras.errors import CertificateError
from walras.sealing import keccak256
from walras.settlement import (
    apply,
    decode_submissions,
    encode_submissions,
    outcome_hash,
    replay,
)

CASES = books()
FLOWS = [case for case in CASES if any(a["standing"] or a["amendment"] for a in case["accounts"])]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_outcome_vectors(case: dict[str, Any]) -> None:
    outcome = outcome_hash(case["posted"]["products"], case["posted"]["prices"])
    assert outcome == case["expected"]["outcome"]


@pytest.mark.parametrize("prices", [[], [0], [-1, 2**138 - 1], [1 - 2**138, 5, 0]])
def test_outcome_is_the_hash_of_the_abi_encoding(prices: list[int]) -> None:
    products = list(range(len(prices)))
    encoded = abi_encode(["uint16[]", "int256[]"], [products, prices])
    assert outcome_hash(products, prices) == keccak256(encoded)


@pytest.mark.parametrize("case", CASES[:4] + FLOWS, ids=lambda case: case["name"])
def test_replay_of_calldata_is_the_settlement(case: dict[str, Any]) -> None:
    state, entries, shadows = state_of(case), entries_of(case), shadows_of(case)
    products, prices = case["posted"]["products"], case["posted"]["prices"]
    amended = {entry.account for entry in entries if entry.amendment is not None}
    decoded, given = decode_submissions(
        encode_submissions(entries, shadows), lambda account, _: account in amended
    )
    assert decoded == entries
    replayed = replay(state, products, prices, decoded, given)
    posted = dict(zip(products, prices, strict=True))
    assert replayed == settle(state, open_batch(state, entries), posted, shadows)


def test_submissions_are_packed_in_order() -> None:
    one, two, three = (bytes((i,)) * 20 for i in (1, 2, 3))
    entries = [
        Entry(one, b"abc"),
        Entry(two, b"", (5, -1), b"xyz"),
        Entry(three, b"x" * 300, (), b""),
    ]
    shadows = {two: (-1, 2)}
    data = encode_submissions(entries, shadows)
    assert data[:27] == one + b"\x00\x03\x00\x00abc"
    second = two + b"\x00\x00\x02\x02" + (5).to_bytes(16) + b"\xff" * 16
    second += b"\xff" * 20 + (2).to_bytes(20) + b"\x00\x03xyz"
    assert data[27:].startswith(second)
    assert data[27 + len(second) :] == three + b"\x01\x2c\x00\x00" + b"x" * 300 + b"\x00\x00"
    found = {one: (), two: (-1, 2), three: ()}
    assert decode_submissions(data, lambda account, _: account in (two, three)) == (entries, found)
    assert encode_submissions([]) == b""
    assert decode_submissions(b"") == ([], {})


def test_submissions_cut_short_are_refused() -> None:
    account = b"\x01" * 20
    data = encode_submissions([Entry(account, b"abc", (7,), b"xy")], {account: (9,)})
    assert decode_submissions(data, lambda *_: True)[0][0].amendment == b"xy"
    for size in range(1, len(data)):
        with pytest.raises(CertificateError, match="TruncatedData"):
            decode_submissions(data[:size], lambda *_: True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_apply_moves_ledgers_and_conserves(case: dict[str, Any]) -> None:
    before = state_of(case)
    prices = dict(zip(case["posted"]["products"], case["posted"]["prices"], strict=True))
    opened = open_batch(before, entries_of(case))
    settlement = settle(before, opened, prices, shadows_of(case))
    after = apply(before, settlement)
    for account, was in zip(after.accounts, before.accounts, strict=True):
        expected = case["expected"]["accounts"][account.address]
        stands(account, was, expected["next"])
        paid = was.cash - expected["rent"]
        if expected["reason"]:
            assert (account.home, account.lots, account.cash) == (was.home, was.lots, paid)
            continue
        assert account.home == expected["home"]
        assert account.cash == paid + expected["cash"]
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
    rent = case["expected"]["rent"]
    assert total[0] == [total[1][0] + rent, *total[1][1:]]
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


def stands(account: AccountState, was: AccountState, expected: dict[str, Any] | None) -> None:
    assert account.amendment is None
    if expected is None:
        assert (account.standing, account.uncovered) == (False, False)
        assert (account.units, account.seal_hash) == (was.units, was.seal_hash)
        return
    assert account.standing
    found = (account.units, account.uncovered, account.seal_hash)
    assert found == (expected["units"], expected["uncovered"], expected["hash"])
