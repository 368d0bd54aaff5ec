"""The words of an order in chain integers: step, leg, limits, auth, cost, submission (SPEC §1, §2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from walras.numbers import X44, ceil_div

__all__ = ["Auth", "Cost", "Cover", "Leg", "Limits", "Step", "Submission", "Term", "cover"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step outward from rate 0: ``width`` portfolio units, ``increment`` X40 of price.

    The price moves by increment + max(τ, W²·width) over the step (``curve.drops``).
    """

    width: int
    increment: int


@dataclass(frozen=True, slots=True)
class Leg:
    """``weight`` lots of ``product`` (its id) per portfolio unit, either sign."""

    product: int
    weight: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Cumulative limits: at most ``low`` portfolio units sold and ``high`` bought, net, for life."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Auth:
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
        """Q_b: portfolio units bought at most in a batch."""
        return sum(step.width for step in self.buy)

    @property
    def sell_rate(self) -> int:
        """Q_s: portfolio units sold at most in a batch."""
        return sum(step.width for step in self.sell)

    def room(self, done: int = 0) -> tuple[int, int]:
        """(A, B) X44: what it may still sell and buy in a batch after a progress of ``done`` X44."""
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
class Cost:
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
    def bid(self) -> int:
        """Best bid, X40; meaningful with buy steps."""
        return self.first

    @property
    def ask(self) -> int:
        """Best ask, X40; meaningful with sell steps."""
        return self.first + self.gap


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

    def guard(self, auth: int) -> int:
        """G_j = Σ_d |g_dj| of an auth over the costs it is in."""
        return sum(
            abs(term.coefficient)
            for cost in self.costs
            for term in cost.terms
            if term.auth == auth
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
    progress = dict(zip(submission.limited, done, strict=True)) if done else {}
    rooms = [auth.room(progress.get(j, 0)) for j, auth in enumerate(submission.auths)]
    cash = len(submission.auths) if submission.costs else 0  # each auth's payment rounds up
    lots = dict.fromkeys(submission.products, 0)
    for auth, (sold, bought) in zip(submission.auths, rooms, strict=True):
        cash += max(_value(bought, auth.bid), _value(sold, -auth.ask))
        for leg in auth.legs:
            lots[leg.product] += leg.weight * sold if leg.weight > 0 else -leg.weight * bought
    return Cover(cash + sum(_cost_cover(cost, rooms) for cost in submission.costs), lots)


def _cost_cover(cost: Cost, rooms: Sequence[tuple[int, int]]) -> int:
    raise NotImplementedError  # needs the ends of the cost's curve


def _value(quantity: int, price: int) -> int:
    """⌈quantity X44 · price X40⌉ X40 of a price above zero."""
    return ceil_div(quantity * max(price, 0), X44)
