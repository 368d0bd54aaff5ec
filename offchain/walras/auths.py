"""The words of an order in chain integers: step, leg, auth, submission, cover (SPEC §1, §7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from walras.numbers import X44

__all__ = ["Auth", "Cover", "Leg", "Step", "Submission", "cover"]


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
        """Q_b: portfolio units bought at most."""
        return sum(step.width for step in self.buy)

    @property
    def sell_rate(self) -> int:
        """Q_s: portfolio units sold at most."""
        return sum(step.width for step in self.sell)


@dataclass(frozen=True, slots=True)
class Submission:
    """Everything one account wants. ``valid_until`` in unix seconds, 0 for ever."""

    auths: tuple[Auth, ...]
    valid_until: int = 0

    @property
    def products(self) -> tuple[int, ...]:
        """Ids of all products touched, ascending."""
        return tuple(sorted({leg.product for auth in self.auths for leg in auth.legs}))


@dataclass(frozen=True, slots=True)
class Cover:
    """Escrow that makes default impossible: ``cash`` X40 and ``lots`` X44 by product."""

    cash: int
    lots: Mapping[int, int]


def cover(submission: Submission) -> Cover:
    """What the ledger must hold for ``submission`` to trade (SPEC §7)."""
    cash = 0
    lots = dict.fromkeys(submission.products, 0)
    for auth in submission.auths:
        bought, sold = auth.buy_rate, auth.sell_rate
        cash += max(bought * max(auth.bid, 0), sold * max(-auth.ask, 0))
        for leg in auth.legs:
            delivered = leg.weight * sold if leg.weight > 0 else -leg.weight * bought
            lots[leg.product] += delivered * X44
    return Cover(cash, lots)
