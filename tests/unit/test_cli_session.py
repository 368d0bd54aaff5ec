"""Names of assets on the command line never mean two things."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from walras.batch import CASH
from walras.chain.views import Asset, MarketView
from walras.cli.session import asset_units
from walras.errors import OrderError


def asset(number: int, symbol: str) -> Asset:
    return Asset(number, "0x" + "00" * 20, symbol, 6, 100, 0, 0)


def view(*symbols: str) -> MarketView:
    products: list[Any] = [
        SimpleNamespace(asset=asset(i, symbol), state=SimpleNamespace(tick=1))
        for i, symbol in enumerate(symbols)
    ]
    return cast("MarketView", SimpleNamespace(cash=asset(CASH, "USD"), products=products))


def test_cash__by_its_name_or_symbol() -> None:
    for name in ("cash", "Cash", "USD"):
        assert asset_units(view("A", "B"), name)[0].id == CASH


def test_product__by_symbol_or_id() -> None:
    for name in ("B", "#1", "1"):
        found, units = asset_units(view("A", "B"), name)
        assert (found.id, found.symbol, units.symbol) == (1, "B", "B")


def test_product__called_like_cash__has_to_be_named_by_id() -> None:
    with pytest.raises(OrderError, match="cash and a product are called USD"):
        asset_units(view("A", "USD"), "USD")
    assert asset_units(view("A", "USD"), "#1")[0].id == 1
    assert asset_units(view("A", "USD"), "cash")[0].id == CASH
