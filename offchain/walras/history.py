"""What a settled batch did, as rows: prices, accounts, fills, shadow prices, in exact integers.

Everything follows from what the settlement posted and from its events; no ledger is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from walras.auths import Submission
from walras.batch import Product
from walras.bodies import Posting
from walras.curve import portfolio_price
from walras.decoding import VoidReason, decode
from walras.errors import ChainError
from walras.history_lines import AccountLine, BatchLine, FillLine, PriceLine, ShadowLine
from walras.numbers import MAX_UNITS
from walras.opening import Entry
from walras.sealing import SEAL_OVERHEAD, unseal
from walras.tally import trade

__all__ = ["Facts", "History", "Reader"]

_KEPT: Final = 4_096  # decoded bodies; those that stand come back batch after batch


@dataclass(frozen=True, slots=True)
class Facts:
    """What events tell of a settled batch beside its posting. Accounts are 20 bytes.

    ``block`` settled it, ``time`` is its lock-out (unix seconds). ``products`` are those posted,
    with scale and reference from before; ``volumes`` lots X44; ``loss`` and ``freedom`` cash X40.
    ``live`` and ``void`` count accounts. ``rent`` X40 is what each unit of a standing account
    pays; ``units`` are those that each account declared.
    ``amended`` says whether an amendment replaced the submission.
    """

    batch: int
    block: int
    time: int
    settler: str
    products: Mapping[int, Product]
    volumes: Mapping[int, int]
    live: int
    void: int
    loss: int
    freedom: int
    rent: int
    units: Mapping[bytes, int]
    voids: Mapping[bytes, int] = field(default_factory=dict)
    joined: frozenset[bytes] = frozenset()
    ended: frozenset[bytes] = frozenset()
    amended: Mapping[bytes, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class History:
    """All rows of a settled batch; gas aside."""

    batch: BatchLine
    prices: tuple[PriceLine, ...]
    accounts: tuple[AccountLine, ...]
    fills: tuple[FillLine, ...]
    shadows: tuple[ShadowLine, ...]


class Reader:
    """Turns postings into rows; knows bodies that it has read before."""

    def __init__(self) -> None:
        self._read: dict[bytes, Submission] = {}

    def read(self, posting: Posting, facts: Facts) -> History:
        """The rows of one settled batch; without accounts if its posting has no entries."""
        accounts: list[AccountLine] = []
        fills: list[FillLine] = []
        shadows: list[ShadowLine] = []
        residue = dict.fromkeys(facts.products, 0) if posting.entries else {}
        for entry in posting.entries:
            cash = 0
            if entry.account not in facts.voids:
                submission = self._submission(posting, entry)
                prices = posting.shadows.get(entry.account, ())
                done = entry.done or (0,) * len(submission.limited)
                traded = trade(submission, posting.ticks, posting.prices, prices, done)
                cash = traded.cash
                fills += _fills(facts, posting, entry.account, submission, traded.rates)
                shadows += (
                    ShadowLine(facts.batch, entry.account, cost, facts.block, shadow)
                    for cost, shadow in enumerate(prices)
                )
                for product, fill in traded.fills.items():
                    residue[product] += fill
            accounts.append(_account(posting, facts, entry, cash))
        return History(
            _batch(posting, facts, accounts),
            tuple(_prices(posting, facts, residue)),
            tuple(accounts),
            tuple(fills),
            tuple(shadows),
        )

    def _submission(self, posting: Posting, entry: Entry) -> Submission:
        body: bytes | None = entry.payload
        if not _stood(posting, entry):
            body = unseal(posting.secret, entry.payload, entry.account, posting.batch_id)
        found = self._read.get(body or b"")
        if found is None and body is not None:
            length = SEAL_OVERHEAD + len(body)
            found = decode(
                body, ciphertext_length=length, units=MAX_UNITS, ticks=posting.ticks
            ).submission
        if found is None or body is None:
            raise ChainError(
                f"the submission of 0x{entry.account.hex()} traded but cannot be read; the node's "
                "logs are incomplete or its chain was reorganised, try again"
            )
        if len(self._read) >= _KEPT:
            self._read.clear()
        self._read[body] = found
        return found


def _stood(posting: Posting, entry: Entry) -> bool:
    """Whether the account was standing already, so that its payload is the plain body."""
    sealed = posting.sealed.get(entry.account)
    return sealed is None or sealed[1] != entry.payload


def _fills(
    facts: Facts, posting: Posting, account: bytes, submission: Submission, rates: tuple[int, ...]
) -> Iterator[FillLine]:
    for number, (auth, rate) in enumerate(zip(submission.auths, rates, strict=True)):
        if rate:
            price = portfolio_price(auth, posting.prices)
            legs = tuple((leg.product, leg.weight) for leg in auth.legs)
            yield FillLine(facts.batch, account, number, facts.block, rate, price, legs)


def _account(posting: Posting, facts: Facts, entry: Entry, cash: int) -> AccountLine:
    account, stood = entry.account, _stood(posting, entry)
    reason = facts.voids.get(account)
    units = facts.units[account]
    paid = units * facts.rent if stood and reason != VoidReason.RENT else 0
    change = ""
    if account in facts.ended:
        change = "complete" if reason is None else "ended"
    if account in facts.amended:
        change = "amended" if facts.amended[account] else change or "kept"
    elif account in facts.joined:
        change = "joined"
    return AccountLine(
        facts.batch,
        account,
        facts.block,
        stood,
        units,
        cash,
        paid,
        "" if reason is None else VoidReason(reason).name.lower(),
        change,
    )


def _prices(posting: Posting, facts: Facts, residue: Mapping[int, int]) -> Iterator[PriceLine]:
    for k, product in facts.products.items():
        price, volume = posting.prices[k], facts.volumes[k]
        yield PriceLine(
            batch=facts.batch,
            product=k,
            block_number=facts.block,
            price=price,
            reference=product.reference,
            next_reference=product.next_reference(price, volume),
            volume=volume,
            house=-residue[k] if k in residue else None,
        )


def _batch(posting: Posting, facts: Facts, accounts: list[AccountLine]) -> BatchLine:
    turnover = sum(posting.prices[k] * volume for k, volume in facts.volumes.items()) >> 88
    return BatchLine(
        batch=facts.batch,
        block_number=facts.block,
        time=facts.time,
        status="settled",
        settler=facts.settler,
        accounts=facts.live,
        voids=facts.void,
        turnover=turnover,
        loss=facts.loss,
        freedom=facts.freedom,
        rent=sum(line.rent for line in accounts),
    )
