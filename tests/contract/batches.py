"""Batches of real sealed orders: entered, carried past lock-out, read back, settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_canonical_address

from tests.contract.node import Receipt
from tests.contract.support import OPERATOR, Bench, address
from tests.reference import clearing
from tests.vectors.cases.codec import reading_of
from walras.auths import Auth, Leg, Step, Submission, cover
from walras.batch import CASH, AccountState, BatchState
from walras.certificate import Opened, Settlement, open_batch, priced_products, settle
from walras.numbers import X40, ceil_div
from walras.opening import Entry
from walras.schedule import Phase
from walras.sealing import SEAL_OVERHEAD, encode_point, public_key, seal
from walras.settlement import encode_submissions, outcome_hash
from walras.submission import encode, required_units

Pairs = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Bid:
    """What one account seals, and what it deposits beyond fee and cover.

    `units` are declared if given, else what is needed less `fewer`. `body` replaces the encoding of
    `auths`, `spoil` changes the ciphertext, `short` takes cash units off the deposit, `spare` adds
    some. `home` is deposited first (one lot), `held` are further lots.
    """

    auths: tuple[Auth, ...] = ()
    valid_until: int = 0
    units: int | None = None
    fewer: int = 0
    body: bytes | None = None
    spoil: Callable[[bytes], bytes] | None = None
    short: int = 0
    spare: int = 0
    home: int | None = None
    held: tuple[tuple[int, int], ...] = ()


@dataclass
class Book:
    """A batch past its seals. `names` are the owners by the name of their bid."""

    bench: Bench
    batch: int
    names: dict[str, str]
    pairs: Pairs

    def joined(self, other: Book) -> Book:
        """Both books of one batch."""
        names, pairs = {**self.names, **other.names}, sorted([*self.pairs, *other.pairs])
        return Book(self.bench, self.batch, names, pairs)

    def state(self) -> BatchState:
        """What a settlement reads, from the contract."""
        bench = self.bench
        count = bench.look("productCount", self.batch)
        secret = bench.look("secret", self.batch)
        accounts = (self._account(owner, count) for owner in self.names.values())
        return BatchState(
            number=self.batch,
            batch_id=bench.id(self.batch),
            scheduled_lock_out=bench.schedule.boundaries(self.batch).lock_out,
            products={k: bench.product(k) for k in range(count)},
            accounts=tuple(sorted(accounts, key=lambda a: a.address)),
            house_cash=bench.treasury()["house_cash"],
            secret=secret,
        )

    def opened(self) -> tuple[BatchState, tuple[Opened, ...]]:
        """The state, and every submission opened by the twin."""
        state = self.state()
        return state, open_batch(state, self.entries())

    def entries(self, pairs: Pairs | None = None) -> list[Entry]:
        """Items of a settlement, in the order given."""
        return [Entry(*pair) for pair in (self.pairs if pairs is None else pairs)]

    def prices(self) -> dict[int, int]:
        """The exact root of the book, rounded to X84, by the reference's rational arithmetic."""
        return exact_prices(*self.opened())

    def twin(self, prices: Mapping[int, int]) -> Settlement:
        """The twin's settlement."""
        state, opened = self.opened()
        return settle(state, opened, prices)

    def arguments(
        self, prices: Mapping[int, int], pairs: Pairs | None = None
    ) -> tuple[int, list[int], list[int], bytes]:
        """Of `settle`, in the order given."""
        data = encode_submissions(self.entries(pairs))
        return self.batch, list(prices), list(prices.values()), data

    def settle(self, prices: Mapping[int, int], sender: str = OPERATOR) -> Receipt:
        return self.bench.do(sender, "settle", *self.arguments(prices))

    def refusal(
        self, prices: Mapping[int, int], pairs: Pairs | None = None, **how: Any
    ) -> tuple[Any, ...] | None:
        """Why the contract would not settle so, None if it would."""
        sender = how.pop("sender", OPERATOR)
        return self.bench.refusal(sender, "settle", *self.arguments(prices, pairs), **how)

    def _account(self, owner: str, count: int) -> AccountState:
        raw = self.bench.account(owner)
        return AccountState(
            address=to_canonical_address(owner),
            cash=raw["cash"],
            lots={k: held for k in range(count) if (held := self.bench.balance(owner, k))},
            home=raw["home_product"] - 1 if raw["home_product"] else None,
            units=raw["units"],
            seal_hash=raw["seal_hash"],
        )


def exact_prices(state: BatchState, opened: Sequence[Opened]) -> dict[int, int]:
    """Clearing prices X84 of opened submissions, solved in rationals."""
    return exact_root(state, opened)[0]


