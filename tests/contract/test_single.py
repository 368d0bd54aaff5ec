"""One auth on the home product that stands: the short way does what the long one would.

`Days.settle` holds every settlement against the twin, which knows no short way: balances, progress,
hashes, house, references, events, loss and freedom, to the unit.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.contract.chunks import cut
from tests.contract.days import Days, buy, limited, sell
from tests.contract.support import ALL, OPERATOR, Bench, storage_slot
from walras.auths import Auth, Leg, Step
from walras.batch import CASH
from walras.numbers import MAX_CURVE_PRICE, X40, X44, X84
from walras.schedule import Phase
from walras.sealing import keccak256
from walras.submission import VoidReason

pytestmark = pytest.mark.chain

ACCOUNTS, LAST = 14, 6


@pytest.fixture
def days(bench: Bench) -> Days:
    """Batch 1 in OPEN."""
    found = Days(bench)
    found.go(1)
    return found


def drawn(random: Random) -> Auth:
    """A curve about the reference: either side or both, kinks, no width, limits soon reached."""

    def side() -> tuple[Step, ...]:
        return tuple(
            Step(random.choice((0, 1, 7, 40, 90)), random.choice((0, 1, X40, 3 * X40)))
            for _ in range(random.randint(1, 3))
        )

    kind = random.choice(("buy", "sell", "buy", "sell", "both"))
    price = random.choice((96, 98, 99, 100, 101, 102, 104)) * X40 + random.randint(-2, 2)
    gap = random.choice((0, X40)) if kind == "both" else 0
    buys = side() if kind != "sell" else ()
    sells = side() if kind != "buy" else ()
    auth = Auth((Leg(0, 1),), price, gap, buys, sells)
    if random.random() < 0.6:
        return limited(auth, random.choice((1, 60, 10**6)), random.choice((1, 60, 10**6)))
    return auth


@pytest.mark.parametrize("seed", range(4))
def test_whole_books_settle_as_the_twin_says(days: Days, seed: int) -> None:
    random, bench = Random(seed), days.bench
    for n in range(ACCOUNTS):
        end = bench.time(random.randint(2, LAST), Phase.LOCKED_OUT) if n % 5 == 0 else 0
        days.seal(f"a{n}", drawn(random), valid_until=end)
    days.settle()
    ended, voids = 0, 0
    for batch in range(2, LAST):
        for name in random.sample(sorted(days.standing), 2):
            asset = random.choice((0, CASH))
            bench.do(days.names[name], "withdraw", asset, ALL, days.names[name])
        settlement = days.day(batch)
        ended, voids = ended + len(settlement.ended), voids + len(settlement.voids)
    assert ended
    assert voids
    assert days.standing


@pytest.mark.parametrize("side", [buy, sell])
@pytest.mark.parametrize("off", range(-2, 3))
def test_price_an_ulp_from_the_first_price(days: Days, side: type, off: int) -> None:
    days.seal("a", limited(side(100, 50), 70, 70))
    days.seal("b", side(100, 50))
    days.settle()
    days.go(2)
    days.bench.do(OPERATOR, "open", 2)
    settlement = days.settle(prices={0: 100 * X84 + off})
    # within W = 1 of its first price an auth counts as on its slope: three units of 2^-84
    assert days.standing
    assert settlement.loss_x40 >= 0
    assert all(abs(lots) <= 1 for fills in settlement.fills.values() for lots in fills.values())


def test_chunks_record_the_same(days: Days) -> None:
    random = Random(5)
    for n in range(ACCOUNTS):
        days.seal(f"a{n}", drawn(random))
    days.settle()
    days.go(2)
    days.bench.do(OPERATOR, "open", 2)
    days.bench.go(2, Phase.CLEARING)
    names, before, ticks = days.live(), days.bench.standing(), days.bench.batch()["ticks"]
    chunked = cut(days, 4, 4)
    chunked.verify_all()
    chunked.finish()
    days.check(names, chunked.state, chunked.settlement, before, ticks)


@pytest.mark.parametrize("width", [40, 50])
def test_limit_reached_to_the_unit_is_the_end(days: Days, width: int) -> None:
    """Cut by the limit, or by a last whole step that is just what is left."""
    bench = days.bench
    days.seal("a", limited(buy(110, width), high=100))
    days.seal("b", limited(sell(90, width), low=100))
    days.settle()
    for batch in range(2, 2 + 99 // width):
        assert len(days.standing) == 2
        days.day(batch)
    assert not days.standing
    for name, lots in (("a", 100), ("b", -100)):
        assert bench.balance(days.names[name], 0) == (10**6 + lots) * X44
        assert days.flags(name) == 0


@pytest.mark.parametrize(("early", "reasons"), [(1, [VoidReason.EXPIRED]), (0, [])])
def test_valid_until_the_lock_out_itself(days: Days, early: int, reasons: list[VoidReason]) -> None:
    end = days.bench.time(2, Phase.LOCKED_OUT) - early
    days.seal("a", limited(buy(101, 40), high=10**6), valid_until=end)
    days.seal("b", sell(99, 40))
    days.settle()
    assert list(days.day(2).voids.values()) == reasons


def test_curve_that_ends_too_low_at_a_larger_tick(days: Days) -> None:
    bench, tick = days.bench, days.state([]).ticks[0]
    days.seal("a", Auth((Leg(0, 1),), 2 * tick - MAX_CURVE_PRICE, 0, (Step(1, 0),), ()))
    days.seal("b", buy(99, 10))
    days.settle()
    assert len(days.standing) == 2
    slot = keccak256(bytes(32) + int(storage_slot("products"), 16).to_bytes(32)).hex()
    word = int(bench.chain.rpc("eth_getStorageAt", bench.market, f"0x{slot}", "latest"), 16)
    word |= 255 << 232  # tickBps
    bench.chain.rpc("anvil_setStorageAt", bench.market, f"0x{slot}", f"0x{word:064x}")
    assert days.state([]).ticks[0] > 3 * tick
    assert list(days.day(2).voids.values()) == [VoidReason.MALFORMED]
    assert len(days.standing) == 1
