"""Settling a batch that no single transaction holds: verify, apply, restore chunks (SPEC §10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, Final, Protocol

from eth_utils.address import to_checksum_address

from walras.chain.client import NodeError
from walras.chain.market import Market
from walras.chain.reverts import UNNAMED
from walras.chain.trader import NOBODY, Trader
from walras.chain.transactions import Receipt
from walras.chunks import Run, begin
from walras.effects import Effect, account_word, decode_effects
from walras.errors import Reverted
from walras.numbers import UNIT_GAS
from walras.operator.clearing import Cleared, Log
from walras.operator.decide import TRANSACTION_BYTES, Weight
from walras.operator.meter import Meter
from walras.operator.runs import Runs, parts_of
from walras.store import Journal

__all__ = ["Chunks", "How", "run_words"]

_PRICE_BYTES: Final = 64
_ACTIONS: Final = {"verified": "Verify", "applied": "Apply", "restored": "Restore"}


class How(Protocol):
    """How a numbered part of an action is sent: what was signed before, and who watches."""

    def __call__(self, part: str, /) -> dict[str, Any]:
        """Arguments of the sender."""


class Chunks:
    """Chunks of one market's batches, sent by one account."""

    def __init__(
        self,
        market: Market,
        trader: Trader,
        journal: Journal,
        log: Log,
        checkpoint: Callable[[str], None],
        *,
        meter: Meter,
        gas: int,
    ) -> None:
        """`gas` is what the declared units of one transaction may come to; a chunk gets less."""
        self._market = market
        self._runs = Runs(market)
        self._trader = trader
        self._journal = journal
        self._log = log
        self._checkpoint = checkpoint
        self._meter = meter
        self._gas = gas

    def weigh(self, batch: int, cleared: Cleared, *, begun: bool) -> Weight:
        """What one transaction would carry to settle the whole batch; `begun` if one was signed."""
        accounts = cleared.book.state.accounts
        units = sum(a.units + (a.amendment.units if a.amendment else 0) for a in accounts)
        size = len(cleared.submissions) + _PRICE_BYTES * len(cleared.prices)
        weight = Weight(units * UNIT_GAS, size, begun=begun)
        if not begun and size <= TRANSACTION_BYTES:
            estimate, refused = self._estimate(batch, cleared)
            weight = replace(weight, estimate=estimate, refused=refused)
        self._log.info("weighed", batch=batch, **asdict(weight))
        return weight

    def _estimate(self, batch: int, cleared: Cleared) -> tuple[int | None, bool]:
        """Gas that one transaction takes, None if the node would not run it now; if for its gas."""
        try:
            return self._trader.estimate_settle(batch, cleared.prices, cleared.submissions), False
        except (Reverted, NodeError) as error:
            return None, _ended_gas(error)

    def verify(self, batch: int, cleared: Cleared, how: How) -> None:
        """Verify what is not verified yet; with the last chunk the batch is settled.

        Goes on from whoever came furthest under the same prices; what stands in the way is
        restored.
        """
        sender, chunks = self._runs.furthest(cleared)
        ((*_, unapplied),) = self._market.read_all([("batch",)])
        exclusive = self._exclusive(batch)
        if exclusive and unapplied != sum(chunk.written for chunk in chunks):
            sender, chunks = NOBODY, []
        if unapplied and not chunks:
            self.restore(batch, how)
        again = len(self._market.restored_events(batch))
        listed = chunks[-1].run.sums.listed if chunks else 0
        parts = parts_of(cleared, self._gas * 3 // 4, listed)
        self._checkpoint("chunked")
        first, done = len(chunks), [(c.digest, c.encoded) for c in chunks]
        for number, part in enumerate(parts, first):
            run = chunks[-1].run if chunks else begin(cleared.prices)
            # the twin comes first; only the block tells whether it is still the operator's time
            chunk = self._runs.go_on(cleared, run, part, ahead=exclusive)
            receipt = self._trader.verify(
                *(batch, sender, run_words(run), cleared.prices, part.submissions),
                **how(f".{again}.{number}"),
            )
            ahead = self._runs.ahead(batch, receipt.block_number)
            if ahead != exclusive:
                chunk, exclusive = self._runs.go_on(cleared, run, part, ahead=ahead), ahead
            chunks.append(chunk)
            done.append((chunk.digest, chunk.encoded))
            self._journal.remember_effects(batch, done)
            self._done("verified", batch, number, first + len(parts), receipt.gas_used)
            sender = self._trader.sender.address

    def apply(self, batch: int, how: How) -> None:
        """Write every chunk of a settled batch that is not written yet."""

        def waits(_: Sequence[Effect], owners: Sequence[str]) -> bool:
            return any(self._market.read_all([("isFrozen", owner) for owner in owners]))

        self._write(batch, "applied", self._trader.apply_chunk, waits, "", how)

    def restore(self, batch: int, how: How) -> None:
        """Take back every chunk that an unsettled batch has written ahead."""

        def ahead(found: Sequence[Effect], owners: Sequence[str]) -> bool:
            stored = self._market.read_all([("account", owner) for owner in owners])
            words = [account_word(*raw[:6]) for raw in stored]
            return any(
                effect.before is not None and effect.after.word == word
                for effect, word in zip(found, words, strict=True)
            )

        after = len(self._market.verified_events(batch))
        self._write(batch, "restored", self._trader.restore_chunk, ahead, f".restore.{after}", how)

    def _write(
        self,
        batch: int,
        what: str,
        send: Callable[..., Receipt],
        left: Callable[[Sequence[Effect], Sequence[str]], bool],
        part: str,
        how: How,
    ) -> None:
        """Chunk after chunk while something of it is `left`; in halves where none fits a block."""
        chunks = self._effects(batch)
        digests = [digest for digest, _ in chunks]
        for number, (_, effects) in enumerate(chunks):
            found = list(decode_effects(effects))
            owners = [to_checksum_address(effect.account) for effect in found]
            most, sent = len(found), 0
            while left(found, owners):
                name = f"{part}.{number}.{sent}"
                try:
                    receipt = send(batch, digests, number, effects, most, **how(name))
                except (Reverted, NodeError) as error:
                    if most <= 1 or not _ended_gas(error):
                        raise
                    most //= 2
                    continue
                sent += 1
                self._done(what, batch, number, len(chunks), receipt.gas_used)

    def _effects(self, batch: int) -> tuple[tuple[bytes, bytes], ...]:
        kept = self._journal.effects(batch)
        found = self._runs.effects(batch, kept)
        self._journal.remember_effects(batch, found)
        return found

    def _exclusive(self, batch: int) -> bool:
        """Whether it is the operator's time, by the newest block."""
        now = self._market.client.block("latest").timestamp
        return now < self._market.schedule.boundaries(batch).exclusive_until

    def _done(self, what: str, batch: int, number: int, count: int, gas: int) -> None:
        self._checkpoint(what)
        self._meter.used(_ACTIONS[what], gas)
        self._log.info(what, batch=batch, chunk=number, of=count, gas=gas)


def _ended_gas(error: Reverted | NodeError) -> bool:
    """Whether the node refused for gas alone."""
    if isinstance(error, Reverted):
        return error.name == UNNAMED  # the contract always names its reason
    return "gas" in error.reason.lower()


def run_words(run: Run) -> tuple[Any, ...]:
    """The contract's struct."""
    return tuple((run.fields | {"last": to_checksum_address(run.last)}).values())
