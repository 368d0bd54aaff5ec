"""Attacks on chunks that write ahead: nothing that they have written may count before its time."""

from __future__ import annotations

import pytest

from tests.contract.chunks import FRESH, NOBODY
from tests.contract.days import Days, buy, sell
from tests.contract.support import ALL, OPERATOR, Bench, address
from walras.batch import CASH
from walras.numbers import X40
from walras.schedule import Phase
from walras.settlement import encode_submissions

pytestmark = pytest.mark.chain

ALICE, BOB = address("alice"), address("bob")


def stood(bench: Bench) -> Days:
    """Batch 2 in OPEN, where an order that never trades stands already."""
    days = Days(bench)
    days.go(1)
    days.seal("idle", buy(1, 5))
    days.seal("seller", sell(99, 8), standing=False)
    days.seal("buyer", buy(101, 8), standing=False)
    days.settle()
    days.go(2)
    return days


def write_ahead(days: Days, prices: dict[int, int], *names: str) -> None:
    """The operator's first chunk, of these accounts, at prices of their liking."""
    owners = {days.names[name].lower() for name in names}
    entries = [one for one in days.entries() if "0x" + one.account.hex() in owners]
    board = list(prices), list(prices.values())
    days.bench.do(
        OPERATOR, "verify", days.batch, NOBODY, FRESH, *board, encode_submissions(entries)
    )


@pytest.mark.parametrize("how", ["pause", "cancel"])
def test_who_leaves_a_void_batch_frees_nothing_written_ahead(bench: Bench, how: str) -> None:
    """A price of the operator's makes a thief rich; an idle accomplice leaves before the close."""
    days = stood(bench)
    days.seal("thief", sell(99, 10), standing=False)
    days.go(2, Phase.CLEARING)
    write_ahead(days, {0: 1 << 120}, "thief")
    waiting = bench.batch()["unapplied"]
    assert waiting == 1
    assert bench.balance(days.names["thief"], CASH) > 10**10 * X40
    days.go(2, Phase.VOID)
    bench.do(days.names["idle"], how)
    assert bench.batch()["unapplied"] == waiting
    thief = days.names["thief"]
    assert bench.refusal(thief, "withdraw", CASH, 1, thief) == ("Frozen", thief, 2)
    bench.do(ALICE, "closeVoid", 2)
    assert bench.batch()["unapplied"] == waiting
    assert bench.refusal(thief, "withdraw", CASH, 1, thief) == ("Frozen", thief, 2)
