"""`walras simulate`: a day of trading without a chain."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from walras.cli.output import emit, facts, json_option, say, table

if TYPE_CHECKING:
    from walras.simulate import Report

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
@json_option
def simulate(
    agents: str,
    seed: int,
    prices: Path | None,
    engine: str,
    out: Path | None,
    as_json: bool,
    **sizes: Any,
) -> None:
    """Simulate a market: institutions, market makers, arbitrageurs and noise.

    Prices follow real daily data. Every batch is cleared by the engine and settled by the integer
    certificate, as on chain. Presets are day, institutional and thin; a scenario file is TOML
    (docs/SIMULATION.md).
    """
    # The engine takes seconds to import; nobody who asks for help should wait for it.
    from walras.simulate import read_scenario, report  # noqa: PLC0415
    from walras.simulate import simulate as run_simulation  # noqa: PLC0415
    from walras.simulate.market import Market  # noqa: PLC0415
    from walras.simulate.prices import read_bars  # noqa: PLC0415

    scenario = read_scenario(agents).resized(**sizes)
    with _bar(scenario.batches) as tick:
        run = run_simulation(
            scenario,
            seed=seed,
            venue=partial(Market, engine=engine),
            bars=read_bars(prices),
            tick=tick,
        )
    measures = report(run)
    if out is not None:
        from walras.simulate.charts import draw_charts  # noqa: PLC0415

        draw_charts(run, measures, out)
        text = json.dumps({"seed": seed, "agents": agents, **measures.data()}, indent=2)
        (out / "report.json").write_text(text + "\n", "utf-8")
    emit(as_json, measures.data(), lambda: _show(measures, out))


@contextmanager
def _bar(batches: int) -> Iterator[Callable[[int], None]]:
    columns = (
        TextColumn("clearing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=batches)
        yield lambda batch: progress.update(task, completed=batch)


def _show(measures: Report, out: Path | None) -> None:
    summary = measures.summary
    say(
        f"{measures.batches} batches of {measures.interval:g} s, {measures.products} products, "
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
    if out is not None:
        say("")
        say(f"report.json and charts are in {out}")


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
