"""The attacks that two reviews of the design ran against its drafts, each against what was built.

A docstring names the review and the number of its finding. Attacks that are a whole subject have
their tests there: decoding in tests/differential, prices in test_lying_clearer, tokens and freeze
in tests/contract.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest
from eth_utils.address import to_canonical_address, to_checksum_address

from tests.adversarial.test_lying_clearer import Judge, moved
from tests.contract.batches import Bid, Book, buys, ciphertext, enter, order, run, sells
from tests.contract.chunks import FRESH, NOBODY
from tests.contract.node import GAS_LIMIT, Chain
from tests.contract.shapes import SHAPES
from tests.contract.support import (
    ALL,
    OPERATOR,
    UNIT_FEE,
    Bench,
    address,
    copy_of,
    list_product,
    new_libraries,
    new_market,
    new_token,
    storage_slot,
)
from walras.auths import Auth, Cost, Leg, Limits, Step, Submission, Term
from walras.batch import CASH
from walras.clearing.problem import solve_batch
from walras.numbers import UNIT_GAS, X40, X44, X84
from walras.schedule import Phase
from walras.sealing import GROUP_ORDER, keccak256, seal_hash
from walras.settlement import encode_submissions
from walras.submission import VoidReason, decode, encode, required_units, word_gas

pytestmark = pytest.mark.chain

FIELD = 2**256 - 2**32 - 977
STRANGER = address("stranger")


def voids(book: Book) -> dict[str, VoidReason | None]:
    _, opened = book.opened()
    found = {str(to_checksum_address(one.account.address)): one.reason for one in opened}
    return {name: found[owner] for name, owner in book.names.items()}


# ---------------------------------------------------------------------------------------- sealing


def test_nothing_published_with_a_seal_is_its_key(bench: Bench) -> None:
    """Review 1 §A1.1: without distinct tags a public hash is the secret scalar."""
    book = enter(bench, 1, {"a": buys(0, 100, 3)})
    ((owner, ct),) = book.pairs
    published = [seal_hash(bench.id(1), ct), bench.account(book.names["a"])["seal_hash"]]
    tail = ct[33:]
    for word in published:
        scalar = int.from_bytes(word) % GROUP_ORDER
        for key in (word, scalar.to_bytes(32)):
            stream = b"".join(keccak256(TAG_STREAM + key + i.to_bytes(32)) for i in range(8))
            assert bytes(x ^ y for x, y in zip(tail, stream, strict=False))[32:36] != b"WAL1"
    assert owner


TAG_KEY, TAG_STREAM = keccak256(b"walras.key.v1"), keccak256(b"walras.stream.v1")


def test_bidder_cannot_choose_his_order_after_seeing_the_book(bench: Bench) -> None:
    """Review 1 §A1.2: decryption of the sealed bytes is the only opening, also for the clearer."""
    book = run(bench, 1, {**SHAPES["cross"], "late": Bid(body=b"", spoil=lambda ct: bytes(120))})
    late = book.names["late"]
    better = ciphertext(bench, 1, late, buys(0, 120, 5))
    told = sorted({**dict(book.pairs), to_canonical_address(late): better}.items())
    assert book.refusal(book.prices(), told) == ("WrongCiphertext", late)
    plain = encode(Submission((order({0: 1}, 5, buy=[1]),)))
    told = sorted({**dict(book.pairs), to_canonical_address(late): plain}.items())
    assert book.refusal(book.prices(), told) == ("WrongCiphertext", late)
    assert voids(book)["late"] is VoidReason.UNOPENED
    book.settle(book.prices())


def shared_address(secret: int, point: bytes) -> bytes:
    from coincurve import PublicKey  # noqa: PLC0415

    key = PublicKey(point).multiply(secret.to_bytes(32)).format(compressed=False)
    return keccak256(key[1:])[12:]


def masked(shared: bytes, point: bytes, owner: str, batch: bytes, body: bytes) -> bytes:
    """A ciphertext made by somebody who knows the shared secret, not its scalar."""
    account = to_canonical_address(owner)
    key = keccak256(TAG_KEY + shared.rjust(32, b"\x00") + point + account + batch)
    message = bytes(32) + b"WAL1" + body
    stream = b"".join(keccak256(TAG_STREAM + key + i.to_bytes(32)) for i in range(40))
    return point + bytes(x ^ y for x, y in zip(message, stream, strict=False))


def always(ct: bytes) -> Callable[[bytes], bytes]:
    return lambda _: ct


BODY = encode(Submission((order({0: 1}, 120, buy=[5]),)))


def test_points_that_ecrecover_refuses_open_nowhere(bench: Bench) -> None:
    """Review 1 §A1.3: R.x in [n, p) lies on the curve for libraries, not for the chain."""
    x = next(x for x in range(GROUP_ORDER, FIELD) if pow(x**3 + 7, (FIELD - 1) // 2, FIELD) == 1)
    point = b"\x02" + x.to_bytes(32)
    shared = shared_address(bench.key(1), point)
    forged = masked(shared, point, address("forger"), bench.id(1), BODY)
    bids = {**SHAPES["cross"], "forger": Bid(body=BODY, spoil=lambda _: forged, spare=100_000)}
    book = run(bench, 1, bids)
    assert voids(book)["forger"] is VoidReason.UNOPENED
    receipt = book.settle(book.prices())
    assert receipt.event("Voided")["reason"] == VoidReason.UNOPENED


def test_failed_ecrecover_does_not_reuse_the_secret_before_it(bench: Bench) -> None:
    """Review 1 §A1.4: the word of the last call survives a call that returns nothing."""
    names = sorted(("first", "second"), key=lambda n: to_canonical_address(address(n)))
    book = enter(bench, 1, {names[0]: buys(0, 101, 9), "seller": sells(0, 90, 9)})
    honest = dict(book.pairs)[to_canonical_address(address(names[0]))]
    off = next(x for x in range(5, 99) if pow(x**3 + 7, (FIELD - 1) // 2, FIELD) != 1)
    point = b"\x02" + off.to_bytes(32)
    for shared in (shared_address(bench.key(1), honest[:33]), bytes(20)):
        forged = masked(shared, point, address(names[1]), bench.id(1), BODY)
        bid = Bid(body=BODY, spoil=always(forged), spare=100_000)
        with bench.chain.undone():
            both = book.joined(enter(bench, 1, {names[1]: bid}))
            bench.go(1, Phase.CLEARING)
            assert voids(both)[names[1]] is VoidReason.UNOPENED
            receipt = both.settle(both.prices())
            assert receipt.event("Voided")["account"] == address(names[1])


def test_key_is_bound_to_what_bidders_read(bench: Bench) -> None:
    """Review 1 §A1.5: a secret of another point with the same address end would be none at all."""
    x, y = public_point(bench.key(1))
    assert bench.look("keyHash", 1) == keccak256(x.to_bytes(32) + y.to_bytes(32))
    at = bench.time(1, Phase.REVEAL)
    wrong = GROUP_ORDER - bench.key(1)
    assert bench.refusal(OPERATOR, "reveal", 1, wrong, at=at) == ("WrongSecret", 1)


def public_point(secret: int) -> tuple[int, int]:
    from walras.sealing import public_key  # noqa: PLC0415

    return public_key(secret)


def test_late_seal_does_not_fall_into_the_next_batch(bench: Bench) -> None:
    """Review 1 §A1.6: it would be readable there with the key of its own batch."""
    owner = bench.endow(STRANGER, cash=10_000)
    for phase in (Phase.LOCKED_OUT, Phase.REVEAL):
        at = bench.time(1, phase)
        assert bench.refusal(owner, "seal", 10, bytes(80), 1, at=at) == ("WrongPhase", 1, phase)
    at = bench.time(2, Phase.OPEN)
    assert bench.refusal(owner, "seal", 10, bytes(80), 1, at=at) == ("NotCurrent", 1, 2)


def test_binding_is_all_256_bits_of_the_hash(bench: Bench) -> None:
    """Review 1 §A1.9: a cut hash gives two openings."""
    book = run(bench, 1, {"a": buys(0, 100, 3)})
    ((owner, ct),) = book.pairs
    stored = bench.account(book.names["a"])["seal_hash"]
    assert stored == seal_hash(bench.id(1), ct)
    assert stored != seal_hash(bench.id(2), ct)
    place = keccak256(owner.rjust(32, b"\x00") + int(storage_slot("ledger"), 16).to_bytes(32))
    slot = hex(int.from_bytes(place) + 1)
    assert bench.chain.rpc("eth_getStorageAt", bench.market, slot, "latest") == "0x" + stored.hex()
    prices = book.prices()
    for bit in range(0, 256, 5):
        other = int.from_bytes(stored) ^ 1 << bit
        value = "0x" + other.to_bytes(32).hex()
        bench.chain.rpc("anvil_setStorageAt", bench.market, slot, value)
        assert book.refusal(prices) == ("WrongCiphertext", book.names["a"])


# ------------------------------------------------------------------------------- liveness, bonds


def test_voiding_oneself_never_pays(bench: Bench) -> None:
    """Review 1 §A2.10: operator alone in the batch, closes it himself, collects everything due."""
    owners = [bench.endow(address(f"own {n}"), cash=10**6) for n in range(20)]
    wealth = bond_and_cash(bench, owners)
    bench.go(1, Phase.OPEN)
    for owner in owners:
        bench.do(owner, "seal", 10, bytes(80), 1)
    bench.go(1, Phase.VOID)
    bench.do(OPERATOR, "closeVoid", 1)
    for owner in owners:
        bench.do(owner, "compensate", owner)
    lost = wealth - bond_and_cash(bench, owners)
    assert lost >= 200_000 * X40
    # each account got no more than its seal cost
    assert bench.parameters["compensation"] * X40 <= 10 * UNIT_FEE


def bond_and_cash(bench: Bench, owners: list[str]) -> int:
    claims = (bench.balance(o, CASH) + bench.look("claimable", o) for o in (*owners, OPERATOR))
    return bench.treasury()["bond"] + int(sum(claims))


def test_bond_cannot_leave_by_sealing_and_cancelling_first(bench: Bench) -> None:
    """Review 1 §A2.10: whoever seals after the bond left would be unprotected."""
    enter(bench, 1, {"decoy": buys(0, 100, 1)})
    bench.do(address("decoy"), "cancel")
    bench.do(OPERATOR, "drawBond", ALL, OPERATOR)
    victim = bench.endow(STRANGER, cash=10_000)
    short = ("BondShort", 0, 200_000 * X40)
    assert bench.refusal(victim, "seal", 10, bytes(80), 1) == short


def test_last_second_reveal_leaves_everybody_their_window(bench: Bench) -> None:
    """Review 1 §A2.11: T3 - T2 counts from T1, not from the reveal."""
    book = enter(bench, 1, SHAPES["cross"])
    edges = bench.schedule.boundaries(1)
    bench.chain.warp(edges.key_deadline - 1)
    bench.do(OPERATOR, "reveal", 1, bench.key(1))
    bench.chain.warp(edges.exclusive_until)
    assert edges.deadline - edges.exclusive_until >= 2 * bench.parameters["block_time"]
    prices = book.prices()
    assert book.refusal(prices, sender=STRANGER, at=edges.deadline - 1) is None
    book.settle(prices, STRANGER)


def test_one_lumpy_order_cannot_stop_a_batch(bench: Bench) -> None:
    """Review 1 §A2.12: a unit of 2^20 lots meets sellers of single lots; fills are fractional."""
    lump = Auth((Leg(2, 2**20), Leg(4, 1)), 9 * 2**20 * X40, 0, (Step(1, 0),), ())
    bids = {"lump": Bid((lump,)), "s": sells(2, 7, 999), "t": sells(4, 100, 3)}
    book = run(bench, 1, bids)
    prices = book.prices()
    fills = book.twin(prices).fills[to_canonical_address(book.names["lump"])]
    assert 0 < fills[2] < 2**20 * X44
    assert fills[2] == fills[4] << 20
    book.settle(prices)


def test_full_ledgers_take_every_fill(bench: Bench) -> None:
    """Review 1 §A2.13: an account at the custody cap buys what is left of the product."""
    listing = bench.look("listing", 5)
    room = (listing[3] - listing[2]) // X44
    rich = replace(buys(5, 110, 50), held=((5, room - 50),))
    book = run(bench, 1, {"rich": rich, "s": sells(5, 90, 50)})
    book.settle(book.prices())
    assert bench.balance(book.names["rich"], 5) > (room - 1) * X44


def test_nothing_done_after_lock_out_moves_a_settlement(bench: Bench) -> None:
    """Review 1 §A2.14: settlement reads only what lock-out fixed."""
    idle = bench.endow(STRANGER, cash=50, p0=50)
    book = enter(bench, 1, SHAPES["cross"])
    bench.go(1, Phase.CLEARING)
    prices = book.prices()
    expected = book.twin(prices)
    for asset in (CASH, 0):
        bench.deposit(idle, asset, bench.units[asset])
        bench.do(idle, "withdraw", asset, bench.units[asset], idle)
        bench.supply(idle, asset, 2 * bench.units[asset])
        bench.do(idle, "fundHouse", asset, bench.units[asset])
    bench.do(idle, "addBond", bench.units[CASH])
    list_product(bench, new_token(bench.chain), 1, 100)
    bench.do(idle, "reportLeak", 2, bench.key(2))
    receipt = book.settle(prices)
    event = receipt.event("Settled")
    assert (event["loss"], event["freedom"]) == (expected.loss_x40, expected.freedom_x40)
    for owner in book.names.values():
        fill = expected.fills[to_canonical_address(owner)][0]
        assert abs(fill) > 0
        assert bench.balance(owner, 0) == (fill if fill > 0 else 800 * X44 + fill)


def test_cancelled_seals_pay_and_capacity_is_dear(bench: Bench) -> None:
    """Review 1 §A2.16, review 2 §11: filling a batch costs its fees, and a part is burnt."""
    owner = bench.endow(STRANGER, cash=10**6)
    bench.go(1, Phase.OPEN)
    for _ in range(5):
        bench.do(owner, "seal", 10, bytes(80), 1)
        bench.do(owner, "cancel")
    assert bench.balance(owner, CASH) == (10**6 * X40) - 50 * UNIT_FEE
    spent = 0
    for n in range(10):
        filler = bench.endow(address(f"filler {n}"), cash=10**7)
        bench.do(filler, "seal", 200, bytes(80), 1)
        spent += 10**7 * X40 - bench.balance(filler, CASH)
    burnt = bench.treasury()["burnt"]
    fees = 2_000 * UNIT_FEE
    assert spent == fees + burnt
    # the last five pay 1, 3, 7, 7 (of 8 eighths: 5.6, 6.4 …) and 15 times on top
    assert burnt >= 5 * fees // 10


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
def wide_market(chain: Chain) -> Iterator[Bench]:
    """A market of 32 products and the most capacity, before its first batch."""
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


def test_void_needs_no_loop_and_no_call(bench: Bench) -> None:
    """Review 1 §A2.18: all are free by the clock, and closing costs the same for any number."""
    costs = []
    for live in (1, 40):
        with bench.chain.undone():
            owners = [bench.endow(address(f"o{n}"), cash=10**5) for n in range(live)]
            bench.go(1, Phase.OPEN)
            for owner in owners:
                bench.do(owner, "seal", 10, bytes(80), 1)
            bench.go(1, Phase.VOID)
            assert all(bench.refusal(o, "withdraw", CASH, 1, o) is None for o in owners)
            costs.append(bench.do(STRANGER, "closeVoid", 1).gas)
    assert abs(costs[0] - costs[1]) < 500
    assert max(costs) <= 150_000


def test_early_settlement_does_not_move_the_clock(bench: Bench) -> None:
    """Review 1 §A2.19: one clock, absolute."""
    book = run(bench, 1, SHAPES["cross"])
    book.settle(book.prices())
    owner = bench.endow(STRANGER, cash=10_000)
    end = bench.schedule.boundaries(1).end
    assert bench.refusal(owner, "seal", 10, bytes(80), 2, at=end - 1) == ("NotCurrent", 2, 1)
    assert bench.refusal(owner, "seal", 10, bytes(80), 2, at=end) is None


# -------------------------------------------------------------------------------- discretion, house


@pytest.mark.parametrize("shape", ["cross", "interval", "basket", "pair only"])
def test_event_bounds_what_another_accepted_price_could_have_moved(
    bench: Bench, shape: str
) -> None:
    """Review 1 §A3.22: transfer is first order, so the event states it in cash."""
    book = run(bench, 1, SHAPES[shape])
    prices = book.prices()
    judge, settlement = Judge(book), book.twin(prices)
    for k in prices:
        for way in ({k: 1}, {k: -1}):
            n = judge.reach(prices, way)
            other = book.twin(moved(prices, way, n))
            transfer = sum(abs(other.cash[a] - settlement.cash[a]) for a in settlement.cash)
            assert transfer <= 2 * (settlement.freedom_x40 + len(prices) * len(settlement.cash))


def test_wash_trades_do_not_widen_the_tolerance(bench: Bench) -> None:
    """Review 1 §A3.24: two own accounts trade a pair in any size; the freedom stays dust."""
    wash = (
        Auth((Leg(0, 1), Leg(1, 1)), 140 * X40, 0, (Step(10**5, 0),), ()),
        Auth((Leg(0, 1), Leg(1, 1)), 139 * X40, 0, (), (Step(10**5, 0),)),
    )
    bids = {**SHAPES["interval"], "w1": Bid(wash[:1]), "w2": Bid(wash[1:])}
    book = run(bench, 1, bids)
    prices = book.prices()
    n = Judge(book).reach(prices, {0: 1})
    assert n * 10**9 < 100 * X84


def test_house_cannot_be_sold_to_oneself(bench: Bench) -> None:
    """Review 1 §A3.25: alone in a product, at a price of one's choosing."""
    book = run(bench, 1, {"lone": buys(0, 150, 10**4)})
    for price in (0, X84, 50 * X84, 100 * X84, 149 * X84):
        error = book.refusal({0: price}, sender=OPERATOR)
        assert error is not None
        assert error[0] == "NotCleared"
    assert bench.refusal(OPERATOR, "drawHouse", 0, 1, OPERATOR) == ("Unfinished", 1)
    prices = book.prices()
    given = -book.twin(prices).house[0]
    book.settle(prices)
    # half the scale above the reference: 2^-11 lot, at the dearer price
    assert 0 < given <= X44 >> 11


