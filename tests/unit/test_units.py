"""Decimal numbers to integers and back: exact or refused."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

import pytest

from walras.errors import OrderError, UnrepresentableNumber
from walras.numbers import X40, X44
from walras.units import (
    CashUnits,
    MarketUnits,
    ProductUnits,
    exact_text,
    floor_text,
    fraction_gcd,
    fraction_lcm,
    nearest_decimal,
    parse_amount,
    parse_number,
    plain_text,
)

CASH = CashUnits("USD", decimals=6, unit=1)
GOLD = ProductUnits(0, "GOLD", decimals=18, lot=10**16, tick=1 << 30)
OIL = ProductUnits(1, "OIL", decimals=8, lot=3 * 2**50, tick=1 << 30)
MARKET = MarketUnits(CASH, (GOLD, OIL))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.1", Fraction(1, 10)),
        (Decimal("0.1"), Fraction(1, 10)),
        (-3, Fraction(-3)),
        ("1e3", Fraction(1000)),
        (".5", Fraction(1, 2)),
        ("123456789012345678901234567890.000000000000000001", None),
    ],
)
def test_parse_number__decimal__is_exact(value: object, expected: Fraction | None) -> None:
    if expected is None:
        expected = Fraction(str(value))
    assert parse_number(value, "rate") == expected


@pytest.mark.parametrize(
    "value", [True, None, [], {}, 1.5, "", "1/3", "nan", "inf", "0x10", "1e99", "٣", "1" * 81]
)
def test_parse_number__anything_else__is_refused_by_name(value: object) -> None:
    with pytest.raises(OrderError, match=r"^rate "):
        parse_number(value, "rate")


def test_parse_amount__zero_or_less__is_refused() -> None:
    assert parse_amount("1_000.5") == Fraction(2001, 2)
    for text in ("0", "-1"):
        with pytest.raises(OrderError, match="more than 0"):
            parse_amount(text)


def test_product__lots_and_tokens__invert_each_other() -> None:
    assert GOLD.lots(Fraction("0.75")) == 75
    assert GOLD.tokens(Fraction(75)) == Fraction("0.75")
    assert GOLD.tokens_of_ledger(X44 // 2) == Fraction("0.005")
    assert CASH.x40(Fraction("15.37")) == 15_370_000 * X40
    assert CASH.cash(15_370_000 * X40) == Fraction("15.37")


def test_base_units__off_the_ledger_grid__says_the_nearest() -> None:
    assert GOLD.base_units(1 + Fraction(5**16, 10**18)) == 10**18 + 5**16
    assert OIL.base_units(Fraction(3 * 2**6, 10**8)) == 3 * 2**6
    with pytest.raises(UnrepresentableNumber) as caught:
        GOLD.base_units(Fraction("0.0000000000000000001"))
    assert Fraction(str(caught.value.nearest)) == Fraction(5**16, 10**18)
    with pytest.raises(UnrepresentableNumber) as caught:
        OIL.base_units(Fraction("1.00000001"), "deposit")
    nearest = Fraction(str(caught.value.nearest)) * 10**8
    assert nearest.denominator == 1
    assert nearest.numerator * X44 % OIL.lot == 0
    assert str(caught.value).startswith("deposit 1.00000001 cannot be represented; use ")


def test_market__product__by_symbol_or_id() -> None:
    assert MARKET.product("OIL") is MARKET.product("#1") is MARKET.product("1") is OIL
    with pytest.raises(OrderError, match="unknown product 'TIN'; this market lists GOLD, OIL"):
        MARKET.product("TIN")
    with pytest.raises(OrderError, match="no products yet"):
        MarketUnits(CASH, ()).product("GOLD")


def test_market__shared_symbol__asks_for_the_id() -> None:
    twin = ProductUnits(2, "GOLD", 18, 10**16, 1)
    market = MarketUnits(CASH, (GOLD, twin))
    with pytest.raises(OrderError, match="#0, #2"):
        market.product("GOLD")
    assert market.product("#2") is twin


def test_market__symbol_that_is_a_number__comes_before_the_id() -> None:
    odd = ProductUnits(7, "0", 18, 10**16, 1)
    market = MarketUnits(CASH, (GOLD, odd))
    assert market.product("0") is odd
    assert market.product("#0") is GOLD


def test_market__symbol_that_looks_like_an_id__never_stands_for_another_product() -> None:
    fake = ProductUnits(7, "#0", 18, 10**16, 1)
    market = MarketUnits(CASH, (GOLD, fake))
    assert market.product("#0") is market.by_id(0) is GOLD
    assert market.by_id(7) is fake


def test_market__label__always_leads_back_to_the_product() -> None:
    symbols = ("GOLD", "OIL", "OIL", "USD", "#0", "Cash")
    products = tuple(ProductUnits(i, s, 18, 10**16, 1) for i, s in enumerate(symbols))
    market = MarketUnits(CASH, products)
    assert [market.label(i) for i in range(6)] == ["GOLD", "#1", "#2", "#3", "#4", "#5"]
    assert all(market.product(market.label(p.id)) is p for p in products)


def test_least_deposit__brings_at_least_that_much_and_is_exact() -> None:
    # the smallest deposits that are exact: 5^16 of 10^16 base units a lot, 3 of 3·2^50, 1 of 1
    cases = ((GOLD, 5**16), (OIL, 3 * 2**6), (CASH, 1))
    for units, grain in cases:
        for ledger in (1, 10**15 + 1, 3 * X44 + 1):
            base = units.base_units(units.least_deposit(ledger))
            assert base % grain == 0
            assert units.ledger(base - grain) < ledger <= units.ledger(base)


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (Fraction(1234567, 100), 12, "12,345.67"),
        (Fraction(-1, 3), 4, "≈-0.3333"),
        (Fraction(-1, 10**9), 4, "-1e-09"),
        (Fraction(-1, 3 * 10**9), 4, "≈-3e-10"),
        (Fraction(0), 4, "0"),
        (Fraction(5), 0, "5"),
        (Fraction("0.050"), 12, "0.05"),
    ],
)
def test_exact_text__marks_what_it_rounds(value: Fraction, places: int, text: str) -> None:
    assert exact_text(value, places=places) == text


def test_floor_text__never_shows_more_than_there_is() -> None:
    assert floor_text(Fraction(1999, 1000), 2) == "1.99"


def test_plain_text__can_be_read_back() -> None:
    for text in ("-1234567.000001", "0.1", "0"):
        assert plain_text(Fraction(text)) == text
        assert json.loads(plain_text(Fraction(text)), parse_float=Fraction) == Fraction(text)


@pytest.mark.parametrize(
    ("value", "grid", "nearest"),
    [("20.005", "1/100", "20"), ("10", "3/1000000", "9.999999"), ("0.001", "1", "1")],
)
def test_nearest_decimal__is_a_multiple_of_the_grid(value: str, grid: str, nearest: str) -> None:
    assert nearest_decimal(Fraction(value), Fraction(grid)) == nearest
    assert (Fraction(nearest) / Fraction(grid)).denominator == 1
    assert nearest_decimal(-Fraction(value), Fraction(grid)) == f"-{nearest}"


def test_gcd_and_lcm__of_fractions() -> None:
    assert fraction_gcd([Fraction(1, 2), Fraction(3, 4)]) == Fraction(1, 4)
    assert fraction_lcm([Fraction(1, 2), Fraction(3, 4)]) == Fraction(3, 2)
