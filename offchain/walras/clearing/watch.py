"""Which orders a search has to look at: those whose piece can end within a radius of the prices."""

from collections.abc import Callable

import numpy as np

from walras.clearing import sums
from walras.clearing.book import Floats, Ints
from walras.clearing.kernels import Products

__all__ = ["WatchList"]

_ROOM = 4.0  # a list serves steps this much longer than the one it was made for,
_RESTLESS = 8.0  # is made anew when steps have become this much shorter,
_CROWD = 0.02  # unless it holds fewer than this share of the rows;
_BACKOFF = 8.0  # a new list that is hardly shorter puts the next one off by this factor
_USELESS = 0.7  # hardly shorter is more than this share of the list it was picked from
_FEW = 0.2  # of all rows: so many are looked at to widen a list where single prices leave it

Pick = Callable[[Floats, Ints, Ints], int]


class WatchList:
    """Rows that are watched, and how far prices may move before others have to be.

    Lists are nested, each picked from the one around it, and widen where single prices leave them:
    steps of all sizes take turns, and to look through everyone is dear.

    count: how many rows; scale (K,): price levels; ptr (count + 1,), product: the products of
    each row.
    everyone: all rows; rows: those watched.
    """

    def __init__(self, count: int, scale: Floats, ptr: Ints, product: Products) -> None:
        self.everyone = np.arange(count)
        self._scale = scale
        self._legs = (ptr, product)
        self._users: tuple[Ints, Ints] | None = None
        self._room = np.zeros(count + 1, np.int64)
        self.reset(np.zeros(len(scale)))

    @property
    def partial(self) -> bool:
        """Whether some rows are not watched."""
        return len(self.rows) < len(self.everyone)

    @property
    def rows(self) -> Ints:
        """Rows to look at now."""
        return self._lists[-1][0]

    def reset(self, q: Floats) -> None:
        """Watch everyone, from prices q."""
        everywhere = np.full(len(q), np.inf)
        self._lists: list[tuple[Ints, Floats, Floats]] = [(self.everyone, q, everywhere)]
        self._spread, self._patience = np.inf, _RESTLESS

    def keep(self, q: Floats, stride: Floats, pick: Pick) -> None:
        """Keep the list in step with prices q and a step of size `stride` (K,).

        pick(radius, rows, room): writes those of `rows` that have to be watched within `radius`
        (K,) of q to `room`; returns how many.
        """
        relative = float((stride / self._scale).mean()) if len(stride) else 0.0
        crowded = len(self.rows) > _CROWD * len(self.everyone)
        restless = crowded and self._patience * relative < self._spread
        if not restless and (self._holds(q, stride) or self._widened(q, stride, pick)):
            return
        radius = _ROOM * np.maximum(stride, self._scale * relative)
        while len(self._lists) > 1 and not self._holds(q, radius):
            self._lists.pop()
        source = self.rows
        count = pick(radius, source, self._room)
        useless = count > _USELESS * len(source)
        if not useless:
            self._lists.append((self._room[:count].copy(), q, radius))
        self._patience = self._patience * _BACKOFF if useless else _RESTLESS
        self._spread = relative

    def _holds(self, q: Floats, radius: Floats) -> bool:
        """Whether nobody outside the list has to be watched within `radius` (K,) of q."""
        _, anchor, reach = self._lists[-1]
        return bool(np.all(np.abs(q - anchor) + radius <= reach))

    def _widened(self, q: Floats, stride: Floats, pick: Pick) -> bool:
        """Let the list hold a step that only few products leave, if their rows are few."""
        rows, anchor, reach = self._lists[-1]
        moved = np.abs(q - anchor)
        outside = np.flatnonzero(moved + stride > reach)
        if self._users is None:
            self._users = sums.users(*self._legs, len(self._scale))
        start, user = self._users
        if (start[outside + 1] - start[outside]).sum() > _FEW * len(self.everyone):
            return False
        wider = reach.copy()
        wider[outside] = moved[outside] + _ROOM * stride[outside]
        known = np.zeros(len(self.everyone), np.bool_)
        known[rows] = True
        count = pick(wider + moved, sums.strangers(start, user, outside, known), self._room)
        while len(self._lists) > 1 and not self._holds(anchor, wider):
            self._lists.pop()
        self._lists.append((np.concatenate([rows, self._room[:count]]), anchor, wider))
        return True
