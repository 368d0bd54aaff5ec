"""The first block from a time: found once, then looked at again, also after a reorganisation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from walras.chain.client import connect
from walras.chain.devnode import DevNode, start_anvil

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def node() -> Iterator[DevNode]:
    with start_anvil() as node:
        yield node


def test_remembered__costs_one_round_trip__and_is_not_believed_after_a_reorganisation(
    node: DevNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(node.url)
    began = client.block().timestamp
    snapshot = node.snapshot()
    for k in range(1, 40):
        node.warp(began + 100 * k)
    wanted = began + 2_050
    first = client.first_block_from(wanted, client.block())
    assert client.block(first).timestamp >= wanted > client.block(first - 1).timestamp
    head = client.block()
    with monkeypatch.context() as patch:
        patch.setattr(client, "block", None)
        assert client.first_block_from(wanted, head) == first
    node.revert(snapshot)  # other blocks, and fewer, take the place of these
    for k in range(1, 8):
        node.warp(began + 1_000 * k)
    assert client.block().number < first
    again = client.first_block_from(wanted, client.block())
    assert client.block(again).timestamp >= wanted > client.block(again - 1).timestamp
    assert again != first
