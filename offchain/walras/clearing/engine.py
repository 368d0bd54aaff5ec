"""`clear`: from a book to its clearing prices.

Books start softened, so that Newton sees a smooth problem, and harden in a few stages (homotopy in
the curves). Sloped books end with exact Newton, which terminates finitely; flat steps keep a small
proximal slope, whose centre follows the fill until it no longer matters.
"""

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from walras.clearing import sums
from walras.clearing.book import Book, Floats
from walras.clearing.dual import Dual, Market
from walras.clearing.groups import Groups
from walras.clearing.newton import Newton
from walras.clearing.orders import Part
from walras.clearing.separate import Separate
from walras.clearing.solution import Clearing
from walras.clearing.ties import shared
from walras.clearing.vertex import level, vertex

__all__ = ["clear"]

_HARDENING = (1e-2, 1e-3, 2e-4)  # softness of the curves, stage by stage
_THIN_HARDENING = (1e-2, 2e-3, 5e-4, 1e-4)
_CANONICAL = 1e-11  # of its value: what proximal steps may still shift a price that is unique
_DUST = 1e-30  # of an order's range: what proximal steps leave of a fill that is zero
_LONELY = 5  # orders a product below which a maker decides more prices than orders do
_HARDEST = 1e-6  # softness of flat steps at the end of sharpening


class _Pace(NamedTuple):
    """How sharpening goes on: softness and tolerance at the start, and what divides the latter.

    Softness falls after `patience` stages of no more than `easy` steps.
    """

    softest: float
    tolerance: float
    tighter: float
    easy: int
    patience: int


_BLIND = _Pace(softest=5e-5, tolerance=1e-5, tighter=1e-4, easy=2, patience=2)
_FORESEEN = _Pace(softest=1e-4, tolerance=1e-3, tighter=1e-3, easy=8, patience=1)


def clear(
    book: Book,
    *,
    warm: Clearing | Floats | None = None,
    tolerance: float = 1e-10,
    divide: Callable[[Market], Sequence[Part]] = Market.parts,
) -> Clearing:
    """Clear `book`: the prices at which demand meets supply, and everybody's fill.

    warm: an earlier `Clearing`, or prices (K,), near the answer; from the former, flat steps also
    start at the fills of orders that stand in the same places.
    tolerance: what `Clearing.certificate` should reach; read `Clearing.certified`.
    divide: how the orders are parted; `walras.clearing.distributed` parts them over machines.
    """
    begun = time.perf_counter()
    search = _Search(book, tolerance, divide)
    if warm is not None:
        start = warm.prices if isinstance(warm, Clearing) else np.asarray(warm, float)
        search.q[:] = start - book.reference_price
        if isinstance(warm, Clearing):
            search.recalled = _recalled(book, warm)
    clearing = search.run(warm=warm is not None)
    clearing.timings["total"] = time.perf_counter() - begun
    return clearing


def _recalled(book: Book, earlier: Clearing) -> Floats:
    """(N,) fills of `earlier` where the order in the same place has the same range; else NaN."""
    shared = min(book.orders, earlier.book.orders)
    now, before = (
        np.stack([made.curve_rate[made.curve_ptr[:-1]], made.curve_rate[made.curve_ptr[1:] - 1]])
        for made in (book, earlier.book)
    )
    same = (now[:, :shared] == before[:, :shared]).all(axis=0)
    fills = np.full(book.orders, np.nan)
    fills[:shared][same] = earlier.fills[:shared][same]
    return fills


