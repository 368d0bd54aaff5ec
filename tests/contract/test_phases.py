"""Every boundary of a batch to the second, and the key: registered, shown, leaked, too late."""

from __future__ import annotations

import pytest

from tests.contract.batches import buys, enter, sells
from tests.contract.node import Chain
from tests.contract.support import (
    GENESIS,
    OPERATOR,
    PARAMETERS,
    TIMETABLE,
    Bench,
    address,
    new_libraries,
    new_token,
    terms,
)
from walras.errors import Reverted
from walras.numbers import X40
from walras.schedule import Phase, Schedule
from walras.sealing import GROUP_ORDER, public_key

pytestmark = pytest.mark.chain

ALICE, BOB = address("alice"), address("bob")
FIELD = 2**256 - 2**32 - 977
EDGES = TIMETABLE.boundaries(1)
SEALABLE = (EDGES.start, EDGES.lock_in - 1, EDGES.lock_in, EDGES.lock_out - 1)


def around(*times: int) -> list[int]:
    """The last second before, the first of, the second after each boundary."""
    return sorted({time + by for time in times for by in (-1, 0, 1)})


ALL_EDGES = around(
    GENESIS,
    EDGES.start,
    EDGES.lock_in,
    EDGES.lock_out,
    EDGES.reveal_from,
    EDGES.key_deadline,
    EDGES.exclusive_until,
    EDGES.deadline,
    EDGES.end,
)


def facts(bench: Bench) -> list[tuple[int, int]]:
    """(batch, time) rows at which the contract's clock differs from the schedule's."""
    secret, settled = bench.look("secret", 1) != 0, bench.batch()["settled"]
    leaked = bench.look("outcome", 1) in [(n).to_bytes(32) for n in (1, 2)]
    known = {"key_published": secret, "settled": settled, "leaked": leaked}
    none = dict.fromkeys(known, False)
    return [
        (batch, at)
        for at in ALL_EDGES
        for batch in (0, 1, 2)
        if bench.look("phase", batch, at=at)
        != TIMETABLE.phase(batch, at, **(known if batch == 1 else none))
        or bench.look("currentBatch", at=at) != TIMETABLE.current(at)
    ]


def test_clock_without_any_transaction(bench: Bench) -> None:
    assert facts(bench) == []


def test_clock_of_a_sealed_batch_that_nobody_reveals(bench: Bench) -> None:
    enter(bench, 1, {"a": buys(0, 100, 1)})
    assert facts(bench) == []


def test_clock_of_revealed_and_settled_batch(bench: Bench) -> None:
    book = enter(bench, 1, {"a": buys(0, 100, 1), "b": sells(0, 99, 1)})
    bench.go(1, Phase.CLEARING)
    assert facts(bench) == []
    book.settle(book.prices())
    assert facts(bench) == []
    bench.chain.warp(EDGES.end + 5)
    assert bench.look("phase", 1) == Phase.SETTLED


def test_clock_of_a_leaked_batch(bench: Bench) -> None:
    enter(bench, 1, {"a": buys(0, 100, 1)})
    bench.do(BOB, "reportLeak", 1, bench.key(1))
    assert facts(bench) == []


# ----------------------------------------------------------------------------- what a phase lets


def test_seals_enter_from_start_to_lock_out(bench: Bench) -> None:
    bench.endow(ALICE, cash=2_000)
    bench.endow(BOB, cash=2_000)
    seal = ("seal", 10, bytes(80), 1)
    expected = {
        EDGES.start - 1: ("NotCurrent", 1, 0),
        EDGES.lock_out: ("WrongPhase", 1, Phase.LOCKED_OUT),
        EDGES.reveal_from: ("WrongPhase", 1, Phase.REVEAL),
        EDGES.key_deadline: ("WrongPhase", 1, Phase.VOID),
        EDGES.end - 1: ("WrongPhase", 1, Phase.VOID),
        EDGES.end: ("NotCurrent", 1, 2),
        **dict.fromkeys(SEALABLE),
    }
    for at, error in expected.items():
        assert bench.refusal(ALICE, *seal, at=at) == error, at
    bench.go(1, Phase.OPEN)
    bench.do(BOB, *seal)
    for at, error in expected.items():
        assert bench.refusal(ALICE, *seal, at=at) == error, at