def exact_root(
    state: BatchState, opened: Sequence[Opened]
) -> tuple[dict[int, int], dict[bytes, tuple[int, ...]]]:
    """The same with the shadow prices X84 of the accounts that trade with costs."""
    products = priced_products(opened)
    listed = [state.products[k] for k in products]
    makers = [clearing.maker_of(p.id, p.reference, p.scale) for p in listed]
    trading = [(one, one.submission) for one in opened if one.reason is None and one.submission]
    readings = [(reading_of(submission), one.done) for one, submission in trading]
    book = clearing.Book.read(makers, readings, state.ticks)
    prices, shadows = map(clearing.to_x84, clearing.clearing_point(book))
    left = iter(shadows)
    given = {
        one.account.address: tuple(next(left) for _ in submission.costs)
        for one, submission in trading
        if submission.costs
    }
    return dict(zip(products, prices, strict=True)), given


def enter(bench: Bench, batch: int, bids: Mapping[str, Bid]) -> Book:
    """Deposit and seal every bid in the batch's OPEN phase."""
    if bench.chain.now < bench.time(batch, Phase.OPEN):
        bench.go(batch, Phase.OPEN)
    names = {name: address(name) for name in bids}
    pairs = [
        (to_canonical_address(names[name]), place(bench, batch, names[name], bid))
        for name, bid in bids.items()
    ]
    return Book(bench, batch, names, sorted(pairs))


def place(bench: Bench, batch: int, owner: str, bid: Bid) -> bytes:
    """Deposit and seal one bid; its ciphertext."""
    ct = ciphertext(bench, batch, owner, bid)
    submission = Submission(bid.auths, bid.valid_until)
    units = bid.units
    if bid.home is not None:
        bench.deposit(owner, bid.home, bench.units[bid.home])
    if units is None:
        home = bench.account(owner)["home_product"] or None
        units = (
            100
            if bid.body is not None
            else required_units(submission, home=home and home - 1) - bid.fewer
        )
    needed = cover(submission)
    fee = sum(bench.look("admissionFee", units))
    cash = ceil_div(needed.cash + fee, X40) + bid.spare - bid.short
    amounts = {CASH: cash, **{k: lots >> 44 for k, lots in needed.lots.items()}}
    for k, lots in bid.held:
        amounts[k] = amounts.get(k, 0) + lots
    deposits = [(asset, n * bench.units[asset]) for asset, n in amounts.items() if n > 0]
    for asset, amount in deposits:
        bench.supply(owner, asset, amount)
    bench.do(owner, "depositAndSeal", deposits, units, ct, batch)
    return ct


def ciphertext(bench: Bench, batch: int, owner: str, bid: Bid) -> bytes:
    """The sealed bid, spoilt if it asks for it."""
    body = encode(Submission(bid.auths, bid.valid_until)) if bid.body is None else bid.body
    key = encode_point(*public_key(bench.key(batch)))
    ct = seal(key, body, to_canonical_address(owner), bench.id(batch))
    return bid.spoil(ct) if bid.spoil else ct


def run(bench: Bench, batch: int, bids: Mapping[str, Bid]) -> Book:
    """Enter the bids and carry the batch to its exclusive window."""
    book = enter(bench, batch, bids)
    bench.go(batch, Phase.CLEARING)
    return book


def order(
    weights: Mapping[int, int], price: float, buy: Sequence[int] = (), sell: Sequence[int] = ()
) -> Auth:
    """A portfolio at `price` cash units; each number is a step's width, a cash unit apart."""
    legs = tuple(Leg(k, w) for k, w in sorted(weights.items()))
    gap = X40 if buy and sell else 0
    return Auth(legs, int(price * X40), gap, steps(buy), steps(sell))


def steps(widths: Sequence[int]) -> tuple[Step, ...]:
    return tuple(Step(width, X40) for width in widths)


def buys(k: int, price: float, *widths: int) -> Bid:
    """Buy lots of one product from `price` cash units downward."""
    return Bid((order({k: 1}, price, buy=widths),))


def sells(k: int, price: float, *widths: int) -> Bid:
    """Sell lots of one product from `price` cash units upward."""
    return Bid((order({k: 1}, price, sell=widths),))


__all__ = [
    "SEAL_OVERHEAD",
    "Bid",
    "Book",
    "Pairs",
    "buys",
    "ciphertext",
    "enter",
    "exact_prices",
    "exact_root",
    "order",
    "outcome_hash",
    "place",
    "run",
    "sells",
    "steps",
]
