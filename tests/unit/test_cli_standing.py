"""A standing order from the wallet, against a real market: sealed, followed, amended, ended."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.venue import Venue, sell
from tests.unit.wallet import Wallet, order, settle
from walras.cli import followed
from walras.schedule import Phase

pytestmark = pytest.mark.chain

BUY = {
    "name": "apple",
    "portfolio": {"APPL": 1},
    "demand": {"min_rate": 0, "max_rate": 2, "price": 210},
    "target": 5,
}
PEAR = {
    "name": "banana",
    "portfolio": {"BANA": 1},
    "demand": {"min_rate": 0, "max_rate": 3, "price": 60},
    "target": 9,
}


def opposite(venue: Venue, batch: int) -> None:
    """Somebody new who sells plenty of both, dearer from batch to batch."""
    auths = [sell(0, 1_000, 200 + batch, rise=1), sell(1, 1_000, 50, rise=1)]
    venue.seal(venue.trader(), auths, batch)


def trade(venue: Venue, batch: int) -> None:
    venue.advance(batch, Phase.OPEN)
    opposite(venue, batch)
    settle(venue, batch)


@pytest.fixture
def standing(venue: Venue, wallet: Wallet) -> Wallet:
    """The wallet with both targets, no more than four together, after its first batch."""
    venue.advance(1, Phase.OPEN)
    wallet.text("deposit", "cash", "5_000")
    limit = {"group": ["apple", "banana"], "max": 4}
    file = order(BUY, PEAR, standing=True, costs=[limit])
    assert "It stands from this batch's settlement on" in wallet.text("order", "seal", file)
    trade(venue, 1)
    return wallet


def done(data: Any) -> list[Fraction]:
    return [Fraction(auth["done"]) for auth in data["auths"]]


def test_progress__over_batches__to_the_end(venue: Venue, standing: Wallet) -> None:
    first = standing.json("order", "status")
    assert (first["standing"], first["since"], first["batches"]) == (True, 1, 1)
    assert sum(done(first)) == pytest.approx(4, abs=1e-9)  # the limit of both together
    batch = 1
    while standing.json("order", "status")["standing"]:
        batch += 1
        trade(venue, batch)
        assert batch < 9, standing.json("order", "status")
    last = standing.json("order", "status")
    assert done(last) == [5, 9]
    assert all(auth["complete"] for auth in last["auths"])
    assert last["batches"] == batch == 4  # fourteen at four a batch
    apple = last["auths"][0]
    assert 201 <= Fraction(apple["average_price"]) <= 210
    assert abs(Fraction(apple["better_by"])) < Fraction(1, 20)
    bought = standing.json("balance")["market"]
    assert (bought["APPL"], bought["BANA"]) == ("5", "9")
    assert "Standing order, ended: 4 batches since batch 1." in standing.text("order", "status")


def test_amend__trades_from_the_next_batch__and_starts_at_zero(
    venue: Venue, standing: Wallet
) -> None:
    venue.advance(2, Phase.OPEN)
    assert "replace it with `walras order amend FILE`" in standing.refused(
        "order", "seal", order(BUY, standing=True)
    )
    together = ("deposit", "cash", "1", "--seal", order(BUY, standing=True))
    assert "or cancel it first" in standing.refused(*together)
    assert 'write "standing": true' in standing.refused("order", "amend", order(BUY))
    smaller = {**BUY, "target": 1, "demand": {"min_rate": 0, "max_rate": 1, "price": 230}}
    amended = standing.json("order", "amend", order(smaller, standing=True))
    assert amended["amends"] is True
    trade(venue, 2)
    after = standing.json("order", "status")
    assert (after["since"], after["batches"]) == (3, 0)
    assert done(after) == [0]
    assert after["auths"][0]["to_buy"] == "1"
    assert "amended, in no batch yet; from batch 3 on" in standing.text("order", "status")
    trade(venue, 3)
    after = standing.json("order", "status")
    assert (after["since"], after["standing"]) == (3, False)
    assert done(after) == [1]


def test_amended__status_shows_what_stands_and_what_replaces_it(
    venue: Venue, standing: Wallet
) -> None:
    venue.advance(2, Phase.OPEN)
    assert standing.json("order", "status")["amendment"] is None
    smaller = {**BUY, "target": 1, "demand": {"min_rate": 0, "max_rate": 1, "price": 230}}
    sealed = standing.json("order", "amend", order(smaller, standing=True))
    found = standing.json("order", "status")
    assert (found["since"], found["batches"], len(found["auths"])) == (1, 1, 2)
    waits = found["amendment"]
    assert (waits["sealed_in"], waits["from_batch"], waits["bytes"]) == (2, 3, sealed["bytes"])
    assert [auth["to_buy"] for auth in waits["auths"]] == ["1"]
    text = standing.text("order", "status")
    assert "Standing order, live: 1 batch since batch 1." in text
    assert "Replaced from batch 3 on, once batch 2 settles:" in text
    assert "1 to buy" in text
    (notes,) = Path("data/sealed").iterdir()
    assert notes.stat().st_mode & 0o777 == 0o600
    notes.write_text("[]")
    assert standing.json("order", "status")["amendment"]["auths"] is None
    assert "sealed elsewhere" in standing.text("order", "status")
    opposite(venue, 2)
    venue.advance(2, Phase.CLEARING)  # from now on anybody can read it
    assert standing.json("order", "status")["amendment"]["auths"] == waits["auths"]
    settle(venue, 2)
    assert standing.json("order", "status")["amendment"] is None


def test_amendment_of_a_void_batch__is_gone(venue: Venue, standing: Wallet) -> None:
    venue.advance(2, Phase.OPEN)
    standing.json("order", "amend", order(BUY, standing=True))
    venue.advance(2, Phase.VOID)
    found = standing.json("order", "status")
    assert (found["amendment"], found["since"], found["standing"]) == (None, 1, True)


def test_withdraw__warns_of_every_order_that_loses_its_cover(
    venue: Venue, standing: Wallet
) -> None:
    venue.advance(2, Phase.OPEN)
    cash = int(Fraction(standing.json("balance")["market"]["USD"]))
    standing.text("withdraw", "cash", str(cash - 1_000))
    first = standing.refused("withdraw", "cash", "990")
    assert first.startswith("nothing was withdrawn: your standing order would lack ")
    assert "ended after two in a row); --yes withdraws it anyway" in first
    larger = {**BUY, "demand": {"min_rate": 0, "max_rate": 3, "price": 210}}
    standing.json("order", "amend", order(larger, standing=True))
    both = standing.refused("withdraw", "cash", "500")
    assert "your standing order would lack 1" in both
    assert "; your amendment of batch 2 would lack 130." in both  # 3 at 210 of 500, and the rent
    standing.text("withdraw", "APPL", "1")
    before = standing.json("balance")["market"]["USD"]
    assert standing.json("withdraw", "cash", "500", "--yes")[0]["amount"] == "500"
    assert Fraction(before) - Fraction(standing.json("balance")["market"]["USD"]) == 500


def test_status_from_the_index__is_that_from_the_chain(
    venue: Venue, standing: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over an amendment, the same once more, a batch in which it is void, and the end."""
    found: Any = None
    smaller = {**BUY, "target": 3, "demand": {"min_rate": 0, "max_rate": 1, "price": 230}}
    for batch in range(2, 9):
        venue.advance(batch, Phase.OPEN)
        if batch in (3, 4):
            standing.json("order", "amend", order(smaller, standing=True))
        if batch == 6:
            cash = int(Fraction(standing.json("balance")["market"]["USD"]))
            standing.json("withdraw", "cash", str(cash - 20), "--yes")
        if batch == 7:
            standing.json("deposit", "cash", "1_000")
        opposite(venue, batch)
        settle(venue, batch)
        found = standing.json("order", "status")
        standing.json("history")
        with monkeypatch.context() as patch:
            patch.setattr(followed, "_from_chain", None)
            assert standing.json("order", "status") == found
        (Path("data") / "history.sqlite").unlink()
    assert (found["since"], found["batches"], found["void_batches"]) == (5, 4, [6])
    assert not found["standing"]


