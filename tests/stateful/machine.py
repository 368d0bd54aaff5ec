"""Anybody does anything to a market, in any order; at the end everybody leaves with everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize

from tests.reference import phases
from tests.stateful import strategies as some
from tests.stateful.books import CASH, X40
from tests.stateful.chunk_moves import ChunkMoves
from tests.stateful.escrow_moves import EscrowMoves
from tests.stateful.setting import BIDDERS
from tests.stateful.table import IDLE, move
from tests.stateful.world import key_of
from walras.auths import Auth, Leg, Limits, Step, Submission


def _trio() -> Iterator[tuple[str, Submission]]:
    """Orders that meet for some batches, one of them until its limit, and one that rests."""
    side = (Step(10, 0),)
    buy = Auth((Leg(0, 1),), 102 * X40, 0, side, (), Limits(0, 25))
    yield "ann", Submission((buy,), standing=True)
    yield "bob", Submission((Auth((Leg(0, 1),), 98 * X40, 0, (), side),), standing=True)
    yield "cat", Submission((Auth((Leg(0, 1),), X40, 0, side, ()),), standing=True)


TRIO = dict(_trio())
BEGINNINGS = (
    ("chunks", "at once", "chunks"),
    ("begins again", "settles"),
    ("is late", "is undone"),
    ("is undone", "settles"),
    ("is gone", "chunks"),
    ("settles", "is left"),
)


class MarketMachine(EscrowMoves, ChunkMoves):
    """All moves. Each makes its calls through `World.attempt`: to the contract and to the ghost."""

    @move(
        phases.OPEN,
        IDLE,
        phases.SETTLED,
        orders=some.large_crowds,
        story=st.sampled_from(some.STORIES),
        size=st.integers(1, 2),
        lies=some.chunk_lies,
        fee=some.base_fees,
        tidy=st.booleans(),
    )
    def trade_in_chunks(
        self,
        orders: dict[str, Submission],
        story: str,
        size: int,
        lies: list[str],
        fee: int,
        tidy: bool,
    ) -> None:
        """A batch of the operator's in chunks, from its start, and if `tidy` to the next one."""
        self.clear_up("ann")
        self.trade(orders, 0, 0, b"", "clearing", [])
        self.operator_in_chunks(story, ["bob", "ann"], size, lies, fee)
        if tidy:
            self.clear_up("cat")
            self.begin_a_batch(True)
            self.open_batch("dan", 0)


class StandingMachine(ChunkMoves):
    """A market in good order, in which submissions stand for many batches."""

    @initialize(keys=st.just(4), lasts=st.sampled_from(BEGINNINGS), lies=some.chunk_lies)
    def open_standing_market(self, keys: int, lasts: Sequence[str], lies: list[str]) -> None:
        """Everybody is rich enough for many batches of rent; two trade with each other."""
        for batch in range(1, keys + 1):
            self.act("operator", "registerKey", batch, *key_of(self.world, batch))
        self.fill()
        for who in BIDDERS[:3]:
            for asset, count in {CASH: 200_000, 0: 400, 1: 200, 2: 50}.items():
                self.act(who, "deposit", asset, self.base_units(asset, count))
        self.world.warp(self.world.ghost.start(1))
        how = {"wishes": [], "opener": "cat", "settlers": ["ann", "bob"], "size": 1, "lies": lies}
        self.days(lasts, TRIO, **how, fee=1 << 16)

    @initialize()
    def open_market(self) -> None:
        """Instead of the one that may lack everything."""

    # ----------------------------------------------------------------------------------- days

    @move(
        phases.OPEN,
        IDLE,
        phases.SETTLED,
        orders=some.standing_crowds,
        wishes=st.lists(
            st.tuples(
                st.sampled_from(("pause", "resume", "take_back", "strip")), st.integers(0, 3)
            ),
            max_size=2,
        ),
        opener=some.names,
        lasts=st.lists(
            st.sampled_from(
                ("at once", "chunks", "chunks", "chunks", "void", "clearing", *some.STORIES)
            ),
            min_size=1,
            max_size=2,
        ),
        settlers=st.lists(some.names, min_size=1, max_size=3),
        size=st.integers(1, 3),
        lies=some.chunk_lies,
        fee=some.base_fees,
    )
    def days(self, lasts: Sequence[str], orders: dict[str, Submission], **how: Any) -> None:
        """Some batches in a row; the orders come with the first."""
        for n, last in enumerate(lasts):
            self.day(last, {} if n else orders, **how)

    def day(
        self,
        last: str,
        orders: dict[str, Submission],
        wishes: list[tuple[str, int]],
        opener: str,
        settlers: list[str],
        size: int,
        lies: list[str],
        fee: int = 0,
    ) -> None:
        """A batch with what stands and some more; what waits or is ahead is seen to before."""
        self.clear_up(opener)
        if self.stage != phases.OPEN:
            self.begin_a_batch(True)
        self.refill()
        self.open_batch(opener, 0)
        self.crowd(orders, 0, 0)
        for name, pick in wishes if self.standing else []:
            getattr(self, name)(pick)
        ghost = self.world.ghost
        if not ghost.round.live or ghost.round.number != self.now or self.now in ghost.outcomes:
            return
        if last == "void":
            self.world.warp(ghost.start(self.now) + ghost.clock["deadline"])
            self.close_void(opener, 0)
            return
        self.carry("operator", "clearing", [])
        if last in ("at once", "chunks"):
            self.world.warp(ghost.start(self.now) + ghost.clock["exclusiveUntil"])
        if last == "at once":
            self.settle(settlers[0], [], 0)
        if last == "chunks":
            self.settle_in_chunks(settlers, size, 9, lies)
        if last in some.STORIES:
            self.operator_in_chunks(last, settlers, size, lies, fee)
