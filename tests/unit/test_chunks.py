from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode as abi_encode

from tests.vectors.cases.codec import books, entries_of, shadows_of, state_of
from walras.auths import Auth, Leg, Step, Submission
from walras.batch import AccountState, BatchState
from walras.certificate import Opened, Settlement, open_batch, settle
from walras.chunks import Chunk, begin, digests_hash, split, verify_chunk
from walras.effects import (
    Effect,
    account_word,
    applied,
    decode_effects,
    effects_digest,
    with_siblings,
)
from walras.errors import CertificateError
from walras.sealing import keccak256
from walras.settlement import apply, encode_submissions

CASES = [case for case in books() if case["accounts"]]
MARK = 77
RUN = (
    "(bytes32,address,uint32,uint32,uint32,int256,uint256,uint256,uint256,uint256,int256,int256,"
    "uint256[],bytes32[])"
)


def batch_of(case: Mapping[str, Any]) -> tuple[BatchState, tuple[Opened, ...], dict[int, int]]:
    state = replace(state_of(case), mark=MARK)
    accounts = tuple(replace(a, word=word_of(a, state.number)) for a in state.accounts)
    state = replace(state, accounts=accounts)
    prices = dict(zip(case["posted"]["products"], case["posted"]["prices"], strict=True))
    return state, open_batch(state, entries_of(case)), prices


def word_of(account: AccountState, batch: int) -> int:
    """A first word that fits the account, which owes nothing."""
    home = 0 if account.home is None else account.home + 1
    lots = 0 if account.home is None else account.lots.get(account.home, 0)
    flags = account.standing | 4 * account.uncovered | 8 * (account.amendment is not None)
    mark = MARK - 1 if account.standing else batch
    return account_word(account.cash, lots, home, mark, account.units, flags)


def verified(case: Mapping[str, Any], size: int, *, ahead: bool = False) -> list[Chunk]:
    """The case in chunks of `size` accounts."""
    state, opened, prices = batch_of(case)
    run, chunks = begin(prices), []
    for at in range(0, len(opened), size):
        chunk = verify_chunk(
            state, run, opened[at : at + size], prices, shadows_of(case), ahead=ahead
        )
        chunks.append(chunk)
        run = chunk.run
    return chunks


