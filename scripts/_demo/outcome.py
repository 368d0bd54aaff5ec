"""What became of the batch, in shares and dollars, read back from the chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from eth_utils.address import to_checksum_address

from scripts._demo.book import Bidder
from scripts._demo.bounds import Bound, read_bounds
from scripts._demo.market import Venue
from walras.auths import Auth
from walras.batch import CASH, BatchState
from walras.certificate import Opened, Settlement, evaluate, open_batch
from walras.chain.events import Settled
from walras.chain.token import Token
from walras.cli.audit import collect
from walras.cli.prepare import market_setting
from walras.cli.session import market_units
from walras.curve import breakpoints, effective_prices
from walras.numbers import X40, X44, X84
from walras.submission import VoidReason
from walras.units import MarketUnits

__all__ = ["Balance", "Outcome", "Trader", "balances", "read_outcome"]


@dataclass(frozen=True, slots=True)
class Trader:
    """A bidder's result; `shares` received by product, `dollars` received, auths that traded."""

    name: str
    kind: str
    auths: int
    filled: int
    shares: Mapping[int, float]
    dollars: float


@dataclass(frozen=True, slots=True)
class Balance:
    """An asset in integers of the ledger: what the bidders and the house gained (their sum is 0).

    `held` is what the contract's balance of the token is worth, `claimed` what everybody together
    can still claim, both after the withdrawals.
    """

    symbol: str
    bidders: int
    house: int
    held: int
    claimed: int

    @property
    def conserved(self) -> bool:
        """Whether nothing came from nowhere or went there."""
        return self.bidders + self.house == 0

    @property
    def solvent(self) -> bool:
        """Whether the contract holds all that is claimed."""
        return self.held >= self.claimed


@dataclass(frozen=True, slots=True)
class Outcome:
    """A settled batch. Prices and references in dollars a share, volumes in shares, by product."""

    symbols: Sequence[str]
    state: BatchState
    opened: Sequence[Opened]
    settlement: Settlement
    units: MarketUnits
    after: BatchState
    prices: Mapping[int, Fraction]
    references: Mapping[int, Fraction]
    volumes: Mapping[int, Fraction]
    traders: Sequence[Trader]
    bounds: Sequence[Bound]
    voids: Mapping[str, VoidReason]
    settle_gas: int

    @property
    def auths(self) -> int:
        """Curves that took part."""
        return sum(trader.auths for trader in self.traders)

    @property
    def filled(self) -> int:
        """Curves that traded."""
        return sum(trader.filled for trader in self.traders)

    @property
    def turnover(self) -> Fraction:
        """Dollars' worth of all shares that changed hands."""
        return sum((self.prices[k] * v for k, v in self.volumes.items()), Fraction(0))

    @property
    def gap(self) -> Fraction:
        """Dollars of welfare that rounding can have cost, at most."""
        return self.units.cash.cash(self.settlement.loss_x40)

    def traded(self) -> Iterator[tuple[Auth, int, int]]:
        """Every auth that took part, its effective price X84, and its guard."""
        for one in self.opened:
            if one.reason is None and one.submission is not None:
                shadows = self.settlement.shadows.get(one.account.address, ())
                yield from zip(
                    one.submission.auths,
                    effective_prices(one.submission, self.settlement.prices, shadows),
                    one.submission.guards,
                    strict=True,
                )

    def curves(self, auth: Auth, guard: int) -> tuple[list[int], list[float]]:
        """Rates (portfolio units) and prices (cash units) of a curve, prices rising."""
        points = breakpoints(auth, self.state.ticks, guard)[::-1]
        return [rate for rate, _ in points], [price / X40 for _, price in points]


def read_outcome(
    venue: Venue, settled: Settled, bidders: Sequence[Bidder], addresses: Mapping[str, str]
) -> Outcome:
    """Read and open the batch again, as an auditor does."""
    market = venue.market
    book, posted = collect(market, settled)
    state = book.state
    opened = open_batch(state, book.entries)
    settlement = evaluate(state, opened, posted.prices, posted.shadows)
    view = market.view()
    units, setting = market_units(view), market_setting(view)
    raw = market.client.rpc("eth_getTransactionReceipt", "0x" + settled.transaction.hex())
    names = {address: name for name, address in addresses.items()}
    return Outcome(
        symbols=venue.symbols,
        state=state,
        opened=opened,
        settlement=settlement,
        units=units,
        after=posted.after,
        prices={k: _per_share(Fraction(p, X84), k, units) for k, p in posted.prices.items()},
        references={
            k: _per_share(Fraction(p.reference, X40), k, units) for k, p in state.products.items()
        },
        volumes={k: units.by_id(k).tokens_of_ledger(v) for k, v in posted.volumes.items()},
        traders=[_trader(b, addresses[b.name], settlement, units) for b in bidders],
        bounds=[
            bound
            for b in bidders
            for bound in read_bounds(b, _key(addresses[b.name]), settlement, units, setting)
        ],
        voids={names[to_checksum_address(a)]: VoidReason(r) for a, r in posted.voids.items()},
        settle_gas=int(raw["gasUsed"], 16),
    )


def balances(venue: Venue, outcome: Outcome, owners: Sequence[str]) -> list[Balance]:
    """Conservation of the settlement and cover of what is left, by asset, from chain storage."""
    market = venue.market
    view = market.view()
    everybody = dict.fromkeys((*owners, view.terms.operator))
    accounts = [market.account(owner) for owner in everybody]
    before = {a.address: a for a in outcome.state.accounts}
    found = []
    for asset in (view.cash, *(p.asset for p in view.products)):
        one = X40 if asset.is_cash else X44
        bidders = sum(
            _held(a, asset.id) - _held(before[a.address], asset.id) for a in outcome.after.accounts
        )
        claimed = sum(account.ledger(asset.id) for account in accounts)
        if asset.is_cash:
            house = outcome.after.house_cash - outcome.state.house_cash
            money = view.treasury
            claimed += sum(account.claimable for account in accounts) + view.batch.pot
            claimed += money.house_cash + money.bond + money.reserved + money.burnt
        else:
            k = asset.id
            house = outcome.after.products[k].house - outcome.state.products[k].house
            claimed += view.products[k].state.house
        token = Token(market.client, asset.token)
        held = token.balance_of(market.address) * one // asset.unit
        found.append(Balance(asset.symbol, bidders, house, held, claimed))
    return found


def _held(account: Any, asset: int) -> int:
    return int(account.cash if asset == CASH else account.lots.get(asset, 0))


def _key(address: str) -> bytes:
    return bytes.fromhex(address[2:])


def _per_share(cash_units: Fraction, product: int, units: MarketUnits) -> Fraction:
    """Dollars a share of cash units a lot."""
    return units.cash.cash(cash_units * X40) * units.by_id(product).lots(Fraction(1))


def _trader(bidder: Bidder, address: str, settlement: Settlement, units: MarketUnits) -> Trader:
    key = _key(address)
    fills = settlement.fills.get(key, {})
    return Trader(
        bidder.name,
        bidder.kind,
        bidder.auths,
        sum(rate != 0 for rate in settlement.rates.get(key, ())),
        {k: float(units.by_id(k).tokens_of_ledger(fill)) for k, fill in fills.items() if fill},
        float(units.cash.cash(settlement.cash.get(key, 0))),
    )
