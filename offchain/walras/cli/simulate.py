"""`walras simulate`: a day of trading, in memory or through a private chain."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from walras.cli.output import emit, facts, json_option, say, table
from walras.cli.simulate_chain import (
    DEFAULT_BATCHES,
    both_venues,
    compared_data,
    show_chain,
)
from walras.words import counted

if TYPE_CHECKING:
    from walras.simulate import Report, Run, Scenario
    from walras.simulate.venue import Opening

__all__ = ["simulate"]

_SHOWN = 15  # orders and products in the tables; report.json has all of them


@click.command("simulate")
@click.option("--agents", default="day", show_default=True, help="A preset, or a scenario file.")
@click.option("--batches", type=click.IntRange(min=1), help="How many batches.")
@click.option("--products", type=click.IntRange(min=1), help="How many products, index included.")
@click.option("--interval", type=click.FloatRange(min=0, min_open=True), help="Seconds per batch.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same day.")
@click.option(
    "--prices",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="CSV of daily prices: symbol, date, open, high, low, close.",
)
@click.option("--engine", default="walras", show_default=True, help="Solver to use.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory for report.json and charts.",
)
@click.option(
    "--chain",
    is_flag=True,
    help=f"Through a real market on a private Anvil; {DEFAULT_BATCHES} batches unless said.",
)
@json_option
def simulate(
    agents: str,
    seed: int,
    prices: Path | None,
    engine: str,
    out: Path | None,
    chain: bool,
    as_json: bool,
    **sizes: Any,
) -> int:
    """Simulate a market: institutions, market makers, arbitrageurs and noise.

    Prices follow real daily data. Every batch is cleared by the engine and settled by the integer
    certificate, as on chain. Presets are day, institutional and thin; a scenario file is TOML
    (docs/SIMULATION.md).

    With --chain every submission is sealed and sent to a contract on a private Anvil, the operator
    clears, and agents go on from what the contract says. Each batch must be what it is without a
    chain, to the last bit, else the exit code is 1. About 80 batches of the preset day a minute.
    """
    # The engine takes seconds to import; nobody who asks for help should wait for it.
    from walras.simulate import read_scenario, report  # noqa: PLC0415
    from walras.simulate import simulate as run_simulation  # noqa: PLC0415
    from walras.simulate.compare import Compared  # noqa: PLC0415
    from walras.simulate.prices import read_bars  # noqa: PLC0415

    scenario = _sized(read_scenario(agents), chain=chain, **sizes)
    with _Bar(scenario.batches) as bar, _venue(engine, chain, bar.tell) as venue:
        bars = read_bars(prices)
        run = run_simulation(scenario, seed=seed, venue=venue, bars=bars, tick=bar.tick)
    measures = report(run)
    data = measures.data()
    compared = venue if isinstance(venue, Compared) else None
    if compared is not None:
        data |= compared_data(compared, run)
    if out is not None:
        _save(out, run, measures, {"seed": seed, "agents": agents, **data})

    def show() -> None:
        _show(measures)
        if compared is not None:
            show_chain(measures, compared, run)
        if out is not None:
            say("")
            say(f"report.json and charts are in {out}")

    emit(as_json, data, show)
    return 1 if compared is not None and compared.differences else 0


def _save(out: Path, run: Run, measures: Report, data: Mapping[str, Any]) -> None:
    """Charts, and the report as JSON."""
    from walras.simulate.charts import draw_charts  # noqa: PLC0415

    draw_charts(run, measures, out)
    (out / "report.json").write_text(json.dumps(data, indent=2) + "\n", "utf-8")


def _sized(scenario: Scenario, *, chain: bool, **sizes: Any) -> Scenario:
    """The scenario with the sizes asked for; fewer batches through a chain if nobody says."""
    if chain and sizes["batches"] is None:
        sizes["batches"] = min(scenario.batches, DEFAULT_BATCHES)
    return scenario.resized(**sizes)


@contextmanager
def _venue(engine: str, chain: bool, tell: Callable[[str], None]) -> Iterator[Opening]:
    """Where the day is played."""
    from walras.simulate.market import Market  # noqa: PLC0415

    if chain:
        with both_venues(engine, tell) as compared:
            yield compared
    else:
        yield partial(Market, engine=engine)


class _Bar:
    """Progress and what is left of it, on standard error."""

    def __init__(self, batches: int) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("clearing", total=batches)

    def __enter__(self) -> Self:
        """Show it."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away."""
        self._progress.stop()

    def tell(self, stage: str) -> None:
        """What is done before the first batch."""
        self._progress.update(self._task, description=stage)

    def tick(self, batch: int) -> None:
        """A batch is done."""
        self._progress.update(self._task, completed=batch, description="clearing")


