"""Who takes part in a simulation: presets, scenario files, and the agents they mean."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from walras.errors import ConfigError
from walras.simulate.agents import (
    Agent,
    Arbitrageur,
    Institution,
    Maker,
    Noise,
    PairMaker,
    Quoting,
    dice_of,
)
from walras.simulate.agents.base import BPS
from walras.simulate.desk import LOTS_PER_SHARE
from walras.simulate.prices import Fundamentals

__all__ = ["PRESETS", "Scenario", "agents_of", "index_legs", "read_scenario", "with_index"]

Floats = NDArray[np.float64]

_INDEX_LOTS: Final = 1_000  # of the index in one unit of the arbitrage portfolio
_INDEX_PRICE: Final = 100.0  # dollars a share of the index on the first day, about
_LEG: Final = 1_000.0  # dollars of each leg of a pair or a basket, about


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
    patience_bps: float = 60.0
    eager: float = 2.0
    baskets: float = 0.25


@dataclass(frozen=True, slots=True)
class Noises:
    """Small traders; ``activity`` is the probability of an order in a batch."""

    count: int = 140
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
        noise=Noises(count=15, activity=0.1),
    ),
    "institutional": Scenario(
        makers=Makers(count=6),
        institutions=Institutions(count=150, notional=2_000_000.0, baskets=0.4),
        noise=Noises(count=32),
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


def index_legs(scenario: Scenario, prices: Floats) -> dict[int, int]:
    """The index bought against its constituents, lots by product; empty without an index."""
    if not scenario.index:
        return {}
    worth = _INDEX_LOTS * _INDEX_PRICE / scenario.index
    legs = {k: -max(1, round(worth / float(prices[k]))) for k in range(scenario.index)}
    return {**legs, scenario.stocks: _INDEX_LOTS}


def with_index(stocks: Fundamentals, legs: Mapping[int, int]) -> Fundamentals:
    """``stocks`` and the index that ``legs`` define, worth exactly its constituents."""
    if not legs:
        return stocks
    held = [-w / _INDEX_LOTS for w in legs.values() if w < 0]
    worth = stocks.values[:, : len(held)] @ np.array(held)
    return Fundamentals(
        (*stocks.symbols, "INDEX"),
        (*stocks.dates, stocks.dates[0]),
        np.column_stack([stocks.values, worth]),
        np.append(stocks.volatility, np.std(np.diff(np.log(worth))) * np.sqrt(len(worth))),
    )


def agents_of(scenario: Scenario, prices: Floats, seed: int) -> list[Agent]:
    """Everybody who takes part, from the first ``prices`` (dollars a share) and one seed."""
    cast = _Cast(scenario, prices, seed)
    return [
        *cast.makers(),
        *cast.pair_makers(),
        *cast.arbitrageurs(),
        *cast.institutions(),
        *cast.noise(),
    ]


@dataclass(frozen=True, slots=True)
class _Cast:
    scenario: Scenario
    prices: Floats
    seed: int

    def makers(self) -> Iterator[Agent]:
        products, makers = self.scenario.products, self.scenario.makers
        width = min(makers.products, products)
        for i in range(makers.count):
            # Windows around the ring of products, so that every product has as many makers.
            begin = i * products // makers.count
            covered = sorted((begin + j) % products for j in range(width))
            name = f"maker {i + 1}"
            yield Maker(name, covered, makers.quoting(), dice_of(self.seed, name))

    def pair_makers(self) -> Iterator[Agent]:
        if self.scenario.stocks < 2:
            return
        for i in range(self.scenario.pairs.count):
            name = f"pair maker {i + 1}"
            dice = dice_of(self.seed, name)
            long, short = (int(k) for k in dice.choice(self.scenario.stocks, 2, replace=False))
            legs = {long: self._lots(long), short: -self._lots(short)}
            yield PairMaker(name, legs, self.scenario.pairs.quoting(), dice)

    def arbitrageurs(self) -> Iterator[Agent]:
        legs = index_legs(self.scenario, self.prices)
        arbitrage = self.scenario.arbitrage
        for i in range(arbitrage.count if legs else 0):
            yield Arbitrageur(
                f"arbitrageur {i + 1}", legs, arbitrage.size, arbitrage.margin_bps * BPS
            )

    def institutions(self) -> Iterator[Agent]:
        scenario, wanted = self.scenario, self.scenario.institutions
        for i in range(wanted.count):
            name = f"institution {i + 1}"
            dice = dice_of(self.seed, name)
            legs = self._portfolio(dice)
            unit = sum(abs(w) * float(self.prices[k]) for k, w in legs.items()) / LOTS_PER_SHARE
            notional = wanted.notional * float(np.exp(0.6 * dice.standard_normal()))
            quantity = max(1, round(notional / unit))
            last = max(1, round(scenario.batches * wanted.horizon * float(dice.uniform(0.4, 1.6))))
            yield Institution(
                name=name,
                legs=legs,
                side=int(dice.choice((1, -1))),
                quantity=quantity,
                rate=max(1, -(-quantity // last)),
                start=1 + int(dice.integers(max(1, scenario.batches - last))),
                patience=wanted.patience_bps * BPS * float(dice.uniform(0.5, 1.5)),
                eager=wanted.eager,
            )

    def noise(self) -> Iterator[Agent]:
        noise = self.scenario.noise
        for i in range(noise.count):
            name = f"noise {i + 1}"
            dice = dice_of(self.seed, name)
            yield Noise(name, range(self.scenario.products), noise.size, noise.activity, dice)

    def _portfolio(self, dice: np.random.Generator) -> dict[int, int]:
        """One stock, or a basket of three to eight, some of them sold."""
        stocks = self.scenario.stocks
        if stocks < 3 or dice.random() >= self.scenario.institutions.baskets:
            return {int(dice.integers(stocks)): 1}
        count = int(dice.integers(3, min(8, stocks) + 1))
        chosen = sorted(int(k) for k in dice.choice(stocks, count, replace=False))
        signs = dice.choice((1, 1, 1, -1), count)
        return {k: int(sign) * self._lots(k) for k, sign in zip(chosen, signs, strict=True)}

    def _lots(self, k: int) -> int:
        return max(1, round(_LEG * LOTS_PER_SHARE / float(self.prices[k])))


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
