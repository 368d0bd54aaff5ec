"""Golden vectors, and random bytes, through the very libraries that settle."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.node import Chain
from tests.contract.support import OPERATOR, new_market, new_token
from tests.vectors.cases.codec import auth_of, load
from walras.auths import Submission, cover
from walras.chain.interface import call
from walras.curve import demand, portfolio_price
from walras.errors import OrderError
from walras.numbers import X44, ceil_div, floor_div
from walras.submission import decode, encode

pytestmark = pytest.mark.chain

GROUP_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass(frozen=True)
class Harness:
    chain: Chain
    address: str

    def ask(self, name: str, *args: Any) -> Any:
        query = call("Harness", self.address, name, *args)
        return query.result("0x" + self.chain.call(self.address, query.data, OPERATOR).hex())

    def send(self, name: str, *args: Any) -> None:
        data = call("Harness", self.address, name, *args).data
        self.chain.send(self.address, data, OPERATOR)


@pytest.fixture(scope="module")
def harness(chain: Chain) -> Iterator[Harness]:
    with chain.undone():
        yield Harness(chain, chain.deploy("Harness", sender=OPERATOR))


def product(**fields: int) -> tuple[int, ...]:
    """A product's word; only what a formula reads is given."""
    names = ("house", "reference", "scale", "tickBps", "depthLog2", "houseLog2")
    return tuple(fields.get(name, 0) for name in names)


# ---------------------------------------------------------------------------------------- sealing

SEALING = load("sealing")


def test_batch_ids(harness: Harness) -> None:
    tag = SEALING["tags"]["batch"]
    for case in SEALING["batches"]:
        market = "0x" + case["market"].hex()
        got = harness.ask("batchIdOf", tag, case["chainId"], market, case["number"])
        assert got == case["batchId"]


def test_keys(harness: Harness) -> None:
    for key in SEALING["keys"]:
        secret = key["secret"]
        assert harness.ask("onCurve", key["x"], key["y"])
        assert harness.ask("opensKey", secret, key["keyHash"])
        for wrong in (0, secret - 1, secret + 1, GROUP_ORDER, GROUP_ORDER - secret):
            if wrong != secret:
                assert not harness.ask("opensKey", wrong, key["keyHash"])
        assert not harness.ask("opensKey", secret, bytes(32))


def test_seals(harness: Harness) -> None:
    for case in SEALING["seals"]:
        ct, account = case["ciphertext"], "0x" + case["account"].hex()
        assert harness.ask("sealHash", case["batchId"], ct) == case["sealHash"]
        answer = harness.ask("open", case["batchId"], case["secret"], account, ct)
        assert answer == (True, case["body"])


def test_every_opening(harness: Harness) -> None:
    """Tags, x at 0, n and p, off the curve, lengths, foreign accounts and batches."""
    for case in SEALING["opens"]:
        account, ct = "0x" + case["account"].hex(), case["ciphertext"]
        answer = harness.ask("open", case["batchId"], case["secret"], account, ct)
        body = case["body"]
        assert answer == (body is not None, body or b""), case["name"]


# ---------------------------------------------------------------------------------------- decoding

DECODE = load("decode")
COUNT = len(DECODE["products"])
TICKS = {p["id"]: p["tick"] for p in DECODE["products"]}
IDS = list(range(COUNT))


@pytest.fixture(scope="module")
def reader(harness: Harness) -> Harness:
    """The harness with the vectors' products stored."""
    words = [product(**p) for p in DECODE["products"]]
    harness.send("read", b"", 0, 10, words, [0] * COUNT)
    return harness


def read(reader: Harness, body: bytes, length: int, units: int, prices: list[int]) -> Any:
    names = ("reason", "gas", "valid_until", "cover", "cash", "loss")
    lists = ("products", "covers", "fills", "bought", "tolerances", "grosses")
    answer = reader.ask("readAt", body, length, units, IDS, prices)
    return dict(zip((*names, *lists), answer, strict=True))


@pytest.mark.parametrize("part", range(4))
def test_decoding(reader: Harness, part: int) -> None:
    for case in DECODE["cases"][part::4]:
        got = read(reader, case["body"], case["length"], case["units"], [0] * COUNT)
        assert (got["reason"], got["gas"]) == (case["reason"], case["gas"]), case["name"]
        if case["reason"] == 0:
            assert list(got["products"]) == case["products"]
            assert got["valid_until"] == case["submission"]["validUntil"]
            assert got["cover"] == case["cover"]["cash"]
            lots = [case["cover"]["lots"].get(k, 0) for k in case["products"]]
            assert [c * X44 for c in got["covers"]] == lots


