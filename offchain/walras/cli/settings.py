"""Where the command line takes its settings from: options, environment, a TOML file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from walras.documents import read_toml
from walras.errors import ConfigError

__all__ = ["CONFIG_NAMES", "DEFAULT_RPC", "Settings", "config_file", "read_config"]

DEFAULT_RPC: Final = "http://127.0.0.1:8545"
CONFIG_NAMES: Final = ("rpc", "market", "chain_id", "account", "data_dir", "password_file")
_LOCAL_FILE: Final = "walras.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """What every command needs to know; each may come from an option, WALRAS_… or a file.

    ``chain_id`` None accepts whatever chain the node serves.
    """

    rpc: str
    market: str | None
    chain_id: int | None
    account: str | None
    data_dir: Path
    password_file: Path | None

    @property
    def accounts_dir(self) -> Path:
        """Directory of the encrypted accounts."""
        return self.data_dir / "accounts"


def config_file(data_dir: Path) -> Path | None:
    """The file read when none is named: ./walras.toml, else config.toml of ``data_dir``."""
    for path in (Path(_LOCAL_FILE), data_dir / "config.toml"):
        if path.is_file():
            return path
    return None


def read_config(path: Path) -> dict[str, Any]:
    """Settings of a TOML file by option name; ConfigError if it cannot be used.

    Relative paths in it are relative to the file.
    """
    values = read_toml(path, "; check --config")
    for name, value in values.items():
        if name not in CONFIG_NAMES:
            known = ", ".join(CONFIG_NAMES)
            raise ConfigError(f"{path}: unknown setting {name!r}; known are {known}")
        if name == "chain_id":
            if type(value) is not int:
                raise ConfigError(f"{path}: {name} must be a whole number")
        elif not (isinstance(value, str) and value.isprintable()):
            raise ConfigError(f"{path}: {name} must be text in quotes, on one line")
        if name in ("data_dir", "password_file"):
            values[name] = str(path.parent / Path(str(value)).expanduser())
    return values
