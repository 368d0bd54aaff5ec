"""The clearing problem handed to general solvers: cvxpy with OSQP, and Clarabel as second opinion.

Every step of a curve is a variable y with its own box, translated so that 0 means "not traded":

    minimise    Σ ½ κ y² - b y  +  Σ_k u_k² / (2 ε_k)
    subject to  Σ_j w_jk Σ_(s of j) y_s = u_k        dual: p_k - ref_k
                Σ_j g_dj Σ_(s of j) y_s = Σ_(s of d) y_s   dual: λ_d       (groups)

with b the price where the step begins, less the portfolio's reference value. Steps with the best
prices fill first by themselves because curves do not increase. Without a maker u = 0.

These engines share nothing with `walras.clearing.clear` but the `Book`; what they reach is written
in `Clearing.certificate`, and the exact polish turns it into prices that settle.
"""

import time
import warnings
from dataclasses import dataclass
from typing import Any

import cvxpy
import numpy as np
from scipy.sparse import block_array, coo_array, csc_array, diags_array

from walras.clearing.book import Book, Floats, Ints
from walras.clearing.solution import Clearing
from walras.errors import ClearingError

__all__ = ["clear_with_clarabel", "clear_with_osqp"]

cp: Any = cvxpy  # its functions carry no types
_OSQP = {"eps_abs": 1e-9, "eps_rel": 1e-9, "max_iter": 50_000, "polishing": True}
_CLARABEL = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}
_SPREAD = 1e-3  # what prices typically differ by, relative; the unit of the duals


def clear_with_osqp(
    book: Book, *, warm: Clearing | Floats | None = None, tolerance: float = 1e-10
) -> Clearing:
    """Clear `book` with cvxpy and OSQP, always cold.

    Raises ClearingError if OSQP returns no point.
    """
    del warm
    return _clear(book, "OSQP", _OSQP, tolerance)


def clear_with_clarabel(
    book: Book, *, warm: Clearing | Floats | None = None, tolerance: float = 1e-10
) -> Clearing:
    """Clear `book` with cvxpy and Clarabel, always cold.

    Raises ClearingError if Clarabel returns no point.
    """
    del warm
    return _clear(book, "CLARABEL", _CLARABEL, tolerance)


@dataclass(frozen=True, slots=True)
class _Steps:
    """Steps of many curves: `owner` row, box [low, high], price b at 0 and its fall κ per unit."""

    owner: Ints
    low: Floats
    high: Floats
    price: Floats
    fall: Floats


def _clear(book: Book, solver: str, settings: dict[str, Any], tolerance: float) -> Clearing:
    begun = time.perf_counter()
    level = np.where(book.reference_price == 0, 1.0, np.abs(book.reference_price))
    legs = np.repeat(np.arange(book.orders), np.diff(book.leg_ptr))
    origin = _by_row(legs, book.leg_weight * book.reference_price[book.leg_product], book.orders)
    gross = _by_row(legs, np.abs(book.leg_weight) * level[book.leg_product], book.orders)
    orders = _steps(book.curve_ptr, book.curve_rate, book.curve_price, origin)
    groups = _steps(
        book.group_curve_ptr, book.group_curve_rate, book.group_curve_price, np.zeros(book.groups)
    )
    problem = _Problem(book, orders, groups, gross, level)
    solution, duals, iterations = problem.solve(solver, settings)
    filled, deviations, shadow = problem.read(solution, duals)
    return Clearing(
        book=book,
        prices=book.reference_price + deviations,
        fills=filled,
        group_prices=shadow,
        iterations=iterations,
        timings={"total": time.perf_counter() - begun},
        tolerance=tolerance,
        engine=solver.lower(),
    )


def _steps(pointer: Ints, rate: Floats, price: Floats, origin: Floats) -> _Steps:
    """The pieces of positive width between neighbouring breakpoints, prices less `origin`."""
    owner = np.repeat(np.arange(len(pointer) - 1), np.diff(pointer))
    piece = np.flatnonzero((owner[1:] == owner[:-1]) & (rate[1:] > rate[:-1]))
    left, right = rate[piece], rate[piece + 1]
    fall = (price[piece] - price[piece + 1]) / (right - left)
    begin = np.clip(0.0, left, right)
    offered = price[piece] - fall * (begin - left) - origin[owner[piece]]
    return _Steps(owner[piece], left - begin, right - begin, offered, fall)


