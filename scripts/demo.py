"""A sealed batch auction of five stocks, end to end on a private chain: `make demo`.

Bidders with accounts of their own seal orders of every kind, three of them bad ones; the operator's
clearer, a process of its own, publishes the key, finds the prices and settles; everybody withdraws,
and the batch is audited from chain data alone. Tables appear here, pictures and a report in
build/demo.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from scripts._demo.book import make_book  # noqa: E402  needs the path
from scripts._demo.clearer import AUCTION, Clearer, running_clearer  # noqa: E402
from scripts._demo.market import open_venue  # noqa: E402
from scripts._demo.outcome import balances, read_outcome  # noqa: E402
from scripts._demo.play import BATCH, Play  # noqa: E402
from scripts._demo.report import report  # noqa: E402
from scripts._demo.show import show  # noqa: E402
from scripts._demo.stages import Stages  # noqa: E402
from scripts._demo.stocks import Stock, read_stocks  # noqa: E402
from scripts._demo.wallet import CommandFailed  # noqa: E402
from walras.chain.devnode import DevNode, start_anvil  # noqa: E402
from walras.chain.events import Settled  # noqa: E402
from walras.errors import WalrasError  # noqa: E402


@click.command()
@click.option("--accounts", default=24, show_default=True, type=click.IntRange(2, 500))
@click.option("--auths", default=64, show_default=True, type=click.IntRange(2, 2_000))
@click.option("--seed", default=1, show_default=True, help="Another seed, other orders.")
@click.option("--out", default=ROOT / "build" / "demo", type=click.Path(path_type=Path))
@click.option("--keep", is_flag=True, help="Leave node and clearer running until Ctrl-C.")
def cli(accounts: int, auths: int, seed: int, out: Path, keep: bool) -> None:
    """Run a market on a private chain from sealed orders to an audited batch."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    if auths < accounts:
        raise click.UsageError("every account seals at least one auth: --auths must not be fewer")
    _fresh(out)
    try:
        with ExitStack() as cleanup:
            cleanup.enter_context(_signals_interrupt())
            private = Path(
                cleanup.enter_context(tempfile.TemporaryDirectory(prefix="walras-demo-"))
            )
            node = cleanup.enter_context(start_anvil(log=out / "anvil.log"))
            _play(cleanup, console, node, private, (accounts, auths, seed), out)
            if keep:
                _wait(console)
    except WalrasError as error:
        console.print(f"[bold red]error:[/] {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("[yellow]stopped; no process is left behind[/]")
        sys.exit(130)


def _play(
    cleanup: ExitStack,
    console: Console,
    node: DevNode,
    private: Path,
    size: tuple[int, int, int],
    out: Path,
) -> None:
    """The auction, from tokens to pictures."""
    stocks, stages = read_stocks(), Stages(console)
    book = make_book(stocks, *size)
    days = ", ".join(f"{s.symbol} {s.close}" for s in stocks)
    console.print(f"[bold]Walras[/], a sealed batch auction on a private chain at {node.url}")
    console.print(f"[dim]Last closes of {stocks[0].day}: {days}[/]\n")
    with stages.stage("market", "tokens, contracts, house and bond are put in place"):
        venue = open_venue(node, stocks, out / "plan.toml")
    play = Play(venue, venue.wallet(private), stages, book, out / "orders")
    clearer = cleanup.enter_context(running_clearer(play.wallet, out / "clearer.log"))
    settled = _auction(play, clearer, stocks, out)
    audit = play.withdraw()
    outcome = read_outcome(venue, settled, book, play.addresses)
    books = balances(venue, outcome, list(play.addresses.values()))
    if not all(b.conserved and b.solvent for b in books):
        raise CommandFailed(f"the books do not balance: {books}")
    with stages.stage("charts", "pictures are drawn"):
        # matplotlib takes a second to import; nobody who asks for help should wait for it
        from scripts._demo.charts import draw_charts  # noqa: PLC0415

        pictures = draw_charts(outcome, out)
    stages.finish()
    written = report(outcome, audit, play.median_seal_gas(), stages.seconds)
    (out / "report.json").write_text(json.dumps(written, indent=2) + "\n")
    show(console, outcome, audit, books, written)
    console.print()
    for path in (*pictures, out / "report.json", out / "clearer.log"):
        console.print(f"  {path}", soft_wrap=True)


def _auction(play: Play, clearer: Clearer, stocks: Sequence[Stock], out: Path) -> Settled:
    """From everybody's first account to the settlement."""
    (out / "auction.json").write_text(json.dumps(AUCTION, indent=2) + "\n")
    play.directory.mkdir()
    market, stage = play.venue.market, play.stages.stage
    with play.wallet.shell("clear", str(out / "auction.json")) as compiled:
        play.open_accounts()
        play.deposit(stocks)
        with stage("compile", "the solver is compiled"):
            compiled()
    with stage("clearer", "the clearer has registered the keys of the next batches"):
        clearer.wait_for(lambda: any(market.read_all([("keyHash", BATCH)])[0]))
    play.venue.to(market.schedule.start(BATCH))
    play.seal()
    return play.close(clearer)


def _fresh(out: Path) -> None:
    """An empty directory for this run's files; only what a run made is removed."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out / "orders", ignore_errors=True)
    for name in ("report.json", "prices.png", "fills.png", "anvil.log", "clearer.log"):
        (out / name).unlink(missing_ok=True)


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP end the run as Ctrl-C does, so that every process is stopped."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(console: Console) -> None:
    console.print("\nNode and clearer run until you press Ctrl-C.")
    signal.pause()


if __name__ == "__main__":
    cli()
