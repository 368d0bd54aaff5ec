"""The clearer's loop: look, decide, act, remember. Stops loudly rather than mend itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from walras.chain.lockout import STANDING
from walras.chain.market import Market
from walras.chain.sender import Sender
from walras.chain.transactions import Attempt, NonceTaken, Receipt
from walras.errors import (
    CertificateError,
    ChainError,
    ClearingError,
    Reverted,
    StoreError,
    WalrasError,
)
from walras.operator.chunked import Chunks
from walras.operator.clearing import Clearing, Log, Solver
from walras.operator.decide import (
    Action,
    Apply,
    CloseVoid,
    Decision,
    Halt,
    Open,
    OwnView,
    RegisterKey,
    Reveal,
    Settle,
    Wait,
    alerts,
    decide,
    in_one,
)
from walras.operator.keys import BatchKeys
from walras.operator.meter import Meter
from walras.operator.settings import ClearerSettings
from walras.operator.view import Observer, Sight
from walras.store import Journal
from walras.words import counted

__all__ = ["Daemon", "Halted", "Surroundings", "describe"]

# Time or somebody else was faster: the next look shows what is true now.
_RACES: Final = frozenset(
    {"AlreadyOpen", "KeyTooLate", "NothingToApply", "NothingToClose", "WrongPhase"}
)
_LONGEST_PAUSE: Final = 30.0
_UNHEARD: Final = Meter()
_REMEMBERED: Final = 8  # batches of which the journal keeps seals and prices


class Halted(WalrasError):  # noqa: N818
    """The clearer stopped for a reason that a person has to look at."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a daemon is given instead of reaching for it.

    `checkpoint` is called by name between any two steps, `sleep` may raise to stop the daemon,
    `meter` hears what it does.
    """

    log: Log
    sleep: Callable[[float], None]
    solve: Solver
    checkpoint: Callable[[str], None] = lambda _: None
    meter: Meter = _UNHEARD


class Daemon:
    """One market's clearer for one account; with `keys` it is the operator's.

    Nothing is kept in memory that a restart would miss.
    """

    def __init__(
        self,
        market: Market,
        sender: Sender,
        journal: Journal,
        settings: ClearerSettings,
        around: Surroundings,
        keys: BatchKeys | None = None,
    ) -> None:
        self._market = market
        self._trader = market.bind(sender)
        self._account = sender.address
        self._journal = journal
        self._settings = settings
        self._keys = keys
        self._log = around.log
        self._sleep = around.sleep
        self._told = around.checkpoint
        self._meter = around.meter
        self._clearing = Clearing(market, journal, around.solve, around.log, around.meter)
        self._chunks = Chunks(
            market,
            self._trader,
            journal,
            around.log,
            self._checkpoint,
            meter=around.meter,
            gas=settings.transaction_gas,
        )
        self._observer = Observer(
            market,
            sender.address,
            journal,
            keys_ahead=settings.keys_ahead,
            confirmations=settings.confirmations,
            finalized=settings.finalized,
        )
        self._first_nonce: int | None = None
        self._said: object = None

    def run(self) -> None:
        """Work until stopped from outside, or Halted."""
        failures = 0
        while True:
            pause = self._settings.poll
            try:
                decision = self.step()
                failures = 0
                if not isinstance(decision, Wait):
                    continue
            except ChainError as error:
                failures += 1
                self._meter.failed(failures)
                self._log.warning("failed", error=str(error), failures=failures)
                if failures >= self._settings.max_failures:
                    raise self._halt(
                        f"{counted(failures, 'failure')} in a row, the last: {error}"
                    ) from error
                pause = min(pause * 2**failures, _LONGEST_PAUSE)
            self._sleep(pause)

    def once(self) -> list[Decision]:
        """Do everything that is due now; the decisions taken, the last of them a Wait."""
        taken: list[Decision] = []
        while not taken or not isinstance(taken[-1], Wait):
            taken.append(self.step())
        return taken

    def step(self) -> Decision:
        """Look, decide, act once. Raises Halted, or ChainError if another try may help."""
        try:
            sight = self._observer.look()
            self._meter.looked(sight)
            self._checkpoint("looked")
            decision = self._decide(sight)
            self._checkpoint("decided")
            self._act(decision, sight)
        except Reverted as error:
            if error.name in _RACES:
                raise
            raise self._halt(f"unexpected refusal, nothing was sent: {error}") from error
        except (NonceTaken, StoreError, CertificateError, ClearingError) as error:
            raise self._halt(str(error)) from error
        return decision

    # --------------------------------------------------------------------------------- deciding

    def _decide(self, sight: Sight) -> Decision:
        if sight.undone:
            self._log.warning("reorganised", blocks=sight.undone, head=sight.block_number)
        own = self._own(sight)
        decision = decide(sight.chain, own, sight.now)
        self._meter.decided(decision)
        worries = alerts(sight.chain, own)
        news = decision.reason if isinstance(decision, Wait) else decision
        if self._said != (news, worries):
            for worry in worries:
                self._log.warning("alert", reason=worry)
            self._log.info("decided", **describe(decision), time=sight.now)
            self._said = (news, worries)
        if isinstance(decision, Halt):
            raise self._halt(decision.reason)
        return decision

    def _own(self, sight: Sight) -> OwnView:
        chain, keys = sight.chain, self._keys
        batch = chain.batch.number
        signed = bool(self._journal.attempts(batch, Reveal.__name__))
        return OwnView(
            account=self._account,
            key_hashes={b: keys.hash(b) for b in chain.key_hashes} if keys else {},
            leaked=self._own_leaks(keys) if keys else (),
            acted_on=self._journal.lock_out(batch) if signed else None,
            nonces_used=self._nonces_used(chain.nonce),
            margin=self._settings.margin,
            least_balance=self._settings.least_balance,
        )

    def _nonces_used(self, now: int) -> int:
        """One more than the last nonce that this clearer, or a command beside it, can have used."""
        if self._first_nonce is None:
            self._first_nonce = now
        used = max(self._first_nonce, self._journal.nonces_used())
        accounted = self._trader.sender.accounted(used, now)
        if accounted > used:
            self._log.info("beside", nonces=list(range(used, accounted)))
            self._first_nonce = accounted
        return accounted

    def _own_leaks(self, keys: BatchKeys) -> tuple[int, ...]:
        leaks = self._journal.leaks()
        hashes = self._market.read_all([("keyHash", batch) for batch in leaks])
        return tuple(b for b, stored in zip(leaks, hashes, strict=True) if stored == keys.hash(b))

    # ----------------------------------------------------------------------------------- acting

    def _act(self, decision: Decision, sight: Sight) -> None:
        match decision:
            case RegisterKey(batch) if self._keys:
                point = self._keys.public(batch)
                self._done(
                    decision, self._trader.register_key(batch, *point, **self._how(decision))
                )
            case Reveal(batch) if self._keys and sight.chain.lock_out:
                self._journal.remember_lock_out(batch, sight.chain.lock_out)
                self._checkpoint("noted")
                secret = self._keys.secret(batch)
                self._done(decision, self._trader.reveal(batch, secret, **self._how(decision)))
            case Open(batch):
                self._done(decision, self._trader.open(batch, **self._how(decision)))
            case Settle(batch):
                self._settle(decision, batch)
            case Apply(batch):
                self._chunks.apply(batch, partial(self._how, decision))
            case CloseVoid(batch):
                self._log.error("void", batch=batch, consequence="the bond is slashed")
                self._done(decision, self._trader.close_void(batch, **self._how(decision)))
                self._forget(batch)
            case _:
                pass

    def _settle(self, decision: Settle, batch: int) -> None:
        cleared = self._clearing.prepare(batch)
        self._checkpoint("cleared")
        how = self._how(decision)
        block: int | None = None
        weight = self._chunks.weigh(batch, cleared, begun=bool(how["earlier"]))
        if in_one(weight, self._settings.transaction_gas):
            how["estimate"] = weight.estimate
            receipt = self._trader.settle(batch, cleared.prices, cleared.submissions, **how)
            self._done(decision, receipt)
            block = receipt.block_number
        else:
            self._chunks.verify(batch, cleared, partial(self._how, decision))
        event = self._market.settled_event(batch, block)
        if event is None or dict(zip(event.products, event.prices, strict=True)) != cleared.prices:
            raise self._halt(f"batch {batch} did not settle at the prices sent; audit it")
        settlement = cleared.settlement
        if (event.loss, event.freedom) != (settlement.loss_x40, settlement.freedom_x40):
            raise self._halt(f"batch {batch} settled with bounds other than computed; audit it")
        self._meter.settled(batch)
        self._log.info("settled", batch=batch, accounts=event.live, voids=event.voids)
        self._forget(batch)

    def _forget(self, batch: int) -> None:
        """Drop what no later step can need, so that the journal does not grow for ever."""
        owners = sorted(self._journal.stood())
        words = self._market.read_all([("account", owner) for owner in owners])
        standing = {o: word[6] for o, word in zip(owners, words, strict=True) if word[5] & STANDING}
        self._journal.forget(batch - _REMEMBERED, standing)

    def _how(self, decision: Action, part: str = "") -> dict[str, Any]:
        """How an action, or a part of it, is sent: earlier attempts resumed, each journalled."""
        name, batch = type(decision).__name__ + part, decision.batch

        def watch(stage: str, attempt: Attempt) -> None:
            if stage == "signed":
                self._journal.record_attempt(batch, name, attempt)
                self._log.info("signed", action=name, batch=batch, hash=attempt.hash.hex())
            self._checkpoint(stage)

        return {"earlier": self._journal.attempts(batch, name), "watch": watch}

    def _done(self, decision: Decision, receipt: Receipt) -> None:
        self._checkpoint("included")
        self._meter.used(type(decision).__name__, receipt.gas_used)
        self._log.info(
            "done",
            **describe(decision),
            hash=receipt.hash.hex(),
            block=receipt.block_number,
            gas=receipt.gas_used,
        )

    def _checkpoint(self, step: str) -> None:
        self._meter.passed(step)
        self._told(step)

    def _halt(self, reason: str) -> Halted:
        self._meter.halted(reason)
        self._log.error("halted", reason=reason)
        return Halted(f"halted: {reason}")


def describe(decision: Decision) -> dict[str, Any]:
    """A decision as fields of a log line or of JSON."""
    fields = {name: getattr(decision, name) for name in type(decision).__dataclass_fields__}
    return {"action": type(decision).__name__} | fields
