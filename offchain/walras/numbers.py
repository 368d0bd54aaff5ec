"""Fixed-point grids, widths and capacity constants of the protocol (SPEC §1, §2).

``Xn`` means "integer holding the quantity times 2^n". Each division names its direction.
"""

from __future__ import annotations

from math import isqrt
from typing import Final

__all__ = [
    "AUTH_GAS",
    "BYTE_GAS",
    "COST_GAS",
    "LEDGER_BOUND",
    "LEG_GAS",
    "LIMIT_GAS",
    "MAX_AUTHS",
    "MAX_COSTS",
    "MAX_CURVE_PRICE",
    "MAX_LEGS",
    "MAX_PRICE",
    "MAX_PRODUCTS",
    "MAX_RATE",
    "MAX_STEPS",
    "MAX_TERMS",
    "MAX_UNITS",
    "MAX_WEIGHT",
    "MIN_UNITS",
    "PRODUCT_GAS",
    "STAND_GAS",
    "STEP_GAS",
    "SUBMISSION_GAS",
    "TERM_GAS",
    "UNIT_BYTES",
    "UNIT_GAS",
    "WORD_GAS",
    "X24",
    "X40",
    "X44",
    "X84",
    "ceil_div",
    "ceil_sqrt",
    "div_toward_zero",
    "floor_div",
]

X24: Final = 1 << 24  # scales: cash units per lot
X40: Final = 1 << 40  # curve prices, references, the cash ledger: cash units
X44: Final = 1 << 44  # rates, fills, product ledgers: lots
X84: Final = 1 << 84  # clearing prices: cash units per lot

MAX_RATE: Final = 1 << 48  # portfolio units per side and batch, and each step width's bound
MAX_WEIGHT: Final = 1 << 20  # lots per portfolio unit; also of a cost's coefficients
MAX_CURVE_PRICE: Final = 1 << 112  # X40 per portfolio unit, either sign
MAX_PRICE: Final = 1 << 138  # X84 per lot, either sign; exclusive
LEDGER_BOUND: Final = 1 << 96  # of every ledger, lots X44 or cash X40; exclusive
MAX_LEGS: Final = 16
MAX_STEPS: Final = 16  # per side
MAX_AUTHS: Final = 64
MAX_PRODUCTS: Final = 64  # listed by one submission
MAX_COSTS: Final = 16
MAX_TERMS: Final = 16  # auths of one cost

MIN_UNITS: Final = 10  # capacity units a seal may declare
MAX_UNITS: Final = 255
UNIT_GAS: Final = 2_560
UNIT_BYTES: Final = 19  # of a settlement's calldata
SUBMISSION_GAS: Final = 14_500
STAND_GAS: Final = 5_200
BYTE_GAS: Final = 25
PRODUCT_GAS: Final = 11_400
AUTH_GAS: Final = 2_700
LEG_GAS: Final = 1_000
STEP_GAS: Final = 500
LIMIT_GAS: Final = 1_500
COST_GAS: Final = 3_500
TERM_GAS: Final = 900
WORD_GAS: Final = 23_500


def floor_div(a: int, b: int) -> int:
    """⌊a / b⌋, b > 0."""
    return a // b


def ceil_div(a: int, b: int) -> int:
    """⌈a / b⌉, b > 0."""
    return -(-a // b)


def div_toward_zero(a: int, b: int) -> int:
    """Quotient a / b rounded toward zero, b > 0."""
    return a // b if a >= 0 else -(-a // b)


def ceil_sqrt(a: int) -> int:
    """⌈√a⌉, a ≥ 0."""
    return 0 if a == 0 else isqrt(a - 1) + 1
