# ruff: noqa: C901, PLR0912, PLR0913, PLR0917 (compiled loops: calls and tuples cost there)
"""What blocks of groups do to fills and curvature, in compiled loops.

Blocks come as in `shadow`.
"""

import numpy as np

from walras.clearing.book import Floats, Ints
from walras.clearing.jit import kernel
from walras.clearing.kernels import Products, demand, locate
from walras.clearing.shadow import Matrix, relief

__all__ = ["changes", "curvature", "joint_fills", "responses"]


@kernel
def joint_fills(
    ptr: Ints,
    rate: Floats,
    price: Floats,
    soft: Floats,
    centre: Floats,
    shadow: Floats,
    joint: Floats,
) -> None:
    """joint (G,) = what the groups' curves demand at their shadow prices."""
    for d in range(len(joint)):
        top, bottom, left, slope = locate(
            rate, price, ptr[d], ptr[d + 1] - 1, soft[d], centre[d], shadow[d]
        )
        joint[d] = demand(top, bottom, left, slope, shadow[d])


@kernel
def responses(
    block_group: Ints,
    block_order: Ints,
    order_of: Ints,
    square: Ints,
    share_ptr: Ints,
    share_rank: Ints,
    share: Floats,
    slope: Floats,
    inverse: Floats,
    move: Floats,
    response: Floats,
) -> Floats:
    """response = (A - A G' inverse G A) move: first-order fall of the fills; returns it."""
    for b in range(len(block_group) - 1):
        size = block_group[b + 1] - block_group[b]
        pull = np.zeros(size)
        for n in range(block_order[b], block_order[b + 1]):
            j = order_of[n]
            for m in range(share_ptr[j], share_ptr[j + 1]):
                pull[share_rank[m]] += share[m] * slope[j] * move[j]
        shift = inverse[square[b] : square[b + 1]].reshape(size, size) @ pull
        for n in range(block_order[b], block_order[b + 1]):
            j = order_of[n]
            response[j] = slope[j] * (move[j] - relief(share_ptr, share_rank, share, j, shift))
    return response


@kernel
def changes(
    block_order: Ints,
    order_of: Ints,
    square: Ints,
    slope: Floats,
    new_slope: Floats,
    inverse: Floats,
    new_inverse: Floats,
    changed: Ints,
) -> Ints:
    """changed[b] = 1 where a slope or the inverse of block b differs; returns it."""
    for b in range(len(changed)):
        changed[b] = 0
        for n in range(block_order[b], block_order[b + 1]):
            changed[b] |= slope[order_of[n]] != new_slope[order_of[n]]
        for a in range(square[b], square[b + 1]):
            changed[b] |= inverse[a] != new_inverse[a]
    return changed


@kernel
def curvature(
    block_group: Ints,
    block_order: Ints,
    order_of: Ints,
    square: Ints,
    share_ptr: Ints,
    share_rank: Ints,
    share: Floats,
    leg_ptr: Ints,
    leg_product: Products,
    leg_weight: Floats,
    slope: Floats,
    inverse: Floats,
    chosen: Ints,
    sign: float,
    pull: Matrix,
    place: Ints,
    touched: Ints,
    hessian: Matrix,
) -> None:
    """hessian += sign W'(A - A G' inverse G A)W over the `chosen` blocks, lower triangle.

    Room: pull (q, K) zero, place (K,) -1, touched (K,); left as found.
    """
    for b in range(len(chosen)):
        if not chosen[b]:
            continue
        size = block_group[b + 1] - block_group[b]
        count = 0
        for n in range(block_order[b], block_order[b + 1]):
            j = order_of[n]
            if slope[j] == 0.0:
                continue
            for a in range(leg_ptr[j], leg_ptr[j + 1]):
                row = leg_product[a]
                scaled = slope[j] * leg_weight[a]
                for c in range(leg_ptr[j], a + 1):
                    hessian[row, leg_product[c]] += sign * scaled * leg_weight[c]
                if place[row] < 0:
                    place[row] = count
                    touched[count] = row
                    count += 1
                for m in range(share_ptr[j], share_ptr[j + 1]):
                    pull[share_rank[m], row] += scaled * share[m]
        weight = inverse[square[b] : square[b + 1]].reshape(size, size)
        for m in range(count):
            row = touched[m]
            for n in range(count):
                column = touched[n]
                if column <= row:
                    total = 0.0
                    for r in range(size):
                        for t in range(size):
                            total += pull[r, row] * weight[r, t] * pull[t, column]
                    hessian[row, column] -= sign * total
        for m in range(count):
            place[touched[m]] = -1
            for r in range(size):
                pull[r, touched[m]] = 0.0
