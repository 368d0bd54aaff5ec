"""Moves of batches that are settled in chunks: by the operator ahead, by whoever comes after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

from tests.contract.support import address
from tests.reference import phases
from tests.stateful import strategies as some
from tests.stateful.books import ALL, NOBODY
from tests.stateful.items import Item, written
from tests.stateful.setting import ADDRESSES, BIDDERS, NAMES
from tests.stateful.settling import honest
from tests.stateful.standing_moves import StandingMoves
from tests.stateful.table import move

FRESH: Final[tuple[Any, ...]] = (bytes(32), NOBODY, *[0] * 10, [], [])
# why an honest chunk may have to wait
OUT_OF_TURN: Final = {"NotOperator", "WrittenAhead", "WrongPhase"}
Calls = list[tuple[str, str, Sequence[Any]]]
Board = tuple[Sequence[int], Sequence[int]]
wrongs = st.sampled_from(
    ("good",) * 4 + ("few", "byte", "other", "short", "digests", "index", "batch")
)


class ChunkMoves(StandingMoves):
    """Runs that begin, go on from anybody's, are written ahead, taken back, applied."""

    @property
    def revealed(self) -> bool:
        """The batch can be settled, or could have been."""
        ghost = self.world.ghost
        waits = ghost.round.live and not ghost.round.settled
        return bool(waits) and ghost.round.number in ghost.secrets

    @property
    def starts(self) -> list[str]:
        """Settlers whose run of the batch can be gone on from."""
        ghost = self.world.ghost
        return [o for o in ADDRESSES.values() if (ghost.round.number, o) in ghost.runs]

    # --------------------------------------------------------------------------------- runs

    def verify(
        self, who: str, start: str, run: tuple[Any, ...], posted: Board, items: Sequence[Item]
    ) -> tuple[Any, ...] | None:
        data = b"".join(map(written, items))
        return self.act(who, "verify", self.world.ghost.round.number, start, run, *posted, data)

    def chunks(
        self,
        settlers: Sequence[str],
        size: int,
        lies: Sequence[str] = (),
        *,
        stop: int = 9,
        start: str = NOBODY,
    ) -> None:
        """Each chunk by the next of the settlers, from the run of the one before or of `start`."""
        truth, number = honest(self.world.ghost, self.sealed), self.world.ghost.round.number
        posted: Board = (list(truth.products), list(truth.prices))
        first, run, right = 0, FRESH, True
        if start != NOBODY:
            before = self.world.ghost.runs[number, start]
            right, posted, run = before.posted == posted, before.posted, before.state
            first = sum(len(piece.items) for piece in before.pieces)
        for n, at in enumerate(range(first, len(truth.items), size)):
            who = settlers[n % len(settlers)]
            if n == stop:
                return
            for how in lies:
                self.lie_about(how, who, start, run, posted, truth.items, at, size)
            refusal = self.verify(who, start, run, posted, truth.items[at : at + size])
            if refusal is not None:
                late = refusal[0] in OUT_OF_TURN
                assert late or not right, f"S5: the exact root is refused in chunks: {refusal}"
                return
            start = ADDRESSES[who]
            if not self.world.ghost.round.settled:
                run = self.world.ghost.runs[number, start].state
        assert self.world.ghost.round.settled, "S5: the exact root does not settle in chunks"

    def lie_about(
        self,
        how: str,
        who: str,
        start: str,
        run: tuple[Any, ...],
        posted: Board,
        items: Sequence[Item],
        at: int,
        size: int,
    ) -> None:
        """What must not go on from a run. A state that nobody goes on from is ignored."""
        part, ghost = items[at : at + size], self.world.ghost
        recorded = ghost.phase(ghost.round.number) == phases.FALLBACK
        if how == "run" and (start != NOBODY or recorded):  # else it would write ahead
            self.verify(who, start, (*run[:2], run[2] + 1, *run[3:]), posted, part)
        if start == NOBODY:
            return
        if how == "foreign":
            self.verify(who, address("who never verified"), run, posted, part)
        if how == "board" and posted[1]:
            self.verify(who, start, run, (posted[0], [posted[1][0] + 1, *posted[1][1:]]), part)
        if how == "overlap":
            self.verify(who, start, run, posted, items[max(0, at - 1) : at + size])
        if how == "fresh":
            self.verify(who, start, FRESH, posted, part)

    @move(
        phases.CLEARING,
        phases.FALLBACK,
        settlers=st.lists(some.mostly_operator, min_size=1, max_size=3),
        size=st.integers(1, 3),
        stop=st.sampled_from((9, 9, 9, 1, 2)),
        lies=some.chunk_lies,
        when=lambda table: table.revealed,
    )
    def settle_in_chunks(self, settlers: list[str], size: int, stop: int, lies: list[str]) -> None:
        """From the first account, unless another run is in the way."""
        if self.revealed:
            self.chunks(settlers, size, lies, stop=stop)

    @move(
        phases.CLEARING,
        phases.FALLBACK,
        settlers=st.lists(some.names, min_size=1, max_size=3),
        pick=st.integers(0, 4),
        size=st.integers(1, 3),
        stop=st.sampled_from((9, 9, 1)),
        lies=some.chunk_lies,
        when=lambda table: table.revealed and table.starts,
    )
    def go_on(self, settlers: list[str], pick: int, size: int, stop: int, lies: list[str]) -> None:
        """From where somebody stopped; a run at wrong prices comes to nothing."""
        starts = self.starts
        if self.revealed and starts:
            self.chunks(settlers, size, lies, stop=stop, start=starts[pick % len(starts)])

    @move(
        phases.CLEARING,
        size=st.integers(1, 3),
        slip=st.sampled_from((1 << 83, -(1 << 83), 1 << 70)),
        when=lambda table: table.revealed and not table.world.ghost.ahead,
    )
    def write_ahead(self, size: int, slip: int) -> None:
        """The operator begins at prices that do not clear."""
        if not self.revealed:
            return
        truth = honest(self.world.ghost, self.sealed)
        posted = (list(truth.products), [price + slip for price in truth.prices])
        self.verify("operator", NOBODY, FRESH, posted, truth.items[:size])

    # ------------------------------------------------------------------- written and taken back

    def application(self, chunk: int, most: int = ALL) -> tuple[int, list[bytes], int, bytes, int]:
        """Of `applyChunk` or `restoreChunk`."""
        pieces = self.world.ghost.pieces
        digests = [piece.digest for piece in pieces]
        return self.world.ghost.round.number, digests, chunk, pieces[chunk].effects, most

    def altered(self, pick: int, how: str) -> tuple[Any, ...]:
        """That of a chunk, or something else instead of it."""
        batch, digests, chunk, effects, _ = self.application(pick % len(self.world.ghost.pieces))
        at = pick * 37 % len(effects) if effects else 0
        args: dict[str, tuple[Any, ...]] = {
            "good": (batch, digests, chunk, effects),
            "byte": (batch, digests, chunk, effects[:at] + b"\xa5" + effects[at + 1 :]),
            "other": (batch, digests, chunk, effects + effects),
            "short": (batch, digests, chunk, effects[:-1]),
            "digests": (batch, digests[1:], chunk, effects),
            "index": (batch, digests, len(digests), effects),
            "batch": (batch + 1, digests, chunk, effects),
        }
        return (*args.get(how, args["good"]), 1 if how == "few" else ALL)

    @move(
        when=lambda table: table.world.ghost.due, who=some.names, pick=st.integers(0, 5), how=wrongs
    )
    def apply(self, who: str, pick: int, how: str) -> None:
        """Any chunk, any number of times."""
        if self.world.ghost.pieces:
            self.act(who, "applyChunk", *self.altered(pick, how))

    @move(
        when=lambda table: table.world.ghost.ahead,
        who=some.mostly_operator,
        pick=st.integers(0, 5),
        how=wrongs,
    )
    def restore(self, who: str, pick: int, how: str) -> None:
        """Any chunk, any number of times, by whoever may or not."""
        if self.world.ghost.pieces:
            self.act(who, "restoreChunk", *self.altered(pick, how))

    def clear_up(self, who: str) -> None:
        """Apply all that waits, take back all that is ahead of a void batch."""
        for chunk in range(len(self.world.ghost.pieces)):
            if self.world.ghost.due:
                self.act(who, "applyChunk", *self.application(chunk))
            elif self.world.ghost.ahead:
                self.act(who, "restoreChunk", *self.application(chunk))

    # -------------------------------------------------------------------------------- stories

    @move(
        phases.CLEARING,
        story=st.sampled_from(some.STORIES),
        settlers=st.lists(some.names, min_size=1, max_size=3),
        size=st.integers(1, 3),
        lies=some.chunk_lies,
        fee=some.base_fees,
        when=lambda table: table.revealed and not table.world.ghost.ahead,
    )
    def operator_in_chunks(
        self, story: str, settlers: list[str], size: int, lies: list[str], fee: int
    ) -> None:
        """The operator writes ahead and settles, or not."""
        ghost = self.world.ghost
        if not self.revealed or ghost.phase(ghost.round.number) != phases.CLEARING:
            return
        if story == "settles":
            self.chunks(["operator"], size, lies)
            return
        pieces = 2 if story == "is undone" and ghost.round.live > 2 else 1
        begun = max(1, min(size, (ghost.round.live - 1) // pieces))
        self.chunks(["operator"], begun, lies, stop=pieces)
        start, clock = ghost.start(ghost.round.number), ghost.clock
        if self.world.ghost.round.settled or not self.starts:
            return
        self.meanwhile()
        if story == "begins again":
            self.clear_up("operator")
            self.chunks(["operator"], size, lies)
        if story in ("is late", "is undone"):
            self.world.warp(start + clock["exclusiveUntil"])
            undone = story == "is undone" and self.world.ghost.ahead
            for most, who in enumerate(settlers if undone else (), 1):
                chunk = size % len(self.world.ghost.pieces)
                self.act(who, "restoreChunk", *self.application(chunk, most))
            self.chunks(settlers, size, lies, start=ADDRESSES["operator"])
        if story in ("is gone", "is left"):
            self.world.warp(start + clock["deadline"])
            self.void(settlers[0], fee, self.standing if story == "is left" else ())

    def void(self, who: str, fee: int, leaving: Sequence[str]) -> None:
        """A void batch before and after it is closed, at a base fee."""
        self.world.ghost.base_fee = fee
        for name in leaving:
            self.act(name, "pause")
        self.close_void(who, 0)
        for name in BIDDERS:
            self.compensate(who, name)

    def meanwhile(self) -> None:
        """What has to wait until the operator's run is taken back, or its time is over."""
        ghost = self.world.ghost
        number, run = ghost.round.number, ghost.runs[ghost.round.number, ADDRESSES["operator"]]
        if ghost.ahead:
            self.act("ann", "restoreChunk", *self.application(0))
            items = run.pieces[0].items
            self.verify("operator", NOBODY, FRESH, run.posted, items)
            self.act("operator", "settle", number, *run.posted, b"".join(map(written, items)))

    def exits(self) -> Calls:
        """Whatever was verified and not applied, or not taken back, too: by anybody."""
        found: Calls = list(super().exits())
        ghost = self.world.ghost
        for chunk, piece in enumerate(ghost.pieces):
            for name, waiting in (("applyChunk", ghost.due), ("restoreChunk", ghost.ahead)):
                if any(owner in waiting for owner in piece.owners):
                    found += [(who, name, self.application(chunk)) for who in NAMES[:2]]
        return found
