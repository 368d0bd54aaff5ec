"""The market between batches, as the contract keeps it: ledgers, standing orders, references.

No chain and no sealing: a submission is judged, cleared by the engine, checked by the integer
certificate and applied exactly as the contract would, from the moment it would have been opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from walras.auths import Submission, cover
from walras.batch import AccountState, BatchState, least_house_cash
from walras.certificate import Opened, Replacement, Settlement, Standing, settle
from walras.clearing.problem import Solved, solve_batch
from walras.decoding import VoidReason
from walras.numbers import MAX_UNITS
from walras.settlement import apply
from walras.simulate.agents import Cancel, Endowment, Seal
from walras.simulate.desk import Desk
from walras.simulate.venue import Outcome, Totals

__all__ = ["Cleared", "Market", "clear_again"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared(Outcome):
    """A batch settled in memory, with all that led to it."""

    state: BatchState
    opened: tuple[Opened, ...]
    settlement: Settlement
    found: Solved


class Market:
    """The venue in memory; batch ``number`` is the one being filled, ``watch`` sees each settled.

    ``interval`` seconds a batch; ``engine`` names the solver.
    """

    def __init__(
        self,
        desk: Desk,
        interval: float,
        *,
        engine: str = "walras",
        watch: Callable[[Cleared], None] = lambda _: None,
    ) -> None:
        self.desk = desk
        self.number = 1
        self.accounts: dict[bytes, AccountState] = {}
        self._standing: dict[bytes, tuple[Submission, tuple[int, ...]]] = {}
        self._sealed: dict[bytes, Submission] = {}
        self._amended: dict[bytes, Submission] = {}
        self.products = dict(desk.products)
        self._house_cash = least_house_cash(desk.products.values())
        self._last: Solved | None = None
        self._interval = interval
        self._engine = engine
        self._watch = watch

    def deposit(self, endowments: Mapping[bytes, Endowment]) -> None:
        """Open accounts with what they bring."""
        for address, endowment in endowments.items():
            cash, lots = endowment.ledger
            home = min(lots, default=None)
            self.accounts[address] = AccountState(address, cash, lots, home, MAX_UNITS, b"")

    def enter(self, address: bytes, action: Seal | Cancel | None) -> None:
        """What an account does while the batch is open."""
        if isinstance(action, Cancel):
            self._standing.pop(address, None)
            self._amended.pop(address, None)
            self._sealed.pop(address, None)
        elif isinstance(action, Seal) and address in self._standing:
            self._amended[address] = action.submission
        elif isinstance(action, Seal):
            self._sealed[address] = action.submission

    def stands(self, address: bytes) -> bool:
        """Whether the account has a standing submission."""
        return address in self._standing

    def totals(self) -> Totals:
        """What accounts and house own together; no batch changes it by one ulp."""
        cash = self._house_cash + sum(account.cash for account in self.accounts.values())
        lots = {k: product.house for k, product in self.products.items()}
        for account in self.accounts.values():
            for k, held in account.lots.items():
                lots[k] += held
        return Totals(cash, lots)

    def clear(self) -> Cleared:
        """Clear, check and apply the batch, and open the next one."""
        begun = time.perf_counter()
        state = self._state()
        opened = tuple(self._opened(state, account) for account in state.accounts)
        judged = time.perf_counter()
        found = solve_batch(state, opened, engine=self._engine, warm=self._last)
        solved = time.perf_counter()
        settlement = settle(state, opened, *found)
        if opened:  # a batch with nobody in it does not happen on a chain
            self._last = found
        self._advance(apply(state, settlement), settlement)
        seconds = {
            "judge": judged - begun,
            "solve": solved - judged,
            "settle": time.perf_counter() - solved,
        }
        cleared = _cleared(state, opened, settlement, found, seconds)
        self._watch(cleared)
        return cleared

    def _state(self) -> BatchState:
        live = sorted({*self._standing, *self._sealed})
        return BatchState(
            number=self.number,
            batch_id=self.number.to_bytes(32),
            scheduled_lock_out=int(self.number * self._interval),
            products=self.products,
            accounts=tuple(
                replace(self.accounts[address], standing=address in self._standing)
                for address in live
            ),
            house_cash=self._house_cash,
            secret=0,
        )

    def _opened(self, state: BatchState, account: AccountState) -> Opened:
        """What opening would have found; nothing was sealed, so nothing can be malformed."""
        address = account.address
        if account.standing:
            submission, done = self._standing[address]
        else:
            submission = self._sealed[address]
            done = (0,) * len(submission.limited)
        products, replacement = submission.products, None
        amended = self._amended.get(address)
        if amended is not None:
            products = tuple(sorted({*products, *amended.products}))
            fresh = Standing(b"", (0,) * len(amended.limited), account.units)
            listed = amended.products
            replacement = Replacement(fresh if amended.standing else None, None, listed)
        reason = _status(submission, done, account, state.scheduled_lock_out)
        return Opened(account, submission, reason, products, done, replacement=replacement)

    def _advance(self, after: BatchState, settlement: Settlement) -> None:
        """Keep what the settlement leaves; seals and amendments of the batch are used up."""
        standing = {}
        for address, stand in settlement.standing.items():
            if address in settlement.amended:
                submission = self._amended[address]
            elif address in self._standing:
                submission = self._standing[address][0]
            else:
                submission = self._sealed[address]
            standing[address] = (submission, stand.done)
        self._standing = standing
        self._sealed, self._amended = {}, {}
        self.products = dict(after.products)
        self._house_cash = after.house_cash
        self.accounts.update({account.address: account for account in after.accounts})
        self.number += 1


def _cleared(
    state: BatchState,
    opened: tuple[Opened, ...],
    settlement: Settlement,
    found: Solved,
    seconds: Mapping[str, float],
) -> Cleared:
    return Cleared(
        number=state.number,
        submissions={o.account.address: o.submission for o in opened if o.submission is not None},
        prices=settlement.prices,
        volumes=settlement.volumes,
        references=settlement.next_references,
        rates=settlement.rates,
        fills=settlement.fills,
        cash=settlement.cash,
        voids=settlement.voids,
        standing=frozenset(settlement.standing),
        amended=settlement.amended,
        loss=settlement.loss_x40,
        freedom=settlement.freedom_x40,
        seconds=seconds,
        state=state,
        opened=opened,
        settlement=settlement,
        found=found,
    )


def clear_again(
    cleared: Cleared,
    *,
    opened: Sequence[Opened] | None = None,
    engine: str = "walras",
    warm: Solved | None = None,
) -> Settlement:
    """The settlement of the same batch by another engine, from other prices, or of other orders."""
    wanted = cleared.opened if opened is None else opened
    return settle(
        cleared.state, wanted, *solve_batch(cleared.state, wanted, engine=engine, warm=warm)
    )


def _status(
    submission: Submission, done: tuple[int, ...], account: AccountState, lock_out: int
) -> VoidReason | None:
    """Rules 7 and 10: nothing is paid for capacity here."""
    if submission.valid_until and submission.valid_until < lock_out:
        return VoidReason.EXPIRED
    needed = cover(submission, done)
    covered = needed.cash <= account.cash and all(
        lots <= account.lots.get(product, 0) for product, lots in needed.lots.items()
    )
    return None if covered else VoidReason.UNCOVERED
