"""Compiled contracts: ABI and bytecode, from the installed package or from the build directory."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from walras.errors import ConfigError

__all__ = ["Artifact", "load"]

_PACKAGED: Final = Path(__file__).parent / "artifacts"
_BUILT: Final = Path(__file__).parents[3] / "build" / "contracts"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One compiled contract; `bytecode` is its creation code without constructor arguments."""

    name: str
    abi: Sequence[Mapping[str, Any]]
    bytecode: bytes
    runtime: bytes


@cache
def load(name: str) -> Artifact:
    """The compiled contract `name`; ConfigError if there is none or it cannot be read."""
    for directory in (_BUILT, _PACKAGED):
        path = directory / f"{name}.json"
        if path.is_file():
            return _parse(name, path)
    raise ConfigError(
        f"no compiled contract {name}.json in {_BUILT} or {_PACKAGED}; run `make compile`"
    )


def _parse(name: str, path: Path) -> Artifact:
    try:
        document = json.loads(path.read_text())
        return Artifact(
            name,
            document["abi"],
            _code(document["bytecode"]),
            _code(document.get("deployedBytecode", "0x")),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is no contract artifact ({error}); compile again") from error


def _code(field: str) -> bytes:
    return bytes.fromhex(field.removeprefix("0x"))
