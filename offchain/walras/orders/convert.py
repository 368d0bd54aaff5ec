"""Orders in human units into the chain's integers: exact, or an error that names the number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from walras.auths import Cost, Submission, Term, cover
from walras.errors import OrderError
from walras.numbers import MAX_PRODUCTS
from walras.orders.auths import Converted, Plan, plan_auth
from walras.orders.costs import ConvertedCost, CostPlan, plan_cost
from walras.orders.escrow import Holdings
from walras.orders.model import Order
from walras.orders.penalty import penalties
from walras.orders.setting import Setting, rate_unit, valid_until
from walras.units import MarketUnits

__all__ = ["Conversion", "convert"]


class Conversion(NamedTuple):
    """The submission that means an order, and each of its auths and costs with its scale."""

    submission: Submission
    auths: tuple[Converted, ...]
    costs: tuple[ConvertedCost, ...]


def convert(
    order: Order,
    market: MarketUnits,
    held: Holdings | None = None,
    setting: Setting | None = None,
) -> Conversion:
    """The meaning of ``order`` in ``market``.

    ``held`` is what open-ended sides may use up, after everything else and in file order;
    ``setting`` is needed by rates per time, by relative expiries and by costs.
    Raises OrderError and UnrepresentableNumber.
    """
    plans = [plan_auth(auth, market, rate_unit(auth.per, setting)) for auth in order.auths]
    cost_plans = [
        plan_cost(cost, plans, market.cash, rate_unit(cost.per, setting)) for cost in order.costs
    ]
    guards = _guards(len(plans), cost_plans)
    _check_open_ended(order, plans, guards)
    sized = {j: p.build(None, guards[j]) for j, p in enumerate(plans) if not p.open_ended}
    costs = _costs(cost_plans, sized, market, setting)
    if held is not None and len(sized) < len(plans):
        held = held.less(cover(_part(sized, [c.cost for c in costs])))
    for j, plan in enumerate(plans):
        if j not in sized:
            sized[j] = plan.build(held, 0)
            if held is not None:
                held = held.less(cover(Submission((sized[j].auth,))))
    auths = tuple(sized[j] for j in range(len(plans)))
    submission = Submission(
        tuple(c.auth for c in auths),
        valid_until(order.expiry, setting),
        tuple(c.cost for c in costs),
        order.standing,
    )
    if len(submission.products) > MAX_PRODUCTS:
        raise OrderError(
            f"{len(submission.products)} products; a submission touches at most {MAX_PRODUCTS}"
        )
    return Conversion(submission, auths, costs)


def _guards(auths: int, costs: Sequence[CostPlan]) -> list[int]:
    guards = [0] * auths
    for cost in costs:
        for term in cost.terms:
            guards[term.auth] += abs(term.coefficient)
    return guards


def _check_open_ended(order: Order, plans: Sequence[Plan], guards: Sequence[int]) -> None:
    """An auth bounded by escrow alone lives for one batch, on its own."""
    for plan, guard in zip(plans, guards, strict=True):
        if not plan.open_ended:
            continue
        why = "in a standing order" if order.standing else "in a group" if guard else ""
        if why:
            raise OrderError(
                f"auth {plan.human.name}: {why} nothing but escrow would bound it; "
                f"give {plan.open_ended}"
            )


def _costs(
    plans: Sequence[CostPlan],
    auths: dict[int, Converted],
    market: MarketUnits,
    setting: Setting | None,
) -> tuple[ConvertedCost, ...]:
    if not plans:
        return ()
    if setting is None:
        raise OrderError("costs need the market's clock and caps; leave them out")
    built = {j: converted.auth for j, converted in auths.items()}
    grouped = sorted({term.auth for plan in plans for term in plan.terms})
    place = {j: i for i, j in enumerate(grouped)}
    ends = [plan.ends(built) for plan in plans]
    found = penalties(
        [(built[j], auths[j].guard) for j in grouped],
        [_moved(plan.build(), place) for plan in plans],
        [any(end) for end in ends],
        market.ticks(),
        setting,
    )
    return tuple(
        ConvertedCost(p.human, p.build(penalty, end), p.units, p.per, penalty, end)
        for p, penalty, end in zip(plans, found, ends, strict=True)
    )


def _part(sized: dict[int, Converted], costs: Sequence[Cost]) -> Submission:
    """The submission without its open-ended auths, which are in no group."""
    place = {j: i for i, j in enumerate(sized)}
    return Submission(
        tuple(c.auth for c in sized.values()), costs=tuple(_moved(cost, place) for cost in costs)
    )


def _moved(cost: Cost, place: dict[int, int]) -> Cost:
    """The same cost with its auths at other places."""
    terms = tuple(Term(place[term.auth], term.coefficient) for term in cost.terms)
    return replace(cost, terms=terms)
