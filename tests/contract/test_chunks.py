"""Settlement in chunks: resumed by anybody, spoilt by nobody, all or nothing, applied once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.batches import order
from tests.contract.chunks import FRESH, NOBODY, Chunked, cut, hash_of
from tests.contract.days import STANDING, Days, buy, limited, sell
from tests.contract.support import ALL, OPERATOR, Bench, address, storage_slot
from tests.differential.planted import within
from walras.batch import CASH
from walras.numbers import X40
from walras.schedule import Phase
from walras.sealing import keccak256
from walras.settlement import outcome_hash

pytestmark = pytest.mark.chain

ALICE, BOB = address("alice"), address("bob")


def enter_all(days: Days) -> None:
    """Every kind of account: for one batch, first seals, two products, uncovered, garbage."""
    for n in range(4):
        days.seal(f"buyer {n}", buy(100 + n, 50 + n), standing=n % 2 == 0)
        days.seal(f"seller {n}", limited(sell(97 + n, 40 + n), low=60), standing=True)
    days.seal("pair words", order({3: 1}, 1_000, buy=[3]), order({5: 1}, 120, buy=[2]))
    days.seal("both halves", buy(99, 3, k=4), buy(99, 4, k=5), standing=False)
    days.bench.do(days.owner("poor"), "withdraw", 1, ALL, ALICE)
    days.seal("poor", sell(38, 5, k=1))
    days.seal_bytes("junk", b"\x00junk", 20)


def enter_again(days: Days) -> None:
    """In batch 2: amendments good and bad, a new one, one for the batch, one that pauses."""
    days.go(2)
    days.seal("new", buy(103, 20))
    days.seal("buyer 0", buy(104, 200))
    days.seal("buyer 2", buy(104, 200), standing=False)
    days.seal("seller 1", limited(sell(90, 10), low=10))
    days.seal("one", sell(99, 100), standing=False)
    days.bench.do(days.names["seller 3"], "pause")


@pytest.fixture
def days(bench: Bench) -> Days:
    """Batch 1 past its reveal, with many accounts."""
    found = Days(bench)
    found.go(1)
    enter_all(found)
    found.go(1, Phase.CLEARING)
    return found


@pytest.fixture
def chunked(days: Days) -> Chunked:
    """In the time when chunks only record what they do."""
    days.go(1, Phase.FALLBACK)
    return cut(days, 3, 5)


def close_and_apply(chunked: Chunked) -> None:
    """All of it by the operator, held against the twin."""
    days, bench = chunked.days, chunked.days.bench
    names, before, word = days.live(), bench.standing(), bench.batch()
    chunked.verify_all()
    for n in range(len(chunked.effects)):
        chunked.apply(n)
    days.check(names, chunked.state, chunked.settlement, before, word["ticks"])
    for name in names:
        raw = bench.account(days.names[name])
        if not raw["flags"]:
            assert (raw["batch"], raw["units"]) == (chunked.batch, 0)
        else:
            assert raw["batch"] == bench.standing()["rent_index"]
    days.learn(chunked.settlement)


@pytest.mark.parametrize("sizes", [(), (3, 5), (1,) * 11, (0, 7, 0)])
def test_chunks_leave_what_one_settlement_leaves(days: Days, sizes: tuple[int, ...]) -> None:
    days.go(1, Phase.FALLBACK)
    close_and_apply(cut(days, *sizes))


def test_second_batch_with_everything_that_can_happen(days: Days) -> None:
    """Progress, completion, uncovered again, amendments good and bad, new ones, in chunks."""
    days.go(1, Phase.FALLBACK)
    close_and_apply(cut(days, 6))
    enter_again(days)
    days.go(2, Phase.FALLBACK)
    chunked = cut(days, 2, 2, 2, 2)
    assert chunked.settlement.ended
    assert len(chunked.settlement.amended) == 2
    close_and_apply(chunked)
    assert days.day(3).volumes


def test_every_chunk_tells_its_state(chunked: Chunked) -> None:
    days, bench = chunked.days, chunked.days.bench
    first = chunked.verify(0)
    shown = {"batch": 1, "settler": OPERATOR, "listed": 3, "run": hash_of(chunked.runs[0])}
    assert first.event("Verified") == {**shown, "from": NOBODY}
    assert bench.look("runHash", 1, OPERATOR) == hash_of(chunked.runs[0])
    second = chunked.verify(1, OPERATOR)
    shown = {"batch": 1, "settler": OPERATOR, "listed": 8, "run": hash_of(chunked.runs[1])}
    assert second.event("Verified") == {**shown, "from": OPERATOR}
    live, pot = bench.batch()["live"], bench.batch()["pot"]
    third = chunked.verify(2, OPERATOR)
    shown = {"batch": 1, "settler": OPERATOR, "listed": live, "run": bytes(32)}
    assert third.event("Verified") == {**shown, "from": OPERATOR}
    settled = third.event("Settled")
    assert settled["volumes"] == tuple(chunked.settlement.volumes.values())
    assert settled["loss"] == chunked.settlement.loss_x40
    assert settled["freedom"] == chunked.settlement.freedom_x40
    share = pot // 2 // live
    assert third.event("Credited") == {"account": OPERATOR, "amount": pot - share * live}
    state = bench.batch()
    assert (state["settled"], state["unapplied"], state["pot"]) == (True, live, share * live)
    prices = chunked.prices
    assert bench.look("outcome", 1) == outcome_hash(list(prices), list(prices.values()))
    assert bench.look("phase", 1) == Phase.SETTLED
    for n, count in enumerate((3, 5, live - 8)):
        applied = chunked.apply(n, BOB)
        assert applied.event("Applied") == {
            "batch": 1,
            "caller": BOB,
            "chunk": n,
            "accounts": count,
        }
        assert applied.event("Credited") == {"account": BOB, "amount": share * count}
    assert (bench.batch()["pot"], bench.batch()["unapplied"]) == (0, 0)
    assert bench.look("digestsHash") == keccak256(b"".join(chunked.digests))
    bench.check_books()
    assert days.live() != []


def test_events_of_accounts_come_with_their_chunk(chunked: Chunked) -> None:
    events = [e.name for receipt in chunked.verify_all() for e in receipt.events]
    assert events.count("Joined") == len(chunked.settlement.joined)
    assert events.count("Voided") == len(chunked.settlement.voids)
    chunked.finish()


# ---------------------------------------------------------------------------------- whose run


def test_anybody_goes_on_from_anybodys_run(chunked: Chunked) -> None:
    """The operator verifies one chunk and vanishes; two strangers finish, a third applies."""
    bench = chunked.days.bench
    chunked.verify(0)
    chunked.verify(1, OPERATOR, ALICE)
    assert bench.look("runHash", 1, OPERATOR) == hash_of(chunked.runs[0])
    assert bench.look("runHash", 1, ALICE) == hash_of(chunked.runs[1])
    chunked.verify(2, ALICE, BOB)
    for n in (2, 0, 1):
        chunked.apply(n, ALICE)
    assert bench.look("claimable", BOB) > 0
    bench.check_books()


def test_run_of_a_griefer_blocks_nobody(chunked: Chunked) -> None:
    """Wrong prices, stale states, runs begun again: each spoils the griefer's own state alone."""
    bench = chunked.days.bench
    wrong = {k: p + (1 << 84) for k, p in chunked.prices.items()}
    chunked.verify(0)
    bad = chunked.arguments(0)
    bench.do(ALICE, "verify", *bad[:4], list(wrong.values()), bad[5])
    chunked.verify(1, OPERATOR)
    # from the honest run with other prices, from her own with the honest ones
    args = chunked.arguments(2, OPERATOR)
    board = outcome_hash(list(wrong), list(wrong.values()))
    error = ("WrongBoard", board, chunked.runs[0][0])
    assert bench.refusal(ALICE, "verify", *args[:4], list(wrong.values()), args[5]) == error
    assert chunked.refusal(1, ALICE, sender=ALICE) == ("WrongRun", 1, ALICE)
    # the operator begins again: whoever goes on from the old state is too late, their own stay
    bench.do(BOB, "verify", *chunked.arguments(1, NOBODY, FRESH))
    chunked.verify(0)
    assert chunked.refusal(2, OPERATOR) == ("WrongRun", 1, OPERATOR)
    chunked.verify(1, OPERATOR)
    chunked.verify(2, OPERATOR)
    assert bench.batch()["settled"]
    chunked.finish()


