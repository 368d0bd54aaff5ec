"""Moves of money: escrow, bond, house and listing."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.reference import phases
from tests.stateful import strategies as some
from tests.stateful.books import ALL, CASH
from tests.stateful.setting import ADDRESSES, PRODUCTS
from tests.stateful.table import IDLE, Table, move


class EscrowMoves(Table):
    """What anybody does with tokens, and the operator with funds and products."""

    # --------------------------------------------------------------------------------- escrow

    @move(who=some.names, asset=some.assets, count=some.counts, extra=some.extras)
    def deposit(self, who: str, asset: int, count: int, extra: int) -> None:
        self.act(who, "deposit", asset, self.base_units(asset, count, extra))

    @move(
        rarely=True,
        who=some.names,
        asset=some.assets,
        count=some.counts,
        how=st.sampled_from(("good", "good", "used up", "forged", "late")),
    )
    def deposit_with_permit(self, who: str, asset: int, count: int, how: str) -> None:
        world, owner, amount = self.world, ADDRESSES[who], self.base_units(asset, count)
        if who == "operator" or asset not in world.ghost.vaults:
            who, owner, asset = "dan", ADDRESSES["dan"], CASH
        deadline = world.ghost.now - 1 if how == "late" else world.ghost.now
        signature = world.permit(owner, asset, amount, deadline)
        signed = -1 if how in {"used up", "forged"} else amount
        if how == "forged":
            signature = (signature[0], signature[2], signature[1])
        if how == "used up":
            permit = (owner, world.bench.market, amount, deadline, *signature)
            world.token(asset, ADDRESSES["operator"], "permit", *permit)
            token = world.ghost.tokens[world.bench.tokens[asset]]
            token.allowances[owner] = amount
            token.nonces[owner] = token.nonces.get(owner, 0) + 1
        args = (asset, amount, deadline, *signature)
        self.act(who, "depositWithPermit", *args, ghostly=(asset, amount, deadline, signed))

    @move(
        rarely=True,
        who=some.names,
        asset=st.sampled_from((CASH, 0, 1, 2)),
        count=st.sampled_from((0, ALL)),
    )
    def approve(self, who: str, asset: int, count: int) -> None:
        self.world.approve(ADDRESSES[who], asset, count)

    @move(
        rarely=True,
        who=some.names,
        asset=some.assets,
        share=some.shares,
        extra=some.extras,
        to=some.recipients,
    )
    def withdraw(self, who: str, asset: int, share: int, extra: int, to: str) -> None:
        there = self.world.ghost.balance(ADDRESSES[who], asset)
        amount = self.share(asset, there, share, extra)
        self.act(who, "withdraw", asset, amount, self.place(to))

    @move(
        when=lambda table: table.world.ghost.claimants,
        pick=st.integers(0, 3),
        to=some.recipients,
    )
    def claim(self, pick: int, to: str) -> None:
        """Somebody who has something to claim, if there is anybody."""
        able = self.world.ghost.claimants or list(ADDRESSES.values())
        owner = able[pick % len(able)]
        (who,) = [name for name, address in ADDRESSES.items() if address == owner]
        self.act(who, "claim", self.place(to))

    # -------------------------------------------------------------------------- bond and house

    @move(rarely=True, who=some.names, count=some.counts, extra=some.extras)
    def add_bond(self, who: str, count: int, extra: int) -> None:
        self.act(who, "addBond", self.base_units(CASH, count, extra))

    @move(
        rarely=True,
        who=some.mostly_operator,
        share=some.shares,
        extra=some.extras,
        to=some.recipients,
    )
    def draw_bond(self, who: str, share: int, extra: int, to: str) -> None:
        amount = self.share(CASH, self.world.ghost.bond, share, extra)
        self.act(who, "drawBond", amount, self.place(to))

    @move(rarely=True, who=some.names, asset=some.assets, count=some.counts, extra=some.extras)
    def fund_house(self, who: str, asset: int, count: int, extra: int) -> None:
        self.act(who, "fundHouse", asset, self.base_units(asset, count, extra))

    @move(
        phases.SETTLED,
        IDLE,
        who=some.mostly_operator,
        asset=some.assets,
        share=some.shares,
        extra=some.extras,
        to=some.recipients,
    )
    def draw_house(self, who: str, asset: int, share: int, extra: int, to: str) -> None:
        ghost = self.world.ghost
        there = max(0, ghost.spare(asset)) if asset in ghost.vaults else 0
        amount = self.share(asset, there, share, extra)
        self.act(who, "drawHouse", asset, amount, self.place(to))

    # --------------------------------------------------------------------------------- listing

    @move(
        rarely=True,
        who=some.mostly_operator,
        which=st.integers(0, len(PRODUCTS) - 1),
        fault=st.sampled_from(("", "", "", "token", "lot", "scale", "tick", "depth", "cap", "all")),
    )
    def list_product(self, who: str, which: int, fault: str) -> None:
        """Only the next token of PRODUCTS, so that ids stay the same; or one that is listed."""
        which = min(which, len(self.world.ghost.lines))
        if which >= len(PRODUCTS):
            return
        _, lot, price, cap = PRODUCTS[which]
        self.act(
            who,
            "list",
            ADDRESSES["ann"] if fault == "token" else self.world.bench.tokens[which],
            0 if fault == "lot" else lot,
            2**54 + 1 if fault == "scale" else price << 24,
            0 if fault == "tick" else 1,
            53 if fault == "depth" else 4,
            {"cap": 2**51 + 1, "all": 2**40}.get(fault, cap),
        )

    @move(rarely=True, who=some.names, product=st.sampled_from((0, 1, 2, 9)), drifted=st.booleans())
    def reset_scale(self, who: str, product: int, drifted: bool) -> None:
        """Of one that is due, if it is `drifted` and there is one."""
        lines = enumerate(self.world.ghost.lines)
        due = [
            k
            for k, line in lines
            if line.reference >> 16 not in range(line.scale // 3, 3 * line.scale)
        ]
        self.act(who, "resetScale", due[0] if drifted and due else product)

    @move(rarely=True, product=st.integers(0, 2), halvings=st.sampled_from((2, 3, 1, -2, -3)))
    def drift(self, product: int, halvings: int) -> None:
        """Years pass: the reference is where hundreds of batches would have brought it."""
        if not self.world.ghost.finished:
            return
        scale = self.world.ghost.lines[product].scale << 16
        self.world.drift(product, scale >> halvings if halvings > 0 else scale << -halvings)
