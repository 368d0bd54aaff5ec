"""Limits and costs: random coupled submissions through the contract's libraries and the twin."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.contract.node import Chain
from tests.contract.support import OPERATOR
from tests.differential.coupled import (
    PRODUCTS,
    SCALES,
    TICK_BPS,
    TICKS,
    Case,
    cases,
    clearing,
    mutants,
)
from walras.auths import Auth, Leg, Limits, Step, Submission, cover
from walras.chain.interface import call
from walras.curve import demand
from walras.decoding import decode
from walras.encoding import encode
from walras.errors import Reverted
from walras.numbers import X24, X40, X44, X84
from walras.sealing import SEAL_OVERHEAD
from walras.tally import freedom_up, loss_up, trade

pytestmark = pytest.mark.chain

IDS = list(range(PRODUCTS))
UNITS = 255


@dataclass(frozen=True)
class Reader:
    """The harness with the cases' products listed."""

    chain: Chain
    address: str

    def ask(self, name: str, *args: Any) -> Any:
        query = call("Harness", self.address, name, *args)
        return query.result("0x" + self.chain.call(self.address, query.data, OPERATOR).hex())

    def read(self, case: Case, body: bytes, shadows: Sequence[int]) -> dict[str, Any]:
        given = (body, SEAL_OVERHEAD + len(body), UNITS, shadows, case.done)
        return dict(zip(FIELDS, self.ask("read", given, IDS, case.prices), strict=True))

    def check(self, case: Case, shadows: Sequence[int]) -> tuple[Any, ...] | None:
        """The refusal of a cost, if any."""
        body = encode(case.submission)
        given = (body, SEAL_OVERHEAD + len(body), UNITS, shadows, case.done)
        try:
            self.ask("check", given, IDS, case.prices)
        except Reverted as refusal:
            return (refusal.name, *refusal.arguments)
        return None


NAMES = """
    reason gas valid_until cover cash loss products covers fills bought tolerances grosses
    kind complete progress cost_loss cost_span excesses slacks headed
"""
FIELDS = NAMES.split()


