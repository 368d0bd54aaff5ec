"""Market makers: two-sided curves around their own view, leaning against their inventory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from walras.auths import Auth, Submission
from walras.batch import AccountState
from walras.numbers import X44
from walras.simulate.agents.base import BPS, Endowment, Seal, View
from walras.simulate.desk import LOTS_PER_SHARE, Side, shares

__all__ = ["Maker", "PairMaker", "Quoting"]

_LADDER = (0.5, 1.0)  # parts of the depth at which half of the size each is offered


@dataclass(frozen=True, slots=True)
class Quoting:
    """How a maker quotes; sizes in dollars, distances relative to the price.

    Bid and ask are ``spread`` from its view, ``size`` is offered on each side within ``depth``; the
    view moves by ``skew`` for every ``size`` of inventory. ``error`` is the deviation of its view
    from the value and ``memory`` the part of that error that stays from batch to batch; ``follow``
    is the weight it gives the last clearing price.
    """

    size: float = 200_000.0
    spread: float = 2 * BPS
    depth: float = 20 * BPS
    skew: float = 2 * BPS
    error: float = 4 * BPS
    memory: float = 0.98
    follow: float = 0.3
    stock: float = 40.0  # sizes of cash and of shares it starts with


@dataclass(slots=True)
class _View:
    """A view of the values that errs by a process returning to zero."""

    quoting: Quoting
    dice: np.random.Generator
    error: dict[int, float] = field(default_factory=dict)

    def of(self, k: int, view: View) -> float:
        """Dollars a share; asked once a batch for each product."""
        quoting = self.quoting
        shock = quoting.error * float(self.dice.standard_normal())
        before = self.error.get(k)
        if before is not None:
            shock = quoting.memory * before + math.sqrt(1 - quoting.memory**2) * shock
        self.error[k] = shock
        value = float(view.values[k]) * (1 + shock)
        return (1 - quoting.follow) * value + quoting.follow * float(view.prices[k])


class Maker:
    """Quotes single products, one auth each."""

    kind = "maker"

    def __init__(
        self, name: str, products: Sequence[int], quoting: Quoting, dice: np.random.Generator
    ) -> None:
        self.name = name
        self.products = tuple(products)
        self.quoting = quoting
        self._opinion = _View(quoting, dice)
        self._target: Mapping[int, float] = {}

    def endowment(self, view: View) -> Endowment:
        """Shares and cash for many full sides of every product."""
        worth = self.quoting.size * self.quoting.stock
        self._target = {k: worth / float(view.prices[k]) for k in self.products}
        return Endowment(worth * len(self.products), self._target)

    def act(self, view: View, account: AccountState) -> Seal | None:
        """Fresh quotes for this batch only."""
        quotes = [self._quote(k, view, account) for k in self.products]
        auths = tuple(auth for auth in quotes if auth)
        return Seal(Submission(auths)) if auths else None

    def _quote(self, k: int, view: View, account: AccountState) -> Auth | None:
        centre = self._opinion.of(k, view)
        inventory = (shares(account.lots.get(k, 0)) - self._target[k]) * centre
        centre *= 1 - self.quoting.skew * inventory / self.quoting.size
        lot = centre / LOTS_PER_SHARE
        return _Curve({k: 1}, lot, lot, self.quoting).auth(view, account)


class PairMaker:
    """Quotes one portfolio of bought and sold legs, and holds no view of the market as a whole."""

    kind = "pair maker"

    def __init__(
        self, name: str, legs: Mapping[int, int], quoting: Quoting, dice: np.random.Generator
    ) -> None:
        self.name = name
        self.legs = dict(legs)
        self.quoting = quoting
        self._opinion = _View(quoting, dice)
        self._begun = 0

    def endowment(self, view: View) -> Endowment:
        """Shares of all legs, and cash."""
        worth = self.quoting.size * self.quoting.stock
        unit = view.desk.gross(self.legs, view.prices)
        held = {k: abs(w) * worth / unit / LOTS_PER_SHARE for k, w in self.legs.items()}
        return Endowment(worth, held)

    def act(self, view: View, account: AccountState) -> Seal | None:
        """A fresh quote for this batch only."""
        values = {k: self._opinion.of(k, view) for k in self.legs}
        worth = sum(w * values[k] for k, w in self.legs.items()) / LOTS_PER_SHARE
        gross = sum(abs(w) * values[k] for k, w in self.legs.items()) / LOTS_PER_SHARE
        first, weight = next(iter(self.legs.items()))
        held = account.lots.get(first, 0)
        if not self._begun:
            self._begun = held
        units = (held - self._begun) / X44 / weight
        worth -= gross * self.quoting.skew * units * gross / self.quoting.size
        auth = _Curve(self.legs, worth, gross, self.quoting).auth(view, account)
        return Seal(Submission((auth,))) if auth else None


@dataclass(frozen=True, slots=True)
class _Curve:
    """Bids and asks at ``centre`` dollars a unit; distances are relative to ``gross``."""

    legs: Mapping[int, int]
    centre: float
    gross: float
    quoting: Quoting

    def auth(self, view: View, account: AccountState) -> Auth | None:
        """As much of both sides as the account can deliver; None if that is nothing."""
        away = self.gross * self.quoting.spread
        buy = self._side(self.centre - away, account, 1)
        sell = self._side(self.centre + away, account, -1)
        return view.desk.auth(self.legs, buy=buy, sell=sell) if buy or sell else None

    def _side(self, first: float, account: AccountState, sign: int) -> Side | None:
        """What is sold must be there; cash is deposited in plenty."""
        parts = len(_LADDER)
        units = [self.quoting.size / self.gross] + [
            account.lots.get(k, 0) / X44 / abs(weight)
            for k, weight in self.legs.items()
            if weight * sign < 0
        ]
        each = math.floor(min(units) / parts)
        reach = pairwise([0.0, *_LADDER])
        depth = self.gross * self.quoting.depth
        steps = [(each, depth * (right - left)) for left, right in reach]
        return Side(first, steps) if each else None
