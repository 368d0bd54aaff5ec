"""What a clearer does once it has decided: each action sent, journalled, and checked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from walras.chain.lockout import STANDING
from walras.chain.market import Market
from walras.chain.trader import Trader
from walras.chain.transactions import Attempt, Receipt
from walras.errors import WalrasError
from walras.operator.chunked import Chunks
from walras.operator.clearing import Clearing
from walras.operator.decide import (
    FIXED_GAS,
    Action,
    Apply,
    CloseVoid,
    Decision,
    Open,
    RegisterKey,
    Restore,
    Reveal,
    Settle,
    in_one,
)
from walras.operator.keys import BatchKeys
from walras.operator.surroundings import Surroundings
from walras.operator.view import Sight
from walras.store import Journal

__all__ = ["Actions", "Mismatch", "describe", "usable_gas"]

_REMEMBERED: Final = 8  # batches of which the journal keeps seals and prices


class Mismatch(WalrasError):  # noqa: N818
    """The chain did not do what was computed."""


class Actions:
    """Everything that is sent for one account in one market."""

    def __init__(
        self,
        market: Market,
        trader: Trader,
        journal: Journal,
        gas: int,
        around: Surroundings,
        checkpoint: Callable[[str], None],
        keys: BatchKeys | None,
    ) -> None:
        """`gas` is what the accounts of one transaction may take."""
        self._market = market
        self._trader = trader
        self._journal = journal
        self._gas = gas
        self._keys = keys
        self._log = around.log
        self._meter = around.meter
        self._checkpoint = checkpoint
        self._clearing = Clearing(market, journal, around.solve, around.log, around.meter)

    def act(self, decision: Decision, sight: Sight) -> None:
        """Do what was decided on what was seen; Mismatch if the chain then disagrees."""
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
                self._settle(decision, batch, sight)
            case Apply(batch):
                self._chunks(self._gas).apply(batch, partial(self._how, decision))
            case Restore(batch):
                self._chunks(self._gas).restore(batch, partial(self._how, decision))
            case CloseVoid(batch):
                self._log.error("void", batch=batch, consequence="the bond is slashed")
                self._done(decision, self._trader.close_void(batch, **self._how(decision)))
                self._forget(batch)
            case _:
                pass

    def _settle(self, decision: Settle, batch: int, sight: Sight) -> None:
        cleared = self._clearing.prepare(batch)
        self._checkpoint("cleared")
        how = self._how(decision)
        block: int | None = None
        gas = usable_gas(self._gas, sight.gas_limit)
        chunks = self._chunks(gas)
        weight = None
        if not sight.chain.batch.unapplied:  # else some of it is written: chunks have to go on
            weight = chunks.weigh(batch, cleared, begun=bool(how["earlier"]))
        if weight and in_one(weight, gas):
            how["estimate"] = weight.estimate
            receipt = self._trader.settle(batch, cleared.prices, cleared.submissions, **how)
            self._done(decision, receipt)
            block = receipt.block_number
        else:
            chunks.verify(batch, cleared, partial(self._how, decision))
        event = self._market.settled_event(batch, block)
        if event is None or dict(zip(event.products, event.prices, strict=True)) != cleared.prices:
            raise Mismatch(f"batch {batch} did not settle at the prices sent; audit it")
        settlement = cleared.settlement
        if (event.loss, event.freedom) != (settlement.loss_x40, settlement.freedom_x40):
            raise Mismatch(f"batch {batch} settled with bounds other than computed; audit it")
        self._meter.settled(batch)
        self._log.info("settled", batch=batch, accounts=event.live, voids=event.voids)
        self._forget(batch)

    def _chunks(self, gas: int) -> Chunks:
        return Chunks(
            self._market,
            self._trader,
            self._journal,
            self._log,
            self._checkpoint,
            meter=self._meter,
            gas=gas,
        )

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


def describe(decision: Decision) -> dict[str, Any]:
    """A decision as fields of a log line or of JSON."""
    fields = {name: getattr(decision, name) for name in type(decision).__dataclass_fields__}
    return {"action": type(decision).__name__} | fields


def usable_gas(wanted: int, block_gas: int) -> int:
    """What the declared units of one transaction may come to: `wanted`, as far as a block has room.

    `block_gas` is the node's limit for a block, 0 if it is not known.
    """
    room = max(block_gas - FIXED_GAS, block_gas // 2)
    return min(wanted, room) if block_gas else wanted
