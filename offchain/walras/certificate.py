"""The certificate of a batch in exact integers, twin of the contract's settlement (SPEC §6).

Open every submission, compute its status, evaluate every curve at the posted prices, and accept
only if each product and each cost clears: for this problem that proves the prices are the right
ones. Prices are accepted here exactly when the contract accepts them; no float decides anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from walras.batch import CASH, AccountState, BatchState, Product
from walras.decoding import VoidReason
from walras.errors import CertificateError
from walras.numbers import LEDGER_BOUND, MAX_PRICE
from walras.opening import (
    Entry,
    Opened,
    Replacement,
    Standing,
    open_batch,
    open_listed,
    priced_products,
)
from walras.tally import Coupling, Line, Sums, Trade, trade

__all__ = [
    "CASH",
    "AccountState",
    "BatchState",
    "Coupling",
    "Entry",
    "Opened",
    "Product",
    "Replacement",
    "Settlement",
    "Standing",
    "check_account",
    "check_close",
    "check_prices",
    "complete_shadows",
    "evaluate",
    "open_batch",
    "open_listed",
    "priced_products",
    "settle",
]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What prices (X84) do to a batch; by account address and by product id.

    ``fills`` lots X44, ``rates`` portfolio units X44 per auth in order, ``cash`` X40 received,
    ``couplings`` per cost, ``progress`` X44 afterwards of the auths with limits (accounts that
    trade only); ``voids`` the others. ``shadows`` X84 of all accounts with costs. ``rents`` X40
    paid. ``standing``: what stands from the next batch on; of it ``joined`` are new and ``amended``
    have another body; ``ended`` no longer stand, or only by an amendment, None: complete.

    ``volumes`` lots X44 bought, ``residues`` z lots X44, ``excesses`` e and ``tolerances`` c + 2 in
    ulps of X44 lots, ``next_references`` X40. ``house`` lots X44 and ``house_cash`` X40 are what
    the house receives. ``loss_x40`` bounds the welfare lost to rounding, ``freedom_x40`` what
    another accepted price vector could have moved.
    """

    prices: Mapping[int, int]
    shadows: Mapping[bytes, tuple[int, ...]]
    fills: Mapping[bytes, Mapping[int, int]]
    rates: Mapping[bytes, tuple[int, ...]]
    cash: Mapping[bytes, int]
    couplings: Mapping[bytes, tuple[Coupling, ...]]
    progress: Mapping[bytes, tuple[int, ...]]
    voids: Mapping[bytes, VoidReason]
    rents: Mapping[bytes, int]
    standing: Mapping[bytes, Standing]
    joined: frozenset[bytes]
    amended: frozenset[bytes]
    ended: Mapping[bytes, VoidReason | None]
    volumes: Mapping[int, int]
    residues: Mapping[int, int]
    excesses: Mapping[int, int]
    tolerances: Mapping[int, int]
    next_references: Mapping[int, int]
    house: Mapping[int, int]
    house_cash: int
    loss_x40: int
    freedom_x40: int


def settle(
    state: BatchState,
    opened: Sequence[Opened],
    prices: Mapping[int, int],
    shadows: Mapping[bytes, Sequence[int]] | None = None,
) -> Settlement:
    """The settlement at ``prices`` (X84 by product, ascending), if the contract accepts it.

    ``shadows`` X84 by account, one per cost; accounts that do not trade may be left out. Raises
    CertificateError with the contract's reason otherwise.
    """
    check_prices(state, list(prices), list(prices.values()))
    _check_accounts(state, opened, prices)
    given = complete_shadows(opened, shadows or {})
    for one in opened:
        needed, found = one.costs, len(given.get(one.account.address, ()))
        if needed != found:
            raise CertificateError(
                "ShadowsMismatch", account=one.account.address, shadows=found, costs=needed
            )
    trades = _trades(state, opened, prices, given)
    for one in opened:
        check_account(one, trades.get(one.account.address), given)
    settlement = _summed(state, opened, prices, given, trades)
    check_close(state, set(priced_products(opened)), settlement)
    return settlement


def evaluate(
    state: BatchState,
    opened: Sequence[Opened],
    prices: Mapping[int, int],
    shadows: Mapping[bytes, Sequence[int]] | None = None,
) -> Settlement:
    """What ``prices`` would do, whether or not they clear; they must cover every listed product.

    Shadow prices left out are zero.
    """
    given = complete_shadows(opened, shadows or {}, trading=True)
    return _summed(state, opened, prices, given, _trades(state, opened, prices, given))


def complete_shadows(
    opened: Sequence[Opened], shadows: Mapping[bytes, Sequence[int]], *, trading: bool = False
) -> dict[bytes, tuple[int, ...]]:
    """``shadows`` with zeros for accounts left out that have costs but do not trade.

    A settlement has to give these too. With ``trading`` for all that are left out.
    """
    given = {address: tuple(values) for address, values in shadows.items()}
    for one in opened:
        if one.costs and (trading or one.reason is not None):
            given.setdefault(one.account.address, (0,) * one.costs)
    return given


def check_prices(state: BatchState, products: Sequence[int], prices: Sequence[int]) -> None:
    """Raise CertificateError unless ``products`` ascend, are listed, and have a price each."""
    if len(products) != len(prices):
        raise CertificateError("LengthMismatch", products=len(products), prices=len(prices))
    before = -1
    for product, price in zip(products, prices, strict=True):
        if product <= before:
            raise CertificateError("ProductsNotAscending", product=product)
        if product not in state.products:
            raise CertificateError("UnknownProduct", product=product)
        if abs(price) >= MAX_PRICE:
            raise CertificateError("PriceOutOfRange", product=product, price=price)
        before = product