def test_states_are_bound_in_every_field(chunked: Chunked) -> None:
    bench = chunked.days.bench
    chunked.verify(0)
    good = chunked.runs[0]
    for place, value in enumerate(good):
        run = list(good)
        run[place] = changed(value)
        error = chunked.refusal(1, OPERATOR, run=tuple(run))
        assert error == ("WrongRun", 1, OPERATOR), place
    assert chunked.refusal(1, OPERATOR) is None
    assert chunked.refusal(1, ALICE) == ("WrongRun", 1, ALICE)
    assert bench.look("runHash", 1, ALICE) == bytes(32)


def test_run_of_more_chunks_than_can_be_applied_is_refused(chunked: Chunked) -> None:
    """Their digests come with every chunk that is applied or restored."""
    bench = chunked.days.bench
    chunked.verify(0)
    for count in (511, 512):
        run = (*chunked.runs[0][:-1], [bytes(31) + b"\x01"] * count)
        place = within(1, int(storage_slot("runs"), 16))
        place = within(bytes.fromhex(OPERATOR[2:]), place)
        bench.chain.rpc("anvil_setStorageAt", bench.market, hex(place), "0x" + hash_of(run).hex())
        refused = ("TooManyChunks", 1) if count == 512 else None
        assert chunked.refusal(1, OPERATOR, run=run) == refused


