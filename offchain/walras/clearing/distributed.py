"""One clearing over many machines: shards of the orders live on the workers of a `dask` cluster.

Gradient, curvature and line search are sums over orders, so every worker keeps its shard between
steps and answers with K, K x K or two numbers; the one factorisation stays here. Prices and fills
are those of one machine up to the rounding of sums in another sequence.

    with Client("tcp://scheduler:8786") as client:
        clearing = clear_distributed(book, client)
"""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
from distributed import Client, Future
from numpy.typing import NDArray

from walras.clearing.book import Book, Floats, Ints
from walras.clearing.dual import Market
from walras.clearing.engine import clear
from walras.clearing.orders import Curves, Legs, Orders, Part
from walras.clearing.solution import Clearing
from walras.errors import ClearingError

__all__ = ["Shard", "Shards", "clear_distributed"]


def clear_distributed(
    book: Book,
    client: Client,
    *,
    shards: int | None = None,
    warm: Clearing | Floats | None = None,
    tolerance: float = 1e-10,
    placed: Callable[[], None] = lambda: None,
) -> Clearing:
    """`clear` with the orders on the cluster of `client`.

    shards: into how many parts (default: one per worker); placed: called when they are placed.

    Raises `ClearingError` when the cluster has no workers.
    """
    workers = len(client.scheduler_info()["workers"])
    if workers == 0:
        raise ClearingError("the cluster has no workers; start some or use `clear`")
    count = max(1, min(shards or workers, book.orders))

    def divide(market: Market) -> list[Part]:
        parts = [
            Shards(client, part, count) if isinstance(part, Orders) else part
            for part in market.parts()
        ]
        placed()
        return parts

    return clear(book, warm=warm, tolerance=tolerance, divide=divide)


Packed = tuple[
    NDArray[np.uint32], Floats
]  # where a lower triangle is not zero, row by row, and what
Share = tuple[Floats, Packed | None, int]  # gradient, curvature if it differs, slopes changed


class Shard:
    """What lives on a worker: a part of the orders. Answers are fresh arrays, not increments."""

    def __init__(
        self, legs: Legs, curves: Curves, span: Floats, flat: Ints, scale: Floats, index: Ints
    ) -> None:
        # arrays that travelled are read-only, and compiled code is typed by that
        legs = (legs[0].copy(), legs[1].copy(), legs[2].copy())
        curves = (curves[0].copy(), curves[1].copy(), curves[2].copy())
        self._orders = Orders(legs, curves, span.copy(), flat.copy(), scale.copy(), index.copy())
        self._size = len(scale)

    def refresh(self, q: Floats, curvature: bool) -> Share:
        """This shard's gradient and, if asked, its curvature at q."""
        gradient, hessian = self._room()
        self._orders.refresh(q, gradient, hessian, curvature=curvature)
        return gradient, _packed(hessian) if curvature else None, 0

    def curve(self) -> Share:
        """This shard's curvature as it stands."""
        gradient, hessian = self._room()
        self._orders.curve(hessian)
        return gradient, _packed(hessian), 0

    def aim(self, direction: Floats, step: float) -> tuple[float, float]:
        """See `Part.aim`."""
        return self._orders.aim(direction, step)

    def along(self, step: float) -> tuple[float, float]:
        """See `Part.along`."""
        return self._orders.along(step)

    def commit(self, step: float) -> Share:
        """Corrections to gradient and curvature, and how many slopes changed."""
        gradient, hessian = self._room()
        changed = self._orders.commit(step, gradient, hessian)
        return gradient, _packed(hessian) if changed else None, changed

    def foresee(self) -> Share:
        """See `commit`."""
        gradient, hessian = self._room()
        changed = self._orders.foresee(gradient, hessian)
        return gradient, _packed(hessian) if changed else None, changed

    def settle(self) -> Share:
        """See `commit`."""
        gradient, hessian = self._room()
        changed = self._orders.settle(gradient, hessian)
        return gradient, _packed(hessian) if changed else None, changed

    def soften(self, eta: float, flat_only: bool) -> None:
        """See `Part.soften`."""
        self._orders.soften(eta, flat_only=flat_only)

    def recall(self, fills: Floats) -> None:
        """See `Part.recall`."""
        self._orders.recall(fills)

    def recentre(self) -> tuple[float, float]:
        """See `Part.recentre`."""
        return self._orders.recentre()

    def fills(self) -> Floats:
        """See `Part.fills`."""
        return self._orders.fills()

    def nudged(self, fills: Floats, direction: Floats) -> Floats:
        """See `Part.nudged`."""
        return self._orders.nudged(fills.copy(), direction)

    def _room(self) -> tuple[Floats, Floats]:
        return np.zeros(self._size), np.zeros((self._size, self._size))


