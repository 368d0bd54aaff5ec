"""Documents on disk: TOML that a person writes, files that are there whole or not at all."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from walras.errors import ConfigError

__all__ = ["read_toml", "write_whole"]


def read_toml(path: Path, advice: str = "") -> dict[str, Any]:
    """The tables of a file; ConfigError with ``advice`` if it cannot be read, or is not TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}{advice}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None


def write_whole(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file so that a full disk leaves what was there before; OSError if it cannot be.

    ``mode`` is of a new file, less the umask. What is no file, like a terminal, is written to.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