def test_tied_orders_share_in_proportion_to_size(bench: Bench) -> None:
    """Review 1 §A3.26: nobody buys priority with a narrower ramp, the contract builds them all."""
    book = run(
        bench, 1, {**{f"b{n}": flat(0, 100, n) for n in (1, 10, 1000)}, "s": sells(0, 90, 500)}
    )
    fills = book.twin(book.prices()).fills
    got = {n: fills[to_canonical_address(address(f"b{n}"))][0] for n in (1, 10, 1000)}
    assert abs(got[10] - 10 * got[1]) <= 10
    assert abs(got[1000] - 1000 * got[1]) <= 1000
    book.settle(book.prices())


def flat(k: int, price: int, lots: int) -> Bid:
    return Bid((Auth((Leg(k, 1),), price * X40, 0, (Step(lots, 0),), ()),))


def test_reference_cannot_be_bought(bench: Bench) -> None:
    """Review 1 §A3.27, review 2 §8: a wash trade at ten times the price moves it 0.5 %."""
    thin = list_product(bench, new_token(bench.chain), 1, 100, depth_log2=0)
    house = 1 << bench.product(thin).house_log2
    bench.supply(OPERATOR, thin, 2 * house)
    bench.do(OPERATOR, "fundHouse", thin, 2 * house)
    cash = bench.look("leastHouseCash") // X40 * bench.units[CASH]
    bench.supply(OPERATOR, CASH, cash)
    bench.do(OPERATOR, "fundHouse", CASH, cash)
    for batch, limit in ((1, 100.5), (2, 101)):
        book = enter(bench, batch, {"a": flat(thin, 1_000, 10**4), "b": sells(thin, 999, 10**5)})
        bench.go(batch, Phase.CLEARING)
        book.settle(book.prices())
        assert bench.product(thin).reference == int(limit * X40)


