"""Total decoding of submissions, twin of ``contracts/libraries/Submission.sol`` (SPEC §2).

Any bytes are one submission or one void reason, the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from walras.auths import Auth, Cost, Leg, Limits, Step, Submission, Term, drops
from walras.capacity import auth_gas, base_gas, cost_gas, item_size
from walras.curve import tau
from walras.numbers import (
    MAX_AUTHS,
    MAX_COSTS,
    MAX_CURVE_PRICE,
    MAX_LEGS,
    MAX_PRODUCTS,
    MAX_RATE,
    MAX_STEPS,
    MAX_TERMS,
    MAX_WEIGHT,
    UNIT_BYTES,
    UNIT_GAS,
)

__all__ = ["Decoded", "VoidReason", "decode"]

_HEAD = 9  # bytes of a body without its product list, its auths and its costs
_AUTH_HEAD, _COST_HEAD, _TERM = 4, 3, 4  # bytes; a leg has as many as a term
_LIMITS, _PRICE, _GAP, _STEP = 12, 16, 14, 20


class VoidReason(IntEnum):
    """Why a submission trades nothing in its batch."""

    UNOPENED = 1
    MALFORMED = 2
    OVERSIZED = 3
    EXPIRED = 4
    UNCOVERED = 5
    RENT = 6


@dataclass(frozen=True, slots=True)
class Decoded:
    """Outcome of rules 1-6.

    ``products`` are those the settlement has to price: the list, once it passes rule 3.
    ``gas`` is the capacity charged until decoding stopped, the failing charge included.
    """

    submission: Submission | None
    products: tuple[int, ...]
    reason: VoidReason | None
    gas: int


def decode(body: bytes, *, ciphertext_length: int, units: int, ticks: Mapping[int, int]) -> Decoded:
    """Read ``body`` by rules 1-6.

    ``ciphertext_length`` bytes and declared ``units`` bound its gas; ``ticks`` holds the tick
    (X40 per lot) of every product listed in the batch, by id.
    """
    decoder = _Decoder(body, units, ticks)
    try:
        submission = decoder.read(ciphertext_length)
    except _VoidError as void:
        return Decoded(None, decoder.products, void.reason, decoder.gas)
    return Decoded(submission, decoder.products, None, decoder.gas)


class _VoidError(Exception):
    def __init__(self, reason: VoidReason) -> None:
        self.reason = reason


class _Decoder:
    """Reads a body once; ``products`` and ``gas`` are valid whenever it stops."""

    def __init__(self, body: bytes, units: int, ticks: Mapping[int, int]) -> None:
        self.body = body
        self.units = units
        self.ticks = ticks
        self.at = 0
        self.gas = 0
        self.products: tuple[int, ...] = ()

    def read(self, ciphertext_length: int) -> Submission:
        body = self.body
        self.check(len(body) >= _HEAD)
        count = body[6]
        self.check(len(body) >= _HEAD + 2 * count)
        auths, costs = body[7 + 2 * count], body[8 + 2 * count]
        self.check(body[0] <= 1 and 1 <= count <= MAX_PRODUCTS)
        self.check(1 <= auths <= MAX_AUTHS and costs <= MAX_COSTS)
        self.charge(base_gas(ciphertext_length, count, standing=body[0] == 1))
        if item_size(ciphertext_length, count, costs) > UNIT_BYTES * self.units:
            raise _VoidError(VoidReason.OVERSIZED)
        listed = [int.from_bytes(body[i : i + 2]) for i in range(7, 7 + 2 * count, 2)]
        self.check(_ascending(listed) and all(product in self.ticks for product in listed))
        self.products = tuple(listed)
        start = _HEAD + 2 * count
        read_costs = self.costs(start, auths, costs) if costs else ()
        guards = _guards(auths, read_costs)
        self.at = start
        read_auths = tuple(self.auth(guard) for guard in guards)
        submission = Submission(
            read_auths, int.from_bytes(body[1:6]), read_costs, standing=body[0] == 1
        )
        self.check((costs > 0 or self.at == len(body)) and submission.products == self.products)
        return submission

    def costs(self, start: int, auths: int, count: int) -> tuple[Cost, ...]:
        """Rule 4: behind the auths, whose heads tell where they end."""
        self.at = start
        for _ in range(auths):
            self.at += self.auth_size()
        found = tuple(self.cost(auths) for _ in range(count))
        self.check(self.at == len(self.body))
        return found

    def auth_size(self) -> int:
        """Bytes of the auth ahead, all of which are there."""
        self.check(self.at + _AUTH_HEAD <= len(self.body))
        flags, legs, buys, sells = self.body[self.at : self.at + _AUTH_HEAD]
        size = _AUTH_HEAD + _TERM * legs + _LIMITS * (flags == 1) + _curve_size(buys, sells)
        self.check(self.at + size <= len(self.body))
        return size

    def cost(self, auths: int) -> Cost:
        self.check(self.at + _COST_HEAD <= len(self.body))
        terms, buys, sells = self.body[self.at : self.at + _COST_HEAD]
        size = _COST_HEAD + _TERM * terms + _curve_size(buys, sells)
        self.check(self.at + size <= len(self.body) and 1 <= terms <= MAX_TERMS)
        self.shape(buys, sells)
        self.charge(cost_gas(terms, buys + sells))
        self.at += _COST_HEAD
        pairs = self.pairs(terms, auths)
        cost = Cost(tuple(Term(*pair) for pair in pairs), *self.curve(buys, sells))
        self.sides(cost, cost.gross, 1)
        return cost

    def auth(self, guard: int) -> Auth:
        """Rule 5; ``guard`` is G of the auth."""
        self.auth_size()
        flags, legs, buys, sells = self.body[self.at : self.at + _AUTH_HEAD]
        self.check(flags <= 1 and 1 <= legs <= MAX_LEGS)
        self.shape(buys, sells)
        self.charge(auth_gas(legs, buys + sells, limited=flags == 1))
        self.at += _AUTH_HEAD
        pairs = self.pairs(legs, len(self.products))
        self.check(legs > 1 or pairs[0][1] == 1)
        limits = Limits(self.number(6), self.number(6)) if flags else None
        auth = Auth(
            tuple(Leg(self.products[i], weight) for i, weight in pairs),
            *self.curve(buys, sells),
            limits,
        )
        self.sides(auth, auth.gross + guard, tau(auth, self.ticks))
        return auth

    def shape(self, buys: int, sells: int) -> None:
        self.check(max(buys, sells) <= MAX_STEPS and buys + sells >= 1)

    def pairs(self, count: int, below: int) -> list[tuple[int, int]]:
        """(index, factor) of legs or terms."""
        found = [(self.number(1), self.number(3, signed=True)) for _ in range(count)]
        indices = [index for index, _ in found]
        self.check(_ascending(indices) and indices[-1] < below)
        self.check(all(1 <= abs(factor) <= MAX_WEIGHT for _, factor in found))
        return found

    def curve(self, buys: int, sells: int) -> tuple[int, int, tuple[Step, ...], tuple[Step, ...]]:
        """(first, gap, buy, sell)."""
        first = self.number(_PRICE, signed=True)
        gap = self.number(_GAP) if buys and sells else 0
        return first, gap, self.steps(buys), self.steps(sells)

    def steps(self, count: int) -> tuple[Step, ...]:
        return tuple(Step(self.number(6), self.number(14)) for _ in range(count))

    def sides(self, curve: Auth | Cost, gross: int, floor: int) -> None:
        self.check(abs(curve.first) <= MAX_CURVE_PRICE and curve.ask <= MAX_CURVE_PRICE)
        for first, steps in ((curve.bid, curve.buy), (-curve.ask, curve.sell)):
            self.check(sum(step.width for step in steps) <= MAX_RATE)
            fall = sum(drops(steps, gross, floor))
            self.check(not steps or first - fall >= -MAX_CURVE_PRICE)

    def number(self, size: int, *, signed: bool = False) -> int:
        self.at += size
        return int.from_bytes(self.body[self.at - size : self.at], signed=signed)

    def charge(self, gas: int) -> None:
        self.gas += gas
        if self.gas > self.units * UNIT_GAS:
            raise _VoidError(VoidReason.OVERSIZED)

    def check(self, fine: bool) -> None:
        if not fine:
            raise _VoidError(VoidReason.MALFORMED)


def _curve_size(buys: int, sells: int) -> int:
    return _PRICE + _GAP * (buys > 0 and sells > 0) + _STEP * (buys + sells)


def _guards(auths: int, costs: Sequence[Cost]) -> list[int]:
    guards = [0] * auths
    for cost in costs:
        for term in cost.terms:
            guards[term.auth] += abs(term.coefficient)
    return guards


def _ascending(ids: Sequence[int]) -> bool:
    return all(a < b for a, b in pairwise(ids))
