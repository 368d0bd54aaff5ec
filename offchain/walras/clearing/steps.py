# ruff: noqa: PLR0913, PLR0917 (a kernel's arguments are the arrays it touches)
"""Loops over the steps of curves: which ones lie near some prices, and which end on the wrong side.

A step is named by its left breakpoint. It lies `price - level` above the level of its order, in
cash over the order's gross: above it is filled, below it is not.
"""

import numpy as np
from numpy.typing import NDArray

from walras.clearing.book import Floats, Ints
from walras.clearing.jit import inline_kernel, kernel
from walras.clearing.kernels import Products

__all__ = ["EMPTY", "FULL", "LISTED", "distances", "level_only", "near", "strays", "tied"]

EMPTY, FULL, LISTED = 0, 1, 2

States = NDArray[np.int8]


@inline_kernel
def _level(leg_ptr: Ints, leg_product: Products, leg_weight: Floats, i: int, q: Floats) -> float:
    """What a unit of order i costs at prices q (K,)."""
    s = 0.0
    for a in range(leg_ptr[i], leg_ptr[i + 1]):
        s += leg_weight[a] * q[leg_product[a]]
    return s


@kernel
def level_only(curve_ptr: Ints, rate: Floats, price: Floats) -> bool:
    """Whether there is a step that has a width, and none of them slopes."""
    some = False
    for i in range(len(curve_ptr) - 1):
        for j in range(curve_ptr[i], curve_ptr[i + 1] - 1):
            if rate[j + 1] > rate[j]:
                some = True
                if price[j + 1] != price[j]:
                    return False
    return some


@kernel
def distances(
    leg_ptr: Ints,
    leg_product: Products,
    leg_weight: Floats,
    curve_ptr: Ints,
    rate: Floats,
    price: Floats,
    gross: Floats,
    q: Floats,
    stride: int,
    found: Floats,
) -> int:
    """found = how far the steps of every `stride`-th order lie from prices q; returns how many."""
    count = 0
    for i in range(0, len(leg_ptr) - 1, stride):
        s = _level(leg_ptr, leg_product, leg_weight, i, q)
        for j in range(curve_ptr[i], curve_ptr[i + 1] - 1):
            if rate[j + 1] > rate[j]:
                found[count] = abs(price[j] - s) / gross[i]
                count += 1
    return count


@kernel
def near(
    leg_ptr: Ints,
    leg_product: Products,
    leg_weight: Floats,
    curve_ptr: Ints,
    rate: Floats,
    price: Floats,
    gross: Floats,
    q: Floats,
    radius: float,
    state: States,
    above: Floats,
    fill: Floats,
    bought: Floats,
    owner: Ints,
    step: Ints,
) -> int:
    """Fill every step that lies above prices q, and list those no farther than `radius`.

    Writes state (M,) and above (M,) of every step, fill (N,), and the listed ones to owner and
    step; adds to bought (K,), lots. Returns how many are listed.
    """
    count = 0
    for i in range(len(leg_ptr) - 1):
        s = _level(leg_ptr, leg_product, leg_weight, i, q)
        x = rate[curve_ptr[i]]
        for j in range(curve_ptr[i], curve_ptr[i + 1] - 1):
            width = rate[j + 1] - rate[j]
            if width <= 0.0:
                continue
            above[j] = (price[j] - s) / gross[i]
            state[j] = EMPTY
            if above[j] > 0.0:
                state[j] = FULL
                x += width
            if abs(above[j]) <= radius:
                state[j] = LISTED
                owner[count], step[count] = i, j
                count += 1
        fill[i] = x
        if x != 0.0:
            for a in range(leg_ptr[i], leg_ptr[i + 1]):
                bought[leg_product[a]] += leg_weight[a] * x
    return count


@kernel
def strays(
    leg_ptr: Ints,
    leg_product: Products,
    leg_weight: Floats,
    curve_ptr: Ints,
    gross: Floats,
    move: Floats,
    slack: float,
    state: States,
    above: Floats,
    owner: Ints,
    step: Ints,
) -> int:
    """List the steps that prices, moved by `move` (K,), leave on the wrong side by over `slack`.

    Returns how many are listed.
    """
    count = 0
    for i in range(len(leg_ptr) - 1):
        s = _level(leg_ptr, leg_product, leg_weight, i, move) / gross[i]
        for j in range(curve_ptr[i], curve_ptr[i + 1] - 1):
            if (state[j] == EMPTY and above[j] - s > slack) or (
                state[j] == FULL and s - above[j] > slack
            ):
                state[j] = LISTED
                owner[count], step[count] = i, j
                count += 1
    return count


@kernel
def tied(
    leg_ptr: Ints,
    leg_product: Products,
    leg_weight: Floats,
    curve_ptr: Ints,
    rate: Floats,
    price: Floats,
    gross: Floats,
    flat: Ints,
    q: Floats,
    fill: Floats,
    nearest: float,
    order: Ints,
    first: Ints,
    last: Ints,
) -> int:
    """List the orders whose fill (N,) lies on a flat step no farther than `nearest` from q.

    first and last: breakpoints at the ends of the level stretch. Returns how many are listed.
    """
    count = 0
    for i in range(len(leg_ptr) - 1):
        if flat[i] == 0:
            continue
        s = _level(leg_ptr, leg_product, leg_weight, i, q)
        j, end = curve_ptr[i], curve_ptr[i + 1] - 1
        while j < end:
            begin = j
            j += 1
            while j < end and price[j + 1] == price[begin]:
                j += 1
            level = price[j] == price[begin] and rate[j] > rate[begin]
            if (
                level
                and abs(price[begin] - s) <= nearest * gross[i]
                and rate[begin] <= fill[i] <= rate[j]
            ):
                order[count], first[count], last[count] = i, begin, j
                count += 1
                break
    return count
