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
    """One compiled contract: creation code (hex) with gaps for the addresses of its libraries.

    `gaps` gives the hex digit at which each library's address goes.
    """

    name: str
    abi: Sequence[Mapping[str, Any]]
    bytecode: str
    runtime: str
    gaps: Mapping[str, tuple[int, ...]]

    def linked(self, libraries: Mapping[str, str]) -> bytes:
        """Creation code with the libraries' addresses (0x…) filled in."""
        code = self.bytecode
        for library, places in self.gaps.items():
            address = libraries[library].removeprefix("0x").lower()
            for at in places:
                code = code[:at] + address + code[at + len(address) :]
        return bytes.fromhex(code)


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
        links = document.get("linkReferences", {}).values()
        return Artifact(
            name,
            document["abi"],
            document["bytecode"].removeprefix("0x"),
            document["deployedBytecode"].removeprefix("0x"),
            {
                library: tuple(2 * place["start"] for place in places)
                for file in links
                for library, places in file.items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is no contract artifact ({error}); compile again") from error
