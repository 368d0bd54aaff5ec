"""Real batches settled on chain and by the twin: equal to the unit in everything they leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from eth_utils.address import to_canonical_address, to_checksum_address

from tests.contract.batches import Bid, Book, buys, enter, order, run, sells, steps
from tests.contract.shapes import GOOD, MALFORMED, SHAPES, VOIDS
from tests.contract.support import ALL, OPERATOR, UNIT_FEE, Bench, address
from walras.auths import Auth, Leg, Step, Submission
from walras.batch import CASH, AccountState
from walras.clearing.problem import solve_batch
from walras.numbers import X40, X44
from walras.schedule import Phase
from walras.settlement import apply, outcome_hash
from walras.submission import VoidReason, encode

pytestmark = pytest.mark.chain


@pytest.mark.parametrize("shape", SHAPES)
def test_chain_and_twin_agree_to_the_unit(bench: Bench, shape: str) -> None:
    book = run(bench, 1, SHAPES[shape])
    settled_as_twin(book)


def settled_as_twin(book: Book, prices: Mapping[int, int] | None = None) -> None:
    """Settle on chain and compare all that is left with what the twin says."""
    bench, before = book.bench, book.state()
    prices = book.prices() if prices is None else prices
    settlement = book.twin(prices)
    after = apply(before, settlement)
    pot = bench.batch()["pot"]
    receipt = book.settle(prices)

    assert book.state().accounts == tuple(without_zeros(a) for a in after.accounts)
    assert book.state().products == after.products
    assert bench.treasury()["house_cash"] == after.house_cash
    assert bench.look("outcome", book.batch) == outcome_hash(list(prices), list(prices.values()))
    assert bench.look("phase", book.batch) == Phase.SETTLED
    assert receipt.event("Settled") == {
        "batch": book.batch,
        "settler": OPERATOR,
        "products": tuple(prices),
        "prices": tuple(prices.values()),
        "volumes": tuple(settlement.volumes[k] for k in prices),
        "live": len(before.accounts),
        "voids": len(settlement.voids),
        "loss": settlement.loss_x40,
        "freedom": settlement.freedom_x40,
    }
    voided = {e.args["account"]: e.args["reason"] for e in receipt.events if e.name == "Voided"}
    assert voided == {to_checksum_address(a): r for a, r in settlement.voids.items()}
    assert receipt.event("Credited") == {"account": OPERATOR, "amount": pot}
    state = bench.batch()
    assert (state["pot"], state["settled"], state["live"]) == (0, True, len(before.accounts))
    bench.check_books()


def without_zeros(account: AccountState) -> AccountState:
    return replace(account, lots={k: held for k, held in account.lots.items() if held})


def test_second_batch_starts_from_what_the_first_left(bench: Bench) -> None:
    settled_as_twin(run(bench, 1, SHAPES["cross"]))
    assert bench.product(0).reference != 100 * X40
    book = enter(bench, 2, {"a": sells(0, 98, 100), "c": buys(0, 103, 90), "b": buys(3, 1000, 1)})
    bench.go(2, Phase.CLEARING)
    settled_as_twin(book)


def test_settler_takes_the_pot(bench: Bench) -> None:
    book = run(bench, 1, SHAPES["cross"])
    bench.go(1, Phase.FALLBACK)
    stranger = address("stranger")
    pot = bench.batch()["pot"]
    assert pot == bench.batch()["units"] * UNIT_FEE
    receipt = book.settle(book.prices(), stranger)
    assert receipt.event("Credited") == {"account": stranger, "amount": pot}
    bench.do(stranger, "claim", stranger)
    assert bench.held(CASH, stranger) == pot * bench.units[CASH] >> 40


# ---------------------------------------------------------------------------------------- voids


def reasons(book: Book) -> dict[str, VoidReason | None]:
    """By the name of the bid, as the twin sees it."""
    _, opened = book.opened()
    found = {str(to_checksum_address(one.account.address)): one.reason for one in opened}
    return {name: found[owner] for name, owner in book.names.items()}


def test_malformed_bodies_void_their_senders_alone(bench: Bench) -> None:
    bad = {kind: Bid(body=body, spare=9, units=30) for kind, body in MALFORMED.items()}
    book = run(bench, 1, {**SHAPES["cross"], **bad})
    expected = {**dict.fromkeys(SHAPES["cross"]), **dict.fromkeys(bad, VoidReason.MALFORMED)}
    assert reasons(book) == expected
    settled_as_twin(book)


def test_every_other_reason_to_be_void(bench: Bench) -> None:
    book = run(bench, 1, {**SHAPES["cross"], **{kind: bid for kind, (bid, _) in VOIDS.items()}})
    expected = {kind: reason for kind, (_, reason) in VOIDS.items()}
    assert reasons(book) == {**dict.fromkeys(SHAPES["cross"]), **expected}
    settled_as_twin(book)


def test_just_enough_of_everything_trades(bench: Bench) -> None:
    one = (order({0: 1}, 5, buy=[1]),)
    two = (order({0: 1, 2: 1}, 5, buy=[1]),)
    bids = {
        "units": Bid(one),
        "words": Bid(two, home=4),
        "valid": Bid(one, valid_until=2_000_001_400),
        "lots": Bid(body=encode(Submission((order({0: 1, 1: -1}, 0, buy=[3]),))), held=((1, 3),)),
    }
    book = run(bench, 1, bids)
    _, opened = book.opened()
    assert [one.reason for one in opened] == [None] * 4
    settled_as_twin(book)


def test_copied_ciphertext_opens_for_nobody_else(bench: Bench) -> None:
    """It has one meaning: its author's order, in his batch (review 1 §A1.2)."""
    book = enter(bench, 1, SHAPES["cross"])
    stolen = dict(book.pairs)[to_canonical_address(book.names["a"])]
    copy = enter(bench, 1, {"thief": Bid(body=GOOD, spoil=lambda ct: stolen, spare=200_000)})
    bench.go(1, Phase.CLEARING)
    both = book.joined(copy)
    _, opened = both.opened()
    assert [one.reason for one in opened if one.reason] == [VoidReason.UNOPENED]
    settled_as_twin(both)


