"""The clearer's decision is a total function whose actions the contract would accept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walras.chain.views import BatchView
from walras.operator.acting import usable_gas
from walras.operator.decide import (
    FIXED_GAS,
    NO_KEY,
    TRANSACTION_BYTES,
    Apply,
    ChainView,
    CloseVoid,
    Decision,
    Halt,
    Open,
    OwnView,
    RegisterKey,
    Restore,
    Reveal,
    Settle,
    Wait,
    Weight,
    alerts,
    decide,
    in_one,
)
from walras.schedule import Phase, Schedule

GENESIS = 10_000
SCHEDULE = Schedule(GENESIS, 1_000, 300, 400, 420, 500, 600, 900)
OPERATOR, SOMEBODY = "0xOperator", "0xSomebody"
LOCK_OUT, OTHER_LOCK_OUT = b"\1" * 32, b"\2" * 32
KEYS: Mapping[int, bytes] = {b: bytes([b]) * 32 for b in range(1, 8)}
BATCH = BatchView(2, 5, 100, 1, settled=False, closed=False, pot=0, unapplied=0)
AT = {
    Phase.OPEN: SCHEDULE.start(2),
    Phase.LOCKED_IN: SCHEDULE.start(2) + 300,
    Phase.LOCKED_OUT: SCHEDULE.start(2) + 400,
    Phase.REVEAL: SCHEDULE.start(2) + 420,
    Phase.CLEARING: SCHEDULE.start(2) + 450,
    Phase.FALLBACK: SCHEDULE.start(2) + 600,
    Phase.VOID: SCHEDULE.start(2) + 900,
}


def chain(**changed: Any) -> ChainView:
    """Batch 2 has five accounts, all keys are registered, nothing is wrong."""
    view = ChainView(
        operator=OPERATOR,
        schedule=SCHEDULE,
        batch=BATCH,
        published=False,
        standing=0,
        key_hashes={b: KEYS[b] for b in (2, 3, 4)},
        lock_out=LOCK_OUT,
        nonce=7,
        balance=10**18,
        bond=100,
        bond_full=100,
        house_cash=10,
        house_cash_least=10,
        short_houses=0,
    )
    return replace(view, **changed)


def own(**changed: Any) -> OwnView:
    """The operator's clearer."""
    view = OwnView(
        account=OPERATOR,
        key_hashes={b: KEYS[b] for b in (2, 3, 4)},
        nonces_used=7,
        margin=2,
        least_balance=10**16,
    )
    return replace(view, **changed)


ANYBODY = own(account=SOMEBODY, key_hashes={})


def after(batch: int, **changed: Any) -> BatchView:
    return replace(BATCH, number=batch, **changed)


@pytest.mark.parametrize("phase", [Phase.OPEN, Phase.LOCKED_IN, Phase.LOCKED_OUT])
def test_waits_until_the_key_may_be_published(phase: Phase) -> None:
    decision = decide(chain(), own(), AT[phase])
    assert isinstance(decision, Wait)
    assert AT[phase] < decision.until <= AT[Phase.REVEAL]


def test_publishes_the_key_once_the_lock_out_is_final() -> None:
    assert decide(chain(), own(), AT[Phase.REVEAL]) == Reveal(2)
    waiting = decide(chain(lock_out=None), own(), AT[Phase.REVEAL])
    assert isinstance(waiting, Wait)
    assert "not final" in waiting.reason


def test_settles_when_the_key_is_public() -> None:
    assert decide(chain(published=True), own(), AT[Phase.CLEARING]) == Settle(2)
    assert decide(chain(published=True), own(), AT[Phase.FALLBACK]) == Settle(2)


def test_anybody_waits_for_the_fallback() -> None:
    assert isinstance(decide(chain(), ANYBODY, AT[Phase.REVEAL]), Wait)
    assert isinstance(decide(chain(published=True), ANYBODY, AT[Phase.CLEARING]), Wait)
    assert decide(chain(published=True), ANYBODY, AT[Phase.FALLBACK]) == Settle(2)


def test_the_operator_without_a_seed_settles_too() -> None:
    view = own(key_hashes={})
    assert isinstance(decide(chain(), view, AT[Phase.REVEAL]), Wait)
    assert decide(chain(published=True), view, AT[Phase.CLEARING]) == Settle(2)


def test_sends_nothing_that_may_miss_its_deadline() -> None:
    last = AT[Phase.VOID] - 1
    assert not isinstance(decide(chain(published=True), own(margin=1), last), Settle)
    assert decide(chain(published=True), own(margin=0), last) == Settle(2)
    keys = chain(batch=after(2, settled=True), key_hashes={3: NO_KEY})
    view = own(key_hashes={3: KEYS[3]})
    assert decide(keys, view, SCHEDULE.start(3) - 3) == RegisterKey(3)
    assert isinstance(decide(keys, view, SCHEDULE.start(3) - 2), Wait)


