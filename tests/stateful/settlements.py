"""The ghost's settlements, at once and in chunks, each by tests.reference (SPEC §6, §9, §10)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from tests.reference import certificate, phases
from tests.reference.keccak import keccak256
from tests.stateful.books import AMENDED, NOBODY, STANDING, UNCOVERED, Holder, Refusal
from tests.stateful.items import Item, parse
from tests.stateful.lifecycle import Lifecycle

OVERDUE = {"LiveCountMismatch", "PriceUnused", "NotCleared", "HouseShort"}
RUN = (
    "(bytes32,address,uint32,uint32,int256,uint256,uint256,uint256,uint256,int256,int256,"
    "uint256[],bytes32[])"
)


class Settlements(Lifecycle):
    """What clearers do."""

    def settle(
        self, sender: str, batch: int, products: Sequence[int], prices: Sequence[int], data: bytes
    ) -> None:
        self._ripe(sender, batch)
        items, truncated = self._read(data)
        found = self._judge(products, prices, items, whole=True, truncated=truncated)
        for address, one in found["accounts"].items():
            owner = to_checksum_address(address)
            self.holders[owner] = self._become(owner, one, at_once=True)
        reward = self.round.pot + found["rent"]
        self._close(found, products, prices)
        self.round.pot = 0
        self.holder(sender).claimable += reward

    def verify(
        self,
        sender: str,
        batch: int,
        start: str,
        run: tuple[Any, ...],
        products: Sequence[int],
        prices: Sequence[int],
        data: bytes,
    ) -> None:
        self._ripe(sender, batch)
        posted, before = outcome(products, prices), list[list[Item]]()
        try:
            certificate.check_prices(self.terms_of_settlement(), products, prices)
        except certificate.RejectedError as error:
            raise Refusal(error.name, *error.arguments) from None
        if start != NOBODY:
            hashed, before = self.runs.get((batch, start), (bytes(32), []))
            if keccak256(encode([RUN], [run])) != hashed:
                raise Refusal("WrongRun", batch, start)
            if run[0] != posted:
                raise Refusal("WrongBoard", posted, run[0])
        items, truncated = self._read(data)
        chunks = [*before, items]
        listed = [item for chunk in chunks for item in chunk]
        whole = len(listed) == self.round.live
        found = self._judge(products, prices, listed, whole=whole, truncated=truncated)
        if whole:
            self._share(sender, found, chunks)
            self._close(found, products, prices)
        else:
            after = self.run(products, prices, chunks)
            self.runs[batch, sender] = (keccak256(encode([RUN], [after])), chunks)

    def apply_chunk(
        self, sender: str, batch: int, digests: Sequence[bytes], chunk: int, effects: bytes
    ) -> None:
        if batch != self.round.number or not self.round.unapplied:
            raise Refusal("NothingToApply", batch)
        known = keccak256(b"".join(digests)) == self.digests and chunk < len(digests)
        if not known or keccak256(effects) != digests[chunk]:
            raise Refusal("WrongEffects", batch, chunk)
        waiting = [owner for owner in self.pieces[chunk][1] if owner in self.due]
        for owner in waiting:
            due = self.due.pop(owner)
            due.claimable = self.holder(owner).claimable  # is moved meanwhile
            self.holders[owner] = due
        reward = self.round.pot // self.round.unapplied * len(waiting)
        self.round.pot -= reward
        self.round.unapplied -= len(waiting)
        self.holder(sender).claimable += reward

    # ---------------------------------------------------------------------------------- terms

    def _ripe(self, sender: str, batch: int) -> None:
        if batch != self.round.number or self.round.live == 0:
            raise Refusal("NothingToSettle", batch)
        phase = self.phase(batch)
        if phase not in (phases.CLEARING, phases.FALLBACK):
            raise Refusal("WrongPhase", batch, phase)
        if phase == phases.CLEARING:
            self._operator(sender)

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

    def _become(self, owner: str, found: dict[str, Any], *, at_once: bool) -> Holder:
        """The account after the settlement. At once, nothing is written where nothing moved."""
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
        moved = moved or new.flags != old.flags & ~AMENDED or "amendment" in found
        if at_once and not moved:
            still = copy.deepcopy(old)
            still.seal_hash, still.done = new.seal_hash, new.done
            return still
        if not at_once and not new.flags:
            new.batch = new.units = 0
        return new

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

    # ---------------------------------------------------------------------------------- chunks

    def _share(self, sender: str, found: dict[str, Any], chunks: list[list[Item]]) -> None:
        live = self.round.live
        self.pieces = self.effects(found, chunks)
        self.digests = keccak256(b"".join(keccak256(effects) for effects, _ in self.pieces))
        for address, one in found["accounts"].items():
            owner = to_checksum_address(address)
            self.due[owner] = self._become(owner, one, at_once=False)
        pot = self.round.pot + found["rent"]
        rest = pot // 2 // live * live
        self.round.pot, self.round.unapplied = rest, live
        self.holder(sender).claimable += pot - rest

    def effects(
        self, found: dict[str, Any], chunks: list[list[Item]]
    ) -> list[tuple[bytes, list[str]]]:
        """What each chunk writes, and to whom."""
        pieces = []
        for chunk in chunks:
            owners = [str(to_checksum_address(item[0])) for item in chunk]
            each = [self._effect(o, found["accounts"][bytes.fromhex(o[2:])]) for o in owners]
            pieces.append((b"".join(each), owners))
        return pieces

    def _effect(self, owner: str, found: dict[str, Any]) -> bytes:
        old, new = self.holder(owner), self._become(owner, found, at_once=False)
        word = new.cash | new.batch << 208 | new.units << 240 | new.flags << 248
        if new.home is not None:
            word |= new.lots.get(new.home, 0) << 96 | (new.home + 1) << 192
        second = new.seal_hash if new.seal_hash != old.seal_hash else b""
        fills = found.get("fills", {})
        pairs = sorted({k >> 1 for k, fill in fills.items() if fill and k != new.home})
        lots = {k: held for k, held in new.lots.items() if k != new.home}
        words = [lots.get(2 * p, 0) | lots.get(2 * p + 1, 0) << 128 for p in pairs]
        head = bytes([len(pairs) | 128 * bool(second)])
        tail = b"".join(p.to_bytes(2) + w.to_bytes(32) for p, w in zip(pairs, words, strict=True))
        return bytes.fromhex(owner[2:]) + head + word.to_bytes(32) + second + tail

    def run(
        self, products: Sequence[int], prices: Sequence[int], chunks: list[list[Item]]
    ) -> tuple[Any, ...]:
        """What the chunks add up to."""
        batch = self.terms_of_settlement()
        sums, out = certificate.add_up(batch, products, prices, [i for c in chunks for i in c])
        found = out["accounts"]
        stood = {a["address"]: a["units"] for a in batch["accounts"] if a["standing"]}
        after = {a: one["next"]["units"] for a, one in found.items() if one["next"]}
        before = {a: units for a, units in stood.items() if a in found}
        totals = []
        for line in sums.values():
            totals.append(line["z"] % 2**128 << 128 | line["c"] << 64 | line["C"])
            totals.append(line["volume"] << 128 | line["used"])
        last = max(found, default=bytes(20))
        return (
            *(outcome(products, prices), to_checksum_address(last), len(found)),
            sum(one["reason"] != 0 for one in found.values()),
            sum(one.get("cash", 0) for one in found.values()),
            *(out["loss"], out["costLoss"], out["costSpan"]),
            sum(one["rent"] for one in found.values()),
            len(after) - len(before),
            sum(after.values()) - sum(before.values()),
            totals,
            [keccak256(effects) for effects, _ in self.effects(out, chunks)],
        )


def outcome(products: Sequence[int], prices: Sequence[int]) -> bytes:
    """keccak256(abi.encode(uint16[], int256[]))."""
    words = [64, 96 + 32 * len(products), len(products), *products, len(prices), *prices]
    return keccak256(b"".join((word % 2**256).to_bytes(32) for word in words))


def _shown(value: Any) -> Any:
    return to_checksum_address(value) if isinstance(value, bytes) else value
