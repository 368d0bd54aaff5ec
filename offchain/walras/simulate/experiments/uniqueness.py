"""Quantities are unique: engines and starting points agree on every fill of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from walras.certificate import Settlement
from walras.simulate.market import Cleared, clear_again

__all__ = ["Uniqueness", "uniqueness"]

Key = TypeVar("Key", int, bytes)


@dataclass(frozen=True, slots=True)
class Uniqueness:
    """How far apart the answers to one batch are.

    ``fill`` ulps of X44 lots, the largest difference of a fill between any answer and the first;
    ``price`` ulps of X84 likewise; ``cash`` X40 of one account, ``freedom`` X40 what the
    certificate allows. ``answers`` their names.
    """

    answers: tuple[str, ...]
    fill: int
    price: int
    cash: int
    freedom: int


def uniqueness(
    cleared: Cleared,
    *,
    engines: Sequence[str] = ("walras", "clarabel"),
    starts: int = 3,
    seed: int = 0,
) -> Uniqueness:
    """Clear a batch again, by ``engines`` from scratch and from ``starts`` points 5 % around."""
    dice = np.random.default_rng(seed)
    answers = {f"{name}, cold": clear_again(cleared, engine=name) for name in engines}
    for number in range(starts):
        away = {
            k: int(price * (1 + 0.05 * float(dice.standard_normal())))
            for k, price in cleared.found.prices.items()
        }
        warm = cleared.found._replace(prices=away)
        answers[f"start {number + 1}"] = clear_again(cleared, warm=warm)
    first = cleared.settlement
    others = list(answers.values())
    return Uniqueness(
        answers=("in the run", *answers),
        fill=max(_apart(first, other) for other in others),
        price=max(_largest(first.prices, other.prices) for other in others),
        cash=max(_largest(first.cash, other.cash) for other in others),
        freedom=first.freedom_x40,
    )


def _apart(one: Settlement, other: Settlement) -> int:
    return max(_largest(one.fills[account], other.fills[account]) for account in one.fills)


def _largest(one: Mapping[Key, int], other: Mapping[Key, int]) -> int:
    assert one.keys() == other.keys()
    return max((abs(one[key] - other[key]) for key in one), default=0)
