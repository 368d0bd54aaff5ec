from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from tests.vectors.cases.codec import books, entries_of, items_of, load, shadows_of, state_of
from walras.batch import AccountState, BatchState, Product, house_log2, least_house_cash
from walras.certificate import (
    Entry,
    Opened,
    evaluate,
    open_batch,
    priced_products,
    settle,
)
from walras.errors import CertificateError
from walras.sealing import batch_id, encode_point, public_key, seal, seal_hash
from walras.settlement import replay
from walras.submission import Auth, Leg, Step, Submission, VoidReason, encode

CASES = books()
FORMULAE = load("formulae")
REFUSALS = [(case, refusal) for case in CASES for refusal in case["refused"]]


def opened_of(case: dict[str, Any]) -> tuple[BatchState, tuple[Opened, ...]]:
    state = state_of(case)
    return state, open_batch(state, entries_of(case))


def posted(case: dict[str, Any]) -> dict[int, int]:
    return dict(zip(case["posted"]["products"], case["posted"]["prices"], strict=True))


def named(name: str) -> dict[str, Any]:
    return next(case for case in CASES if case["name"] == name)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_settle_vectors(case: dict[str, Any]) -> None:
    state, opened = opened_of(case)
    assert list(priced_products(opened)) == case["posted"]["products"]
    found, expected = settle(state, opened, posted(case), shadows_of(case)), case["expected"]
    traded = {a: e for a, e in expected["accounts"].items() if not e["reason"]}
    assert found.voids == {a: e["reason"] for a, e in expected["accounts"].items() if e["reason"]}
    assert found.fills == {a: e["fills"] for a, e in traded.items()}
    assert found.rates == {a: tuple(e["rates"]) for a, e in traded.items()}
    assert found.cash == {a: e["cash"] for a, e in traded.items()}
    assert found.progress == {a: tuple(e["done"]) for a, e in traded.items() if e["done"]}
    assert {
        a: [(one.excess, one.tolerance) for one in couplings]
        for a, couplings in found.couplings.items()
    } == {
        a: list(zip(e["excesses"], e["slacks"], strict=True))
        for a, e in traded.items()
        if e["excesses"]
    }
    lines = expected["products"]
    assert found.prices == {k: line["price"] for k, line in lines.items()}
    assert found.shadows == shadows_of(case)
    assert found.residues == {k: line["residue"] for k, line in lines.items()}
    assert found.excesses == {k: line["excess"] for k, line in lines.items()}
    assert found.tolerances == {k: line["tolerance"] for k, line in lines.items()}
    assert found.volumes == {k: line["volume"] for k, line in lines.items()}
    assert found.next_references == {k: line["reference"] for k, line in lines.items()}
    assert {k: state.products[k].house + got for k, got in found.house.items()} == {
        k: line["house"] for k, line in lines.items()
    }
    assert state.house_cash + found.house_cash == expected["houseCash"]
    assert (found.loss_x40, found.freedom_x40) == (expected["loss"], expected["freedom"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_standing_vectors(case: dict[str, Any]) -> None:
    state, opened = opened_of(case)
    found = settle(state, opened, posted(case), shadows_of(case))
    outcomes = case["expected"]["accounts"]
    assert found.rents == {a: e["rent"] for a, e in outcomes.items() if e["rent"]}
    assert sum(found.rents.values()) == case["expected"]["rent"]
    assert {
        a: {
            "body": one.body,
            "done": list(one.done),
            "units": one.units,
            "uncovered": one.uncovered,
            "hash": one.hash,
        }
        for a, one in found.standing.items()
    } == {a: e["next"] for a, e in outcomes.items() if e["next"]}
    amended = {a for a, e in outcomes.items() if e.get("amendment", {}).get("replaces")}
    was = {a["address"] for a in case["accounts"] if a["standing"]}
    assert found.amended == amended
    assert found.joined == {a for a, e in outcomes.items() if e["next"]} - was
    assert set(found.ended) >= {a for a in was if not outcomes[a]["next"]}
    assert set(found.ended) <= was
    assert all(found.voids.get(a) == reason for a, reason in found.ended.items())
    assert {
        one.account.address: one.replacement.reason or 0 for one in opened if one.replacement
    } == {a: e["amendment"]["reason"] for a, e in outcomes.items() if "amendment" in e}


@pytest.mark.parametrize(
    ("case", "refusal"), REFUSALS, ids=[f"{c['name']}: {r['name']}" for c, r in REFUSALS]
)
def test_refused_vectors(case: dict[str, Any], refusal: dict[str, Any]) -> None:
    state = state_of(case, refusal["changes"])
    entries, shadows = entries_of(case), shadows_of(case)
    if refusal["items"] is not None:
        entries, shadows = items_of(case, refusal["items"])
    with pytest.raises(CertificateError) as caught:
        replay(state, refusal["products"], refusal["prices"], entries, shadows)
    assert caught.value.reason == refusal["error"]
    assert list(caught.value.values.values()) == refusal["arguments"]


def test_vectors_reach_every_void_and_every_refusal() -> None:
    reasons = {a["reason"] for case in CASES for a in case["expected"]["accounts"].values()}
    assert reasons == {0, *VoidReason}
    elsewhere = {"TruncatedData", "WrongBoard", "ChunkTooLarge"}
    assert {r["error"] for _, r in REFUSALS} == set(CertificateError.MESSAGES) - elsewhere


def test_vectors_reach_every_end_of_a_standing_submission() -> None:
    ended, uncovered = set(), set()
    for case in CASES:
        state, opened = opened_of(case)
        found = settle(state, opened, posted(case), shadows_of(case))
        ended |= set(found.ended.values())
        uncovered |= {one.uncovered for one in found.standing.values()}
    assert ended == {
        None,
        VoidReason.MALFORMED,
        VoidReason.OVERSIZED,
        VoidReason.EXPIRED,
        VoidReason.UNCOVERED,
        VoidReason.RENT,
    }
    assert uncovered == {False, True}


def test_opened_knows_what_must_be_priced() -> None:
    by_reason = {one.reason: one for one in opened_of(named("every void"))[1]}
    assert by_reason[VoidReason.UNOPENED].products == ()
    assert by_reason[VoidReason.UNOPENED].submission is None
    assert by_reason[VoidReason.EXPIRED].products == (2,)
    assert by_reason[VoidReason.UNCOVERED].submission is not None


def test_open_batch_sorts_and_refuses_strangers() -> None:
    case = named("a buyer and a seller")
    state, entries = state_of(case), entries_of(case)
    found = open_batch(state, list(reversed(entries)))
    assert [one.account.address for one in found] == [entry.account for entry in entries]
    with pytest.raises(CertificateError, match="AccountNotLive"):
        open_batch(state, [*entries, Entry(bytes(20), b"")])


def test_what_does_not_trade_may_leave_its_shadow_prices_out() -> None:
    case = named("costs of void submissions")
    state, opened = opened_of(case)
    given = {a: v for a, v in shadows_of(case).items() if any(v)}
    assert len(given) < len(shadows_of(case))
    assert settle(state, opened, posted(case), given).shadows == shadows_of(case)
    needy = next(one for one in opened if one.costs and one.reason is None)
    with pytest.raises(CertificateError, match="ShadowsMismatch"):
        settle(state, opened, posted(case), {})
    there = evaluate(state, opened, posted(case))
    assert there.shadows[needy.account.address] == (0,) * needy.costs


def test_the_first_account_may_have_the_zero_address() -> None:
    case = named("voids only, still priced")
    state, opened = opened_of(case)
    zero = replace(state.accounts[0], address=bytes(20))
    state = replace(state, accounts=(zero, *state.accounts[1:]))
    settle(state, (replace(opened[0], account=zero), *opened[1:]), posted(case))


def test_evaluate_tells_what_uncleared_prices_would_do() -> None:
    case = named("a buyer and a seller")
    state, opened = opened_of(case)
    there = evaluate(state, opened, {0: 100 << 84})
    assert there.residues == {0: 200 << 44}
    assert there.excesses == {0: 200 << 44}
    assert there.tolerances == {0: 2}


def test_the_secret_is_not_shown() -> None:
    state = state_of(CASES[1])
    assert str(state.secret) not in repr(state)


@pytest.mark.parametrize("row", FORMULAE["tick"])
def test_tick_vectors(row: dict[str, int]) -> None:
    assert Product(0, 0, 0, row["scale"], row["tickBps"], 0).tick == row["tick"]


@pytest.mark.parametrize("row", FORMULAE["maker"])
def test_maker_vectors(row: dict[str, int]) -> None:
    product = Product(0, 0, row["reference"], row["scale"], 1, 0)
    assert product.maker(row["price"]) == row["sold"]


@pytest.mark.parametrize("row", FORMULAE["reference"])
def test_reference_vectors(row: dict[str, int]) -> None:
    product = Product(0, 0, row["reference"], row["scale"], 1, row["depthLog2"])
    assert product.next_reference(row["price"], row["volume"]) == row["next"]


@pytest.mark.parametrize("row", FORMULAE["house"])
def test_house_vectors(row: dict[str, int]) -> None:
    k = house_log2(row["coverCap"], row["scale"])
    assert k == row["houseLog2"]
    product = Product(0, 0, 0, row["scale"], 1, 0, k)
    assert least_house_cash([product]) == row["leastCash"]
    assert least_house_cash([product] * 3) == 3 * row["leastCash"]


def test_epsilon_is_a_thousandth_of_a_lot_per_scale() -> None:
    product = Product(0, 0, 100 << 40, 100 << 24, 1, 0)
    assert product.epsilon * 100 == Fraction(1, 1024)
    twice = 200 << 84
    assert product.maker(twice) == 2**34


def test_five_hundred_accounts_settle_in_a_tenth_of_a_second() -> None:
    """Best of three, in processor time."""
    name = batch_id(1, bytes(20), 1)
    secret, stiff = 5, 1 << 60
    key = encode_point(*public_key(secret))
    accounts, sealed = [], {}
    for i in range(500):
        address = (i + 1).to_bytes(20)
        side = (Step(1000, stiff),)
        auth = Auth((Leg(0, 1),), 100 << 40, 0, side if i % 2 else (), () if i % 2 else side)
        sealed[address] = seal(key, encode(Submission((auth,))), address, name, bytes(32))
        accounts.append(
            AccountState(address, 1 << 95, {0: 1 << 70}, 0, 20, seal_hash(name, sealed[address]))
        )
    product = Product(0, 1 << 80, 100 << 40, 100 << 24, 1, 20, 36)
    state = BatchState(1, name, 9, {0: product}, tuple(accounts), 1 << 90, secret)
    opened = open_batch(state, [Entry(address, ct) for address, ct in sealed.items()])
    seconds = []
    for _ in range(3):
        start = time.process_time()
        assert len(settle(state, opened, {0: 100 << 84}).fills) == 500
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.1
