"""What is simulated: presets, and files that change them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final

from walras.errors import ConfigError
from walras.simulate.agents import BPS, Quoting

__all__ = ["PRESETS", "Scenario", "read_scenario"]


@dataclass(frozen=True, slots=True)
class Makers:
    """Market makers in single products; sizes in dollars a side and product."""

    count: int = 12
    products: int = 8
    size: float = 60_000.0
    spread_bps: float = 2.0
    depth_bps: float = 20.0
    skew_bps: float = 1.0
    error_bps: float = 4.0

    def quoting(self) -> Quoting:
        """The same as agents read it."""
        return Quoting(
            size=self.size,
            spread=self.spread_bps * BPS,
            depth=self.depth_bps * BPS,
            skew=self.skew_bps * BPS,
            error=self.error_bps * BPS,
        )


@dataclass(frozen=True, slots=True)
class Pairs(Makers):
    """Makers of one stock against another; ``products`` is not used."""

    count: int = 8


@dataclass(frozen=True, slots=True)
class Arbitrage:
    """Arbitrageurs of the index; ``size`` in dollars a batch, both legs together."""

    count: int = 4
    size: float = 200_000.0
    margin_bps: float = 1.0


@dataclass(frozen=True, slots=True)
class Institutions:
    """Large orders: about ``notional`` dollars each over about ``horizon`` of the batches.

    ``baskets`` is the part of them that trade several stocks at once.
    """

    count: int = 36
    notional: float = 4_000_000.0
    horizon: float = 0.3
    patience_bps: float = 100.0
    eager: float = 2.0
    baskets: float = 0.25


@dataclass(frozen=True, slots=True)
class Switchers:
    """Buyers of whichever of ``stocks`` is cheapest, ``budget`` dollars over ``horizon``."""

    count: int = 4
    stocks: int = 3
    budget: float = 1_500_000.0
    horizon: float = 0.4
    patience_bps: float = 60.0


@dataclass(frozen=True, slots=True)
class Noises:
    """Small traders; ``activity`` is the probability of an order in a batch."""

    count: int = 136
    size: float = 15_000.0
    activity: float = 0.3


@dataclass(frozen=True, slots=True)
class Scenario:
    """A market and its traders; ``index`` constituents of the last product, 0 for no index."""

    products: int = 20
    batches: int = 390
    interval: float = 60.0
    index: int = 10
    makers: Makers = field(default_factory=Makers)
    pairs: Pairs = field(default_factory=Pairs)
    arbitrage: Arbitrage = field(default_factory=Arbitrage)
    institutions: Institutions = field(default_factory=Institutions)
    switchers: Switchers = field(default_factory=Switchers)
    noise: Noises = field(default_factory=Noises)

    def __post_init__(self) -> None:
        """Refuse what no market can be; raises ConfigError."""
        stocks = self.products - (self.index > 0)
        if not 1 <= stocks <= 1_000 or not 0 <= self.index <= 15:
            raise ConfigError(
                f"{self.products} products with an index of {self.index}: take 1 to 1,000 stocks "
                "and an index of up to 15"
            )
        if self.index > stocks:
            raise ConfigError(f"an index of {self.index} needs as many stocks, there are {stocks}")
        if self.batches < 1 or not self.interval > 0:
            raise ConfigError("a simulation has at least one batch, of some length")

    def resized(
        self,
        *,
        batches: int | None = None,
        products: int | None = None,
        interval: float | None = None,
    ) -> Scenario:
        """The same with other sizes; too few products for the index leave it out."""
        wanted = self.products if products is None else products
        return replace(
            self,
            batches=self.batches if batches is None else batches,
            products=wanted,
            interval=self.interval if interval is None else interval,
            index=self.index if self.index < wanted else 0,
        )

    @property
    def stocks(self) -> int:
        """Products that are not the index."""
        return self.products - (self.index > 0)


PRESETS: Final[Mapping[str, Scenario]] = {
    "day": Scenario(),
    "thin": Scenario(
        products=5,
        index=0,
        makers=Makers(count=2, products=5, size=20_000.0, depth_bps=40.0, spread_bps=8.0),
        pairs=Pairs(count=1, size=20_000.0, spread_bps=8.0),
        arbitrage=Arbitrage(count=0),
        institutions=Institutions(count=6, notional=500_000.0),
        switchers=Switchers(count=1, budget=200_000.0),
        noise=Noises(count=15, activity=0.1),
    ),
    "institutional": Scenario(
        makers=Makers(count=6),
        institutions=Institutions(count=150, notional=2_000_000.0, baskets=0.4),
        noise=Noises(count=20),
    ),
}


def read_scenario(name: str) -> Scenario:
    """A preset by its name, or a TOML file with the fields of ``Scenario``.

    A file may say ``preset = "…"`` and change only some fields. Raises ConfigError.
    """
    if name in PRESETS:
        return PRESETS[name]
    path = Path(name)
    if not path.is_file():
        raise ConfigError(
            f"{name} is neither a scenario file nor one of the presets {', '.join(PRESETS)}"
        )
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    preset = data.pop("preset", "day")
    if preset not in PRESETS:
        raise ConfigError(f"{path}: there is no preset {preset!r}; take {', '.join(PRESETS)}")
    try:
        changed = _changed(PRESETS[preset], data, "")
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    assert isinstance(changed, Scenario)
    return changed


def _changed(base: Any, data: Mapping[str, Any], where: str) -> Any:
    """``base``, a dataclass, with the fields in ``data``."""
    known = {f.name for f in fields(base)}
    changes = {}
    for key, value in data.items():
        place = f"{where}{key}"
        if key not in known:
            raise ConfigError(f"{place} is no setting; here are {', '.join(sorted(known))}")
        old = getattr(base, key)
        if is_dataclass(old):
            if not isinstance(value, dict):
                raise ConfigError(f"{place} is a table of settings; write [{place}]")
            changes[key] = _changed(old, value, f"{place}.")
            continue
        fits = isinstance(value, int) or (isinstance(old, float) and isinstance(value, float))
        if isinstance(value, bool) or not fits or value < 0:
            raise ConfigError(f"{place} = {value!r}: a number that is not negative is needed")
        changes[key] = type(old)(value)
    return replace(base, **changes)
