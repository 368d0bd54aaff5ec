"""Moves of a batch: seals of every kind, the key, settlements true and false, void batches."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.reference import phases
from tests.reference.secp256k1 import N, P
from tests.stateful import strategies as some
from tests.stateful.books import CASH
from tests.stateful.setting import ADDRESSES, NAMES
from tests.stateful.settling import honest, lie
from tests.stateful.table import IDLE, Table, move
from tests.stateful.world import key_of
from walras.auths import Submission, cover
from walras.sealing import encode_point, keccak256, seal
from walras.submission import encode, required_units


class BatchMoves(Table):
    """What bidders, operator and clearers do in the course of a batch."""

    # -------------------------------------------------------------------------------- sealing

    def seals(self, who: str, batch: int, body: bytes) -> bytes:
        """A body sealed by `who`; the salt is drawn from the number of seals before."""
        self.salts += 1
        account = bytes.fromhex(ADDRESSES[who][2:])
        key = encode_point(*key_of(self.world, batch))
        salt = keccak256(b"salt %d" % self.salts)
        return seal(key, body, account, self.world.ghost.ids[batch], salt=salt)

    def sealing(self, who: str, name: str, *args: Any) -> None:
        """`seal` or `depositAndSeal`; what was sealed is kept for the settlement."""
        if self.act(who, name, *args) is None:
            self.sealed[bytes.fromhex(ADDRESSES[who][2:])] = args[-2]

    def units_of(self, who: str, submission: Submission, slack: int) -> int:
        home = self.world.ghost.holder(ADDRESSES[who]).home
        return max(0, required_units(submission, home=home) + slack)

    @move(
        phases.OPEN,
        who=some.bidders,
        submission=some.submissions(),
        slack=st.sampled_from((0, 0, 0, -2, 30, 100)),
        late=some.batches_back,
        when=lambda table: table.backed,
    )
    def seal_order(self, who: str, submission: Submission, slack: int, late: int) -> None:
        batch = max(0, self.now - late)
        ct = self.seals(who, batch, encode(submission))
        self.sealing(who, "seal", self.units_of(who, submission, slack), ct, batch)

    @move(
        phases.OPEN,
        phases.LOCKED_IN,
        who=some.bidders,
        submission=some.submissions(),
        slack=st.sampled_from((0, 0, 0, 0, -1, 20)),
        short=st.sampled_from((0, 0, 0, 1)),
        when=lambda table: table.backed,
    )
    def enter(self, who: str, submission: Submission, slack: int, short: int) -> None:
        """Deposit what cover and fee still need, to the unit, and seal."""
        world, owner = self.world, ADDRESSES[who]
        units = self.units_of(who, submission, slack)
        ghost = world.ghost
        used = ghost.round.units if ghost.round.number == self.now else 0
        needed = cover(submission)
        wants = {CASH: needed.cash + sum(ghost.fees(used + units, units)), **needed.lots}
        deposits = []
        for asset, ledger in wants.items():
            bits = 40 if asset == CASH else 44
            missing = -(-(ledger - ghost.balance(owner, asset)) >> bits) - short * (asset == CASH)
            if missing > 0:
                deposits.append((asset, self.base_units(asset, missing)))
        ct = self.seals(who, max(1, self.now), encode(submission))
        self.sealing(who, "depositAndSeal", deposits, units, ct, self.now)

    @move(
        phases.OPEN,
        phases.LOCKED_IN,
        orders=some.crowds,
        slack=st.sampled_from((0, 0, 0, -1)),
        short=st.sampled_from((0, 0, 0, 1)),
        when=lambda table: table.backed,
    )
    def crowd(self, orders: dict[str, Submission], slack: int, short: int) -> None:
        """Several at once, so that books are common."""
        for who, submission in orders.items():
            self.enter(who, submission, slack, short)

    @move(
        phases.OPEN,
        who=some.bidders,
        ct=st.binary(max_size=160),
        units=st.sampled_from((10, 10, 12, 9, 255)),
        when=lambda table: table.backed,
    )
    def seal_garbage(self, who: str, ct: bytes, units: int) -> None:
        self.sealing(who, "seal", units, ct, self.now)

    @move(
        phases.OPEN,
        who=some.bidders,
        body=st.binary(max_size=60),
        real=some.submissions(),
        when=lambda table: table.backed,
    )
    def seal_malformed(self, who: str, body: bytes, real: Submission) -> None:
        """Bytes that open, but mean nothing or not quite an order."""
        known = encode(real)
        mixed = known[: len(known) - len(body) or 1] + body
        self.sealing(who, "seal", 60, self.seals(who, max(1, self.now), mixed), self.now)

    @move(phases.OPEN, who=some.bidders, victim=some.bidders, when=lambda table: table.live)
    def seal_copy(self, who: str, victim: str) -> None:
        """Another's ciphertext."""
        ct = self.sealed.get(bytes.fromhex(ADDRESSES[victim][2:]), b"")
        self.sealing(who, "seal", 40, ct, self.now)

    @move(phases.OPEN, when=lambda table: table.live, pick=st.integers(0, 3), rarely=True)
    def cancel(self, pick: int) -> None:
        """Somebody who can, if there is anybody."""
        able = self.live or NAMES
        self.act(able[pick % len(able)], "cancel")

    # -------------------------------------------------------------------------------- the key

    @move(
        IDLE,
        phases.SETTLED,
        phases.LOCKED_OUT,
        who=some.mostly_operator,
        ahead=st.sampled_from((1, 1, 1, 2, 0)),
        how=st.sampled_from(("good", "good", "good", "good", "used", "off", "wide")),
    )
    def register_key(self, who: str, ahead: int, how: str) -> None:
        batch = self.now + ahead
        x, y = key_of(self.world, 1 if how == "used" else batch)
        x, y = (x + P if how == "wide" else x), y ^ (how == "off")
        self.act(who, "registerKey", batch, x % 2**256, y)

    def secret(self, batch: int, how: str) -> int:
        key = self.world.bench.key(batch)
        return {"zero": 0, "order": N, "negative": N - key, "other": key ^ 1}.get(how, key)

    @move(
        phases.REVEAL,
        who=some.names,
        back=some.batches_back,
        how=st.sampled_from(("good", "good", "good", "good", "zero", "order", "negative", "other")),
    )
    def reveal(self, who: str, back: int, how: str) -> None:
        batch = max(0, self.now - back)
        self.act(who, "reveal", batch, self.secret(batch, how))

    @move(
        rarely=True,
        who=some.names,
        ahead=st.sampled_from((0, 0, 1, -1)),
        how=st.sampled_from(("other", "zero", "good", "good")),
    )
    def report_leak(self, who: str, ahead: int, how: str) -> None:
        batch = max(0, self.now + ahead)
        self.act(who, "reportLeak", batch, self.secret(batch, how))

    # ----------------------------------------------------------------------------- settlement

    @move(
        phases.CLEARING,
        phases.FALLBACK,
        who=some.mostly_operator,
        lies=some.lies,
        back=some.batches_back,
    )
    def settle(self, who: str, lies: list[str], back: int) -> None:
        """Some lies, then the truth."""
        ghost = self.world.ghost
        batch = max(0, self.now - back)
        if not ghost.round.live or ghost.round.number not in ghost.secrets:
            self.act(who, "settle", batch, [], [], b"")
            return
        truth = honest(ghost, self.sealed)
        stranger = bytes.fromhex(ADDRESSES["operator"][2:])
        # of a batch that is settled nobody may be left to lie about
        for how in lies if truth.items else ():
            self.act(who, "settle", *lie(ghost, truth, how, stranger).arguments(batch))
        phase = self.world.ghost.phase(batch)
        refusal = self.act(who, "settle", *truth.arguments(batch))
        may = phase == phases.FALLBACK or (phase == phases.CLEARING and who == "operator")
        if may and batch == ghost.round.number and not ghost.ahead:
            assert refusal is None, f"S5: the exact root does not settle: {refusal}"

    @move(
        phases.LOCKED_IN,
        phases.LOCKED_OUT,
        phases.REVEAL,
        phases.CLEARING,
        phases.FALLBACK,
        who=some.mostly_operator,
        last=some.endings,
        lies=some.lies,
    )
    def carry(self, who: str, last: str, lies: list[str]) -> None:
        """The way of most batches: reveal in time, settle."""
        ghost = self.world.ghost
        if not ghost.round.live or ghost.round.number != self.now or self.now in ghost.outcomes:
            return
        start, clock = ghost.start(self.now), ghost.clock
        self.world.warp(start + clock["revealFrom"])
        if self.now not in ghost.secrets:
            self.reveal(who, 0, "good")
        if last == "fallback":
            self.world.warp(start + clock["exclusiveUntil"])
        if last != "clearing":
            self.settle(who, lies, 0)

    @move(
        phases.OPEN,
        IDLE,
        phases.SETTLED,
        orders=some.crowds,
        slack=st.sampled_from((0, 0, 0, -1)),
        short=st.sampled_from((0, 0, 0, 1)),
        garbage=st.sampled_from((b"", b"", b"?" * 70, b"\2" * 120)),
        last=some.endings,
        lies=some.lies,
    )
    def trade(
        self,
        orders: dict[str, Submission],
        slack: int,
        short: int,
        garbage: bytes,
        last: str,
        lies: list[str],
    ) -> None:
        """A batch as it should be, from start to settlement."""
        if self.stage != phases.OPEN:
            self.begin_a_batch(True)
        self.refill()
        self.crowd(orders, slack, short)
        if garbage:
            self.seal_garbage("ann", garbage, 10)
        self.carry("operator", last, lies)

    @move(phases.VOID, who=some.names, back=some.batches_back)
    def close_void(self, who: str, back: int) -> None:
        batch = self.world.ghost.round.number if back == 0 else max(0, self.now - back)
        self.act(who, "closeVoid", batch)

    @move(IDLE, who=some.names, owner=some.bidders, when=lambda table: table.world.ghost.reserved)
    def compensate(self, who: str, owner: str) -> None:
        self.act(who, "compensate", ADDRESSES[owner])