def test_closes_a_void_batch() -> None:
    assert decide(chain(), own(), SCHEDULE.start(2) + 500) == CloseVoid(2)
    assert decide(chain(published=True), ANYBODY, AT[Phase.VOID]) == CloseVoid(2)
    assert decide(chain(), own(key_hashes={}), SCHEDULE.start(5)) == CloseVoid(2)


def test_opens_a_batch_for_those_who_stand() -> None:
    idle = chain(batch=after(1, settled=True), standing=3)
    assert decide(idle, own(), AT[Phase.OPEN]) == Open(2)
    for view, mind, now in (
        (replace(idle, standing=0), own(), AT[Phase.OPEN]),
        (replace(idle, bond=99), own(), AT[Phase.OPEN]),
        (replace(idle, short_houses=1), own(), AT[Phase.OPEN]),
        (replace(idle, house_cash=9), own(), AT[Phase.OPEN]),
        (chain(standing=3), own(), AT[Phase.OPEN]),
        (idle, ANYBODY, AT[Phase.OPEN]),
        (idle, own(), AT[Phase.LOCKED_IN] - 2),
    ):
        assert isinstance(decide(view, mind, now), Wait)


@pytest.mark.parametrize("phase", list(AT))
def test_writes_what_was_settled_in_chunks(phase: Phase) -> None:
    view = chain(batch=after(2, settled=True, unapplied=4), standing=3)
    assert decide(view, own(), AT[phase]) == Apply(2)
    assert decide(view, ANYBODY, AT[phase]) == Apply(2)


@pytest.mark.parametrize("phase", list(AT))
def test_takes_back_what_a_void_batch_has_written_ahead(phase: Phase) -> None:
    """Once it is closed, whatever the next batch is at."""
    view = chain(batch=after(2, closed=True, live=0, unapplied=4), standing=3)
    assert decide(view, own(), AT[phase]) == Restore(2)
    assert decide(view, ANYBODY, AT[phase]) == Restore(2)


@pytest.mark.parametrize("done", [{"settled": True}, {"closed": True}, {"live": 0}])
@pytest.mark.parametrize("phase", list(AT))
def test_leaves_a_finished_batch_alone(done: dict[str, Any], phase: Phase) -> None:
    assert isinstance(decide(chain(batch=after(2, **done)), own(), AT[phase]), Wait)


def test_registers_the_nearest_missing_key_first() -> None:
    view = chain(key_hashes={2: KEYS[2], 3: NO_KEY, 4: NO_KEY})
    assert decide(view, own(), AT[Phase.OPEN]) == RegisterKey(3)
    assert decide(view, own(), AT[Phase.REVEAL]) == Reveal(2)


def test_a_batch_that_started_without_a_key_is_skipped() -> None:
    view = chain(batch=after(1, settled=True), key_hashes={2: NO_KEY, 3: NO_KEY, 4: KEYS[4]})
    assert decide(view, own(), AT[Phase.OPEN]) == RegisterKey(3)


def test_idle_waits_for_the_first_batch_and_the_next() -> None:
    nothing = chain(batch=replace(BATCH, number=0, live=0, units=0))
    assert decide(nothing, own(), GENESIS - 5_000) == Wait(
        SCHEDULE.start(1), "batch 1 has not started"
    )
    late = decide(nothing, own(), SCHEDULE.start(3) - 1)
    assert isinstance(late, Wait)
    assert late.until == SCHEDULE.start(3)


def test_says_what_it_waits_for() -> None:
    settled = chain(batch=after(2, settled=True))
    for view, mind, phase, words in (
        (chain(), own(), Phase.OPEN, "takes seals"),
        (chain(), own(), Phase.LOCKED_OUT, "lock-out to be final"),
        (chain(), ANYBODY, Phase.REVEAL, "waits for its key"),
        (chain(published=True), ANYBODY, Phase.CLEARING, "its operator's to settle"),
        (settled, own(), Phase.CLEARING, "settled, void or empty"),
    ):
        decision = decide(view, mind, AT[phase])
        assert isinstance(decision, Wait)
        assert words in decision.reason


@pytest.mark.parametrize(
    ("view", "mind", "reason"),
    [
        (chain(nonce=8), own(), "another process sends"),
        (chain(nonce=8), ANYBODY, "another process sends"),
        (chain(operator=SOMEBODY), own(), "the market's operator is"),
        (chain(), own(leaked=(1, 2)), "batch 2 was shown before its lock-out"),
        (chain(key_hashes={3: b"\x77" * 32}), own(), "batch 3 has a key that does not come from"),
        (chain(lock_out=OTHER_LOCK_OUT), own(acted_on=LOCK_OUT), "reorganised across"),
    ],
)
@pytest.mark.parametrize("phase", list(AT))
def test_halts_on_every_mismatch(view: ChainView, mind: OwnView, reason: str, phase: Phase) -> None:
    decision = decide(view, mind, AT[phase])
    assert isinstance(decision, Halt)
    assert reason in decision.reason


def test_the_same_lock_out_is_no_mismatch() -> None:
    assert decide(chain(), own(acted_on=LOCK_OUT), AT[Phase.REVEAL]) == Reveal(2)