def _check_accounts(state: BatchState, opened: Sequence[Opened], prices: Mapping[int, int]) -> None:
    live = {account.address for account in state.accounts}
    before = b""
    for one in opened:
        address = one.account.address
        if address <= before:
            raise CertificateError("AccountsNotAscending", account=address)
        if address not in live:
            raise CertificateError("AccountNotLive", account=address)
        for product in one.products:
            if product not in prices:
                raise CertificateError("PriceMissing", product=product)
        before = address
    if len(opened) != len(live):
        raise CertificateError("LiveCountMismatch", listed=len(opened), live=len(live))


def check_account(
    one: Opened, traded: Trade | None, shadows: Mapping[bytes, Sequence[int]]
) -> None:
    """Raise CertificateError unless every cost clears [C-5] and the ledgers stay in their range.

    Coverage keeps ledgers above zero, clearing below custody; wrong prices might do neither.
    """
    if traded is None:
        return
    address = one.account.address
    for d, coupling in enumerate(traded.couplings):
        if not coupling.fair:
            raise CertificateError(
                "ShadowOutOfRange", account=address, cost=d, shadow=shadows[address][d]
            )
        if not coupling.clears:
            raise CertificateError(
                "CostNotCleared",
                account=address,
                cost=d,
                excess=coupling.excess,
                tolerance=coupling.tolerance,
            )
    moves = [(k, one.account.lots.get(k, 0) + fill) for k, fill in traded.fills.items()]
    for asset, balance in [*moves, (CASH, one.account.cash - one.rent + traded.cash)]:
        if not 0 <= balance < LEDGER_BOUND:
            raise CertificateError(
                "LedgerOutOfRange", account=address, asset=asset, balance=balance
            )


def check_close(state: BatchState, used: set[int], settlement: Settlement) -> None:
    """Raise CertificateError unless every posted product is ``used`` and clears: [C-1], [C-2]."""
    for k in settlement.prices:
        if k not in used:
            raise CertificateError("PriceUnused", product=k)
        excess, tolerance = settlement.excesses[k], settlement.tolerances[k]
        if abs(excess) > tolerance:
            raise CertificateError("NotCleared", product=k, excess=excess, tolerance=tolerance)
        _check_house(k, state.products[k].house + settlement.house[k])
    _check_house(CASH, state.house_cash + settlement.house_cash)


def _check_house(asset: int, holding: int) -> None:
    if not 0 <= holding < LEDGER_BOUND:
        raise CertificateError("HouseShort", asset=asset, holding=holding)


def _trades(
    state: BatchState,
    opened: Sequence[Opened],
    prices: Mapping[int, int],
    shadows: Mapping[bytes, Sequence[int]],
) -> dict[bytes, Trade]:
    ticks = state.ticks
    return {
        one.account.address: trade(
            one.submission, ticks, prices, shadows.get(one.account.address, ()), one.done
        )
        for one in opened
        if one.reason is None and one.submission is not None
    }


def _summed(
    state: BatchState,
    opened: Sequence[Opened],
    prices: Mapping[int, int],
    shadows: Mapping[bytes, tuple[int, ...]],
    trades: Mapping[bytes, Trade],
) -> Settlement:
    sums = Sums({k: Line() for k in prices})
    for one in trades.values():
        sums.add(one)
    progress = {address: one.done for address, one in trades.items()}
    accounts = {one.account.address: one for one in opened}
    kept = {a: one.after(progress.get(a, one.done)) for a, one in accounts.items()}
    amended = {
        a: one.replacement.next
        for a, one in accounts.items()
        if one.replacement is not None and one.replacement.next is not None
    }
    standing = {a: stand for a, stand in kept.items() if stand is not None} | amended
    products = state.products
    excesses = sums.excesses(products, prices)
    return Settlement(
        prices=dict(prices),
        shadows={a: values for a, values in shadows.items() if values},
        fills={a: one.fills for a, one in trades.items()},
        rates={a: one.rates for a, one in trades.items()},
        cash={a: one.cash for a, one in trades.items()},
        couplings={a: one.couplings for a, one in trades.items() if one.couplings},
        progress={a: done for a, done in progress.items() if done},
        voids={a: one.reason for a, one in accounts.items() if one.reason},
        rents={a: one.rent for a, one in accounts.items() if one.rent},
        standing=standing,
        joined=frozenset(a for a in standing if not accounts[a].account.standing),
        amended=frozenset(amended),
        ended={
            a: one.reason for a, one in accounts.items() if one.account.standing and kept[a] is None
        },
        volumes={k: line.volume for k, line in sums.lines.items()},
        residues={k: line.residue for k, line in sums.lines.items()},
        excesses=excesses,
        tolerances={k: line.tolerance + 2 for k, line in sums.lines.items()},
        next_references={
            k: products[k].next_reference(p, sums.lines[k].volume) for k, p in prices.items()
        },
        house={k: -line.residue for k, line in sums.lines.items()},
        house_cash=-sums.cash,
        loss_x40=sums.loss(products, excesses),
        freedom_x40=sums.freedom(products),
    )
