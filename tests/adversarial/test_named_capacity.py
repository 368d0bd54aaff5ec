"""Attacks on the gas of a settlement that two reviews ran: whatever fills it is declared.

A docstring names the review and the number of its finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest

from tests.adversarial.named import STRANGER, voids
from tests.contract.batches import Bid, Book, buys, enter, order, sells
from tests.contract.chunks import FRESH, NOBODY
from tests.contract.node import GAS_LIMIT, Chain
from tests.contract.support import (
    OPERATOR,
    Bench,
    address,
    copy_of,
    list_product,
    new_libraries,
    new_market,
    new_token,
)
from walras.auths import Auth, Cost, Limits, Step, Submission, Term
from walras.clearing.problem import solve_batch
from walras.numbers import UNIT_GAS, X40
from walras.schedule import Phase
from walras.settlement import encode_submissions
from walras.submission import VoidReason, decode, encode, required_units, word_gas

pytestmark = pytest.mark.chain


MAX_CAPACITY = 6_500
WIDE = dict.fromkeys(range(0, 32, 2), 1)
FLOODS: dict[str, Callable[[int], Bid]] = {
    # 16 legs, 15 of them into words that were never touched
    "fresh words": lambda _: Bid((order(WIDE, 1_700, buy=[2]),)),
    "both halves": lambda _: Bid((order(dict.fromkeys(range(16), 1), 1_700, buy=[2]),)),
    "one product": lambda n: buys(n % 32, 110, 3),
    "sellers": lambda n: sells(n % 32, 90, 9),
    # two products that nobody else touches, in one fresh word
    "pairs of products": lambda n: Bid((order({2 * n % 32: 1, 2 * n % 32 + 1: 1}, 210, buy=[2]),)),
    "many auths": lambda n: Bid(tuple(order({n % 32: 1}, 105 + i, buy=[1]) for i in range(40))),
    "many steps": lambda n: Bid((order({n % 32: 1}, 99, buy=[1] * 16, sell=[1] * 16),)),
    "garbage": lambda _: Bid(body=bytes(59), units=10, spoil=lambda ct: ct[:33] + b"\x07" * 95),
    "void at the last rule": lambda _: Bid((order(WIDE, 1_700, buy=[2]),), short=1),
    "many limits": lambda n: whole(
        tuple(within(order({n % 32: 1}, 105 + i, buy=[1])) for i in range(30))
    ),
    "many costs": lambda n: whole(
        tuple(order({n % 32: 1}, 105 + i, buy=[9]) for i in range(16)),
        tuple(coupled(range(16), 30 + d) for d in range(4)),
    ),
    "first seals that stand": lambda n: whole((order({n % 32: 1}, 110, buy=[3]),)),
    "costs of one auth": lambda n: whole(
        (order({n % 32: 1}, 105, buy=[9]),), tuple(coupled(range(1), 30 + d) for d in range(16))
    ),
}


def within(auth: Auth) -> Auth:
    return replace(auth, limits=Limits(0, 1_000))


def coupled(terms: Iterable[int], width: int) -> Cost:
    return Cost(tuple(Term(j, 1) for j in terms), 0, 0, (Step(width, X40),), (Step(width, X40),))


def whole(auths: tuple[Auth, ...], costs: tuple[Cost, ...] = ()) -> Bid:
    """To stand, in as few units as it takes."""
    submission = Submission(auths, costs=costs, standing=True)
    units = required_units(submission, home=None)
    return Bid(body=encode(submission), units=units, spare=10**6)


@pytest.fixture(scope="module")
def wide_market(chain: Chain, opened_bench: Bench) -> Iterator[Bench]:
    """A market of 32 products and the most capacity, before its first batch.

    Undone when the module ends, with all that came later: the shared market has to be there first.
    """
    with chain.undone():
        cash = new_token(chain, 6)
        market = new_market(
            chain, new_libraries(chain), cash, capacity=MAX_CAPACITY, compensation=0
        )
        for _ in range(32):
            list_product(market, new_token(chain), 1, 100, lots_cap=1 << 26)
        market.fill_house()
        yield market


def charged(book: Book) -> int:
    """Gas that the rules charge the submissions, or all they declared where no rule gets so far."""
    state, opened = book.opened()
    lengths = {owner: len(ct) for owner, ct in book.pairs}
    total = 0
    for one in opened:
        account, gas = one.account, one.account.units * UNIT_GAS
        if one.submission:
            body, length = encode(one.submission), lengths[account.address]
            read = decode(body, ciphertext_length=length, units=account.units, ticks=state.ticks)
            assert read.gas + word_gas(one.products, account.home) <= gas
            gas = read.gas + word_gas(one.products, account.home)
        total += gas
    return total


def spent(wide_market: Bench, flood: Callable[[int], Bid], call: str) -> Iterator[tuple[int, int]]:
    """Gas of settling 4 and 16 accounts, at once or as a chunk, and what they declare."""
    for live in (4, 16):
        market = copy_of(wide_market)
        with market.chain.undone():
            book = enter(market, 1, {f"{n}": flood(n) for n in range(live)})
            market.go(1, Phase.CLEARING)
            declared, solved = charged(book), solve_batch(*book.opened())
            data = encode_submissions(book.entries(), solved.shadows)
            board = (list(solved.prices), list(solved.prices.values()))
            before = () if call == "settle" else (NOBODY, FRESH)
            yield market.do(OPERATOR, call, 1, *before, *board, data).gas, declared
            if call == "settle":
                market.check_books()


# in one transaction: a full batch, and what the twin puts into a chunk
MOST_DECLARED = {"settle": MAX_CAPACITY * UNIT_GAS, "verify": 12 * 10**6}


@pytest.mark.parametrize("call", MOST_DECLARED)
@pytest.mark.parametrize("flood", FLOODS)
def test_gas_of_every_further_account_is_declared(
    wide_market: Bench, flood: str, call: str
) -> None:
    """Review 1 §A2.17: a full batch fits its transaction, whatever fills it."""
    (few, declared_few), (many, declared) = spent(wide_market, FLOODS[flood], call)
    # to the gas, not to the unit: a submission may use up the last unit it declares
    assert many - few <= declared - declared_few
    # the fixed part, and what a product costs once for all, fit beside a full batch
    assert few - declared_few <= GAS_LIMIT - MOST_DECLARED[call]


def test_size_in_calldata_is_declared_too(bench: Bench) -> None:
    """Review 2 §13: bytes and posted prices count, so that a full batch fits a transaction."""
    bytes_of_a_batch = MAX_CAPACITY * 19
    assert bytes_of_a_batch < 128 * 1024 - 4_096
    owner = bench.endow(STRANGER, cash=10**7)
    bench.go(1, Phase.OPEN)
    assert bench.refusal(owner, "seal", 10, bytes(169), 1) == ("BadUnits", 10, 169)
    # 32 steps take little gas for their bytes: 758 sealed, 22 of head, 64 of price need 45 units
    body = encode(Submission((order({0: 1}, 100, buy=[1] * 16, sell=[1] * 16),)))
    bids = {
        name: Bid(body=body, units=n, spare=99_999) for name, n in (("tight", 44), ("fits", 45))
    }
    for name in bids:
        bench.endow(address(name), p0=16)
    book = enter(bench, 1, bids)
    bench.go(1, Phase.CLEARING)
    assert voids(book) == {"tight": VoidReason.OVERSIZED, "fits": None}