class _Problem:
    """The QP in units that keep its numbers near one.

    Rates count in value at the references over a typical value, prices relative to the references.
    """

    def __init__(
        self, book: Book, orders: _Steps, groups: _Steps, gross: Floats, level: Floats
    ) -> None:
        self._book, self._orders, self._groups, self._level = book, orders, groups, level
        value = gross[orders.owner] * np.maximum(-orders.low, orders.high)
        self._typical = float(np.median(value)) if len(value) else 1.0
        unit = np.concatenate([gross[orders.owner], np.ones(len(groups.owner))])
        self._unit = self._typical / np.where(unit > 0, unit, 1.0)
        self._boxes = [
            np.concatenate([orders.low, groups.low]) / self._unit,
            np.concatenate([orders.high, groups.high]) / self._unit,
        ]
        money = self._typical * _SPREAD
        offered = np.concatenate([orders.price, groups.price])
        fall = np.concatenate([orders.fall, groups.fall])
        self._linear = -offered * self._unit / money
        self._quadratic = fall * self._unit**2 / money
        self._rows = self._constraints()

    def _constraints(self) -> csc_array:
        """Rows: one per product, one per group; columns: steps of orders, then of groups."""
        book, orders, groups = self._book, self._orders, self._groups
        legs = np.repeat(np.arange(book.orders), np.diff(book.leg_ptr))
        weight = book.leg_weight * self._level[book.leg_product] / self._typical
        portfolio = coo_array(
            (weight, (book.leg_product, legs)), shape=(book.products, book.orders)
        )
        member = np.repeat(np.arange(book.groups), np.diff(book.group_ptr))
        combined = coo_array(
            (book.group_coefficient, (member, book.group_order)),
            shape=(book.groups, book.orders),
        )
        filled = _sums(orders, book.orders)
        joint = _sums(groups, book.groups)
        blocks = [[portfolio @ filled, None], [combined @ filled, -joint]]
        if not book.groups:
            blocks = [[portfolio @ filled]]
        return csc_array(block_array(blocks) @ diags_array(self._unit))

    def solve(self, solver: str, settings: dict[str, Any]) -> tuple[Floats, Floats, int]:
        """Values of the steps, duals of the rows, iterations."""
        book = self._book
        size = self._rows.shape[1]
        if size == 0:
            return np.zeros(0), np.zeros(self._rows.shape[0]), 0
        steps = cp.Variable(size, bounds=self._boxes)
        objective = 0.5 * cp.quad_form(steps, diags_array(self._quadratic).tocsc(), assume_PSD=True)
        supply: Any = 0
        if book.maker is not None:
            # u = ε-weighted so that its cost is ½ v²; the row then sees √(ε money) level / typical.
            money = self._typical * _SPREAD
            reach = np.zeros(self._rows.shape[0])
            reach[: book.products] = np.sqrt(book.maker * money) * self._level / self._typical
            maker = cp.Variable(len(reach))
            objective += 0.5 * cp.sum_squares(maker)
            supply = cp.multiply(reach, maker)
        clearing = self._rows @ steps - supply == 0
        problem = cp.Problem(cp.Minimize(objective + self._linear @ steps), [clearing])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # accuracy is judged by the certificate
                problem.solve(solver=solver, **settings)
        except cp.error.SolverError as error:
            raise ClearingError(f"{solver} gave up ({error}); try --engine walras") from error
        if steps.value is None or clearing.dual_value is None:
            raise ClearingError(f"{solver} found no point ({problem.status}); try --engine walras")
        iterations = int(problem.solver_stats.num_iters or 0)
        return np.asarray(steps.value), np.asarray(clearing.dual_value), iterations

    def read(self, solution: Floats, duals: Floats) -> tuple[Floats, Floats, Floats]:
        """Fills of the orders, price deviations and shadow prices in the units of the book."""
        count = len(self._orders.owner)
        rates = solution[:count] * self._unit[:count]
        fills = _by_row(self._orders.owner, rates, self._book.orders)
        products = self._book.products
        deviations = duals[:products] * _SPREAD * self._level
        return fills, deviations, -duals[products:] * self._typical * _SPREAD


def _by_row(row: Ints, values: Floats, rows: int) -> Floats:
    return np.asarray(np.bincount(row, values, rows), float)


def _sums(steps: _Steps, rows: int) -> coo_array:
    """(rows, steps) matrix that adds the steps of each curve."""
    columns = np.arange(len(steps.owner))
    return coo_array((np.ones(len(columns)), (steps.owner, columns)), shape=(rows, len(columns)))
