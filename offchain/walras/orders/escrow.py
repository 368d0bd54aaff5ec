"""What a submission locks against what an account holds (SPEC §7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from walras.auths import Auth, Cover, Step, Submission, cover
from walras.numbers import MAX_RATE

__all__ = ["Holdings", "bounded", "lifetime_cover"]


@dataclass(frozen=True, slots=True)
class Holdings:
    """An account's ledger: ``cash`` X40, ``lots`` X44 by product id (absent: none)."""

    cash: int
    lots: Mapping[int, int]

    def less(self, need: Cover) -> Holdings:
        """What ``need`` leaves to others; negative where it is not covered."""
        after = {k: self.lots.get(k, 0) - lots for k, lots in need.lots.items()}
        return Holdings(self.cash - need.cash, {**self.lots, **after})

    def lacks(self, need: Cover) -> Cover:
        """What has to be deposited to cover ``need``: only what is short."""
        lots = {k: n - self.lots.get(k, 0) for k, n in need.lots.items() if n > 0}
        return Cover(max(0, need.cash - self.cash), {k: n for k, n in lots.items() if n > 0})


def lifetime_cover(submission: Submission) -> Cover:
    """What a standing submission takes to reach its limits if nothing comes in meanwhile.

    An auth without limits counts with one batch.
    """
    return cover(replace(submission, auths=tuple(map(_at_once, submission.auths))))


def bounded(submission: Submission) -> bool:
    """Whether limits end every side that its auths trade, so that it takes a sum in all."""
    return all(
        not side or (auth.limits is not None and limit != MAX_RATE - 1)
        for auth in submission.auths
        for side, limit in (
            (auth.sell, auth.limits and auth.limits.low),
            (auth.buy, auth.limits and auth.limits.high),
        )
    )


def _at_once(auth: Auth) -> Auth:
    """The auth as if it traded all that its limits let it in one batch."""
    if auth.limits is None:
        return auth
    sell, buy = (
        side if not side or limit == MAX_RATE - 1 else (Step(limit, 0),)
        for side, limit in ((auth.sell, auth.limits.low), (auth.buy, auth.limits.high))
    )
    return replace(auth, sell=sell, buy=buy, limits=None)
