"""What stands is read without the rules its hash proves: no body that breaks one ever stands.

Rule 8 alone may break later, with a home product that comes later; where it may, all are asked.
Every settlement is held against the twin, which asks all of them of everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from tests.contract.batches import order
from tests.contract.days import PLENTY, STANDING, UNCOVERED, Days, buy, limited, sell
from tests.contract.support import Bench, address
from walras.auths import Auth, Cost, Step, Submission, Term
from walras.numbers import X40
from walras.submission import VoidReason, encode, required_units

pytestmark = pytest.mark.chain

AUTHS: Final[tuple[Auth, ...]] = (
    limited(order({0: 1, 1: -2}, 24, buy=[30]), 10**6, 10**6),
    buy(42, 50, k=1),
)
COSTS: Final = (Cost((Term(0, 2), Term(1, -1)), -X40, X40, (Step(90, X40),), (Step(60, X40),)),)
WHOLE: Final = encode(Submission(AUTHS, 0, COSTS, True))
# octets of it
LIST, COUNTS, FIRST, LEGS, CURVE, SECOND, COST, TERMS = 6, 11, 13, 17, 37, 73, 117, 120
AMPLE: Final = 46  # of 2,000 that a batch takes

Change = Callable[[bytearray], None]


def put(at: int, *octets: int) -> Change:
    """Other bytes from there on."""

    def change(body: bytearray) -> None:
        assert tuple(body[at : at + len(octets)]) != octets
        body[at : at + len(octets)] = octets

    return change


def swap(at: int, size: int) -> Change:
    """Two neighbours in the wrong order."""

    def change(body: bytearray) -> None:
        body[at : at + 2 * size] = body[at + size : at + 2 * size] + body[at : at + size]

    return change


def idle(body: bytearray) -> None:
    """A product of which there is no leg."""
    body[LIST] = 3
    body[COUNTS:COUNTS] = bytes((0, 2))


def longer(count: int, step: int) -> Change:
    """Seventeen steps, all of them there."""

    def change(body: bytearray) -> None:
        body[count] = 17
        body[step:step] = body[step : step + 20] * 16

    return change


def mirrored(body: bytearray) -> None:
    """The same of a seller's side."""
    longer(FIRST + 3, CURVE + 16)(body)
    body[FIRST + 2] = 0