def settled(case: Mapping[str, Any]) -> tuple[BatchState, Settlement]:
    state, opened, prices = batch_of(case)
    return state, settle(state, opened, prices, shadows_of(case))


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_any_chunks_come_to_the_settlement(case: Mapping[str, Any], size: int, ahead: bool) -> None:
    state, whole = settled(case)
    chunks = verified(case, size, ahead=ahead)
    assert [chunk.closing is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    closing, sums = chunks[-1].closing, chunks[-1].run.sums
    assert closing is not None
    names = [name for name in dir(closing) if not name.startswith("_")]
    assert {n: getattr(closing, n) for n in names} == {n: getattr(whole, n) for n in names}
    assert (sums.listed, sums.voids) == (len(state.accounts), len(whole.voids))
    assert sums.listed == sums.rested + sum(len(chunk.effects) for chunk in chunks)
    assert [chunk.listed for chunk in chunks] == [
        min(size, sums.listed - at) for at in range(0, sums.listed, size)
    ]
    assert sums.rent == sum(whole.rents.values())
    was = [account for account in state.accounts if account.standing]
    assert sums.standing == len(whole.standing) - len(was)
    units = sum(one.units for one in whole.standing.values())
    assert sums.standing_units == units - sum(account.units for account in was)


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_effects_are_what_the_settlement_does(case: Mapping[str, Any], size: int) -> None:
    state, whole = settled(case)
    after = {account.address: account for account in apply(state, whole).accounts}
    for chunk in verified(case, size):
        effects = list(decode_effects(chunk.encoded))
        assert effects == [replace(effect, gas=0) for effect in chunk.effects]
        for effect in effects:
            was = next(a for a in state.accounts if a.address == effect.account)
            same(applied(was, effect), after[effect.account])
            # applied: the new mark of what stands, no units of any other
            batch, units = effect.after.word >> 208 & (1 << 32) - 1, effect.after.word >> 240 & 255
            if effect.account in whole.standing:
                assert batch == MARK
            else:
                assert (batch, units) == (state.number, 0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_effects_ahead_lead_there_and_back(case: Mapping[str, Any]) -> None:
    """Those without one stay as they are, but for the rent they owe."""
    state, whole = settled(case)
    after = {account.address: account for account in apply(state, whole).accounts}
    seen = set()
    for chunk in verified(case, 3, ahead=True):
        assert list(decode_effects(chunk.encoded)) == [replace(e, gas=0) for e in chunk.effects]
        assert chunk.run.digests[-1] == effects_digest(chunk.effects)
        for effect in chunk.effects:
            seen.add(effect.account)
            was = next(a for a in state.accounts if a.address == effect.account)
            now = applied(was, effect)
            same(now, after[effect.account])
            assert effect.before is not None
            away = {k: held for k, held in now.lots.items() if k != now.home}  # in pair words
            back = applied(replace(now, lots=away), Effect(effect.account, effect.before))
            wanted = replace(was, amendment=None, lots=filled(was))
            assert replace(back, lots=filled(back)) == wanted
            assert effect.before.word == was.word
    for was in state.accounts:
        if was.address not in seen:
            rent = whole.rents.get(was.address, 0)
            now = replace(after[was.address], cash=after[was.address].cash + rent)
            assert replace(now, lots=filled(now)) == replace(was, lots=filled(was))


def filled(account: AccountState) -> dict[int, int]:
    return {k: held for k, held in account.lots.items() if held}


def same(found: AccountState, expected: AccountState) -> None:
    assert found.standing == expected.standing
    if not found.standing:
        expected = replace(expected, units=0, seal_hash=found.seal_hash)
    lots = {k: held for k, held in found.lots.items() if held}
    wanted = {k: held for k, held in expected.lots.items() if held}
    assert replace(found, lots=lots) == replace(expected, lots=wanted)


@pytest.mark.parametrize("case", CASES[-12:], ids=lambda case: case["name"])
def test_a_run_is_hashed_as_the_contract_encodes_it(case: Mapping[str, Any]) -> None:
    chunks = (*verified(case, 1), *verified(case, 1, ahead=True))
    for run in (begin({}), *(chunk.run for chunk in chunks)):
        fields = run.fields | {"last": "0x" + run.last.hex()}
        encoded = abi_encode([RUN], [tuple(fields.values())])
        assert run.encoded == encoded
        assert run.hash == keccak256(encoded)
    assert run.digest == keccak256(b"".join(run.digests)) == digests_hash(run.digests)


def test_chunks_are_refused_out_of_order_and_under_other_prices() -> None:
    case = next(case for case in CASES if case["name"] == "substitutes")
    state, opened, prices = batch_of(case)
    shadows = shadows_of(case)
    first = verify_chunk(state, begin(prices), opened[:2], prices, shadows, ahead=False).run
    for again in (opened[1:2], opened[:1]):
        with pytest.raises(CertificateError, match="AccountsNotAscending"):
            verify_chunk(state, first, again, prices, shadows, ahead=False)
    other = {k: price + 1 for k, price in prices.items()}
    with pytest.raises(CertificateError, match="WrongBoard"):
        verify_chunk(state, first, opened[2:], other, shadows, ahead=False)
    seller = next(one for one in opened if not one.costs)
    stranger = replace(seller, account=replace(seller.account, address=b"\xff" * 20))
    with pytest.raises(CertificateError, match="AccountNotLive"):
        verify_chunk(state, first, (stranger,), prices, shadows, ahead=False)
    fewer = {k: price for k, price in prices.items() if k == 0}
    with pytest.raises(CertificateError, match="PriceMissing"):
        verify_chunk(state, begin(fewer), opened, fewer, shadows, ahead=False)
    needy = next(one for one in opened if one.costs)
    with pytest.raises(CertificateError, match="ShadowsMismatch"):
        verify_chunk(state, begin(prices), (needy,), prices, {}, ahead=False)
    nothing = verify_chunk(state, first, (), prices, shadows, ahead=False)
    assert nothing.run == replace(first, digests=(*first.digests, bytes(32)))


def test_the_last_chunk_finds_what_the_settlement_would() -> None:
    case = next(case for case in CASES if case["name"] == "a buyer and a seller")
    state, opened, prices = batch_of(case)
    off = {k: price + (1 << 80) for k, price in prices.items()}
    run = verify_chunk(state, begin(off), opened[:1], off, ahead=False).run
    with pytest.raises(CertificateError, match="NotCleared"):
        verify_chunk(state, run, opened[1:], off, ahead=False)
    more = prices | {1: 100 << 84}
    products = {0: state.products[0], 1: replace(state.products[0], id=1)}
    state = replace(state, products=products)
    run = verify_chunk(state, begin(more), opened[:1], more, ahead=False).run
    with pytest.raises(CertificateError, match="PriceUnused"):
        verify_chunk(state, run, opened[1:], more, ahead=False)


def test_split_keeps_each_piece_within_its_bounds() -> None:
    case = next(case for case in CASES if case["name"] == "lives of standing submissions")
    _, opened, _ = batch_of(case)
    entries = entries_of(case)
    units = max(one.account.units for one in opened) * 2048
    for gas, size in ((units, 10**5), (3 * units, 10**5), (10**8, 700), (1, 1), (10**9, 10**9)):
        pieces = list(split(opened, entries, gas=gas, size=size))
        assert [one for piece, _ in pieces for one in piece] == list(opened)
        assert [entry for _, piece in pieces for entry in piece] == entries
        for piece, items in pieces:
            if len(piece) > 1:
                assert sum(one.account.units for one in piece) * 2048 <= gas
                assert len(encode_submissions(items)) <= size
    assert len(list(split(opened, entries))) == 1
    assert list(split((), ())) == []


def test_split_bounds_what_a_chunk_does() -> None:
    """Whoever applies a chunk has one transaction for it, too."""
    auths = tuple(Auth((Leg(2 * k, 1),), 1, buy=(Step(1, 0),)) for k in range(20))
    submission = Submission(auths)
    account = AccountState(bytes(20), 0, {}, None, 10, b"")
    one = Opened(account, submission, None, submission.products)
    entries = entries_of(CASES[0])[:1] * 500
    pieces = list(split((one,) * 500, entries, gas=10**12, size=10**12))
    assert max(len(piece) for piece, _ in pieces) == 14_000_000 // (7_500 + 5_800 + 20 * 23_100)
    assert sum(len(piece) for piece, _ in pieces) == 500


def test_a_chunk_that_does_too_much_is_refused() -> None:
    case = next(case for case in CASES if case["name"] == "substitutes")
    state, opened, prices = batch_of(case)
    seller = next(one for one in opened if not one.costs)
    copies = [
        replace(seller, account=replace(seller.account, address=i.to_bytes(20)))
        for i in range(1, 1900)
    ]
    state = replace(state, accounts=tuple(one.account for one in copies))
    with pytest.raises(CertificateError, match="ChunkTooLarge"):
        verify_chunk(state, begin(prices), copies, prices, ahead=False)
    verify_chunk(state, begin(prices), copies[:1800], prices, ahead=False)


def test_siblings_share_a_word() -> None:
    assert with_siblings([0, 5]) == {0, 1, 4, 5}


def test_split_leaves_room_for_every_posted_product() -> None:
    """Their prices and sums come with each chunk: of 768, the longest item still fits."""
    account = AccountState(bytes(20), 0, {}, None, 10, b"")
    one = Opened(account, None, None, ())
    entries = entries_of(CASES[0])[:1] * 3000
    length = len(encode_submissions(entries[:1]))
    room = 2**17 - 18_000
    for products in (0, 300, 768):
        pieces = list(split((one,) * 3000, entries, gas=10**12, products=products))
        most = max(len(piece) for piece, _ in pieces) * length
        left = min(room - 128 * products, 100_000)
        assert most <= left
        assert products == 0 or most > left - length
    assert room - 128 * 768 >= 2 * 19 * 255 + 24 + 64 * 16 + 16 * 20 + 2
    gas = 6 * 10**6
    few = [len(p) for p, _ in split((one,) * 3000, entries, gas=gas, products=700)]
    assert few[0] == (gas * 4 // 3 - 700 * 6_000) // 25_600
