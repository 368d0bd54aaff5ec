"""Factorisations by elimination against a plain solver."""

import numpy as np
import pytest

from walras.clearing.book import Floats
from walras.clearing.elimination import Dense, Elimination


def sparse(size: int, ties: int, seed: int) -> Floats:
    """A diagonal and a few rank-one terms of two to nine products."""
    rng = np.random.default_rng(seed)
    matrix = np.diag(10.0 ** rng.uniform(-3, 0, size))
    for _ in range(ties):
        at = rng.choice(size, min(size, int(rng.integers(2, 10))), replace=False)
        weight = rng.standard_normal(len(at))
        matrix[np.ix_(at, at)] += np.outer(weight, weight)
    return matrix


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 200])
@pytest.mark.parametrize("ties", [0, 5, 40])
def test_solves_what_a_plain_solver_does(size: int, ties: int) -> None:
    matrix = sparse(size, ties if size > 1 else 0, seed=size + ties)
    right = np.random.default_rng(0).standard_normal(size)
    expected = np.linalg.solve(matrix, right)
    for factor in (Elimination(size), Dense()):
        assert factor.factorise(np.tril(matrix))
        np.testing.assert_allclose(factor.solve(right), expected, rtol=1e-8, atol=1e-8)


def test_room_is_clean_for_the_next_matrix() -> None:
    factor = Elimination(100)
    right = np.ones(100)
    for seed in range(5):
        matrix = sparse(100, 10 * seed, seed)
        assert factor.factorise(np.tril(matrix))
        np.testing.assert_allclose(factor.solve(right), np.linalg.solve(matrix, right), rtol=1e-7)


@pytest.mark.parametrize("bad", [0.0, -1.0])
@pytest.mark.parametrize("ties", [0, 300])
def test_what_is_not_positive_is_refused(bad: float, ties: int) -> None:
    matrix = sparse(100, ties, 1)
    matrix[50, 50] = bad
    assert not Elimination(100).factorise(np.tril(matrix))
    assert not Dense().factorise(np.tril(matrix))
