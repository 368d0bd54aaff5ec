"""Attacks on chunks that write ahead: nothing that they have written may count before its time.

The operator lies, strangers take back or race, bidders leave. docs/SECURITY.md, Writing ahead.
"""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.address import to_canonical_address

from tests.adversarial.ahead import Liar, raw_of, stood
from tests.contract.batches import order
from tests.contract.chunks import Chunked, cut, hash_of
from tests.contract.days import AMENDED, STANDING, Days, buy, limited, sell
from tests.contract.opened import void
from tests.contract.support import (
    ALL,
    OPERATOR,
    Bench,
    address,
    list_product,
    new_market,
    new_token,
    storage_slot,
)
from tests.contract.test_chunks import enter_all
from tests.differential.planted import within
from walras.auths import Auth, Leg, Step
from walras.batch import CASH
from walras.chain.interface import call
from walras.numbers import X40, X44
from walras.schedule import Phase
from walras.settlement import encode_submissions, outcome_hash

pytestmark = pytest.mark.chain

ALICE, BOB = address("alice"), address("bob")
RICH = {0: 1 << 120}  # a price that makes a seller of one lot own more cash than there is
CHUNK_BYTES, MAX_CHUNKS = 98_304, 512
SIGNATURE = 200  # {byte} and fees of a transaction
RELAYED = 1 << 17  # {byte} of a transaction that nodes pass on


def robbed(bench: Bench) -> tuple[Days, Liar, str]:
    """Batch 2 in CLEARING; a thief's word is ahead, with more cash than there is."""
    days = stood(bench)
    days.seal("thief", sell(99, 10), standing=False)
    days.seal("honest", buy(100, 10), standing=False)
    days.go(2, Phase.CLEARING)
    liar = Liar(days, RICH)
    liar.write("thief")
    thief = days.names["thief"]
    assert bench.balance(thief, CASH) > bench.look("listing", CASH)[2]
    assert bench.batch()["unapplied"] == 1
    return days, liar, thief


def keeps_out(bench: Bench, thief: str) -> None:
    """Nothing gets at what is written ahead."""
    assert bench.batch()["unapplied"] == 1
    refused = ("Frozen", thief, 2)
    assert bench.refusal(thief, "withdraw", CASH, 1, thief) == refused
    assert bench.refusal(thief, "withdraw", 0, 1, thief) == refused
    assert bench.refusal(thief, "deposit", CASH, 1) == refused
    for name in ("pause", "cancel", "resume"):
        assert bench.refusal(thief, name) is not None
    assert bench.refusal(ALICE, "compensate", thief) == ("NothingDue", thief)


# --------------------------------------------------------------------------- who leaves, who stays


@pytest.mark.parametrize("how", ["pause", "cancel"])
def test_who_leaves_a_void_batch_frees_nothing_written_ahead(bench: Bench, how: str) -> None:
    """An idle accomplice (or anybody) leaves between T3 and the close."""
    days, liar, thief = robbed(bench)
    days.go(2, Phase.VOID)
    bench.do(days.names["idle"], how)
    keeps_out(bench, thief)
    bench.do(ALICE, "closeVoid", 2)
    keeps_out(bench, thief)
    liar.restore(BOB)
    bench.do(thief, "withdraw", CASH, ALL, thief)
    bench.check_books()


def test_the_others_move_about_a_closed_void_batch(bench: Bench) -> None:
    """Pause, resume, compensation, exit of those not ahead: what waits goes on waiting."""
    days, liar, thief = robbed(bench)
    days.go(2, Phase.VOID)
    bench.do(ALICE, "closeVoid", 2)
    reserved = bench.treasury()["reserved"]
    idle, honest = days.names["idle"], days.names["honest"]
    for name in ("pause", "resume"):
        bench.do(idle, name)
        keeps_out(bench, thief)
    assert bench.account(idle)["batch"] == bench.standing()["rent_index"]
    assert bench.refusal(honest, "cancel") == ("WrongPhase", 2, Phase.VOID)
    bench.do(BOB, "compensate", honest)
    bench.do(honest, "withdraw", CASH, ALL, honest)
    bench.do(idle, "cancel")
    keeps_out(bench, thief)
    assert bench.standing()["count"] == bench.standing()["units"] == 0
    liar.restore(BOB)
    bench.do(BOB, "compensate", thief)
    assert bench.treasury()["reserved"] == reserved - 2 * 1_000 * X40 == 0
    assert bench.refusal(BOB, "compensate", thief) == ("NothingDue", thief)
    bench.do(thief, "withdraw", CASH, ALL, thief)


