"""The ghost's batches and submissions: opened, sealed, amended, paused, left (SPEC §5, §9)."""

from __future__ import annotations

from collections.abc import Sequence

from tests.reference import phases, sealing
from tests.stateful.books import X40, Refusal, Round
from tests.stateful.escrow import Escrow
from tests.stateful.holders import AMENDED, PAUSED, STANDING, Holder


class Lifecycle(Escrow):
    """What bidders do between two settlements, on top of the escrow."""

    def open(self, _sender: str, batch: int) -> None:
        if batch == 0 or batch != self.current:
            raise Refusal("NotCurrent", batch, self.current)
        self._open(batch)

    def deposit_and_seal(
        self, sender: str, deposits: Sequence[tuple[int, int]], units: int, ct: bytes, batch: int
    ) -> None:
        for asset, amount in deposits:
            self.deposit(sender, asset, amount)
        self.seal(sender, units, ct, batch)

    def seal(self, sender: str, units: int, ct: bytes, batch: int) -> None:
        if batch == 0 or batch != self.current:
            raise Refusal("NotCurrent", batch, self.current)
        if self.round.number != batch:
            self._open(batch)
        elif self.round.live == 0:
            self._backed()
        if self.round.closed or self.offset >= self.clock["lockOut"]:
            raise Refusal("WrongPhase", batch, self.phase(batch))
        if not 10 <= units <= 255 or not 0 < len(ct) <= 19 * units - 24:
            raise Refusal("BadUnits", units, len(ct))
        holder = self.holder(sender)
        if holder.flags & STANDING:
            self._amend(sender, units, ct)
            return
        again = holder.batch == batch
        if again and self.offset >= self.clock["lockIn"]:
            raise Refusal("Committed", sender, batch)
        self._admit(holder, units, holder.units if again else 0)
        self.round.live += not again
        holder.batch, holder.units = batch, units
        holder.seal_hash = sealing.seal_hash(self.ids[batch], ct)

    def cancel(self, sender: str) -> None:
        holder, batch = self.holder(sender), self.round.number
        if self.shown(sender).flags & STANDING:
            self._thawed(sender)
            if not holder.flags & PAUSED:
                self._leave(holder)
        elif not self.alive(sender):
            raise Refusal("NotLive", sender)
        elif self.phase(batch) != phases.OPEN:
            raise Refusal("WrongPhase", batch, self.phase(batch))
        else:
            self.round.live -= 1
            self.round.units -= holder.units
        holder.batch = holder.units = holder.flags = 0

    def pause(self, sender: str) -> None:
        holder = self.holder(sender)
        self._thawed(sender)
        if not holder.flags & STANDING:
            raise Refusal("NotStanding", sender)
        if holder.flags & PAUSED:
            raise Refusal("IsPaused", sender)
        self._leave(holder)
        holder.flags = holder.flags & ~AMENDED | PAUSED

    def resume(self, sender: str) -> None:
        holder, batch = self.holder(sender), self.round.number
        if not self.shown(sender).flags & STANDING:
            raise Refusal("NotStanding", sender)
        if not holder.flags & PAUSED:
            raise Refusal("NotPaused", sender)
        phase, most = self.phase(batch), self.terms["capacity"]
        if phase in (phases.OPEN, phases.LOCKED_IN):
            if self.round.live == 0:
                self._backed()
            used = self.round.units + holder.units
            if used > most:
                raise Refusal("BatchFull", used, most)
            self.round.live, self.round.units = self.round.live + 1, used
        elif not self.finished:
            if phase == phases.VOID:
                raise Refusal("VoidUnclosed", batch)
            raise Refusal("WrongPhase", batch, phase)
        if self.standing_units + holder.units > most:
            raise Refusal("BatchFull", self.standing_units + holder.units, most)
        self.standing += 1
        self.standing_units += holder.units
        holder.batch, holder.flags = self.rent_index, holder.flags & ~PAUSED

    # ---------------------------------------------------------------------------------- parts

    def _open(self, batch: int) -> None:
        last = self.round
        if last.number == batch:
            raise Refusal("AlreadyOpen", batch)
        if not self.finished:
            raise Refusal("VoidUnclosed", last.number)
        if self.unapplied:
            raise Refusal("Unapplied", last.number, self.unapplied)
        if batch not in self.keys:
            raise Refusal("KeyMissing", batch)
        if batch in self.outcomes:
            raise Refusal("WrongPhase", batch, phases.VOID)
        self._backed()
        if self.phase(batch) > phases.LOCKED_IN:
            raise Refusal("WrongPhase", batch, self.phase(batch))
        self.burn(last.pot)  # of a batch that everybody left
        ticks = min(255, max(1, -(-self.base_fee // self.terms["min_base_fee"])))
        self.round = Round(batch, self.standing, self.standing_units, ticks)

    def _backed(self) -> None:
        full = self.terms["bond"] * X40
        if self.bond < full:
            raise Refusal("BondShort", self.bond, full)
        if self.short_houses or self.house_cash < self.least_house_cash:
            least = self.least_house_cash
            raise Refusal("HouseUnderfunded", self.short_houses, self.house_cash, least)

    def _amend(self, sender: str, units: int, ct: bytes) -> None:
        holder, batch = self.holder(sender), self.round.number
        self._thawed(sender)
        if holder.flags & PAUSED:
            raise Refusal("IsPaused", sender)
        self._admit(holder, units, holder.pending(batch))
        holder.flags |= AMENDED
        holder.amendment = (sealing.seal_hash(self.ids[batch], ct), batch, units)

    def _admit(self, holder: Holder, units: int, instead_of: int) -> None:
        """Room and fee of a seal."""
        used = self.round.units + units - instead_of
        if used > self.terms["capacity"]:
            raise Refusal("BatchFull", used, self.terms["capacity"])
        fee, surcharge = self.fees(used, units)
        if fee + surcharge > holder.cash:
            raise Refusal("InsufficientBalance", fee + surcharge, holder.cash)
        self.burn(surcharge)
        holder.cash -= fee + surcharge
        self.round.pot += fee
        self.round.units = used

    def _leave(self, holder: Holder) -> None:
        """Out of what stands, and out of an unfinished batch; in OPEN its rent is due anyway."""
        self.standing -= 1
        self.standing_units -= holder.units
        if self.finished:
            return
        phase = self.phase(self.round.number)
        if phase == phases.VOID and self.round.live == 1:
            raise Refusal("VoidUnclosed", self.round.number)
        if phase == phases.OPEN:
            rent = holder.units * self.round.ticks * self.rent
            if rent > holder.cash:
                raise Refusal("InsufficientBalance", rent, holder.cash)
            holder.cash -= rent
            self.round.pot += rent
        self.round.live -= 1
        self.round.units -= holder.units + holder.pending(self.round.number)
