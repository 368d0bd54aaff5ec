"""Moves of submissions that stand."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from tests.reference import phases
from tests.stateful import strategies as some
from tests.stateful.batch_moves import BatchMoves
from tests.stateful.books import CASH
from tests.stateful.holders import STANDING
from tests.stateful.setting import ADDRESSES, BIDDERS
from tests.stateful.table import move
from walras.auths import Submission


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
