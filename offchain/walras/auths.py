"""The words of an order in chain integers, from a step to a submission (SPEC §1, §2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from walras.numbers import X44, ceil_div

__all__ = [
    "Auth",
    "Cost",
    "Cover",
    "Leg",
    "Limits",
    "Step",
    "Submission",
    "Term",
    "cover",
    "drops",
]


@dataclass(frozen=True, slots=True)
class Step:
    """One step outward from rate 0: ``width`` portfolio units, ``increment`` X40 of price.

    The price moves by increment + max(τ, W²·width) over the step (``drops``).
    """

    width: int
    increment: int


def drops(steps: Sequence[Step], gross: int, floor: int) -> tuple[int, ...]:
    """How far the price moves over each step, X40: increment + max(floor, gross²·width).

    For an auth ``gross`` is W + G and ``floor`` is τ, for a cost Γ and 1. The contract builds every
    slope, so one X40 of price never moves an order by more than one lot.
    """
    square = gross * gross
    return tuple(step.increment + max(floor, square * step.width) for step in steps)


@dataclass(frozen=True, slots=True)
class Leg:
    """``weight`` lots of ``product`` (its id) per portfolio unit, either sign."""

    product: int
    weight: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Cumulative: at most ``low`` portfolio units sold and ``high`` bought, net, for life."""

    low: int
    high: int


class _Sides:
    """What the two sides of a demand curve come to; its fields are those of ``Auth`` and ``Cost``.

    A rate is in portfolio units for an auth, in units of s for a cost.
    """

    __slots__ = ()
    first: int
    gap: int
    buy: tuple[Step, ...]
    sell: tuple[Step, ...]

    @property
    def bid(self) -> int:
        """Best bid, X40; meaningful with buy steps."""
        return self.first

    @property
    def ask(self) -> int:
        """Best ask, X40; meaningful with sell steps."""
        return self.first + self.gap

    @property
    def buy_rate(self) -> int:
        """Q_b: rate at the far end of the buy side, the most bought in a batch."""
        return sum(step.width for step in self.buy)

    @property
    def sell_rate(self) -> int:
        """Q_s: rate at the far end of the sell side, the most sold in a batch."""
        return sum(step.width for step in self.sell)


@dataclass(frozen=True, slots=True)
class Auth(_Sides):
    """A portfolio and its demand curve.

    ``legs`` ascend by product. ``first`` X40 per portfolio unit is the best bid if there are
    ``buy`` steps, else the best ask; with both sides the best ask is ``first + gap``.
    """

    legs: tuple[Leg, ...]
    first: int
    gap: int = 0
    buy: tuple[Step, ...] = ()
    sell: tuple[Step, ...] = ()
    limits: Limits | None = None

    @property
    def gross(self) -> int:
        """W = Σ |w_k|, lots per portfolio unit."""
        return sum(abs(leg.weight) for leg in self.legs)

    def room(self, done: int = 0) -> tuple[int, int]:
        """(A, B) X44: what it may sell and buy in a batch after a progress of ``done`` X44."""
        sell, buy = self.sell_rate * X44, self.buy_rate * X44
        if self.limits is None:
            return sell, buy
        return min(sell, self.limits.low * X44 + done), min(buy, self.limits.high * X44 - done)


@dataclass(frozen=True, slots=True)
class Term:
    """``coefficient`` g of the auth with index ``auth`` in a cost's combination, either sign."""

    auth: int
    coefficient: int


@dataclass(frozen=True, slots=True)
class Cost(_Sides):
    """A demand curve over s = Σ g_j·y_j of rates of the submission's own auths (SPEC §3).

    ``terms`` ascend by auth; ``first``, ``gap`` X40 per unit of s, steps as in an auth.
    """

    terms: tuple[Term, ...]
    first: int
    gap: int = 0
    buy: tuple[Step, ...] = ()
    sell: tuple[Step, ...] = ()

    @property
    def gross(self) -> int:
        """Γ = Σ |g_j|."""
        return sum(abs(term.coefficient) for term in self.terms)

    @property
    def top(self) -> int:
        """X40: marginal value below the curve, the price at the far end of the sell side."""
        return self.ask + sum(drops(self.sell, self.gross, 1)) if self.sell else self.first

    @property
    def bottom(self) -> int:
        """X40: marginal value above the curve, the price at the far end of the buy side."""
        return self.bid - sum(drops(self.buy, self.gross, 1)) if self.buy else self.ask

    @property
    def touches(self) -> int:
        """C ulps of X44: how far s can be off its curve at an accepted λ if every auth slopes."""
        return 2 + sum(abs(term.coefficient) + 1 for term in self.terms)


