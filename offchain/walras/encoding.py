"""Bytes of a submission (SPEC §2); the inverse is ``walras.decoding``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from walras.auths import Auth, Cost, Step, Submission
from walras.errors import OrderError
from walras.numbers import (
    MAX_AUTHS,
    MAX_COSTS,
    MAX_CURVE_PRICE,
    MAX_LEGS,
    MAX_PRODUCTS,
    MAX_RATE,
    MAX_STEPS,
    MAX_TERMS,
    MAX_WEIGHT,
)

__all__ = ["encode"]


def encode(submission: Submission) -> bytes:
    """Bytes of ``submission`` (the body, after the magic).

    Raises OrderError for anything that would be malformed whatever the ticks are.
    """
    products, auths, costs = submission.products, submission.auths, submission.costs
    _require(1 <= len(products) <= MAX_PRODUCTS, f"a submission lists 1 to {MAX_PRODUCTS} products")
    _require(1 <= len(auths) <= MAX_AUTHS, f"a submission has 1 to {MAX_AUTHS} auths")
    _require(len(costs) <= MAX_COSTS, f"a submission has up to {MAX_COSTS} costs")
    _require(products[0] >= 0 and products[-1] < 1 << 16, "product ids lie below 2^16")
    _require(0 <= submission.valid_until < 1 << 40, "valid_until is unix seconds below 2^40")
    index = {product: i for i, product in enumerate(products)}
    head = bytes((submission.standing,)) + submission.valid_until.to_bytes(5)
    listed = bytes((len(products),)) + b"".join(product.to_bytes(2) for product in products)
    return b"".join(
        (
            head,
            listed,
            bytes((len(auths), len(costs))),
            *(_auth(auth, index) for auth in auths),
            *(_cost(cost, len(auths)) for cost in costs),
        )
    )


def _auth(auth: Auth, index: Mapping[int, int]) -> bytes:
    _require(1 <= len(auth.legs) <= MAX_LEGS, f"a portfolio has 1 to {MAX_LEGS} legs")
    _require(_ascending([leg.product for leg in auth.legs]), "legs ascend by product, each once")
    _require(all(1 <= abs(leg.weight) <= MAX_WEIGHT for leg in auth.legs), "1 <= |weight| <= 2^20")
    _require(len(auth.legs) > 1 or auth.legs[0].weight == 1, "a single leg has weight 1")
    limits = b""
    if auth.limits is not None:
        low, high = auth.limits.low, auth.limits.high
        _require(0 <= min(low, high) <= max(low, high) < 1 << 48, "limits lie in 0 to 2^48")
        limits = low.to_bytes(6) + high.to_bytes(6)
    legs = (bytes((index[g.product],)) + g.weight.to_bytes(3, signed=True) for g in auth.legs)
    head = bytes((auth.limits is not None, len(auth.legs), len(auth.buy), len(auth.sell)))
    return b"".join((head, *legs, limits, _curve(auth)))


def _cost(cost: Cost, auths: int) -> bytes:
    _require(1 <= len(cost.terms) <= MAX_TERMS, f"a cost joins 1 to {MAX_TERMS} auths")
    indices = [term.auth for term in cost.terms]
    _require(_ascending(indices), "terms ascend by auth, each once")
    _require(indices[0] >= 0 and indices[-1] < auths, "a cost joins auths of its submission")
    _require(
        all(1 <= abs(term.coefficient) <= MAX_WEIGHT for term in cost.terms),
        "1 <= |coefficient| <= 2^20",
    )
    terms = (bytes((g.auth,)) + g.coefficient.to_bytes(3, signed=True) for g in cost.terms)
    head = bytes((len(cost.terms), len(cost.buy), len(cost.sell)))
    body = b"".join((head, *terms, _curve(cost)))
    _require(max(cost.top, -cost.bottom) <= MAX_CURVE_PRICE, "curve prices lie within 2^112")
    return body


def _curve(curve: Auth | Cost) -> bytes:
    """Prices and steps, the same in an auth and a cost."""
    two_sided = bool(curve.buy and curve.sell)
    _require(bool(curve.buy or curve.sell), "an auth buys or sells something")
    _require(
        max(len(curve.buy), len(curve.sell)) <= MAX_STEPS, f"a side has up to {MAX_STEPS} steps"
    )
    _require(two_sided or curve.gap == 0, "only a two-sided auth has a gap")
    _require(0 <= curve.gap < 1 << 112, "the ask is not below the bid, and within 2^112 of it")
    _require(max(abs(curve.first), curve.ask) <= MAX_CURVE_PRICE, "curve prices lie within 2^112")
    _steps(curve.buy + curve.sell)
    _require(max(curve.buy_rate, curve.sell_rate) <= MAX_RATE, "a side trades at most 2^48 units")
    gap = curve.gap.to_bytes(14) if two_sided else b""
    steps = (s.width.to_bytes(6) + s.increment.to_bytes(14) for s in curve.buy + curve.sell)
    return b"".join((curve.first.to_bytes(16, signed=True), gap, *steps))


def _steps(steps: Sequence[Step]) -> None:
    _require(
        all(s.width >= 0 and 0 <= s.increment < 1 << 112 for s in steps),
        "step widths are not negative, increments lie in 0 to 2^112",
    )
    _require(all(s.width < MAX_RATE for s in steps), "a step is less than 2^48 units wide")


def _ascending(ids: Sequence[int]) -> bool:
    return all(a < b for a, b in pairwise(ids))


def _require(fine: bool, rule: str) -> None:
    if not fine:
        raise OrderError(f"the order cannot be encoded: {rule}; change it accordingly")