def test_uncovered_order_is_not_filled_even_where_a_small_fill_would_fit(bench: Bench) -> None:
    """Review 1 §A3.28: status is computed, not claimed."""
    book = run(bench, 1, {**SHAPES["cross"], "short": replace(buys(0, 120, 1000), short=1)})
    prices = book.prices()
    settlement = book.twin(prices)
    assert settlement.voids == {to_canonical_address(book.names["short"]): VoidReason.UNCOVERED}
    other = exact_without_status(book)
    error = book.refusal(other)
    assert error is not None
    assert error[0] == "NotCleared"


def exact_without_status(book: Book) -> dict[int, int]:
    """The prices of a clearer that pretends everybody was covered."""
    from tests.contract.batches import exact_prices  # noqa: PLC0415

    state, opened = book.opened()
    return exact_prices(state, [replace(one, reason=None) for one in opened])


def test_expiry_is_against_the_schedule_not_the_settlement(bench: Bench) -> None:
    """Review 1 §A3.28: the clearer's moment decides nothing."""
    out = bench.schedule.boundaries(1).lock_out
    order_ = buys(0, 120, 10).auths
    bids = {"in": Bid(order_, valid_until=out), "out": Bid(order_, valid_until=out - 1)}
    book = run(bench, 1, {**bids, "s": sells(0, 90, 30)})
    prices = book.prices()
    for at in (bench.chain.now, bench.time(1, Phase.FALLBACK)):
        assert book.refusal(prices, at=at) is None
    assert voids(book) == {"in": None, "out": VoidReason.EXPIRED, "s": None}


