# ruff: noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 (compiled loops: calls and tuples cost there)
"""Shadow prices of blocks of groups, in compiled loops; `groups` explains the algebra.

Blocks come as (block_group, block_order, order_of, square, share_ptr, share_rank, share): block b
has groups block_group[b]..block_group[b+1] and the orders
order_of[block_order[b]..block_order[b+1]]; its q x q inverse starts at square[b]; order j takes
part in the group of rank share_rank with coefficient `share`.
"""

import numpy as np
from numpy.typing import NDArray

from walras.clearing.book import Floats, Ints
from walras.clearing.jit import inline_kernel, kernel
from walras.clearing.kernels import demand, locate

__all__ = ["Matrix", "relief", "shadow_prices"]

Matrix = NDArray[np.float64]


@kernel
def invert(matrix: Matrix) -> None:
    """In-place inverse of a small symmetric positive definite matrix (Gauss-Jordan)."""
    size = len(matrix)
    for k in range(size):
        pivot = 1.0 / matrix[k, k]
        matrix[k, k] = 1.0
        for j in range(size):
            matrix[k, j] *= pivot
        for i in range(size):
            if i != k:
                factor = matrix[i, k]
                matrix[i, k] = 0.0
                for j in range(size):
                    matrix[i, j] -= factor * matrix[k, j]


@inline_kernel
def relief(share_ptr: Ints, share_rank: Ints, share: Floats, order: int, shadow: Floats) -> float:
    """g_j · λ."""
    total = 0.0
    for a in range(share_ptr[order], share_ptr[order + 1]):
        total += share[a] * shadow[share_rank[a]]
    return total


@kernel
def excess(
    orders: Ints,
    groups: Ints,
    share_ptr: Ints,
    share_rank: Ints,
    share: Floats,
    curve_ptr: Ints,
    rate: Floats,
    price: Floats,
    soft: Floats,
    centre: Floats,
    joint_ptr: Ints,
    joint_rate: Floats,
    joint_price: Floats,
    joint_soft: Floats,
    joint_centre: Floats,
    level: Floats,
    shadow: Floats,
    fill: Floats,
    slope: Floats,
    joint_slope: Floats,
    excess: Floats,
    bend: Matrix,
) -> tuple[bool, bool]:
    """Gradient `excess` = G x - y and curvature `bend` of psi at λ.

    Returns whether any slope changed, and whether the excess is more than rounding.
    """
    changed = False
    size = np.zeros(len(groups))
    excess[:] = 0.0
    bend[:] = 0.0
    for r in range(len(groups)):
        d = groups[r]
        top, bottom, left, s = locate(
            joint_rate,
            joint_price,
            joint_ptr[d],
            joint_ptr[d + 1] - 1,
            joint_soft[d],
            joint_centre[d],
            shadow[r],
        )
        excess[r] -= demand(top, bottom, left, s, shadow[r])
        size[r] += abs(excess[r]) + abs(s * shadow[r])
        bend[r, r] += s
        changed |= s != joint_slope[r]
        joint_slope[r] = s
    for j in orders:
        s = level[j] - relief(share_ptr, share_rank, share, j, shadow)
        top, bottom, left, a = locate(
            rate, price, curve_ptr[j], curve_ptr[j + 1] - 1, soft[j], centre[j], s
        )
        fill[j] = demand(top, bottom, left, a, s)
        changed |= a != slope[j]
        slope[j] = a
        for m in range(share_ptr[j], share_ptr[j + 1]):
            excess[share_rank[m]] += share[m] * fill[j]
            size[share_rank[m]] += abs(share[m]) * (abs(fill[j]) + a * abs(level[j]))
            for n in range(share_ptr[j], share_ptr[j + 1]):
                bend[share_rank[m], share_rank[n]] += a * share[m] * share[n]
    rough = False
    for r in range(len(groups)):
        rough |= abs(excess[r]) > 1e-15 * size[r]
    return changed, rough


@kernel
def shadow_prices(
    block_group: Ints,
    block_order: Ints,
    order_of: Ints,
    square: Ints,
    share_ptr: Ints,
    share_rank: Ints,
    share: Floats,
    group_of: Ints,
    curve_ptr: Ints,
    rate: Floats,
    price: Floats,
    soft: Floats,
    centre: Floats,
    joint_ptr: Ints,
    joint_rate: Floats,
    joint_price: Floats,
    joint_soft: Floats,
    joint_centre: Floats,
    depth: Floats,
    reach: Floats,
    level: Floats,
    prices: Floats,
    fill: Floats,
    slope: Floats,
    inverse: Floats,
) -> None:
    """At portfolio prices `level`, the shadow prices of every block and its fills.

    depth (G,): slope of excess if all curves spread over 1 % of value; reach (G,): largest excess.
    Writes prices (G,), which hold a guess, fill and slope (n,), and every block's inverse
    (G A G' + S)^-1.
    """
    for b in range(len(block_group) - 1):
        groups = group_of[block_group[b] : block_group[b + 1]]
        orders = order_of[block_order[b] : block_order[b + 1]]
        size = len(groups)
        shadow = prices[groups]
        trial, joint_slope, slack = shadow.copy(), np.full(size, -1.0), np.empty(size)
        bend, matrix = np.empty((size, size)), np.empty((size, size))
        settled, caution = False, 0.1
        for _ in range(200):
            changed, rough = excess(
                orders, groups, share_ptr, share_rank, share,
                curve_ptr, rate, price, soft, centre,
                joint_ptr, joint_rate, joint_price, joint_soft, joint_centre,
                level, shadow, fill, slope, joint_slope, slack, bend,
            )  # fmt: skip
            done = not rough or (settled and not changed)
            matrix[:] = bend
            settled = True
            for r in range(size):
                # where psi is nearly linear a bold step would lose prices among its own digits
                extra = caution * min(1.0, abs(slack[r]) / reach[groups[r]])
                damping = max(
                    1e-15 * bend[r, r], (1e-15 if done else extra + 1e-15) * depth[groups[r]]
                )
                settled &= damping <= 1e-10 * bend[r, r]
                matrix[r, r] += damping
            invert(matrix)
            if done:
                break
            move = -(matrix @ slack)
            start = slack @ move
            if not start < 0.0:
                break
            low, high, step = 0.0, np.inf, 1.0
            for _ in range(60):
                trial[:] = shadow + step * move
                excess(
                    orders, groups, share_ptr, share_rank, share,
                    curve_ptr, rate, price, soft, centre,
                    joint_ptr, joint_rate, joint_price, joint_soft, joint_centre,
                    level, trial, fill, slope, joint_slope, slack, bend,
                )  # fmt: skip
                value = slack @ move
                if abs(value) <= 0.3 * abs(start) or high <= low * (1.0 + 1e-15):
                    break
                if value > 0.0:
                    high = step
                else:
                    low = step
                curve = move @ (bend @ move)
                guess = step - value / curve if curve > 0.0 else np.inf
                if high == np.inf:
                    step = min(max(guess, 1.5 * step), 10.0 * step)
                elif low + 0.02 * (high - low) < guess < high - 0.02 * (high - low):
                    step = guess
                else:
                    step = 0.5 * (low + high)
            still = True
            for r in range(size):
                still &= trial[r] == shadow[r]
            shadow[:] = trial
            settled &= step == 1.0
            if step < 0.3:
                caution = min(caution * 16.0, 100.0)
            elif step > 0.9:
                caution *= 0.1
            if still:
                break
        prices[groups] = shadow
        inverse[square[b] : square[b + 1]] = matrix.ravel()