def test_replayed_ciphertext_of_the_last_batch_opens_no_more(bench: Bench) -> None:
    first = run(bench, 1, SHAPES["cross"])
    first.settle(first.prices())
    old = dict(first.pairs)[to_canonical_address(first.names["a"])]
    bids = {"a": Bid(body=GOOD, spoil=lambda ct: old), "b": sells(0, 90, 10)}
    book = enter(bench, 2, bids)
    bench.go(2, Phase.CLEARING)
    _, opened = book.opened()
    assert [one.reason for one in opened if one.reason] == [VoidReason.UNOPENED]
    settled_as_twin(book)


def test_amended_submission_is_the_last_one(bench: Bench) -> None:
    book = enter(bench, 1, SHAPES["cross"])
    amended = enter(bench, 1, {"a": buys(0, 102, 500)})
    bench.go(1, Phase.CLEARING)
    old = book.refusal({0: 100 << 84})
    assert old == ("WrongCiphertext", book.names["a"])
    pairs = sorted({**dict(book.pairs), **dict(amended.pairs)}.items())
    settled_as_twin(Book(bench, 1, book.names, pairs))


def test_all_void_batch_settles_at_its_references(bench: Bench) -> None:
    bids = {
        "a": Bid((order({0: 1, 3: 2}, 50, buy=[9]),), short=1),
        "b": Bid(body=b"junk"),
        "c": Bid((order({4: 1}, 50, buy=[9]),), valid_until=1),
    }
    book = run(bench, 1, bids)
    prices = book.prices()
    assert prices == {k: bench.product(k).reference << 44 for k in (0, 3, 4)}
    settled_as_twin(book)


# ------------------------------------------------------------------------------ homes and words