def test_pause_resume_cancel(venue: Venue, standing: Wallet) -> None:
    venue.advance(2, Phase.OPEN)
    assert "there is nothing to resume" in standing.refused("order", "resume")
    assert standing.json("order", "pause")["paused"] is True
    assert "paused already" in standing.refused("order", "pause")
    assert "resume it before you amend" in standing.refused("order", "amend", "order.json")
    trade(venue, 2)
    paused = standing.json("order", "status")
    assert (paused["paused"], paused["batches"]) == (True, 1)
    assert "paused; `walras order resume`" in standing.text("order", "status")
    venue.advance(3, Phase.OPEN)
    assert standing.json("order", "resume")["resumed"] is True
    trade(venue, 3)
    assert standing.json("order", "status")["batches"] == 2
    venue.advance(4, Phase.OPEN)
    assert standing.json("order", "cancel")["cancelled"] is True
    assert "has no standing order" in standing.refused("order", "pause")
    assert standing.json("order", "status")["standing"] is False


def test_frozen__is_told_to_wait(venue: Venue, standing: Wallet) -> None:
    venue.advance(2, Phase.OPEN)
    opposite(venue, 2)
    venue.advance(2, Phase.LOCKED_IN)
    for command in ("pause", "cancel"):
        assert "frozen until it has settled" in standing.refused("order", command)
    refused = standing.refused("order", "amend", order(BUY, standing=True))
    assert "batch 2 is LOCKED_IN and takes no amendment; batch 3 opens" in refused


def test_before_it_stands__there_is_nothing_to_amend(venue: Venue, wallet: Wallet) -> None:
    venue.advance(1, Phase.OPEN)
    wallet.text("deposit", "cash", "5_000")
    wallet.text("order", "seal", order(BUY, standing=True))
    assert wallet.json("order", "status")["phase"] == "OPEN"
    assert "has no standing order; one stands from the settlement" in wallet.refused(
        "order", "amend", order(BUY, standing=True)
    )


def test_one_batch_order_with_a_cost__is_filled_within_it(venue: Venue, wallet: Wallet) -> None:
    venue.advance(1, Phase.OPEN)
    wallet.text("deposit", "cash", "5_000")
    limit = {"group": {"apple": 1, "banana": "0.5"}, "max": 2}
    wallet.text("order", "seal", order(BUY, PEAR, costs=[limit]))
    opposite(venue, 1)
    settle(venue, 1)
    apple, banana = wallet.json("order", "status")["fills"]
    used = Fraction(apple["products"]["APPL"]) + Fraction(banana["products"]["BANA"]) / 2
    assert used == pytest.approx(2, abs=1e-9)
