"""A book is read as written, or refused with the array, the row and the rule."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.clearing.books import random_draft
from walras.clearing import Book, BookError


def arrays() -> dict[str, Any]:
    return {
        "leg_ptr": [0, 1, 3],
        "leg_product": [0, 0, 1],
        "leg_weight": [1.0, 1.0, -1.0],
        "curve_ptr": [0, 2, 4],
        "curve_rate": [0.0, 5.0, -2.0, 0.0],
        "curve_price": [10.0, 9.0, 1.0, 0.5],
        "reference_price": [10.0, 9.0],
    }


def test_counts() -> None:
    book = Book(**arrays())
    assert (book.products, book.orders, book.groups) == (2, 2, 0)


def test_save_and_load_keep_every_array(tmp_path: Path) -> None:
    draft = random_draft(1, 3, 10)
    draft.group({0: 1.0, 3: -2.0}, (-5.0, 1.0), (5.0, -1.0))
    book = draft.book()
    book.save(tmp_path / "book.npz")
    loaded = Book.load(tmp_path / "book.npz").arrays()
    assert loaded.keys() == book.arrays().keys()
    for name, values in book.arrays().items():
        np.testing.assert_array_equal(loaded[name], values)


def test_arrays_are_copied_and_read_only() -> None:
    mine = np.array([10.0, 9.0])
    book = Book(**{**arrays(), "reference_price": mine})
    mine[0] = 0.0
    assert book.reference_price[0] == 10.0
    with pytest.raises(ValueError, match="read-only"):
        book.reference_price[0] = 0.0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("leg_ptr", [1, 1, 3], "leg_ptr must start at 0"),
        ("leg_ptr", [0, 2, 1], "never decrease"),
        ("leg_ptr", [0, 1, 2], "leg_ptr ends at 2 but leg_product has 3"),
        ("leg_ptr", [0.0, 1.0, 3.0], "leg_ptr must hold integers"),
        ("leg_product", [0, 0, 2], r"leg_product\[2\] is 2; products are 0 to 1"),
        ("leg_product", [0, 1, 1], "row 1 of leg_product names product 1 twice"),
        ("leg_weight", [1.0, np.nan, 1.0], r"leg_weight\[1\] is nan"),
        ("leg_weight", ["a", 1.0, 1.0], "leg_weight must hold real numbers"),
        ("curve_ptr", [0, 4], "curve_ptr describes 1 orders, leg_ptr 2"),
        ("curve_ptr", [0, 0, 4], "order 0 has no curve"),
        (
            "curve_rate",
            [0.0, -5.0, -2.0, 0.0],
            r"curve_rate\[1\] \(order 0\): rates never decrease",
        ),
        (
            "curve_price",
            [10.0, 9.0, 1.0, 1.5],
            r"curve_price\[3\] \(order 1\): prices never increase",
        ),
        ("curve_rate", [1.0, 5.0, -2.0, 0.0], "order 0: rate 0 must lie inside its curve"),
        ("reference_price", [[10.0], [9.0]], "reference_price must be one-dimensional"),
        ("maker", [1.0], "maker has 1 slopes for 2 products"),
        ("maker", [1.0, -1.0], r"maker\[1\] is negative"),
        ("group_ptr", [0, 1], "groups need all six arrays; missing: group_order"),
    ],
)
def test_what_is_no_book_is_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(BookError, match=message):
        Book(**{**arrays(), name: value})


def test_files_that_hold_no_book_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="not a readable"):
        Book.load(tmp_path / "absent.npz")
    np.savez(tmp_path / "other.npz", leg_ptr=[0], rubbish=[1])
    with pytest.raises(BookError, match=r"missing arrays .*unknown arrays \['rubbish'\]"):
        Book.load(tmp_path / "other.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(BookError, match="not a readable"):
        Book.load(tmp_path / "text.npz")
