"""Progress on the screen, one line a stage, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

__all__ = ["Stages"]


class Stages:
    """The stages of a run; `seconds` by the name each was given."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter()

    @contextmanager
    def stage(
        self, name: str, title: str, total: int | None = None
    ) -> Iterator[Callable[[], None]]:
        """Show that something is under way; call what it yields after each of `total` steps."""
        columns = [SpinnerColumn(), TextColumn("{task.description}")]
        if total is not None:
            columns += [BarColumn(bar_width=24), MofNCompleteColumn()]
        began = time.perf_counter()
        quiet = not self.console.is_terminal
        with Progress(*columns, console=self.console, transient=True, disable=quiet) as progress:
            task = progress.add_task(title, total=total)
            yield lambda: progress.advance(task)
        self.seconds[name] = time.perf_counter() - began
        line = Text.assemble(
            ("✓ ", "green"), f"{title:<66}", (f"{self.seconds[name]:6.1f} s", "dim")
        )
        self.console.print(line)

    def finish(self) -> None:
        """Note the time of everything together."""
        self.seconds["total"] = time.perf_counter() - self._began

    def transcript(self, words: Sequence[str], output: str) -> None:
        """A command as typed, paths shortened, and what it printed."""
        typed = " ".join(Path(word).name for word in words)
        self.console.print(Text(f"\n  $ walras {typed}", style="bold cyan"))
        for line in output.rstrip().splitlines():
            self.console.print(Text(f"  {line}", style="dim"), soft_wrap=True)
        self.console.print()
