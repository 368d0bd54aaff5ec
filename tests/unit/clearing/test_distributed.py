"""Shards on real worker processes give the clearing of one machine."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster

from walras.clearing import clear
from walras.clearing.distributed import clear_distributed
from walras.clearing.generator import market, with_groups

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # the cluster's, none of ours
]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    create: Any = LocalCluster  # it carries no types
    connect: Any = Client
    with (
        create(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        connect(cluster) as client,
    ):
        yield client


@pytest.mark.parametrize("flat", [0.0, 0.2, 1.0])
def test_the_answer_is_that_of_one_machine(client: Client, flat: float) -> None:
    book = market(10, 2_000, flat, seed=4)
    alone, together = clear(book), clear_distributed(book, client, shards=3)
    assert together.certified
    np.testing.assert_allclose(together.prices, alone.prices, rtol=1e-9)
    assert together.surplus == pytest.approx(alone.surplus, rel=1e-9)


def test_groups_stay_here_and_the_rest_is_shared(client: Client) -> None:
    book = with_groups(market(10, 2_000, 0.0, seed=4), 0.2)
    alone, together = clear(book), clear_distributed(book, client)
    assert together.certified
    np.testing.assert_allclose(together.prices, alone.prices, rtol=1e-9)


def test_more_shards_than_orders_are_not_made(client: Client) -> None:
    book = market(2, 5, 0.0, seed=1)
    assert clear_distributed(book, client, shards=50).certified
