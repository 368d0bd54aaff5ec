"""Clearing: from a book to the one set of prices at which everybody's demand meets supply.

    book = Book(leg_ptr=..., ...)        # or Book.load("book.npz")
    clearing = clear(book)               # prices, fills and their proof
    assert clearing.certified

`engines` names every solver that can stand in for `clear`, for `--engine` and for checking each
other.
"""

from walras.clearing.book import Book, BookError
from walras.clearing.engine import clear
from walras.clearing.evaluate import Verdict, evaluate
from walras.clearing.registry import Engine, engine_named, engines
from walras.clearing.solution import Clearing

__all__ = [
    "Book",
    "BookError",
    "Clearing",
    "Engine",
    "Verdict",
    "clear",
    "engine_named",
    "engines",
    "evaluate",
]
