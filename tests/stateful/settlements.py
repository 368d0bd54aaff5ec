"""The ghost's settlements, by tests.reference (SPEC §6, §9)."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from eth_utils.address import to_checksum_address

from tests.reference import certificate, phases
from tests.reference.keccak import keccak256
from tests.stateful.books import Refusal
from tests.stateful.holders import AMENDED, STANDING, UNCOVERED, Holder, Piece
from tests.stateful.items import Item, parse
from tests.stateful.lifecycle import Lifecycle

OVERDUE = {"LiveCountMismatch", "PriceUnused", "NotCleared", "HouseShort"}
RUN = (
    "(bytes32,address,uint32,uint32,int256,uint256,uint256,uint256,uint256,int256,int256,"
    "uint256[],bytes32[])"
)


class Settlements(Lifecycle):
    """What clearers do, at once."""

    def settle(
        self, sender: str, batch: int, products: Sequence[int], prices: Sequence[int], data: bytes
    ) -> None:
        self._ripe(sender, batch, products, prices)
        self._only_theirs(())
        items, truncated = self._read(data)
        found = self._judge(products, prices, items, whole=True, truncated=truncated)
        for address, one in found["accounts"].items():
            owner = to_checksum_address(address)
            new, moved = self._become(owner, one)
            if not moved:  # nothing is written but the progress
                new = replace(self.holder(owner), seal_hash=new.seal_hash, done=new.done)
            self.holders[owner] = new
        reward = self.round.pot + found["rent"]
        self._close(found, products, prices)
        self.round.pot = 0
        self.holder(sender).claimable += reward

    # ---------------------------------------------------------------------------------- terms

    def _ripe(
        self, sender: str, batch: int, products: Sequence[int], prices: Sequence[int]
    ) -> None:
        if batch != self.round.number or self.round.live == 0:
            raise Refusal("NothingToSettle", batch)
        phase = self.phase(batch)
        if phase not in (phases.CLEARING, phases.FALLBACK):
            raise Refusal("WrongPhase", batch, phase)
        if phase == phases.CLEARING:
            self._operator(sender)
        try:
            certificate.check_prices(self.terms_of_settlement(), products, prices)
        except certificate.RejectedError as error:
            raise Refusal(error.name, *error.arguments) from None

    def _only_theirs(self, pieces: Iterable[Piece]) -> None:
        """Nothing is written ahead but what these chunks have written."""
        if len(self.ahead) != sum(len(piece.owners) for piece in pieces if piece.ahead):
            raise Refusal("WrittenAhead", self.round.number, len(self.ahead))

    @property
    def live(self) -> list[str]:
        """Owners in the batch that was opened last, ascending."""
        return sorted((o for o in self.holders if self.alive(o)), key=lambda o: int(o, 16))

    def terms_of_settlement(self) -> certificate.Batch:
        """What lock-out fixed, for the reference."""
        batch = self.round.number
        return {
            "secret": self.secrets.get(batch, 0),
            "batchId": self.ids[batch],
            "lockOut": self.start(batch) + self.clock["lockOut"],
            "houseCash": self.house_cash,
            "rent": self.rent * self.round.ticks,
            "products": {k: self._product(k) for k in range(self.product_count(batch))},
            "accounts": [self._account(owner) for owner in self.live],
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

    def _account(self, owner: str) -> dict[str, Any]:
        holder = self.holder(owner)
        sealed, _, units = holder.amendment
        pending = holder.pending(self.round.number)
        return {
            "address": bytes.fromhex(owner[2:]),
            "cash": self.balance(owner, 65_535),
            "lots": dict(holder.lots),
            "home": holder.home,
            "units": holder.units,
            "sealHash": holder.seal_hash,
            "standing": bool(holder.flags & STANDING),
            "uncovered": bool(holder.flags & UNCOVERED),
            "amendment": {"sealHash": sealed, "units": units} if pending else None,
        }

    def _read(self, data: bytes) -> tuple[list[Item], bool]:
        batch = self.round.number
        amended = {bytes.fromhex(o[2:]) for o in self.live if self.holder(o).pending(batch)}
        return parse(data, amended)

    def _judge(
        self,
        products: Sequence[int],
        prices: Sequence[int],
        items: Sequence[Item],
        *,
        whole: bool,
        truncated: bool,
    ) -> dict[str, Any]:
        """What the items come to; of a part, only whether they hold."""
        batch = self.terms_of_settlement()
        try:
            found = certificate.settle(batch, products, prices, items)
        except certificate.RejectedError as error:
            if error.name not in OVERDUE or (whole and not truncated):
                raise Refusal(error.name, *map(_shown, error.arguments)) from None
            found = {}
        if truncated:
            raise Refusal("TruncatedData")
        return found

    # -------------------------------------------------------------------------------- becoming

    def _become(self, owner: str, found: dict[str, Any]) -> tuple[Holder, bool]:
        """The account after the settlement, and whether more than its progress moves."""
        old = self.holder(owner)
        new, mark = copy.deepcopy(old), self.rent_index + self.round.ticks
        moved = False
        if old.flags & STANDING:
            new.cash, new.batch = self.balance(owner, 65_535) - found["rent"], mark
        if found["reason"] == 0:
            moved = found["cash"] != 0 or old.home is None or any(found["fills"].values())
            new.home, new.cash = found["home"], new.cash + found["cash"]
            for k, fill in found["fills"].items():
                new.lots[k] = new.lots.get(k, 0) + fill
        after = found["next"]
        if after is not None:
            new.flags, new.batch = STANDING | UNCOVERED * after["uncovered"], mark
            new.units, new.seal_hash = after["units"], after["hash"]
            new.body, new.done = after["body"], tuple(after["done"])
        elif old.flags & STANDING:
            new.flags = new.batch = new.units = 0
        return new, moved or new.flags != old.flags & ~AMENDED or "amendment" in found

    def _close(self, found: dict[str, Any], products: Sequence[int], prices: Sequence[int]) -> None:
        """House, references, what stands; all but the pot and the accounts."""
        self.settlement = found
        for k, product in found["products"].items():
            self.lines[k].house, self.lines[k].reference = product["house"], product["reference"]
        self.house_cash = found["houseCash"]
        self.rent_index += self.round.ticks
        after = {**self.holders, **self.due}
        standing = [holder for holder in after.values() if holder.stands]
        self.standing, self.standing_units = len(standing), sum(h.units for h in standing)
        self.round.settled = True
        self.outcomes[self.round.number] = outcome(products, prices)


def outcome(products: Sequence[int], prices: Sequence[int]) -> bytes:
    """keccak256(abi.encode(uint16[], int256[]))."""
    words = [64, 96 + 32 * len(products), len(products), *products, len(prices), *prices]
    return keccak256(b"".join((word % 2**256).to_bytes(32) for word in words))


def _shown(value: Any) -> Any:
    return to_checksum_address(value) if isinstance(value, bytes) else value