def test_alerts_name_what_stops_the_market() -> None:
    assert alerts(chain(), own()) == ()
    for changed, word in (
        ({"bond": 99}, "bond"),
        ({"short_houses": 2}, "2 houses"),
        ({"thin_houses": (0, 3)}, "products 0, 3"),
        ({"house_cash": 9}, "house cash"),
        ({"balance": 1}, "gas"),
    ):
        (found,) = alerts(chain(**changed), own())
        assert word in found


batches = st.builds(
    BatchView,
    number=st.integers(0, 6),
    live=st.integers(0, 3),
    units=st.just(0),
    ticks=st.just(1),
    settled=st.booleans(),
    closed=st.booleans(),
    pot=st.just(0),
    unapplied=st.integers(0, 2),
)
hashes = st.dictionaries(
    st.integers(1, 7), st.sampled_from([NO_KEY, b"\x77" * 32]) | st.integers(1, 7).map(KEYS.get)
)
chains = st.builds(
    chain,
    batch=batches,
    published=st.booleans(),
    standing=st.integers(0, 2),
    key_hashes=hashes,
    bond=st.sampled_from([99, 100]),
    lock_out=st.sampled_from([None, LOCK_OUT, OTHER_LOCK_OUT]),
    nonce=st.integers(6, 8),
    operator=st.sampled_from([OPERATOR, SOMEBODY]),
)
minds = st.builds(
    own,
    account=st.sampled_from([OPERATOR, SOMEBODY]),
    key_hashes=st.sampled_from([{}, {b: KEYS[b] for b in (3, 4, 5)}]),
    leaked=st.sampled_from([(), (1,)]),
    acted_on=st.sampled_from([None, LOCK_OUT]),
    margin=st.integers(0, 50),
)


@given(chains, minds, st.integers(GENESIS - 500, GENESIS + 8_000))
def test_every_action_is_one_the_contract_takes(view: ChainView, mind: OwnView, now: int) -> None:
    check(decide(view, mind, now), view, mind, now)


def check(decision: Decision, view: ChainView, mind: OwnView, now: int) -> None:
    batch = view.batch
    phase = SCHEDULE.phase(
        batch.number,
        now,
        key_published=view.published,
        settled=batch.settled,
        leaked=batch.closed,
    )
    match decision:
        case RegisterKey(number):
            assert mind.account == view.operator
            assert view.key_hashes[number] == NO_KEY
            assert now < SCHEDULE.start(number)
        case Reveal(number):
            assert (number, phase) == (batch.number, Phase.REVEAL)
            assert batch.live
            assert view.lock_out is not None
            assert mind.account == view.operator
        case Settle(number):
            assert number == batch.number
            assert batch.live
            assert phase in (Phase.CLEARING, Phase.FALLBACK)
            assert phase is Phase.FALLBACK or mind.account == view.operator
        case Open(number):
            assert number == SCHEDULE.current(now) > 0
            assert view.batch.number != number
            assert not batch.unfinished
            assert not batch.unapplied
            assert SCHEDULE.phase(number, now, key_published=False) is Phase.OPEN
            assert view.key_hashes[number] == mind.key_hashes[number]
            assert view.standing
            assert view.bond == view.bond_full
        case Apply(number) | Restore(number):
            assert number == batch.number
            assert batch.unapplied
            assert batch.settled == isinstance(decision, Apply)
            assert not batch.unfinished
        case CloseVoid(number):
            assert (number, phase) == (batch.number, Phase.VOID)
            assert batch.live
            assert not batch.closed
        case Wait(until, reason):
            assert until >= now
            assert reason
        case Halt(reason):
            assert reason


GAS = 10**7


@pytest.mark.parametrize(
    ("weight", "whole"),
    [
        (Weight(GAS, 0), True),
        (Weight(GAS + 1, 0), False),
        (Weight(2 * GAS, 0, estimate=GAS), True),
        (Weight(2 * GAS, 0, estimate=GAS + 1), False),
        # what the accounts declared fits, and is wrong
        (Weight(GAS, 0, estimate=GAS + FIXED_GAS), True),
        (Weight(GAS, 0, estimate=GAS + FIXED_GAS + 1), False),
        (Weight(1, TRANSACTION_BYTES, estimate=1), True),
        (Weight(1, TRANSACTION_BYTES + 1, estimate=1), False),
        (Weight(2 * GAS, TRANSACTION_BYTES + 1, begun=True), True),
    ],
)
def test_one_transaction_settles_what_fits_it(weight: Weight, whole: bool) -> None:
    assert in_one(weight, GAS) is whole


@pytest.mark.parametrize(
    ("wanted", "block_gas", "usable"),
    [
        (16_252_928, 30_000_000, 16_252_928),
        (16_252_928, 0, 16_252_928),  # the node does not tell
        (16_252_928, 10_000_000, 10_000_000 - FIXED_GAS),
        (1_000_000, 10_000_000, 1_000_000),
        (16_252_928, 400_000, 200_000),
    ],
)
def test_a_transaction_is_no_larger_than_a_block(wanted: int, block_gas: int, usable: int) -> None:
    assert usable_gas(wanted, block_gas) == usable