def test_nothing_is_sealed_for_another_batch(bench: Bench) -> None:
    bench.endow(ALICE, cash=2_000)
    for batch, at in ((0, GENESIS), (2, EDGES.start), (0, EDGES.start), (1, EDGES.end + 5)):
        current = TIMETABLE.current(at)
        error = ("NotCurrent", batch, current)
        assert bench.refusal(ALICE, "seal", 10, bytes(80), batch, at=at) == error


def test_amend_and_cancel_end_at_lock_in(bench: Bench) -> None:
    owner = enter(bench, 1, {"a": buys(0, 100, 1)}).names["a"]
    bench.endow(owner, cash=5_000)
    for at in (EDGES.start, EDGES.lock_in - 1):
        assert bench.refusal(owner, "seal", 10, bytes(80), 1, at=at) is None
        assert bench.refusal(owner, "cancel", at=at) is None
    for at in (EDGES.lock_in, EDGES.lock_out - 1):
        assert bench.refusal(owner, "seal", 10, bytes(80), 1, at=at) == ("Committed", owner, 1)
        assert bench.refusal(owner, "cancel", at=at) == ("WrongPhase", 1, Phase.LOCKED_IN)
    for at, phase in (
        (EDGES.lock_out, Phase.LOCKED_OUT),
        (EDGES.reveal_from, Phase.REVEAL),
        (EDGES.key_deadline, Phase.VOID),
        (EDGES.end, Phase.VOID),
    ):
        assert bench.refusal(owner, "cancel", at=at) == ("WrongPhase", 1, phase)
    assert bench.refusal(ALICE, "cancel") == ("NotLive", ALICE)


def test_reveal_from_finality_to_t1(bench: Bench) -> None:
    """An early reveal would let a reorganisation seal with full knowledge (review 1 §A1.7)."""
    secret = bench.key(1)
    expected = {
        EDGES.start - 1: ("WrongPhase", 1, Phase.PENDING),
        EDGES.start: ("WrongPhase", 1, Phase.OPEN),
        EDGES.lock_in: ("WrongPhase", 1, Phase.LOCKED_IN),
        EDGES.lock_out: ("WrongPhase", 1, Phase.LOCKED_OUT),
        EDGES.reveal_from - 1: ("WrongPhase", 1, Phase.LOCKED_OUT),
        EDGES.reveal_from: None,
        EDGES.key_deadline - 1: None,
        EDGES.key_deadline: ("WrongPhase", 1, Phase.VOID),
    }
    for at, error in expected.items():
        assert bench.refusal(ALICE, "reveal", 1, secret, at=at) == error
    bench.chain.warp(EDGES.reveal_from)
    receipt = bench.do(ALICE, "reveal", 1, secret)
    assert receipt.event("KeyRevealed") == {"batch": 1, "secret": secret}
    assert bench.look("secret", 1) == secret
    again = ("WrongPhase", 1, Phase.CLEARING)
    assert bench.refusal(ALICE, "reveal", 1, secret) == again


@pytest.mark.parametrize("name", ["reveal", "reportLeak"])
def test_wrong_secrets(bench: Bench, name: str) -> None:
    at = EDGES.reveal_from if name == "reveal" else EDGES.start
    secret = bench.key(1)
    wrong = ("WrongSecret", 1)
    others = (0, 1, secret + 1, GROUP_ORDER - secret, GROUP_ORDER, secret + GROUP_ORDER, 2**256 - 1)
    for guess in (*others, bench.key(2)):
        if guess < 2**256:
            assert bench.refusal(ALICE, name, 1, guess, at=at) == wrong
    assert bench.refusal(ALICE, name, 1, secret, at=at) is None
    # a batch without a key has no secret at all
    assert bench.refusal(ALICE, name, 9, 1, at=at + 8_000) == ("WrongSecret", 9)


