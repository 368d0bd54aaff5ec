"""The golden batches through the whole contract: put at its address, with the state it reads.

A market is deployed, its code moved to the vectors' address and its storage written as lock-out
would have left it; then it settles, and refuses, as the vectors say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from tests.contract.chunks import word_of
from tests.contract.node import Chain, Receipt, quick_chain
from tests.contract.support import (
    ALL,
    OPERATOR,
    Bench,
    address,
    new_libraries,
    new_market,
    new_token,
)
from tests.differential.planted import MARK, plant
from tests.vectors.cases.books import RENT
from tests.vectors.cases.codec import books, entries_of, items_of, shadows_of, state_of
from walras.batch import CASH
from walras.certificate import open_batch
from walras.chunks import Chunk, Run, begin, verify_chunk
from walras.numbers import UNIT_GAS
from walras.schedule import Phase, Schedule
from walras.settlement import encode_submissions
from walras.tally import Sums

pytestmark = pytest.mark.chain

CASES = books()
LOCK_OUT = CASES[0]["lockOut"]
NOBODY = "0x" + "00" * 20
# half a unit's gas at one wei, so that a tick is the vectors' rent
PRICES = {"min_base_fee": 1, "cash_per_wei": RENT // (UNIT_GAS // 2), "compensation": 0}


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
        cash = new_token(old_chain, 6)
        start = LOCK_OUT - 400 - 1_000 * case["number"]
        clock = Schedule(start, 1_000, 300, 400, 420, 500, 600, 900)
        bench = new_market(old_chain, new_libraries(old_chain), cash, timetable=clock, **PRICES)
        code = old_chain.rpc("eth_getCode", bench.market, "latest")
        bench.market = to_checksum_address(case["market"])
        old_chain.rpc("anvil_setCode", bench.market, code)
        plant(bench, case, {})
        old_chain.warp(bench.time(case["number"], Phase.CLEARING))
        assert bench.look("phase", case["number"]) == Phase.CLEARING
        assert bench.id(case["number"]) == case["batchId"]
        yield bench


def test_settles_as_the_vectors_say(market: Bench, case: Mapping[str, Any]) -> None:
    posted, expected = case["posted"], case["expected"]
    data = encode_submissions(entries_of(case), shadows_of(case))
    arguments = (case["number"], posted["products"], posted["prices"], data)
    if not case["accounts"]:
        error = ("NothingToSettle", case["number"])
        assert market.refusal(OPERATOR, "settle", *arguments) == error
        return
    receipt = market.do(OPERATOR, "settle", *arguments)
    told(receipt, case)
    holds(market, case)
    for account in case["accounts"]:
        stands(market, account, expected["accounts"][account["address"]]["next"])
    event = receipt.event("Settled")
    volumes = tuple(expected["products"][k]["volume"] for k in posted["products"])
    assert event["volumes"] == volumes
    assert (event["loss"], event["freedom"]) == (expected["loss"], expected["freedom"])
    assert event["voids"] == sum(r["reason"] != 0 for r in expected["accounts"].values())
    assert market.look("outcome", case["number"]) == expected["outcome"]
    assert market.look("claimable", OPERATOR) == expected["rent"]


def told(receipt: Receipt, case: Mapping[str, Any]) -> None:
    """What the events say of accounts."""
    outcomes = case["expected"]["accounts"]

    def named(event: str) -> dict[str, Any]:
        return {e.args["account"]: e.args for e in receipt.events if e.name == event}

    reasons = {owner: args["reason"] for owner, args in named("Voided").items()}
    assert reasons == {shown(a): e["reason"] for a, e in outcomes.items() if e["reason"]}
    replaced = {owner: args["replaced"] for owner, args in named("Amended").items()}
    assert replaced == {
        shown(a): e["amendment"]["replaces"] for a, e in outcomes.items() if "amendment" in e
    }
    before = {a["address"] for a in case["accounts"] if a["standing"]}
    joined = {a for a, e in outcomes.items() if e["next"]} - before
    assert set(named("Joined")) == {shown(a) for a in joined}
    ended = {a for a in before if not outcomes[a]["next"]}
    assert set(named("Ended")) >= {shown(a) for a in ended}


def shown(account: bytes) -> str:
    return to_checksum_address(account)


def holds(market: Bench, case: Mapping[str, Any]) -> None:
    """Every ledger, house and reference, and who stands."""
    expected = case["expected"]
    for account in case["accounts"]:
        owner, result = shown(account["address"]), expected["accounts"][account["address"]]
        fills = result.get("fills", {})
        for k in {*account["lots"], *fills}:
            held = account["lots"].get(k, 0) + fills.get(k, 0)
            assert market.balance(owner, k) == held
        cash = account["cash"] - result["rent"] + result.get("cash", 0)
        assert market.balance(owner, CASH) == cash
        home = result["home"] if result["reason"] == 0 else account["home"]
        assert market.account(owner)["home_product"] == (0 if home is None else home + 1)
    for k, line in expected["products"].items():
        product = market.product(k)
        assert (product.house, product.reference) == (line["house"], line["reference"])
    assert market.treasury()["house_cash"] == expected["houseCash"]
    left = [one["next"] for one in expected["accounts"].values() if one["next"]]
    assert market.standing() == {
        "count": len(left),
        "units": sum(one["units"] for one in left),
        "rent_index": MARK,
    }


def stands(market: Bench, account: Mapping[str, Any], left: Mapping[str, Any] | None) -> None:
    word = market.account(shown(account["address"]))
    if left is None:
        assert word["flags"] == 0
        return
    assert word["flags"] == (5 if left["uncovered"] else 1)
    assert (word["units"], word["seal_hash"]) == (left["units"], left["hash"])


@pytest.mark.parametrize("size", [1, 3])
def test_settles_in_chunks_as_the_twin_says(
    market: Bench, case: Mapping[str, Any], size: int
) -> None:
    """Runs and effects to the bit, each chunk by whoever comes, applied in any order and twice."""
    if not case["accounts"]:
        return
    chunks, settlers = [], [OPERATOR, address("anybody")]
    market.go(case["number"], Phase.FALLBACK)
    for i, (chunk, before, data) in enumerate(verified(case, size)):
        run = before if i else Run(bytes(32), Sums({}))
        sender = settlers[i % 2]
        arguments = (words_of(run), *list(case["posted"].values())[:2], data)
        origin = settlers[(i + 1) % 2] if i else NOBODY
        receipt = market.do(sender, "verify", case["number"], origin, *arguments)
        stored = bytes(32) if chunk.closing else chunk.run.hash
        assert receipt.event("Verified")["run"] == stored
        if chunk.closing is None:
            assert market.look("runHash", case["number"], sender) == stored
        chunks.append(chunk)
    digests = list(chunks[-1].run.digests)
    assert market.look("digestsHash") == chunks[-1].run.digest
    assert market.batch()["unapplied"] == len(case["accounts"])
    for i in [*reversed(range(len(chunks))), 0]:
        if market.batch()["unapplied"]:
            effects = chunks[i].encoded
            market.do(address("helper"), "applyChunk", case["number"], digests, i, effects, ALL)
    assert market.batch()["unapplied"] == 0
    holds(market, case)
    for account in case["accounts"]:
        left = case["expected"]["accounts"][account["address"]]["next"]
        stands(market, account, left)
        word = market.account(shown(account["address"]))
        place = (MARK, left["units"]) if left else (case["number"], 0)
        assert (word["batch"], word["units"]) == place


@pytest.mark.parametrize("size", [1, 3])
def test_settles_ahead_as_the_twin_says(market: Bench, case: Mapping[str, Any], size: int) -> None:
    """Every chunk but the last taken back, to the bit, and verified again."""
    if not case["accounts"]:
        return
    number = case["number"]
    words = {
        account["address"]: word_of(market, account["address"]) for account in case["accounts"]
    }
    pieces = list(verified(case, size, words))
    was = ledger(market, case)
    verify_ahead(market, case, pieces[:-1])
    for i, (chunk, _, _) in enumerate(pieces[:-1]):
        if market.batch()["unapplied"]:
            digests = list(pieces[-2][0].run.digests)
            market.do(OPERATOR, "restoreChunk", number, digests, i, chunk.encoded, ALL)
    assert ledger(market, case) == was
    verify_ahead(market, case, pieces)
    assert market.batch()["settled"]
    assert market.batch()["unapplied"] == 0
    holds(market, case)
    assert market.look("claimable", OPERATOR) == case["expected"]["rent"]
    for account in case["accounts"]:
        stands(market, account, case["expected"]["accounts"][account["address"]]["next"])


def verify_ahead(
    market: Bench, case: Mapping[str, Any], pieces: list[tuple[Chunk, Run, bytes]]
) -> None:
    """These chunks by the operator; what is kept of each."""
    board, written = list(case["posted"].values())[:2], 0
    for i, (chunk, before, data) in enumerate(pieces):
        run = before if i else Run(bytes(32), Sums({}))
        arguments = (OPERATOR if i else NOBODY, words_of(run), *board, data)
        receipt = market.do(OPERATOR, "verify", case["number"], *arguments)
        stored = bytes(32) if chunk.closing else chunk.run.hash
        assert receipt.event("Verified")["run"] == stored
        written += len(chunk.effects)
        assert market.batch()["unapplied"] == (0 if chunk.closing else written)
        if not chunk.closing:
            assert market.look("digestsHash") == chunk.run.digest


def ledger(market: Bench, case: Mapping[str, Any]) -> list[Any]:
    """Every account's words, and balances of all its products."""
    assets = (CASH, *(p["id"] for p in case["products"]))
    owners = [shown(account["address"]) for account in case["accounts"]]
    return [(market.account(o), [market.balance(o, k) for k in assets]) for o in owners]


