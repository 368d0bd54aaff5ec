"""Prices are continuous: a small change of one limit moves them in proportion, never by a jump."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from walras.certificate import Opened
from walras.simulate.agents.base import BPS
from walras.simulate.market import Cleared, clear_again

__all__ = ["Continuity", "continuity", "marginal"]

_CHANGES = tuple(10.0 * 4.0**-n for n in range(10))  # basis points


@dataclass(frozen=True, slots=True)
class Continuity:
    """One order's limit raised by ``change`` (basis points of the portfolio's gross price).

    ``moved``: basis points by which the price of any product moved, at most; ``ratio`` of the two
    for each change.
    """

    account: bytes
    change: tuple[float, ...]
    moved: tuple[float, ...]

    @property
    def ratio(self) -> tuple[float, ...]:
        """Move of prices per change of the limit."""
        return tuple(m / c for m, c in zip(self.moved, self.change, strict=True))


def continuity(
    cleared: Cleared, account: bytes, auth: int, *, changes: Sequence[float] = _CHANGES
) -> Continuity:
    """Clear a batch again with the limit of one auth of ``account`` raised, by less and less."""
    prices = cleared.settlement.prices
    place = [one.account.address for one in cleared.opened].index(account)
    moved = []
    for change in changes:
        opened = list(cleared.opened)
        opened[place] = _raised(cleared, opened[place], auth, change * BPS)
        again = clear_again(cleared, opened=opened, warm=cleared.found)
        moved.append(max(abs(again.prices[k] - p) / abs(p) for k, p in prices.items()) / BPS)
    return Continuity(account, tuple(changes), tuple(moved))


def marginal(cleared: Cleared) -> list[tuple[bytes, int]]:
    """Accounts and numbers of the auths that trade a part of what curve and limits let them."""
    found = []
    for one in cleared.opened:
        rates = cleared.settlement.rates.get(one.account.address)
        if rates is None or one.submission is None:
            continue
        done = one.submission.progress(one.done)
        for j, (auth, rate) in enumerate(zip(one.submission.auths, rates, strict=True)):
            sell, buy = auth.room(done[j])
            if rate and -sell < rate < buy:
                found.append((one.account.address, j))
    return found


def _raised(cleared: Cleared, one: Opened, auth: int, part: float) -> Opened:
    assert one.submission is not None
    old = one.submission.auths[auth]
    gross = sum(abs(g.weight) * cleared.settlement.prices[g.product] for g in old.legs) >> 44
    new = replace(old, first=old.first + round(gross * part))
    auths = [*one.submission.auths[:auth], new, *one.submission.auths[auth + 1 :]]
    return replace(one, submission=replace(one.submission, auths=tuple(auths)))
