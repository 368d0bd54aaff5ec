"""The one place that knows about the compiler: `kernel` compiles a function and caches the result.

Numba notices a changed file, but not a changed callee in another one. So the cache is named after
all sources of this package: whoever edits one starts afresh, and finds the former again by going
back. It lies beside the sources, else in the user's cache directory, else under the system's
temporary one (a container without a home); `make clean` removes the first.
"""

import os
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar, cast

F = TypeVar("F", bound=Callable[..., object])

__all__ = ["cache_directory", "inline_kernel", "kernel"]


def cache_directory(package: Path) -> Path:
    """Where machine code of the sources in `package` belongs, as they are now."""
    digest = sha256()
    for source in sorted(package.glob("*.py")):
        content = source.read_bytes()
        digest.update(f"{source.name} {len(content)} ".encode() + content)
    roots = (
        package / "__pycache__",
        Path("~/.cache/walras").expanduser(),
        Path(tempfile.gettempdir()) / f"walras-{os.getuid()}",
    )
    root = next((root for root in roots if _writable(root)), roots[-1])
    return root / f"kernels-{digest.hexdigest()[:16]}"


def _writable(directory: Path) -> bool:
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return os.access(directory, os.W_OK)


os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_directory(Path(__file__).parent)))

import numba  # noqa: E402  (reads NUMBA_CACHE_DIR when imported)


def kernel(function: F) -> F:
    """Compile `function` on first use; the machine code is kept for the next process."""
    return cast("F", numba.njit(cache=True, error_model="numpy", nogil=True)(function))


def inline_kernel(function: F) -> F:
    """Compile `function` into the body of every kernel that calls it."""
    return cast("F", numba.njit(cache=True, error_model="numpy", forceinline=True)(function))
