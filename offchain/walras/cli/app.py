"""The `walras` command: global options, subcommands loaded when called, errors in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from walras import __version__
from walras.cli.settings import DEFAULT_RPC, Settings, config_file, read_config
from walras.errors import WalrasError

__all__ = ["LazyGroup", "cli", "main", "run"]


@dataclass(frozen=True, slots=True)
class _Lazy:
    """A subcommand that is imported when it runs; ``help`` stands in for it in listings."""

    target: str
    help: str


_COMMANDS: Final[Mapping[str, _Lazy]] = {
    "account": _Lazy("walras.cli.account:account", "Create, import and list encrypted accounts."),
    "market": _Lazy("walras.cli.market:market", "Look at the market: phase, products, fees."),
    "deposit": _Lazy("walras.cli.ledger:deposit", "Bring tokens or cash into the market."),
    "withdraw": _Lazy("walras.cli.withdraw:withdraw", "Take tokens or cash out of the market."),
    "balance": _Lazy("walras.cli.ledger:balance", "Show what an account holds."),
    "claim": _Lazy("walras.cli.ledger:claim", "Take out rewards and compensations."),
    "order": _Lazy("walras.cli.order:order", "Check, seal, follow and cancel an order."),
    "audit": _Lazy("walras.cli.audit:audit_command", "Check a settled batch from chain data."),
    "history": _Lazy("walras.cli.history:history", "Show prices, fills and batches so far."),
    "clearer": _Lazy("walras.cli.clearer:clearer", "Run the operator's clearing daemon."),
    "clear": _Lazy("walras.cli.clear:clear", "Solve an auction from a file, without a chain."),
    "simulate": _Lazy(
        "walras.cli.simulate:simulate", "Simulate a day of trading, in memory or on Anvil."
    ),
}


class LazyGroup(click.Group):
    """A group whose commands cost nothing until they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names in the order of an order's life."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command called ``name``."""
        if name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[name].target.split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in _COMMANDS.items()])


def _load_config(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    data_dir = Path(os.environ.get("WALRAS_DATA_DIR") or click.get_app_dir("walras"))
    path = value or config_file(data_dir)
    if path is not None:
        ctx.default_map = read_config(path)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    is_eager=True,
    expose_value=False,
    envvar="WALRAS_CONFIG",
    show_envvar=True,
    callback=_load_config,
    help="TOML file with any of these options [default: ./walras.toml or the data's config.toml].",
)
@click.option(
    "--rpc",
    envvar="WALRAS_RPC",
    show_envvar=True,
    default=DEFAULT_RPC,
    show_default=True,
    help="Address of the Ethereum node.",
)
@click.option(
    "--market", envvar="WALRAS_MARKET", show_envvar=True, help="Address of the market's contract."
)
@click.option(
    "--chain-id",
    type=click.IntRange(min=1),
    envvar="WALRAS_CHAIN_ID",
    show_envvar=True,
    help="Refuse a node of any other chain.",
)
@click.option(
    "--account",
    envvar="WALRAS_ACCOUNT",
    show_envvar=True,
    help="Name or address of the account that acts.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="WALRAS_DATA_DIR",
    show_envvar=True,
    default=lambda: Path(click.get_app_dir("walras")),
    help="Where accounts are kept.",
)
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="WALRAS_PASSWORD_FILE",
    show_envvar=True,
    help="File with the account's password; else WALRAS_PASSWORD, else it is asked for.",
)
@click.version_option(__version__, prog_name="walras")
@click.pass_context
def cli(ctx: click.Context, /, **options: Any) -> None:
    """Walras: sealed batch auctions whose contract checks the auctioneer."""
    ctx.obj = Settings(**options)
    ctx.default_map = None  # else `market` and `account` of the file were defaults of the commands


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 refused or failed, 2 wrong usage."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every failure is one line on stderr."""
    try:
        result = cli.main(
            args=None if arguments is None else list(arguments),
            prog_name="walras",
            standalone_mode=False,
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _failed("interrupted", 130)
    except Exception as error:
        if os.environ.get("WALRAS_DEBUG"):
            raise
        return _failed(_in_words(error))
    return result if isinstance(result, int) else 0


def _in_words(error: Exception) -> str:
    if isinstance(error, WalrasError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'system'}: {error.strerror or error}"
    return (
        f"unexpected {type(error).__name__}: {error}; "
        "this is a fault of walras, set WALRAS_DEBUG=1 to see where and report it"
    )


def _failed(message: str, code: int = 1) -> int:
    message = "".join(c if c.isprintable() else " " for c in message)  # a file may have any name
    click.echo(f"{click.style('error:', fg='red', bold=True)} {message}", err=True)
    return code
