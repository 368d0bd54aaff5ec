"""A clearer that lies, about anything a settlement says: each lie is refused by its own name."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from tests.contract.batches import Bid, Book, buys, enter, order, run, sells
from tests.contract.shapes import GOOD, SHAPES
from tests.contract.support import OPERATOR, Bench, address
from walras.batch import BatchState
from walras.certificate import Opened, settle
from walras.errors import CertificateError
from walras.numbers import X40, X84
from walras.schedule import Phase
from walras.settlement import encode_submissions

pytestmark = pytest.mark.chain

VOIDED = {
    "one": Bid(body=GOOD, spoil=lambda ct: bytes(90)),
    "two": Bid(body=GOOD[:-1], spare=100, units=30),
    "three": Bid((order({2: 1, 4: 3}, 5, buy=[1]),), short=1),
}
BATCHES: dict[str, Mapping[str, Bid]] = {
    **{name: bids for name, bids in SHAPES.items() if name != "sizes"},
    "kink in an interval": {**SHAPES["interval"], "friend": sells(0, 109, 10**4)},
    "voids among them": {**SHAPES["pair only"], **VOIDED},
    "voids alone": VOIDED,
}
FEW = ("cross", "pairs in a ring", "voids among them")


@pytest.fixture
def book(bench: Bench, request: pytest.FixtureRequest) -> Book:
    """A batch in its exclusive window."""
    return run(bench, 1, BATCHES[request.param])


every_batch = pytest.mark.parametrize("book", BATCHES, indirect=True)
few_batches = pytest.mark.parametrize("book", FEW, indirect=True)


# ---------------------------------------------------------------------------------------- prices


class Judge:
    """The twin's opinion on price vectors of one batch."""

    def __init__(self, book: Book) -> None:
        self.state: BatchState
        self.opened: tuple[Opened, ...]
        self.state, self.opened = book.opened()

    def error(self, prices: Mapping[int, int]) -> tuple[Any, ...] | None:
        """As `Book.refusal`: name and arguments, or None."""
        try:
            settle(self.state, self.opened, prices)
        except CertificateError as error:
            shown = (
                to_checksum_address(v) if isinstance(v, bytes) else v for v in error.values.values()
            )
            return (error.reason, *shown)
        return None

    def reach(self, prices: Mapping[int, int], way: Mapping[int, int]) -> int:
        """The largest n found for which prices + n·way pass, and n + 1 does not."""
        far = 1
        while self.error(moved(prices, way, far)) is None:
            far *= 2
        near = far // 2
        while far - near > 1:
            middle = (near + far) // 2
            if self.error(moved(prices, way, middle)) is None:
                near = middle
            else:
                far = middle
        return near


def moved(prices: Mapping[int, int], way: Mapping[int, int], times: int) -> dict[int, int]:
    return {k: p + times * way.get(k, 0) for k, p in prices.items()}