class Shards:
    """Orders spread over a cluster, seen from here as one part of the dual. Implements `Part`."""

    def __init__(self, client: Client, orders: Orders, count: int) -> None:
        self.index = orders.index
        self.any_flat = orders.any_flat
        self._bounds = np.linspace(0, len(orders.index), count + 1).astype(int)
        flat = np.zeros(len(orders.index), np.int64)
        flat[orders.flat] = 1
        scatter: Any = client.scatter  # it carries no types
        workers = cycle(client.scheduler_info()["workers"])
        placed: list[Future[Any]] = []
        for begin, end in zip(self._bounds, self._bounds[1:], strict=False):
            chosen, worker = np.arange(begin, end), [next(workers)]
            part = orders.subset(chosen)
            content = [part.legs, part.curves, part.span, flat[chosen], part.scale, part.index]
            sent = scatter(content, workers=worker, hash=False)
            placed.append(client.submit(Shard, *sent, workers=worker, actor=True, pure=False))
        self._shards = [future.result() for future in placed]

    def refresh(
        self, q: Floats, gradient: Floats, hessian: Floats, *, curvature: bool = True
    ) -> None:
        """See `Part.refresh`."""
        _add(self._ask("refresh", q, curvature), gradient, hessian)

    def curve(self, hessian: Floats) -> None:
        """See `Part.curve`."""
        _add(self._ask("curve"), np.zeros(len(hessian)), hessian)

    def aim(self, direction: Floats, step: float) -> tuple[float, float]:
        """See `Part.aim`."""
        return _sum(self._ask("aim", direction, step))

    def along(self, step: float) -> tuple[float, float]:
        """See `Part.along`."""
        return _sum(self._ask("along", step))

    def commit(self, step: float, gradient: Floats, hessian: Floats) -> int:
        """See `Part.commit`."""
        return _add(self._ask("commit", step), gradient, hessian)

    def foresee(self, gradient: Floats, hessian: Floats) -> int:
        """See `Part.foresee`."""
        return _add(self._ask("foresee"), gradient, hessian)

    def settle(self, gradient: Floats, hessian: Floats) -> int:
        """See `Part.settle`."""
        return _add(self._ask("settle"), gradient, hessian)

    def soften(self, eta: float, *, flat_only: bool) -> None:
        """See `Part.soften`."""
        self._ask("soften", eta, flat_only)

    def recall(self, fills: Floats) -> None:
        """See `Part.recall`."""
        shares = np.split(fills, self._bounds[1:-1])
        pending = [shard.recall(x) for shard, x in zip(self._shards, shares, strict=True)]
        for asked in pending:
            asked.result()

    def recentre(self) -> tuple[float, float]:
        """See `Part.recentre`."""
        found = self._ask("recentre")
        return sum(cash for cash, _ in found), max(shift for _, shift in found)

    def fills(self) -> Floats:
        """See `Part.fills`."""
        return np.concatenate(self._ask("fills"))

    def nudged(self, fills: Floats, direction: Floats) -> Floats:
        """See `Part.nudged`."""
        shares = np.split(fills, self._bounds[1:-1])
        pending = [s.nudged(x, direction) for s, x in zip(self._shards, shares, strict=True)]
        return np.concatenate([answer.result() for answer in pending])

    def _ask(self, question: str, *arguments: Any) -> list[Any]:
        """Ask all shards at once; the answers in their sequence."""
        pending = [getattr(shard, question)(*arguments) for shard in self._shards]
        return [answer.result() for answer in pending]


def _packed(hessian: Floats) -> Packed:
    """Few slopes change in most steps, and half of the square is empty: send what is there."""
    where = np.flatnonzero(hessian)
    return where.astype(np.uint32), hessian.ravel()[where]


def _add(shares: list[Share], gradient: Floats, hessian: Floats) -> int:
    for slope, bend, _ in shares:
        gradient += slope
        if bend is not None:
            hessian.ravel()[bend[0]] += bend[1]
    return sum(share[2] for share in shares)


def _sum(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
