"""The one place that knows about the compiler: `kernel` compiles a function and caches the result.

Numba caches beside the source or, when that is read-only, in the user's cache directory. Where
neither can be written (a container without a home) it refuses to compile at all, so a private
directory under the system's temporary one is named before numba is imported. It notices a changed
file, but not a changed callee in another one: `make clean` after editing a kernel that others call.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

F = TypeVar("F", bound=Callable[..., object])

__all__ = ["inline_kernel", "kernel"]


def _writable(directory: Path) -> bool:
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return os.access(directory, os.W_OK)


if "NUMBA_CACHE_DIR" not in os.environ and not any(
    _writable(place) for place in (Path(__file__).parent, Path("~/.cache/numba").expanduser())
):
    os.environ["NUMBA_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / f"walras-numba-{os.getuid()}")

import numba  # noqa: E402  (reads NUMBA_CACHE_DIR when imported)


def kernel(function: F) -> F:
    """Compile `function` on first use; the machine code is kept for the next process."""
    return cast("F", numba.njit(cache=True, error_model="numpy", nogil=True)(function))


def inline_kernel(function: F) -> F:
    """Compile `function` into the body of every kernel that calls it."""
    return cast("F", numba.njit(cache=True, error_model="numpy", forceinline=True)(function))
