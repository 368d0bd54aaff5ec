"""Documents on disk: TOML that a person writes, files that are there whole or not at all."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from walras.errors import ConfigError

__all__ = ["read_toml", "replacing", "write_new", "write_whole"]


def read_toml(path: Path, advice: str = "") -> dict[str, Any]:
    """The tables of a file; ConfigError with ``advice`` if it cannot be read, or is not TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}{advice}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path} is nested too deeply") from None


@contextmanager
def replacing(path: Path, mode: int = 0o666) -> Iterator[Path]:
    """A file to write that takes the place of ``path`` when the block ends well.

    So a full disk, or a kill, leaves what was there before. ``mode`` is of the file, less the
    umask. What is there and no file, like a terminal, is written to itself. OSErrors name ``path``.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode))
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file whole or not at all, as `replacing` does; OSError if it cannot be."""
    with replacing(path, mode) as part:
        part.write_bytes(content)


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that must not be there yet: FileExistsError; OSError leaves none behind."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise
