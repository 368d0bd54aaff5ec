"""The operator's chunks write ahead: nothing counts before the batch settles, all can be undone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adversarial.ahead import Liar
from tests.contract.chunks import FRESH, NOBODY, Chunked, cut, hash_of
from tests.contract.days import Days, buy
from tests.contract.support import ALL, OPERATOR, Bench, address
from tests.contract.test_chunks import enter_again, enter_all
from walras.batch import CASH
from walras.schedule import Phase
from walras.sealing import keccak256
from walras.settlement import encode_submissions

pytestmark = pytest.mark.chain

ALICE, BOB = address("alice"), address("bob")
NOTHING = {"count": 0, "units": 0, "rent_index": 0}


@pytest.fixture
def days(bench: Bench) -> Days:
    """Batch 1 in the operator's time, with every kind of account."""
    found = Days(bench)
    found.go(1)
    enter_all(found)
    found.go(1, Phase.CLEARING)
    return found


@pytest.fixture
def chunked(days: Days) -> Chunked:
    return cut(days, 3, 5)


def raws(days: Days) -> dict[str, dict[str, Any]]:
    return {name: days.bench.account(owner) for name, owner in days.names.items()}


def ledgers(days: Days) -> dict[str, list[int]]:
    """Every balance as stored: two words of the account and those of pairs."""
    bench = days.bench
    return {
        name: [bench.balance(owner, k) for k in (CASH, *range(6))]
        for name, owner in days.names.items()
    }


def owner_of(days: Days, account: bytes) -> str:
    return next(o for o in days.names.values() if o[2:].lower() == account.hex())


def settle_ahead(chunked: Chunked) -> None:
    """All of it by the operator, held against the twin; nothing is left to apply."""
    days, bench = chunked.days, chunked.days.bench
    names, before, word = days.live(), bench.standing(), bench.batch()
    was, claimable = raws(days), bench.look("claimable", OPERATOR)
    chunked.verify_all()
    assert bench.batch()["settled"]
    assert bench.batch()["unapplied"] == bench.batch()["pot"] == 0
    reward = word["pot"] + sum(chunked.settlement.rents.values())
    assert bench.look("claimable", OPERATOR) == claimable + reward
    written = {effect[:20] for effects in chunked.effects for effect in effects}
    for name in names:
        account = bytes.fromhex(days.names[name][2:])
        if account not in written:
            assert bench.account(days.names[name]) == was[name]
    days.check(names, chunked.state, chunked.settlement, before, word["ticks"])
    days.learn(chunked.settlement)


@pytest.mark.parametrize("sizes", [(), (3, 5), (1,) * 11, (0, 7, 0)])
def test_chunks_leave_what_one_settlement_leaves(days: Days, sizes: tuple[int, ...]) -> None:
    settle_ahead(cut(days, *sizes))


def test_second_batch_with_everything_that_can_happen(days: Days) -> None:
    """Progress, completion, uncovered again, amendments good and bad, new ones, in chunks."""
    settle_ahead(cut(days, 6))
    enter_again(days)
    days.go(2, Phase.CLEARING)
    chunked = cut(days, 2, 2, 2, 2)
    assert chunked.settlement.ended
    assert len(chunked.settlement.amended) == 2
    settle_ahead(chunked)
    assert days.day(3).volumes


def test_what_stands_and_rests_is_left_alone(days: Days) -> None:
    """Its rent is owed as after a settlement at once."""
    settle_ahead(cut(days, 6))
    bench = days.bench
    days.go(2)
    days.seal("far below", buy(1, 5))
    days.settle()
    days.go(3)
    bench.do(OPERATOR, "open", 3)
    days.go(3, Phase.CLEARING)
    was = bench.account(days.names["far below"])
    settle_ahead(cut(days, 2, 2))
    assert bench.account(days.names["far below"]) == was
    assert bench.look("rentOwed", days.names["far below"]) == was["units"] * bench.look("unitRent")


def test_every_chunk_tells_its_state(chunked: Chunked) -> None:
    bench = chunked.days.bench
    written = 0
    for n, listed in enumerate((3, 8)):
        receipt = chunked.verify(n, OPERATOR if n else NOBODY)
        written += len(chunked.effects[n])
        shown = {"batch": 1, "settler": OPERATOR, "listed": listed}
        start = {"from": OPERATOR if n else NOBODY, "run": hash_of(chunked.runs[n])}
        assert receipt.event("Verified") == shown | start
        assert bench.batch()["unapplied"] == written > 0
        assert bench.look("digestsHash") == keccak256(b"".join(chunked.digests[: n + 1]))
        assert bench.look("phase", 1) == Phase.CLEARING
    assert chunked.verify(2, OPERATOR).event("Settled")["live"] == bench.batch()["live"]


# ----------------------------------------------------------------------- nothing counts yet


def test_what_is_written_ahead_moves_for_nobody(chunked: Chunked) -> None:
    """In the operator's time, in anybody's, void, void and closed: until it is taken back (S7)."""
    days, bench = chunked.days, chunked.days.bench
    was, held = raws(days), ledgers(days)
    chunked.verify(0)
    chunked.verify(1, OPERATOR)
    moved = [owner_of(days, e[:20]) for effects in chunked.effects[:2] for e in effects]
    assert len(moved) > 4
    resting = set(days.names.values()) - set(moved)

    def frozen(at: int) -> None:
        for owner in moved:
            assert bench.look("isFrozen", owner, at=at) is True
            refused = ("Frozen", owner, 1)
            assert bench.refusal(owner, "withdraw", CASH, 1, owner, at=at) == refused
            assert bench.refusal(owner, "deposit", CASH, 0, at=at) == refused
            assert bench.refusal(owner, "pause", at=at) in (refused, ("NotStanding", owner))
            assert bench.refusal(owner, "cancel", at=at) is not None
            assert bench.look("rentOwed", owner, at=at) == 0

    edges = bench.schedule.boundaries(1)
    for at in (bench.chain.now, edges.exclusive_until, edges.deadline, edges.start + 5_000):
        frozen(at)
    days.go(1, Phase.VOID)
    for owner in resting:
        assert bench.look("isFrozen", owner) is False
    bench.do(ALICE, "closeVoid", 1)
    frozen(bench.chain.now)
    waiting = bench.batch()["unapplied"]
    assert waiting == len(moved)
    days.go(2)
    bench.endow(ALICE, cash=10**5)
    for name, *args in (("open", 2), ("seal", 10, bytes(80), 2)):
        assert bench.refusal(ALICE, name, *args) == ("Unapplied", 1, waiting)
    for owner in moved:
        assert bench.refusal(BOB, "compensate", owner) == ("NothingDue", owner)
    for n in (1, 0):
        receipt = chunked.restore(n, BOB, of=2)
        shown = {"batch": 1, "caller": BOB, "chunk": n, "accounts": len(chunked.effects[n])}
        assert receipt.event("Restored") == shown
    assert raws(days) == was
    assert ledgers(days) == held
    assert bench.refusal(BOB, "restoreChunk", *chunked.restoration(0, 2)) == (
        "NothingToRestore",
        1,
    )
    for owner in days.names.values():
        if was[next(n for n, o in days.names.items() if o == owner)]["batch"] == 1:
            bench.do(BOB, "compensate", owner)
        bench.do(owner, "withdraw", CASH, ALL, owner)
    bench.check_books()


def test_void_batch_pays_who_restores(chunked: Chunked) -> None:
    """From bond and pot, in equal parts; never more than they hold."""
    days, bench = chunked.days, chunked.days.bench
    chunked.verify(0)
    days.go(1, Phase.VOID)
    fee = 30 << 11
    bond, pot = bench.treasury()["bond"], bench.batch()["pot"]
    event = bench.do(ALICE, "closeVoid", 1, base_fee=fee).event("VoidClosed")
    each = 14_000 * fee * bench.parameters["cash_per_wei"]
    count = len(chunked.effects[0])
    assert bench.batch()["pot"] == each * count
    spent = event["reward"] + event["compensation"] + event["burnt"] + each * count
    assert spent == bond + pot
    assert chunked.restore(0, BOB, of=1).event("Credited") == {
        "account": BOB,
        "amount": each * count,
    }
    assert bench.batch()["pot"] == 0
    bench.check_books()


def test_restoring_is_paid_by_what_there_is(chunked: Chunked) -> None:
    """At a base fee that no bond holds."""
    days, bench = chunked.days, chunked.days.bench
    chunked.verify(0)
    days.go(1, Phase.VOID)
    bench.do(ALICE, "closeVoid", 1, base_fee=1 << 40)
    count = len(chunked.effects[0])
    pot = bench.batch()["pot"]
    assert pot % count == 0
    assert bench.treasury()["bond"] == 0
    chunked.restore(0, BOB, of=1)
    assert bench.look("claimable", BOB) == pot
    bench.check_books()


def test_before_the_batch_is_void_restoring_is_not_paid(chunked: Chunked) -> None:
    """The pot is the settler's."""
    bench = chunked.days.bench
    chunked.verify(0)
    pot = bench.batch()["pot"]
    receipt = chunked.restore(0, of=1)
    assert [e.name for e in receipt.events] == ["Restored"]
    assert bench.batch()["pot"] == pot > 0
    chunked.days.go(1, Phase.VOID)


# ----------------------------------------------------------------------------- whose run


def test_one_run_at_a_time_writes_ahead(chunked: Chunked) -> None:
    """Another begins once everything is restored; so does a settlement at once."""
    days, bench = chunked.days, chunked.days.bench
    was, names, before = raws(days), days.live(), bench.standing()
    entries = [entry for part in chunked.entries for entry in part]
    data = encode_submissions(entries, chunked.settlement.shadows)
    whole = (1, list(chunked.prices), list(chunked.prices.values()), data)
    chunked.verify(0)
    first = len(chunked.effects[0])
    refused = ("WrittenAhead", 1, first)
    assert chunked.refusal(0) == refused
    assert chunked.refusal(1, run=FRESH) == refused
    assert bench.refusal(OPERATOR, "settle", *whole) == refused
    later = bench.schedule.boundaries(1).exclusive_until
    assert chunked.refusal(0, sender=ALICE, at=later) == refused
    assert bench.refusal(ALICE, "settle", *whole, at=later) == refused
    chunked.restore(0, of=1)
    assert raws(days) == was
    # the run from before has lost what it wrote
    assert chunked.refusal(1, OPERATOR) == ("WrittenAhead", 1, 0)
    assert chunked.refusal(0) is None
    chunked.verify_all()
    days.check(names, chunked.state, chunked.settlement, before, 1)


def test_a_part_taken_back_ends_the_operators_run(chunked: Chunked) -> None:
    chunked.verify(0)
    chunked.verify(1, OPERATOR)
    chunked.restore(0, of=2)
    left = len(chunked.effects[1])
    assert chunked.refusal(2, OPERATOR) == ("WrittenAhead", 1, left)
    assert chunked.refusal(0) == ("WrittenAhead", 1, left)
    chunked.restore(1, of=2)
    assert chunked.refusal(0) is None


def test_only_the_operator_restores_in_the_exclusive_window(chunked: Chunked) -> None:
    bench = chunked.days.bench
    chunked.verify(0)
    args = chunked.restoration(0, 1)
    later = bench.schedule.boundaries(1)
    assert bench.refusal(ALICE, "restoreChunk", *args) == ("NotOperator", ALICE)
    for at in (later.exclusive_until, later.deadline):
        assert bench.refusal(ALICE, "restoreChunk", *args, at=at) is None
    assert bench.refusal(OPERATOR, "restoreChunk", *args) is None
    chunked.restore(0, of=1)