WORDS = {0: 1, 1: 2, 2: 1, 3: 1, 5: 4}


@pytest.mark.parametrize("home", [None, 0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_every_home_among_pair_words(bench: Bench, home: int | None, side: str) -> None:
    """Even, odd and lone halves of words, with further balances beside what trades."""
    mine = order(WORDS, 1600, buy=[10]) if side == "buy" else order(WORDS, 1500, sell=[10])
    yours = order(WORDS, 1400, sell=[9]) if side == "buy" else order(WORDS, 1700, buy=[9])
    beside = ((4, 77), (2, 5)) if home is not None else ()
    bids = {"mine": Bid((mine,), home=home, held=beside), "yours": Bid((yours,))}
    settled_as_twin(run(bench, 1, bids))


def test_first_product_of_the_list_becomes_home_even_unfilled(bench: Bench) -> None:
    bids = {
        "new": Bid((order({1: 1}, 1, buy=[5]), order({3: 1}, 1100, buy=[5]))),
        "none": buys(2, 1, 5),
        "b": sells(3, 900, 5),
    }
    book = run(bench, 1, bids)
    settled_as_twin(book)
    assert bench.account(book.names["new"])["home_product"] == 2
    assert bench.account(book.names["none"])["home_product"] == 3


def test_lots_bought_for_nothing_are_not_lost(bench: Bench) -> None:
    """A first product without a fill, and another at price zero, so that no cash moves either."""
    first, drop = 10_239 << 30, 20_480 << 30
    tick = bench.product(1).tick
    free = Auth((Leg(1, 1),), first, 0, (Step(20, drop - max(tick, 20)),), ())
    gift = Auth((Leg(1, 1),), -1_000 * X40, 0, (), steps([10]))
    bids = {"x": Bid((order({0: 1}, 1, buy=[1]), free)), "y": Bid((gift,), spare=20_000)}
    book = run(bench, 1, bids)
    x = book.names["x"]
    cash = bench.balance(x, CASH)
    settled_as_twin(book, {**book.prices(), 1: 0})
    got = bench.balance(x, 1)
    assert got == 10 * X44 - (1 << 34)
    assert bench.balance(x, CASH) == cash
    bench.deposit(x, 1, bench.units[1])
    assert bench.balance(x, 1) == got + X44
    bench.do(x, "withdraw", 1, ALL, x)
    assert bench.held(1, x) == (got + X44) * bench.units[1] >> 44


def test_void_submission_gives_no_home(bench: Bench) -> None:
    book = run(bench, 1, {**SHAPES["cross"], "bad": Bid((order({4: 1}, 5, buy=[1]),), short=1)})
    settled_as_twin(book)
    assert bench.account(book.names["bad"])["home_product"] == 0


def test_long_submission_leaves_nothing_for_the_next_reader(bench: Bench) -> None:
    """Memory is used again for every account: a short one after the longest possible one."""
    wide = tuple(order(WORDS, 1_000 + n, buy=[1] * 3, sell=[1] * 2) for n in range(8))
    names = sorted((f"n{n}" for n in range(8)), key=lambda n: to_canonical_address(address(n)))
    bids = {}
    for place, name in enumerate(names):
        bids[name] = Bid(wide, home=place % 6) if place % 2 == 0 else buys(place % 6, 110, 3)
    bids[names[3]] = Bid(body=b"")
    bids[names[5]] = Bid(body=GOOD[:20], spare=9)
    book = run(bench, 1, bids)
    settled_as_twin(book, solve_batch(*book.opened()).prices)


def test_state_is_what_the_twin_was_given(bench: Bench) -> None:
    """The bench reads accounts as the operator's own reader would."""
    book = run(bench, 1, {"a": Bid((order({0: 1}, 5, buy=[1]),), home=3, held=((2, 4),))})
    (account,) = book.state().accounts
    assert isinstance(account, AccountState)
    assert account.lots == {3: X44, 2: 4 * X44}
    assert account.home == 3
