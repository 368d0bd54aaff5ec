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

from eth_utils.address import to_checksum_address

from tests.reference import certificate, phases, sealing, secp256k1
from tests.reference.keccak import keccak256
from tests.stateful.books import VOID_PAID, VOID_UNPAID, X40, Holder, Refusal, Round
from tests.stateful.escrow import Escrow

Pairs = list[tuple[bytes, bytes]]
OVERDUE = {"LiveCountMismatch", "PriceUnused", "NotCleared", "HouseShort"}


class Ghost(Escrow):
    """Sealing, the key, settlement and void batches, on top of the escrow."""

    def after(self, sender: str, name: str, args: Sequence[Any]) -> Ghost:
        """The books after a call; Refusal if the contract must refuse it."""
        trial = copy.deepcopy(self)
        getattr(trial, re.sub("([A-Z])", r"_\1", name).lower())(sender, *args)
        return trial

    # -------------------------------------------------------------------------------- sealing

    def deposit_and_seal(
        self, sender: str, deposits: Sequence[tuple[int, int]], units: int, ct: bytes, batch: int
    ) -> None:
        for asset, amount in deposits:
            self.deposit(sender, asset, amount)
        self.seal(sender, units, ct, batch)

    def seal(self, sender: str, units: int, ct: bytes, batch: int) -> None:
        if batch == 0 or batch != self.current:
            raise Refusal("NotCurrent", batch, self.current)
        next_round = self._round_of(batch)
        if next_round.live == 0:
            self._backed()
        if next_round.closed or self.offset >= self.clock["lockOut"]:
            raise Refusal("WrongPhase", batch, self.phase(batch))
        if not 10 <= units <= 255 or not 0 < len(ct) <= 19 * units - 22:
            raise Refusal("BadUnits", units, len(ct))
        holder = self.holder(sender)
        amends = holder.batch == batch
        if amends and self.offset >= self.clock["lockIn"]:
            raise Refusal("Committed", sender, batch)
        used = next_round.units + units - (holder.units if amends else 0)
        if used > self.terms["capacity"]:
            raise Refusal("BatchFull", used, self.terms["capacity"])
        fee, surcharge = self.fees(used, units)
        if fee + surcharge > holder.cash:
            raise Refusal("InsufficientBalance", fee + surcharge, holder.cash)

        if next_round.number != self.round.number:
            self.burn(self.round.pot)  # of a batch that everybody left
        self.burn(surcharge)
        holder.cash -= fee + surcharge
        holder.batch, holder.units = batch, units
        holder.seal_hash = sealing.seal_hash(self.ids[batch], ct)
        live, pot = next_round.live + (not amends), next_round.pot + fee
        self.round = Round(batch, live, used, pot=pot)

    def cancel(self, sender: str) -> None:
        holder = self.holder(sender)
        if holder.batch == 0 or holder.batch != self.round.number:
            raise Refusal("NotLive", sender)
        if self.phase(holder.batch) != phases.OPEN:
            raise Refusal("WrongPhase", holder.batch, self.phase(holder.batch))
        self.round.live -= 1
        self.round.units -= holder.units
        holder.batch = holder.units = 0

    def _round_of(self, batch: int) -> Round:
        """The current batch, which begins if nobody sealed in it yet."""
        if self.round.number == batch:
            return self.round
        if not self.finished:
            raise Refusal("VoidUnclosed", self.round.number)
        if batch not in self.keys:
            raise Refusal("KeyMissing", batch)
        if batch in self.outcomes:
            raise Refusal("WrongPhase", batch, phases.VOID)
        return Round(batch)

    def _backed(self) -> None:
        full = self.terms["bond"] * X40
        if self.bond < full:
            raise Refusal("BondShort", self.bond, full)
        if self.short_houses or self.house_cash < self.least_house_cash:
            least = self.least_house_cash
            raise Refusal("HouseUnderfunded", self.short_houses, self.house_cash, least)

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

    # ----------------------------------------------------------------------------- settlement

    def settle(
        self,
        sender: str,
        batch: int,
        products: Sequence[int],
        prices: Sequence[int],
        data: bytes,
    ) -> None:
        if batch != self.round.number or self.round.live == 0:
            raise Refusal("NothingToSettle", batch)
        phase = self.phase(batch)
        if phase not in (phases.CLEARING, phases.FALLBACK):
            raise Refusal("WrongPhase", batch, phase)
        if phase == phases.CLEARING:
            self._operator(sender)
        self.settlement = self._settlement(products, prices, data)
        self._apply(self.settlement)
        self.holder(sender).claimable += self.round.pot
        self.round.settled, self.round.pot = True, 0
        self.outcomes[batch] = outcome(products, prices)

    def terms_of_settlement(self) -> certificate.Batch:
        """What lock-out fixed, for the reference."""
        batch = self.round.number
        live = {bytes.fromhex(a[2:]): h for a, h in self.holders.items() if h.batch == batch}
        return {
            "secret": self.secrets.get(batch, 0),
            "batchId": self.ids[batch],
            "lockOut": self.start(batch) + self.clock["lockOut"],
            "houseCash": self.house_cash,
            "products": {k: self._product(k) for k in range(self.product_count(batch))},
            "accounts": [_account(address, holder) for address, holder in live.items()],
        }

    def _product(self, k: int) -> dict[str, int]:
        line = self.lines[k]
        return {
            "house": line.house,
            "reference": line.reference,
            "scale": line.scale,
            "tickBps": line.tick_bps,
            "depthLog2": line.depth_log2,
        }

    def _settlement(
        self, products: Sequence[int], prices: Sequence[int], data: bytes
    ) -> dict[str, Any]:
        pairs, truncated = parse(data)
        try:
            found = certificate.settle(self.terms_of_settlement(), products, prices, pairs)
        except certificate.RejectedError as error:
            if not truncated or error.name not in OVERDUE:
                raise Refusal(error.name, *map(_shown, error.arguments)) from None
        else:
            if not truncated:
                return found
        raise Refusal("TruncatedData")

    def _apply(self, found: dict[str, Any]) -> None:
        for address, account in found["accounts"].items():
            if account["reason"]:
                continue
            holder = self.holder(to_checksum_address(address))
            holder.home, holder.cash = account["home"], holder.cash + account["cash"]
            for k, fill in account["fills"].items():
                holder.lots[k] = holder.lots.get(k, 0) + fill
        for k, product in found["products"].items():
            self.lines[k].house, self.lines[k].reference = product["house"], product["reference"]
        self.house_cash = found["houseCash"]

    # --------------------------------------------------------------------------- void batches

    def close_void(self, sender: str, batch: int) -> None:
        dead = batch == self.round.number and self.round.live > 0
        if not dead or self.phase(batch) != phases.VOID:
            raise Refusal("NothingToClose", batch)
        self._slash(sender, batch)

    def compensate(self, _sender: str, owner: str) -> None:
        holder = self.holder(owner)
        if holder.batch == 0 or self.outcomes.get(holder.batch) != VOID_PAID:
            raise Refusal("NothingDue", owner)
        holder.batch = 0
        holder.claimable += self.terms["compensation"] * X40
        self.reserved -= self.terms["compensation"] * X40

    def _slash(self, sender: str, batch: int) -> None:
        hit = self.round.number == batch
        live, pot = (self.round.live, self.round.pot) if hit else (0, 0)
        wanted = 150_000 * self.base_fee * self.terms["cash_per_wei"]
        reward = min(self.bond, wanted)
        due = live * self.terms["compensation"] * X40
        paid = 0 < due <= self.bond - reward
        due = due if paid else 0
        self.burn(self.bond - reward - due + pot)
        self.bond, self.reserved = 0, self.reserved + due
        if hit:
            self.round = Round(batch, closed=True)
        self.outcomes[batch] = VOID_PAID if paid else VOID_UNPAID
        self.holder(sender).claimable += reward


def parse(data: bytes) -> tuple[Pairs, bool]:
    """Submissions of a settlement, and whether the data ends inside one."""
    pairs: Pairs = []
    while data:
        end = 22 + int.from_bytes(data[20:22])
        if len(data) < 22 or len(data) < end:
            return pairs, True
        pairs.append((data[:20], data[22:end]))
        data = data[end:]
    return pairs, False


def outcome(products: Sequence[int], prices: Sequence[int]) -> bytes:
    """keccak256(abi.encode(uint16[], int256[]))."""
    words = [64, 96 + 32 * len(products), len(products), *products, len(prices), *prices]
    return keccak256(b"".join((word % 2**256).to_bytes(32) for word in words))


@cache
def _public(secret: int) -> secp256k1.Point:
    return secp256k1.multiply(secret, secp256k1.G)


def _account(address: bytes, holder: Holder) -> dict[str, Any]:
    return {
        "address": address,
        "cash": holder.cash,
        "lots": dict(holder.lots),
        "home": holder.home,
        "units": holder.units,
        "sealHash": holder.seal_hash,
    }


def _shown(value: Any) -> Any:
    return to_checksum_address(value) if isinstance(value, bytes) else value