def test_bond_burnt_by_another_leak_leaves_restoring_open_to_all(bench: Bench) -> None:
    """The operator shows the next batch's key first: no bond, no compensation; the pot pays."""
    days, liar, thief = robbed(bench)
    bench.do(OPERATOR, "reportLeak", 3, bench.key(3))
    assert bench.treasury()["bond"] == 0
    keeps_out(bench, thief)
    pot = bench.batch()["pot"]
    days.go(2, Phase.VOID)
    bench.do(ALICE, "closeVoid", 2, base_fee=1 << 40)
    assert bench.batch()["pot"] == pot > 0
    keeps_out(bench, thief)
    liar.restore(BOB)
    assert bench.look("claimable", BOB) == pot
    assert bench.refusal(BOB, "compensate", thief) == ("NothingDue", thief)
    bench.do(thief, "withdraw", CASH, ALL, thief)


# ------------------------------------------------------------------------------- what is restored


def test_everything_that_stands_is_restored_to_the_bit(bench: Bench) -> None:
    """Ended, joined, progressed, uncovered again, amended; then the next batch settles it all."""
    days = Days(bench)
    days.go(1)
    enter_all(days)
    days.settle()
    days.go(2)
    days.seal("new", buy(103, 20))
    days.seal("buyer 0", buy(104, 200))
    days.seal("seller 1", limited(sell(90, 10), low=10))
    days.seal("both halves", buy(99, 3, k=4), buy(99, 4, k=5), standing=False)
    days.seal("one", sell(99, 100), standing=False)
    days.go(2, Phase.CLEARING)
    chunked, was = cut(days, 4, 5), raws(days)
    standing, amendments = bench.standing(), amended(days)
    assert chunked.settlement.ended
    assert chunked.settlement.joined
    assert chunked.settlement.amended
    chunked.verify(0)
    chunked.verify(1, OPERATOR)
    changed = [name for name, raw in raws(days).items() if raw != was[name]]
    assert len(changed) == bench.batch()["unapplied"] > 5
    assert (bench.standing(), amended(days)) == (standing, amendments)
    void(days, 2)
    chunked.restore(0, ALICE, of=2)
    chunked.restore(1, BOB, of=2)
    assert raws(days) == was
    assert (bench.standing(), amended(days)) == (standing, amendments)
    assert days.flags("buyer 0") == STANDING | AMENDED
    assert days.day(3).volumes


def raws(days: Days) -> dict[str, Any]:
    return {name: raw_of(days.bench, owner) for name, owner in days.names.items()}


def amended(days: Days) -> list[Any]:
    return [days.bench.look("amendment", owner) for owner in days.names.values()]


def test_both_halves_of_a_pair_word_go_back_together(bench: Bench) -> None:
    """Two products in one word, one moved up and one down, beside an untouched home."""
    days = Days(bench)
    days.go(1)
    owner = bench.endow(days.owner("pair"), p2=7, p3=9)
    days.seal("pair", sell(1, 7, k=2), buy(1_100, 3, k=3), standing=False)
    days.seal("other", buy(100, 10), standing=False)
    days.go(1, Phase.CLEARING)
    was = raw_of(bench, owner)
    liar = Liar(days, {2: 90 * X40 * X44, 3: X40 * X44})
    liar.write("pair")
    assert raw_of(bench, owner).pairs == {**was.pairs, 1: 12 * X44 << 128}
    assert raw_of(bench, owner).word != was.word
    assert len(liar.effects[0]) == 1
    days.go(1, Phase.FALLBACK)
    liar.restore(BOB)
    assert raw_of(bench, owner) == was
    names = days.live()
    chunked = cut(days, 1)
    chunked.verify_all(BOB)
    chunked.finish()
    days.check(names, chunked.state, chunked.settlement, NOTHING, 1)