def mutants(rng: random.Random, count: int) -> Iterator[bytes]:
    """Bodies near the vectors' own: bits flipped, bytes cut, doubled and moved."""
    bodies = [case["body"] for case in DECODE["cases"] if case["reason"] in (0, 3)]
    for _ in range(count):
        body = bytearray(rng.choice(bodies))
        for _ in range(rng.choice((0, 1, 1, 2, 5))):
            at = rng.randrange(len(body))
            kind = rng.randrange(5)
            if kind == 0:
                body[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                body[at] = rng.choice((0, 1, 127, 128, 255))
            elif kind == 2:
                del body[at : at + rng.choice((1, 4, 20))]
            elif kind == 3:
                body[at:at] = rng.randbytes(rng.choice((1, 4, 20)))
            else:
                body[at : at + 4] = body[at : at + 4] * 2
            if not body:
                break
        yield bytes(body)


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_mean_the_same_to_the_twin(reader: Harness, seed: int) -> None:
    """Reason, gas, products, fills, payments, tolerances: at random prices, bit for bit."""
    rng = random.Random(seed)
    traded = 0
    for body in mutants(rng, 150):
        units, length = rng.choice((10, 40, 255, 255, 255)), len(body) + 69
        prices = [rng.randrange(-(2**138) + 1, 2**138) >> rng.randrange(0, 60) for _ in IDS]
        got = read(reader, body, length, units, prices)
        twin = decode(body, ciphertext_length=length, units=units, ticks=TICKS)
        assert (got["reason"], got["gas"]) == (twin.reason or 0, twin.gas), body.hex()
        if twin.submission is not None:
            traded += 1
            same_trade(got, twin.submission, dict(zip(IDS, prices, strict=True)))
    assert traded > 10


def same_trade(got: Mapping[str, Any], submission: Submission, prices: Mapping[int, int]) -> None:
    needed = cover(submission)
    products = submission.products
    assert list(got["products"]) == list(products)
    assert got["valid_until"] == submission.valid_until
    assert got["cover"] == needed.cash
    assert [c * X44 for c in got["covers"]] == [needed.lots[k] for k in products]
    sums = {k: [0, 0, 0, 0] for k in products}
    cash = loss = 0
    for auth in submission.auths:
        pi = portfolio_price(auth, prices)
        rate, sloped, slope = demand(auth, TICKS, pi)
        cash += floor_div(-pi * rate, 1 << 88)
        loss += slope
        for leg in auth.legs:
            fill, ulps = leg.weight * rate, abs(leg.weight) + 1
            for i, part in enumerate((fill, max(fill, 0), ulps if sloped else 0, ulps)):
                sums[leg.product][i] += part
    assert (got["cash"], got["loss"]) == (cash, loss)
    names = ("fills", "bought", "tolerances", "grosses")
    assert {n: list(got[n]) for n in names} == {
        n: [sums[k][i] for k in products] for i, n in enumerate(names)
    }


# ------------------------------------------------------------------------------------------ curves

CURVES = load("curves")["cases"]


@pytest.mark.parametrize("case", CURVES, ids=[case["name"] for case in CURVES])
def test_curves(harness: Harness, case: Mapping[str, Any]) -> None:
    auth, ticks = auth_of(case["auth"]), case["ticks"]
    tau = sum(abs(leg.weight) * ticks[leg.product] for leg in auth.legs)
    packed = {
        side: b"".join(s.width.to_bytes(6) + s.increment.to_bytes(14) for s in steps)
        for side, steps in (("buy", auth.buy), ("sell", auth.sell))
    }
    for pi, rate, sloped, loss in case["points"]:
        buy = harness.ask("side", packed["buy"], auth.bid, pi, auth.gross, tau)
        sell = harness.ask("side", packed["sell"], -auth.ask, -pi, auth.gross, tau)
        assert buy[0] - sell[0] == rate
        assert (buy[3] or sell[3]) is sloped
        assert buy[2] + sell[2] == loss
        assert (buy[1], sell[1]) == (auth.buy_rate, auth.sell_rate)
        assert buy[4]
        assert sell[4]
        assert demand(auth, ticks, pi) == (rate, sloped, loss)


# ----------------------------------------------------------------------------------------- formulae

FORMULAE = load("formulae")


def test_ticks(harness: Harness) -> None:
    for case in FORMULAE["tick"]:
        assert harness.ask("tick", product(**case)) == case["tick"]


def test_maker(harness: Harness) -> None:
    for case in FORMULAE["maker"]:
        assert harness.ask("maker", case["price"], product(**case)) == case["sold"]


def test_next_reference(harness: Harness) -> None:
    for case in FORMULAE["reference"]:
        got = harness.ask("nextReference", case["price"], case["volume"], product(**case))
        assert got == case["next"]


def test_settlement_leaves_the_rest_of_a_products_word(harness: Harness) -> None:
    full = (2**96 - 1, 2**80 - 1, 2**56 - 1, 255, 255, 255)
    for stored in (full, (0, 0, 0, 0, 0, 0), (5, 4, 3, 2, 1, 0)):
        for house, reference in ((0, 0), (2**96 - 1, 0), (0, 2**80 - 1), (7, 9)):
            left = harness.ask("settled", stored, house, reference)
            assert left == (house, reference, *stored[2:])


def test_loss_and_freedom(harness: Harness) -> None:
    for case in FORMULAE["loss"]:
        pairs = zip(case["excesses"], case["scales"], strict=True)
        squares = sum((abs(e) + 1) ** 2 * scale for e, scale in pairs)
        assert harness.ask("lossUp", case["slopes"], squares) == case["loss"]
    for case in FORMULAE["freedom"]:
        scales = case["scales"]
        misses = sum((4 * (c + 2)) ** 2 * s for c, s in zip(case["gross"], scales, strict=True))
        sizes = zip(case["volumes"], scales, strict=True)
        volumes = sum(ceil_div(v, X44) ** 2 * s for v, s in sizes)
        assert harness.ask("freedomUp", misses, volumes) == case["freedom"]


def test_least_house_of_every_market(chain: Chain) -> None:
    """By listing one product in a market of that cover cap, where such a listing fits."""
    with chain.undone():
        settlement = chain.deploy("Settlement", sender=OPERATOR)
        cash, token = new_token(chain, 6), new_token(chain)
        listed = 0
        for case in FORMULAE["house"]:
            caps = {"cash_cap": 1, "cover_cap": case["coverCap"], "bond": 1, "compensation": 0}
            bench = new_market(chain, settlement, cash, **caps)
            terms = ("list", token, 1, case["scale"], 1, 0, 1)
            if error := bench.refusal(OPERATOR, *terms):
                assert error[:2] == ("BadParameter", "coverCap")
                assert 1 + (8 * case["scale"] >> 24) > case["coverCap"]
                continue
            bench.do(OPERATOR, *terms)
            listed += 1
            assert bench.product(0).house_log2 == case["houseLog2"]
            assert bench.look("leastHouseCash") == case["leastCash"]
        assert listed >= 15


def test_phases(harness: Harness) -> None:
    for clock in load("schedule")["clocks"]:
        timetable = tuple(value for name, value in clock.items() if name != "rows")
        for batch, time, facts, phase, current in clock["rows"]:
            if set(facts) <= {"k"}:
                got = harness.ask("phase", timetable, batch, time, "k" in facts)
                assert got == (phase, current)


def test_custody_is_exact_or_rounds_against_the_taker(harness: Harness) -> None:
    rng = random.Random(2)
    for _ in range(60):
        lot = rng.choice((1, 5, 10**6, 10**18, 3 << 60, 2**96 - 1, rng.randrange(1, 2**96)))
        amount, bits = rng.randrange(1, 2 ** rng.randrange(2, 128)), rng.choice((40, 44))
        assert harness.ask("toLedgerUp", amount, lot, bits) == -(-(amount << bits) // lot)
        exact = amount * lot
        if exact < 2**128:
            assert harness.ask("toLedgerExact", exact, lot, bits) == amount << bits


def test_what_the_twin_cannot_encode_the_contract_would_not_read() -> None:
    """The encoder refuses a curve beyond the widths instead of cutting it."""
    case = next(c for c in DECODE["cases"] if c["reason"] == 0)
    auth = auth_of(case["submission"]["auths"][0])
    assert encode(Submission((auth,))) == case["body"]
    beyond = {"legs": [[0, 2**20 + 1], [1, 1]], "first": 0, "gap": 0, "buy": [[1, 0]], "sell": []}
    with pytest.raises(OrderError):
        encode(Submission((auth_of(beyond),)))
