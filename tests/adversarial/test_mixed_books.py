"""Unlike neighbours in one pass, each near an edge: the contract against the twin, to the bit.

Runs and effects of chunks at prices that need not clear: what the contract stores is the hash of
all sums and of every word an account gets, so one bit anywhere shows. Then a batch that clears,
because a last account takes what is left and references are put where the maker takes the rest:
settled at once and in chunks it leaves the same words, those of the twin.

`WALRAS_MIXED` sets how many examples each test draws.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.adversarial import mixed
from tests.contract.node import quick_chain
from tests.contract.support import (
    ALL,
    GENESIS,
    OPERATOR,
    Bench,
    address,
    new_libraries,
    new_market,
    new_token,
)
from tests.differential.planted import slot, within
from walras.batch import CASH, AccountState, BatchState
from walras.certificate import open_batch, settle
from walras.chunks import Run, begin, verify_chunk
from walras.errors import CertificateError
from walras.numbers import UNIT_GAS
from walras.schedule import Phase
from walras.settlement import apply, encode_submissions
from walras.tally import Sums

pytestmark = pytest.mark.chain

COUNT = int(os.environ.get("WALRAS_MIXED", "120"))
TAME = settings(
    max_examples=COUNT,
    deadline=None,
    derandomize=COUNT == 120,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
RENT = 5 << 28
NUMBER = 1
NOBODY = "0x" + "00" * 20
SETTLERS = (OPERATOR, address("anybody"))
seeds = st.integers(0, 2**40)


@pytest.fixture(scope="module")
def planted() -> Iterator[Bench]:
    """A market in the operator's window of batch 1, whose state is whatever a test writes."""
    with quick_chain() as chain:
        terms = {"min_base_fee": 1, "cash_per_wei": RENT // (UNIT_GAS // 2), "compensation": 0}
        bench = new_market(chain, new_libraries(chain), new_token(chain, 6), **terms)
        chain.warp(GENESIS - 1)
        bench.chain.warp(bench.time(NUMBER, Phase.CLEARING))
        yield bench


def venue(bench: Bench) -> mixed.Venue:
    lock_out = bench.schedule.boundaries(NUMBER).lock_out
    return mixed.Venue(NUMBER, bench.id(NUMBER), bench.key(NUMBER), lock_out, RENT)


def plant(bench: Bench, batch: mixed.Batch, live: int) -> None:
    for place, word in words(batch, live).items():
        value = "0x" + word.to_bytes(32).hex()
        bench.chain.rpc("anvil_setStorageAt", bench.market, hex(place), value)


def words(batch: mixed.Batch, live: int) -> dict[int, int]:
    """The market's storage: the batch with so many live, its ticks, what stands, all accounts."""
    standing = [b.state for b in batch.bidders if b.state.standing]
    units = sum(account.units for account in standing)
    found = {
        slot("batch"): NUMBER | live << 32 | batch.ticks << 96,
        slot("standing"): len(standing) | units << 32 | mixed.INDEX << 64,
        slot("treasury"): batch.state.house_cash,
        slot("count"): len(batch.state.products),
        within(NUMBER, slot("secret")): batch.state.secret,
    }
    for p in batch.state.products.values():
        low = p.house | p.reference << 96 | p.scale << 176 | p.tick_bps << 232
        found[within(p.id, slot("products"))] = low | p.depth_log2 << 240 | p.house_log2 << 248
    for bidder in batch.bidders:
        found |= account_words(bidder, batch)
    return found


def account_words(bidder: mixed.Bidder, batch: mixed.Batch) -> dict[int, int]:
    account, mark, flags = bidder.state, NUMBER, 0
    cash = account.cash
    if account.standing:
        mark = mixed.INDEX - bidder.behind
        cash += account.units * bidder.behind * RENT
        flags = 1 | 4 * account.uncovered | 8 * (account.amendment is not None or bidder.stale)
    found = {}
    place = slot("ledger")
    first = within(account.address, place)
    home = 0 if account.home is None else account.lots.get(account.home, 0)
    low = cash | home << 96 | (0 if account.home is None else account.home + 1) << 192
    found[first] = low | mark << 208 | account.units << 240 | flags << 248
    found[first + 1] = int.from_bytes(account.seal_hash)
    inner = within(account.address, place + 1)
    for k, held in account.lots.items():
        if k != account.home:
            pair = within(k >> 1, inner)
            found[pair] = found.get(pair, 0) | held << 128 * (k & 1)
    amended = within(account.address, slot("amendments"))
    if account.amendment is not None:
        found[amended] = int.from_bytes(account.amendment.seal_hash)
        found[amended + 1] = NUMBER | account.amendment.units << 32
    elif bidder.stale:
        found[amended] = 1
        found[amended + 1] = NUMBER + 7 | 10 << 32
    return found


def cuts(bidders: Sequence[Any], at: Sequence[int]) -> list[Sequence[Any]]:
    ends = sorted({min(n, len(bidders)) for n in at} | {len(bidders)})
    return [bidders[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def fields(run: Run) -> tuple[Any, ...]:
    """The contract's struct."""
    return tuple((run.fields | {"last": to_checksum_address(run.last)}).values())


@TAME
@given(
    market=seeds,
    accounts=st.lists(seeds, min_size=4, max_size=9),
    at=st.lists(st.integers(1, 8), max_size=2),
    ahead=st.booleans(),
)
def test_chunks_at_any_price(
    planted: Bench, market: int, accounts: list[int], at: list[int], ahead: bool
) -> None:
    """What chunks ahead write is taken back to the last bit."""
    batch = mixed.batch(venue(planted), market, accounts)
    if not batch.bidders:
        return
    with planted.chain.undone():
        plant(planted, batch, len(batch.bidders) + 1)
        if not ahead:
            planted.chain.warp(planted.time(NUMBER, Phase.FALLBACK))
        never = AccountState(mixed.LAST, 0, {}, None, 10, bytes(32))
        state = replace(batch.state, accounts=(*with_words(batch), never))
        run, board = Run(bytes(32), Sums({})), (list(batch.prices), list(batch.prices.values()))
        chunks = list[bytes]()
        for n, part in enumerate(cuts(batch.bidders, at)):
            entries = [bidder.entry for bidder in part]
            shadows = {b.state.address: b.shadows for b in part if b.shadows}
            data = encode_submissions(entries, shadows)
            sender = OPERATOR if ahead else SETTLERS[n % 2]
            start = (OPERATOR if ahead else SETTLERS[(n + 1) % 2]) if n else NOBODY
            arguments = (NUMBER, start, fields(run), *board, data)
            opened = open_batch(state, entries)
            for one in opened:
                kind = "stands" if one.account.standing else "sealed"
                event(f"{kind} {one.reason and one.reason.name}")
            try:
                before = run if n else begin(batch.prices)
                chunk = verify_chunk(state, before, opened, batch.prices, shadows, ahead=ahead)
            except CertificateError as error:
                event(error.reason)
                refused = planted.refusal(sender, "verify", *arguments)
                if refused is None or refused[0] != error.reason:
                    raise
                return
            receipt = planted.do(sender, "verify", *arguments)
            assert receipt.event("Verified")["run"] == chunk.run.hash
            assert planted.look("runHash", NUMBER, sender) == chunk.run.hash
            run = chunk.run
            chunks.append(chunk.encoded)
        for n, effects in enumerate(chunks):
            if ahead and planted.batch()["unapplied"]:
                planted.do(OPERATOR, "restoreChunk", NUMBER, run.digests, n, effects, ALL)
        assert planted.batch()["unapplied"] == 0
        left = {place: planted.chain.rpc(*at_place(planted, place)) for place in accounts_of(batch)}
        assert {place: int(word, 16) for place, word in left.items()} == accounts_of(batch)


def at_place(bench: Bench, place: int) -> tuple[str, str, str, str]:
    return "eth_getStorageAt", bench.market, hex(place), "latest"


def accounts_of(batch: mixed.Batch) -> dict[int, int]:
    """Every word of every account as planted."""
    found: dict[int, int] = {}
    for bidder in batch.bidders:
        found |= account_words(bidder, batch)
    return found


def with_words(batch: mixed.Batch) -> tuple[AccountState, ...]:
    """The accounts of a batch with their first words."""
    place = slot("ledger")
    words = {b.state.address: account_words(b, batch) for b in batch.bidders}
    return tuple(
        replace(one, word=words[one.address][within(one.address, place)])
        for one in batch.state.accounts
    )


@TAME
@given(
    market=seeds,
    accounts=st.lists(seeds, min_size=4, max_size=9),
    at=st.lists(st.integers(1, 8), max_size=2),
)
def test_at_once_and_in_chunks_alike(
    planted: Bench, market: int, accounts: list[int], at: list[int]
) -> None:
    drawn = mixed.batch(venue(planted), market, accounts)
    if not drawn.bidders:
        return
    try:
        batch = mixed.cleared(drawn)
        state, entries = batch.state, [bidder.entry for bidder in batch.bidders]
        opened = open_batch(state, entries)
        shadows = {b.state.address: b.shadows for b in batch.bidders if b.shadows}
        settlement = settle(state, opened, batch.prices, shadows)
    except (mixed.UnbalancedError, CertificateError) as why:
        event(type(why).__name__)
        return
    event("clears")
    board = (list(batch.prices), list(batch.prices.values()))
    after = {one.address: canonical(one) for one in apply(state, settlement).accounts}
    with planted.chain.undone():
        plant(planted, batch, len(batch.bidders))
        data = encode_submissions(entries, shadows)
        receipt = planted.do(OPERATOR, "settle", NUMBER, *board, data)
        told = receipt.event("Settled")
        assert (told["loss"], told["freedom"]) == (settlement.loss_x40, settlement.freedom_x40)
        assert told["volumes"] == tuple(settlement.volumes[k] for k in batch.prices)
        assert planted.look("claimable", OPERATOR) == sum(settlement.rents.values())
        assert {b.state.address: found(planted, b, state) for b in batch.bidders} == after
        common = market_words(planted, state)
    state = replace(state, accounts=with_words(batch))
    for ahead in (True, False):
        with planted.chain.undone():
            plant(planted, batch, len(batch.bidders))
            run, chunks = in_chunks(planted, batch, state, cuts(batch.bidders, at), ahead=ahead)
            for n in () if ahead else reversed(range(len(chunks))):
                planted.do(OPERATOR, "applyChunk", NUMBER, run.digests, n, chunks[n], ALL)
            assert planted.batch()["unapplied"] == 0
            assert {b.state.address: found(planted, b, state) for b in batch.bidders} == after
            assert market_words(planted, state) == common
            rewards = sum(planted.look("claimable", settler) for settler in SETTLERS)
            assert rewards + planted.batch()["pot"] == sum(settlement.rents.values())


def in_chunks(
    bench: Bench,
    batch: mixed.Batch,
    state: BatchState,
    parts: Sequence[Sequence[mixed.Bidder]],
    *,
    ahead: bool,
) -> tuple[Run, list[bytes]]:
    """The batch by its operator ahead, or afterwards by two settlers in turn; what it does."""
    settlers = (OPERATOR, OPERATOR) if ahead else SETTLERS
    if not ahead:
        bench.chain.warp(bench.time(NUMBER, Phase.FALLBACK))
    board = (list(batch.prices), list(batch.prices.values()))
    shadows = {b.state.address: b.shadows for b in batch.bidders if b.shadows}
    run, chunks = Run(bytes(32), Sums({})), list[bytes]()
    for n, part in enumerate(parts):
        items = [bidder.entry for bidder in part]
        start, sender = settlers[(n + 1) % 2] if n else NOBODY, settlers[n % 2]
        data = encode_submissions(items, shadows)
        bench.do(sender, "verify", NUMBER, start, fields(run), *board, data)
        before = run if n else begin(batch.prices)
        chunk = verify_chunk(
            state, before, open_batch(state, items), batch.prices, shadows, ahead=ahead
        )
        run, chunks = chunk.run, [*chunks, chunk.encoded]
    return run, chunks


def canonical(account: AccountState) -> AccountState:
    """Without what means nothing once a submission is gone, and without empty balances."""
    lots = {k: held for k, held in account.lots.items() if held}
    kept = replace(account, lots=lots, amendment=None)
    return kept if account.standing else replace(kept, units=0, seal_hash=b"")


def found(bench: Bench, bidder: mixed.Bidder, state: BatchState) -> AccountState:
    """The account as the market has it now."""
    owner = to_checksum_address(bidder.state.address)
    raw = bench.account(owner)
    return canonical(
        AccountState(
            address=bidder.state.address,
            cash=bench.balance(owner, CASH),
            lots={k: bench.balance(owner, k) for k in state.products},
            home=raw["home_product"] - 1 if raw["home_product"] else None,
            units=raw["units"],
            seal_hash=raw["seal_hash"],
            standing=bool(raw["flags"] & 1),
            uncovered=bool(raw["flags"] & 4),
        )
    )


def market_words(bench: Bench, state: BatchState) -> tuple[Any, ...]:
    products = [bench.product(k) for k in state.products]
    return (products, bench.treasury(), bench.standing(), bench.look("outcome", NUMBER))
