"""Batches in a row: what was sealed, what stands, each settlement equal to the twin's to the unit.

`Days` keeps of every account what a settlement has to supply: its ciphertext of the current batch,
or the body that stands and its progress, and an amendment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from eth_utils.address import to_canonical_address

from tests.contract.batches import exact_root, order
from tests.contract.node import Receipt
from tests.contract.support import OPERATOR, Bench, address
from walras.auths import Auth, Cost, Limits, Submission
from walras.batch import CASH, AccountState, Amendment, BatchState
from walras.certificate import Settlement, settle
from walras.opening import Entry, Opened, Standing, open_batch
from walras.schedule import Phase
from walras.sealing import encode_point, public_key, seal
from walras.settlement import apply, encode_submissions, outcome_hash
from walras.submission import encode, required_units

STANDING, PAUSED, UNCOVERED, AMENDED = 1, 2, 4, 8
PLENTY: Final = 10**6
Shadows = Mapping[bytes, tuple[int, ...]]


@dataclass
class Days:
    """A bench over several batches. Accounts go by short names."""

    bench: Bench
    batch: int = 1
    names: dict[str, str] = field(default_factory=dict)
    sealed: dict[str, bytes] = field(default_factory=dict)
    standing: dict[str, Standing] = field(default_factory=dict)

    # -------------------------------------------------------------------------------- entering

    def owner(self, name: str) -> str:
        """Address of a name; with plenty of everything the first time."""
        if name not in self.names:
            self.names[name] = self.bench.endow(address(name), cash=PLENTY, p0=PLENTY, p1=PLENTY)
        return self.names[name]

    def go(self, batch: int, phase: Phase = Phase.OPEN) -> None:
        """To a phase of a batch; seals of an earlier one are gone."""
        if batch != self.batch:
            self.batch, self.sealed = batch, {}
        self.bench.go(batch, phase)

    def seal(
        self,
        name: str,
        *auths: Auth,
        standing: bool = True,
        units: int | None = None,
        valid_until: int = 0,
        costs: tuple[Cost, ...] = (),
        body: bytes | None = None,
    ) -> Receipt:
        """Seal for the current batch: a first submission, or an amendment of what stands."""
        owner = self.owner(name)
        submission = Submission(auths, valid_until, costs, standing)
        home = self.bench.account(owner)["home_product"]
        if units is None:
            units = 60 if body is not None else required_units(submission, home=home - 1)
        return self.seal_bytes(name, encode(submission) if body is None else body, units)

    def seal_bytes(self, name: str, body: bytes, units: int) -> Receipt:
        owner = self.owner(name)
        key = encode_point(*public_key(self.bench.key(self.batch)))
        ct = seal(key, body, to_canonical_address(owner), self.bench.id(self.batch))
        receipt = self.bench.do(owner, "seal", units, ct, self.batch)
        self.sealed[name] = ct
        return receipt

    # ---------------------------------------------------------------------------------- reading

    def flags(self, name: str) -> int:
        return int(self.bench.account(self.names[name])["flags"])

    def live(self) -> list[str]:
        """Names of all accounts live in the batch, ascending by address."""
        found = []
        for name, owner in self.names.items():
            raw = self.bench.account(owner)
            stands = raw["flags"] & (STANDING | PAUSED) == STANDING
            if stands or (raw["flags"] == 0 and raw["batch"] == self.batch):
                found.append(name)
        return sorted(found, key=lambda name: to_canonical_address(self.names[name]))

    def state(self, names: Sequence[str] | None = None) -> BatchState:
        """What a settlement reads, from the contract."""
        bench, count = self.bench, self.bench.look("productCount", self.batch)
        ticks = bench.batch()["ticks"] if bench.batch()["number"] == self.batch else 0
        return BatchState(
            number=self.batch,
            batch_id=bench.id(self.batch),
            scheduled_lock_out=bench.schedule.boundaries(self.batch).lock_out,
            products={k: bench.product(k) for k in range(count)},
            accounts=tuple(self._account(n, count) for n in (names or self.live())),
            house_cash=bench.treasury()["house_cash"],
            secret=bench.look("secret", self.batch),
            rent=bench.look("unitRent") * ticks,
        )

    def _account(self, name: str, count: int) -> AccountState:
        owner = self.names[name]
        raw = self.bench.account(owner)
        amendment = None
        if raw["flags"] & AMENDED:
            sealed, batch, units = self.bench.look("amendment", owner)
            if batch == self.batch:
                amendment = Amendment(sealed, units)
        return AccountState(
            address=to_canonical_address(owner),
            cash=self.bench.balance(owner, CASH),
            lots={k: held for k in range(count) if (held := self.bench.balance(owner, k))},
            home=raw["home_product"] - 1 if raw["home_product"] else None,
            units=raw["units"],
            seal_hash=raw["seal_hash"],
            standing=bool(raw["flags"] & STANDING),
            uncovered=bool(raw["flags"] & UNCOVERED),
            amendment=amendment,
        )

    def entries(self) -> list[Entry]:
        """What a settlement supplies, ascending by account."""
        found = []
        for name, account in zip(self.live(), self.state().accounts, strict=True):
            if account.standing:
                stands = self.standing[name]
                ct = self.sealed[name] if account.amendment else None
                found.append(Entry(account.address, stands.body, stands.done, ct))
            else:
                found.append(Entry(account.address, self.sealed[name]))
        return found

    def opened(self) -> tuple[BatchState, tuple[Opened, ...]]:
        state = self.state()
        return state, open_batch(state, self.entries())

    # --------------------------------------------------------------------------------- settling

    def settle(
        self, sender: str = OPERATOR, *, prices: Mapping[int, int] | None = None
    ) -> Settlement:
        """Carry the batch to its exclusive window, settle it, hold the chain against the twin."""
        if self.bench.look("phase", self.batch) < Phase.CLEARING:
            self.bench.go(self.batch, Phase.CLEARING)
        state, opened = self.opened()
        exact, shadows = exact_root(state, opened)
        found = exact if prices is None else dict(prices)
        settlement = settle(state, opened, found, shadows)
        names, word, before = self.live(), self.bench.batch(), self.bench.standing()
        claimable = self.bench.look("claimable", sender)
        data = encode_submissions(self.entries(), settlement.shadows)
        receipt = self.bench.do(
            sender, "settle", self.batch, list(found), list(found.values()), data
        )
        reward = self.bench.look("claimable", sender) - claimable
        assert reward == word["pot"] + sum(settlement.rents.values())
        self.check(names, state, settlement, before, word["ticks"])
        self.check_events(receipt, settlement)
        self.learn(settlement)
        return settlement

    def check(
        self,
        names: Sequence[str],
        state: BatchState,
        settlement: Settlement,
        before: Mapping[str, int],
        ticks: int,
    ) -> None:
        """The chain after a settlement is what the twin says."""
        bench, after = self.bench, apply(state, settlement)
        now = self.state(names)
        assert now.products == after.products
        assert now.house_cash == after.house_cash
        for name, is_, want in zip(names, now.accounts, after.accounts, strict=True):
            assert lasting(is_) == lasting(want), name
            if is_.standing:
                assert (is_.units, is_.seal_hash) == (want.units, want.seal_hash), name
        stood = {a.address: a.units for a in state.accounts if a.standing}
        units = {a: one.units for a, one in settlement.standing.items()}
        assert bench.standing() == {
            "count": before["count"] + len(units) - len(stood),
            "units": before["units"] + sum(units.values()) - sum(stood.values()),
            "rent_index": before["rent_index"] + ticks,
        }
        prices = settlement.prices
        expected = outcome_hash(list(prices), list(prices.values()))
        assert bench.look("outcome", self.batch) == expected
        bench.check_books()

    def check_events(self, receipt: Receipt, settlement: Settlement) -> None:
        def named(kind: str) -> dict[bytes, dict[str, Any]]:
            found = [e.args for e in receipt.events if e.name == kind]
            return {to_canonical_address(args["account"]): args for args in found}

        assert {a: e["reason"] for a, e in named("Voided").items()} == dict(settlement.voids)
        assert set(named("Joined")) == settlement.joined
        assert set(named("Ended")) == set(settlement.ended)
        assert {a for a, e in named("Amended").items() if e["replaced"]} == settlement.amended
        shown = receipt.event("Settled")
        assert (shown["voids"], shown["loss"], shown["freedom"]) == (
            len(settlement.voids),
            settlement.loss_x40,
            settlement.freedom_x40,
        )

    def learn(self, settlement: Settlement) -> None:
        """Remember what stands."""
        for name, owner in self.names.items():
            stands = settlement.standing.get(to_canonical_address(owner))
            if stands is not None:
                self.standing[name] = stands
            elif to_canonical_address(owner) in settlement.ended:
                del self.standing[name]

    def day(self, batch: int) -> Settlement:
        """Open the batch and settle it, with what stands and nothing else."""
        self.go(batch)
        self.bench.do(OPERATOR, "open", batch)
        return self.settle()


def limited(auth: Auth, low: int = 0, high: int = 0) -> Auth:
    return replace(auth, limits=Limits(low, high))


def buy(price: float, *widths: int, k: int = 0) -> Auth:
    return order({k: 1}, price, buy=widths)


def sell(price: float, *widths: int, k: int = 0) -> Auth:
    return order({k: 1}, price, sell=widths)


def lasting(account: AccountState) -> AccountState:
    """Without what means nothing once a submission is gone, and without empty balances."""
    lots = {k: held for k, held in account.lots.items() if held}
    kept = replace(account, lots=lots, amendment=None)
    return kept if account.standing else replace(kept, units=0, seal_hash=b"")
