"""Costs in exact integers: the sweep against the twin, shadow prices against plain bisection."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tests.adversarial.books import X44
from tests.property.coupled_books import SHAPES, coupled_market, draft
from walras.batch import BatchState
from walras.certificate import Opened, evaluate, priced_products
from walras.clearing.coupled import blocks_of
from walras.clearing.exact import GUARD, Coupling, ExactBook
from walras.clearing.limbs import integers
from walras.clearing.line import Line
from walras.clearing.problem import exact_book
from walras.clearing.reduction import Reduction
from walras.clearing.shadows import Shadows

HARD = 1 << 100


def book_of(shape: str, seed: int) -> tuple[BatchState, tuple[Opened, ...], ExactBook, list[int]]:
    """A book, and prices X84 around its references."""
    rng = random.Random(f"{shape}{seed}")
    state, opened = coupled_market(draft(rng, (shape,), 6))
    products = [state.products[k] for k in priced_products(opened)]
    prices = [int(p.reference * X44 * rng.gauss(1, 0.003)) for p in products]
    return state, opened, exact_book(opened, products), prices


@pytest.mark.parametrize("shape", SHAPES)
def test_sweep_and_excess_are_the_twins(shape: str) -> None:
    for seed in range(5):
        state, opened, book, prices = book_of(shape, seed)
        rng = random.Random(seed)
        chosen = [
            rng.choice(
                [cost.bottom * X44, cost.top * X44, min(max(0, cost.bottom), cost.top) * X44]
            )
            + rng.choice([0, 0, 1, -1])
            for cost in book.costs
        ]
        given, values = {}, iter(chosen)
        for one in opened:
            given[one.account.address] = tuple(next(values) for _ in range(one.costs))
        posted = dict(zip(priced_products(opened), prices, strict=True))
        expected = evaluate(state, opened, posted, given)
        answer = book.respond(
            [price << GUARD for price in prices],
            [shadow << GUARD for shadow in chosen],
            on_chain=True,
        )
        demand = [units >> GUARD for units in integers(answer.demand)]
        couplings = [
            one for account in opened for one in expected.couplings.get(account.account.address, ())
        ]
        assert demand[: book.products] == list(expected.residues.values())
        assert demand[book.products :] == [-one.excess for one in couplings]
        assert [c + 2 for c in answer.tolerance.tolist()] == [
            *expected.tolerances.values(),
            *(one.tolerance for one in couplings),
        ]
        beyond = book.excess(prices, chosen)
        assert [excess == 0 for excess in beyond] == [
            *(abs(expected.excesses[k]) <= expected.tolerances[k] for k in expected.excesses),
            *(one.fair and one.clears for one in couplings),
        ]


@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "plain"])
def test_shadow_prices_settle_from_any_start(shape: str) -> None:
    """Block by block and all together, from an end or the middle: the same fills."""
    for seed in range(5):
        _, _, book, prices = book_of(shape, seed)
        fine = [price << GUARD for price in prices]
        costs = Shadows(book)
        demands = []
        for place in (0, 1, 2):
            guess = [(bottom, top, (bottom + top) // 2)[place] for bottom, top in book.boxes]
            shadows, answer = costs.settle(fine, guess)
            slack = [-missing for missing in integers(answer.demand[book.products :])]
            assert all(block.settled(shadows, slack) for block in costs.blocks)
            demands.append(integers(answer.demand[: book.products]))
        for lots in zip(*demands, strict=True):
            assert max(lots) - min(lots) <= 1 << GUARD


def buyer_and_cap(slope: int, most: int) -> ExactBook:
    """One auth of 1,000 units from 100 down, in a cost that asks for at most `most` of them."""
    auth = [(1, 100 << 40, slope, 1000)]
    cap = Coupling(((0, 1),), ((1, 0, 4 * most, most),), -HARD, 0)
    return ExactBook.build([[(0, 1)]], [auth], [100 << 40], [100 << 24], costs=[cap])


def test_one_cost_against_bisection() -> None:
    book = buyer_and_cap(50 << 40, 300)
    (block,) = blocks_of(book)
    for price in (40, 70, 84, 86, 99, 101):
        level = price << 112
        (shadow,) = block.solve([level], [0])
        low, high = book.boxes[0]
        while high - low > 1:
            middle = (low + high) // 2
            answer = book.respond([level], [middle])
            if integers(answer.demand)[1] > 0:  # S - s falls as λ rises
                low = middle
            else:
                high = middle
        assert abs(shadow - low) <= 1 << GUARD


def test_limits_cut_demand_and_its_slope() -> None:
    rooms = [(7 * X44 + 3, 0)]
    curve = [(1, 100 << 40, 10 << 40, 10)]
    book = ExactBook.build([[(0, 1)]], [curve], [100 << 40], [100 << 24], rooms)
    at = {price: book.respond([price << 112]) for price in (95, 93, 92, 91)}
    assert integers(at[95].demand) == [5 << 72]
    assert integers(at[93].demand) == [7 << 72]
    assert integers(at[92].demand) == integers(at[91].demand) == [7 * X44 + 3 << GUARD]
    assert [answer.ramp[0] for answer in at.values()] == [0, 0, -1, -1]
    assert [answer.sloped[0] for answer in at.values()] == [1, 1, 0, 0]


@pytest.mark.parametrize(("ulps", "sloped"), [(0, 1), (1, 1), (2, 0)])
def test_an_auth_slopes_to_one_ulp_beyond_what_its_limits_leave(ulps: int, sloped: int) -> None:
    left = 7 * X44 + 3
    curve = [(1, 100 << 40, 10 << 40, 10)]
    book = ExactBook.build([[(0, 1)]], [curve], [100 << 40], [100 << 24], [(left, 0)])
    wanted = left + ulps  # one unit per cash unit: 2^40 of X84 for an ulp of X44
    answer = book.respond([((100 << 84) - (wanted << 40)) << GUARD], on_chain=True)
    assert integers(answer.demand) == [left << GUARD]
    assert answer.sloped[0] == sloped


def test_elimination_leaves_the_curvature_of_the_prices_alone() -> None:
    """Against the Schur complement of the joint matrix, written out."""
    auths = [[(0, 1), (1, -2)], [(1, 3)], [(0, 5)]]
    curves = [[(1, 0, 8 << 40, 4)], [(1, 0, 2 << 40, 6)], [(1, 0, 1 << 40, 1)]]
    costs = [
        Coupling(((0, 1), (1, 2)), ((1, 0, 4 << 40, 3),), -HARD, HARD),
        Coupling(((1, 1), (2, -1)), ((1, 0, 1 << 40, 1),), -HARD, HARD),
    ]
    book = ExactBook.build(auths, curves, [1 << 40] * 2, [1 << 24] * 2, costs=costs)
    slopes = book.slopes(np.arange(5))
    weights = np.zeros((5, 4))
    for row in range(5):
        legs = slice(book.rows.leg_ptr[row], book.rows.leg_ptr[row + 1])
        weights[row, book.rows.leg_product[legs]] = book.rows.leg_weight[legs]
    joint = weights.T @ np.diag(slopes) @ weights
    inner = np.linalg.inv(joint[2:, 2:])
    reduction = Reduction(book, blocks_of(book))
    matrix, free = np.zeros((2, 2)), np.ones(2, np.int64)
    reduction.add(slopes, free, matrix)
    np.testing.assert_allclose(
        matrix, joint[:2, :2] - joint[:2, 2:] @ inner @ joint[2:, :2], rtol=1e-12, atol=1e-12
    )
    move, slack = np.array([0.3, -0.7]), np.array([2.0, -1.0])
    np.testing.assert_allclose(reduction.follow(slopes, free, move), -inner @ joint[2:, :2] @ move)
    np.testing.assert_allclose(reduction.correct(slopes, free, slack), -inner @ slack)


def test_costs_that_say_the_same_twice_do_not_disturb() -> None:
    once = buyer_and_cap(50 << 40, 300)
    cap = once.costs[0]._replace(ramps=())
    twice = ExactBook.build([[(0, 1)]], once.curves, once.reference, once.scale, costs=[cap, cap])
    matrix, free = np.zeros((1, 1)), np.ones(2, np.int64)
    reduction = Reduction(twice, blocks_of(twice))
    reduction.add(twice.slopes(np.array([0, -1, -1])), free, matrix)
    assert matrix[0, 0] == pytest.approx(0.0, abs=1e-20)


@pytest.mark.parametrize("kink", [1e-30, 1e-9, 0.3, 1.0, 7.0, 1e6])
def test_line_search_finds_a_kink_of_any_size(kink: float) -> None:
    """A slope of 1 up to the kink, then one that falls a million times faster."""
    line, length = Line(bits=256, digits=256), 0.0
    for _ in range(400):
        (length,) = (at / 2**200 for at in line.moved([0], [1 << 200]))
        slope = 1.0 if length < kink else 1.0 - 1e6 * (length - kink) / kink
        if abs(slope) < 0.1 or line.exhausted:
            break
        line.next(slope, 0.0 if length < kink else 1e6 / kink)
    assert length == pytest.approx(kink, rel=1e-5)
