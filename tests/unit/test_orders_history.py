"""A standing order followed through settlements, and what `walras order status` says of it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from tests.unit.sample_market import SCHEDULE, account, market_view
from walras.auths import Auth, Cost, Leg, Limits, Step, Submission, Term
from walras.bodies import Posting
from walras.cli.standing import Stand
from walras.encoding import encode
from walras.numbers import X40, X44, X84
from walras.opening import Entry
from walras.orders.history import Followed, Shown, follow
from walras.orders.progress import Fill
from walras.sealing import encode_point, public_key, seal

OWNER, OTHER = bytes([7]) * 20, bytes([9]) * 20
SECRET, BATCH_ID = 12_345, bytes([1]) * 32
TICKS = {0: 1, 1: 1}
BUYER = Auth((Leg(0, 1),), 10 * X40, 0, (Step(100, 10 * X40 - 100),), (), Limits(0, 120))
FIRST = Submission((BUYER,), standing=True)
SECOND = Submission((replace(BUYER, limits=Limits(0, 70)),), standing=True)


def posting(
    *entries: Entry, price: int = 5, sealed: bytes = b"", shadows: tuple[int, ...] = ()
) -> Posting:
    return Posting(
        batch_id=BATCH_ID,
        secret=SECRET,
        entries=entries,
        prices={0: price * X84},
        shadows={OWNER: shadows} if shadows else {},
        ticks=TICKS,
        sealed={OWNER: (10, sealed)} if sealed else {},
    )


def standing(submission: Submission, *done: int) -> Entry:
    return Entry(OWNER, encode(submission), tuple(x * X44 for x in done))


def test_follow__from_the_ciphertext_to_the_limit() -> None:
    ciphertext = seal(encode_point(*public_key(SECRET)), encode(FIRST), OWNER, BATCH_ID)
    shown = [
        Shown(3, posting(Entry(OWNER, ciphertext), sealed=ciphertext)),
        Shown(5, posting(standing(FIRST, 50))),
        Shown(6, posting(standing(FIRST, 100))),
    ]
    found = follow(OWNER, shown)
    assert found is not None
    assert (found.first, found.submission) == (3, FIRST)
    assert [(f.batch, f.rates) for f in found.fills] == [
        (3, (50 * X44,)),
        (5, (50 * X44,)),
        (6, (20 * X44,)),
    ]
    assert found.done == (120 * X44,)


def test_follow__void_batches_and_absences__trade_nothing() -> None:
    shown = [
        Shown(3, posting(standing(FIRST, 0))),
        Shown(4, posting(Entry(OTHER, encode(FIRST), (0,)))),
        Shown(5, posting(standing(FIRST, 50)), void=True),
    ]
    found = follow(OWNER, shown)
    assert found is not None
    assert found.voids == [5]
    assert [(f.batch, f.rates) for f in found.fills] == [(3, (50 * X44,)), (5, (0,))]
    assert follow(OTHER, shown[:1]) is None
    assert follow(OWNER, [Shown(1, posting(Entry(OWNER, b"junk")))]) is None


def test_follow__an_amendment_begins_anew() -> None:
    shown = [Shown(3, posting(standing(FIRST, 0))), Shown(4, posting(standing(SECOND, 0), price=2))]
    found = follow(OWNER, shown)
    assert found is not None
    assert (found.first, found.submission, found.done) == (4, SECOND, (70 * X44,))
    assert len(found.fills) == 1


def test_follow__an_amendment_that_says_the_same__begins_anew_too() -> None:
    """SPEC §9: it stands with done = 0; one that was refused changes nothing."""
    kept = [Shown(3, posting(standing(FIRST, 0))), Shown(4, posting(standing(FIRST, 50)))]
    found = follow(OWNER, kept)
    assert found is not None
    assert (found.first, found.done) == (3, (100 * X44,))
    same = [replace(kept[0], amended=True), Shown(4, posting(standing(FIRST, 0), price=2))]
    found = follow(OWNER, same)
    assert found is not None
    assert (found.first, len(found.fills), found.done) == (4, 1, (80 * X44,))
    unseen = follow(OWNER, same[:1])
    assert unseen is not None
    assert unseen.first == 3


def test_follow__with_costs__uses_the_posted_shadow_price() -> None:
    cost = Cost((Term(0, 1),), 0, 0, (Step(30, 0), Step(0, 20 * X40)))
    steeper = replace(BUYER, buy=(Step(100, 10 * X40 - 400),))  # the least slope of W + G = 2
    coupled = Submission((steeper,), 0, (cost,), True)
    found = follow(OWNER, [Shown(3, posting(standing(coupled, 0), shadows=(-2 * X84,)))])
    assert found is not None
    assert found.fills[0].rates == (30 * X44,)  # effective price 7 of 10 … 0 over 100


# ----------------------------------------------------------------------------------------- status

SELLER = Auth((Leg(0, 1),), 210 * X40, 0, (), (Step(1_000, X40),), Limits(5_000, 0))
PAIR = Auth((Leg(0, -2), Leg(1, 1)), 5 * X40, 0, (Step(10, X40),), (Step(10, X40),))


def stand(*fills: tuple[int, int, int], paused: bool = False, until: int = 0) -> Stand:
    """Fills as (batch, lots sold, price in cents a lot of the first product)."""
    submission = Submission((SELLER, PAIR), until, (), True)
    moved = [
        Fill(batch, (-sold * X44, 3 * X44), {0: price * X84, 1: 400 * X84})
        for batch, sold, price in fills
    ]
    done = (-sum(sold for _, sold, _ in fills) * X44,)
    found = Followed(encode(submission), submission, 90, done, moved, [91])
    return Stand(replace(account(), flags=3 if paused else 1), market_view(), found)


def test_status__done_left_average_and_end(capsys: pytest.CaptureFixture[str]) -> None:
    one = stand((90, 1_000, 220), (92, 0, 200), until=SCHEDULE.start(5_000))
    seller, pair = one.data()["auths"]
    assert (seller["portfolio"], seller["done"], seller["sold"]) == ("1 AAPL", "-10", "10")
    assert (seller["to_buy"], seller["to_sell"], seller["complete"]) == ("0", "40", False)
    assert (seller["average_price"], seller["market_average"]) == ("220", "210")
    assert Fraction(seller["better_by"]) == pytest.approx(Fraction(10, 210))
    # 40 left at 5 a batch
    assert seller["expected_end"] == SCHEDULE.boundaries(100 + 8).lock_out
    assert (pair["portfolio"], pair["to_sell"]) == ("−1 AAPL + 0.5 MSFT", None)
    assert (one.data()["since"], one.data()["void_batches"]) == (90, [91])
    one.show()
    shown = capsys.readouterr().out
    assert "Standing order, live: 2 batches since batch 90." in shown
    assert "40 to sell" in shown
    assert "+476.2 bp" in shown
    assert "no limit" in shown
    assert "expires" in shown


def test_status__a_buyer_is_better_below_the_market() -> None:
    one = stand((90, 0, 200), (91, 0, 190))
    assert one.found is not None
    # six units of 0.02 AAPL, which is sold for MSFT, all in the second batch
    one.found.fills[0] = replace(one.found.fills[0], rates=(0, 0))
    one.found.fills[1] = replace(one.found.fills[1], rates=(0, 6 * X44))
    data = one.data()["auths"][1]
    assert (data["done"], data["bought"], data["sold"]) == ("0.12", "0.12", "0")
    # −200 + 0.5·400 and −190 + 0.5·400 a share: it paid 10 where 5 was the mean
    assert (data["average_price"], data["market_average"]) == ("10", "5")
    assert data["better_by"] == "-1"


def test_status__complete_paused_and_unseen(capsys: pytest.CaptureFixture[str]) -> None:
    done = stand((90, 5_000, 220))
    assert done.data()["auths"][0]["complete"] is True
    assert done.data()["auths"][0]["expected_end"] is None
    paused = stand((90, 1_000, 220), paused=True)
    assert paused.data()["paused"] is True
    assert paused.data()["auths"][0]["expected_end"] is None
    paused.show()
    assert "paused; `walras order resume` brings it back" in capsys.readouterr().out
    fresh = Stand(replace(account(), flags=1), market_view(), None)
    assert fresh.data()["auths"] == []
    fresh.show()
    assert "No settlement has shown it yet" in capsys.readouterr().out
    ended = Stand(account(), market_view(), done.found)
    assert ended.data()["standing"] is False
