"""How results are shown: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import click
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

__all__ = [
    "clock",
    "console",
    "emit",
    "facts",
    "json_option",
    "say",
    "shorten",
    "span",
    "table",
    "warn",
]

F = TypeVar("F", bound=Callable[..., Any])

_PIPED_WIDTH: Final = 120
_ANY: Final = 10_000  # columns, more than any table has

json_option: Callable[[F], F] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON instead of tables."
)


def console() -> Console:
    """The console on the present standard output."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)


def emit(as_json: bool, data: Any, show: Callable[[], None]) -> None:
    """Print ``data`` as JSON, or call ``show``."""
    if as_json:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        show()


def say(text: str, style: str = "") -> None:
    """One line for a person."""
    console().print(Text(text, style=style), soft_wrap=True)


def warn(text: str) -> None:
    """One line on stderr about something that went on all the same."""
    click.echo(f"{click.style('warning:', fg='yellow', bold=True)} {text}", err=True)


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: int = 1,
) -> None:
    """A table whose first ``left`` columns are words and whose others are numbers."""
    if title:
        say(title, "bold")
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for i, column in enumerate(columns):
        shown.add_column(column, justify="left" if i < left else "right", no_wrap=i >= left)
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    out = console()
    # A narrow terminal may wrap a line; a number cut short would be wrong.
    out.width = max(out.width, Measurement.get(out, out.options.update(width=_ANY), shown).maximum)
    out.print(shown, soft_wrap=False)


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Lines of name and value, aligned."""
    grid = Table.grid(padding=(0, 2))
    for name, value in pairs:
        grid.add_row(Text(name, style="dim"), Text(value))
    console().print(grid)


def shorten(address: str) -> str:
    """Like 0x1234…abcd."""
    return f"{address[:6]}…{address[-4:]}"


def clock(timestamp: int, now: int) -> str:
    """A moment with its distance, like ``14:05:00 UTC (in 45 s)``."""
    moment = datetime.fromtimestamp(timestamp, UTC)
    day = "" if abs(timestamp - now) < 43_200 else f"{moment:%Y-%m-%d} "
    away = f"in {span(timestamp - now)}" if timestamp >= now else f"{span(now - timestamp)} ago"
    return f"{day}{moment:%H:%M:%S} UTC ({away})"


def span(seconds: int) -> str:
    """A duration in its two largest units."""
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
