"""What a clearer can be told: a TOML file, WALRAS_CLEARER_… variables, options; the last wins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from walras.chain.transactions import MOST_GAS, SendPolicy
from walras.documents import read_toml
from walras.errors import ConfigError
from walras.operator.decide import FIXED_GAS

__all__ = ["ClearerSettings", "load_settings"]

_PREFIX: Final = "WALRAS_CLEARER_"


class ClearerSettings(BaseSettings):
    """Settings of one clearer. Times in seconds, fees in wei per gas."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, extra="forbid", frozen=True, allow_inf_nan=False
    )

    seed: Path | None = Field(
        None, description="File of the operator's seed; none: clear as anybody."
    )
    state_dir: Path = Field(Path("clearer"), description="Directory of journal and lock.")
    database: str | None = Field(None, description="SQLAlchemy URL of the journal; none: SQLite.")
    engine: Literal["walras", "osqp", "clarabel"] = Field(
        "walras", description="Solver that finds the starting point."
    )
    keys_ahead: int = Field(3, ge=1, le=100, description="Batches whose keys are registered early.")
    poll: float = Field(1.0, gt=0, description="Pause between looks at the chain.")
    confirmations: int = Field(
        1, ge=0, description="Blocks after the lock-out block before the key is published."
    )
    finalized: bool = Field(
        False, description="Publish the key only when the node calls the lock-out block finalized."
    )
    margin: int = Field(
        2, ge=0, description="Time a transaction may take: nothing is sent closer to its deadline."
    )
    max_failures: int = Field(5, ge=1, description="Failures in a row after which to halt.")
    least_balance: int = Field(10**16, ge=0, description="Wei below which to warn.")
    transaction_gas: int = Field(
        MOST_GAS - FIXED_GAS,
        ge=10**5,
        description="Gas for the accounts of one transaction; larger batches go in chunks.",
    )
    tip: int | None = Field(None, ge=0, description="Priority fee; none: what the node suggests.")
    max_fee: int | None = Field(None, gt=0, description="Highest fee ever offered.")
    stuck_after: float = Field(30.0, gt=0, description="Wait before a transaction is repriced.")
    give_up_after: float = Field(300.0, gt=0, description="Wait before giving a transaction up.")
    metrics_port: int | None = Field(
        None, ge=0, le=65_535, description="Port of /metrics and /health; none: not served."
    )
    metrics_host: str = Field("127.0.0.1", description="Address at which they are served.")
    stale_after: float = Field(
        120.0, gt=0, description="Time without a step after which /health says 503."
    )
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level."
    )

    @property
    def send_policy(self) -> SendPolicy:
        """How the clearer's transactions are sent."""
        return SendPolicy(
            poll_every=min(self.poll, 0.5),
            stuck_after=self.stuck_after,
            give_up_after=self.give_up_after,
            tip=self.tip,
            max_fee=self.max_fee,
        )

    def database_url(self) -> str:
        """The journal's address; the state directory is made for it."""
        if self.database is not None:
            return self.database
        try:
            self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"cannot make {self.state_dir}: {error.strerror}") from error
        return f"sqlite:///{(self.state_dir / 'journal.sqlite').absolute()}"


def load_settings(file: Path | None = None, **options: Any) -> ClearerSettings:
    """Settings from a file, the environment and options that are not None; ConfigError if bad.

    Relative paths in the file are relative to it.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return ClearerSettings(**(_unset_by_environment(_read(file)) | given))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        source = "" if file is None else f"{file}: "
        if first["type"] == "extra_forbidden":
            known = ", ".join(ClearerSettings.model_fields)
            raise ConfigError(f"{source}unknown setting {name!r}; known are {known}") from None
        told = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{source}setting {name}: {told}; docs/OPERATIONS.md has all") from None


def _read(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    values = read_toml(file)
    for name, value in values.items():
        field = ClearerSettings.model_fields.get(name)
        if field is not None and isinstance(value, bool) and field.annotation is not bool:
            raise ConfigError(f"{file}: setting {name}: true and false are no value for it")
    for name in ("seed", "state_dir"):
        if isinstance(values.get(name), str):
            if not values[name].isprintable():
                raise ConfigError(f"{file}: {name} must be text on one line")
            values[name] = file.parent / Path(values[name]).expanduser()
    return values


def _unset_by_environment(values: dict[str, Any]) -> dict[str, Any]:
    """Constructor arguments outrank variables in pydantic; a file must not."""
    present = {name.lower() for name in os.environ}
    return {k: v for k, v in values.items() if (_PREFIX + k).lower() not in present}
