"""The ghost's settlements in chunks: runs, what they write ahead, and how it ends (SPEC §10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from tests.reference import certificate, phases
from tests.reference.keccak import keccak256
from tests.stateful.books import NOBODY, Refusal
from tests.stateful.holders import Holder, Piece, Progress
from tests.stateful.items import Item
from tests.stateful.settlements import Settlements, outcome

RUN = (
    "(bytes32,address,uint32,uint32,uint32,int256,uint256,uint256,uint256,uint256,int256,int256,"
    "uint256[],bytes32[])"
)


class Chunked(Settlements):
    """What clearers do, piece by piece.

    Holders stay what they are until the batch is settled: what is written ahead they only show.
    """

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
        self._ripe(sender, batch, products, prices)
        pieces = self._resumed(batch, start, run, outcome(products, prices))
        ahead = self.phase(batch) == phases.CLEARING
        if ahead or start == NOBODY:
            self._only_theirs(pieces)
        items, truncated = self._read(data)
        listed = [item for piece in pieces for item in piece.items] + items
        whole = len(listed) == self.round.live
        found = self._judge(products, prices, listed, whole=whole, truncated=truncated)
        sums, out = certificate.add_up(self.terms_of_settlement(), products, prices, listed)
        pieces = (*pieces, self._piece(items, out["accounts"], ahead=ahead))
        if ahead:
            written = pieces[-1].owners
            self.ahead |= {owner: self._written(owner, out["accounts"]) for owner in written}
        if whole:
            self._share(sender, found, pieces)
            self._close(found, products, prices)
        else:
            state = self._state(outcome(products, prices), sums, out, pieces)
            hashed = keccak256(encode([RUN], [state]))
            self.runs[batch, sender] = Progress((products, prices), state, hashed, pieces)
            self.pieces = pieces if ahead else self.pieces

    def apply_chunk(
        self,
        sender: str,
        batch: int,
        digests: Sequence[bytes],
        chunk: int,
        effects: bytes,
        most: int,
    ) -> None:
        if batch != self.round.number or not self.due:
            raise Refusal("NothingToApply", batch)
        waiting = [owner for owner in self._owners(digests, chunk, effects) if owner in self.due]
        waiting = waiting[:most]
        self._pay(sender, len(waiting))
        for owner in waiting:
            self._turn(owner, self.due.pop(owner))

    def restore_chunk(
        self,
        sender: str,
        batch: int,
        digests: Sequence[bytes],
        chunk: int,
        effects: bytes,
        most: int,
    ) -> None:
        if batch != self.round.number or not self.ahead:
            raise Refusal("NothingToRestore", batch)
        if self.phase(batch) == phases.CLEARING:
            self._operator(sender)
        written = [owner for owner in self._owners(digests, chunk, effects) if owner in self.ahead]
        written = written[:most]
        if self.round.closed:
            self._pay(sender, len(written))
        for owner in written:
            del self.ahead[owner]

    # ---------------------------------------------------------------------------------- parts

    def _resumed(
        self, batch: int, start: str, run: tuple[Any, ...], posted: bytes
    ) -> tuple[Piece, ...]:
        """The chunks so far."""
        if start == NOBODY:
            return ()
        before = self.runs.get((batch, start))
        if before is None or keccak256(encode([RUN], [run])) != before.hash:
            raise Refusal("WrongRun", batch, start)
        if run[0] != posted:
            raise Refusal("WrongBoard", posted, run[0])
        return before.pieces

    def _owners(self, digests: Sequence[bytes], chunk: int, effects: bytes) -> Sequence[str]:
        """Those whom the chunk does something to."""
        known = list(digests) == [piece.digest for piece in self.pieces] and chunk < len(digests)
        if not known or effects != self.pieces[chunk].effects:
            raise Refusal("WrongEffects", self.round.number, chunk)
        return self.pieces[chunk].owners

    def _pay(self, sender: str, count: int) -> None:
        """Equal parts of the pot for all that is left to write."""
        reward = self.round.pot // self.unapplied * count
        self.round.pot -= reward
        self.holder(sender).claimable += reward

    def _turn(self, owner: str, new: Holder) -> None:
        self.holders[owner] = replace(new, claimable=self.holder(owner).claimable)

    def _share(self, sender: str, found: dict[str, Any], pieces: tuple[Piece, ...]) -> None:
        """What is written ahead counts from now; of who waits, half of the pot's part stays."""
        listed = {str(to_checksum_address(address)) for address in found["accounts"]}
        heads = {owner_of(i) for piece in pieces if piece.ahead for i in piece.items}
        owners = {owner for piece in pieces for owner in piece.owners}
        self.rested = heads - owners
        self.due = {
            owner: self._written(owner, found["accounts"])
            for owner in listed - self.rested - set(self.ahead)
        }
        for owner, new in self.ahead.items():
            self._turn(owner, new)
        self.ahead = {}
        pot = self.round.pot + found["rent"]
        rest = pot // 2 // self.round.live * len(self.due)
        self.round.pot = rest
        self.holder(sender).claimable += pot - rest
        self.pieces = pieces if self.due else self.pieces

    def _written(self, owner: str, found: dict[bytes, Any]) -> Holder:
        """The account after the chunk. One that does not stand keeps its batch, without units."""
        new, _ = self._become(owner, found[bytes.fromhex(owner[2:])])
        if not new.flags:
            new.batch, new.units = self.round.number, 0
        return new

    def _piece(self, items: Sequence[Item], found: dict[bytes, Any], *, ahead: bool) -> Piece:
        """What a chunk does. Ahead, it leaves alone who only owes rent."""
        owners, effects, digest = list[str](), b"", bytes(32)
        for item in items:
            owner, one = owner_of(item), found[item[0]]
            new, moved = self._become(owner, one)
            if ahead and not moved and new.seal_hash == self.holder(owner).seal_hash:
                continue
            effect = self._effect(owner, found, ahead=ahead)
            owners.append(owner)
            effects, digest = effects + effect, keccak256(digest + effect)
        return Piece(tuple(items), ahead, tuple(owners), effects, digest)

    def _effect(self, owner: str, found: dict[bytes, Any], *, ahead: bool) -> bytes:
        """account | head u16 | word | [second] | (pair u16 | word) …, ahead with former words."""
        old, new = self.holder(owner), self._written(owner, found)
        fills = found[bytes.fromhex(owner[2:])].get("fills", {})
        pairs = sorted({k >> 1 for k, fill in fills.items() if fill and k != new.home})
        changed = new.seal_hash != old.seal_hash
        head = len(pairs) | changed << 15 | ahead << 14
        words = [(b"", word(new), word(old))]
        words += [(b"", new.seal_hash, old.seal_hash)] if changed else []
        words += [(p.to_bytes(2), pair_word(new, p), pair_word(old, p)) for p in pairs]
        tail = (name + after + (former if ahead else b"") for name, after, former in words)
        return bytes.fromhex(owner[2:]) + head.to_bytes(2) + b"".join(tail)

    def _state(
        self, posted: bytes, sums: Any, out: dict[str, Any], pieces: Sequence[Piece]
    ) -> tuple[Any, ...]:
        """The contract's `Run` after these chunks."""
        found = out["accounts"]
        holders = {a: self.holder(str(to_checksum_address(a))) for a in found}
        stood = {a: holder.units for a, holder in holders.items() if holder.stands}
        after = [one["next"]["units"] for one in found.values() if one["next"]]
        totals = []
        for line in sums.values():
            totals.append(line["z"] % 2**128 << 128 | line["c"] << 64 | line["C"])
            totals.append(line["volume"] << 128 | line["used"])
        last = max(found, default=bytes(20))
        return (
            *(posted, to_checksum_address(last), len(found)),
            sum(one["reason"] != 0 for one in found.values()),
            sum(len(piece.items) - len(piece.owners) for piece in pieces),
            sum(one.get("cash", 0) for one in found.values()),
            *(out["loss"], out["costLoss"], out["costSpan"]),
            sum(one["rent"] for one in found.values()),
            len(after) - len(stood),
            sum(after) - sum(stood.values()),
            totals,
            [piece.digest for piece in pieces],
        )


def owner_of(item: Item) -> str:
    return str(to_checksum_address(item[0]))


def word(holder: Holder) -> bytes:
    """From the low end: cash u96, home u96, its product u16 + 1, batch u32, units u8, flags u8."""
    at_home = 0
    if holder.home is not None:
        at_home = holder.lots.get(holder.home, 0) << 96 | (holder.home + 1) << 192
    rest = holder.batch << 208 | holder.units << 240 | holder.flags << 248
    return (holder.cash | at_home | rest).to_bytes(32)


def pair_word(holder: Holder, pair: int) -> bytes:
    """Lots of two products, the even one low, without those at home."""
    lots = {k: held for k, held in holder.lots.items() if k != holder.home}
    return (lots.get(2 * pair, 0) | lots.get(2 * pair + 1, 0) << 128).to_bytes(32)