def test_swap_that_costs_nothing_is_ahead_like_any_trade(bench: Bench) -> None:
    """No cash, no home, no hash: products of one word for one another at a price of 0."""
    days = Days(bench)
    days.go(1)
    owner = bench.endow(days.owner("swap"), p3=5)
    days.seal("swap", order({2: 1, 3: -1}, 10, buy=[3]), standing=False)
    days.seal("other", buy(100, 10), standing=False)
    days.go(1, Phase.CLEARING)
    was = raw_of(bench, owner)
    liar = Liar(days, {2: 50 * X40 * X44, 3: 50 * X40 * X44})
    liar.write("swap")
    now = raw_of(bench, owner)
    assert now.pairs == {**was.pairs, 1: 3 * X44 | 2 * X44 << 128}
    assert bench.balance(owner, CASH) == was.word % (1 << 96)
    assert bench.batch()["unapplied"] == 1
    days.go(1, Phase.VOID)
    assert bench.look("isFrozen", owner) is True
    liar.restore(BOB)
    assert raw_of(bench, owner) == was


NOTHING = {"count": 0, "units": 0, "rent_index": 0}


def test_effects_are_restored_whole_and_in_order(bench: Bench) -> None:
    """Left out, doubled, swapped, two chunks in one: no other bytes have the running hash."""
    days = Days(bench)
    days.go(1)
    enter_all(days)
    days.go(1, Phase.CLEARING)
    chunked = cut(days, 4, 4)
    chunked.verify(0)
    chunked.verify(1, OPERATOR)
    one, two = chunked.effects[:2]
    assert len(one) > 2
    digests = chunked.digests[:2]

    def refused(effects: list[bytes], chunk: int = 0) -> Any:
        return bench.refusal(OPERATOR, "restoreChunk", 1, digests, chunk, b"".join(effects), ALL)

    for chunk, lies in enumerate(
        ([one[:-1], one[1:], [*one, one[-1]], [one[1], one[0], *one[2:]], one + two, []], [one])
    ):
        for lie in lies:
            assert refused(lie, chunk) == ("WrongEffects", 1, chunk)
    # a prefix whose digest is passed off as a list of its own
    part = Chunked(days, 1, chunked.state, chunked.settlement, [], [one[:-1], two]).digests
    for lie in (part, digests[:1], digests[::-1], [*digests, bytes(32)], []):
        error = bench.refusal(OPERATOR, "restoreChunk", 1, lie, 0, b"".join(one[:-1]), ALL)
        assert error == ("WrongEffects", 1, 0)
    assert refused(one) is None
    assert refused(two, 1) is None
    chunked.restore(0, of=2)
    chunked.restore(1, of=2)


def test_chunks_of_a_run_taken_back_are_nothing_to_the_next_run(bench: Bench) -> None:
    """Neither of the same batch, nor, once void, of the next."""
    days, liar, thief = robbed(bench)
    first = liar.restoration()
    liar.restore(OPERATOR)
    assert bench.refusal(OPERATOR, "restoreChunk", *first) == ("NothingToRestore", 2)
    second = Liar(days, {0: 1 << 119})
    second.write("thief")
    assert bench.refusal(OPERATOR, "restoreChunk", *first) == ("WrongEffects", 2, 0)
    void(days, 2)
    assert bench.refusal(BOB, "restoreChunk", *first) == ("WrongEffects", 2, 0)
    old = first, second.restoration()
    second.restore(BOB)
    days.go(3)
    days.seal("thief", sell(99, 10), standing=False)
    days.seal("honest", buy(100, 10), standing=False)
    days.go(3, Phase.CLEARING)
    third = Liar(days, RICH)
    third.write("thief")
    for args in old:
        assert bench.refusal(OPERATOR, "restoreChunk", *args) == ("NothingToRestore", 2)
        assert bench.refusal(OPERATOR, "restoreChunk", 3, *args[1:]) == ("WrongEffects", 3, 0)
    third.restore(OPERATOR)
    days.settle()
    assert bench.balance(thief, 0) < 10**6 * X44


