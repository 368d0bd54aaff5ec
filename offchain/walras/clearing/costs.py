"""The costs of a book as arrays, and which of them hang together."""

from typing import NamedTuple, Self

import numpy as np

from walras.clearing.book import Book, Floats, Ints
from walras.clearing.orders import rows

__all__ = ["Costs"]


class Costs(NamedTuple):
    """Some costs of a book: members and curves row by row, as in `Book`.

    ptr (G+1,), order, coefficient; curve_ptr (G+1,), curve_rate, curve_price; row (G,): where the
    book has them.
    """

    ptr: Ints
    order: Ints
    coefficient: Floats
    curve_ptr: Ints
    curve_rate: Floats
    curve_price: Floats
    row: Ints

    @classmethod
    def of(cls, book: Book) -> Self:
        """All of them."""
        return cls(
            book.group_ptr,
            book.group_order,
            book.group_coefficient,
            book.group_curve_ptr,
            book.group_curve_rate,
            book.group_curve_price,
            np.arange(book.groups),
        )

    def subset(self, chosen: Ints) -> Self:
        """The costs `chosen`."""
        members = rows(chosen, self.ptr, self.order, self.coefficient)
        curves = rows(chosen, self.curve_ptr, self.curve_rate, self.curve_price)
        return self.__class__(*members, *curves, self.row[chosen])

    def separate(self) -> tuple[Ints, Ints]:
        """Rows of the costs that share no order with another, and of the others."""
        users = np.bincount(self.order)
        crowd = np.zeros(len(self.row), np.int64)
        owner = np.repeat(np.arange(len(self.row)), np.diff(self.ptr))
        crowd[owner[users[self.order] > 1]] = 1
        return np.flatnonzero(crowd == 0), np.flatnonzero(crowd)

    def unit_price(self, gross: Floats) -> Floats:
        """(G,) level at which a shadow price matters: value of a unit over coefficient.

        gross: value of a unit of each of the orders, in the sequence of `order`.
        """
        unit = np.zeros(len(self.row))
        owner = np.repeat(np.arange(len(self.row)), np.diff(self.ptr))
        np.maximum.at(unit, owner, gross / np.maximum(np.abs(self.coefficient), 1e-300))
        return np.where(unit > 0, unit, 1.0)
