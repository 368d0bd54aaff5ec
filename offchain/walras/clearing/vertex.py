"""A book without a slope is a linear program: where HiGHS leaves it, the search starts.

Only a start. Its prices are a vertex of the solutions, to the library's tolerance; the vanishing
maker, the last digits and the proof are the engine's own. In thin books Newton changes a basis a
few columns at a time, at a factorisation each; a dual simplex pays microseconds for a column.
"""

from typing import Any

import numpy as np
from scipy import sparse

from walras.clearing.book import Floats, Ints
from walras.clearing.dual import Market

__all__ = ["vertex"]


def vertex(market: Market) -> tuple[Floats, Floats] | None:
    """Prices (K,), as deviations from the references, and fills (N,) of an all-flat book.

    None if a step slopes, orders are bound by groups, or HiGHS finds no optimum.
    Every step is a variable in cash, every product a row in cash that must balance.
    """
    book = market.book
    owner, left, width = _steps(book.curve_ptr, book.curve_rate)
    level = market.price[left]
    if book.groups or not len(owner) or np.any(level != market.price[left + 1]):
        return None
    unit = market.money / book.orders / market.gross  # of rate, worth an average order
    low, high = book.curve_rate[book.curve_ptr[:-1]], book.curve_rate[book.curve_ptr[1:] - 1]
    ptr, product, weight = market.legs
    legs = sparse.csr_matrix((weight, product, ptr), (book.orders, book.products))
    in_cash = sparse.diags(1 / market.gross) @ legs @ sparse.diags(market.scale)
    found = _optimum(
        -level / market.gross[owner],
        width / unit[owner],
        sparse.csc_matrix(in_cash[owner].T),
        -np.asarray(in_cash.T @ (low / unit)).ravel(),
    )
    if found is None:
        return None
    duals, steps = found
    fills = low + np.bincount(owner, steps, book.orders) * unit
    return -duals * market.scale, np.clip(fills, low, high)


def _steps(pointer: Ints, rate: Floats) -> tuple[Ints, Ints, Floats]:
    """(S,) order, left breakpoint and width of every step that has one."""
    inner = np.ones(len(rate), bool)
    inner[pointer[1:] - 1] = False
    left = np.flatnonzero(inner)
    width = rate[left + 1] - rate[left]
    owner = np.repeat(np.arange(len(pointer) - 1), np.diff(pointer) - 1)
    wide = width > 0
    return owner[wide], left[wide], width[wide]


def _optimum(
    cost: Floats, width: Floats, rows: sparse.csc_matrix, right: Floats
) -> tuple[Floats, Floats] | None:
    """Duals and variables of: minimise cost · z with rows z = right and 0 <= z <= width."""
    import highspy  # noqa: PLC0415 (a tenth of a second that most books need not wait for)

    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(cost), len(right)
    model.col_cost_, model.col_lower_, model.col_upper_ = cost, np.zeros(len(cost)), width
    model.row_lower_ = model.row_upper_ = right
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = rows.indptr
    model.a_matrix_.index_ = rows.indices
    model.a_matrix_.value_ = rows.data
    create: Any = highspy.Highs  # it carries no types
    highs = create()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    highs.setOptionValue("solver", "simplex")
    highs.passModel(model)
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    found = highs.getSolution()
    return np.array(found.row_dual), np.clip(found.col_value, 0, width)
