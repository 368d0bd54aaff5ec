"""How far accepted prices can be moved: the clearer's freedom, in the worst places there are.

Inside a price interval, with a friend's kink in it, and along a pair's null direction only the
maker holds prices. The certificate's tolerance then leaves about c / ε, found here by bisection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.adversarial.books import Draft, market, one_sided
from walras.auths import Auth, Leg, Step
from walras.batch import BatchState
from walras.certificate import Opened, settle
from walras.clearing.problem import solve_batch
from walras.errors import CertificateError

X40 = 1 << 40
FREEDOM = 1e-6
LOT_VALUES = (1, 1_000, 10**6, 1 << 30)
SIZES = (1, 1_000, 10**6, 10**9)


def accepted(state: BatchState, opened: tuple[Opened, ...], prices: dict[int, int]) -> bool:
    try:
        settle(state, opened, prices)
    except CertificateError as error:
        return error.reason not in {"NotCleared", "LedgerOutOfRange", "HouseShort"}
    return True


def reach(accepts: Callable[[int], bool], most: int) -> int:
    """Largest accepted move up to `most`, by bisection (moves further away are worse)."""
    if accepts(most):
        return most
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if accepts(middle) else (low, middle)
    return low


def freedom(draft: Draft, direction: Sequence[int]) -> float:
    """Widest accepted span of prices along `direction`, relative to the first reference."""
    state, opened = market(draft)
    prices = solve_batch(state, opened).prices
    one = draft.references[0] << 44
    span = 0
    for sign in (1, -1):

        def moved(by: int, sign: int = sign) -> bool:
            turned = {
                k: p + sign * by * d for (k, p), d in zip(prices.items(), direction, strict=True)
            }
            return accepted(state, opened, turned)

        span += reach(moved, one)
    return span / one


def interval(value: int, size: int, friend: Auth | None) -> Draft:
    """1000 lots wanted up to 110 %, 1000 offered from 90 %, reference 100 %."""
    one = value * X40
    buyer = one_sided(1, (Leg(0, 1),), one + one // 10, [Step(size, 0)])
    seller = one_sided(-1, (Leg(0, 1),), one - one // 10, [Step(size, 0)])
    auths = [buyer, seller] if friend is None else [buyer, seller, friend]
    return Draft([value << 24], [one], auths)


@pytest.mark.parametrize("value", LOT_VALUES)
def test_inside_an_interval(value: int) -> None:
    for size in (1, 1_000, 10**6):
        assert freedom(interval(value, size, None), [1]) <= FREEDOM


@pytest.mark.parametrize("value", LOT_VALUES)
@pytest.mark.parametrize("at", [91, 99, 100, 101, 109])
def test_a_friends_kink_inside_the_interval(value: int, at: int) -> None:
    price = value * X40 * at // 100
    for side in (1, -1):
        for size in (1, 10**6):
            friend = one_sided(side, (Leg(0, 1),), price, [Step(size, 0)])
            assert freedom(interval(value, 1_000, friend), [1]) <= FREEDOM


@pytest.mark.parametrize("value", LOT_VALUES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("weight", [1, 1_000, 1 << 20])
def test_null_direction_of_a_pair(value: int, size: int, weight: int) -> None:
    """Both ends of a spread may move together; only the maker minds."""
    one = value * X40
    legs = (Leg(0, weight), Leg(1, -weight))
    spread = one * weight // 20_000
    auths = [
        one_sided(1, legs, spread, [Step(size, 0)]),
        one_sided(-1, legs, -spread, [Step(size, 0)]),
    ]
    draft = Draft([value << 24] * 2, [one, one], auths)
    # The tolerance of an auth is its weight in ulps: heavy portfolios leave that much more.
    assert freedom(draft, [1, 1]) <= FREEDOM * max(1, weight / 4_096)


def test_the_published_bound_covers_the_freedom() -> None:
    """[C-4]: nobody can move more cash than `freedom_x40` says."""
    one = 1_000 * X40
    draft = interval(1_000, 10**6, one_sided(-1, (Leg(0, 1),), one * 109 // 100, [Step(10**6, 0)]))
    state, opened = market(draft)
    prices = solve_batch(state, opened).prices
    settlement = settle(state, opened, prices)
    for sign in (1, -1):
        moved = reach(
            lambda by, sign=sign: accepted(state, opened, {0: prices[0] + sign * by}),  # type: ignore[misc]
            one << 44,
        )
        assert settlement.volumes[0] * moved >> 88 <= settlement.freedom_x40
