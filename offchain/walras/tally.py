"""What posted prices do to one submission, and the sums a certificate is made of (SPEC §6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from walras.auths import Cost, Submission
from walras.curve import cost_demand, cost_sum, demands, portfolio_price
from walras.numbers import X44, ceil_div, ceil_sqrt, floor_div
from walras.opening import Opened, Standing

__all__ = ["Coupling", "Line", "Sums", "Trade", "freedom_up", "loss_up", "trade"]


class Coupling(NamedTuple):
    """How well a cost clears: ``excess`` = s − S and ``tolerance`` c, ulps of X44.

    An excess beyond the curve's end at λ there is ``excused``; ``fair`` is λ within the curve.
    ``slope`` X40 of the step λ lies on: what the floor of S costs [C-3].
    """

    excess: int
    tolerance: int
    excused: bool
    fair: bool
    slope: int

    @property
    def clears(self) -> bool:
        """[C-5], but for the range of λ."""
        return self.excused or abs(self.excess) <= self.tolerance


@dataclass(slots=True)
class Line:
    """A product's sums: z, c, C of SPEC §6, lots bought X44."""

    residue: int = 0
    tolerance: int = 0
    touches: int = 0
    volume: int = 0

    def add(self, other: Line) -> None:
        """Add what another submission does to the product."""
        self.residue += other.residue
        self.tolerance += other.tolerance
        self.touches += other.touches
        self.volume += other.volume


@dataclass(frozen=True, slots=True)
class Trade:
    """A submission at posted prices.

    ``rates`` portfolio units X44 by auth, ``done`` X44 afterwards of the auths with limits,
    ``cash`` X40 received, ``loss`` X40, ``lines`` by product (``residue`` is the fill),
    ``cost_loss`` and ``cost_span`` X84.
    """

    rates: tuple[int, ...]
    done: tuple[int, ...]
    cash: int
    loss: int
    lines: Mapping[int, Line]
    couplings: tuple[Coupling, ...]
    cost_loss: int
    cost_span: int

    @property
    def fills(self) -> dict[int, int]:
        """Lots X44 received, by product."""
        return {k: line.residue for k, line in self.lines.items()}


def trade(
    submission: Submission,
    ticks: Mapping[int, int],
    prices: Mapping[int, int],
    shadows: Sequence[int] = (),
    done: Sequence[int] = (),
) -> Trade:
    """What ``submission`` with the progress ``done`` trades at ``prices`` and ``shadows``, X84."""
    lines = {k: Line() for k in submission.products}
    rates, slopes = [], []
    cash = loss = 0
    every = demands(submission, ticks, prices, shadows, done)
    for auth, (rate, sloped, slope) in zip(submission.auths, every, strict=True):
        rates.append(rate)
        slopes.append(sloped)
        # payer rounds up, receiver down
        cash += floor_div(-portfolio_price(auth, prices) * rate, 1 << 88)
        loss += slope
        for leg in auth.legs:
            line, ulps, fill = lines[leg.product], abs(leg.weight) + 1, leg.weight * rate
            line.residue += fill
            line.touches += ulps
            if sloped:
                line.tolerance += ulps
            if fill > 0:
                line.volume += fill
    couplings = tuple(
        _coupling(cost, shadow, rates, slopes)
        for cost, shadow in zip(submission.costs, shadows, strict=True)
    )
    spans = [cost.top - cost.bottom for cost in submission.costs]
    moved = zip(submission.limited, done or (0,) * len(submission.limited), strict=True)
    return Trade(
        rates=tuple(rates),
        done=tuple(before + rates[j] for j, before in moved),
        cash=cash,
        loss=loss + sum(one.slope for one in couplings),
        lines=lines,
        couplings=couplings,
        cost_loss=sum(
            abs(one.excess) * span
            for one, span in zip(couplings, spans, strict=True)
            if not one.excused
        ),
        cost_span=sum(
            4 * cost.touches * span for cost, span in zip(submission.costs, spans, strict=True)
        ),
    )


def _coupling(cost: Cost, shadow: int, rates: Sequence[int], slopes: Sequence[bool]) -> Coupling:
    top, bottom = cost.top * X44, cost.bottom * X44
    own = cost_demand(cost, shadow)
    excess = cost_sum(cost, rates) - own.rate
    # errors of the floors of sloped auths, of the cost's own floor and of λ
    tolerance = 2 + sum(abs(term.coefficient) + 1 for term in cost.terms if slopes[term.auth])
    excused = (excess > 0 and shadow == bottom) or (excess < 0 and shadow == top)
    return Coupling(excess, tolerance, excused, bottom <= shadow <= top, own.loss)


@dataclass(slots=True)
class Sums:
    """What the accounts of a batch, or of its first part, add up to.

    ``rested`` counts those that a run writing ahead leaves as they are; ``cash`` X40 received by
    accounts, ``slopes`` for [C-3], ``cost_loss`` and ``cost_span`` X84, ``rent`` X40; ``standing``
    and its units joined less ended; ``lines`` by posted product, of which ``used`` are those that
    some submission lists.
    """

    lines: dict[int, Line]
    listed: int = 0
    voids: int = 0
    rested: int = 0
    cash: int = 0
    slopes: int = 0
    cost_loss: int = 0
    cost_span: int = 0
    rent: int = 0
    standing: int = 0
    standing_units: int = 0
    used: set[int] = field(default_factory=set)

    def list(self, one: Opened, standing: Standing | None) -> None:
        """Add what an account pays and becomes, whether or not it trades."""
        self.listed += 1
        self.voids += one.reason is not None
        self.rent += one.rent
        self.used |= {*one.products}
        if one.account.standing:
            self.standing -= 1
            self.standing_units -= one.account.units
        if standing is not None:
            self.standing += 1
            self.standing_units += standing.units

    def add(self, one: Trade) -> None:
        """Add a submission that trades."""
        self.cash += one.cash
        self.slopes += one.loss
        self.cost_loss += one.cost_loss
        self.cost_span += one.cost_span
        for k, line in one.lines.items():
            self.lines[k].add(line)


def loss_up(slopes: int, squares: int, cost_loss: int) -> int:
    """[C-3] X40: ⌈Σ loss / 2^89⌉ + ⌈Σ (|e|+1)²·s / 2^63⌉ + ⌈costLoss / 2^44⌉."""
    return ceil_div(slopes, 1 << 89) + ceil_div(squares, 1 << 63) + ceil_div(cost_loss, X44)


def freedom_up(misses: int, cost_span: int, sizes: int) -> int:
    """[C-4] X40 of Σ a²·s, costSpan X84 and Σ q²·s."""
    reach = ceil_sqrt(misses) + (ceil_sqrt(cost_span) << 9)
    return ceil_div(reach * ceil_sqrt(sizes), 1 << 18)
