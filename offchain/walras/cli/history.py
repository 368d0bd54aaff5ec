"""`walras history`: prices, fills and batches of a market, rebuilt from the chain."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click
from eth_utils.address import is_address, to_canonical_address

from walras.chain.index import Indexer
from walras.cli.export import FORMATS, export
from walras.cli.history_rows import OF_ACCOUNTS, WHAT, Range, Rows, columns_of
from walras.cli.output import say
from walras.cli.session import BATCH, Session, market_units, with_session
from walras.errors import ConfigError
from walras.store.history import Index
from walras.words import counted

__all__ = ["history", "index_file", "update"]

_TABLE: Final = FORMATS[0]
_SHOWN: Final = 20  # batches of a table when none are named


@dataclass(frozen=True, slots=True)
class _Asked:
    """The options."""

    first: int | None
    last: int | None
    what: str
    owner: str | None
    form: str
    as_json: bool
    output: Path | None
    chart: Path | None
    database: str | None


@click.command()
@click.option("--from", "first", type=BATCH, help="First batch.")
@click.option("--to", "last", type=BATCH, help="Last batch.")
@click.option(
    "--what",
    type=click.Choice(WHAT),
    default=WHAT[0],
    show_default=True,
    help="Which rows; docs/HISTORY.md has their columns.",
)
@click.option(
    "--account",
    "owner",
    metavar="ADDRESS|NAME|me",
    help="Only rows of this account (fills, accounts, shadows).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default=_TABLE,
    show_default=True,
    help="A table shows the newest batches unless --from says otherwise.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write."
)
@click.option(
    "--chart",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw prices and volumes of the most traded products into this file (png, svg, pdf).",
)
@click.option(
    "--database",
    help="SQLAlchemy URL of the index [default: SQLite in the data directory].",
)
@with_session
def history(session: Session, **options: Any) -> None:
    """Show what batches did: the index is brought up to the chain's head, then read."""
    asked = _Asked(**options)
    if asked.as_json:
        asked = replace(asked, form="json")
    if asked.owner is not None and asked.what not in OF_ACCOUNTS:
        raise click.UsageError(f"--account goes with --what {', '.join(OF_ACCOUNTS)}")
    account = None if asked.owner is None else _account(session, asked.owner)
    url = asked.database or f"sqlite:///{index_file(session, make=True)}"
    index = Index(url, session.client.chain_id, session.market.address)
    try:
        update(session, index)
        first = asked.first or (_newest(index, asked.last) if asked.form == _TABLE else 0)
        _show(session, index, asked, Range(first, asked.last, account))
    finally:
        index.close()


def _show(session: Session, index: Index, asked: _Asked, chosen: Range) -> None:
    view = session.market.view()
    rows = Rows(index, market_units(view), session.market.schedule)
    if asked.chart is not None:
        _draw(rows, chosen, asked.chart)
    if asked.chart is None or asked.output is not None or asked.form != _TABLE:
        title = f"{asked.what.capitalize()}, money in {view.cash.symbol}"
        found = rows.read(asked.what, chosen)
        export(asked.form, title, columns_of(asked.what), found, asked.output)


def index_file(session: Session, *, make: bool = False) -> Path:
    """Where the index is kept if nothing else is said; with ``make`` its directory is made."""
    directory = session.settings.data_dir
    try:
        if make:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make {directory}: {error.strerror}; see --database") from error
    return (directory / "history.sqlite").absolute()


def _account(session: Session, owner: str) -> bytes:
    if owner == "me":
        return bytes(to_canonical_address(session.address))
    address = owner if is_address(owner) else session.keystore.find(owner).address
    return bytes(to_canonical_address(address))


def update(session: Session, index: Index) -> None:
    """Bring an index up to the chain's head; a terminal is told how far it is."""
    shown = sys.stderr.isatty()

    def tell(at: int, head: int) -> None:
        if shown and at < head:
            click.echo(f"\rblock {at:,} of {head:,}", nl=False, err=True)

    told = Indexer(session.market, index).follow(tell)
    if told.undone:
        click.echo(f"undone and read again: {counted(told.undone, 'block')}", err=True)
    for batch in told.unread:
        click.echo(
            f"batch {batch} settled through another contract: its fills cannot be read", err=True
        )


def _newest(index: Index, last: int | None) -> int:
    numbers = [line.batch for line in index.batches(0, last)]
    return numbers[-_SHOWN:][0] if numbers else 1


def _draw(rows: Rows, chosen: Range, path: Path) -> None:
    from walras.cli.history_chart import draw_prices  # noqa: PLC0415 - a second to import

    drawn = draw_prices(rows.read("prices", chosen), path)
    say(f"drew {counted(drawn, 'product')} into {path}")
