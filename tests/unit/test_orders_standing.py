"""Limits, targets, rates per time, expiry and the progress of standing orders."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

from tests.unit.sample_market import NOW, SCHEDULE, account, fee_of, market_view
from walras.auths import Auth, Leg, Limits, Step, Submission
from walras.cli.check import Checked, explain
from walras.cli.prepare import prepare_text
from walras.errors import OrderError, UnrepresentableNumber
from walras.numbers import MAX_RATE, X40, X44, X84
from walras.orders import Conversion, Setting, convert, parse_order
from walras.orders.progress import Fill, Progress, batches_at_full_rate, progress
from walras.schedule import Schedule
from walras.units import CashUnits, MarketUnits, ProductUnits

MARKET = MarketUnits(
    CashUnits("USD", decimals=6, unit=10**4),
    (ProductUnits(0, "A", 18, 10**16, X40 // 100), ProductUnits(1, "B", 0, 1, X40)),
)
SETTING = Setting(SCHEDULE, NOW, 10**9, {0: 1 << 32, 1: 1 << 32})
SELL = [{"rate": -10, "price": 3}, {"rate": 0, "price": 2}]
BOTH = [{"rate": -10, "price": 3}, {"rate": 10, "price": 1}]


def one(demand: Any = BOTH, *, setting: Setting = SETTING, **more: Any) -> Conversion:
    terms = {k: more.pop(k) for k in list(more) if k not in ("standing", "valid_until")}
    auth = {"portfolio": {"A": 1}, "demand": demand, **terms}
    return convert(parse_order(json.dumps({"auths": [auth], **more})), MARKET, None, setting)


def limits(**more: Any) -> Limits | None:
    return one(**more).auths[0].auth.limits


# ----------------------------------------------------------------------------------------- limits


def test_limits__are_exact_and_missing_ones_are_the_most_there_is() -> None:
    assert limits() is None
    assert limits(min_trade=-5, max_trade="7.25") == Limits(500, 725)
    assert limits(max_trade=7) == Limits(MAX_RATE - 1, 700)
    assert limits(min_trade=-7) == Limits(700, MAX_RATE - 1)
    assert limits(demand=SELL, min_trade=-7) == Limits(700, 0)  # it cannot buy anyhow
    assert limits(min_trade=None, max_trade=None) is None


def test_limits__of_a_short_product__are_mirrored() -> None:
    assert limits(portfolio={"A": -1}, min_trade=-5, max_trade=7) == Limits(700, 500)


def test_target__is_a_limit_on_its_side_and_zero_on_the_other() -> None:
    assert limits(target=50) == Limits(0, 5_000)
    assert limits(target="-0.5") == Limits(50, 0)


def test_limits__inside_data__as_other_venues_write_them() -> None:
    auth = {"portfolio": {"A": 1}, "data": {"demand": BOTH, "min_trade": -3, "max_trade": 4}}
    found = convert(parse_order(json.dumps(auth)), MARKET)
    assert found.auths[0].auth.limits == Limits(300, 400)


def test_constant_price_with_a_limit__trades_it_at_once() -> None:
    auth = one({"price": 2, "max_rate": 0}, target=-8, standing=True).auths[0].auth
    assert (auth.sell, auth.limits) == ((Step(800, 0),), Limits(800, 0))
    both = one({"price": 2}, min_trade=-3, max_trade=4).auths[0].auth
    assert (both.sell_rate, both.buy_rate) == (300, 400)
    shut = one({"price": 2}, target=4).auths[0].auth
    assert (shut.sell, shut.buy_rate) == ((), 400)


def test_limit__takes_part_in_the_choice_of_the_unit() -> None:
    # 3 B and 6 A at a price that needs whole thirds: the limit has to be a multiple, too
    demand = [{"rate": 0, "price": 9}, {"rate": 6, "price": 3}]
    auth = one(demand, portfolio={"A": "0.06", "B": 3}, max_trade=9).auths[0]
    assert auth.auth.limits is not None
    assert Fraction(auth.auth.limits.high) == 9 * auth.units


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"min_trade": 1}, "min_trade must be ≤ 0 and max_trade ≥ 0"),
        ({"max_trade": -1}, "min_trade must be ≤ 0 and max_trade ≥ 0"),
        ({"min_trade": 0, "max_trade": 0}, "both 0; it would never trade"),
        ({"max_trade": "x"}, "auth 1: max_trade must be a plain decimal number"),
        ({"target": 0}, "target is 0, so it would never trade"),
        ({"target": 5, "max_trade": 5}, "target sets min_trade and max_trade; leave them out"),
        ({"target": 5, "demand": SELL}, "its limits forbid the only side its curve has"),
        ({"max_trade": 10**15}, "a cumulative limit is too large; at most 2,814,"),
        ({"demand": {"price": 2, "max_rate": 0}, "standing": True}, "give min_rate or min_trade"),
        ({"demand": {"price": 2}, "standing": True, "min_trade": -3}, "give max_rate or max_trade"),
    ],
)
def test_limits__wrong__say_what_to_write(more: dict[str, Any], message: str) -> None:
    with pytest.raises(OrderError, match=message):
        one(more.pop("demand", BOTH), **more)


def test_limit__off_the_grid__names_its_neighbour() -> None:
    with pytest.raises(UnrepresentableNumber, match=r"cumulative limit 0\.005 .* use 0\.01"):
        one(max_trade="0.005")


# ------------------------------------------------------------------------------------------ rates


def test_rates__per_time__convert_by_the_batch_interval() -> None:
    wanted = one().auths[0].auth
    for per, factor in (("minute", 1), ("hour", 60), ("day", 1_440)):
        demand = [{"rate": p["rate"] * factor, "price": p["price"]} for p in BOTH]
        assert one(demand, per=per).auths[0].auth == wanted
    tenth = [{"rate": f"{p['rate']}e-1", "price": p["price"]} for p in BOTH]
    assert one(tenth, per="second").auths[0].auth.buy_rate == 60 * 100


def test_rates__per_file__and_per_auth() -> None:
    hourly = {"portfolio": {"A": 1}, "demand": {"price": 2, "min_rate": -600, "max_rate": 0}}
    batch = {**hourly, "per": "batch", "demand": {"price": 2, "min_rate": -1, "max_rate": 0}}
    text = json.dumps({"per": "hour", "auths": [hourly, batch]})
    found = convert(parse_order(text), MARKET, None, SETTING)
    assert [a.sell_rate for a in found.submission.auths] == [1_000, 100]
    assert [c.per.name for c in found.auths] == ["hour", "batch"]


def test_rate__that_no_batch_holds__names_both_neighbours() -> None:
    seven = Setting(Schedule(0, 7, 1, 2, 3, 4, 5, 6), 70, 1, {})
    with pytest.raises(UnrepresentableNumber) as caught:
        one({"price": 2, "min_rate": -301, "max_rate": 0}, per="minute", setting=seven)
    # a lot a batch is 60/7 lots a minute: of decimals only multiples of 0.6 shares fit
    assert str(caught.value) == (
        "auth 1: rate -301 per minute cannot be represented; use -301.2 or -300.6"
    )
    for near in str(caught.value.nearest).split(" or "):
        assert one({"price": 2, "min_rate": near, "max_rate": 0}, per="minute", setting=seven)


def test_rates__without_a_clock__are_per_batch() -> None:
    auth = {"portfolio": {"A": 1}, "demand": BOTH, "per": "minute"}
    with pytest.raises(OrderError, match="rates per minute need the market's clock"):
        convert(parse_order(json.dumps(auth)), MARKET)
    wrong: list[Any] = ["week", 3, None, []]
    for per in wrong:
        with pytest.raises(OrderError, match="per must be one of batch"):
            parse_order(json.dumps({**auth, "per": per}))


# ----------------------------------------------------------------------------------------- expiry


def test_expiry__in_every_form() -> None:
    assert one(valid_until=0).submission.valid_until == 0
    lock_out = SCHEDULE.boundaries(480).lock_out
    assert one(valid_until={"batch": 480}).submission.valid_until == lock_out
    assert one(valid_until={"hours": "0.5"}).submission.valid_until == NOW + 1_800
    assert one(valid_until={"minutes": 2}).submission.valid_until == NOW + 120
    assert one(valid_until={"days": 3}).submission.valid_until == NOW + 3 * 86_400


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "give one of batch, minutes, hours, days"),
        ({"batch": 9, "hours": 1}, "give one of batch"),
        ({"weeks": 1}, "valid_until: unknown field 'weeks'"),
        ({"batch": 0}, "batch must be the number of a batch"),
        ({"batch": 1.5}, "batch must be the number of a batch"),
        ({"batch": True}, "batch must be the number of a batch"),
        ({"batch": 99}, "batch 99 has locked out, now is batch 100; give a later one"),
        ({"hours": 0}, "hours must be more than 0"),
        ({"hours": "x"}, "valid_until: hours must be a plain decimal number"),
        ({"days": 10**8}, "less than an age"),
        ({"batch": 2**32 - 1, "x": 1}, "unknown field"),
        ([], "whole unix seconds"),
    ],
)
def test_expiry__wrong__says_what_to_write(value: Any, message: str) -> None:
    with pytest.raises(OrderError, match=message):
        one(valid_until=value)


def test_expiry__without_a_clock__or_beyond_the_contracts() -> None:
    auths = [{"portfolio": {"A": 1}, "demand": BOTH}]
    order = parse_order(json.dumps({"auths": auths, "valid_until": {"hours": 1}}))
    with pytest.raises(OrderError, match="this valid_until needs the market's clock"):
        convert(order, MARKET)
    late = Setting(SCHEDULE, (1 << 40) - 10, 1, {})
    with pytest.raises(OrderError, match="beyond the contract's clock"):
        convert(order, MARKET, None, late)


# ------------------------------------------------------------------------------------------ check


def check(cash: int = 10**6, shares: int = 10**4, **fields: Any) -> Checked:
    view = market_view()
    text = json.dumps({"standing": True, **fields})
    return explain(prepare_text(text, view, account(cash=cash, shares=shares), fee_of), view)


EXIT = {
    "portfolio": {"AAPL": 1},
    "demand": {"min_rate": -30, "max_rate": 0, "price": 210},
    "min_trade": -100,
    "max_trade": 0,
}


def test_check__warns_of_an_expiry_before_the_end() -> None:
    assert "It expires before that" not in " ".join(check(auths=[EXIT]).notes)
    notes = check(auths=[EXIT], valid_until={"batch": 102}).notes
    assert any(note.startswith("It expires before that") for note in notes)
    assert check(auths=[EXIT], valid_until={"batch": 103}).batches == 4
    assert "It expires before that" not in " ".join(
        check(auths=[EXIT], valid_until={"batch": 103}).notes
    )


def test_check__one_batch_order__is_neither_public_nor_renting() -> None:
    found = check(auths=[{**EXIT}], standing=False)
    assert found.notes == ()
    assert found.prepared.rent == 0
    assert not found.prepared.submission.standing


def test_check__standing_order__needs_one_rent_beside_its_cover() -> None:
    poor = check(cash=0, shares=30, auths=[EXIT])
    assert poor.prepared.rent * 2 == poor.prepared.fee
    missing = poor.prepared.missing
    assert (missing.cash, missing.lots) == (poor.prepared.fee * 3 // 2, {})
    assert poor.data()["escrow_in_all"]["AAPL"] == "100"
    assert poor.data()["auths"][0]["min_trade"] == "-100"


@pytest.mark.parametrize(
    "auth",
    [
        {"min_trade": None},
        {
            "min_trade": -100,
            "max_trade": None,
            "demand": {"min_rate": -9, "max_rate": 9, "price": 210},
        },
    ],
    ids=["no limit at all", "buys without end"],
)
def test_check__a_side_without_limit__takes_no_sum_in_all(
    auth: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    auth = {k: v for k, v in {**EXIT, "max_trade": None, **auth}.items() if v is not None}
    found = check(auths=[auth])
    assert found.data()["escrow_in_all"] is None
    found.show()
    assert "no limit" in capsys.readouterr().out
    both = {**EXIT, "demand": {"min_rate": -9, "max_rate": 9, "price": 210}, "max_trade": 50}
    assert check(auths=[both]).data()["escrow_in_all"]["AAPL"] == "100"


def test_check__without_limits__has_no_end() -> None:
    endless = {k: v for k, v in EXIT.items() if not k.endswith("trade")}
    found = check(auths=[endless, EXIT])
    assert found.batches is None
    assert found.data()["auths"][1]["batches_at_full_rate"] == 4


# --------------------------------------------------------------------------------------- progress

LONG = Auth((Leg(0, 1),), 5 * X40, 0, (Step(40, X40),), (), Limits(0, 100))
SHORT = Auth((Leg(0, 2), Leg(1, -1)), 5 * X40, 0, (), (Step(10, X40),), Limits(30, 0))
FREE = Auth((Leg(1, 1),), 5 * X40, 0, (Step(1, X40),), (Step(1, X40),))


def fill(batch: int, *rates: int, prices: tuple[int, int] = (1, 1)) -> Fill:
    units = tuple(rate * X44 for rate in rates)
    return Fill(batch, units, {k: price * X84 for k, price in enumerate(prices)})


def test_progress__counts_averages_and_what_is_left() -> None:
    fills = [
        fill(1, 40, -10, 1, prices=(3, 2)),
        fill(2, 0, -10, -1, prices=(9, 2)),
        fill(4, 20, 0, 0, prices=(6, 2)),
    ]
    long, short, free = progress(Submission((LONG, SHORT, FREE)), fills)
    assert (long.bought, long.sold, long.done) == (60 * X44, 0, 60 * X44)
    assert (long.paid, long.received) == (Fraction(4 * X84), None)
    assert long.market == 6 * X84
    assert (long.to_buy, long.to_sell) == (40 * X44, 0)
    assert (short.received, short.paid) == (Fraction(10 * X84), None)  # (4 + 16)/2
    assert short.market == Fraction(4 + 16 + 10, 3) * X84
    assert short.to_sell == 10 * X44
    assert (free.done, free.to_buy, free.to_sell) == (0, None, None)
    assert (free.paid, free.received) == (Fraction(2 * X84), Fraction(2 * X84))
    assert [p.complete for p in (long, short, free)] == [False, False, False]


def test_progress__at_the_pace_so_far() -> None:
    long, short, free = progress(
        Submission((LONG, SHORT, FREE)), [fill(1, 40, -10, 1), fill(2, 0, -10, 0)]
    )
    assert long.batches_at_pace() == 3  # 60 left at 20 a batch
    assert short.batches_at_pace() == 1
    assert free.batches_at_pace() is None
    (still,) = progress(Submission((LONG,)), [fill(1, 0)])
    assert still.batches_at_pace() is None
    assert progress(Submission((LONG,)), ())[0].market is None


def test_progress__complete__when_no_side_has_anything_left() -> None:
    (long,) = progress(Submission((LONG,)), [fill(1, 40), fill(2, 40), fill(3, 20)])
    assert long.complete
    assert long.batches_at_pace() == 0
    assert not Progress(1, 0, 0, None, None, None, 0, None).complete


def test_full_rate__counts_the_last_part_batch() -> None:
    assert batches_at_full_rate(LONG) == (None, 3)
    assert batches_at_full_rate(LONG, 60 * X44) == (None, 1)
    assert batches_at_full_rate(LONG, 20 * X44 - 1) == (None, 3)
    assert batches_at_full_rate(LONG, 100 * X44) == (None, None)
    assert batches_at_full_rate(SHORT) == (3, None)
    assert batches_at_full_rate(FREE) == (None, None)