class _Search:
    """One search; `q` (K,) is where it starts, `recalled` (N,) what orders had before, or None."""

    def __init__(
        self, book: Book, tolerance: float, divide: Callable[[Market], Sequence[Part]]
    ) -> None:
        self.book = book
        self.tolerance = tolerance
        self.timings: dict[str, float] = {}
        self._clock = time.perf_counter()
        self._divide = divide
        self.market = Market(book)
        self.thick = self.market.thick
        self.q = np.zeros(book.products)
        self.recalled: Floats | None = None
        self._lap("setup")

    @cached_property
    def dual(self) -> Dual:
        """The dual where the search starts; books that are linear programs may never need it."""
        dual = Dual(self._divide(self.market), self.market.maker)
        dual.q[:] = self.q
        if self.recalled is not None:
            dual.recall(self.recalled)
        self._lap("setup")
        return dual

    @cached_property
    def any_flat(self) -> bool:
        """Whether some order has a step without a slope."""
        return any(part.any_flat for part in self.dual.parts)

    @cached_property
    def foresees(self) -> bool:
        """Whether sharpening foresees: parts with costs do not."""
        bound = any(isinstance(part, Groups | Separate) for part in self.dual.parts)
        return self.thick and not bound

    @cached_property
    def newton(self) -> Newton:
        """The search's linear algebra."""
        return Newton(self.market, local=1.0 if self.any_flat and self.thick else 0.1)

    def run(self, *, warm: bool) -> Clearing:
        """Search until the certificate holds, or stops improving."""
        found = self._leap(warm=warm) if self._linear() else None
        if found is not None and found.certified and not self.market.maker.any():
            return found
        if found is None and not warm:
            self._harden(_HARDENING if self.thick else _THIN_HARDENING)
        for attempt in range(4):
            if self.any_flat:
                self._sharpen(attempt)
            elif self.thick or not self.market.maker.all():
                self._exact()
            else:
                self._descend(again=attempt > 0)
            for correct in (False, True) if self.thick and not self.any_flat else (True,):
                clearing = self._answer(correct=correct)
                self._lap("certificate")
                if found is None or clearing.certificate < found.certificate:
                    found = clearing
                if found.certified:
                    return found
        assert found is not None
        return found

    def _linear(self) -> bool:
        """Whether the book is a linear program whose vertices are near its prices."""
        fewest = _LONELY if self.market.maker.any() else 0
        return self.book.orders >= fewest * self.book.products and level(self.market)

    def _leap(self, *, warm: bool) -> Clearing | None:
        """Go to a vertex of a linear book, from prices that are near if there are many orders."""
        steps = 0
        if self.thick and not warm and not self.book.groups:
            self._harden(_HARDENING[:2])
            self.q, steps = self.dual.q, self.newton.steps
        found = vertex(self.market, self.q)
        self._lap("vertex")
        if found is None:
            return None
        self.q[:], self.recalled, shadow = found
        if steps:
            self.dual.recall(self.recalled)
        clearing = self._made(self.q, self.recalled, shadow, steps)
        self._lap("certificate")
        return clearing

    def _harden(self, stages: Sequence[float]) -> None:
        """Homotopy in the curves, centres following the fills."""
        for eta in stages:
            self.dual.soften(eta, flat_only=False)
            self.dual.refresh()
            self.newton.minimise(self.dual, *((5e-3, 25) if self.thick else (1e-3, 60)))
            self.dual.recentre()
        self._lap("harden")

    def _foresee(self) -> None:
        """Go where new centres and softness lead if nobody leaves a piece.

        Where the dual stands the same orders look as if they had left theirs.
        """
        self.dual.foresee()
        direction = self.newton.foresight(self.dual)
        self.dual.settle()
        self.newton.follow(self.dual, direction)

    def _exact(self) -> None:
        """Plain Newton on the book itself."""
        self.dual.soften(0.0, flat_only=True)
        self.dual.refresh()
        self.newton.minimise(self.dual, 1e-14, 200)
        self._lap("newton")

    def _descend(self, *, again: bool) -> None:
        """Newton to the last digit where a maker makes all prices unique.

        When that was not enough, once more from a maker strong enough to take everything, ten times
        weaker each stage.
        """
        self.dual.soften(0.0, flat_only=True)
        last = self.market.maker
        maker = self.market.capacity / self.market.scale if again else last
        while np.any(maker > last):
            self.dual.maker = np.maximum(maker, last)
            self.dual.refresh()
            self.newton.descend(self.dual, 100, 1)
            maker = 0.1 * maker
        self.dual.maker = last
        self.dual.refresh()
        self.newton.descend(self.dual, 400, 3)
        self._lap("newton")

    def _sharpen(self, attempt: int) -> None:
        """Proximal point on the flat steps: exact once their centres stop moving.

        What an earlier attempt left is near, and needs harder steps and more of them.
        """
        pace = _FORESEEN if self.foresees else _BLIND
        enough = 1e-12 * 1e-2**attempt
        eta, tolerance, quick = max(pace.softest * 0.1**attempt, _HARDEST), pace.tolerance, 0
        unique = bool(self.market.maker.all())
        self.dual.soften(eta, flat_only=True)
        self.dual.refresh()
        for _ in range(80):
            outcome = self.newton.minimise(self.dual, tolerance, 40)
            cash, shift = self.dual.recentre()
            gap = cash / (1e-3 * self.market.money)
            if (
                outcome.error <= max(enough, 1e-13)
                and gap < enough
                and (shift < _CANONICAL or not unique)
            ):
                break
            if outcome.error <= 10 * tolerance:
                tolerance = max(tolerance * pace.tighter, 1e-13)
                quick = quick + 1 if outcome.steps <= pace.easy else 0
                if quick >= pace.patience:
                    eta, quick = max(eta * 0.2, _HARDEST), 0
                    self.dual.soften(eta, flat_only=True)
            if self.foresees:
                self._foresee()
            else:
                self.dual.settle()
        if not self.thick and unique:
            # what the maker alone decides lies far below any error in cash, and below the rounding
            # that a gradient collects on its way
            self.dual.refresh()
            self.newton.descend(self.dual, 5, 1)
        self._lap("sharpen")

    def _answer(self, *, correct: bool) -> Clearing:
        """Prices and fills where the dual stands; `correct` spreads what rounded prices leave over.

        Prices are known to one rounding, which a steep curve turns into many lots; moving the fills
        instead costs a regret of second order and clears to the rounding of the fills themselves.
        """
        dual, book = self.dual, self.book
        prices = book.reference_price + dual.q
        dual.q[:] = prices - book.reference_price
        # rounding changes next to no slope; only thin books and groups notice
        dual.refresh(curvature=correct and (not self.thick or book.groups > 0))
        fills = dual.fills()
        shadow = np.zeros(book.groups)
        for part in dual.parts:
            if isinstance(part, Groups | Separate):
                shadow[part.groups] = part.price
        fills = self._corrected(fills) if correct else fills
        return self._made(dual.q, fills, shadow, self.newton.steps)

    def _made(self, q: Floats, fills: Floats, shadow: Floats, steps: int) -> Clearing:
        """The answer at prices q, deviations from the references."""
        book = self.book
        if self.recalled is not None:
            fills = shared(self.market, q, fills)
        fills[np.abs(fills) <= _DUST * self.market.reach] = 0.0
        return Clearing(
            book=book,
            prices=book.reference_price + q,
            fills=fills,
            group_prices=shadow,
            iterations=steps,
            timings=self.timings,
            tolerance=self.tolerance,
        )

    def _corrected(self, fills: Floats) -> Floats:
        dual, missed = self.dual, np.inf
        gradient = dual.gradient
        for _ in range(5):
            left = self.newton.error(gradient)
            if left == 0.0 or left >= 0.1 * missed:
                break
            missed = left
            direction = self.newton.direction(dual, gradient, np.zeros(len(dual.q)))
            fills = dual.nudged(fills, direction)
            bought = sums.scatter(*self.market.legs, fills, np.zeros(len(dual.q)))
            gradient = self.market.maker * dual.q - bought
        return fills

    def _lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.timings[stage] = self.timings.get(stage, 0.0) + now - self._clock
        self._clock = now