def changed(value: Any) -> Any:
    if isinstance(value, bytes):
        return value[:-1] + bytes((value[-1] ^ 1,))
    if isinstance(value, str):
        return ALICE
    if isinstance(value, list):
        return [changed(value[0]), *value[1:]]
    return value + 1


def test_no_account_twice_and_none_left_out(chunked: Chunked) -> None:
    bench = chunked.days.bench
    chunked.verify(0)
    again = chunked.arguments(0, OPERATOR, chunked.runs[0])
    name, *_ = bench.refusal(OPERATOR, "verify", *again) or ("",)
    assert name == "AccountsNotAscending"
    chunked.verify(1, OPERATOR)
    # all but the last account: nothing is settled
    chunked.entries[2].pop()
    receipt = chunked.verify(2, OPERATOR)
    assert "Settled" not in [e.name for e in receipt.events]
    assert not bench.batch()["settled"]


def test_nothing_is_applied_unless_the_certificate_holds(chunked: Chunked) -> None:
    """The last chunk checks it; until then no ledger moved."""
    days, bench = chunked.days, chunked.days.bench
    wrong = dict(chunked.prices)
    wrong[0] += 1 << 60
    raws = [bench.account(owner) for owner in days.names.values()]

    def go(entries: Any, start: str, run: Any) -> tuple[Any, ...]:
        args = chunked.arguments(entries, start, run)
        return (*args[:3], args[3], list(wrong.values()), args[5])

    whole = cut(days)
    args = whole.arguments(0)
    name, product, *_ = bench.refusal(
        OPERATOR, "verify", *args[:4], list(wrong.values()), args[5]
    ) or ("", 0)
    assert (name, product) == ("NotCleared", 0)
    bench.do(OPERATOR, "verify", *go(0, NOBODY, FRESH))
    assert [bench.account(owner) for owner in days.names.values()] == raws
    assert bench.refusal(ALICE, "applyChunk", 1, [], 0, b"", ALL) == ("NothingToApply", 1)


def test_phases_and_callers_are_those_of_settle(chunked: Chunked) -> None:
    bench = chunked.days.bench
    edges = bench.schedule.boundaries(1)
    at = edges.exclusive_until
    assert chunked.refusal(0, sender=ALICE, at=at - 1) == ("NotOperator", ALICE)
    assert chunked.refusal(0, sender=ALICE, at=at) is None
    assert chunked.refusal(0, at=edges.deadline - 1) is None
    assert chunked.refusal(0, at=edges.deadline) == ("WrongPhase", 1, Phase.VOID)
    chunked.verify_all()
    assert chunked.refusal(0) == ("WrongPhase", 1, Phase.SETTLED)
    for n in range(3):
        chunked.apply(n)
    assert chunked.refusal(0) == ("WrongPhase", 1, Phase.SETTLED)


def test_run_unfinished_at_t3_is_void_and_hurts_nobody(chunked: Chunked) -> None:
    days, bench = chunked.days, chunked.days.bench
    raws = [bench.account(owner) for owner in days.names.values()]
    chunked.verify(0)
    chunked.verify(1, OPERATOR)
    days.go(1, Phase.VOID)
    assert chunked.refusal(2, OPERATOR) == ("WrongPhase", 1, Phase.VOID)
    assert [bench.account(owner) for owner in days.names.values()] == raws
    assert bench.standing()["count"] == 0
    sealed = len(days.live())
    event = bench.do(ALICE, "closeVoid", 1).event("VoidClosed")
    assert event["compensation"] == sealed * 1_000 * X40
    assert bench.refusal(ALICE, "applyChunk", 1, [], 0, b"", ALL) == ("NothingToApply", 1)
    owner = days.names["buyer 0"]
    bench.do(owner, "withdraw", CASH, ALL, owner)
    assert bench.look("runHash", 2, OPERATOR) == bytes(32)


