"""Costs on chain: coupled auths settle at their shadow prices, to the unit and to the last ulp."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.contract.batches import exact_root, order
from tests.contract.chunks import cut
from tests.contract.days import Days, buy, limited, sell
from tests.contract.support import OPERATOR, Bench
from walras.auths import Cost, Step, Term
from walras.batch import CASH
from walras.certificate import settle
from walras.numbers import X40, X44
from walras.schedule import Phase
from walras.settlement import encode_submissions

pytestmark = pytest.mark.chain


@pytest.fixture
def days(bench: Bench) -> Days:
    """Batch 1 in OPEN."""
    found = Days(bench)
    found.go(1)
    return found


def substitutes(days: Days, *, standing: bool = True, room: int = 60) -> None:
    """`c` wants product 0 or 1, no more than `room` together."""
    steep = (Step(room, 200 * X40),)
    budget = Cost((Term(0, 1), Term(1, 1)), 0, 0, steep, steep)
    auths = (limited(buy(103, 50), high=130), buy(42, 50, k=1))
    days.seal("c", *auths, costs=(budget,), standing=standing)


def others(days: Days) -> None:
    days.seal("s0", sell(98, 400))
    days.seal("s1", sell(38, 400, k=1))
    days.seal("b", buy(101, 20))


def test_substitutes_trade_no_more_than_their_cost_allows(days: Days) -> None:
    substitutes(days)
    others(days)
    settlement = days.settle()
    address = bytes.fromhex(days.names["c"][2:])
    (coupling,) = settlement.couplings[address]
    assert abs(coupling.excess) <= coupling.tolerance
    assert 0 < sum(settlement.rates[address]) < 100 * X44
    assert days.standing["c"].done[0] > 0
    for batch in (2, 3):
        assert days.day(batch).couplings
    assert days.standing["c"].done[0] <= 130 * X44


def test_three_portfolios_and_two_costs_in_chunks(days: Days) -> None:
    auths = (buy(103, 50), buy(42, 50, k=1), order({0: 1, 1: -2}, 24, buy=[30]))
    costs = (
        Cost((Term(0, 2), Term(1, 3)), X40, 0, (Step(90, X40),), ()),
        Cost((Term(1, 1), Term(2, -1)), -X40, 2 * X40, (Step(9, 5),), (Step(30, X40), Step(8, 0))),
    )
    days.seal("c", *auths, costs=costs)
    others(days)
    days.go(1, Phase.CLEARING)
    chunked = cut(days, 1, 2)
    before = days.bench.standing()
    names = days.live()
    chunked.verify_all()
    chunked.finish()
    days.check(names, chunked.state, chunked.settlement, before, 1)
    days.learn(chunked.settlement)
    days.day(2)


def items(days: Days, shadows: dict[bytes, tuple[int, ...]]) -> bytes:
    return encode_submissions(days.entries(), shadows)


def test_shadow_prices_are_as_many_as_costs_and_the_right_ones(days: Days) -> None:
    substitutes(days, room=20)
    others(days)
    days.go(1, Phase.CLEARING)
    bench, owner = days.bench, days.names["c"]
    address = bytes.fromhex(owner[2:])
    state, opened = days.opened()
    prices, shadows = exact_root(state, opened)
    settle(state, opened, prices, shadows)
    board = (list(prices), list(prices.values()))

    def refused(**given: tuple[int, ...]) -> tuple[object, ...] | None:
        named = {bytes.fromhex(days.names[n][2:]): values for n, values in given.items()}
        data = items(days, {**shadows, **named})
        return bench.refusal(OPERATOR, "settle", 1, *board, data)

    (shadow,) = shadows[address]
    assert refused() is None
    assert refused(c=()) == ("ShadowsMismatch", 0, 1)
    assert refused(c=(shadow, 0)) == ("ShadowsMismatch", 2, 1)
    assert refused(b=(0,)) == ("ShadowsMismatch", 1, 0)
    name, account, cost, *_ = refused(c=(shadow + (1 << 60),)) or ("", "", 0)
    assert (name, account, cost) == ("CostNotCleared", owner, 0)
    name, account, cost, *_ = refused(c=(shadow - (1 << 82),)) or ("", "", 0)
    assert (name, account, cost) == ("CostNotCleared", owner, 0)
    beyond = 1 << 150
    assert refused(c=(beyond,)) == ("ShadowOutOfRange", owner, 0, beyond)


def test_items_ask_for_no_more_than_a_submission_can_have(days: Days) -> None:
    substitutes(days)
    others(days)
    days.go(1, Phase.CLEARING)
    bench = days.bench
    prices, shadows = exact_root(*days.opened())
    board = (list(prices), list(prices.values()))
    entries = days.entries()
    first = entries[0]
    who = next(o for o in days.names.values() if o[2:].lower() == first.account.hex())

    def refused(item: bytes) -> tuple[object, ...] | None:
        rest = encode_submissions(entries[1:], shadows)
        return bench.refusal(OPERATOR, "settle", 1, *board, item + rest)

    good = encode_submissions([first], shadows)
    assert refused(good) is None
    # progress of what does not stand yet
    assert refused(encode_submissions([replace(first, done=(0,))], shadows)) == ("WrongItem", who)
    long = (4_846).to_bytes(2)
    for head in (long + b"\x00\x00", good[20:22] + b"\x11\x00", good[20:22] + b"\x00\x41"):
        assert refused(first.account + head + bytes(6_000)) == ("WrongItem", who)
    assert refused(first.account + (4_845).to_bytes(2) + b"\x10\x40" + bytes(6_000)) is not None


def test_garbage_with_costs_asks_for_no_shadow_price(days: Days) -> None:
    substitutes(days, standing=False)
    others(days)
    bench, owner = days.bench, days.names["c"]
    bench.do(owner, "seal", 30, bytes(200), 1)
    days.sealed["c"] = bytes(200)
    days.go(1, Phase.CLEARING)
    prices, _ = exact_root(*days.opened())
    address = bytes.fromhex(owner[2:])
    board = (list(prices), list(prices.values()))
    error = bench.refusal(OPERATOR, "settle", 1, *board, items(days, {address: (0,)}))
    assert error == ("ShadowsMismatch", 1, 0)
    assert days.settle().voids


def test_costs_are_covered_and_expired_ones_still_show_their_shadows(days: Days) -> None:
    """Shadow prices belong to every submission that decodes, also if it does not trade."""
    bench = days.bench
    substitutes(days)
    others(days)
    days.settle()
    owner = days.names["c"]
    bench.do(owner, "withdraw", CASH, (10**6 - 50_000) * bench.units[CASH], owner)
    settlement = days.day(2)
    assert settlement.couplings
    left = bench.balance(owner, CASH)
    bench.do(owner, "withdraw", CASH, (left >> 40) * bench.units[CASH] - 5_000, owner)
    settlement = days.day(3)
    assert settlement.voids
    assert not settlement.couplings
    assert list(settlement.shadows.values()) == [(0,)]