@dataclass(frozen=True, slots=True)
class Submission:
    """Everything one account wants. ``valid_until`` in unix seconds, 0 for ever.

    ``standing`` ones trade in every batch until they end; others in the batch of their seal.
    """

    auths: tuple[Auth, ...]
    valid_until: int = 0
    costs: tuple[Cost, ...] = ()
    standing: bool = False

    @property
    def products(self) -> tuple[int, ...]:
        """Ids of all products touched, ascending."""
        return tuple(sorted({leg.product for auth in self.auths for leg in auth.legs}))

    @property
    def limited(self) -> tuple[int, ...]:
        """Indices of the auths with cumulative limits, in order: those whose progress counts."""
        return tuple(j for j, auth in enumerate(self.auths) if auth.limits is not None)

    @property
    def guards(self) -> tuple[int, ...]:
        """G_j = Σ_d |g_dj| of every auth over the costs it is in."""
        sums = [0] * len(self.auths)
        for cost in self.costs:
            for term in cost.terms:
                sums[term.auth] += abs(term.coefficient)
        return tuple(sums)

    def guard(self, auth: int) -> int:
        """G_j of one auth."""
        return self.guards[auth]

    def progress(self, done: Sequence[int]) -> tuple[int, ...]:
        """Progress X44 of every auth, 0 of those without limits.

        ``done``: of those with limits, in order; nothing yet if empty.
        """
        found = dict(zip(self.limited, done, strict=True)) if done else {}
        return tuple(found.get(j, 0) for j in range(len(self.auths)))

    def complete(self, done: Sequence[int]) -> bool:
        """Whether every auth has limits and ``done`` leaves it nothing to sell or buy."""
        return all(
            auth.limits is not None and auth.room(progress) == (0, 0)
            for auth, progress in zip(self.auths, self.progress(done), strict=True)
        )


@dataclass(frozen=True, slots=True)
class Cover:
    """Escrow that makes default impossible: ``cash`` X40 and ``lots`` X44 by product."""

    cash: int
    lots: Mapping[int, int]


def cover(submission: Submission, done: Sequence[int] = ()) -> Cover:
    """What the ledger must hold for ``submission`` to trade (SPEC §7), net of rent.

    ``done`` X44: the progress of its auths with limits, in order; nothing yet if empty.
    """
    progress = submission.progress(done)
    rooms = [auth.room(moved) for auth, moved in zip(submission.auths, progress, strict=True)]
    cash = len(submission.auths) if submission.costs else 0  # each auth's payment rounds up
    lots = dict.fromkeys(submission.products, 0)
    for auth, (sold, bought) in zip(submission.auths, rooms, strict=True):
        cash += max(_value(bought, auth.bid), _value(sold, -auth.ask))
        for leg in auth.legs:
            lots[leg.product] += leg.weight * sold if leg.weight > 0 else -leg.weight * bought
    return Cover(cash + sum(_cost_cover(cost, rooms) for cost in submission.costs), lots)


def _cost_cover(cost: Cost, rooms: Sequence[tuple[int, int]]) -> int:
    """Most that λ·s can be, X40, for the cost's share of every payment (SPEC §7).

    Beyond its curve s is worth the price at that end, which is never better than the best price.
    """
    sold, bought = cost.sell_rate * X44, cost.buy_rate * X44
    top, bottom = cost.top, cost.bottom
    # (most s below zero, most above) with every auth at the end of its room
    low = high = 0
    for term in cost.terms:
        sell, buy = rooms[term.auth]
        size = abs(term.coefficient)
        low += size * (sell if term.coefficient > 0 else buy)
        high += size * (buy if term.coefficient > 0 else sell)
    if bottom > 0:
        bought = max(bought, high)
    if top < 0:
        sold = max(sold, low)
    pays = max(_value(bought, cost.bid), _value(sold, -cost.ask))
    return pays + _value(cost.touches, max(abs(top), abs(bottom)))


def _value(quantity: int, price: int) -> int:
    """⌈quantity X44 · price X40⌉ X40 of a price above zero."""
    return ceil_div(quantity * max(price, 0), X44)
