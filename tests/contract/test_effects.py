"""How a chunk records what it does: bounded in bytes and gas, packed, bound by a running hash."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.chunks import digest_of
from tests.contract.node import Chain
from tests.contract.support import OPERATOR
from walras.chain.interface import call
from walras.errors import Reverted

pytestmark = pytest.mark.chain

SIZE, GAS = 98_304, 14_000_000


def recorded(chain: Chain, recorder: str, *args: Any) -> Any:
    query = call("Recorder", recorder, "record", *args)
    return query.result("0x" + chain.call(recorder, query.data, OPERATOR, gas=10**9).hex())


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize(
    ("pairs", "second", "fresh"),
    [(0, False, False), (0, True, False), (1, False, True), (4, True, False), (3, True, True)],
)
def test_chunk_whose_effects_might_not_fit_is_refused(
    chain: Chain, pairs: int, second: bool, fresh: bool, ahead: bool
) -> None:
    """In bytes and in gas, to the last account."""
    with chain.undone():
        recorder = chain.deploy("Recorder", sender=OPERATOR)
        word = 32 + 32 * ahead
        size = 22 + word * (1 + second + pairs) + 2 * pairs
        gas = 7_500 + 5_800 * second + 6_000 * pairs + 17_100 * fresh
        most = min(SIZE // size, GAS // gas)
        shown = recorded(chain, recorder, most, pairs, second, fresh, ahead)
        assert shown[:2] == (most * size, most * gas)
        with pytest.raises(Reverted) as refused:
            recorded(chain, recorder, most + 1, pairs, second, fresh, ahead)
        assert refused.value.name == "ChunkTooLarge"
        assert tuple(refused.value.arguments) == ((most + 1) * size, (most + 1) * gas)


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("pairs", [0, 1, 2, 64])
def test_effects_are_packed_without_gaps(
    chain: Chain, pairs: int, second: bool, ahead: bool
) -> None:
    def words(word: int) -> bytes:
        return word.to_bytes(32) + (word + 1).to_bytes(32) * ahead

    with chain.undone():
        recorder = chain.deploy("Recorder", sender=OPERATOR)
        head = pairs | second << 15 | ahead << 14
        effects = [
            i.to_bytes(20)
            + head.to_bytes(2)
            + words(i)
            + words(i) * second
            + b"".join(k.to_bytes(2) + words(i + k) for k in range(pairs))
            for i in (1, 2, 3)
        ]
        size, _, digest = recorded(chain, recorder, 3, pairs, second, False, ahead)
        assert (size, digest) == (len(b"".join(effects)), digest_of(effects))
