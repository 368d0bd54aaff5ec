"""Batches of neighbours as unlike as can be, each as near to an edge as it can stand.

A batch is drawn from one seed for its market and one for each account, so that a failing one
shrinks by losing accounts. Nothing here clears by itself: prices are wherever a curve has a corner.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tests.differential.coupled import mutants
from walras.auths import Auth, Cost, Leg, Limits, Step, Submission, Term, cover
from walras.batch import AccountState, Amendment, BatchState, Product
from walras.certificate import evaluate
from walras.curve import breakpoints, cost_demand, cost_sum, demand, demands, portfolio_price, tau
from walras.decoding import decode
from walras.encoding import encode
from walras.errors import OrderError
from walras.numbers import MAX_CURVE_PRICE, MAX_PRICE, X24, X40, X44
from walras.opening import Entry, open_batch, priced_products
from walras.sealing import (
    SEAL_OVERHEAD,
    encode_point,
    public_key,
    seal,
    seal_hash,
    stand_hash,
    unseal,
)
from walras.submission import required_units

LEDGER: Final = (1 << 96) - 1
INDEX: Final = 1_000  # rent index before the batch
LAST: Final = b"\xff" * 20  # live, and never listed: no chunk closes
WIDTHS: Final = (0, 1, 1, 2, 7, 40, 1_000, 1 << 20, 1 << 40, 1 << 47)
KINDS: Final = (*["single"] * 6, *["coupled"] * 2, *["several"] * 2, "sealed", "joins", "noise")


@dataclass(frozen=True)
class Bidder:
    """An account, its item of a settlement and the rent marks it is behind."""

    state: AccountState
    entry: Entry
    shadows: tuple[int, ...]
    behind: int = 0
    stale: bool = False  # flagged as amended, in a batch of long ago


@dataclass(frozen=True)
class Batch:
    """What lock-out left, and prices X84 of all products."""

    state: BatchState
    bidders: tuple[Bidder, ...]
    prices: Mapping[int, int]
    ticks: int  # of rent


@dataclass(frozen=True)
class Venue:
    """What a batch is drawn for: its name, key and moment, the market's rent X40 per unit."""

    number: int
    batch_id: bytes
    secret: int
    lock_out: int
    unit_rent: int


def batch(venue: Venue, market: int, seeds: Sequence[int]) -> Batch:
    """The batch of these seeds."""
    rng = random.Random(market)
    count = rng.choice((1, 2, 3, 6))
    products = {k: _product(rng, k) for k in range(count)}
    ticks = rng.choice((1, 1, 2, 255))
    state = BatchState(
        number=venue.number,
        batch_id=venue.batch_id,
        scheduled_lock_out=venue.lock_out,
        products=products,
        accounts=(),
        house_cash=1 << 90,
        secret=venue.secret,
        rent=venue.unit_rent * ticks,
        mark=INDEX + ticks,
    )
    prices = {k: _price(rng, product) for k, product in products.items()}
    drawn: dict[bytes, Bidder] = {}
    for seed in seeds:
        one = _Draw(random.Random(seed), state, prices).bidder()
        if one is not None:
            drawn[one.state.address] = one
    bidders = tuple(drawn[address] for address in sorted(drawn))
    return Batch(replace(state, accounts=tuple(b.state for b in bidders)), bidders, prices, ticks)


def _product(rng: random.Random, k: int) -> Product:
    scale = rng.choice((X24, 100 * X24, 100 * X24, X24 << 30, rng.randint(X24, X24 << 30)))
    reference = (scale << 16) * rng.choice((1, 1, 1, 8)) // rng.choice((1, 1, 1, 8))
    bps = rng.choice((1, 1, 10, 255))
    return Product(k, 1 << 90, reference, scale, bps, rng.choice((0, 20, 52)), 40)


def _price(rng: random.Random, product: Product) -> int:
    """On the grid of curves, or an ulp or two beside it, now and then far away."""
    near = product.reference * rng.choice((0, 1, 1, 1, 1, 2)) + rng.choice((0, 0, 1, -1, 999))
    far = rng.choice((MAX_PRICE - 1, 1 - MAX_PRICE, MAX_PRICE >> 1, -near * X44))
    off = rng.choice((0, 0, 0, 1, -1, 2, -2, 3, rng.randrange(X44)))
    return far if rng.random() < 0.04 else near * X44 + off


class UnbalancedError(Exception):
    """No account and no reference can take what is left of the batch."""


