"""What a submission is charged of a batch's capacity, in gas and in bytes (SPEC §2)."""

from __future__ import annotations

from collections.abc import Collection

from walras.auths import Auth, Cost, Submission
from walras.numbers import (
    AUTH_GAS,
    BYTE_GAS,
    COST_GAS,
    LEG_GAS,
    LIMIT_GAS,
    MIN_UNITS,
    PRODUCT_GAS,
    STAND_GAS,
    STEP_GAS,
    SUBMISSION_GAS,
    TERM_GAS,
    UNIT_BYTES,
    UNIT_GAS,
    WORD_GAS,
    ceil_div,
)

__all__ = ["auth_gas", "base_gas", "cost_gas", "item_size", "least_units", "word_gas"]

_ITEM_HEAD = 24  # bytes of address, length and counts in a settlement's list
_PRICED = 64  # bytes of id and price of a product there
_SHADOW = 20  # bytes of a shadow price there


def base_gas(ciphertext_length: int, products: int, *, standing: bool) -> int:
    """Gas of opening, of beginning to stand and of the listed products (rule 2)."""
    first = SUBMISSION_GAS + STAND_GAS * standing
    return first + BYTE_GAS * ciphertext_length + PRODUCT_GAS * products


def item_size(ciphertext_length: int, products: int, costs: int) -> int:
    """Bytes of a settlement's calldata: the item and the prices it asks for (rule 2)."""
    return ciphertext_length + _ITEM_HEAD + _PRICED * products + _SHADOW * costs


def auth_gas(legs: int, steps: int, *, limited: bool) -> int:
    """Gas of one auth (rule 5)."""
    return AUTH_GAS + LEG_GAS * legs + STEP_GAS * steps + LIMIT_GAS * limited


def cost_gas(terms: int, steps: int) -> int:
    """Gas of one cost (rule 4)."""
    return COST_GAS + TERM_GAS * terms + STEP_GAS * steps


def word_gas(products: Collection[int], home: int | None) -> int:
    """Gas of the ledger words beyond the account's own (rule 8).

    Two products share a word; the home product needs none. Without a home the lowest id becomes it.
    """
    if home is None:
        home = min(products)
    return WORD_GAS * len({product >> 1 for product in products if product != home})


def least_units(submission: Submission, ciphertext_length: int, home: int | None) -> int:
    """Least capacity units under which rules 2, 4, 5 and 8 hold, whatever a seal may declare."""
    products = submission.products
    gas = base_gas(ciphertext_length, len(products), standing=submission.standing)
    gas += word_gas(products, home)
    gas += sum(
        auth_gas(len(auth.legs), _steps(auth), limited=auth.limits is not None)
        for auth in submission.auths
    )
    gas += sum(cost_gas(len(cost.terms), _steps(cost)) for cost in submission.costs)
    size = item_size(ciphertext_length, len(products), len(submission.costs))
    return max(MIN_UNITS, ceil_div(gas, UNIT_GAS), ceil_div(size, UNIT_BYTES))


def _steps(curve: Auth | Cost) -> int:
    return len(curve.buy) + len(curve.sell)
