"""The ghost: the whole contract once more, from docs/SPEC.md, on the exact reference.

`Ghost.call` takes the contract's own calls. It shares no line with the contract's twin in the
package: settlements are those of tests.reference.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from tests.reference import phases, secp256k1
from tests.stateful.books import VOID_PAID, VOID_UNPAID, X40, Refusal, Round
from tests.stateful.chunked import Chunked
from tests.stateful.holders import STANDING


class Ghost(Chunked):
    """The key and void batches, on top of all the rest."""

    def after(self, sender: str, name: str, args: Sequence[Any]) -> Ghost:
        """The books after a call; Refusal if the contract must refuse it."""
        trial = copy.deepcopy(self)
        getattr(trial, re.sub("([A-Z])", r"_\1", name).lower())(sender, *args)
        return trial

    # -------------------------------------------------------------------------------- the key

    def register_key(self, sender: str, batch: int, x: int, y: int) -> None:
        self._operator(sender)
        if batch == 0 or self.now >= self.start(batch) or batch in self.keys:
            raise Refusal("KeyTooLate", batch)
        field = secp256k1.P
        if x >= field or y >= field or (y * y - x**3 - 7) % field:
            raise Refusal("NotOnCurve", x, y)
        if x in {key[0] for key in self.keys.values()}:
            raise Refusal("KeyUsed", x)
        self.keys[batch] = (x, y)

    def reveal(self, _sender: str, batch: int, secret: int) -> None:
        if self.phase(batch) != phases.REVEAL:
            raise Refusal("WrongPhase", batch, self.phase(batch))
        self._opens(batch, secret)
        self.secrets[batch] = secret

    def report_leak(self, sender: str, batch: int, secret: int) -> None:
        if self.phase(batch) > phases.LOCKED_IN:
            raise Refusal("WrongPhase", batch, self.phase(batch))
        self._opens(batch, secret)
        self.secrets[batch] = secret
        self._slash(sender, batch)

    def _opens(self, batch: int, secret: int) -> None:
        if not 0 < secret < secp256k1.N or self.keys.get(batch) != _public(secret):
            raise Refusal("WrongSecret", batch)

    # --------------------------------------------------------------------------- void batches

    def close_void(self, sender: str, batch: int) -> None:
        dead = batch == self.round.number and self.round.live > 0
        if not dead or self.phase(batch) != phases.VOID:
            raise Refusal("NothingToClose", batch)
        self._slash(sender, batch)

    def compensate(self, _sender: str, owner: str) -> None:
        holder = self.holder(owner)
        sealed = holder.batch and not holder.flags & STANDING
        paid = self.outcomes.get(holder.batch) == VOID_PAID
        if not sealed or not paid or owner in self.ahead:
            raise Refusal("NothingDue", owner)
        holder.batch = 0
        holder.claimable += self.terms["compensation"] * X40
        self.reserved -= self.terms["compensation"] * X40

    def _slash(self, sender: str, batch: int) -> None:
        hit = self.round.number == batch
        live, pot = (self.round.live, self.round.pot) if hit else (0, 0)
        wanted = 150_000 * self.base_fee * self.terms["cash_per_wei"]
        reward = min(self.bond, wanted)
        # those who stood already have paid nothing for this batch
        paying = live - self.standing if hit else 0
        due = paying * self.terms["compensation"] * X40
        paid = 0 < due <= self.bond - reward
        due = due if paid else 0
        rest = self.bond - reward - due + pot
        waiting = len(self.ahead) if hit else 0
        gas = 14_000 * self.base_fee * self.terms["cash_per_wei"]
        kept = min(rest // waiting, gas) * waiting if waiting else 0  # for who restores
        self.burn(rest - kept)
        self.bond, self.reserved = 0, self.reserved + due
        if hit:
            self.round = Round(batch, ticks=self.round.ticks, closed=True, pot=kept)
        self.outcomes[batch] = VOID_PAID if paid else VOID_UNPAID
        self.holder(sender).claimable += reward


@cache
def _public(secret: int) -> secp256k1.Point:
    return secp256k1.multiply(secret, secp256k1.G)