def verified(
    case: Mapping[str, Any], size: int, words: Mapping[bytes, int] | None = None
) -> Iterator[tuple[Chunk, Run, bytes]]:
    """Chunks of so many accounts, each with the run before it and its calldata.

    With the `words` of all accounts before, they are written ahead.
    """
    state = replace(state_of(case), mark=MARK)
    if words is not None:
        accounts = tuple(replace(a, word=words[a.address]) for a in state.accounts)
        state = replace(state, accounts=accounts)
    prices = dict(zip(case["posted"]["products"], case["posted"]["prices"], strict=True))
    entries, shadows = entries_of(case), shadows_of(case)
    opened, run = open_batch(state, entries), begin(prices)
    for at in range(0, len(opened), size):
        some = opened[at : at + size]
        chunk = verify_chunk(state, run, some, prices, shadows, ahead=words is not None)
        yield chunk, run, encode_submissions(entries[at : at + size], shadows)
        run = chunk.run


def words_of(run: Run) -> tuple[Any, ...]:
    """The contract's struct."""
    return tuple((run.fields | {"last": shown(run.last)}).values())


def test_refuses_as_the_vectors_say(market: Bench, case: Mapping[str, Any]) -> None:
    changed = False
    for lie in case["refused"]:
        if lie["changes"] or changed:
            plant(market, case, lie["changes"])
            changed = bool(lie["changes"])
        entries, shadows = entries_of(case), shadows_of(case)
        if lie["items"] is not None:
            entries, shadows = items_of(case, lie["items"])
        data = encode_submissions(entries, shadows)
        got = market.refusal(
            OPERATOR, "settle", case["number"], lie["products"], lie["prices"], data
        )
        plain = (shown(v) if isinstance(v, bytes) else v for v in lie["arguments"])
        error = (lie["error"], *plain) if case["accounts"] else ("NothingToSettle", case["number"])
        assert got == error, lie["name"]
