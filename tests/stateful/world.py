"""A market on a chain and its ghost, side by side: each call is made to both, each state compared.

`World.attempt` asks the ghost first. If the ghost refuses, the contract must refuse with the very
same error; otherwise it must accept.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.contract.node import Chain, Receipt
from tests.contract.support import Bench, new_libraries, new_market, new_token, storage_slot
from tests.stateful.books import ALL, CASH, X40, Refusal, Token, Vault
from tests.stateful.ghost import Ghost
from tests.stateful.setting import (
    ADDRESSES,
    BATCHES,
    CHANGES,
    CLOCK,
    KEYS,
    LISTED,
    PHASES,
    PRODUCTS,
    TERMS,
    WALLET,
    Tally,
)
from tests.stateful.survey import Question, ask
from tests.stateful.views import expected
from tests.stateful.ways import Trail
from walras.sealing import public_key


@dataclass
class World:
    """Bench and ghost. `tally` outlives it."""

    bench: Bench
    ghost: Ghost
    tally: Tally
    trail: Trail = field(default_factory=Trail)

    # --------------------------------------------------------------------------------- acting

    def attempt(
        self, sender: str, name: str, *args: Any, ghostly: tuple[Any, ...] | None = None
    ) -> tuple[Any, ...] | None:
        """One call to both; the refusal, None if it was accepted.

        `ghostly` are the arguments for the ghost where they differ: it knows no signatures.
        """
        expected: tuple[Any, ...] | None = None
        try:
            after = self.ghost.after(sender, name, args if ghostly is None else ghostly)
        except Refusal as refusal:
            expected = refusal.error
            found = self.bench.refusal(sender, name, *args, base_fee=self.ghost.base_fee)
            assert found == expected, f"{name}{args}: contract {found}, ghost {expected}"
        else:
            receipt = self.bench.do(sender, name, *args, base_fee=self.ghost.base_fee)
            self.tally.ways.update(self.trail.follow(name, sender, self.ghost, after))
            count = self.ghost.unapplied - after.unapplied
            self.ghost = after
            if name == "settle":
                self.check_voids(receipt)
                self.check_settled(sender, receipt, args[0], *args[1:3])
            if name == "verify" and self.ghost.round.settled:
                self.check_settled(sender, receipt, args[0], *args[3:5])
                self.tally.chunked += 1
            if name in WRITES:
                said = {"batch": args[0], "caller": sender, "chunk": args[2], "accounts": count}
                assert receipt.event(WRITES[name]) == said
        self.tally.calls[name, expected[0] if expected else "ok"] += 1
        self.tally.phases[PHASES[self.ghost.phase(max(self.ghost.current, 1))]] += 1
        return expected

    def warp(self, time: int) -> None:
        """Let time pass to `time`, never back."""
        if time > self.ghost.now:
            self.bench.chain.warp(time)
            self.ghost.now = time

    def token(self, asset: int, sender: str, name: str, *args: Any) -> None:
        """A transaction to a token. Gas is free, whatever Anvil made of the last block's price."""
        self.bench.chain.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")
        self.bench.token(asset, sender, name, *args)

    def mint(self, owner: str, asset: int, token: str, amount: int) -> None:
        """Base units for a wallet, from nowhere."""
        self.token(asset, owner, "mint", owner, amount)
        balances = self.ghost.tokens[token].balances
        balances[owner] = balances.get(owner, 0) + amount

    def approve(self, owner: str, asset: int, amount: int) -> None:
        """Let the market take `amount` of an asset."""
        self.token(asset, owner, "approve", self.bench.market, amount)
        self.ghost.tokens[self.bench.tokens[asset]].allowances[owner] = amount

    def permit(
        self, owner: str, asset: int, amount: int, deadline: int
    ) -> tuple[int, bytes, bytes]:
        """The owner's signature under the token's next nonce (EIP-2612)."""
        token = self.bench.tokens[asset]
        nonce = self.ghost.tokens[token].nonces.get(owner, 0)
        (domain,) = ask(self.bench.chain, [("MockToken", token, "DOMAIN_SEPARATOR", ())])
        words = [int(owner, 16), int(self.bench.market, 16), amount, nonce, deadline]
        content = keccak(_PERMIT + b"".join(word.to_bytes(32) for word in words))
        (key,) = [key for name, key in KEYS.items() if ADDRESSES[name] == owner]
        signed = key.unsafe_sign_hash(keccak(b"\x19\x01" + domain + content))
        return signed.v, signed.r.to_bytes(32), signed.s.to_bytes(32)

    def drift(self, product: int, reference: int) -> None:
        """Hundreds of batches have moved a reference to where it is now."""
        ghost, bench = self.ghost, self.bench
        ghost.lines[product].reference = reference
        slot = _slot_of(product)
        word = int(bench.chain.rpc("eth_getStorageAt", bench.market, slot, "latest"), 16)
        word = word & ~((2**80 - 1) << 96) | reference << 96
        bench.chain.rpc("anvil_setStorageAt", bench.market, slot, "0x" + word.to_bytes(32).hex())

    # ------------------------------------------------------------------------------- comparing

    def check_voids(self, receipt: Receipt) -> None:
        """A settlement says what the reference says: whose submission is void and why."""
        found = self.ghost.settlement["accounts"]
        said = {e.args["account"]: e.args["reason"] for e in receipt.events if e.name == "Voided"}
        wanted = {to_checksum_address(a): o["reason"] for a, o in found.items() if o["reason"]}
        assert said == wanted

    def check_settled(
        self,
        sender: str,
        receipt: Receipt,
        batch: int,
        products: Sequence[int],
        prices: Sequence[int],
    ) -> None:
        """And volumes, loss and freedom."""
        found = self.ghost.settlement
        voids = {a: one["reason"] for a, one in found["accounts"].items() if one["reason"]}
        volumes = tuple(line["volume"] for line in found["products"].values())
        assert receipt.event("Settled") == {
            "batch": batch,
            "settler": sender,
            "products": tuple(products),
            "prices": tuple(prices),
            "volumes": volumes,
            "live": len(found["accounts"]),
            "voids": len(voids),
            "loss": found["loss"],
            "freedom": found["freedom"],
        }
        self.tally.voids.update(voids.values())
        self.tally.traded += sum(one["reason"] == 0 for one in found["accounts"].values())
        self.tally.matched += any(volumes)
        self.tally.stood += sum(one["rent"] > 0 for one in found["accounts"].values())

    def check(self) -> None:
        """The contract's state is the ghost's, and the claims are exactly what is there."""
        self._compare(expected(self.ghost, self.bench.market), self.ghost)
        ghost = self.ghost
        for asset, vault in ghost.vaults.items():
            claims = ghost.claims(asset)
            assert claims == vault.custody, f"S2, asset {asset}: {claims} != {vault.custody}"
            owed = claims + (ghost.burnt if asset == CASH else 0)
            there = ghost.tokens[vault.token].balances.get(ghost.market, 0) << vault.bits
            assert there == owed * vault.unit + vault.dust, f"S1, asset {asset}"
            assert vault.dust >= 0

    def check_clock(self, at: int) -> None:
        """What both say of another moment, if nothing happened until then."""
        ghost = copy.copy(self.ghost)
        ghost.now = at
        views: dict[tuple[str, tuple[Any, ...]], Any] = {("currentBatch", ()): ghost.current}
        for batch in (ghost.round.number, ghost.current, ghost.current + 1):
            views["phase", (batch,)] = ghost.phase(batch)
        for owner in ADDRESSES.values():
            views["isFrozen", (owner,)] = ghost.frozen(owner)
        market = self.bench.market
        self._compare({("Walras", market, *view): must for view, must in views.items()}, ghost)

    def _compare(self, wanted: Mapping[Question, Any], ghost: Ghost) -> None:
        """Every question must have the wanted answer at the ghost's time and base fee."""
        found = ask(self.bench.chain, list(wanted), base_fee=ghost.base_fee, at=ghost.now)
        wrong = [
            f"{name}{args} at {ghost.now}: contract {is_}, ghost {must}"
            for ((_, _, name, args), must), is_ in zip(wanted.items(), found, strict=True)
            if is_ != must
        ]
        assert not wrong, "\n".join(wrong)


