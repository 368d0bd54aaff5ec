"""Golden vectors, and random bytes, through the very libraries that settle."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.node import Chain
from tests.contract.support import OPERATOR, new_libraries, new_market, new_token
from tests.vectors.cases.codec import auth_of, cost_of, load
from walras.auths import Auth, Cost, Submission, cover
from walras.chain.artifacts import load as load_artifact
from walras.chain.interface import call
from walras.curve import tau
from walras.errors import OrderError
from walras.numbers import X44, ceil_div
from walras.submission import decode, encode
from walras.tally import trade

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
    harness.send("list", [product(**p) for p in DECODE["products"]])
    return harness


def read(
    reader: Harness,
    body: bytes,
    length: int,
    units: int,
    prices: list[int],
    shadows: Sequence[int] = (),
) -> Any:
    """What the contract makes of a body, by the names of its struct."""
    (function,) = (f for f in load_artifact("Harness").abi if f.get("name") == "read")
    names = [field["name"] for field in function["outputs"][0]["components"]]
    answer = reader.ask("read", (body, length, units, shadows, ()), IDS, prices)
    return dict(zip(names, answer, strict=True))


@pytest.mark.parametrize("part", range(4))
def test_decoding(reader: Harness, part: int) -> None:
    for case in DECODE["cases"][part::4]:
        shown = case["submission"]
        zeros = [0] * len(shown["costs"]) if shown else []
        got = read(reader, case["body"], case["length"], case["units"], [0] * COUNT, zeros)
        assert (got["reason"], got["gas"]) == (case["reason"], case["gas"]), case["name"]
        if case["reason"] == 0:
            assert list(got["products"]) == case["products"]
            assert (got["kind"], got["validUntil"]) == (shown["kind"], shown["validUntil"])
            assert got["cover"] == case["cover"]["cash"]
            lots = [case["cover"]["lots"].get(k, 0) for k in case["products"]]
            assert list(got["covers"]) == lots


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
        twin = decode(body, ciphertext_length=length, units=units, ticks=TICKS)
        shadows = (
            [rng.randrange(-(2**156), 2**156) for _ in twin.submission.costs]
            if twin.submission
            else []
        )
        got = read(reader, body, length, units, prices, shadows)
        assert (got["reason"], got["gas"]) == (twin.reason or 0, twin.gas), body.hex()
        if twin.submission is not None:
            traded += 1
            same_trade(got, twin.submission, dict(zip(IDS, prices, strict=True)), shadows)
    assert traded > 10


def same_trade(
    got: Mapping[str, Any],
    submission: Submission,
    prices: Mapping[int, int],
    shadows: Sequence[int],
) -> None:
    needed, products = cover(submission), submission.products
    twin = trade(submission, TICKS, prices, shadows)
    assert list(got["products"]) == list(products)
    assert got["validUntil"] == submission.valid_until
    assert got["cover"] == needed.cash
    assert list(got["covers"]) == [needed.lots[k] for k in products]
    assert (got["cash"], got["loss"]) == (twin.cash, twin.loss)
    assert list(got["progress"]) == list(twin.done)
    lines = [twin.lines[k] for k in products]
    assert [list(got[n]) for n in ("fills", "bought", "tolerances", "grosses")] == [
        [line.residue for line in lines],
        [line.volume for line in lines],
        [line.tolerance for line in lines],
        [line.touches for line in lines],
    ]
    pairs = zip(got["excesses"], got["slacks"], strict=True)
    assert list(pairs) == [(one.excess, one.tolerance) for one in twin.couplings]
    assert (got["costLoss"], got["costSpan"]) == (twin.cost_loss, twin.cost_span)


# ------------------------------------------------------------------------------------------ curves

CURVES = load("curves")
FREE = [case for case in CURVES["cases"] if case["auth"]["limits"] is None]


def sides(harness: Harness, curve: Auth | Cost, window: int, least: int, price: int) -> list[Any]:
    """[rate, loss, sloped, bottom, top] of a whole curve, from its two sides."""
    found: list[Any] = [0, 0, False, curve.bid << 44, curve.ask << 44]
    for sign, first, steps in ((1, curve.bid, curve.buy), (-1, -curve.ask, curve.sell)):
        packed = b"".join(s.width.to_bytes(6) + s.increment.to_bytes(14) for s in steps)
        got = harness.ask("side", packed, first, sign * price, window, least)
        rate, total, loss, sloped, last = got
        assert total == sum(step.width for step in steps)
        found[0] += sign * rate
        found[1] += loss
        found[2] |= sloped
        if steps:
            found[3 if sign > 0 else 4] = sign * last
    return found


@pytest.mark.parametrize("case", FREE, ids=[case["name"] for case in FREE])
def test_curves(harness: Harness, case: Mapping[str, Any]) -> None:
    auth = auth_of(case["auth"])
    floor, window = tau(auth, case["ticks"]), auth.gross + case["guard"]
    for pi, rate, sloped, loss in case["points"]:
        assert sides(harness, auth, window, floor, pi)[:3] == [rate, loss, sloped]


@pytest.mark.parametrize("case", CURVES["costs"], ids=[case["name"] for case in CURVES["costs"]])
def test_curves_of_costs(harness: Harness, case: Mapping[str, Any]) -> None:
    cost = cost_of(case["cost"])
    for shadow, rate in case["points"]:
        got = sides(harness, cost, cost.gross, 1, shadow)
        assert got[0] == rate
        bottom = got[3] if cost.buy else cost.ask << 44
        top = got[4] if cost.sell else cost.first << 44
        assert (top, bottom) == (case["top"] << 44, case["bottom"] << 44)


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


def test_loss_and_freedom(harness: Harness) -> None:
    for case in FORMULAE["loss"]:
        pairs = zip(case["excesses"], case["scales"], strict=True)
        squares = sum((abs(e) + 1) ** 2 * scale for e, scale in pairs)
        got = harness.ask("lossUp", case["slopes"], squares, case["costs"])
        assert got == case["loss"]
    for case in FORMULAE["freedom"]:
        scales = case["scales"]
        misses = sum((4 * (c + 2)) ** 2 * s for c, s in zip(case["gross"], scales, strict=True))
        sizes = zip(case["volumes"], scales, strict=True)
        volumes = sum(ceil_div(v, X44) ** 2 * s for v, s in sizes)
        got = harness.ask("freedomUp", misses, volumes, case["spans"])
        assert got == case["freedom"]


def test_least_house_of_every_market(chain: Chain) -> None:
    """By listing one product in a market of that cover cap, where such a listing fits."""
    with chain.undone():
        libraries = new_libraries(chain)
        cash, token = new_token(chain, 6), new_token(chain)
        listed = 0
        for case in FORMULAE["house"]:
            caps = {"cash_cap": 1, "cover_cap": case["coverCap"], "bond": 1, "compensation": 0}
            bench = new_market(chain, libraries, cash, **caps)
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