@every_batch
def test_price_beyond_its_resolution_by_one_ulp(book: Book) -> None:
    """Each product, each way: the last price that passes, and the next, which names the product."""
    judge, prices = Judge(book), book.prices()
    assert book.refusal(prices) is None
    for k in prices:
        for way in ({k: 1}, {k: -1}):
            n = judge.reach(prices, way)
            assert book.refusal(moved(prices, way, n)) is None
            wrong = moved(prices, way, n + 1)
            error = book.refusal(wrong)
            assert error == judge.error(wrong)
            assert error is not None
            assert error[0] == "NotCleared"
            scale = book.bench.product(k).scale << 60
            assert n < scale // 10**6
            for times in (2 * n + 2, 1_000 * (n + 1), scale // 100, scale):
                further = book.refusal(moved(prices, way, times))
                assert further == judge.error(moved(prices, way, times)) != None  # noqa: E711


DIRECTIONS = 12


@every_batch
def test_accepted_prices_agree_to_a_millionth(book: Book) -> None:
    """Worst interval, kink and null direction: how far two accepted vectors can lie apart."""
    judge, prices = Judge(book), book.prices()
    rng = random.Random(5)
    scales = {k: book.bench.product(k).scale << 60 for k in prices}
    ways = [dict(prices), {k: -p for k, p in prices.items()}]  # all prices up or down together
    ways += [{k: int(rng.uniform(-1, 1) * scales[k]) for k in prices} for _ in range(DIRECTIONS)]
    for way in ways:
        fine = {k: step // X84 or 1 for k, step in way.items()}
        n = judge.reach(prices, fine)
        edge = moved(prices, fine, n)
        assert book.refusal(edge) is None
        assert book.refusal(moved(prices, fine, n + 1)) == judge.error(moved(prices, fine, n + 1))
        for k in prices:
            assert abs(edge[k] - prices[k]) * 10**6 <= 2 * scales[k]


@pytest.mark.parametrize(
    ("bids", "pinned"),
    [
        (SHAPES["interval"], {0: 100}),
        (BATCHES["kink in an interval"], {0: 100}),
        ({"a": buys(0, 90, 10**4), "b": sells(0, 80, 10**4)}, {0: 89}),
        ({"a": buys(0, 120, 10**4), "b": sells(0, 110, 10**4)}, {0: 111}),
    ],
    ids=["interval", "with a friend's kink", "below", "above"],
)
def test_clearer_cannot_choose_inside_an_interval(
    bench: Bench, bids: Mapping[str, Bid], pinned: Mapping[int, int]
) -> None:
    """The reference pins what the book leaves open (review 1 §A3.21, review 2 §4)."""
    book = run(bench, 1, bids)
    prices = book.prices()
    for k, price in pinned.items():
        assert abs(prices[k] - price * X84) < X84 // 100 + X84 * (k == 0 and price != 100)
    for other in (85, 89, 91, 95, 99, 101, 105, 109):
        lie = {0: other * X84}
        if abs(lie[0] - prices[0]) > X84:
            error = book.refusal(lie)
            assert error is not None
            assert error[0] == "NotCleared"


@pytest.mark.parametrize("shift", [-5, -1, 1, 5])
def test_pair_prices_cannot_move_together(bench: Bench, shift: int) -> None:
    """Both up by per cent: the pair's own price is unchanged, the maker's is not (review 2 §4)."""
    book = run(bench, 1, SHAPES["pair only"])
    prices = book.prices()
    step = prices[1] * shift // 100
    error = book.refusal({0: prices[0] + step, 1: prices[1] + step})
    assert error is not None
    assert error[0] == "NotCleared"


@every_batch
def test_prices_out_of_the_blue(book: Book) -> None:
    judge, prices = Judge(book), book.prices()
    rng = random.Random(9)
    for k in prices:
        for lie in (0, -prices[k], 2 * prices[k], 2**138 - 1, 1 - 2**138, rng.getrandbits(130)):
            wrong = {**prices, k: lie}
            assert book.refusal(wrong) == judge.error(wrong) != None  # noqa: E711
        for lie in (2**138, -(2**138), 2**255 - 1, -(2**255)):
            assert book.refusal({**prices, k: lie}) == ("PriceOutOfRange", k, lie)


# -------------------------------------------------------------------------------------- accounts


@every_batch
def test_each_account_skipped_repeated_or_out_of_order(book: Book) -> None:
    prices, pairs = book.prices(), book.pairs
    live = len(pairs)
    for i, pair in enumerate(pairs):
        without, twice = [*pairs[:i], *pairs[i + 1 :]], [*pairs[: i + 1], *pairs[i:]]
        assert book.refusal(prices, without) == ("LiveCountMismatch", live - 1, live)
        again = ("AccountsNotAscending", to_checksum_address(pair[0]))
        assert book.refusal(prices, twice) == again
        if i:
            first = ("AccountsNotAscending", to_checksum_address(pairs[0][0]))
            assert book.refusal(prices, [pair, *without]) == first
            swapped = [*pairs[: i - 1], pair, pairs[i - 1], *pairs[i + 1 :]]
            before = ("AccountsNotAscending", to_checksum_address(pairs[i - 1][0]))
            assert book.refusal(prices, swapped) == before
    assert book.refusal(prices, []) == ("LiveCountMismatch", 0, live)
    zero = [(bytes(20), b""), *pairs]
    assert book.refusal(prices, zero) == ("AccountsNotAscending", "0x" + "00" * 20)


@few_batches
def test_foreign_accounts(book: Book) -> None:
    """Strangers, in every place, with their own bytes or with somebody's."""
    prices, pairs = book.prices(), book.pairs
    strangers = [(1).to_bytes(20), b"\xff" * 20, *(bytes.fromhex(address(n)[2:]) for n in range(5))]
    for stranger in strangers:
        for ct in (b"", bytes(90), pairs[0][1]):
            wrong = sorted([*pairs, (stranger, ct)])
            error = ("AccountNotLive", to_checksum_address(stranger))
            assert book.refusal(prices, wrong) == error
        replaced = sorted([(stranger, pairs[0][1]), *pairs[1:]])
        assert book.refusal(prices, replaced) == ("AccountNotLive", to_checksum_address(stranger))


def test_account_that_cancelled_or_was_live_before_is_foreign(bench: Bench) -> None:
    first = run(bench, 1, SHAPES["cross"])
    first.settle(first.prices())
    book = enter(bench, 2, {"c": buys(0, 101, 5), "d": sells(0, 99, 5), "e": buys(0, 101, 1)})
    bench.do(book.names["e"], "cancel")
    bench.go(2, Phase.CLEARING)
    gone = bytes.fromhex(book.names["e"][2:])
    left = Book(bench, 2, {n: book.names[n] for n in "cd"}, [p for p in book.pairs if p[0] != gone])
    prices = left.prices()
    assert left.refusal(prices) is None
    assert left.refusal(prices, book.pairs) == ("AccountNotLive", book.names["e"])
    for old in first.pairs:
        wrong = sorted([*left.pairs, old])
        assert left.refusal(prices, wrong) == ("AccountNotLive", to_checksum_address(old[0]))


LONGEST = 19 * 255  # of what can be sealed


def spoilt(ct: bytes) -> Iterator[bytes]:
    for at in (0, 1, 32, 33, 64, 65, 68, 69, len(ct) // 2, len(ct) - 1):
        if at < len(ct):
            yield ct[:at] + bytes((ct[at] ^ 0x80,)) + ct[at + 1 :]
    yield ct[:-1]
    yield ct[1:]
    yield ct + b"\x00"
    yield b""
    yield ct + ct
    yield bytes(LONGEST)


@few_batches
def test_altered_and_swapped_ciphertexts(book: Book) -> None:
    prices, pairs = book.prices(), book.pairs
    for i, (owner, ct) in enumerate(pairs):
        error = ("WrongCiphertext", to_checksum_address(owner))
        others = [other for j, (_, other) in enumerate(pairs) if j != i]
        for wrong in (*spoilt(ct), *others):
            lie = [*pairs[:i], (owner, wrong), *pairs[i + 1 :]]
            assert book.refusal(prices, lie) == error
        for length in (LONGEST + 1, 65_535):
            lie = [*pairs[:i], (owner, bytes(length)), *pairs[i + 1 :]]
            assert book.refusal(prices, lie) == ("WrongItem", to_checksum_address(owner))


@few_batches
def test_data_that_ends_inside_a_submission(book: Book) -> None:
    bench, prices = book.bench, book.prices()
    data = encode_submissions(book.entries())
    ends = {0, *accumulate(24 + len(ct) for _, ct in book.pairs)}
    head = (1, list(prices), list(prices.values()))
    for cut in range(0, len(data), 7):
        error = bench.refusal(OPERATOR, "settle", *head, data[:cut])
        assert error is not None
        assert error[0] == ("LiveCountMismatch" if cut in ends else "TruncatedData")
    error = bench.refusal(OPERATOR, "settle", *head, data + b"\x01")
    assert error == ("TruncatedData",)
    # a length that reaches past the end of all data
    owner, ct = book.pairs[-1]
    longer = data[: -len(ct) - 4] + (len(ct) + 1).to_bytes(2) + bytes(2) + ct
    assert bench.refusal(OPERATOR, "settle", *head, longer) == ("TruncatedData",)
    assert owner


# -------------------------------------------------------------------------------------- products


@every_batch
def test_products_missing_unused_unsorted_unknown(book: Book) -> None:
    prices = book.prices()
    ids = list(prices)
    if ids:
        without = {k: prices[k] for k in ids[1:]}
        assert book.refusal(without) == ("PriceMissing", ids[0])
        without = {k: prices[k] for k in ids[:-1]}
        assert book.refusal(without) == ("PriceMissing", ids[-1])
    for k in range(6):
        if k not in prices:
            reference = book.bench.product(k).reference << 44
            more = dict(sorted({**prices, k: reference}.items()))
            assert book.refusal(more) == ("PriceUnused", k)
    for unknown in (6, 7, 1_023, 65_535):
        assert book.refusal({**prices, unknown: 0}) == ("UnknownProduct", unknown)
    for a, b in pairwise(ids):
        order_of = [b if k == a else a if k == b else k for k in ids]
        swapped = {k: prices[k] for k in order_of}
        assert book.refusal(swapped) == ("ProductsNotAscending", a)


@few_batches
def test_products_twice_and_lists_of_two_lengths(book: Book) -> None:
    bench, prices = book.bench, book.prices()
    ids, values = list(prices), list(prices.values())
    data = encode_submissions(book.entries())

    def refusal(products: list[int], posted: list[int]) -> Any:
        return bench.refusal(OPERATOR, "settle", 1, products, posted, data)

    for i, k in enumerate(ids):
        twice = ids[: i + 1] + ids[i:]
        assert refusal(twice, values[: i + 1] + values[i:]) == ("ProductsNotAscending", k)
    n = len(ids)
    assert refusal(ids, values[:-1]) == ("LengthMismatch", n, n - 1)
    assert refusal(ids, [*values, 0]) == ("LengthMismatch", n, n + 1)
    assert refusal([], values) == ("LengthMismatch", 0, n)
    assert refusal([], []) in [("PriceMissing", k) for k in ids]


# ---------------------------------------------------------------------------- who, when and twice


@few_batches
def test_who_and_when(book: Book) -> None:
    bench, prices = book.bench, book.prices()
    edges, stranger = bench.schedule.boundaries(1), address("stranger")
    foreign = ("NotOperator", stranger)
    void = ("WrongPhase", 1, Phase.VOID)
    moments: list[tuple[int, Any, Any]] = [
        (edges.reveal_from, None, foreign),
        (edges.key_deadline, None, foreign),
        (edges.exclusive_until - 1, None, foreign),
        (edges.exclusive_until, None, None),
        (edges.deadline - 1, None, None),
        (edges.deadline, void, void),
        (edges.end, void, void),
    ]
    for at, operators, strangers in moments:
        assert book.refusal(prices, at=at) == operators
        assert book.refusal(prices, at=at, sender=stranger) == strangers
    book.settle(prices)
    settled = ("WrongPhase", 1, Phase.SETTLED)
    for at in (bench.chain.now, edges.exclusive_until, edges.deadline, edges.end):
        assert book.refusal(prices, at=at) == settled


def test_before_the_key_is_public(bench: Bench) -> None:
    book = enter(bench, 1, SHAPES["cross"])
    edges = bench.schedule.boundaries(1)
    for at, phase in (
        (edges.start, Phase.OPEN),
        (edges.lock_in, Phase.LOCKED_IN),
        (edges.lock_out, Phase.LOCKED_OUT),
        (edges.reveal_from, Phase.REVEAL),
        (edges.key_deadline, Phase.VOID),
    ):
        assert book.refusal({0: 100 * X84}, at=at) == ("WrongPhase", 1, phase)
    # nor with a secret that is not the batch's
    at = edges.reveal_from
    assert bench.refusal(OPERATOR, "reveal", 1, bench.key(2), at=at) == ("WrongSecret", 1)


def test_another_batch_number(bench: Bench) -> None:
    book = run(bench, 1, SHAPES["cross"])
    for number in (0, 2, 3, 2**32 - 1):
        lie = Book(bench, number, book.names, book.pairs)
        assert lie.refusal({0: 100 * X84}) == ("NothingToSettle", number)


def test_prices_of_the_void_are_their_references(bench: Bench) -> None:
    """A batch without trade cannot move a price either."""
    book = run(bench, 1, BATCHES["voids alone"])
    prices = book.prices()
    for k in prices:
        assert prices[k] == bench.product(k).reference << 44
        for by in (X40, -X40):
            error = book.refusal({**prices, k: prices[k] + by * 2**44})
            assert error is not None
            assert error[:2] == ("NotCleared", k)
