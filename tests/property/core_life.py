"""Standing submissions over random sequences of batches, on the pure twin, against a plain ghost.

The ghost keeps what every account should hold and what its submission should have moved, from the
settlements alone; the twin's state is carried on by `apply`, its chunks by their effects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.property.core_ghosts import PRODUCTS, Ghost, Sealed, auths, costs, root, spent
from walras.auths import Auth, Step, Submission, cover
from walras.batch import AccountState, Amendment, BatchState, Product
from walras.certificate import Entry, Opened, Settlement, open_batch, settle
from walras.chunks import begin, verify_chunk
from walras.decoding import VoidReason
from walras.effects import applied, decode_effects
from walras.encoding import encode
from walras.numbers import X40, X44
from walras.sealing import batch_id, encode_point, public_key, seal, seal_hash
from walras.settlement import apply

SECRET = 7
KEY = encode_point(*public_key(SECRET))
UNITS = 200
RENT = X40 // 64
PERIOD = 100  # seconds from one lock-out to the next


class Life(RuleBasedStateMachine):
    """One market from batch to batch."""

    @initialize()
    def open(self) -> None:
        self.number = 1
        self.index = 40  # rent index
        self.state = BatchState(
            number=1,
            batch_id=bytes(32),
            scheduled_lock_out=PERIOD,
            products={k: Product(k, 1 << 80, 100 * X40, 100 << 24, 1, 4, 36) for k in range(2)},
            accounts=(),
            house_cash=1 << 90,
            secret=SECRET,
        )
        self.idle: dict[bytes, AccountState] = {}  # accounts that are not live
        self.bodies: dict[bytes, bytes] = {}
        self.done: dict[bytes, tuple[int, ...]] = {}
        self.seals: dict[bytes, Sealed] = {}
        self.amendments: dict[bytes, Sealed] = {}
        self.ghosts = {i.to_bytes(20): Ghost() for i in range(1, 7)}
        for address in self.ghosts:
            self.idle[address] = AccountState(address, 0, {}, None, 0, b"")
        self.brought = [product.house for product in self.state.products.values()]
        self.brought_cash, self.rent = self.state.house_cash, 0

    # ------------------------------------------------------------------------- between batches

    def account(self, address: bytes) -> AccountState:
        live = {account.address: account for account in self.state.accounts}
        return live.get(address) or self.idle[address]

    def keep(self, account: AccountState, *, live: bool) -> None:
        others = [a for a in self.state.accounts if a.address != account.address]
        self.idle.pop(account.address, None)
        if live:
            others = sorted([*others, account], key=lambda a: a.address)
        else:
            self.idle[account.address] = account
        self.state = replace(self.state, accounts=tuple(others))

    def sealed(self, address: bytes, submission: Submission) -> Sealed:
        name = batch_id(1, bytes(20), self.number)
        ciphertext = seal(KEY, encode(submission), address, name, bytes(32))
        return Sealed(submission, ciphertext)

    def fund(self, address: bytes, submission: Submission, batches: int) -> None:
        """Enough for so many batches at their worst, 0 leaves it to luck."""
        needed, account, ghost = cover(submission), self.account(address), self.ghosts[address]
        lots = dict(account.lots)
        for k, amount in needed.lots.items():
            lots[k] = lots.get(k, 0) + batches * amount
            ghost.lots[k] += batches * amount
            self.brought[k] += batches * amount
        cash = batches * (needed.cash + UNITS * RENT)
        ghost.cash += cash
        self.brought_cash += cash
        home = account.home
        if home is None and any(lots.values()):
            home = min(k for k, held in lots.items() if held)
        live = any(a.address == address for a in self.state.accounts)
        self.keep(replace(account, lots=lots, cash=account.cash + cash, home=home), live=live)

    @rule(data=st.data(), batches=st.sampled_from((0, 1, 3)), kind=st.booleans())
    def submit(self, data: st.DataObject, batches: int, kind: bool) -> None:
        """Seal: a first submission, or an amendment of what stands."""
        address = data.draw(st.sampled_from(sorted(self.ghosts)))
        chosen = tuple(data.draw(st.lists(auths(), min_size=1, max_size=2)))
        coupled = tuple(data.draw(st.lists(costs(len(chosen)), max_size=1)))
        until = data.draw(st.sampled_from((0, 0, self.number * PERIOD + 2 * PERIOD, 1)))
        self.enter(address, Submission(chosen, until, coupled, standing=kind), batches)

    def enter(self, address: bytes, submission: Submission, batches: int) -> None:
        self.fund(address, submission, batches)
        account, what = self.account(address), self.sealed(address, submission)
        name = batch_id(1, bytes(20), self.number)
        if account.standing:
            amendment = Amendment(seal_hash(name, what.ciphertext), UNITS)
            self.amendments[address] = what
            self.keep(replace(account, amendment=amendment), live=True)
        else:
            self.seals[address] = what
            hashed = replace(account, units=UNITS, seal_hash=seal_hash(name, what.ciphertext))
            self.keep(hashed, live=True)

    @precondition(lambda self: any(self.partners()))
    @rule(data=st.data(), width=st.sampled_from((1, 7, 1000)))
    def meet(self, data: st.DataObject, width: int) -> None:
        """Somebody who is not live takes the other side of what stands, at a price it likes."""
        address, auth = data.draw(st.sampled_from(list(self.partners())))
        side = (Step(width, 0),)
        if auth.buy:
            other = Auth(auth.legs, auth.bid - 20 * X40, 0, (), side)
        else:
            other = Auth(auth.legs, auth.ask + 20 * X40, 0, side, ())
        self.enter(address, Submission((other,)), 1)

    def partners(self) -> Iterator[tuple[bytes, Auth]]:
        """Who may seal a first time, and auths with limits that stand."""
        for address in sorted(self.idle):
            for ghost in self.ghosts.values():
                if ghost.submission is not None:
                    for j in ghost.submission.limited:
                        yield address, ghost.submission.auths[j]

    @precondition(lambda self: sum(a.standing for a in self.state.accounts) > 1)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Whoever stands may leave, its amendment with it."""
        standing = [a for a in self.state.accounts if a.standing]
        account = data.draw(st.sampled_from(standing))
        self.amendments.pop(account.address, None)
        left = replace(account, standing=False, uncovered=False, amendment=None)
        self.keep(left, live=False)
        ghost = self.ghosts[account.address]
        ghost.submission, ghost.moved, ghost.strikes = None, [], 0

    @precondition(lambda self: self.seals or self.amendments)
    @rule()
    def void(self) -> None:
        """The batch does not settle: first seals and amendments are gone, all else stays."""
        for address in self.seals:
            self.keep(self.account(address), live=False)
        for address in self.amendments:
            self.keep(replace(self.account(address), amendment=None), live=True)
        self.next()

    def next(self) -> None:
        self.number += 1
        self.seals, self.amendments = {}, {}
        self.state = replace(
            self.state, number=self.number, scheduled_lock_out=self.number * PERIOD
        )

    # ------------------------------------------------------------------------------ settlement

    def entries(self) -> list[Entry]:
        found = []
        for account in self.state.accounts:
            address = account.address
            amendment = self.amendments[address].ciphertext if account.amendment else None
            if account.standing:
                payload, done = self.bodies[address], self.done[address]
            else:
                payload, done = self.seals[address].ciphertext, ()
            found.append(Entry(address, payload, done, amendment))
        return found

    @precondition(lambda self: self.state.accounts)
    @rule(ticks=st.sampled_from((1, 1, 3, 40)), rounds=st.integers(1, 3), size=st.integers(1, 3))
    def settle(self, ticks: int, rounds: int, size: int) -> None:
        for _ in range(rounds):
            if self.state.accounts:
                self.settle_once(ticks, size)

    def settle_once(self, ticks: int, size: int) -> None:
        name = batch_id(1, bytes(20), self.number)
        self.index += ticks
        self.state = replace(self.state, batch_id=name, rent=RENT * ticks, mark=self.index)
        opened = open_batch(self.state, self.entries())
        prices, shadows = root(self.state, opened)
        settlement = settle(self.state, opened, prices, shadows)
        after = apply(self.state, settlement)
        self.chunked(opened, prices, shadows, after, size)
        for one in opened:
            self.expect(one, settlement)
        self.rent += sum(settlement.rents.values())
        self.carry(after, settlement)

    def chunked(
        self,
        opened: tuple[Opened, ...],
        prices: dict[int, int],
        shadows: dict[bytes, tuple[int, ...]],
        after: BatchState,
        size: int,
    ) -> None:
        """The same in chunks: effects give every account what `apply` gives it."""
        run, expected = begin(prices), {a.address: a for a in after.accounts}
        for at in range(0, len(opened), size):
            chunk = verify_chunk(
                self.state, run, opened[at : at + size], prices, shadows, ahead=False
            )
            run = chunk.run
            for effect in decode_effects(chunk.encoded):
                found = applied(self.account(effect.account), effect)
                wanted = expected[effect.account]
                assert (found.cash, found.home) == (wanted.cash, wanted.home)
                assert all(found.lots.get(k, 0) == v for k, v in wanted.lots.items())
                assert found.standing == wanted.standing
                if found.standing:
                    same = (wanted.seal_hash, wanted.units, wanted.uncovered)
                    assert (found.seal_hash, found.units, found.uncovered) == same
        assert run.sums.listed == len(opened)

    def expect(self, one: Opened, settlement: Settlement) -> None:
        """What becomes of an account, told by the page and the reason alone."""
        account, ghost = one.account, self.ghosts[one.account.address]
        address, reason = account.address, one.reason
        seal = self.seals.get(address)
        submission = ghost.submission if account.standing else seal and seal.submission
        assert one.submission == submission
        assert submission is not None
        if not account.standing:
            ghost.moved = [0] * len(submission.auths)
        due = UNITS * self.state.rent if account.standing else 0
        expired = 0 < submission.valid_until < self.state.scheduled_lock_out
        assert (reason is VoidReason.EXPIRED) == expired
        assert expired or (reason is VoidReason.RENT) == (due > ghost.cash)
        ghost.cash -= due if due <= ghost.cash else 0
        if reason is None:
            self.trade(ghost, submission, settlement.rates[address])
            ghost.cash += settlement.cash[address]
        ghost.strikes = ghost.strikes + 1 if reason is VoidReason.UNCOVERED else 0
        over = reason not in (None, VoidReason.UNCOVERED) or ghost.strikes == 2
        if over or not submission.standing or spent(submission, ghost.moved):
            ghost.submission, ghost.moved, ghost.strikes = None, [], 0
        else:
            ghost.submission = submission
        amendment = self.amendments.get(address)
        if amendment and amendment.submission.standing:
            ghost.submission, ghost.strikes = amendment.submission, 0
            ghost.moved = [0] * len(amendment.submission.auths)

    def trade(self, ghost: Ghost, submission: Submission, rates: tuple[int, ...]) -> None:
        for j, (auth, rate) in enumerate(zip(submission.auths, rates, strict=True)):
            ghost.moved[j] += rate
            for leg in auth.legs:
                ghost.lots[leg.product] += leg.weight * rate
            if auth.limits is not None:
                assert -auth.limits.low * X44 <= ghost.moved[j] <= auth.limits.high * X44

    def carry(self, after: BatchState, settlement: Settlement) -> None:
        self.state = replace(after, accounts=())
        for account in after.accounts:
            standing = settlement.standing.get(account.address)
            if standing is not None:
                self.bodies[account.address] = standing.body
                self.done[account.address] = standing.done
            self.keep(account, live=standing is not None)
        self.next()

    # ------------------------------------------------------------------------------ invariants

    @invariant()
    def accounts_are_the_ghosts(self) -> None:
        for address, ghost in getattr(self, "ghosts", {}).items():
            account = self.account(address)
            assert account.cash == ghost.cash >= 0
            assert [account.lots.get(k, 0) for k in range(PRODUCTS)] == ghost.lots
            assert min(ghost.lots) >= 0
            assert account.standing == (ghost.submission is not None)
            if ghost.submission is not None:
                assert self.bodies[address] == encode(ghost.submission)
                limited = ghost.submission.limited
                assert self.done[address] == tuple(ghost.moved[j] for j in limited)
                assert account.uncovered == (ghost.strikes > 0)
                assert account in self.state.accounts

    @invariant()
    def nothing_is_lost(self) -> None:
        """S2: what was brought is with the accounts, the house, or paid as rent."""
        if not hasattr(self, "ghosts"):
            return
        everybody = [self.account(address) for address in self.ghosts]
        for k, product in self.state.products.items():
            held = sum(account.lots.get(k, 0) for account in everybody)
            assert held + product.house == self.brought[k]
        cash = sum(account.cash for account in everybody)
        assert cash + self.state.house_cash + self.rent == self.brought_cash