def _show(measures: Report) -> None:
    summary = measures.summary
    say(
        f"{counted(measures.batches, 'batch')} of {measures.interval:g} s, "
        f"{counted(measures.products, 'product')}, "
        f"{summary['accounts_per_batch']:.0f} accounts with {summary['auths_per_batch']:.0f} auths "
        "a batch",
        "bold",
    )
    say("")
    _show_costs(measures)
    _show_moves(measures)
    table(
        "Profit at the last fundamental",
        ("agents", "number", "USD"),
        [(k, f"{v['agents']:.0f}", f"{v['profit']:,.0f}") for k, v in measures.kinds.items()],
    )
    facts(_facts(measures))


def _show_costs(measures: Report) -> None:
    largest = sorted(measures.costs, key=lambda cost: -cost.notional)[:_SHOWN]
    rows = [
        (
            cost.name,
            cost.side,
            next(iter(cost.portfolio)) if len(cost.portfolio) == 1 else "basket",
            f"{cost.notional:,.0f}",
            f"{100 * cost.filled:.1f}",
            str(cost.batches),
            *(
                "–" if value is None else f"{value:+.1f}"
                for value in (cost.shortfall, cost.vwap, cost.twap)
            ),
        )
        for cost in largest
    ]
    left = len(measures.costs) - len(largest)
    table(
        "Cost of execution, basis points" + (f" (the largest; {left} more)" if left else ""),
        ("order", "side", "of", "USD", "filled %", "batches", "arrival", "VWAP", "TWAP"),
        rows,
        left=3,
    )


def _show_moves(measures: Report) -> None:
    largest = sorted(measures.moves, key=lambda move: -move.turnover)[:_SHOWN]
    left = len(measures.moves) - len(largest)
    table(
        "Moves between batches, basis points" + (f" (most traded; {left} more)" if left else ""),
        ("product", "price median", "largest", "value median", "largest", "apart", "turnover USD"),
        [
            (
                move.product,
                *(f"{x:.1f}" for x in (*move.price, *move.value)),
                f"{move.gap:.1f}",
                f"{move.turnover:,.0f}",
            )
            for move in largest
        ],
    )


def _facts(measures: Report) -> list[tuple[str, str]]:
    summary, voids = measures.summary, measures.voids
    ms = {name: 1e3 * value for name, value in summary.items()}
    work = (
        f"{ms['batch_median']:.1f} ms; to solve {ms['solve_median']:.1f} ms, "
        f"at most {ms['solve_largest']:.0f} ms"
    )
    exact = "exactly as before the first batch" if measures.conserved else "NOT CONSERVED"
    return [
        ("turnover", f"{summary['turnover']:,.0f} USD"),
        ("surplus", f"{summary['surplus']:,.0f} USD"),
        ("lost to rounding", f"at most {summary['loss_bound']:.3g} USD"),
        ("other prices", f"would have moved at most {summary['freedom_bound']:.3g} USD in a batch"),
        ("orders", f"{summary['orders_complete']:.0f} of {summary['orders']:.0f} complete"),
        ("cost, weighted", f"{summary['shortfall_bps']:+.1f} bps against arrival"),
        ("void", ", ".join(f"{n} {reason.lower()}" for reason, n in voids.items()) or "none"),
        ("lots and cash", exact),
        (
            "a batch",
            work,
        ),
    ]
