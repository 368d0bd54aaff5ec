"""OSQP, Clarabel, PIQP and HiGHS on the same well-scaled program, one function each.

Every step of every curve is a variable z in [0, width], in thousands of cash; products are rows
that must balance, also in thousands of cash; prices are deviations from the reference. Each
function returns the duals of the rows, which times the reference prices are the deviations, and z.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import clarabel
import highspy
import numpy as np
import osqp
import piqp
from scipy import sparse

from walras.clearing.book import Book, Floats

__all__ = ["LIBRARIES", "Program", "SkippedError"]

_UNIT = 1000.0


class SkippedError(Exception):
    """The library does not take part in this market; the message says why."""


@dataclass(frozen=True)
class Program:
    """minimise z'diag(curvature)z/2 + cost'z with rows z = right and 0 <= z <= width."""

    book: Book
    curvature: Floats
    cost: Floats
    rows: sparse.csc_matrix
    right: Floats
    width: Floats
    owner: Floats
    unit: Floats

    @classmethod
    def of(cls, book: Book) -> "Program":
        """The program of a book without maker and groups."""
        legs = sparse.csr_matrix(
            (book.leg_weight, book.leg_product, book.leg_ptr), (book.orders, book.products)
        )
        gross = np.asarray(abs(legs) @ book.reference_price).ravel()
        origin = np.asarray(legs @ book.reference_price).ravel()
        last = book.curve_ptr[1:] - 1
        step = np.ones(len(book.curve_rate), bool)
        step[last] = False
        left = np.flatnonzero(step)
        owner = np.repeat(np.arange(book.orders), np.diff(book.curve_ptr) - 1)
        width = book.curve_rate[left + 1] - book.curve_rate[left]
        fall = book.curve_price[left] - book.curve_price[left + 1]
        keep = width > 0
        left, owner, width, fall = left[keep], owner[keep], width[keep], fall[keep]
        unit = _UNIT / gross
        in_cash = sparse.diags(unit) @ legs @ sparse.diags(book.reference_price / _UNIT)
        low = book.curve_rate[book.curve_ptr[:-1]]
        return cls(
            book=book,
            curvature=fall / width * unit[owner] ** 2 / _UNIT,
            cost=-(book.curve_price[left] - origin[owner]) * unit[owner] / _UNIT,
            rows=sparse.csc_matrix(in_cash[owner].T),
            right=-np.asarray(in_cash.T @ (low / unit)).ravel(),
            width=width / unit[owner],
            owner=owner,
            unit=unit,
        )

    def answer(self, duals: Floats, steps: Floats) -> tuple[Floats, Floats]:
        """Prices (K,) and fills (N,), clipped to the curves."""
        book = self.book
        low = book.curve_rate[book.curve_ptr[:-1]]
        high = book.curve_rate[book.curve_ptr[1:] - 1]
        filled = np.bincount(self.owner, np.clip(steps, 0, self.width), book.orders)
        return book.reference_price * (1 + duals), np.clip(low + filled * self.unit, low, high)


def _osqp(program: Program, limit: float) -> tuple[Floats, Floats]:
    size = len(program.cost)
    solver = osqp.OSQP()
    solver.setup(
        sparse.diags(program.curvature, format="csc"),
        program.cost,
        sparse.vstack([program.rows, sparse.identity(size)], format="csc"),
        np.concatenate([program.right, np.zeros(size)]),
        np.concatenate([program.right, program.width]),
        eps_abs=1e-7,
        eps_rel=1e-7,
        max_iter=10**6,
        time_limit=limit,
        polishing=True,
        verbose=False,
    )
    found = solver.solve()
    return found.y[: len(program.right)], found.x


def _clarabel(program: Program, limit: float) -> tuple[Floats, Floats]:
    size = len(program.cost)
    identity = sparse.identity(size)
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.time_limit = limit
    settings.max_threads = 1
    for name in ("tol_gap_abs", "tol_gap_rel", "tol_feas"):
        setattr(settings, name, 1e-10)
    found = clarabel.DefaultSolver(
        sparse.diags(program.curvature, format="csc"),
        program.cost,
        sparse.vstack([program.rows, identity, -identity], format="csc"),
        np.concatenate([program.right, program.width, np.zeros(size)]),
        [clarabel.ZeroConeT(len(program.right)), clarabel.NonnegativeConeT(2 * size)],
        settings,
    ).solve()
    return np.array(found.z[: len(program.right)]), np.array(found.x)


def _piqp(program: Program, limit: float) -> tuple[Floats, Floats]:  # noqa: ARG001 (it has none)
    solver = piqp.SparseSolver()
    solver.settings.eps_abs = 1e-9
    solver.settings.eps_rel = 1e-9
    solver.settings.verbose = False
    solver.setup(
        sparse.diags(program.curvature, format="csc"),
        program.cost,
        program.rows,
        program.right,
        x_l=np.zeros(len(program.cost)),
        x_u=program.width,
    )
    solver.solve()
    return np.array(solver.result.y), np.array(solver.result.x)


def _highs(program: Program, limit: float) -> tuple[Floats, Floats]:
    if program.curvature.any():
        raise SkippedError("its QP solver does not answer in time")
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(program.cost), len(program.right)
    model.col_cost_, model.col_lower_ = program.cost, np.zeros(len(program.cost))
    model.col_upper_ = program.width
    model.row_lower_ = model.row_upper_ = program.right
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = program.rows.indptr
    model.a_matrix_.index_ = program.rows.indices
    model.a_matrix_.value_ = program.rows.data
    create: Any = highspy.Highs  # it carries no types
    highs = create()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    highs.setOptionValue("time_limit", limit)
    highs.passModel(model)
    highs.run()
    found = highs.getSolution()
    return -np.array(found.row_dual), np.array(found.col_value)


LIBRARIES: dict[str, Callable[[Program, float], tuple[Floats, Floats]]] = {
    "piqp": _piqp,
    "clarabel": _clarabel,
    "osqp": _osqp,
    "highs": _highs,
}
