"""What the tests of named attacks share: those that two reviews ran against the design's drafts.

Attacks that are a whole subject have their tests there: decoding in tests/differential, prices in
test_lying_clearer, tokens and freeze in tests/contract.
"""

from __future__ import annotations

from eth_utils.address import to_checksum_address

from tests.contract.batches import Bid, Book
from tests.contract.support import address
from walras.auths import Auth, Leg, Step
from walras.numbers import X40
from walras.submission import VoidReason

STRANGER = address("stranger")


def voids(book: Book) -> dict[str, VoidReason | None]:
    _, opened = book.opened()
    found = {str(to_checksum_address(one.account.address)): one.reason for one in opened}
    return {name: found[owner] for name, owner in book.names.items()}


def flat(k: int, price: int, lots: int) -> Bid:
    return Bid((Auth((Leg(k, 1),), price * X40, 0, (Step(lots, 0),), ()),))
