"""The venue on a chain: real seals, the operator's real daemon, and what the contract says."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from eth_utils.address import to_canonical_address, to_checksum_address

from walras.auths import Submission
from walras.batch import CASH, AccountState
from walras.chain.crowd import Crowd, Sent
from walras.chain.devnode import DevNode
from walras.chain.interface import call
from walras.numbers import X40, X44
from walras.sealing import batch_id, seal
from walras.simulate.agents import Cancel, Endowment, Seal
from walras.simulate.desk import Desk
from walras.simulate.onchain.opening import CASH_UNIT, LOT, open_market, operator_of
from walras.simulate.onchain.operator import Operator
from walras.simulate.onchain.reading import Books, History, Settled
from walras.simulate.venue import Outcome, Totals
from walras.submission import encode, required_units

__all__ = ["ChainMarket"]

_PURSE: Final = 1  # cash units for fees and rents, which are billionths of one


class ChainMarket:
    """The venue on a private Anvil; batches have the numbers they have in memory.

    Its clock is the chain's: a batch lasts as long as the market's, whatever ``interval`` says.
    ``engine`` names the solver, ``tell`` hears what is done before the first batch, ``clearer`` are
    settings of the operator's.
    """

    def __init__(
        self,
        desk: Desk,
        interval: float,
        *,
        node: DevNode,
        directory: Path,
        engine: str = "walras",
        tell: Callable[[str], None] = lambda _: None,
        clearer: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        tell("deploying")
        sender = operator_of(node)
        self.market = open_market(node, sender, desk)
        self.number = 1
        self.accounts: dict[bytes, AccountState] = {}
        self._settler = sender.address
        self._node = node
        self._interval = interval
        self._tell = tell
        self._crowd = Crowd(node)
        self._operator = Operator(self.market, sender, directory, engine, **clearer)
        self._operator.work()
        self._history = History(self.market)
        self._books = Books(self.market)
        self._actions: list[tuple[bytes, Seal | Cancel]] = []
        self._live: dict[bytes, Submission] = {}  # in the batch being filled
        self._amended: dict[bytes, Submission] = {}
        self._standing: set[bytes] = set()
        self._seconds: dict[str, float] = {}

    def deposit(self, endowments: Mapping[bytes, Endowment]) -> None:
        """Mint what everybody brings, and bring it in."""
        self._tell("depositing")
        assets = {CASH, *(k for endowment in endowments.values() for k in endowment.shares)}
        tokens = {asset: self.market.token(asset) for asset in assets}
        self._crowd.join(endowments)
        self._crowd.send(
            [
                sent
                for account, endowment in endowments.items()
                for asset, amount in _base_units(endowment).items()
                for sent in self._brought(account, asset, tokens[asset], amount)
            ]
        )
        unread = {account: AccountState(account, 0, {}, None, 0, b"") for account in endowments}
        touched = {account: endowment.ledger[1] for account, endowment in endowments.items()}
        self.accounts = self._books.accounts(unread, touched)

    def enter(self, address: bytes, action: Seal | Cancel | None) -> None:
        """Keep it until the batch is filled: everybody's transactions are sent together."""
        if isinstance(action, Cancel):
            if self._live.pop(address, None) is None:
                return
            self._standing.discard(address)
            self._amended.pop(address, None)
        elif isinstance(action, Seal) and address in self._standing:
            self._amended[address] = action.submission
        elif isinstance(action, Seal):
            self._live[address] = action.submission
        if action is not None:
            self._actions.append((address, action))

    def stands(self, address: bytes) -> bool:
        """Whether the account has a standing submission."""
        return address in self._standing

    def totals(self) -> Totals:
        """What there is in all, fees and bond with it; ChainError if the contract disagrees."""
        return self._books.totals(self.accounts, self._settler)

    def clear(self) -> Outcome:
        """Send what was entered, move the clock past lock-out, let the operator settle, read."""
        bounds = self.market.schedule.boundaries(self.number)
        self._seconds = {}
        self._operator.gauge.reset()
        with self._timed("operate"):
            self._node.warp(bounds.start)
            self._operator.work()
        with self._timed("seal"):
            gas, seals = self._send()
        if self._live:
            with self._timed("read"):
                before = self._books.cash(sorted(self._live))
            with self._timed("operate"):
                self._node.warp(bounds.reveal_from)
                self._operator.work()
            with self._timed("read"):
                outcome = self._read(before)
        else:
            outcome = Outcome.empty(self.number)  # it does not happen
        self._advance(outcome)
        gauge = self._operator.gauge
        solve = gauge.seconds.get("solved", 0.0)
        self._seconds["operate"] -= solve
        settle = sum(gauge.gas[name] for name in ("Settle", "Verify", "Apply"))
        return replace(
            outcome,
            seconds={**self._seconds, "solve": solve},
            figures={
                "seals": seals,
                "seal_gas": gas,
                "settle_gas": settle,
                "operator_gas": gauge.gas.total() - settle,
                "chunks": gauge.transactions["Verify"] or gauge.transactions["Settle"],
            },
        )

    # --------------------------------------------------------------------------------- sending

    def _brought(self, account: bytes, asset: int, token: str, amount: int) -> Iterator[Sent]:
        """Mint, approve, deposit."""
        market = self.market.address
        mint = call("MockToken", token, "mint", to_checksum_address(account), amount)
        yield Sent(account, token, mint.data)
        yield Sent(account, token, call("MockToken", token, "approve", market, amount).data)
        yield Sent(account, market, self._call("deposit", asset, amount))

    def _send(self) -> tuple[int, int]:
        """Gas and number of the transactions that the actions come to."""
        if not self._actions:
            return 0, 0
        market, actions = self.market.address, self._actions
        number = batch_id(self._node.client.chain_id, to_canonical_address(market), self.number)
        key = self.market.batch_key(self.number)
        sent = [
            Sent(account, market, self._data(account, a, key, number)) for account, a in actions
        ]
        self._actions = []
        return sum(self._crowd.send(sent)), len(sent)

    def _data(self, account: bytes, action: Seal | Cancel, key: bytes, number: bytes) -> bytes:
        """Calldata of an action: a submission sealed to the batch's key, or a cancellation."""
        if isinstance(action, Cancel):
            return self._call("cancel")
        submission = self._dated(action.submission)
        ciphertext = seal(key, encode(submission), account, number)
        units = required_units(
            submission, home=self.accounts[account].home, ciphertext_length=len(ciphertext)
        )
        return self._call("seal", units, ciphertext, self.number)

    def _dated(self, submission: Submission) -> Submission:
        """The same with the chain's clock: it expires after the same batch as in memory."""
        if not submission.valid_until:
            return submission
        last = math.ceil((submission.valid_until + 1) / self._interval) - 1
        until = self.market.schedule.boundaries(last).lock_out
        return replace(submission, valid_until=until)

    def _call(self, name: str, *args: object) -> bytes:
        return call("Walras", self.market.address, name, *args).data

    # --------------------------------------------------------------------------------- reading

    def _read(self, before: Mapping[bytes, int]) -> Outcome:
        """The batch by its events, and by what the ledgers of those who were live became."""
        settled = self._history.settled(self.number)
        live = {account: self._live[account] for account in before}
        after = self._books.accounts(self.accounts, {a: s.products for a, s in live.items()})
        rates = settled.rates(live)
        products = [line.product for line in settled.prices]
        outcome = Outcome(
            number=self.number,
            submissions=live,
            prices={line.product: line.price for line in settled.prices},
            volumes={line.product: line.volume for line in settled.prices},
            references=self._books.references(products),
            rates=rates,
            fills={a: self._moved(after[a], live[a].products) for a in rates},
            cash=_received(settled, before, after),
            voids=settled.voids,
            standing=frozenset(a for a, account in after.items() if account.standing),
            amended=settled.amended,
            loss=settled.batch.loss,
            freedom=settled.batch.freedom,
            seconds={},
        )
        self.accounts |= after
        return outcome

    def _moved(self, after: AccountState, products: tuple[int, ...]) -> dict[int, int]:
        """What came into an account's ledgers of these products, lots X44."""
        lots = self.accounts[after.address].lots
        return {k: after.lots[k] - lots.get(k, 0) for k in products}

    def _advance(self, outcome: Outcome) -> None:
        """Who stands is live in the next batch."""
        wanted = {a: self._amended[a] for a in outcome.amended}
        self._live = {a: wanted.get(a) or self._live[a] for a in sorted(outcome.standing)}
        self._standing = set(self._live)
        self._amended = {}
        self.number += 1

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._seconds[part] = self._seconds.get(part, 0.0) + time.perf_counter() - began


def _base_units(endowment: Endowment) -> dict[int, int]:
    """By asset, products ascending: the first one becomes the account's home, as in memory."""
    cash, lots = endowment.ledger
    amounts = {k: lots[k] // X44 * LOT for k in sorted(lots)}
    return {**amounts, CASH: (cash // X40 + _PURSE) * CASH_UNIT}


def _received(
    settled: Settled, before: Mapping[bytes, int], after: Mapping[bytes, AccountState]
) -> dict[bytes, int]:
    """Cash X40 that trading brought those who traded: the ledger's change, and the rent back."""
    return {
        line.account: after[line.account].cash - before[line.account] + line.rent
        for line in settled.accounts
        if not line.reason
    }