def test_opposite_order_of_a_second_account_nets_out(bench: Bench) -> None:
    """Review 1 §A4.31: the documented price of committing on entry is double escrow."""
    book = enter(bench, 1, {"a": flat(0, 100, 10)})
    bench.go(1, Phase.LOCKED_IN)
    second = Bid((Auth((Leg(0, 1),), 50 * X40, 0, (), (Step(10, 0),)),))
    both = book.joined(enter(bench, 1, {"b": second}))
    bench.go(1, Phase.CLEARING)
    fills = both.twin(both.prices()).fills
    got = {n: fills[to_canonical_address(o)][0] for n, o in both.names.items()}
    assert abs(got["a"] + got["b"]) <= X44 >> 10


def test_selling_a_portfolio_of_negative_value_needs_cash(bench: Bench) -> None:
    """Review 1 §A5.34: what binds on a sale is -m(0-)."""
    auth = order({0: 1, 1: -10}, -250, sell=[4])
    body = encode(Submission((auth,)))
    held = ((0, 4),)
    poor = Bid(body=body, units=60, held=held, spare=999)
    fine = Bid(body=body, units=60, held=held, spare=1_000)
    book = run(bench, 1, {"poor": poor, "fine": fine})
    assert voids(book) == {"poor": VoidReason.UNCOVERED, "fine": None}
    book.settle(book.prices())