def test_run_of_one_batch_is_none_of_another(chunked: Chunked) -> None:
    chunked.verify(0)
    days = chunked.days
    days.go(1, Phase.VOID)
    days.bench.do(ALICE, "closeVoid", 1)
    days.bench.supply(OPERATOR, CASH, 200_000 * 10**4)
    days.bench.do(OPERATOR, "addBond", 200_000 * 10**4)
    days.go(2)
    for n in range(4):
        days.seal(f"buyer {n}", buy(100 + n, 50 + n))
        days.seal(f"seller {n}", sell(97 + n, 40 + n))
    days.go(2, Phase.FALLBACK)
    later = cut(days, 3)
    assert later.refusal(1, OPERATOR, run=chunked.runs[0]) == ("WrongRun", 2, OPERATOR)
    close_and_apply(later)


# ---------------------------------------------------------------------------------- applying


@pytest.fixture
def settled(chunked: Chunked) -> Chunked:
    """Settled, not applied."""
    chunked.verify_all()
    return chunked


def test_each_account_gets_its_part_once_in_any_order(settled: Chunked) -> None:
    days, bench = settled.days, settled.days.bench
    unapplied = bench.batch()["unapplied"]
    seen: set[int] = set()
    for n, sender in ((2, ALICE), (0, BOB), (2, BOB), (0, ALICE), (1, ALICE)):
        receipt = settled.apply(n, sender)
        count = 0 if n in seen else len(settled.entries[n])
        seen.add(n)
        unapplied -= count
        assert receipt.event("Applied")["accounts"] == count
        assert bench.batch()["unapplied"] == unapplied
    assert unapplied == 0
    for n in range(3):
        error = bench.refusal(BOB, "applyChunk", *settled.application(n))
        assert error == ("NothingToApply", 1)
    names = sorted(days.names, key=lambda name: bytes.fromhex(days.names[name][2:]))
    days.check(names, settled.state, settled.settlement, NOTHING, 1)


NOTHING = {"count": 0, "units": 0, "rent_index": 0}


def test_applied_accounts_move_on_and_are_not_written_back(settled: Chunked) -> None:
    """Replaying a chunk's effects after its accounts traded on changes nothing."""
    days, bench = settled.days, settled.days.bench
    settled.apply(0)
    owners = ["0x" + e.account.hex() for e in settled.entries[0]]
    for owner in owners:
        mine = next(o for o in days.names.values() if o.lower() == owner)
        bench.do(mine, "withdraw", CASH, ALL, mine)
        if bench.account(mine)["flags"]:
            bench.do(mine, "pause")
    raws = [bench.account(owner) for owner in days.names.values()]
    assert settled.apply(0).event("Applied")["accounts"] == 0
    assert [bench.account(owner) for owner in days.names.values()] == raws
    for owner in owners:
        mine = next(o for o in days.names.values() if o.lower() == owner)
        if bench.account(mine)["flags"]:
            bench.do(mine, "resume")
    assert settled.apply(0).event("Applied")["accounts"] == 0
    settled.apply(1)
    settled.apply(2)
    bench.check_books()


def test_account_is_frozen_until_its_part_is_applied(settled: Chunked) -> None:
    days, bench = settled.days, settled.days.bench
    parts = [["0x" + e.account.hex() for e in entries] for entries in settled.entries]
    settled.apply(1)
    for at in (bench.chain.now, bench.time(2, Phase.OPEN), bench.time(3, Phase.LOCKED_IN)):
        for n, part in enumerate(parts):
            for owner in part:
                mine = next(o for o in days.names.values() if o.lower() == owner)
                frozen = n != 1
                assert bench.look("isFrozen", mine, at=at) is frozen
                error = bench.refusal(mine, "withdraw", CASH, 1, mine, at=at)
                assert (error == ("Frozen", mine, 1)) is frozen
                error = bench.refusal(mine, "deposit", CASH, 0, at=at)
                assert error == (("Frozen", mine, 1) if frozen else ("BadTransfer",))
    idle = bench.endow(ALICE, cash=5)
    bench.do(idle, "withdraw", CASH, ALL, idle)
    settled.finish()


