"""The golden batches through the whole contract: put at its address, with the state it reads.

A market is deployed, its code moved to the vectors' address and its storage written as lock-out
would have left it; then it settles, and refuses, as the vectors say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from tests.contract.node import Chain, quick_chain
from tests.contract.support import BUILT, OPERATOR, Bench, new_market, new_token
from tests.vectors.cases.codec import load
from walras.batch import CASH
from walras.schedule import Phase, Schedule
from walras.sealing import keccak256
from walras.settlement import encode_submissions

pytestmark = pytest.mark.chain

CASES = load("certificate")["cases"]
LOCK_OUT = CASES[0]["lockOut"]


@pytest.fixture(scope="module")
def old_chain() -> Iterator[Chain]:
    """A chain that stands well before the vectors' lock-out."""
    with quick_chain(LOCK_OUT - 10**6) as chain:
        yield chain


@pytest.fixture(params=CASES, ids=[case["name"] for case in CASES])
def case(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def market(old_chain: Chain, case: Mapping[str, Any]) -> Iterator[Bench]:
    """The case's market in the exclusive window of its batch."""
    with old_chain.undone():
        settlement = old_chain.deploy("Settlement", sender=OPERATOR)
        cash = new_token(old_chain, 6)
        start = LOCK_OUT - 400 - 1_000 * case["number"]
        clock = Schedule(start, 1_000, 300, 400, 420, 500, 600, 900)
        bench = new_market(old_chain, settlement, cash, timetable=clock)
        code = old_chain.rpc("eth_getCode", bench.market, "latest")
        bench.market = to_checksum_address(case["market"])
        old_chain.rpc("anvil_setCode", bench.market, code)
        write(bench, case, {})
        old_chain.warp(bench.time(case["number"], Phase.CLEARING))
        assert bench.look("phase", case["number"]) == Phase.CLEARING
        assert bench.id(case["number"]) == case["batchId"]
        yield bench


def slots() -> dict[str, int]:
    """Where the compiler put the market's variables."""
    layout = json.loads((BUILT / "Walras.json").read_text())["storageLayout"]["storage"]
    return {entry["label"]: int(entry["slot"]) for entry in layout}


def within(key: bytes | int, place: int) -> int:
    """Slot of a mapping's value."""
    word = key.to_bytes(32) if isinstance(key, int) else key.rjust(32, b"\x00")
    return int.from_bytes(keccak256(word + place.to_bytes(32)))


def write(bench: Bench, case: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """The storage that lock-out of the case's batch leaves, after a refusal's changes."""
    places, number, live = slots(), case["number"], len(case["accounts"])
    house, cash = changes.get("house", {}), changes.get("cash", {})
    words = {
        places["_batch"]: number | live << 32,
        places["_treasury"]: changes.get("houseCash", case["houseCash"]),
        places["_count"]: len(case["products"]),
        within(number, places["secret"]): case["secret"],
    }
    for p in case["products"]:
        held = house.get(p["id"], p["house"])
        low = held | p["reference"] << 96 | p["scale"] << 176 | p["tickBps"] << 232
        word = low | p["depthLog2"] << 240 | p["houseLog2"] << 248
        words[within(p["id"], places["_products"])] = word
    for account in case["accounts"]:
        held = cash.get(account["address"], account["cash"])
        words.update(account_words(account, held, number, places["_ledger"]))
    for slot, word in words.items():
        value = "0x" + word.to_bytes(32).hex()
        bench.chain.rpc("anvil_setStorageAt", bench.market, hex(slot), value)


def account_words(account: Mapping[str, Any], cash: int, number: int, place: int) -> dict[int, int]:
    home, lots = account["home"], account["lots"]
    first = within(account["address"], place)
    low = cash | (lots.get(home, 0) if home is not None else 0) << 96
    high = (0 if home is None else home + 1) << 192 | number << 208 | account["units"] << 240
    words = {first: low | high, first + 1: int.from_bytes(account["sealHash"])}
    inner = within(account["address"], place + 1)
    for k, held in lots.items():
        if k != home:
            slot = within(k >> 1, inner)
            words[slot] = words.get(slot, 0) | held << 128 * (k & 1)
    return words


def test_settles_as_the_vectors_say(market: Bench, case: Mapping[str, Any]) -> None:
    posted, expected = case["posted"], case["expected"]
    data = encode_submissions((a["address"], a["ciphertext"]) for a in case["accounts"])
    arguments = (case["number"], posted["products"], posted["prices"], data)
    if not case["accounts"]:
        error = ("NothingToSettle", case["number"])
        assert market.refusal(OPERATOR, "settle", *arguments) == error
        return
    receipt = market.do(OPERATOR, "settle", *arguments)

    reasons = {e.args["account"]: e.args["reason"] for e in receipt.events if e.name == "Voided"}
    for account in case["accounts"]:
        owner = to_checksum_address(account["address"])
        result = expected["accounts"][account["address"]]
        assert reasons.get(owner, 0) == result["reason"]
        fills = result.get("fills", {})
        for k in {*account["lots"], *fills}:
            held = account["lots"].get(k, 0) + fills.get(k, 0)
            assert market.balance(owner, k) == held
        assert market.balance(owner, CASH) == account["cash"] + result.get("cash", 0)
        home = result["home"] if result["reason"] == 0 else account["home"]
        assert market.account(owner)["home_product"] == (0 if home is None else home + 1)
    for k, line in expected["products"].items():
        product = market.product(k)
        assert (product.house, product.reference) == (line["house"], line["reference"])
    assert market.treasury()["house_cash"] == expected["houseCash"]
    event = receipt.event("Settled")
    volumes = tuple(expected["products"][k]["volume"] for k in posted["products"])
    assert event["volumes"] == volumes
    assert (event["loss"], event["freedom"]) == (expected["loss"], expected["freedom"])
    assert event["voids"] == sum(r["reason"] != 0 for r in expected["accounts"].values())
    assert market.look("outcome", case["number"]) == expected["outcome"]


def test_refuses_as_the_vectors_say(market: Bench, case: Mapping[str, Any]) -> None:
    accounts = case["accounts"]
    changed = False
    for lie in case["refused"]:
        if lie["changes"] or changed:
            write(market, case, lie["changes"])
            changed = bool(lie["changes"])
        pairs = lie["submissions"]
        if pairs is None:
            pairs = [[a["address"], a["ciphertext"]] for a in accounts]
        told = [(a, accounts[ct]["ciphertext"] if isinstance(ct, int) else ct) for a, ct in pairs]
        data = encode_submissions(told)
        got = market.refusal(
            OPERATOR, "settle", case["number"], lie["products"], lie["prices"], data
        )
        shown = (to_checksum_address(v) if isinstance(v, bytes) else v for v in lie["arguments"])
        error = (lie["error"], *shown) if accounts else ("NothingToSettle", case["number"])
        assert got == error, lie["name"]