def test_leaks_are_reported_before_lock_out_only(bench: Bench) -> None:
    """Later an honest reveal moved by a reorganisation would be slashed (review 1 §A1.7)."""
    secret = bench.key(1)
    for at in (GENESIS, EDGES.start - 1, *SEALABLE):
        assert bench.refusal(ALICE, "reportLeak", 1, secret, at=at) is None
    for at, phase in (
        (EDGES.lock_out, Phase.LOCKED_OUT),
        (EDGES.reveal_from, Phase.REVEAL),
        (EDGES.key_deadline, Phase.VOID),
    ):
        error = ("WrongPhase", 1, phase)
        assert bench.refusal(ALICE, "reportLeak", 1, secret, at=at) == error
    assert bench.refusal(ALICE, "reportLeak", 0, 1) == ("WrongPhase", 0, Phase.VOID)


# --------------------------------------------------------------------------------------- the key


def test_key_registration(bench: Bench) -> None:
    x, y = public_key(bench.key(7))
    start = TIMETABLE.start(7)
    receipt = bench.do(OPERATOR, "registerKey", 7, x, y)
    assert receipt.event("KeyRegistered") == {"batch": 7, "x": x, "y": y}
    other = public_key(bench.key(8))
    assert bench.refusal(OPERATOR, "registerKey", 7, *other) == ("KeyTooLate", 7)
    assert bench.refusal(OPERATOR, "registerKey", 0, *other) == ("KeyTooLate", 0)
    assert bench.refusal(OPERATOR, "registerKey", 8, *other, at=start + 999) is None
    assert bench.refusal(OPERATOR, "registerKey", 8, *other, at=start + 1_000) == ("KeyTooLate", 8)
    assert bench.refusal(ALICE, "registerKey", 8, *other) == ("NotOperator", ALICE)


def test_key_is_never_used_twice_not_even_mirrored(bench: Bench) -> None:
    x, y = public_key(bench.key(1))
    assert bench.refusal(OPERATOR, "registerKey", 9, x, y) == ("KeyUsed", x)
    assert bench.refusal(OPERATOR, "registerKey", 9, x, FIELD - y) == ("KeyUsed", x)


