"""TOML documents that a person writes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from walras.errors import ConfigError

__all__ = ["read_toml"]


def read_toml(path: Path, advice: str = "") -> dict[str, Any]:
    """The tables of a file; ConfigError with ``advice`` if it cannot be read, or is not TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}{advice}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
