"""`clear`: from a book to its clearing prices.

Cold, the curves are first softened (homotopy) so that Newton sees a smooth problem, then hardened while
the proximal centres follow the fills. Sloped books end with exact Newton, which terminates finitely; flat
steps keep a proximal slope whose centre is moved to the fill until it no longer matters.
"""

import time

import numpy as np

from walras.clearing import kernels
from walras.clearing.book import Book, Floats
from walras.clearing.dual import Dual
from walras.clearing.newton import Newton
from walras.clearing.screening import View
from walras.clearing.solution import Clearing

__all__ = ["clear"]

FAC=0.1
_HOMOTOPY = (1e-2, 2e-3, 5e-4, 1e-4)


def clear(book: Book, *, warm: Clearing | Floats | None = None, tolerance: float = 1e-10) -> Clearing:
    """Clear `book`: the prices at which demand meets supply, and everybody's fill.

    warm: an earlier `Clearing`, or prices (K,), near the answer.
    tolerance: what `Clearing.certificate` should reach; read `Clearing.certified`.
    """
    begun = time.perf_counter()
    solve = _Solve(book)
    if warm is not None:
        start = warm.prices if isinstance(warm, Clearing) else np.asarray(warm, float)
        solve.q[:] = start - book.reference_price
    else:
        if solve.dual.any_flat or not solve.dual.maker.all(): solve.homotopy()
    solve.finish()
    prices = book.reference_price + solve.q
    solve.q = prices - book.reference_price
    return Clearing(
        book=book,
        prices=prices,
        fills=solve.fills(),
        group_prices=np.zeros(book.groups),
        iterations=solve.newton.steps,
        timings={"total": time.perf_counter() - begun},
        tolerance=tolerance,
    )


class _Solve:
    def __init__(self, book: Book) -> None:
        self.book = book
        self.dual = Dual(book)
        thin = book.orders < 150 * book.products
        self.thin = thin
        self.newton = Newton(self.dual, local=1.0 if self.dual.any_flat and not thin else 0.1)
        self.q = np.zeros(book.products)
        self.hessian = np.zeros((book.products, book.products))
        self.view = View(self.dual, self.dual.orders, self.hessian)
        self.trace: list[tuple[object, ...]] = []

    def stage(self, name: str, tolerance: float, limit: int) -> None:
        """One Newton search with the present softness."""
        self.hessian[:] = 0
        self.view.orders.counted[:] = 0
        outcome = self.newton.minimise(self.view, self.q, tolerance, limit)
        self.last = outcome
        self.trace.append((name, outcome.steps, outcome.error, self.newton.damping))

    def homotopy(self) -> None:
        orders = self.view.orders
        for eta in _HOMOTOPY:
            orders.soften(eta, flat_only=False)
            self.stage(f"soft {eta:g}", 1e-3 if self.thin else 5e-3, 60 if self.thin else 25)
            orders.centre = orders.fill.copy()

    def finish(self) -> None:
        orders = self.view.orders
        if not self.dual.any_flat:
            orders.soften(0.0, flat_only=True)
            self.hessian[:] = 0
            orders.counted[:] = 0
            stop = self.dual.maker
            maker = self.dual.capacity / self.dual.scale
            while np.any(maker > stop):
                self.view.maker = np.maximum(maker, stop)
                outcome = self.newton.refine(self.view, self.q, 100, 0.0, 1)
                self.trace.append(("refine", outcome.steps, outcome.error, self.newton.damping))
                maker = maker * FAC
            self.view.maker = stop
            outcome = self.newton.refine(self.view, self.q, 400, 0.0, 3)
            self.trace.append(("refine", outcome.steps, outcome.error, self.newton.damping))
            return
        eta, tolerance, small = 2e-5, 1e-5, 0
        for _ in range(80):
            orders.soften(eta, flat_only=True)
            self.stage(f"prox {eta:g}", tolerance, 40)
            moved = orders.fill - orders.centre
            gap = float(orders.soft @ (moved * moved)) / (1e-3 * self.dual.money)
            orders.centre = orders.fill.copy()
            if self.last.error <= 1e-12 and gap < 1e-12:
                break
            if self.last.error <= 10 * tolerance:
                tolerance = max(tolerance * 1e-4, 1e-13)
                small = small + 1 if self.last.steps <= 2 else 0
                if eta > 2e-5:
                    eta *= 0.1
                elif small >= 2:
                    eta, small = max(eta * 0.2, 1e-6), 0

    def fills(self) -> Floats:
        """Fills of the last sweep, with the residue that rounded prices leave spread over the slopes.

        Prices are known to one rounding, which a steep curve turns into many lots; moving the fills
        instead costs a regret of second order and clears to the rounding of the fills themselves.
        """
        orders = self.view.orders
        fill = orders.fill.copy()
        gradient = self.view.sweep(self.q)
        self.view.add_curvature()
        for _ in range(2):
            orders.aim(self.newton.direction(self.view, gradient, 0.0))
            fill = np.clip(fill - orders.slope * orders.move, orders.low, orders.high)
            gradient = self.dual.maker * self.q - kernels.scatter(orders.leg_ptr, orders.leg_product, orders.leg_weight, fill, np.zeros_like(self.q))
        return fill