def test_points_off_the_curve(bench: Bench) -> None:
    """A point that is none would lose every order of the batch (review 1 §A1.5)."""
    x, y = public_key(bench.key(9))
    for point in ((x, y + 1), (x + 1, y), (0, 0), (y, x), (x, FIELD + y), (FIELD + x, y)):
        if max(point) < 2**256:
            error = ("NotOnCurve", *point)
            assert bench.refusal(OPERATOR, "registerKey", 9, *point) == error
    small = next(n for n in range(1, 99) if pow(n**3 + 7, (FIELD - 1) // 2, FIELD) == 1)
    root = pow(small**3 + 7, (FIELD + 1) // 4, FIELD)
    assert bench.refusal(OPERATOR, "registerKey", 9, small, root) is None
    unreduced = (FIELD + small, root)
    assert bench.refusal(OPERATOR, "registerKey", 9, *unreduced) == ("NotOnCurve", *unreduced)


def test_batch_without_a_key_takes_no_seal(bench: Bench) -> None:
    bench.endow(ALICE, cash=2_000)
    at = TIMETABLE.start(4)
    assert bench.refusal(ALICE, "seal", 10, bytes(80), 4, at=at) == ("KeyMissing", 4)


def test_batch_whose_key_leaked_before_it_opened_takes_no_seal(bench: Bench) -> None:
    bench.endow(ALICE, cash=2_000)
    bench.do(BOB, "reportLeak", 1, bench.key(1))
    bench.supply(OPERATOR, 65_535, 200_000 * 10**4)
    bench.do(OPERATOR, "addBond", 200_000 * 10**4)
    bench.go(1, Phase.OPEN)
    error = ("WrongPhase", 1, Phase.VOID)
    assert bench.refusal(ALICE, "seal", 10, bytes(80), 1) == error
    assert int.from_bytes(bench.look("outcome", 1)) == 2
    bench.go(2, Phase.OPEN)
    assert bench.refusal(ALICE, "seal", 10, bytes(80), 2) is None


# -------------------------------------------------------------------------------- the timetable


def offsets(**changes: int) -> Schedule:
    values = {name: getattr(TIMETABLE, name) for name in TIMETABLE.__slots__}
    return Schedule(**{**values, **changes})


BAD_CLOCKS = {
    "genesis": ({"genesis": 0}, 0),
    "genesis beyond 48 bits": ({"genesis": 1 << 48}, 1 << 48),
    "lockIn": ({"lock_in": 13}, 13),
    "lockOut": ({"lock_in": 387}, 400),
    "revealFrom": ({"reveal_from": 413}, 413),
    "keyDeadline": ({"key_deadline": 433}, 433),
    "exclusiveUntil": ({"exclusive_until": 513}, 513),
    "deadline": ({"deadline": 613}, 613),
    "period": ({"period": 899}, 899),
    "period beyond 30 days": ({"period": 2_592_001}, 2_592_001),
}


@pytest.mark.parametrize("name", BAD_CLOCKS)
def test_timetables_that_leave_no_room_for_two_blocks(chain: Chain, name: str) -> None:
    """Offsets are bounded on both sides (review 1 §A2.11, §A2.19)."""
    changes, value = BAD_CLOCKS[name]
    error = deployment(chain, timetable=offsets(**changes), block_time=7)
    assert error == ("BadParameter", name.split(maxsplit=1)[0], value)


def test_timetables_with_just_enough_room(chain: Chain) -> None:
    tight = Schedule(1, 84, 14, 28, 42, 56, 70, 84)
    assert deployment(chain, timetable=tight, block_time=7) is None
    month = offsets(period=2_592_000, genesis=(1 << 48) - 1)
    assert deployment(chain, timetable=month, block_time=7) is None
    assert deployment(chain, block_time=0) == ("BadParameter", "blockTime", 0)


PARAMETER_RANGES = [
    ("capacity", 9, "capacity"),
    ("capacity", (1 << 20) + 1, "capacity"),
    ("cash_unit", 0, "cashUnit"),
    ("cash_cap", 0, "cashCap"),
    ("cash_cap", (1 << 55) + 1, "cashCap"),
    ("cover_cap", (1 << 40) - 1, "coverCap"),
    ("cover_cap", (1 << 66) + 1, "coverCap"),
    ("bond", (1 << 40) + 1, "bond"),
    ("compensation", 1_251, "compensation"),
    ("bond", 199_999, "compensation"),
]


@pytest.mark.parametrize(("field", "value", "name"), PARAMETER_RANGES)
def test_parameters_out_of_range(chain: Chain, field: str, value: int, name: str) -> None:
    """A compensation is at most the least fee, and the bond holds it for a full batch."""
    shown = PARAMETERS["compensation"] if name != field and name == "compensation" else value
    assert deployment(chain, **{field: value}) == ("BadParameter", name, shown)


def test_parameters_at_the_edge_of_their_range(chain: Chain) -> None:
    least = {"capacity": 10, "cash_cap": 1, "cover_cap": 1, "bond": 1, "compensation": 1}
    assert deployment(chain, **least) is None
    most = {"cash_cap": 1 << 55, "cover_cap": 1 << 66, "bond": 1 << 55, "cash_unit": 2**96 - 1}
    assert deployment(chain, **most) is None


def test_parameters_that_are_addresses(chain: Chain) -> None:
    nobody = "0x" + "00" * 20
    assert deployment(chain, operator=nobody) == ("BadParameter", "operator", 0)
    assert deployment(chain, cash=ALICE) == ("NoToken", ALICE.lower())


def test_parameters_read_back(bench: Bench) -> None:
    read = bench.parameters
    assert read["operator"].lower() == OPERATOR.lower()
    assert read["cash"].lower() == bench.tokens[65_535].lower()
    clock = tuple(getattr(TIMETABLE, name) for name in TIMETABLE.__slots__)
    same = {k: v for k, v in PARAMETERS.items() if k not in ("operator", "cash", "timetable")}
    assert {k: read[k] for k in same} == same
    assert read["timetable"] == clock
    assert bench.look("batchId", 5) == bench.id(5)
    assert bench.look("listing", 65_535)[3] == (1 << 40) * X40


def deployment(chain: Chain, **changes: object) -> tuple[object, ...] | None:
    """Why a market cannot be deployed with these parameters, None if it can."""
    with chain.undone():
        libraries = new_libraries(chain)
        cash = changes.pop("cash", None) or new_token(chain, 6)
        try:
            words = terms(cash=cash, **changes)
            chain.deploy("Walras", words, sender=OPERATOR, **libraries)
        except Reverted as error:
            return (error.name, *error.arguments)
        return None
