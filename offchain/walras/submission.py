"""What one account wants in a batch, as bytes and back (SPEC §2).

Twin of ``contracts/libraries/Submission.sol``. Decoding is total: any bytes are one submission or
one void reason, the same everywhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from walras.auths import Auth, Cover, Leg, Step, Submission, cover
from walras.curve import drops, tau
from walras.errors import OrderError
from walras.numbers import (
    AUTH_GAS,
    BYTE_GAS,
    LEG_GAS,
    MAX_AUTHS,
    MAX_CURVE_PRICE,
    MAX_LEGS,
    MAX_PRODUCTS,
    MAX_RATE,
    MAX_STEPS,
    MAX_UNITS,
    MAX_WEIGHT,
    MIN_UNITS,
    PRODUCT_GAS,
    STEP_GAS,
    SUBMISSION_GAS,
    UNIT_GAS,
    WORD_GAS,
    ceil_div,
)

__all__ = [
    "Auth",
    "Cover",
    "Decoded",
    "Leg",
    "Step",
    "Submission",
    "VoidReason",
    "cover",
    "decode",
    "encode",
    "required_units",
    "word_gas",
]

_HEAD = 9  # bytes of a body without its product list and its auths
_AUTH_HEAD, _LEG, _PRICE, _GAP, _STEP = 4, 4, 16, 14, 20  # bytes of the parts of an auth
_SEALED = 33 + 32 + 4  # bytes a ciphertext has beyond the body: point, salt, magic
_ENTRY = 22  # bytes of address and length in a settlement's list
_PRICED = 64  # bytes of id and price of a product there
_BYTES_PER_UNIT = 19


class VoidReason(IntEnum):
    """Why a submission trades nothing in its batch."""

    UNOPENED = 1
    MALFORMED = 2
    OVERSIZED = 3
    EXPIRED = 4
    UNCOVERED = 5


@dataclass(frozen=True, slots=True)
class Decoded:
    """Outcome of rules 1-5.

    ``products`` are those the settlement has to price: the list, once it passes rule 3.
    ``gas`` is the capacity charged until decoding stopped, the failing charge included.
    """

    submission: Submission | None
    products: tuple[int, ...]
    reason: VoidReason | None
    gas: int


def word_gas(products: Collection[int], home: int | None) -> int:
    """Gas of the ledger words beyond the account's own (rule 7).

    Two products share a word; the home product needs none. Without a home the lowest id becomes it.
    """
    if home is None:
        home = min(products)
    return WORD_GAS * len({product >> 1 for product in products if product != home})


def required_units(
    submission: Submission, *, home: int | None, ciphertext_length: int | None = None
) -> int:
    """Least capacity units under which ``submission`` passes rules 2, 4 and 7 and can be sealed.

    Raises OrderError if it needs more than one seal may declare.
    """
    products = submission.products
    length = _SEALED + len(encode(submission)) if ciphertext_length is None else ciphertext_length
    gas = _base_gas(length, len(products)) + word_gas(products, home)
    gas += sum(
        _auth_gas(len(auth.legs), len(auth.buy) + len(auth.sell)) for auth in submission.auths
    )
    size = _size(length, len(products))
    units = max(MIN_UNITS, ceil_div(gas, UNIT_GAS), ceil_div(size, _BYTES_PER_UNIT))
    if units > MAX_UNITS:
        raise OrderError(
            f"the submission needs {units} capacity units, {MAX_UNITS} is the most one seal may "
            "declare; use fewer auths, legs or steps"
        )
    return units


def encode(submission: Submission) -> bytes:
    """Bytes of ``submission`` (the body, after the magic).

    Raises OrderError for anything that would be malformed whatever the ticks are.
    """
    products = submission.products
    _require(1 <= len(products) <= MAX_PRODUCTS, f"a submission lists 1 to {MAX_PRODUCTS} products")
    _require(1 <= len(submission.auths) <= MAX_AUTHS, f"a submission has 1 to {MAX_AUTHS} auths")
    _require(products[0] >= 0 and products[-1] < 1 << 16, "product ids lie below 2^16")
    _require(0 <= submission.valid_until < 1 << 40, "valid_until is unix seconds below 2^40")
    index = {product: i for i, product in enumerate(products)}
    head = (0).to_bytes(1) + submission.valid_until.to_bytes(5) + len(products).to_bytes(1)
    listed = b"".join(product.to_bytes(2) for product in products)
    counts = bytes((len(submission.auths), 0))
    return b"".join((head, listed, counts, *(_encode_auth(a, index) for a in submission.auths)))


def _encode_auth(auth: Auth, index: Mapping[int, int]) -> bytes:
    two_sided = bool(auth.buy and auth.sell)
    _require(1 <= len(auth.legs) <= MAX_LEGS, f"a portfolio has 1 to {MAX_LEGS} legs")
    _require(_ascending([leg.product for leg in auth.legs]), "legs ascend by product, each once")
    _require(all(1 <= abs(leg.weight) <= MAX_WEIGHT for leg in auth.legs), "1 <= |weight| <= 2^20")
    _require(len(auth.legs) > 1 or auth.legs[0].weight == 1, "a single leg has weight 1")
    _require(bool(auth.buy or auth.sell), "an auth buys or sells something")
    _require(max(len(auth.buy), len(auth.sell)) <= MAX_STEPS, f"a side has up to {MAX_STEPS} steps")
    _require(two_sided or auth.gap == 0, "only a two-sided auth has a gap")
    _require(0 <= auth.gap < 1 << 112, "the ask is not below the bid, and within 2^112 of it")
    _require(max(abs(auth.first), auth.ask) <= MAX_CURVE_PRICE, "curve prices lie within 2^112")
    steps = auth.buy + auth.sell
    _require(
        all(s.width >= 0 and 0 <= s.increment < 1 << 112 for s in steps),
        "step widths are not negative, increments lie in 0 to 2^112",
    )
    _require(max(auth.buy_rate, auth.sell_rate) <= MAX_RATE, "a side trades at most 2^48 units")
    _require(all(s.width < MAX_RATE for s in steps), "a step is less than 2^48 units wide")
    parts = [bytes((0, len(auth.legs), len(auth.buy), len(auth.sell)))]
    parts += [bytes((index[g.product],)) + g.weight.to_bytes(3, signed=True) for g in auth.legs]
    parts.append(auth.first.to_bytes(16, signed=True))
    if two_sided:
        parts.append(auth.gap.to_bytes(14))
    parts += [s.width.to_bytes(6) + s.increment.to_bytes(14) for s in steps]
    return b"".join(parts)


def decode(body: bytes, *, ciphertext_length: int, units: int, ticks: Mapping[int, int]) -> Decoded:
    """Read ``body`` by rules 1-5.

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
    """Walks a body once; ``products`` and ``gas`` are valid whenever it stops."""

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
        self.check(body[0] == 0 and 1 <= count <= MAX_PRODUCTS)
        self.check(1 <= auths <= MAX_AUTHS and costs == 0)
        self.charge(_base_gas(ciphertext_length, count))
        if _size(ciphertext_length, count) > _BYTES_PER_UNIT * self.units:
            raise _VoidError(VoidReason.OVERSIZED)
        listed = [int.from_bytes(body[i : i + 2]) for i in range(7, 7 + 2 * count, 2)]
        self.check(_ascending(listed) and all(product in self.ticks for product in listed))
        self.products = tuple(listed)
        self.at = _HEAD + 2 * count
        submission = Submission(tuple(self.auth() for _ in range(auths)), int.from_bytes(body[1:6]))
        self.check(self.at == len(body) and submission.products == self.products)
        return submission

    def auth(self) -> Auth:
        self.check(self.at + _AUTH_HEAD <= len(self.body))
        flags, legs, buys, sells = self.body[self.at : self.at + _AUTH_HEAD]
        steps, two_sided = buys + sells, buys > 0 and sells > 0
        size = _AUTH_HEAD + _LEG * legs + _PRICE + _GAP * two_sided + _STEP * steps
        self.check(self.at + size <= len(self.body) and flags == 0)
        self.check(1 <= legs <= MAX_LEGS and max(buys, sells) <= MAX_STEPS and steps >= 1)
        self.charge(_auth_gas(legs, steps))
        self.at += _AUTH_HEAD
        auth = Auth(
            legs=self.legs(legs),
            first=int.from_bytes(self.take(_PRICE), signed=True),
            gap=int.from_bytes(self.take(_GAP)) if two_sided else 0,
            buy=self.steps(buys),
            sell=self.steps(sells),
        )
        self.check(abs(auth.first) <= MAX_CURVE_PRICE and auth.ask <= MAX_CURVE_PRICE)
        self.side(auth, auth.bid, auth.buy)
        self.side(auth, -auth.ask, auth.sell)
        return auth

    def legs(self, count: int) -> tuple[Leg, ...]:
        raw = [self.take(_LEG) for _ in range(count)]
        indices = [leg[0] for leg in raw]
        weights = [int.from_bytes(leg[1:], signed=True) for leg in raw]
        self.check(_ascending(indices) and indices[-1] < len(self.products))
        self.check(all(1 <= abs(weight) <= MAX_WEIGHT for weight in weights))
        self.check(count > 1 or weights[0] == 1)
        return tuple(Leg(self.products[i], w) for i, w in zip(indices, weights, strict=True))

    def steps(self, count: int) -> tuple[Step, ...]:
        raw = [self.take(_STEP) for _ in range(count)]
        return tuple(Step(int.from_bytes(s[:6]), int.from_bytes(s[6:])) for s in raw)

    def side(self, auth: Auth, first: int, steps: tuple[Step, ...]) -> None:
        self.check(sum(step.width for step in steps) <= MAX_RATE)
        fall = sum(drops(steps, auth.gross, tau(auth, self.ticks)))
        self.check(not steps or first - fall >= -MAX_CURVE_PRICE)

    def take(self, size: int) -> bytes:
        self.at += size
        return self.body[self.at - size : self.at]

    def charge(self, gas: int) -> None:
        self.gas += gas
        if self.gas > self.units * UNIT_GAS:
            raise _VoidError(VoidReason.OVERSIZED)

    def check(self, fine: bool) -> None:
        if not fine:
            raise _VoidError(VoidReason.MALFORMED)


def _base_gas(ciphertext_length: int, products: int) -> int:
    return SUBMISSION_GAS + BYTE_GAS * ciphertext_length + PRODUCT_GAS * products


def _size(ciphertext_length: int, products: int) -> int:
    """Bytes of a settlement's calldata: the submission and the prices it asks for."""
    return ciphertext_length + _ENTRY + _PRICED * products


def _auth_gas(legs: int, steps: int) -> int:
    return AUTH_GAS + LEG_GAS * legs + STEP_GAS * steps


def _ascending(ids: list[int]) -> bool:
    return all(a < b for a, b in pairwise(ids))


def _require(fine: bool, rule: str) -> None:
    if not fine:
        raise OrderError(f"the order cannot be encoded: {rule}; change it accordingly")
