"""A market's plan in human units becomes exact chain integers, or an error that names a setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from walras.chain.plan import MarketPlan, read_plan
from walras.errors import ConfigError

PLAN = """
[market]
cash = "USD"
cash_unit = "0.01"
block_time = 12
capacity = 6000
cash_cap = "1000000"
bond = "10000"
compensation = "0.05"
native_price = "3000"
min_base_fee = 1_000_000_000

[timetable]
opens = 2030-01-01T12:00:00Z
period = 3600
lock_in = 3000
lock_out = 3060
reveal_from = 3120
key_deadline = 3180
exclusive_until = 3300
deadline = 3600

[[product]]
token = "AAPL"
lot = "0.01"
price = "189.95"
tick_bps = 1
depth = "10000"
cap = "50000"
"""
TOKENS = {"USD": ("0xcash", 6), "AAPL": ("0xapple", 18)}


def plan(tmp_path: Path, text: str = PLAN) -> MarketPlan:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    return read_plan(path, operator="0xop", now=1_000, resolve=lambda name: TOKENS[name])


def test_units_are_exact(tmp_path: Path) -> None:
    read = plan(tmp_path)
    terms, (product,) = read.terms, read.products
    assert (terms.operator, terms.cash, terms.cash_unit) == ("0xop", "0xcash", 10**4)
    assert (terms.cash_cap, terms.bond, terms.compensation) == (10**8, 10**6, 5)
    assert (product.token, product.lot) == ("0xapple", 10**16)
    # 0.01 token at 189.95 is 1.8995 of cash, 189.95 cash units
    assert product.scale == round(189.95 * 2**24)
    assert (product.tick_bps, product.depth_log2, product.lots_cap) == (1, 19, 5_000_000)
    # 3,000 for 10^18 wei: 3·10^-13 cash units per wei, upwards in X40
    assert terms.cash_per_wei == 1
    assert terms.schedule.start(1) == 1_893_499_200


def test_the_cover_is_what_the_caps_need(tmp_path: Path) -> None:
    read = plan(tmp_path)
    (product,) = read.products
    needed = read.terms.cash_cap * 2**24 + 8 * product.scale * product.lots_cap
    assert (read.terms.cover_cap - 1) * 2**24 < needed <= read.terms.cover_cap * 2**24
    given = PLAN.replace('bond = "10000"', 'bond = "10000"\ncover_cap = "1000000000"')
    assert plan(tmp_path, given).terms.cover_cap == 10**11


def test_without_a_time_it_opens_after_one_period(tmp_path: Path) -> None:
    text = PLAN.replace("opens = 2030-01-01T12:00:00Z\n", "")
    assert plan(tmp_path, text).terms.schedule.start(1) == 1_000 + 3_600


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('cash_unit = "0.01"', "", r"\[market\]: cash_unit is missing"),
        ('cash_unit = "0.01"', "cash_unit = 0.01", "cash_unit = 0.01 is no exact number"),
        ('cash_unit = "0.01"', 'cash_unit = "0.0000001"', "finer than the token's 6 decimals"),
        ('lot = "0.01"', 'lot = "-1"', r"\[\[product\]\] 1: lot = -1 must be above zero"),
        ('price = "189.95"', "price = true", "price = True is no exact number"),
        ('price = "189.95"', 'price = "1/0"', "no exact number"),
        ("capacity = 6000", 'capacity = "80.5"', "must be a whole number"),
        ('cash = "USD"', "cash = 7", "must stand in quotes"),
        ("opens = 2030-01-01T12:00:00Z", 'opens = "noon"', "opens must be a time"),
        ("opens = 2030-01-01T12:00:00Z", "opens = 2030-01-01T12:00:00", "with its zone"),
        ("lock_out = 3060", "lock_out = 3010", "lock_out = 3010 s must be at least"),
        ("[market]", "[market", "is not TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in PLAN
    with pytest.raises(ConfigError, match=message):
        plan(tmp_path, PLAN.replace(old, new, 1))


def test_the_example_of_the_handbook_is_a_plan(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "OPERATIONS.md").read_text()
    example = page.partition("```toml\n")[2].partition("```")[0]
    path = tmp_path / "plan.toml"
    path.write_text(example)
    read = read_plan(path, operator="0xop", now=1_000, resolve=lambda _: ("0xtoken", 18))
    assert read.terms.bond == 25_000_000
    assert read.terms.cover_cap <= 2**66


def test_a_missing_plan_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        read_plan(tmp_path / "none.toml", operator="", now=0, resolve=lambda name: TOKENS[name])