@pytest.mark.parametrize("back", [(), (0,), (1,), (1, 0)])
def test_anybody_finishes_the_operators_run(days: Days, back: tuple[int, ...]) -> None:
    """From the exclusive window's end; who takes chunks back meanwhile only makes work."""
    chunked = cut(days, 3, 3, 3, ahead=2)
    bench = days.bench
    names, before, pot = days.live(), bench.standing(), bench.batch()["pot"]
    chunked.verify(0)
    chunked.verify(1, OPERATOR)
    days.go(1, Phase.FALLBACK)
    chunked.verify(2, OPERATOR, ALICE)
    for n in back:
        chunked.restore(n, BOB, of=2)
    assert chunked.refusal(0, sender=BOB) == (
        None if len(back) == 2 else ("WrittenAhead", 1, bench.batch()["unapplied"])
    )
    chunked.verify(3, ALICE, ALICE)
    live = len(names)
    rested = chunked.runs[1][4]
    ahead = sum(len(chunked.effects[n]) for n in (0, 1) if n not in back)
    unapplied = live - rested - ahead
    state = bench.batch()
    assert (state["unapplied"], state["pot"]) == (unapplied, pot // 2 // live * unapplied)
    assert bench.look("digestsHash") == keccak256(b"".join(chunked.digests))
    for owner in {owner_of(days, e[:20]) for n in back for e in chunked.effects[n]}:
        assert bench.look("isFrozen", owner) is True
    for n in range(2):
        for e in chunked.effects[n]:
            assert bench.look("isFrozen", owner_of(days, e[:20])) is (n in back)
    for n in (3, *back, 2):
        assert chunked.apply(n, BOB).event("Applied")["accounts"] == len(chunked.effects[n])
    assert bench.batch()["unapplied"] == bench.batch()["pot"] == 0
    days.check(names, chunked.state, chunked.settlement, before, 1)
    days.learn(chunked.settlement)
    days.day(2)


def test_operator_in_anybodys_time_only_records(days: Days) -> None:
    """What they had written ahead stays restorable, whatever becomes of their own runs."""
    chunked = cut(days, 3, 3, ahead=1)
    bench = days.bench
    was = raws(days)
    chunked.verify(0)
    days.go(1, Phase.FALLBACK)
    chunked.verify(1, OPERATOR)
    assert bench.batch()["unapplied"] == len(chunked.effects[0])
    days.go(1, Phase.VOID)
    bench.do(ALICE, "closeVoid", 1)
    chunked.restore(0, ALICE, of=1)
    assert raws(days) == was


def test_wrong_prices_written_ahead_never_count(days: Days) -> None:
    """A chunk at prices that do not clear; then somebody else settles at those that do."""
    bench = days.bench
    chunked = cut(days, 3, 7)
    was, names, before = raws(days), days.live(), bench.standing()
    liar = Liar(days, {k: p + (1 << 83) for k, p in chunked.prices.items()})
    first = liar.write(*names[:3])
    assert raws(days) != was
    assert first.event("Verified")["run"] != hash_of(chunked.runs[0])
    assert chunked.refusal(1, OPERATOR) == ("WrongRun", 1, OPERATOR)
    days.go(1, Phase.FALLBACK)
    liar.restore(BOB)
    assert raws(days) == was
    honest = cut(days, 3, 7)
    honest.verify_all(BOB)
    for n in range(3):
        honest.apply(n, BOB)
    days.check(names, honest.state, honest.settlement, before, 1)


# --------------------------------------------------------------------------------- bytes


def test_only_the_runs_own_effects_are_restored(chunked: Chunked) -> None:
    bench = chunked.days.bench
    chunked.verify(0)
    chunked.verify(1, OPERATOR)
    batch, digests, _, effects, _ = chunked.restoration(0, 2)

    def refused(*args: Any) -> tuple[Any, ...] | None:
        return bench.refusal(OPERATOR, "restoreChunk", *args, ALL)

    wrong = ("WrongEffects", 1, 0)
    for place in (0, 21, 22, 53, 54, 85, len(effects) - 1):
        bad = bytearray(effects)
        bad[place] ^= 1
        assert refused(batch, digests, 0, bytes(bad)) == wrong, place
    for data in (b"", effects[:-1], effects[1:], effects + bytes(1), effects + bytes(86)):
        assert refused(batch, digests, 0, data) == wrong
    assert refused(batch, digests, 0, chunked.restoration(1, 2)[3]) == wrong
    assert refused(batch, digests, 1, effects) == ("WrongEffects", 1, 1)
    assert refused(batch, digests, 2, b"") == ("WrongEffects", 1, 2)
    assert refused(batch, digests[:1], 0, effects) == wrong
    assert refused(2, digests, 0, effects) == ("NothingToRestore", 2)
    assert bench.refusal(OPERATOR, "applyChunk", batch, digests, 0, effects, ALL) == (
        "NothingToApply",
        1,
    )
    assert refused(batch, digests, 0, effects) is None
    chunked.restore(0, of=2)
    assert chunked.restore(0, of=2).event("Restored")["accounts"] == 0
    chunked.restore(1, of=2)
    assert refused(batch, digests, 0, effects) == ("NothingToRestore", 1)


@pytest.mark.parametrize("most", [0, 1, 2])
def test_chunks_are_restored_and_applied_in_pieces(days: Days, most: int) -> None:
    """Whatever it comes to cost to write a word."""
    chunked = cut(days, 6, ahead=1)
    bench, was = days.bench, raws(days)
    chunked.verify(0)
    left = bench.batch()["unapplied"]
    while left:
        args = chunked.restoration(0, 1, most or 3)
        if not most:
            receipt = bench.do(OPERATOR, "restoreChunk", *chunked.restoration(0, 1, 0))
            assert receipt.event("Restored")["accounts"] == 0
        receipt = bench.do(OPERATOR, "restoreChunk", *args)
        assert receipt.event("Restored")["accounts"] == min(most or 3, left)
        left -= min(most or 3, left)
        assert bench.batch()["unapplied"] == left
    assert raws(days) == was
    days.go(1, Phase.FALLBACK)
    recorded = cut(days, 6)
    names, before = days.live(), bench.standing()
    recorded.verify_all()
    for n, effects in enumerate(recorded.effects):
        for done in range(0, len(effects), most or 3):
            receipt = bench.do(BOB, "applyChunk", *recorded.application(n, most or 3))
            assert receipt.event("Applied")["accounts"] == min(most or 3, len(effects) - done)
    assert bench.batch()["unapplied"] == bench.batch()["pot"] == 0
    days.check(names, recorded.state, recorded.settlement, before, 1)


def test_settled_batch_is_not_restored(days: Days) -> None:
    chunked = cut(days, 3, 3, ahead=1)
    bench = days.bench
    chunked.verify(0)
    days.go(1, Phase.FALLBACK)
    chunked.verify(1, OPERATOR)
    chunked.verify(2, OPERATOR)
    for digests in (chunked.digests, chunked.digests[:1]):
        args = (1, digests, 0, b"".join(chunked.effects[0]), ALL)
        assert bench.refusal(ALICE, "restoreChunk", *args) == ("NothingToRestore", 1)
    assert chunked.apply(0).event("Applied")["accounts"] == 0
    chunked.finish()