def open_world(chain: Chain, tally: Tally) -> World:
    """A market in the last second before batch 1: listed, not yet funded, wallets full."""
    bench = new_market(chain, new_libraries(chain), new_token(chain, 6), **CHANGES)
    tokens = [new_token(chain, decimals) for decimals, *_ in PRODUCTS]
    clock = {name: getattr(bench.schedule, field) for name, field in CLOCK.items()}
    ids = {batch: bench.id(batch) for batch in range(BATCHES)}
    ghost = Ghost(bench.market, TERMS, clock, ids)
    cash = Vault(bench.tokens[CASH], TERMS["cash_unit"], 40, TERMS["cash_cap"] * X40)
    ghost.vaults[CASH] = cash
    ghost.tokens = {token: Token() for token in (cash.token, *tokens)}
    ghost.now = chain.now
    world = World(bench, ghost, tally)
    world.warp(bench.schedule.genesis + 1)
    for k, (token, (_, lot, price, cap)) in enumerate(zip(tokens, PRODUCTS, strict=True)):
        bench.tokens[k], bench.units[k] = token, lot
        if k < LISTED:
            world.attempt(ADDRESSES["operator"], "list", token, lot, price << 24, 1, 4, cap)
    for name, owner in ADDRESSES.items():
        for asset, token in bench.tokens.items():
            count = WALLET if asset == CASH else 10**4
            world.mint(owner, asset, token, count * bench.units[asset])
            if name != "dan" or asset not in (CASH, 1):  # he has to sign permits
                world.approve(owner, asset, ALL)
    world.warp(ghost.start(1) - 1)
    return world


@contextmanager
def branch(base: World) -> Iterator[World]:
    """The same world again; what happens inside has never happened."""
    with base.bench.chain.undone():
        yield World(base.bench, copy.deepcopy(base.ghost), base.tally)


def key_of(world: World, batch: int) -> tuple[int, int]:
    """Public key of a batch."""
    return public_key(world.bench.key(batch))


_PERMIT: Final = keccak(
    b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)


WRITES: Final = {"applyChunk": "Applied", "restoreChunk": "Restored"}


def _slot_of(product: int) -> str:
    place = int(storage_slot("products"), 16)
    return "0x" + keccak(product.to_bytes(32) + place.to_bytes(32)).hex()
