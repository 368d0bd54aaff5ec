"""The certificate of a batch in exact integers, twin of the contract's settlement (SPEC §2, §6).

Open every sealed submission, compute its status, evaluate every curve at the posted prices, and
accept only if each product clears: for this problem that proves the prices are the right ones.
Prices are accepted here exactly when the contract accepts them; no float decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from walras.batch import CASH, AccountState, BatchState, Product
from walras.curve import demand, portfolio_price
from walras.errors import CertificateError
from walras.numbers import (
    LEDGER_BOUND,
    MAX_PRICE,
    UNIT_GAS,
    X44,
    ceil_div,
    ceil_sqrt,
    floor_div,
)
from walras.sealing import seal_hash, unseal
from walras.submission import Decoded, Submission, VoidReason, cover, decode, word_gas

__all__ = [
    "CASH",
    "AccountState",
    "BatchState",
    "Opened",
    "Product",
    "Settlement",
    "check_prices",
    "evaluate",
    "open_batch",
    "open_listed",
    "priced_products",
    "settle",
]


@dataclass(frozen=True, slots=True)
class Opened:
    """A submission after rules 1-8: it trades iff ``reason`` is None.

    ``products`` must be priced whether or not it trades.
    """

    account: AccountState
    submission: Submission | None
    reason: VoidReason | None
    products: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What prices (X84) do to a batch; by account address and by product id.

    ``fills`` lots X44, ``rates`` portfolio units X44 per auth in order, ``cash`` X40 received
    (accounts that trade only); ``voids`` the others. ``volumes`` lots X44 bought, ``residues`` z
    lots X44, ``excesses`` e and ``tolerances`` c + 2 in ulps of X44 lots, ``next_references`` X40.
    ``house`` lots X44 and ``house_cash`` X40 are what the house receives. ``loss_x40`` bounds the
    welfare lost to rounding, ``freedom_x40`` what another accepted price vector could have moved.
    """

    prices: Mapping[int, int]
    fills: Mapping[bytes, Mapping[int, int]]
    rates: Mapping[bytes, tuple[int, ...]]
    cash: Mapping[bytes, int]
    voids: Mapping[bytes, VoidReason]
    volumes: Mapping[int, int]
    residues: Mapping[int, int]
    excesses: Mapping[int, int]
    tolerances: Mapping[int, int]
    next_references: Mapping[int, int]
    house: Mapping[int, int]
    house_cash: int
    loss_x40: int
    freedom_x40: int


def open_batch(state: BatchState, ciphertexts: Mapping[bytes, bytes]) -> tuple[Opened, ...]:
    """Open, decode and judge the ciphertext of each account, ascending (rules 1-8).

    Raises CertificateError: AccountNotLive, WrongCiphertext.
    """
    return open_listed(state, sorted(ciphertexts.items()))


def open_listed(
    state: BatchState, submissions: Iterable[tuple[bytes, bytes]]
) -> tuple[Opened, ...]:
    """As ``open_batch``, for (account, ciphertext) pairs in the order given, repeated or not."""
    live = {account.address: account for account in state.accounts}
    ticks = state.ticks
    opened = []
    for address, ciphertext in submissions:
        if address not in live:
            raise CertificateError("AccountNotLive", account=address)
        account = live[address]
        if seal_hash(state.batch_id, ciphertext) != account.seal_hash:
            raise CertificateError("WrongCiphertext", account=address)
        opened.append(_open(state, account, ciphertext, ticks))
    return tuple(opened)


def priced_products(opened: Sequence[Opened]) -> tuple[int, ...]:
    """Ids a settlement has to price, ascending."""
    return tuple(sorted({product for one in opened for product in one.products}))


def settle(state: BatchState, opened: Sequence[Opened], prices: Mapping[int, int]) -> Settlement:
    """The settlement at ``prices`` (X84 by product, ascending), if the contract accepts it.

    Raises CertificateError with the contract's reason otherwise.
    """
    check_prices(state, list(prices), list(prices.values()))
    _check_accounts(state, opened, prices)
    settlement = evaluate(state, opened, prices)
    _check_ledgers(opened, settlement)
    listed = set(priced_products(opened))
    for k in prices:
        if k not in listed:
            raise CertificateError("PriceUnused", product=k)
        excess, tolerance = settlement.excesses[k], settlement.tolerances[k]
        if abs(excess) > tolerance:  # [C-1]
            raise CertificateError("NotCleared", product=k, excess=excess, tolerance=tolerance)
        _check_house(k, state.products[k].house + settlement.house[k])
    _check_house(CASH, state.house_cash + settlement.house_cash)
    return settlement


def evaluate(state: BatchState, opened: Sequence[Opened], prices: Mapping[int, int]) -> Settlement:
    """What ``prices`` would do, whether or not they clear; they must cover every listed product."""
    ticks = state.ticks
    tally = _Tally(prices)
    for one in opened:
        if one.reason is None and one.submission is not None:
            tally.add(one.account.address, one.submission, ticks)
    return tally.settlement(
        state.products, {one.account.address: one.reason for one in opened if one.reason}
    )


