"""Numbers with their nouns."""

from __future__ import annotations

import pytest

from walras.words import counted


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "account", "0 accounts"),
        (1, "submission", "1 submission"),
        (2, "batch", "2 batches"),
        (1_234_567, "unit", "1,234,567 units"),
        (3, "box", "3 boxes"),
    ],
)
def test_counted(number: int, noun: str, text: str) -> None:
    assert counted(number, noun) == text