def test_house_and_bond_leave_by_their_own_way_at_the_end(bench: Bench) -> None:
    """Review 1 §A5.37: after a settlement the operator closes the market down to the least."""
    book = run(bench, 1, SHAPES["cross"])
    book.settle(book.prices())
    bench.do(OPERATOR, "drawBond", ALL, OPERATOR)
    for asset in (CASH, *range(6)):
        bench.do(OPERATOR, "drawHouse", asset, ALL, OPERATOR)
    bench.do(OPERATOR, "claim", OPERATOR)
    for owner in book.names.values():
        for asset in (CASH, 0):
            if bench.balance(owner, asset) > X44:
                bench.do(owner, "withdraw", asset, ALL, owner)


# ------------------------------------------------------------------------------- widths and the EVM


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


# ---------------------------------------------------------------------------------- second review


def test_half_filled_sellers_do_not_drain_the_house(bench: Bench) -> None:
    """Review 2 §1: sellers of one lot, each half filled; nothing is truncated to lots."""
    sellers = {
        f"s{n}": Bid((Auth((Leg(5, 1),), 100 * X40, 0, (), (Step(1, 0),)),)) for n in range(24)
    }
    book = run(bench, 1, {"buyer": flat(5, 110, 12), **sellers})
    prices = solve_batch(*book.opened()).prices
    settlement = book.twin(prices)
    filled = [settlement.fills[to_canonical_address(book.names[n])][5] for n in sellers]
    assert max(filled) - min(filled) <= 1
    assert abs(sum(filled) + 12 * X44) <= X44 >> 10
    assert abs(settlement.house[5]) <= X44 >> 10
    book.settle(prices)


