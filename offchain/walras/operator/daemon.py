"""The clearer's loop: look, decide, act, remember. Stops loudly rather than mend itself."""

from __future__ import annotations

from typing import Final

from walras.chain.market import Market
from walras.chain.sender import Sender
from walras.chain.transactions import NonceTaken
from walras.errors import (
    CertificateError,
    ChainError,
    ClearingError,
    Reverted,
    StoreError,
    WalrasError,
)
from walras.operator.acting import Actions, Mismatch, describe
from walras.operator.decide import Decision, Halt, OwnView, Reveal, Wait, alerts, decide
from walras.operator.keys import BatchKeys
from walras.operator.settings import ClearerSettings
from walras.operator.surroundings import Surroundings
from walras.operator.view import Observer, Sight
from walras.store import Journal
from walras.words import counted

__all__ = ["Daemon", "Halted"]

# Time or somebody else was faster: the next look shows what is true now.
_RACES: Final = frozenset(
    {
        *("AlreadyOpen", "KeyTooLate", "WrongPhase", "NothingToClose"),
        *("NothingToApply", "NothingToRestore", "WrittenAhead", "WrongRun"),
    }
)
_LONGEST_PAUSE: Final = 30.0


class Halted(WalrasError):  # noqa: N818
    """The clearer stopped for a reason that a person has to look at."""


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
        self._actions = Actions(
            market,
            self._trader,
            journal,
            settings.transaction_gas,
            around,
            self._checkpoint,
            keys,
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
            self._actions.act(decision, sight)
        except Reverted as error:
            if error.name in _RACES:
                raise
            raise self._halt(f"unexpected refusal, nothing was sent: {error}") from error
        except (NonceTaken, StoreError, CertificateError, ClearingError, Mismatch) as error:
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

    def _checkpoint(self, step: str) -> None:
        self._meter.passed(step)
        self._told(step)

    def _halt(self, reason: str) -> Halted:
        self._meter.halted(reason)
        self._log.error("halted", reason=reason)
        return Halted(f"halted: {reason}")