def _open(
    state: BatchState, account: AccountState, ciphertext: bytes, ticks: Mapping[int, int]
) -> Opened:
    body = unseal(state.secret, ciphertext, account.address, state.batch_id)
    if body is None:
        return Opened(account, None, VoidReason.UNOPENED, ())
    decoded = decode(body, ciphertext_length=len(ciphertext), units=account.units, ticks=ticks)
    reason = decoded.reason or _status(decoded, account, state.scheduled_lock_out)
    return Opened(account, decoded.submission, reason, decoded.products)


def _status(decoded: Decoded, account: AccountState, lock_out: int) -> VoidReason | None:
    """Rules 6-8."""
    submission = decoded.submission
    assert submission is not None
    if submission.valid_until and submission.valid_until < lock_out:
        return VoidReason.EXPIRED
    gas = decoded.gas + word_gas(decoded.products, account.home)
    if gas > account.units * UNIT_GAS:
        return VoidReason.OVERSIZED
    needed = cover(submission)
    covered = needed.cash <= account.cash and all(
        lots <= account.lots.get(product, 0) for product, lots in needed.lots.items()
    )
    return None if covered else VoidReason.UNCOVERED


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


def _check_ledgers(opened: Sequence[Opened], settlement: Settlement) -> None:
    """Coverage keeps ledgers above zero, clearing below custody; wrong prices might do neither."""
    for one in opened:
        address = one.account.address
        if address not in settlement.fills:
            continue
        moves = [
            (k, one.account.lots.get(k, 0), fill) for k, fill in settlement.fills[address].items()
        ]
        for asset, held, move in [*moves, (CASH, one.account.cash, settlement.cash[address])]:
            if not 0 <= held + move < LEDGER_BOUND:
                raise CertificateError(
                    "LedgerOutOfRange", account=address, asset=asset, balance=held + move
                )


def _check_house(asset: int, holding: int) -> None:
    if not 0 <= holding < LEDGER_BOUND:  # [C-2]
        raise CertificateError("HouseShort", asset=asset, holding=holding)


class _Tally:
    """Sums of a settlement while its accounts are added."""

    def __init__(self, prices: Mapping[int, int]) -> None:
        self.prices = prices
        self.fills: dict[bytes, dict[int, int]] = {}
        self.rates: dict[bytes, tuple[int, ...]] = {}
        self.cash: dict[bytes, int] = {}
        self.loss = 0
        self.residues = dict.fromkeys(prices, 0)
        self.volumes = dict.fromkeys(prices, 0)
        self.tolerances = dict.fromkeys(prices, 2)
        self.touches = dict.fromkeys(prices, 0)  # C: as the tolerance, of every auth

    def add(self, address: bytes, submission: Submission, ticks: Mapping[int, int]) -> None:
        fills = dict.fromkeys(submission.products, 0)
        rates, cash = [], 0
        for auth in submission.auths:
            pi = portfolio_price(auth, self.prices)
            rate, sloped, loss = demand(auth, ticks, pi)
            rates.append(rate)
            cash += floor_div(-pi * rate, 1 << 88)  # payer rounds up, receiver down
            self.loss += loss
            for leg in auth.legs:
                k, ulps = leg.product, abs(leg.weight) + 1
                fill = leg.weight * rate
                fills[k] += fill
                self.residues[k] += fill
                self.volumes[k] += max(fill, 0)
                self.touches[k] += ulps
                if sloped:
                    self.tolerances[k] += ulps
        self.fills[address], self.rates[address], self.cash[address] = fills, tuple(rates), cash

    def settlement(
        self, products: Mapping[int, Product], voids: Mapping[bytes, VoidReason]
    ) -> Settlement:
        excesses = {k: z - products[k].maker(self.prices[k]) for k, z in self.residues.items()}
        scaled = sum((abs(e) + 1) ** 2 * products[k].scale for k, e in excesses.items())
        reach = sum((4 * (c + 2)) ** 2 * products[k].scale for k, c in self.touches.items())
        size = sum(ceil_div(v, X44) ** 2 * products[k].scale for k, v in self.volumes.items())
        return Settlement(
            prices=dict(self.prices),
            fills=self.fills,
            rates=self.rates,
            cash=self.cash,
            voids=voids,
            volumes=self.volumes,
            residues=self.residues,
            excesses=excesses,
            tolerances=self.tolerances,
            next_references={
                k: products[k].next_reference(p, self.volumes[k]) for k, p in self.prices.items()
            },
            house={k: -z for k, z in self.residues.items()},
            house_cash=-sum(self.cash.values()),
            loss_x40=ceil_div(self.loss, 1 << 89) + ceil_div(scaled, 1 << 63),  # [C-3]
            freedom_x40=ceil_div(ceil_sqrt(reach) * ceil_sqrt(size), 1 << 18),  # [C-4]
        )
