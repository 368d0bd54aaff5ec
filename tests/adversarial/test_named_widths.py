"""Attacks on the widths of numbers and on the EVM that the first review ran (§A6).

A docstring names the review and the number of its finding.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.adversarial.named import voids
from tests.adversarial.test_lying_clearer import Judge
from tests.contract.batches import Bid, enter, run
from tests.contract.shapes import SHAPES
from tests.contract.support import Bench
from walras.auths import Auth, Leg, Step
from walras.schedule import Phase
from walras.submission import VoidReason

pytestmark = pytest.mark.chain


def extremes() -> Iterator[Auth]:
    """Every width of the format at its end."""
    top, wide = 2**112, 2**48 - 1
    yield Auth((Leg(0, 1),), top, 0, (Step(wide, 0), Step(1, 0)), ())
    yield Auth((Leg(0, 1),), -top, 0, (), (Step(1, 2**112 - 1),))
    yield Auth((Leg(0, 1),), top, 0, (), (Step(wide, 2**112 - 1),))
    legs = tuple(Leg(k, 2**20 * (-1) ** k) for k in range(6))
    yield Auth(legs, top, 0, (Step(wide, 2**111),), ())
    yield Auth(legs, 0, 2**112 - 1, (Step(wide, 0),), (Step(wide, 0),))
    yield Auth(legs, 1, 2**112 - 1, (Step(wide, 0),), (Step(wide, 0),))
    yield Auth(legs, 2, 2**112 - 1, (Step(wide, 0),), (Step(wide, 0),))
    yield Auth(legs, -top + 2**111, 0, (), tuple(Step(1, 1) for _ in range(16)))


def test_numbers_at_the_end_of_every_width_void_their_sender_alone(bench: Bench) -> None:
    """Review 1 §A6.38: neither a wrapped sum nor a revert."""
    bids = {f"x{n}": Bid(body=encode_any(auth), units=120) for n, auth in enumerate(extremes())}
    book = run(bench, 1, {**SHAPES["cross"], **bids})
    prices = book.prices()
    for lie in ({}, dict.fromkeys(prices, 2**138 - 1), dict.fromkeys(prices, 1 - 2**138)):
        posted = {**prices, **lie}
        assert book.refusal(posted) == Judge(book).error(posted)
    found = voids(book)
    assert all(found[name] in (VoidReason.UNCOVERED, VoidReason.MALFORMED) for name in bids)
    book.settle(prices)


def encode_any(auth: Auth) -> bytes:
    """The bytes of an auth, also of one that a wallet refuses to send."""
    products = [leg.product for leg in auth.legs]
    head = (
        bytes(6) + bytes((len(products),)) + b"".join(k.to_bytes(2) for k in products) + b"\x01\x00"
    )
    legs = b"".join(
        bytes((i,)) + (leg.weight % 2**24).to_bytes(3) for i, leg in enumerate(auth.legs)
    )
    gap = auth.gap.to_bytes(14) if auth.buy and auth.sell else b""
    steps = b"".join(s.width.to_bytes(6) + s.increment.to_bytes(14) for s in auth.buy + auth.sell)
    counts = bytes((0, len(auth.legs), len(auth.buy), len(auth.sell)))
    return head + counts + legs + (auth.first % 2**128).to_bytes(16) + gap + steps


def test_empty_batches_need_no_transaction_and_move_no_price(bench: Bench) -> None:
    """Review 1 §A6.49."""
    before = [bench.product(k) for k in range(6)]
    book = enter(bench, 3, SHAPES["cross"])
    assert [bench.product(k) for k in range(6)] == before
    bench.go(3, Phase.CLEARING)
    book.settle(book.prices())
