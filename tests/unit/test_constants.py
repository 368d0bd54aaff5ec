from __future__ import annotations

import re
from pathlib import Path

import pytest

from walras import chunks, effects, numbers

SOURCE = (Path(__file__).parents[2] / "contracts/libraries/Constants.sol").read_text()
VALUES = {
    name: eval(value.replace("_", ""), {"__builtins__": {}}, {})
    for name, value in re.findall(r"constant (\w+) = ([0-9_ <]+);", SOURCE)
}
# what the contract calls otherwise, or has as a width
OTHERS = {"MAX_PRICE": "PRICE_BOUND"}
LISTED = {"MAX_AUTHS": "MAX_LISTED", "MAX_PRODUCTS": "MAX_LISTED"}
ABSENT = {"LEDGER_BOUND", "MAX_UNITS", "X24", "X40", "X44", "X84"}


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (module, name)
        for module in (numbers, effects, chunks)
        for name in module.__all__
        if name.isupper() and name not in ABSENT
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_constants_are_the_contracts(module: object, name: str) -> None:
    stands_for = OTHERS.get(name) or LISTED.get(name, name)
    assert getattr(module, name) == VALUES[stands_for]


def test_grids_are_the_contracts() -> None:
    assert VALUES["CASH_BITS"] == (numbers.X40 - 1).bit_length()
    assert VALUES["LOT_BITS"] == (numbers.X44 - 1).bit_length()
    assert VALUES["PAYMENT_SHIFT"] == 88
