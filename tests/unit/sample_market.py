"""A market as the chain would show it, for what needs no chain: three shares, a batch a minute."""

from __future__ import annotations

from typing import Final

from walras.batch import CASH, Product
from walras.chain.views import (
    AccountView,
    Asset,
    BatchView,
    MarketView,
    ProductView,
    Terms,
    Treasury,
)
from walras.numbers import UNIT_GAS, X24, X40, X44
from walras.schedule import Phase, Schedule

__all__ = ["NOW", "SCHEDULE", "account", "fee_of", "market_view"]

SCHEDULE: Final = Schedule(1_893_455_940, 60, 20, 24, 28, 36, 44, 56)  # batch 1 opens in 2030
NOW: Final = SCHEDULE.start(100) + 5
_PRICES: Final = {"AAPL": 210, "MSFT": 400, "GOOG": 175}  # cash tokens per share
_ADDRESS: Final = "0x" + "11" * 20


def market_view(now: int = NOW) -> MarketView:
    """Cents as cash units, hundredths of a share as lots, a tick of one basis point."""
    terms = Terms(
        operator=_ADDRESS,
        cash=_ADDRESS,
        cash_unit=10**4,
        schedule=SCHEDULE,
        block_time=2,
        capacity=8_000,
        cash_cap=10**10,
        cover_cap=10**12,
        bond=1_000,
        compensation=1,
        cash_per_wei=1,
        min_base_fee=10**9,
    )
    current = SCHEDULE.current(now)
    return MarketView(
        address=_ADDRESS,
        chain_id=1,
        block_number=1,
        now=now,
        terms=terms,
        current=current,
        phase=SCHEDULE.phase(current, now),
        key_hash=b"\x01" * 32,
        batch=BatchView(current, 0, 0, 1, settled=False, closed=False, pot=0, unapplied=0),
        batch_phase=Phase.OPEN,
        treasury=Treasury(X40, 1_000 * X40, 0, 0, 0),
        least_house_cash=0,
        fee=fee_of(10),
        cash=Asset(CASH, _ADDRESS, "USD", 6, 10**4, 0, 10**10 * X40),
        products=tuple(_product(k, symbol) for k, symbol in enumerate(_PRICES)),
    )


def account(*, cash: int = 10**7, shares: int = 10**4) -> AccountView:
    """An account with so many dollars, and so many of every share."""
    return AccountView(
        address=_ADDRESS,
        cash=cash * 100 * X40,
        lots=dict.fromkeys(range(3), shares * 100 * X44),
        home=0,
        batch=0,
        units=0,
        seal_hash=bytes(32),
        live=False,
        frozen=False,
        claimable=0,
        wallet={},
        allowance={},
    )


def fee_of(units: int) -> int:
    """Admission at the least base fee, X40."""
    return units * UNIT_GAS * 10**9


def _product(number: int, symbol: str) -> ProductView:
    price = _PRICES[symbol]  # cents per lot, since a lot is a hundredth
    asset = Asset(number, _ADDRESS, symbol, 18, 10**16, 0, 10**7 * X44)
    state = Product(number, X44, price * X40, price * X24, 1, 20)
    return ProductView(asset, state, trading=True)