@pytest.fixture(scope="module")
def reader(chain: Chain) -> Iterator[Reader]:
    with chain.undone():
        address = chain.deploy("Harness", sender=OPERATOR)
        listed = [(0, s * X40 // X24, s, TICK_BPS, 20, 20) for s in SCALES]
        chain.send(address, call("Harness", address, "list", listed).data, OPERATOR)
        yield Reader(chain, address)


def decoded(case: Case, body: bytes) -> Any:
    length = SEAL_OVERHEAD + len(body)
    return decode(body, ciphertext_length=length, units=UNITS, ticks=case.ticks)


def refusal(case: Case, shadows: Sequence[int]) -> tuple[Any, ...] | None:
    """[C-5] of the twin."""
    prices = dict(enumerate(case.prices))
    found = trade(case.submission, case.ticks, prices, shadows, case.done)
    for d, one in enumerate(found.couplings):
        if not one.fair:
            return ("ShadowOutOfRange", OPERATOR.lower(), d, shadows[d])
        if not one.clears:
            return ("CostNotCleared", OPERATOR.lower(), d, one.excess, one.tolerance)
    return None


def evaluated(case: Case, shadows: Sequence[int]) -> dict[str, Any]:
    """What the contract has to find, from the twin."""
    submission, products = case.submission, case.submission.products
    need = cover(submission, case.done)
    got = trade(submission, case.ticks, dict(enumerate(case.prices)), shadows, case.done)
    lines = [got.lines[k] for k in products]
    return {
        "reason": 0,
        "gas": decoded(case, encode(submission)).gas,
        "valid_until": submission.valid_until,
        "cover": need.cash,
        "cash": got.cash,
        "loss": got.loss,
        "products": products,
        "covers": tuple(need.lots[k] for k in products),
        "fills": tuple(line.residue for line in lines),
        "bought": tuple(line.volume for line in lines),
        "tolerances": tuple(line.tolerance for line in lines),
        "grosses": tuple(line.touches for line in lines),
        "kind": int(submission.standing),
        "complete": submission.complete(got.done),
        "progress": got.done,
        "cost_loss": got.cost_loss,
        "cost_span": got.cost_span,
        "excesses": tuple(one.excess for one in got.couplings),
        "slacks": tuple(one.tolerance for one in got.couplings),
        "headed": True,
    }


@pytest.mark.parametrize("seed", range(6))
def test_coupled_submissions(reader: Reader, seed: int) -> None:
    """Every figure of a submission; its costs refused, or not, as by the twin."""
    seen: dict[str, int] = {}
    for case in cases(random.Random(seed), 60, extreme=seed % 2 == 1):
        found = decoded(case, encode(case.submission))
        assert found.submission == case.submission
        for shadows in (case.shadows, clearing(case)):
            assert reader.read(case, encode(case.submission), shadows) == evaluated(case, shadows)
            expected = refusal(case, shadows)
            assert reader.check(case, shadows) == expected
            kind = expected[0] if expected else "cleared"
            seen[kind] = seen.get(kind, 0) + 1
    assert min(seen[k] for k in ("cleared", "ShadowOutOfRange", "CostNotCleared")) >= 5, seen


def test_an_auth_is_sloped_up_to_one_ulp_beyond_its_limits(reader: Reader) -> None:
    """D° two ulps beyond what is left is cut by the limit alone."""
    pi, width, limit = 100 * X84, 1_000, 10**6
    for sign in (1, -1):
        steps = (Step(width, X40),)
        buy, sell = (steps, ()) if sign > 0 else ((), steps)
        first = 100 * X40 + sign * X40 // 3
        free = Auth((Leg(2, 1),), first, 0, buy, sell, Limits(limit, limit))
        rate = demand(free, TICKS, pi).rate
        assert 0 < sign * rate < width * X44
        for beyond in (-2, -1, 0, 1, 2, 3):
            done = sign * (limit * X44 - abs(rate) + beyond)
            case = Case(Submission((free,)), (pi,) * PRODUCTS, (), (done,))
            got = reader.read(case, encode(case.submission), ())
            assert got == evaluated(case, ())
            assert (got["tolerances"][0] > 0) is (beyond <= 1)
            assert got["fills"][0] == sign * min(abs(rate), abs(rate) - beyond)


def test_one_step_beyond_the_tolerance_is_refused(reader: Reader) -> None:
    """[C-5] is sharp: the largest excess accepted and the next one, on both sides."""
    tried = 0
    for case in cases(random.Random(7), 60, extreme=False):
        if len(case.submission.costs) != 1:
            continue
        for shadow in edges(case):
            expected = refusal(case, (shadow,))
            assert reader.check(case, (shadow,)) == expected
            tried += 1
    assert tried >= 40


def edges(case: Case) -> Iterator[int]:
    """Shadow prices on either side of where acceptance begins and ends."""
    (root,) = clearing(case)
    for sign in (1, -1):
        near, far = root, root + sign * (1 << 130)
        if refusal(case, (near,)) is not None or refusal(case, (far,)) is None:
            continue
        while abs(far - near) > 1:
            middle = (near + far) // 2
            near, far = (middle, far) if refusal(case, (middle,)) is None else (near, middle)
        yield from (near, far)


def test_shadow_prices_are_as_many_as_costs(reader: Reader) -> None:
    for case in cases(random.Random(8), 20, extreme=False):
        body, needed = encode(case.submission), len(case.submission.costs)
        for given in {0, needed - 1, needed + 1, 40} - {needed, -1}:
            with pytest.raises(Reverted) as caught:
                reader.read(case, body, (0,) * given)
            assert (caught.value.name, *caught.value.arguments) == (
                "ShadowsMismatch",
                given,
                needed,
            )


@pytest.mark.parametrize("seed", range(4))
def test_bytes_near_a_submission(reader: Reader, seed: int) -> None:
    """One meaning for any bytes: the twin's; a void submission brings no shadow prices."""
    rng, reasons = random.Random(100 + seed), set()
    for case in cases(rng, 40, extreme=seed % 2 == 1):
        for body in mutants(rng, encode(case.submission), 6):
            expected = decoded(case, body)
            reason = expected.reason or 0
            reasons.add(int(reason))
            submission = expected.submission
            shadows = (0,) * len(submission.costs) if submission else ()
            mine = replace(case, done=())
            got = reader.read(mine, body, shadows)
            assert (got["reason"], got["gas"]) == (reason, expected.gas), body.hex()
            assert got["headed"] is bool(expected.products)
            if submission is not None:
                assert got == evaluated(replace(mine, submission=submission), shadows)
    assert reasons >= {0, 2}


def test_nothing_is_left_of_the_submission_before(reader: Reader) -> None:
    rng = random.Random(11)
    items = []
    # wide ones, so that what a cost adds to a window shows in the slopes
    for case in [*cases(rng, 6, extreme=False), *cases(rng, 12, extreme=True)]:
        for body in mutants(rng, encode(case.submission), 2):
            found = decoded(case, body).submission
            shadows = case.shadows if found == case.submission else ()
            if found is None or shadows:
                given = (body, SEAL_OVERHEAD + len(body), UNITS, shadows, case.done)
                items.append((given, case.prices))
    alone = [reader.ask("read", given, IDS, prices) for given, prices in items]
    assert {answer[0] for answer in alone} >= {0, 2}
    for first, _ in items:
        for at in rng.sample(range(len(items)), 6):
            second, prices = items[at]
            assert reader.ask("readAfter", first, second, IDS, prices) == alone[at]


@pytest.mark.parametrize("seed", range(2))
def test_any_bytes(reader: Reader, seed: int) -> None:
    """Noise behind a plausible head, and every cut of a submission, has the twin's one meaning."""
    rng = random.Random(200 + seed)
    (case,) = cases(rng, 1, extreme=True)
    whole = encode(case.submission)
    noise = [
        bytes([rng.randrange(3), *bytes(5), 1, 0, 0, *counts(rng), *bits(rng)]) for _ in range(90)
    ]
    for body in [*noise, *(whole[:n] for n in range(0, len(whole), 7))]:
        expected = decoded(case, body)
        got = reader.read(replace(case, done=()), body, ())
        assert (got["reason"], got["gas"]) == (expected.reason or 0, expected.gas), body.hex()


def counts(rng: random.Random) -> tuple[int, int]:
    return rng.choice((1, 1, 2, 64)), rng.choice((0, 1, 16))


def bits(rng: random.Random) -> bytes:
    """Mostly small numbers, so that heads are often allowed."""
    return bytes(rng.choice((0, 0, 1, 1, 2, rng.randrange(256))) for _ in range(rng.randrange(400)))


def test_sums_of_costs(reader: Reader) -> None:
    rng = random.Random(9)
    for _ in range(40):
        a, b, c = (rng.randrange(1 << rng.randrange(1, 176)) for _ in range(3))
        assert reader.ask("lossUp", a, b, c) == loss_up(a, b, c)
        assert reader.ask("freedomUp", a, b, c) == freedom_up(a, c, b)


def test_a_bound_for_every_shape(reader: Reader) -> None:
    """What reading spends stays below what the capacity constants charge for it."""
    for case in cases(random.Random(10), 60, extreme=False):
        body = encode(case.submission)
        item = (body, SEAL_OVERHEAD + len(body), UNITS, case.shadows, case.done)
        _, spent, bounds = reader.ask("readAll", [item] * 2, IDS, case.prices)
        assert max(spent) < bounds[0], case
