"""What it costs to trade past the end of a cost's curve: more than anybody could ever gain.

On chain a cost's marginal value stays at its last price beyond its curve (SPEC §3), so an end is
hard when the curve's last step falls to −P with a P above any shadow price the end can have. Such a
shadow price is a vertex of the equations "portfolio price − Σ g·λ = a price of the auth's own
curve", one for each of the h hard costs that share auths; by Cramer's rule it is at most h times
the largest right-hand side times the product of the other costs' Γ. The right-hand sides are
bounded because clearing prices are: |p_k − ref_k| ≤ √(2E/ε_k) with ref ≤ 8·scale, and by Cauchy
|w·(p − ref)| ≤ √(2E·Σ w²/ε) (MATHEMATICS §4), at the largest scales the market's caps allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from walras.auths import Auth, Cost
from walras.curve import breakpoints, cost_breakpoints
from walras.numbers import ceil_sqrt
from walras.orders.setting import Setting

__all__ = ["penalties"]


def penalties(
    auths: Sequence[tuple[Auth, int]],
    soft: Sequence[Cost],
    hard: Sequence[bool],
    ticks: Mapping[int, int],
    setting: Setting,
) -> list[int]:
    """P (X40 per unit of s) for each cost whose flag in ``hard`` is set, 0 for the others.

    ``soft`` are the costs without their penalties; ``auths`` come with their guards.
    """
    spans = [_largest(cost_breakpoints(cost)) for cost in soft]
    gaps = [
        _reach(auth, setting) + _largest(breakpoints(auth, ticks, guard)) for auth, guard in auths
    ]
    for cost, span in zip(soft, spans, strict=True):
        for term in cost.terms:
            gaps[term.auth] += abs(term.coefficient) * span
    found = [0] * len(soft)
    for d in range(len(soft)):
        if hard[d]:
            linked = _linked(d, soft, hard)
            gap = max(gaps[term.auth] for e in linked for term in soft[e].terms)
            others = prod(soft[e].gross for e in linked if e != d)
            found[d] = spans[d] + len(linked) * gap * others + 1
    return found


def _largest(points: Sequence[tuple[int, int]]) -> int:
    """The largest price of a curve, either sign."""
    return max(abs(price) for _, price in points)


def _reach(auth: Auth, setting: Setting) -> int:
    """More than any portfolio price that a book can bring about, either sign, X40.

    Twice the bound on the distance from the reference, because rounded prices may pass it.
    """
    references = squares = 0
    for leg in auth.legs:
        scale = setting.scale_caps[leg.product]
        references += abs(leg.weight) * scale << 19  # 8·scale, X24 to X40
        squares += leg.weight**2 * scale
    return references + 2 * ceil_sqrt(setting.cover_cap * squares << 67)  # 2E·2^-14·s


def _linked(start: int, costs: Sequence[Cost], hard: Sequence[bool]) -> set[int]:
    """The hard costs that share auths with ``start``, directly or through one another."""
    members = [{term.auth for term in cost.terms} for cost in costs]
    linked, fresh = {start}, [start]
    while fresh:
        here = members[fresh.pop()]
        for e in range(len(costs)):
            if hard[e] and e not in linked and members[e] & here:
                linked.add(e)
                fresh.append(e)
    return linked
