"""Real batches settled on chain and by the twin: equal to the unit in everything they leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from eth_utils.address import to_canonical_address, to_checksum_address

from tests.contract.batches import Bid, Book, buys, enter, order, run, sells, steps
from tests.contract.support import ALL, OPERATOR, UNIT_FEE, Bench, address
from walras.auths import Auth, Leg, Step, Submission
from walras.batch import CASH, AccountState
from walras.clearing.problem import solve_batch
from walras.numbers import X40, X44
from walras.schedule import Phase
from walras.settlement import apply, outcome_hash
from walras.submission import VoidReason, encode

pytestmark = pytest.mark.chain

SHAPES: dict[str, dict[str, Bid]] = {
    "cross": {"a": buys(0, 101, 1000), "b": sells(0, 99, 800)},
    "interval": {"a": buys(0, 110, 1000), "b": sells(0, 90, 1000)},
    "tie": {
        "a": buys(0, 100, 1),
        "b": buys(0, 100, 10),
        "c": buys(0, 100, 1000),
        "d": sells(0, 100, 500),
    },
    "buyers only": {"a": buys(0, 120, 7), "b": buys(3, 900, 5)},
    "sellers only": {"a": sells(0, 80, 7), "b": sells(3, 1100, 5)},
    "no trade": {"a": buys(0, 90, 7), "b": sells(0, 110, 5)},
    "pair only": {
        "a": Bid((order({0: 1, 1: -1}, 63, buy=[1000]),)),
        "b": Bid((order({0: 1, 1: -1}, 58, sell=[700]),)),
    },
    "pairs in a ring": {
        "a": Bid((order({0: 2, 1: -5}, 3, buy=[100, 50]),)),
        "b": Bid((order({1: 25, 3: -1}, 2, buy=[60]),)),
        "c": Bid((order({0: -10, 3: 1}, 5, buy=[40]),)),
    },
    "basket": {
        "a": Bid((order({0: 3, 1: -7, 2: 11, 3: 1, 4: -2, 5: 1}, 1025, buy=[40, 10]),)),
        "b": Bid((order({0: 3, 1: -7, 2: 11, 3: 1, 4: -2, 5: 1}, 980, sell=[55]),)),
        "c": buys(2, 8, 300),
        "d": sells(5, 95, 90),
    },
    "two-sided": {
        "maker": Bid((order({0: 1}, 99, buy=[50, 70], sell=[60]),)),
        "taker": buys(0, 104, 30),
        "both": Bid((order({0: 1}, 101.5, buy=[20]), order({0: 1}, 102, sell=[5, 5]))),
    },
    "negative price": {
        "a": Bid((order({0: 1, 1: 40}, -50, sell=[20]),)),
        "b": Bid((order({0: 1, 1: 40}, -40, buy=[25]),)),
    },
    "zero width and kinks": {
        "a": Bid((Auth((Leg(0, 1),), 105 * X40, 0, (Step(0, X40), Step(9, 0), Step(0, 0)), ()),)),
        "b": Bid((Auth((Leg(0, 1),), 95 * X40, 0, (), (Step(0, 0), Step(4, 1))),)),
    },
    "sizes": {
        "small": buys(5, 101, 1),
        "large": Bid((Auth((Leg(5, 1),), 100 * X40, 0, (), (Step(10**9, 10 * X40),)),)),
        "larger": Bid((Auth((Leg(5, 1),), 102 * X40, 0, (Step(10**9, 10 * X40),), ()),)),
    },
}


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
    receipt = book.settle(book.prices(), stranger)
    pot = 34 * UNIT_FEE
    assert receipt.event("Credited") == {"account": stranger, "amount": pot}
    bench.do(stranger, "claim", stranger)
    assert bench.held(CASH, stranger) == pot * bench.units[CASH] >> 40


# ---------------------------------------------------------------------------------------- voids


def flipped(at: int) -> Any:
    return lambda ct: ct[:at] + bytes((ct[at] ^ 1,)) + ct[at + 1 :]


GOOD = encode(Submission((order({0: 1}, 5, buy=[1]),)))
TWO = encode(Submission((order({0: 1, 2: 1}, 5, buy=[1]),)))
WIDTH_2 = b"\x00\x00\x00\x00\x00\x02" + bytes(14)
MALFORMED = {
    "empty": b"",
    "a byte": b"\x00",
    "cut": GOOD[:-1],
    "a byte too many": GOOD + b"\x00",
    "standing": b"\x01" + GOOD[1:],
    "no product": GOOD[:6] + b"\x00" + GOOD[9:],
    "no auth": GOOD[:9] + b"\x00" + GOOD[10:],
    "a cost": GOOD[:10] + b"\x01" + GOOD[11:],
    "unknown product": GOOD[:7] + b"\x00\x06" + GOOD[9:],
    "product far beyond": GOOD[:7] + b"\xff\xff" + GOOD[9:],
    "products twice": TWO[:7] + b"\x00\x02\x00\x02" + TWO[11:],
    "products descending": TWO[:7] + b"\x00\x02\x00\x00" + TWO[11:],
    "product of no leg": TWO[:14] + b"\x01" + TWO[15:17] + TWO[21:],
    "flags": GOOD[:11] + b"\x01" + GOOD[12:],
    "no leg": GOOD[:12] + b"\x00" + GOOD[13:15] + GOOD[19:],
    "no step": GOOD[:13] + b"\x00" + GOOD[14:35],
    "index beyond the list": GOOD[:15] + b"\x01" + GOOD[16:],
    "legs twice": TWO[:21] + b"\x00" + TWO[22:],
    "weight zero": TWO[:18] + bytes(3) + TWO[21:],
    "weight beyond 2^20": TWO[:18] + b"\x10\x00\x01" + TWO[21:],
    "lone weight not one": GOOD[:16] + b"\x00\x00\x02" + GOOD[19:],
    "price beyond 2^112": GOOD[:19] + (2**112 + 1).to_bytes(16) + GOOD[35:],
    "price below -2^112": GOOD[:19] + (-(2**112) - 1).to_bytes(16, signed=True) + GOOD[35:],
    "width beyond 2^48": GOOD[:13] + b"\x02" + GOOD[14:35] + b"\xff" * 6 + GOOD[41:] + WIDTH_2,
    "curve ends below -2^112": GOOD[:19] + (-(2**112)).to_bytes(16, signed=True) + GOOD[35:],
}


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


VOIDS: dict[str, tuple[Bid, VoidReason]] = {
    "garbage": (Bid(spoil=lambda ct: bytes(range(90)), body=GOOD), VoidReason.UNOPENED),
    "too short to be anything": (Bid(spoil=lambda ct: ct[:68], body=GOOD), VoidReason.UNOPENED),
    "only the magic": (Bid(spoil=lambda ct: ct[:69], body=GOOD), VoidReason.MALFORMED),
    "tag 4": (Bid(spoil=lambda ct: b"\x04" + ct[1:], body=GOOD), VoidReason.UNOPENED),
    "other parity": (Bid(spoil=flipped(0), body=GOOD), VoidReason.UNOPENED),
    "magic flipped": (Bid(spoil=flipped(65), body=GOOD), VoidReason.UNOPENED),
    "R.x = 0": (Bid(spoil=lambda ct: ct[:1] + bytes(32) + ct[33:], body=GOOD), VoidReason.UNOPENED),
    "R.x = 2^256-1": (
        Bid(spoil=lambda ct: ct[:1] + b"\xff" * 32 + ct[33:], body=GOOD),
        VoidReason.UNOPENED,
    ),
    "off the curve": (
        Bid(spoil=lambda ct: ct[:1] + (5).to_bytes(32) + ct[33:], body=GOOD),
        VoidReason.UNOPENED,
    ),
    "too few units": (Bid((order({0: 1}, 5, buy=[1]),), units=14), VoidReason.OVERSIZED),
    "a word too many": (
        Bid((order({0: 1, 2: 1}, 5, buy=[1]),), units=24, home=4),
        VoidReason.OVERSIZED,
    ),
    "expired": (
        Bid((order({0: 1}, 5, buy=[1]),), valid_until=2_000_001_399),
        VoidReason.EXPIRED,
    ),
    "cash short by a unit": (Bid((order({0: 1}, 5, buy=[1]),), short=1), VoidReason.UNCOVERED),
    "selling what one has not": (
        Bid(body=encode(Submission((order({0: 1}, 5, sell=[1]),))), held=((0, 0),), spare=100),
        VoidReason.UNCOVERED,
    ),
    "short of one leg": (
        Bid(body=encode(Submission((order({0: 1, 1: -1}, 0, buy=[3]),))), held=((1, 2),)),
        VoidReason.UNCOVERED,
    ),
}


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
    wide = tuple(order(WORDS, 1_000 + n, buy=[1] * 3, sell=[1] * 2) for n in range(20))
    names = sorted((f"n{n}" for n in range(12)), key=lambda n: to_canonical_address(address(n)))
    bids = {}
    for place, name in enumerate(names):
        bids[name] = Bid(wide, home=place % 6) if place % 2 == 0 else buys(place % 6, 110, 3)
    bids[names[3]] = Bid(body=b"")
    bids[names[5]] = Bid(body=GOOD[:20], spare=9)
    book = run(bench, 1, bids)
    settled_as_twin(book, solve_batch(*book.opened()))


def test_state_is_what_the_twin_was_given(bench: Bench) -> None:
    """The bench reads accounts as the operator's own reader would."""
    book = run(bench, 1, {"a": Bid((order({0: 1}, 5, buy=[1]),), home=3, held=((2, 4),))})
    (account,) = book.state().accounts
    assert isinstance(account, AccountState)
    assert account.lots == {3: X44, 2: 4 * X44}
    assert account.home == 3
