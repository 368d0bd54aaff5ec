# ruff: noqa: PLR0913, PLR0917 (a kernel's arguments are the arrays it touches)
"""Loops over legs and rows that know nothing of curves' pieces; `kernels` has the others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from walras.clearing.book import Floats, Ints
from walras.clearing.jit import kernel
from walras.clearing.kernels import Products

__all__ = [
    "ascending",
    "copy_rows",
    "gather",
    "pick",
    "scatter",
    "strangers",
    "survey",
    "system",
    "users",
]


@kernel
def ascending(ptr: Ints, column: Products) -> bool:
    """Whether `column` increases within every row."""
    for i in range(len(ptr) - 1):
        for a in range(ptr[i] + 1, ptr[i + 1]):
            if column[a] <= column[a - 1]:
                return False
    return True


@kernel
def survey(
    leg_ptr: Ints,
    leg_product: Products,
    leg_weight: Floats,
    curve_ptr: Ints,
    curve_rate: Floats,
    curve_price: Floats,
    reference: Floats,
    scale: Floats,
    price: Floats,
    gross: Floats,
    flat: Ints,
    capacity: Floats,
    depth: Floats,
) -> None:
    """Shift curves to deviations and measure the book.

    Writes `price` (M,), `gross` (N,) = sum |w| scale, `flat` (N,) = 1 where a step has no slope;
    adds to `capacity` (K,) = sum |w| range and `depth` (K,) = sum w² range / gross.
    """
    for i in range(len(leg_ptr) - 1):
        origin = 0.0
        weight = 0.0
        for a in range(leg_ptr[i], leg_ptr[i + 1]):
            origin += leg_weight[a] * reference[leg_product[a]]
            weight += abs(leg_weight[a]) * scale[leg_product[a]]
        gross[i] = weight
        first, last = curve_ptr[i], curve_ptr[i + 1] - 1
        flat[i] = 0
        for j in range(first, last + 1):
            price[j] = curve_price[j] - origin
            wide = j > first and curve_rate[j] > curve_rate[j - 1]
            if wide and curve_price[j - 1] - curve_price[j] <= 1e-13 * weight:
                flat[i] = 1
        reach = curve_rate[last] - curve_rate[first]
        for a in range(leg_ptr[i], leg_ptr[i + 1]):
            w = abs(leg_weight[a])
            capacity[leg_product[a]] += w * reach
            if weight > 0.0:
                depth[leg_product[a]] += w * w * (reach / weight)


@kernel
def gather(
    leg_ptr: Ints, leg_product: Products, leg_weight: Floats, q: Floats, level: Floats
) -> Floats:
    """level = W q; returns it."""
    for i in range(len(leg_ptr) - 1):
        s = 0.0
        for a in range(leg_ptr[i], leg_ptr[i + 1]):
            s += leg_weight[a] * q[leg_product[a]]
        level[i] = s
    return level


@kernel
def scatter(
    leg_ptr: Ints, leg_product: Products, leg_weight: Floats, fill: Floats, total: Floats
) -> Floats:
    """total += W'fill; returns it."""
    for i in range(len(leg_ptr) - 1):
        x = fill[i]
        if x != 0.0:
            for a in range(leg_ptr[i], leg_ptr[i + 1]):
                total[leg_product[a]] += leg_weight[a] * x
    return total


@kernel
def system(hessian: Floats, damping: Floats, unit: Floats, matrix: Floats) -> None:
    """matrix = S (hessian + damping) S, lower triangle; S = diag(unit) makes the diagonal 1."""
    for i in range(len(damping)):
        diagonal = hessian[i, i] + damping[i]
        unit[i] = 1.0 / np.sqrt(diagonal) if diagonal > 0.0 else 1.0
        for j in range(i):
            matrix[i, j] = hessian[i, j] * unit[i] * unit[j]
        matrix[i, i] = diagonal * unit[i] * unit[i] if diagonal > 0.0 else 1.0


@kernel
def pick(ptr: Ints, index: Ints, new: Ints) -> int:
    """new (n+1,): row pointer of the rows `index` of `ptr`; returns their total length."""
    new[0] = 0
    for k in range(len(index)):
        new[k + 1] = new[k] + ptr[index[k] + 1] - ptr[index[k]]
    return int(new[len(index)])


@kernel
def copy_rows(
    ptr: Ints, index: Ints, new: Ints, column: NDArray[Any], chosen: NDArray[Any]
) -> None:
    """chosen = the rows `index` of `column`, laid out by `new`."""
    for k in range(len(index)):
        begin = ptr[index[k]] - new[k]
        for a in range(new[k], new[k + 1]):
            chosen[a] = column[begin + a]


@kernel
def users(ptr: Ints, product: Products, products: int) -> tuple[Ints, Ints]:
    """The rows that hold each product: user[start[k]:start[k + 1]], ascending."""
    start = np.zeros(products + 1, np.int64)
    user = np.empty(len(product), np.int64)
    for a in range(len(product)):
        start[product[a] + 1] += 1
    for k in range(products):
        start[k + 1] += start[k]
    place = start[:-1].copy()
    for i in range(len(ptr) - 1):
        for a in range(ptr[i], ptr[i + 1]):
            user[place[product[a]]] = i
            place[product[a]] += 1
    return start, user


@kernel
def strangers(start: Ints, user: Ints, products: Ints, known: NDArray[np.bool_]) -> Ints:
    """The users of `products` that are not `known` (count,), which they are then."""
    size = 0
    for k in products:
        size += start[k + 1] - start[k]
    found = np.empty(size, np.int64)
    count = 0
    for k in products:
        for a in range(start[k], start[k + 1]):
            if not known[user[a]]:
                known[user[a]] = True
                found[count] = user[a]
                count += 1
    return found[:count]