@pytest.mark.parametrize("price", [1, 100, 2**30])
def test_maker_vanishes_whatever_a_lot_is_worth(bench: Bench, price: int) -> None:
    """Review 2 §2: a lone buyer at reference + 5 % trades 2^-10 · 5 % of a lot."""
    market = new_market(
        bench.chain, bench.libraries, bench.tokens[CASH], cover_cap=1 << 66, cash_cap=1 << 55
    )
    k = list_product(market, new_token(bench.chain), 1, price, lots_cap=1 << 30)
    market.fill_house()
    book = run(
        market,
        1,
        {"lone": Bid((Auth((Leg(k, 1),), price * X40 * 105 // 100, 0, (Step(1000, 0),), ()),))},
    )
    prices = book.prices()
    got = book.twin(prices).fills[to_canonical_address(book.names["lone"])][k]
    assert abs(got - (X44 >> 10) * 5 // 100) <= X44 >> 20
    book.settle(prices)
    market.check_books()


def test_portfolios_trade_in_exact_proportion_and_default_on_nothing(bench: Bench) -> None:
    """Review 2 §3: rounded leg by leg, (2, -1) at a price of nothing owed a hundred."""
    pair = Bid(
        body=encode(Submission((order({0: 5, 3: -1}, -499, buy=[3]),))), units=60, held=((3, 3),)
    )
    bids = {"pair": pair, "s": sells(0, 99, 10), "b": buys(3, 1_002, 3)}
    book = run(bench, 1, bids)
    prices = book.prices()
    owner = to_canonical_address(book.names["pair"])
    fills = book.twin(prices).fills[owner]
    assert fills[0] == -5 * fills[3] != 0
    assert bench.balance(book.names["pair"], CASH) == 0
    book.settle(prices)
    assert bench.balance(book.names["pair"], CASH) >= 0


@pytest.mark.parametrize("copies", [1, 12])
def test_rounded_root_passes_at_a_kink_of_steep_portfolios(bench: Bench, copies: int) -> None:
    """Review 2 §5: many identical pairs whose kink lies within W/2 of the portfolio price."""
    weights = {0: 999_983, 3: -99_991}
    worth = 999_983 * 100 - 99_991 * 1_000
    pair = Auth(tuple(Leg(k, w) for k, w in weights.items()), worth * X40, 0, (), (Step(1, 0),))
    against = Auth(pair.legs, worth * X40 + 1, 0, (Step(copies, 0),), ())
    bids = {f"p{n}": Bid((pair,)) for n in range(copies)}
    book = run(bench, 1, {**bids, "against": Bid((against,))})
    prices = solve_batch(*book.opened()).prices
    assert book.refusal(prices) is None
    book.settle(prices)


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


def test_seeds_of_the_tests_are_not_secrets_of_the_market(chain: Chain, bench: Bench) -> None:
    """Review 1 §A1.9: keys follow chain, contract and batch, not the batch number alone."""
    other = new_market(chain, bench.libraries, bench.tokens[CASH])
    assert len({bench.key(1), bench.key(2), other.key(1), other.key(2)}) == 4
    assert hashlib.sha256(bench.id(1)).digest() != bench.key(1).to_bytes(32)
