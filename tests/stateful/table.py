"""The machine without its moves: a market and its ghost, time, what always holds, how it ends."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ClassVar, cast
from zlib import crc32

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.reference import phases
from tests.stateful import strategies as some
from tests.stateful.books import ALL, CASH, NOBODY, X40, X44
from tests.stateful.holders import STANDING
from tests.stateful.setting import ADDRESSES, BATCHES, BIDDERS, NAMES
from tests.stateful.world import World, branch, key_of

EDGES = ("start", "lockIn", "lockOut", "revealFrom", "keyDeadline", "exclusiveUntil", "deadline")
IDLE = 9  # nobody is live, and nobody can be before the next batch
Move = Callable[..., None]


def move(
    *ripe: int, when: Callable[[Any], bool] | None = None, rarely: bool = False, **strategies: Any
) -> Callable[[Move], Move]:
    """A counted rule, on offer at the stages that are `ripe` (all if none) and `when` it fits.

    Out of turn it is on offer too, one time in eight; one that comes `rarely` three in eight.
    """

    def made(function: Move) -> Move:
        @wraps(function)
        def counted(self: Table, *args: Any, **given: Any) -> None:
            self.moves += 1
            self.world.tally.rules[function.__name__] += 1
            function(self, *args, **given)

        def offered(self: Table) -> bool:
            fits = (not ripe or self.stage in ripe) and (when is None or when(self))
            chance = crc32(b"%d %s" % (self.moves, function.__name__.encode())) % 8
            return chance == 0 or (fits and (chance < 3 or not rarely))

        return cast("Move", precondition(offered)(rule(**strategies)(counted)))  # type: ignore[no-untyped-call]

    return made


class Table(RuleBasedStateMachine):
    """`base` is the market every sequence starts from."""

    base: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self._branch = branch(self.base)
        self.world = self._branch.__enter__()
        self.sealed: dict[bytes, bytes] = {}  # last ciphertext by account
        self.seen: dict[int, int] = {}  # last phase by batch
        self.sound = True
        self.salts = 0
        self.moves = 0
        self.world.tally.sequences += 1

    # ------------------------------------------------------------------------------- plumbing

    @property
    def now(self) -> int:
        """The current batch."""
        return self.world.ghost.current

    @property
    def stage(self) -> int:
        """Phase of the batch somebody is live in, else of the current one; IDLE if that is void."""
        ghost = self.world.ghost
        if not ghost.finished:
            return ghost.phase(ghost.round.number)
        phase = ghost.phase(self.now)
        return phase if phase <= phases.LOCKED_IN or phase == phases.SETTLED else IDLE

    @property
    def backed(self) -> bool:
        """Bond and houses are full."""
        ghost = self.world.ghost
        full = ghost.bond >= ghost.terms["bond"] * X40 and not ghost.short_houses
        return full and ghost.house_cash >= ghost.least_house_cash

    @property
    def live(self) -> list[str]:
        """Names of those in the current batch."""
        ghost = self.world.ghost
        here = ghost.round.number == self.now
        return [name for name in NAMES if here and ghost.alive(ADDRESSES[name])]

    def act(
        self, who: str, name: str, *args: Any, ghostly: tuple[Any, ...] | None = None
    ) -> tuple[Any, ...] | None:
        """One call to contract and ghost; a teardown after a failure does not hide it."""
        self.sound = False
        refusal = self.world.attempt(ADDRESSES[who], name, *args, ghostly=ghostly)
        self.sound = True
        return refusal

    def base_units(self, asset: int, count: int, extra: int = 0) -> int:
        return max(0, count * self.world.bench.units.get(asset, 1) + extra)

    def place(self, name: str) -> str:
        special = {"market": self.world.bench.market, "nobody": NOBODY}
        return special.get(name) or ADDRESSES[name]

    def share(self, asset: int, available: int, eighths: int, extra: int) -> int:
        """Base units in so many eighths of ledger units."""
        if eighths == ALL or asset not in self.world.ghost.vaults:
            return eighths
        vault = self.world.ghost.vaults[asset]
        return max(0, (available * vault.unit >> vault.bits) * eighths // 8 + extra)

    # ------------------------------------------------------------------------------- beginning

    @initialize(
        funded=st.sampled_from((True, True, True, False)),
        keys=st.sampled_from((4, 4, 4, 1, 0)),
        rich=st.sampled_from((True, True, True, False)),
        early=st.sampled_from((False, False, True)),
    )
    def open_market(self, funded: bool, keys: int, rich: bool, early: bool) -> None:
        for batch in range(1, keys + 1):
            self.act("operator", "registerKey", batch, *key_of(self.world, batch))
        if funded:
            self.fill()
        for who in BIDDERS if rich else ():
            for asset, count in {CASH: 30_000, 0: 40, 2: 10}.items():
                if (
                    ADDRESSES[who]
                    in self.world.ghost.tokens[self.world.bench.tokens[asset]].allowances
                ):
                    self.act(who, "deposit", asset, self.base_units(asset, count))
        if not early:
            self.world.warp(self.world.ghost.start(1))

    @move(when=lambda table: not table.backed)
    def refill(self) -> None:
        self.fill()

    def fill(self) -> None:
        """House of everything at its very least, and the full bond."""
        ghost = self.world.ghost
        wants = {k: (X44 << p.house_log2) - p.house for k, p in enumerate(ghost.lines)}
        wants[CASH] = ghost.least_house_cash - ghost.house_cash
        for asset, short in wants.items():
            count = -(-short >> ghost.vaults[asset].bits) if short > 0 else 0
            if count:
                self.act("operator", "fundHouse", asset, self.base_units(asset, count))
        bond = -(-(ghost.terms["bond"] * X40 - self.world.ghost.bond) // X40)
        if bond > 0:
            self.act("operator", "addBond", self.base_units(CASH, bond))

    # ----------------------------------------------------------------------------------- time

    @move(rarely=True, edge=st.sampled_from(EDGES), by=st.sampled_from((0, -1, 1)))
    def wait_for(self, edge: str, by: int) -> None:
        """To a boundary of this batch, or of the next if it is over."""
        ghost = self.world.ghost
        for batch in (self.now, self.now + 1):
            offset = 0 if edge == "start" else ghost.clock[edge]
            if ghost.start(batch) + offset + by > ghost.now and batch < BATCHES - 4:
                self.world.warp(ghost.start(batch) + offset + by)
                break

    @move(IDLE, phases.SETTLED, phases.PENDING, ready=st.sampled_from((True, True, True, False)))
    def begin_a_batch(self, ready: bool) -> None:
        """To the next start; an operator that is ready has registered its key and filled up."""
        if self.now >= BATCHES - 4:
            return
        if ready:
            if self.now + 1 not in self.world.ghost.keys:
                self.act("operator", "registerKey", self.now + 1, *key_of(self.world, self.now + 1))
            self.fill()
        self.world.warp(self.world.ghost.start(self.now + 1))

    @move()
    def wait_for_the_next_boundary(self) -> None:
        ghost = self.world.ghost
        offsets = [ghost.clock[edge] for edge in EDGES[1:]] + [ghost.clock["period"]]
        if self.now < BATCHES - 4:
            self.world.warp(ghost.start(self.now) + min(o for o in offsets if o > ghost.offset))

    @move(rarely=True, fee=some.base_fees)
    def gas_costs(self, fee: int) -> None:
        self.world.ghost.base_fee = fee

    # -------------------------------------------------------------------------------- always

    @invariant()
    def the_contract_is_the_ghost(self) -> None:
        """State, S1 and S2, the clock around a boundary; and S9: phases only move forward."""
        sound, self.sound = self.sound, False
        self.world.tally.steps += 1
        self.world.check()
        ghost = self.world.ghost
        turn = self.moves
        edge = ghost.start(self.now) + ({"start": 0} | dict(ghost.clock))[EDGES[turn % 7]]
        if edge + turn % 3 - 1 > ghost.now:
            self.world.check_clock(edge + turn % 3 - 1)
        for batch in range(1, self.now + 2):
            before, now = self.seen.get(batch, 0), ghost.phase(batch)
            assert now == before or (now > before and before < phases.SETTLED), batch
            self.seen[batch] = now
        self.sound = sound

    def teardown(self) -> None:
        """S7, then everything is undone."""
        try:
            if self.sound:
                self.everybody_leaves()
        finally:
            self._branch.__exit__(None, None, None)

    def everybody_leaves(self) -> None:
        """Operator and clearers are gone; from T3 everybody takes everything, in random order."""
        ghost = self.world.ghost
        self.world.warp(ghost.start(self.now) + ghost.clock["deadline"])
        order = random.Random(f"{self.salts} {ghost.now} {len(self.sealed)}")
        while exits := self.exits():
            who, name, args = order.choice(exits)
            assert self.act(who, name, *args) is None, f"S7: {who} cannot {name}{args}"
        self.world.check()
        self.nothing_is_left()

    def exits(self) -> list[tuple[str, str, Sequence[Any]]]:
        """Every call that gets somebody's money nearer to a wallet."""
        ghost, found = self.world.ghost, list[tuple[str, str, Sequence[Any]]]()
        if not ghost.finished:
            found.append(("ann", "closeVoid", (ghost.round.number,)))
        for name in NAMES:
            owner, holder = ADDRESSES[name], ghost.holder(ADDRESSES[name])
            sealed = holder.batch and not holder.flags & STANDING and owner not in ghost.ahead
            if sealed and ghost.outcomes.get(holder.batch) == (1).to_bytes(32):
                found.append(("bob", "compensate", (owner,)))
            for asset, vault in ghost.vaults.items():
                there = ghost.balance(owner, asset) * vault.unit >> vault.bits
                if there and not ghost.frozen(owner):
                    found.append((name, "withdraw", (asset, ALL, owner)))
            if holder.claimable * ghost.vaults[CASH].unit >> 40:
                found.append((name, "claim", (owner,)))
        return found

    def nothing_is_left(self) -> None:
        """The market holds house, bond, burnt cash, a left batch's pot, and crumbs of a unit."""
        ghost = self.world.ghost
        for asset, vault in ghost.vaults.items():
            theirs = [ghost.balance(owner, asset) for owner in ADDRESSES.values()]
            theirs += [h.claimable for h in ghost.holders.values() if asset == CASH]
            assert all(ledger * vault.unit >> vault.bits == 0 for ledger in theirs)
            if asset == CASH:
                funds = (
                    ghost.house_cash + ghost.bond + ghost.burnt + ghost.round.pot + ghost.reserved
                )
            else:
                funds = ghost.lines[asset].house
            crumbs = sum(theirs) * vault.unit + vault.dust
            held = ghost.tokens[vault.token].balances.get(ghost.market, 0)
            assert held << vault.bits == funds * vault.unit + crumbs