def cleared(drawn: Batch) -> Batch:
    """The batch with an account for each product that takes the whole lots left, and references at
    which the maker takes the rest; only products that somebody lists are priced.
    """
    state = drawn.state
    opened = open_batch(state, [bidder.entry for bidder in drawn.bidders])
    shadows = {b.state.address: b.shadows for b in drawn.bidders if b.shadows}
    prices = {k: drawn.prices[k] for k in priced_products(opened)}
    left = evaluate(state, opened, prices, shadows).residues
    takers = [_taker(state, k, p, -(left[k] // -X44)) for k, p in prices.items() if left[k]]
    products = dict(state.products)
    for k, price in prices.items():
        rest = left[k] - (-(left[k] // -X44) * X44)
        reference = (price - rest * (products[k].scale << 26)) // X44
        if not 0 < reference < 1 << 80:
            raise UnbalancedError
        products[k] = replace(products[k], reference=reference)
    bidders = tuple(sorted((*drawn.bidders, *takers), key=lambda b: b.state.address))
    accounts = tuple(bidder.state for bidder in bidders)
    return Batch(replace(state, products=products, accounts=accounts), bidders, prices, drawn.ticks)


def _taker(state: BatchState, k: int, price: int, lots: int) -> Bidder:
    """Sells (buys, below zero) so many lots whatever the price."""
    owner = (0xAA << 152 | k << 8).to_bytes(20)
    size, tick = abs(lots), state.products[k].tick
    drop, step = max(tick, size), (Step(size, 0),) if lots else (Step(0, 0),)
    sign = 1 if lots < 0 else -1
    first = sign * (sign * price // X44 + drop + 2)
    sides = (step, ()) if sign > 0 else ((), step)
    auth = Auth((Leg(k, 1),), first, 0, *sides)
    need = cover(Submission((auth,)))
    fits = size <= 1 << 47 and abs(first) <= MAX_CURVE_PRICE >> 1
    if not fits or need.cash > LEDGER >> 1 or need.lots[k] > LEDGER >> 1:
        raise UnbalancedError
    key = encode_point(*public_key(state.secret))
    ct = seal(key, encode(Submission((auth,))), owner, state.batch_id, salt=bytes(32))
    sealed = seal_hash(state.batch_id, ct)
    held = {k: need.lots[k]} if need.lots[k] else {}
    account = AccountState(owner, need.cash, held, k if held else None, 255, sealed)
    return Bidder(account, Entry(owner, ct), ())


@dataclass
class _Draw:
    rng: random.Random
    market: BatchState
    prices: Mapping[int, int]

    def bidder(self) -> Bidder | None:
        rng = self.rng
        kind = rng.choice(KINDS)
        address = rng.choice((1, 2, 1 << 159, rng.randrange(1 << 159))) + rng.randrange(1 << 20)
        owner = address.to_bytes(20)
        standing = kind in {"single", "coupled", "several"}
        submission = self.submission(kind, standing=standing or kind == "joins")
        decoded = self.decoded(submission)
        if decoded is None:
            return None
        home = rng.choice((submission.products[0],) * 8 + (None, *self.market.products))
        try:
            units = required_units(submission, home=home)
        except OrderError:
            return None
        done = self.done(submission) if standing else ()
        account = self.account(owner, submission, done, home, units, standing)
        if standing:
            return self.stood(account, submission, done)
        ct = self.ciphertext(owner, self.bent(submission) if kind == "noise" else submission)
        account = replace(account, seal_hash=seal_hash(self.market.batch_id, ct))
        if kind == "noise":
            return None if self.opens(ct, account) else Bidder(account, Entry(owner, ct), ())
        return Bidder(account, Entry(owner, ct), self.shadows(submission, ()))

    # ---------------------------------------------------------------------------- what it wants

    def submission(self, kind: str, *, standing: bool) -> Submission:
        rng, lock_out = self.rng, self.market.scheduled_lock_out
        few = kind == "single" or (kind in {"sealed", "joins"} and rng.random() < 0.5)
        count = 1 if few else rng.choice((1, 2, 3, 5))
        auths = tuple(self.auth(single=few) for _ in range(count))
        costs: tuple[Cost, ...] = ()
        if kind == "coupled" or (not few and rng.random() < 0.2):
            costs = tuple(self.cost(count) for _ in range(rng.choice((1, 1, 2))))
        until = rng.choice((0,) * 8 + (lock_out, lock_out + 1, lock_out - 1, 1, (1 << 40) - 1))
        return Submission(auths, until, costs, standing=standing)

    def auth(self, *, single: bool) -> Auth:
        rng = self.rng
        ids = sorted(
            rng.sample(list(self.prices), 1 if single else rng.randint(1, min(3, len(self.prices))))
        )
        most = rng.choice((1, 3, 1 << 20))
        legs = tuple(Leg(k, rng.choice((-1, 1)) * rng.randint(1, most)) for k in ids)
        if len(ids) == 1:
            legs = (Leg(ids[0], 1),)
        kind = rng.choice(
            ("buy", "sell", "buy", "sell", "both" if not single or rng.random() < 0.3 else "buy")
        )
        buy = self.steps() if kind != "sell" else ()
        sell = self.steps() if kind != "buy" else ()
        gap = rng.choice((0, 1, X40, 1 << 100)) if kind == "both" else 0
        auth = self.placed(Auth(legs, 0, gap, buy, sell))
        return self.limits(auth) if rng.random() < 0.6 else auth

    def steps(self) -> tuple[Step, ...]:
        rng = self.rng
        wide = WIDTHS if rng.random() < 0.3 else WIDTHS[:7]
        return tuple(
            Step(rng.choice(wide), rng.choice((0, 0, 1, X40, 1 << 60, 1 << 111)))
            for _ in range(rng.choice((1, 1, 1, 2, 3, 16)))
        )

    def placed(self, auth: Auth) -> Auth:
        """Shifted so that a corner lies at the price, an ulp of X40 off, or anywhere on a step."""
        rng, ticks = self.rng, self.market.ticks
        at = portfolio_price(auth, self.prices) // X44
        rate_price = rng.choice(breakpoints(auth, ticks))[1] if rng.random() < 0.7 else 0
        spread = max(tau(auth, ticks), X40)
        first = (
            at
            - rate_price
            + rng.choice((0, 0, 1, -1, 2, spread // 2, -spread // 2, spread, -spread))
        )
        if rng.random() < 0.05:
            first = rng.choice((MAX_CURVE_PRICE - auth.gap, -MAX_CURVE_PRICE, 0, -auth.gap))
        return replace(auth, first=min(max(first, -MAX_CURVE_PRICE), MAX_CURVE_PRICE - auth.gap))

    def limits(self, auth: Auth) -> Auth:
        rng = self.rng
        most = rng.choice((0, 1, 7, 41, 1_000, (1 << 48) - 1))
        other = rng.choice((0, 1, most, (1 << 48) - 1))
        return replace(auth, limits=Limits(*rng.sample((most, other), 2)))

    def cost(self, count: int) -> Cost:
        rng = self.rng
        chosen = sorted(rng.sample(range(count), rng.randint(1, min(count, 3))))
        most = rng.choice((1, 1, 3, 1 << 20))
        terms = tuple(Term(j, rng.choice((-1, 1)) * rng.randint(1, most)) for j in chosen)
        kind = rng.choice(("buy", "sell", "both"))
        side = (Step(rng.choice((0, 2, 30)), rng.choice((0, 1, X40, 1 << 60))),)
        gap = rng.choice((0, 1, 2 * X40)) if kind == "both" else 0
        first = rng.choice((0, 0, 1, -1, X40, -X40, -gap))
        return Cost(
            terms, first, gap, side if kind != "sell" else (), side if kind != "buy" else ()
        )

    def done(self, submission: Submission) -> tuple[int, ...]:
        """Progress from nothing to everything, mostly to about what this batch would trade."""
        rng, ticks, found = self.rng, self.market.ticks, []
        if not submission.limited or rng.random() < 0.2:
            return (0,) * len(submission.limited)
        for j in submission.limited:
            auth = submission.auths[j]
            limits = auth.limits
            assert limits is not None
            low, high = limits.low * X44, limits.high * X44
            pi = portfolio_price(auth, self.prices)
            rate = demand(replace(auth, limits=None), ticks, pi, guard=submission.guard(j)).rate
            edge = high - rate if rate > 0 else -low - rate
            wish = rng.choice((edge, edge, -low, high, 0, rng.randint(-low, high)))
            found.append(min(max(wish + rng.choice((0, 0, 1, -1, 2, -2)), -low), high))
        return tuple(found)

    # ---------------------------------------------------------------------------- what it holds

    def account(
        self,
        owner: bytes,
        submission: Submission,
        done: tuple[int, ...],
        home: int | None,
        units: int,
        standing: bool,
    ) -> AccountState:
        """Its cover, or an ulp less, or plenty."""
        rng = self.rng
        need = cover(submission, done)
        units = min(
            255, max(units + rng.choice((0, 0, 0, 5)) - (not standing and rng.random() < 0.1), 10)
        )
        rent = units * self.market.rent if standing else 0
        cash = need.cash + rent + rng.choice((0, 0, 0, 1, -1, 1 << 60))
        if rng.random() < 0.08:
            cash = rng.choice((rent, rent - 1, 0, LEDGER, LEDGER - 1))
        lots = {k: n + rng.choice((0, 0, 0, 1, -1, 1 << 50)) for k, n in need.lots.items()}
        if home is not None:
            lots.setdefault(home, rng.choice((0, 5 * X44)))
        for k in self.market.products:
            if rng.random() < 0.2:  # beside it in a word
                lots.setdefault(k, rng.choice((1, LEDGER)))
        if rng.random() < 0.04:
            lots[submission.products[-1]] = LEDGER
        if home is None:
            lots = {}
        held = {k: min(n, LEDGER) for k, n in lots.items() if n > 0}
        return AccountState(
            address=owner,
            cash=min(max(cash, 0), LEDGER),
            lots=held,
            home=home,
            units=units,
            seal_hash=bytes(32),
            standing=standing,
            uncovered=standing and rng.random() < 0.15,
        )

    def stood(self, account: AccountState, submission: Submission, done: tuple[int, ...]) -> Bidder:
        rng, body = self.rng, encode(submission)
        account = replace(account, seal_hash=stand_hash(body, done))
        amendment = None
        if rng.random() < 0.15:
            wanted = self.submission(rng.choice(KINDS), standing=rng.random() < 0.8)
            if self.decoded(wanted) is not None:
                amendment = self.ciphertext(
                    account.address, self.bent(wanted) if rng.random() < 0.3 else wanted
                )
                sealed = seal_hash(self.market.batch_id, amendment)
                units = rng.choice((10, 100, 255))
                account = replace(account, amendment=Amendment(sealed, units))
        entry = Entry(account.address, body, done, amendment)
        behind = rng.choice((0, 0, 1, 3))
        if account.cash + account.units * behind * self.market.rent > LEDGER:
            behind = 0
        stale = amendment is None and rng.random() < 0.1
        return Bidder(account, entry, self.shadows(submission, done), behind, stale)

    # -------------------------------------------------------------------------------- in bytes

    def decoded(self, submission: Submission) -> Submission | None:
        try:
            body = encode(submission)
        except OrderError:
            return None
        length = SEAL_OVERHEAD + len(body)
        return decode(body, ciphertext_length=length, units=255, ticks=self.market.ticks).submission

    def bent(self, submission: Submission) -> bytes:
        bent = list(mutants(self.rng, encode(submission), 1))[-1]
        return bent or b"\x00"

    def ciphertext(self, owner: bytes, wanted: Submission | bytes) -> bytes:
        body = wanted if isinstance(wanted, bytes) else encode(wanted)
        key = encode_point(*public_key(self.market.secret))
        ct = seal(key, body, owner, self.market.batch_id, salt=self.rng.randbytes(32))
        if isinstance(wanted, bytes) and self.rng.random() < 0.2:
            return ct[: self.rng.choice((1, 33, 68, 69))]
        return ct

    def opens(self, ct: bytes, account: AccountState) -> bool:
        """Whether noise is a submission after all, which would want shadow prices."""
        body = unseal(self.market.secret, ct, account.address, self.market.batch_id)
        if body is None:
            return False
        found = decode(
            body, ciphertext_length=len(ct), units=account.units, ticks=self.market.ticks
        )
        return found.submission is not None

    def shadows(self, submission: Submission, done: tuple[int, ...]) -> tuple[int, ...]:
        """Prices at which its costs clear, if some rounds of bisection find them."""
        found = [cost.top * X44 for cost in submission.costs]
        for _ in range(1 if len(found) == 1 else 12):
            for d, cost in enumerate(submission.costs):
                low, high = cost.bottom * X44, cost.top * X44
                while high - low > 1:
                    found[d] = (low + high) // 2
                    if self._excess(submission, done, d, found) > 0:
                        high = found[d]
                    else:
                        low = found[d]
                found[d] = min(
                    (low, high), key=lambda at: self._miss(submission, done, d, found, at)
                )
        return tuple(found)

    def _miss(
        self, submission: Submission, done: tuple[int, ...], d: int, shadows: Sequence[int], at: int
    ) -> int:
        cost = submission.costs[d]
        excess = self._excess(submission, done, d, [*shadows[:d], at, *shadows[d + 1 :]])
        best = (excess > 0 and at == cost.bottom * X44) or (excess < 0 and at == cost.top * X44)
        return 0 if best else abs(excess)

    def _excess(
        self, submission: Submission, done: tuple[int, ...], d: int, shadows: Sequence[int]
    ) -> int:
        moved = demands(submission, self.market.ticks, self.prices, shadows, done)
        cost = submission.costs[d]
        return cost_sum(cost, [one.rate for one in moved]) - cost_demand(cost, shadows[d]).rate
