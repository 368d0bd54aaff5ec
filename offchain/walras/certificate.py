"""The certificate of a batch in exact integers, twin of the contract's settlement (SPEC §6).

Open every submission, compute its status, evaluate every curve at the posted prices, and accept
only if each product and each cost clears: for this problem that proves the prices are the right
ones. Prices are accepted here exactly when the contract accepts them; no float decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from walras.batch import CASH, AccountState, BatchState, Product
from walras.closing import Closing, check_close, closing
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
    "check_prices",
    "check_shadows",
    "complete_shadows",
    "evaluate",
    "in_order",
    "open_batch",
    "open_listed",
    "priced_products",
    "settle",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement(Closing):
    """What prices (X84) do to a batch; by account address and by product id.

    ``fills`` lots X44, ``rates`` portfolio units X44 per auth in order, ``cash`` X40 received,
    ``couplings`` per cost, ``progress`` X44 afterwards of the auths with limits (accounts that
    trade only); ``voids`` the others. ``shadows`` X84 of all accounts with costs. ``rents`` X40
    paid. ``standing``: what stands from the next batch on; of it ``joined`` are new and ``amended``
    have another body; ``ended`` no longer stand, or only by an amendment, None: complete.
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
    listed = sum(1 for _ in in_order(state, opened, prices))
    if listed != len(state.accounts):
        raise CertificateError("LiveCountMismatch", listed=listed, live=len(state.accounts))
    given = check_shadows(opened, shadows or {})
    trades = _trades(state, opened, prices, given)
    for one in opened:
        address = one.account.address
        if address in trades:
            check_account(one, trades[address], given.get(address, ()))
    sums, settlement = _summed(state, opened, prices, given, trades)
    check_close(state, sums, settlement)
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
    return _summed(state, opened, prices, given, _trades(state, opened, prices, given))[1]


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


def check_shadows(
    opened: Sequence[Opened], shadows: Mapping[bytes, Sequence[int]]
) -> dict[bytes, tuple[int, ...]]:
    """``complete_shadows``; CertificateError unless every account has as many as it has costs."""
    given = complete_shadows(opened, shadows)
    for one in opened:
        found = len(given.get(one.account.address, ()))
        if found != one.costs:
            raise CertificateError("ShadowsMismatch", given=found, needed=one.costs)
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


def in_order(
    state: BatchState, opened: Iterable[Opened], prices: Mapping[int, int], after: bytes = b""
) -> Iterator[Opened]:
    """``opened`` one by one as long as they ascend from ``after``, are live, and are priced.

    Raises CertificateError at the first that is not.
    """
    live = {account.address for account in state.accounts}
    for one in opened:
        address = one.account.address
        if address <= after:
            raise CertificateError("AccountsNotAscending", account=address)
        if address not in live:
            raise CertificateError("AccountNotLive", account=address)
        for product in one.products:
            if product not in prices:
                raise CertificateError("PriceMissing", product=product)
        yield one
        after = address


def check_account(one: Opened, traded: Trade, shadows: Sequence[int]) -> None:
    """Raise CertificateError unless every cost clears [C-5] and the ledgers stay in their range.

    Coverage keeps ledgers above zero, clearing below custody; wrong prices might do neither.
    """
    address = one.account.address
    for d, coupling in enumerate(traded.couplings):
        if not coupling.fair:
            raise CertificateError("ShadowOutOfRange", account=address, cost=d, shadow=shadows[d])
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
) -> tuple[Sums, Settlement]:
    sums = Sums({k: Line() for k in prices})
    accounts = {one.account.address: one for one in opened}
    progress = {a: trades[a].done if a in trades else one.done for a, one in accounts.items()}
    standing = {a: one.next(progress[a]) for a, one in accounts.items()}
    for one in opened:
        sums.list(one, standing[one.account.address])
    for traded in trades.values():
        sums.add(traded)
    found = closing(state, sums, prices)
    return sums, Settlement(
        prices=dict(prices),
        shadows={a: values for a, values in shadows.items() if values},
        fills={a: one.fills for a, one in trades.items()},
        rates={a: one.rates for a, one in trades.items()},
        cash={a: one.cash for a, one in trades.items()},
        couplings={a: one.couplings for a, one in trades.items() if one.couplings},
        progress={a: one.done for a, one in trades.items() if one.done},
        voids={a: one.reason for a, one in accounts.items() if one.reason},
        rents={a: one.rent for a, one in accounts.items() if one.rent},
        standing={a: stands for a, stands in standing.items() if stands is not None},
        joined=frozenset(
            a for a, one in accounts.items() if standing[a] and not one.account.standing
        ),
        amended=frozenset(a for a, one in accounts.items() if one.amended),
        ended={
            a: one.reason
            for a, one in accounts.items()
            if one.account.standing and one.after(progress[a]) is None
        },
        volumes=found.volumes,
        residues=found.residues,
        excesses=found.excesses,
        tolerances=found.tolerances,
        next_references=found.next_references,
        house=found.house,
        house_cash=found.house_cash,
        loss_x40=found.loss_x40,
        freedom_x40=found.freedom_x40,
    )
