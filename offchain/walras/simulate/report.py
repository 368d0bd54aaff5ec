"""What a run came to: costs of execution, continuity of prices, gains, bounds, work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from walras.simulate.run import Execution, Run

__all__ = ["Cost", "Moves", "Report", "cost_of", "report"]

Floats = NDArray[np.float64]

_BPS: Final = 1e4


@dataclass(frozen=True, slots=True)
class Cost:
    """What one order paid, in basis points of what it traded; above zero is a cost.

    ``shortfall`` against the price at which it arrived; ``vwap`` against the volume-weighted and
    ``twap`` against the plain average of clearing prices while it lived. None if nothing traded.
    """

    name: str
    portfolio: Mapping[str, int]
    side: str
    notional: float
    filled: float
    batches: int
    complete: bool
    average: float | None
    arrival: float
    shortfall: float | None
    vwap: float | None
    twap: float | None


@dataclass(frozen=True, slots=True)
class Moves:
    """Absolute moves of one product between batches, in basis points.

    ``price`` and ``value``: (median, largest) of clearing prices where it traded, and of the
    fundamental; ``ratio``: of their variances; ``gap``: mean distance between the two.
    """

    product: str
    price: tuple[float, float]
    value: tuple[float, float]
    ratio: float
    gap: float
    turnover: float


@dataclass(frozen=True, slots=True)
class Report:
    """Amounts in dollars, distances in basis points, times in seconds."""

    products: int
    batches: int
    interval: float
    costs: tuple[Cost, ...]
    moves: tuple[Moves, ...]
    summary: Mapping[str, float]
    kinds: Mapping[str, Mapping[str, float]]
    voids: Mapping[str, int]
    conserved: bool
    chain: Mapping[str, float] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def report(run: Run) -> Report:
    """The measures of ``run``."""
    costs = tuple(cost_of(execution, run) for execution in run.executions)
    moves = tuple(_moves(run, k) for k in range(len(run.symbols)))
    return Report(
        products=len(run.symbols),
        batches=len(run.surplus),
        interval=run.interval,
        costs=costs,
        moves=moves,
        summary=_summary(run, costs, moves),
        kinds=_kinds(run),
        voids=dict(run.voids),
        conserved=run.conserved,
        chain=_chain(run) if run.figures else {},
    )


def cost_of(execution: Execution, run: Run) -> Cost:
    """The cost of one order against its arrival and against the market's averages."""
    units, prices = np.array(execution.units), np.array(execution.prices)
    filled = float(units.sum())
    side = 1.0 if execution.quantity > 0 else -1.0
    size = abs(execution.quantity)
    average = shortfall = vwap = twap = None
    if filled:
        average = float(units @ prices) / filled
        to_bps = side * _BPS / execution.worth
        shortfall = (average - execution.arrival_price) * to_bps
        twap = (average - float(prices.mean())) * to_bps
        vwap = (average - _vwap(execution, run)) * to_bps
    return Cost(
        name=execution.name,
        portfolio={run.symbols[k]: weight for k, weight in execution.legs.items()},
        side="buy" if side > 0 else "sell",
        notional=size * execution.worth,
        filled=abs(filled) / size,
        batches=len(units),
        complete=execution.complete,
        average=average,
        arrival=execution.arrival_price,
        shortfall=shortfall,
        vwap=vwap,
        twap=twap,
    )


def _vwap(execution: Execution, run: Run) -> float:
    """Dollars a unit at the volume-weighted price of each leg while the order lived."""
    begin = execution.arrival - 1
    rows = slice(begin, begin + len(execution.units))
    total = 0.0
    for k, weight in execution.legs.items():
        volumes = run.volumes[rows, k]
        prices = run.prices[1:][rows, k]
        mean = volumes @ prices / volumes.sum() if volumes.sum() else prices.mean()
        total += weight * float(mean) / 100
    return total


