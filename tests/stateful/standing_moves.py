"""Moves of submissions that stand, and of batches that are settled in chunks by whoever comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from tests.contract.support import address
from tests.reference import phases
from tests.reference.keccak import keccak256
from tests.stateful import strategies as some
from tests.stateful.batch_moves import BatchMoves
from tests.stateful.books import CASH, NOBODY, STANDING
from tests.stateful.items import Item, written
from tests.stateful.setting import ADDRESSES, BIDDERS, NAMES
from tests.stateful.settling import honest
from tests.stateful.table import move
from walras.auths import Submission

FRESH: tuple[Any, ...] = (bytes(32), NOBODY, 0, 0, 0, 0, 0, 0, 0, 0, 0, [], [])
Calls = list[tuple[str, str, Sequence[Any]]]


class StandingMoves(BatchMoves):
    """What stands, day after day."""

    @property
    def standing(self) -> list[str]:
        """Names of those whose submission stands, paused or not."""
        ghost = self.world.ghost
        return [name for name in BIDDERS if ghost.holder(ADDRESSES[name]).flags & STANDING]

    def one_of(self, names: Sequence[str], pick: int) -> str:
        return (names or BIDDERS)[pick % len(names or BIDDERS)]

    # ------------------------------------------------------------------------------ lifecycle

    @move(phases.OPEN, phases.LOCKED_IN, phases.SETTLED, who=some.names, back=some.batches_back)
    def open_batch(self, who: str, back: int) -> None:
        self.act(who, "open", max(0, self.now - back))

    @move(
        phases.OPEN,
        pick=st.integers(0, 3),
        submission=some.submissions(stands=0.8),
        slack=st.sampled_from((0, 0, 0, 0, -1, 20)),
        when=lambda table: table.standing and table.backed,
    )
    def amend(self, pick: int, submission: Submission, slack: int) -> None:
        """Somebody who stands; without what the new cover needs, one time in two."""
        who = self.one_of(self.standing, pick)
        if slack:
            self.seal_order(who, submission, slack, 0)
        else:
            self.enter(who, submission, 0, 0)

    @move(rarely=True, pick=st.integers(0, 3), when=lambda table: table.standing)
    def pause(self, pick: int) -> None:
        self.act(self.one_of(self.standing, pick), "pause")

    @move(pick=st.integers(0, 3), when=lambda table: table.standing)
    def resume(self, pick: int) -> None:
        """One that is paused, if there is one."""
        ghost = self.world.ghost
        paused = [n for n in self.standing if not ghost.holder(ADDRESSES[n]).stands]
        self.act(self.one_of(paused or self.standing, pick), "resume")

    @move(rarely=True, pick=st.integers(0, 3), when=lambda table: len(table.standing) > 2)
    def take_back(self, pick: int) -> None:
        self.act(self.one_of(self.standing, pick), "cancel")

    @move(rarely=True, pick=st.integers(0, 3), when=lambda table: table.standing)
    def strip(self, pick: int) -> None:
        """Somebody who stands takes everything out, if that is not frozen."""
        who = self.one_of(self.standing, pick)
        for asset in (CASH, 0, 1, 2):
            if self.world.ghost.balance(ADDRESSES[who], asset) >> 44:
                self.act(who, "withdraw", asset, 2**256 - 1, ADDRESSES[who])

    # --------------------------------------------------------------------------------- chunks

    def verify(
        self, who: str, start: str, run: tuple[Any, ...], posted: Any, items: Sequence[Item]
    ) -> tuple[Any, ...] | None:
        data = b"".join(map(written, items))
        return self.act(who, "verify", self.world.ghost.round.number, start, run, *posted, data)

    @move(
        phases.CLEARING,
        phases.FALLBACK,
        settlers=st.lists(some.mostly_operator, min_size=1, max_size=3),
        size=st.integers(1, 3),
        stop=st.sampled_from((9, 9, 9, 1, 2)),
        lies=some.chunk_lies,
        when=lambda table: table.world.ghost.round.number in table.world.ghost.secrets,
    )
    def settle_in_chunks(self, settlers: list[str], size: int, stop: int, lies: list[str]) -> None:
        """Each chunk by the next of the settlers, from the run of the one before."""
        ghost = self.world.ghost
        if not ghost.round.live or ghost.round.settled or ghost.round.number not in ghost.secrets:
            return
        truth = honest(ghost, self.sealed)
        posted = (list(truth.products), list(truth.prices))
        start, run = NOBODY, FRESH
        for n, at in enumerate(range(0, len(truth.items), size)):
            who = settlers[n % len(settlers)]
            if n == stop:
                return
            for how in lies:
                self.lie_about(how, who, start, run, posted, truth.items, at, size)
            if self.verify(who, start, run, posted, truth.items[at : at + size]) is not None:
                return
            ghost, start = self.world.ghost, ADDRESSES[who]
            if not ghost.round.settled:
                run = ghost.run(*posted, ghost.runs[ghost.round.number, start][1])
        assert self.world.ghost.round.settled, "S5: the exact root does not settle in chunks"

    def lie_about(
        self,
        how: str,
        who: str,
        start: str,
        run: tuple[Any, ...],
        posted: Any,
        items: Sequence[Item],
        at: int,
        size: int,
    ) -> None:
        """What must not go on from a run. Something else may begin one: it says nothing yet."""
        part = items[at : at + size]
        if how == "run":
            self.verify(who, start, (*run[:2], run[2] + 1, *run[3:]), posted, part)
        if start == NOBODY:
            return
        if how == "foreign":
            self.verify(who, address("who never verified"), run, posted, part)
        if how == "board" and posted[1]:
            self.verify(who, start, run, (posted[0], [posted[1][0] + 1, *posted[1][1:]]), part)
        if how == "overlap":
            self.verify(who, start, run, posted, items[at - 1 : at + size])
        if how == "fresh":
            self.verify(who, start, FRESH, posted, part)

    def application(self, chunk: int) -> tuple[int, list[bytes], int, bytes]:
        pieces = self.world.ghost.pieces
        digests = [keccak256(effects) for effects, _ in pieces]
        return self.world.ghost.round.number, digests, chunk, pieces[chunk][0]

    @move(
        when=lambda table: table.world.ghost.round.unapplied,
        who=some.names,
        pick=st.integers(0, 5),
        how=st.sampled_from(("good",) * 4 + ("byte", "other", "digests", "index", "batch")),
    )
    def apply(self, who: str, pick: int, how: str) -> None:
        """Any chunk, any number of times; or something else instead of it."""
        pieces = self.world.ghost.pieces
        if not pieces:
            return
        batch, digests, chunk, effects = self.application(pick % len(pieces))
        at = pick % len(effects) if effects else 0
        args: dict[str, tuple[Any, ...]] = {
            "good": (batch, digests, chunk, effects),
            "byte": (batch, digests, chunk, effects[:at] + b"\xa5" + effects[at + 1 :]),
            "other": (batch, digests, chunk, effects + effects),
            "digests": (batch, digests[1:], chunk, effects),
            "index": (batch, digests, len(digests), effects),
            "batch": (batch + 1, digests, chunk, effects),
        }
        self.act(who, "applyChunk", *args[how])

    def exits(self) -> Calls:
        """Whatever was verified and not applied, too: by anybody, in any order."""
        found: Calls = list(super().exits())
        ghost = self.world.ghost
        for chunk, (_, owners) in enumerate(ghost.pieces if ghost.round.unapplied else []):
            if any(owner in ghost.due for owner in owners):
                found += [(who, "applyChunk", self.application(chunk)) for who in NAMES[:2]]
        return found
