"""Which orders a search has to look at: those whose piece can end within a radius of the prices."""

import numpy as np

from walras.clearing.book import Floats, Ints

__all__ = ["WatchList"]

_ROOM = 4.0  # a list serves steps this much longer than the one it was made for,
_RESTLESS = 8.0  # is made anew when steps have become this much shorter,
_CROWD = 0.05  # unless it holds fewer than this share of the rows;
_BACKOFF = 8.0  # a new list that is hardly shorter puts the next one off by this factor


class WatchList:
    """Rows that are watched, and how far prices may move before others have to be.

    scale (K,): price levels. rows: the rows watched; room (count + 1,): for a new list.
    """

    def __init__(self, count: int, scale: Floats) -> None:
        self._everyone = np.arange(count)
        self._scale = scale
        self.room = np.zeros(count + 1, np.int64)
        self.reset(np.zeros(len(scale)))

    @property
    def partial(self) -> bool:
        """Whether some rows are not watched."""
        return len(self.rows) < len(self._everyone)

    def reset(self, q: Floats) -> None:
        """Watch everyone, from prices q."""
        self.rows: Ints = self._everyone
        self._anchor = q
        self._radius = np.full(len(q), np.inf)
        self._spread, self._patience = np.inf, _RESTLESS

    def renewed(self, q: Floats, stride: Floats) -> Floats | None:
        """The radius for a new list at q, if a step of size `stride` (K,) calls for one."""
        crowded = len(self.rows) > _CROWD * len(self._everyone)
        relative = float((stride / self._scale).mean()) if len(stride) else 0.0
        outside = np.any(np.abs(q - self._anchor) + stride > self._radius)
        if not outside and not (crowded and self._patience * relative < self._spread):
            return None
        self._anchor = q
        self._radius = _ROOM * np.maximum(stride, self._scale * relative)
        self._spread = relative
        return self._radius

    def adopt(self, count: int) -> None:
        """Take the first `count` rows of `room` as the new list."""
        useless = count > 0.7 * len(self.rows)
        self._patience = self._patience * _BACKOFF if useless else _RESTLESS
        self.rows = self.room[:count]