def _moves(run: Run, k: int) -> Moves:
    prices, values = run.prices[:, k], run.values[:, k]
    price, value = (_BPS * np.abs(np.diff(np.log(path))) for path in (prices, values))
    spread = float(np.mean(value**2))
    return Moves(
        product=run.symbols[k],
        price=(float(np.median(price)), float(price.max())),
        value=(float(np.median(value)), float(value.max())),
        ratio=float(np.mean(price**2)) / spread if spread else 0.0,
        gap=float(np.mean(np.abs(np.log(prices[1:] / values[1:])))) * _BPS,
        turnover=float(run.volumes[:, k] @ prices[1:]),
    )


def _summary(run: Run, costs: Sequence[Cost], moves: Sequence[Moves]) -> dict[str, float]:
    traded = [cost for cost in costs if cost.shortfall is not None]
    weights = np.array([cost.notional * cost.filled for cost in traded])
    solve, total = run.seconds["solve"], sum(run.seconds.values(), np.zeros(len(run.surplus)))

    def mean(values: Sequence[float | None]) -> float:
        found = np.array([value for value in values if value is not None], float)
        return float(weights @ found / weights.sum()) if len(found) else 0.0

    return {
        "turnover": sum(move.turnover for move in moves),
        "surplus": float(run.surplus.sum()),
        "loss_bound": float(run.loss.sum()),
        "freedom_bound": float(run.freedom.max()),
        "orders": float(len(costs)),
        "orders_complete": float(sum(cost.complete for cost in costs)),
        "shortfall_bps": mean([cost.shortfall for cost in traded]),
        "vwap_bps": mean([cost.vwap for cost in traded]),
        "twap_bps": mean([cost.twap for cost in traded]),
        "median_price_move_bps": float(np.median([move.price[0] for move in moves])),
        "largest_price_move_bps": max(move.price[1] for move in moves),
        "median_value_move_bps": float(np.median([move.value[0] for move in moves])),
        "largest_value_move_bps": max(move.value[1] for move in moves),
        "price_to_value_bps": float(np.mean([move.gap for move in moves])),
        "accounts_per_batch": float(run.live.mean()),
        "auths_per_batch": float(run.auths.mean()),
        "solve_median": float(np.median(solve)),
        "solve_largest": float(solve.max()),
        "batch_median": float(np.median(total)),
        "seconds": float(total.sum()),
    }


def _chain(run: Run) -> dict[str, float]:
    """What a chain cost: gas of a batch, an account and a seal; chunks; seconds by part."""
    figures, live = run.figures, max(1, int(run.live.sum()))
    parts = ("seal_gas", "settle_gas", "operator_gas")
    gas = sum((figures[part] for part in parts), np.zeros(len(run.surplus), np.int64))
    seconds = sum(run.seconds.values(), np.zeros(len(run.surplus)))
    return {
        "gas_median": float(np.median(gas)),
        "gas_largest": float(gas.max()),
        "gas": float(gas.sum()),
        **{f"{part}_median": float(np.median(figures[part])) for part in parts},
        "settle_gas_per_account": float(figures["settle_gas"].sum() / live),
        "settle_gas_per_auth": float(figures["settle_gas"].sum() / max(1, run.auths.sum())),
        "seals_per_batch": float(figures["seals"].mean()),
        "seal_gas_per_seal": float(figures["seal_gas"].sum() / max(1, figures["seals"].sum())),
        "chunks_per_batch": float(figures["chunks"].mean()),
        "chunks_largest": float(figures["chunks"].max()),
        "batches_per_minute": float(60.0 / np.median(seconds)),
        **{f"{part}_seconds_median": float(np.median(s)) for part, s in run.seconds.items()},
    }


def _kinds(run: Run) -> dict[str, dict[str, float]]:
    """Profit by kind of agent, marked at the last fundamental."""
    found: dict[str, list[float]] = {}
    for name, profit in run.profits.items():
        found.setdefault(run.kinds[name], []).append(profit)
    return {
        kind: {"agents": float(len(profits)), "profit": float(sum(profits))}
        for kind, profits in found.items()
    }