BROKEN: Final[dict[str, Change]] = {
    "kind": put(0, 2),
    "no product": put(LIST, 0),
    "65 products": put(LIST, 65),
    "products fall": swap(LIST + 1, 2),
    "product that does not exist": put(LIST + 3, 3, 255),
    "product without a leg": idle,
    "no auth": put(COUNTS, 0),
    "65 auths": put(COUNTS, 65),
    "an auth too many": put(COUNTS, 3),
    "an auth too few": put(COUNTS, 1),
    "17 costs": put(COUNTS + 1, 17),
    "a cost too many": put(COUNTS + 1, 2),
    "flags": put(FIRST, 2),
    "no leg": put(FIRST + 1, 0),
    "17 legs": put(FIRST + 1, 17),
    "no step": put(FIRST + 2, 0),
    "17 steps": put(FIRST + 2, 17),
    "17 steps of the other side": put(FIRST + 3, 17),
    "17 steps, all there": longer(FIRST + 2, CURVE + 16),
    "17 steps of the other side, all there": mirrored,
    "17 steps of a cost, all there": longer(COST + 2, len(WHOLE) - 20),
    "legs fall": swap(LEGS, 4),
    "leg of no product": put(LEGS + 4, 2),
    "leg of no weight": put(LEGS + 1, 0, 0, 0),
    "weight": put(LEGS + 1, 0x10, 0, 1),
    "single leg of weight two": put(SECOND + 7, 2),
    "single leg of no product": put(SECOND + 4, 2),
    "price": put(CURVE, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
    "price below": put(CURVE, 0xFF, 0xFE),
    "no term": put(COST, 0),
    "17 terms": put(COST, 17),
    "no step of a cost": put(COST + 1, 0, 0),
    "17 steps of a cost": put(COST + 1, 17),
    "terms fall": swap(TERMS, 4),
    "term of no auth": put(TERMS + 4, 2),
    "term of no weight": put(TERMS + 1, 0, 0, 0),
    "coefficient": put(TERMS + 1, 0xEF, 0xFF, 0xFF),
    "price of a cost": put(TERMS + 8, 0x7F),
    "a byte too many": lambda body: body.append(0),
    "a byte too few": lambda body: body.__delitem__(-1),
}


def broken(change: Change) -> bytes:
    body = bytearray(WHOLE)
    change(body)
    return bytes(body)


def part(third: int) -> dict[str, Change]:
    """As many as a batch has room for."""
    return dict(list(BROKEN.items())[third::3])


@pytest.fixture
def days(bench: Bench) -> Days:
    """Batch 1 in OPEN."""
    found = Days(bench)
    found.go(1)
    return found


def others(days: Days) -> None:
    days.seal("s0", sell(98, 400))
    days.seal("s1", sell(38, 400, k=1))
    days.seal("b0", buy(101, 20))


def tight(days: Days, name: str) -> None:
    """Too few units by rule 2, 4 or 5, and by rule 8 alone."""
    units = required_units(Submission(AUTHS, 0, COSTS, True), home=0)
    days.seal(name, *AUTHS, costs=COSTS, units=units - 1)
    # product 2 lies in a word of its own
    apart = (order({0: 1, 2: 1}, 5, buy=[1]),)
    units = required_units(Submission(apart, standing=True), home=0)
    days.seal(f"{name} apart", *apart, units=units - 1)


@pytest.mark.parametrize("third", range(3))
def test_nothing_that_breaks_a_rule_begins_to_stand(days: Days, third: int) -> None:
    others(days)
    changes = part(third)
    days.seal("whole", body=WHOLE, units=AMPLE)
    for name, change in changes.items():
        days.seal_bytes(name, broken(change), AMPLE)
    tight(days, "tight")
    settlement = days.settle()
    void = {bytes.fromhex(days.names[n][2:]): VoidReason.MALFORMED for n in changes}
    for name in ("tight", "tight apart"):
        void[bytes.fromhex(days.names[name][2:])] = VoidReason.OVERSIZED
    assert settlement.voids == void
    assert sorted(days.standing) == ["b0", "s0", "s1", "whole"]
    assert all(days.flags(name) == 0 for name in (*changes, "tight", "tight apart"))
    assert days.day(2).couplings


@pytest.mark.parametrize("third", range(3))
def test_nothing_that_breaks_a_rule_replaces_what_stands(days: Days, third: int) -> None:
    others(days)
    changes = part(third)
    names = (*changes, "tight", "tight apart", "whole")
    for name in names:
        days.seal(name, buy(90, 10), units=AMPLE)
    days.settle()
    stood = {name: days.standing[name].body for name in names}
    days.go(2)
    for name, change in changes.items():
        days.seal_bytes(name, broken(change), AMPLE)
    tight(days, "tight")
    days.seal("whole", body=WHOLE, units=AMPLE)
    amended = days.settle().amended
    assert amended == {bytes.fromhex(days.names["whole"][2:])}
    assert {name: days.standing[name].body for name in names} == {**stood, "whole": WHOLE}
    assert days.day(3).couplings


@pytest.mark.parametrize(("home", "fits"), [(0, True), (1, False)])
def test_home_that_comes_after_it_stands(days: Days, home: int, fits: bool) -> None:
    """Uncovered it takes no home; units for a first product at home are too few with another."""
    bench = days.bench
    others(days)
    apart = order({0: 1, 2: 1}, 5, sell=[1])
    owner = days.names["late"] = bench.endow(address("late"), cash=PLENTY)
    units = required_units(Submission((apart,), standing=True), home=None)
    assert units < required_units(Submission((apart,), standing=True), home=1)
    days.seal("late", apart, units=units)
    assert list(days.settle().voids.values()) == [VoidReason.UNCOVERED]
    assert days.flags("late") == STANDING | UNCOVERED
    bench.deposit(owner, home, bench.units[home])
    assert bench.account(owner)["home_product"] == home + 1
    bench.deposit(owner, 0, 5 * bench.units[0])
    bench.deposit(owner, 2, 5 * bench.units[2])
    settlement = days.day(2)
    assert list(settlement.voids.values()) == ([] if fits else [VoidReason.OVERSIZED])
    assert days.flags("late") == (STANDING if fits else 0)


@pytest.mark.parametrize("home", ["p0", "p1"])
def test_home_that_is_not_the_first_product(days: Days, home: str) -> None:
    others(days)
    other = {"p0": "p1", "p1": "p0"}[home]
    days.names["c"] = days.bench.endow(address("c"), cash=PLENTY, **{home: PLENTY, other: PLENTY})
    days.seal("c", *AUTHS, costs=COSTS)
    days.settle()
    for batch in (2, 3):
        assert days.day(batch).couplings
    assert days.flags("c") == STANDING