# ----------------------------------------------------------------------------- always possible


def test_whatever_is_written_ahead_can_be_taken_back(bench: Bench) -> None:
    """Sellers of all they have: a word that becomes zero costs most to write again (S7)."""
    days = sellers_of_everything(bench, 50)
    market = days.bench
    names = sorted(days.names, key=lambda name: to_canonical_address(days.names[name]))
    liar, most = Liar(days, dict.fromkeys(SOLD, 100 * X40 * X44)), len(names) - 1
    while refusal := market.refusal(OPERATOR, "verify", *liar.arguments(*names[:most])):
        assert refusal[0] == "ChunkTooLarge"
        most -= 1
    liar.write(*names[:most])
    assert market.batch()["unapplied"] == len(liar.effects[0]) == most > 10
    days.go(1, Phase.FALLBACK)
    liar.restore(BOB)
    assert market.batch()["unapplied"] == 0


SOLD = range(2, 34, 2)  # one to a pair's word


def sellers_of_everything(bench: Bench, count: int) -> Days:
    """Batch 1 in CLEARING of another market; their lots are put straight into storage."""
    limits = {"capacity": 20_000, "bond": 2_000_000, "cash_cap": 1 << 50, "cover_cap": 1 << 60}
    market = new_market(bench.chain, bench.libraries, bench.tokens[CASH], **limits)
    for _ in range(SOLD.stop):
        list_product(market, new_token(bench.chain), 1, 100)
    market.fill_house()
    days = Days(market)
    days.go(1)
    everything = Auth(tuple(Leg(k, -1) for k in SOLD), -800 * X40, 0, (Step(1, 0),), ())
    ledger = int(storage_slot("ledger"), 16)
    for n in range(count):
        owner = market.endow(address(f"seller {n}"), cash=10**6, p0=1)
        pairs = within(to_canonical_address(owner), ledger + 1)
        for k in SOLD:
            place = hex(within(k >> 1, pairs))
            market.chain.rpc("anvil_setStorageAt", market.market, place, "0x" + f"{X44:064x}")
        days.names[f"seller {n}"] = owner
        days.seal(f"seller {n}", everything, standing=False)
    days.go(1, Phase.CLEARING)
    return days


def test_no_run_has_more_digests_than_fit_beside_a_chunk(bench: Bench) -> None:
    """The operator adds empty chunks until restoring a full one fits no transaction (S7)."""
    days, liar, _ = robbed(bench)
    data = call("Walras", bench.market, "restoreChunk", 2, [bytes(32)] * MAX_CHUNKS, 0, b"", 1).data
    assert len(data) + CHUNK_BYTES + SIGNATURE < RELAYED
    assert longer(days, liar, MAX_CHUNKS - 2) is None
    assert longer(days, liar, MAX_CHUNKS - 1) == ("TooManyChunks", 2)
    liar.restore(OPERATOR)


def longer(days: Days, liar: Liar, empty: int) -> tuple[Any, ...] | None:
    """Why a run of the thief and so many empty chunks would not take one more."""
    board = list(RICH), list(RICH.values())
    digests = [*liar.digests, *[bytes(32)] * empty]
    last = days.names["thief"]
    run = (outcome_hash(*board), last, 1, *[0] * 9, [0, 0], digests)
    place = within(to_canonical_address(OPERATOR), within(2, int(storage_slot("runs"), 16)))
    bench = days.bench
    bench.chain.rpc("anvil_setStorageAt", bench.market, hex(place), "0x" + hash_of(run).hex())
    return bench.refusal(OPERATOR, "verify", 2, OPERATOR, run, *board, b"")


# ------------------------------------------------------------------------------ whose run, and when


