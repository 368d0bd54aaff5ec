"""The `walras` command as bidders type it: in this process, or in one of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from walras.cli.app import run
from walras.errors import WalrasError

__all__ = ["CommandFailed", "Wallet", "walras_binary"]


class CommandFailed(WalrasError):  # noqa: N818
    """A command did not do what the demonstration counts on."""


@dataclass(frozen=True, slots=True)
class Wallet:
    """One terminal: which node and market it talks to and where its accounts are."""

    rpc: str
    market: str
    chain_id: int
    data_dir: Path
    password_file: Path

    def json(self, *words: str, account: str | None = None) -> Any:
        """Run a command here with `--json`; what it printed."""
        return json.loads(self.here(*words, "--json", account=account))

    def here(self, *words: str, account: str | None = None) -> str:
        """Run a command in this process; what it printed."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run([*self._globals(account), *words])
        if code:
            raise CommandFailed(f"`walras {' '.join(words)}` failed: {err.getvalue().strip()}")
        return out.getvalue()

    @contextmanager
    def shell(self, *words: str, account: str | None = None) -> Iterator[Callable[[], str]]:
        """Run a command as a process of its own meanwhile; what it yields waits for the output."""
        process = subprocess.Popen(
            self.command(*words, account=account),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

        def finish() -> str:
            out, err = process.communicate()
            if process.returncode:
                raise CommandFailed(f"`walras {' '.join(words)}` failed: {err.strip()}")
            return out

        try:
            yield finish
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def command(self, *words: str, account: str | None = None) -> list[str]:
        """The full command line of a process."""
        return [*walras_binary(), *self._globals(account), *words]

    def _globals(self, account: str | None) -> Sequence[str]:
        words = ["--rpc", self.rpc, "--market", self.market, "--chain-id", str(self.chain_id)]
        words += ["--data-dir", str(self.data_dir), "--password-file", str(self.password_file)]
        return words if account is None else [*words, "--account", account]


def walras_binary() -> list[str]:
    """The installed command, or Python running its entry point."""
    installed = Path(sys.executable).with_name("walras")
    if os.access(installed, os.X_OK):
        return [str(installed)]
    return [sys.executable, "-c", "from walras.cli import main; main()"]
