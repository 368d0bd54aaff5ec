"""Every solver by name; libraries are imported only when one of them is asked for."""

from importlib import import_module
from typing import Protocol, cast

from walras.clearing.book import Book, Floats
from walras.clearing.engine import clear
from walras.clearing.solution import Clearing
from walras.errors import ClearingError

__all__ = ["Engine", "engine_named", "engines"]


class Engine(Protocol):
    """What every solver looks like: `walras.clearing.clear` is the first of them."""

    def __call__(
        self, book: Book, *, warm: Clearing | Floats | None = None, tolerance: float = 1e-10
    ) -> Clearing:
        """Prices and fills of `book`; read `Clearing.certified` before trusting them."""
        ...


_LIBRARIES = {"osqp": "clear_with_osqp", "clarabel": "clear_with_clarabel"}


def engines() -> tuple[str, ...]:
    """Names that `engine_named` understands, the default first."""
    return ("walras", *_LIBRARIES)


def engine_named(name: str) -> Engine:
    """The solver called `name`; raises `ClearingError` for a name nobody answers to."""
    if name == "walras":
        return clear
    if name not in _LIBRARIES:
        raise ClearingError(f"no engine is called {name!r}; choose from {', '.join(engines())}")
    return cast("Engine", getattr(import_module("walras.clearing.baseline"), _LIBRARIES[name]))