def test_own_slot_overwritten_at_the_handover_costs_only_work(bench: Bench) -> None:
    """At T2 the operator skips to the last account; a copy lives on, or all goes back."""
    days = Days(bench)
    days.go(1)
    enter_all(days)
    days.go(1, Phase.CLEARING)
    chunked = cut(days, 3, 3, 0, ahead=2)
    chunked.verify(0)
    chunked.verify(1, OPERATOR)
    names, before = days.live(), bench.standing()
    days.go(1, Phase.FALLBACK)
    chunked.verify(2, OPERATOR, BOB)  # an empty chunk: the run is Bob's, too
    skip = list(chunked.arguments(3, OPERATOR, chunked.runs[1]))
    skip[-1] = encode_submissions(chunked.entries[3][-1:], chunked.settlement.shadows)
    bench.do(OPERATOR, "verify", *skip)
    assert chunked.refusal(2, OPERATOR, sender=ALICE) == ("WrongRun", 1, OPERATOR)
    waiting = bench.batch()["unapplied"]
    assert chunked.refusal(0, sender=ALICE) == ("WrittenAhead", 1, waiting)
    chunked.verify(3, BOB, BOB)
    chunked.finish()
    days.check(names, chunked.state, chunked.settlement, before, 1)


def test_second_of_the_handover_decides_whether_a_chunk_writes(bench: Bench) -> None:
    days = Days(bench)
    days.go(1)
    enter_all(days)
    days.go(1, Phase.CLEARING)
    edge = bench.schedule.boundaries(1).exclusive_until
    bench.chain.warp(edge - 1)
    chunked = cut(days, 3, 3, ahead=1)
    was = raws(days)
    chunked.verify(0)
    written = raws(days)
    assert bench.batch()["unapplied"] == len(chunked.effects[0])
    assert bench.refusal(BOB, "restoreChunk", *chunked.restoration(0, 1)) == ("NotOperator", BOB)
    bench.chain.warp(edge)
    chunked.verify(1, OPERATOR)
    assert raws(days) == written != was
    assert bench.batch()["unapplied"] == len(chunked.effects[0])
    end = bench.schedule.boundaries(1).deadline
    bench.chain.warp(end - 1)
    assert chunked.refusal(2, OPERATOR) is None
    assert chunked.refusal(2, OPERATOR, at=end) == ("WrongPhase", 1, Phase.VOID)
    bench.chain.warp(end)
    chunked.restore(0, BOB, of=1)
    assert raws(days) == was


def test_who_rested_waits_for_the_last_application(bench: Bench) -> None:
    """A batch begun ahead and finished by others: nobody else's word is needed to be free."""
    days = stood(bench)
    days.seal("seller", sell(99, 8), standing=False)
    days.seal("buyer", buy(101, 8), standing=False)
    days.seal("void", sell(1, 1, k=4), standing=False)
    days.go(2, Phase.CLEARING)
    chunked = cut(days, 3, ahead=1)
    names, before = days.live(), bench.standing()
    chunked.verify(0)
    rested = chunked.runs[0][4]
    resting = [n for n in names[:3] if days.names[n][2:].lower() not in said(chunked, 0)]
    assert len(resting) == rested > 0
    days.go(2, Phase.FALLBACK)
    chunked.restore(0, BOB, of=1)
    chunked.verify(1, OPERATOR, ALICE)
    assert bench.batch()["unapplied"] == len(names) - rested
    chunked.apply(1, BOB)
    for name in resting:
        assert bench.look("isFrozen", days.names[name]) is True
    chunked.apply(0, BOB)
    assert bench.batch()["unapplied"] == bench.batch()["pot"] == 0
    days.check(names, chunked.state, chunked.settlement, before, 1)
    days.learn(chunked.settlement)
    for name in names:
        owner = days.names[name]
        bench.do(owner, "withdraw", CASH, ALL, owner)


def said(chunked: Chunked, chunk: int) -> set[str]:
    return {one[:20].hex() for one in chunked.effects[chunk]}
