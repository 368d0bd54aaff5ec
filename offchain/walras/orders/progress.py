"""How far a standing submission has come, at what prices, and when it will be through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from walras.auths import Auth, Submission
from walras.curve import portfolio_price
from walras.numbers import MAX_RATE, X44

__all__ = ["Fill", "Progress", "batches_at_full_rate", "progress"]


@dataclass(frozen=True, slots=True)
class Fill:
    """What a submission traded in one settled batch.

    ``rates`` portfolio units X44 of every auth, buying positive; ``prices`` X84 per lot of every
    product of the submission.
    """

    batch: int
    rates: tuple[int, ...]
    prices: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Progress:
    """One auth over the batches in which it stood; chain portfolio units and prices.

    ``bought`` and ``sold`` units X44. Average prices X84 per unit: ``paid`` of what it bought,
    ``received`` of what it sold, ``market`` the mean clearing price of its portfolio over all
    these batches; None where there is nothing to average. ``to_buy`` and ``to_sell`` X44 are what
    its limits leave, None without a limit.
    """

    batches: int
    bought: int
    sold: int
    paid: Fraction | None
    received: Fraction | None
    market: Fraction | None
    to_buy: int | None
    to_sell: int | None

    @property
    def done(self) -> int:
        """Net, X44: what the contract counts against the limits."""
        return self.bought - self.sold

    @property
    def complete(self) -> bool:
        """Whether its limits leave it nothing to do on any side it has."""
        return self.to_buy == 0 and self.to_sell == 0

    def batches_at_pace(self) -> int | None:
        """Batches until the limit it moves toward, at the average of the batches so far."""
        left = self.to_buy if self.done > 0 else self.to_sell
        if left is None or not self.done:
            return None
        return -(-left * self.batches // abs(self.done))


def progress(submission: Submission, fills: Sequence[Fill]) -> tuple[Progress, ...]:
    """Progress of every auth of ``submission`` after ``fills``, one for each settled batch."""
    return tuple(_auth(auth, j, fills) for j, auth in enumerate(submission.auths))


def batches_at_full_rate(auth: Auth, done: int = 0) -> tuple[int | None, int | None]:
    """Batches until it has (sold, bought) all its limits let it; None where nothing ends."""
    sell, buy = _left(auth, done)
    return (
        None if not sell else -(-sell // (auth.sell_rate * X44)),
        None if not buy else -(-buy // (auth.buy_rate * X44)),
    )


def _auth(auth: Auth, index: int, fills: Sequence[Fill]) -> Progress:
    bought = sold = paid = received = total = 0
    for fill in fills:
        rate, price = fill.rates[index], portfolio_price(auth, fill.prices)
        total += price
        bought, paid = bought + max(rate, 0), paid + max(rate, 0) * price
        sold, received = sold + max(-rate, 0), received + max(-rate, 0) * price
    to_sell, to_buy = _left(auth, bought - sold)
    return Progress(
        batches=len(fills),
        bought=bought,
        sold=sold,
        paid=Fraction(paid, bought) if bought else None,
        received=Fraction(received, sold) if sold else None,
        market=Fraction(total, len(fills)) if fills else None,
        to_buy=to_buy,
        to_sell=to_sell,
    )


def _left(auth: Auth, done: int) -> tuple[int | None, int | None]:
    """(to sell, to buy) X44; 0 on a side it has not, None on one without limit."""
    if auth.limits is None:
        return (None if auth.sell_rate else 0), (None if auth.buy_rate else 0)
    left = []
    for rate, limit, moved in (
        (auth.sell_rate, auth.limits.low, -done),
        (auth.buy_rate, auth.limits.high, done),
    ):
        endless = limit == MAX_RATE - 1  # what the wallet writes for a side without limit
        left.append(0 if not rate else None if endless else limit * X44 - moved)
    return left[0], left[1]