def test_no_batch_opens_until_all_is_applied(settled: Chunked) -> None:
    days, bench = settled.days, settled.days.bench
    bench.endow(ALICE, cash=10**5)
    settled.apply(0)
    settled.apply(1)
    left = len(settled.entries[2])
    days.go(2)
    assert bench.refusal(ALICE, "open", 2) == ("Unapplied", 1, left)
    assert bench.refusal(ALICE, "seal", 10, bytes(80), 2) == ("Unapplied", 1, left)
    # without deadline: batches later, too
    at = bench.time(3, Phase.OPEN)
    assert bench.refusal(ALICE, "open", 3, at=at) == ("Unapplied", 1, left)
    settled.apply(2)
    days.learn(settled.settlement)
    bench.do(ALICE, "open", 2)
    assert bench.batch()["live"] == bench.standing()["count"] > 0
    days.settle()


def test_only_the_settlements_own_effects_are_applied(settled: Chunked) -> None:
    bench = settled.days.bench
    batch, digests, _, effects, _ = settled.application(0)

    def refused(*args: Any) -> tuple[Any, ...] | None:
        return bench.refusal(BOB, "applyChunk", *args, ALL)

    wrong = ("WrongEffects", 1, 0)
    assert refused(batch, digests, 0, effects[:-1]) == wrong
    assert refused(batch, digests, 0, effects[:-1] + b"\x01") == wrong
    assert refused(batch, digests, 0, settled.application(1)[3]) == wrong
    assert refused(batch, digests, 1, effects) == ("WrongEffects", 1, 1)
    assert refused(batch, digests, 3, b"") == ("WrongEffects", 1, 3)
    assert refused(batch, digests[:-1], 0, effects) == wrong
    assert refused(batch, [digests[1], digests[0], digests[2]], 1, effects) == (
        "WrongEffects",
        1,
        1,
    )
    assert refused(2, digests, 0, effects) == ("NothingToApply", 2)
    assert refused(batch, digests, 0, effects) is None
    settled.finish()


def test_stranger_waits_for_nobody(settled: Chunked) -> None:
    """Exit of a live account needs only the public bytes of its chunk (S7)."""
    days, bench = settled.days, settled.days.bench
    for n, entries in enumerate(settled.entries):
        owner = "0x" + entries[0].account.hex()
        mine = next(o for o in days.names.values() if o.lower() == owner)
        settled.apply(n, mine)
        bench.do(mine, "withdraw", CASH, ALL, mine)
        assert bench.balance(mine, CASH) < X40


def test_pause_and_cancel_of_what_is_applied(settled: Chunked) -> None:
    days, bench = settled.days, settled.days.bench
    for n in range(3):
        for entry in settled.entries[n]:
            mine = next(o for o in days.names.values() if o[2:].lower() == entry.account.hex())
            if entry.account in settled.settlement.standing:
                assert bench.refusal(mine, "pause") in (
                    ("Frozen", mine, 1),
                    ("NotStanding", mine),
                )
    settled.apply(0)
    settled.apply(1)
    live = bench.batch()["live"]
    for n in (0, 1):
        for entry in settled.entries[n]:
            mine = next(o for o in days.names.values() if o[2:].lower() == entry.account.hex())
            if bench.account(mine)["flags"] & STANDING:
                bench.do(mine, "pause" if n else "cancel")
    assert bench.batch()["live"] == live
    settled.apply(2)
    bench.check_books()


def test_rent_of_a_batch_in_chunks(days: Days) -> None:
    """Half of it to who applies; who does not trade pays too."""
    days.go(1, Phase.FALLBACK)
    close_and_apply(cut(days, 6))
    bench = days.bench
    days.go(2)
    bench.do(ALICE, "open", 2)
    days.go(2, Phase.FALLBACK)
    chunked = cut(days, 4)
    rents = sum(chunked.settlement.rents.values())
    assert rents == bench.standing()["units"] * bench.look("unitRent")
    credited = [e.args for r in chunked.verify_all() for e in r.events if e.name == "Credited"]
    live = bench.batch()["live"]
    share = rents // 2 // live
    assert credited == [{"account": OPERATOR, "amount": rents - share * live}]
    settle_owed = {o: bench.look("rentOwed", o) for o in days.names.values()}
    assert any(settle_owed.values())
    for n in range(2):
        chunked.apply(n, BOB)
    assert bench.look("claimable", BOB) == share * live
    assert not any(bench.look("rentOwed", o) for o in days.names.values())
    bench.check_books()
