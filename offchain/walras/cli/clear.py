"""`walras clear`: solve an auction from a file, without a chain."""

from __future__ import annotations

import json
from pathlib import Path

import click

from walras.documents import replacing, write_whole
from walras.errors import ClearingError, OrderError

__all__ = ["clear"]

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("clear")
@click.argument("file", type=_FILE)
@click.option("-o", "--output", type=_FILE, help="Where to write the result.")
@click.option(
    "--engine",
    type=click.Choice(["walras", "osqp", "clarabel"]),
    default="walras",
    show_default=True,
    help="Solver to use.",
)
def clear(file: Path, output: Path | None, engine: str) -> None:
    """Find clearing prices for the auction in FILE.

    FILE is JSON with demand_curves and portfolios; the outcome is printed as JSON. Or it is a book
    (.npz, see walras.clearing.Book), whose prices and fills are written to the .npz named by -o.
    """
    if file.suffix == ".npz":
        _clear_book(file, output, engine)
    else:
        _clear_auction(file, output, engine)


def _clear_book(file: Path, output: Path | None, engine: str) -> None:
    # Solvers take seconds to import; nobody who asks for help should wait for them.
    from walras.clearing import Book, engine_named  # noqa: PLC0415

    if output is None:
        raise click.UsageError("name the result of a .npz book with -o RESULT.npz")
    clearing = engine_named(engine)(Book.load(file))
    with replacing(output) as part, part.open("wb") as stream:
        clearing.save(stream)  # numpy would add .npz to a name
    if not clearing.certified:
        raise ClearingError(
            f"the result in {output} is not optimal to {clearing.tolerance:g}: "
            f"{engine} reached {clearing.certificate:.3g}"
        )


def _clear_auction(file: Path, output: Path | None, engine: str) -> None:
    from walras.clearing import engine_named  # noqa: PLC0415
    from walras.clearing.interchange import parse, report  # noqa: PLC0415

    try:
        auction = parse(file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise OrderError(f"{file}: not JSON: not a text file") from error
    except OrderError as error:
        raise OrderError(f"{file}: {error}") from error
    outcome = json.dumps(report(auction, engine_named(engine)(auction.book)), indent=2)
    if output is None:
        click.echo(outcome)
    else:
        write_whole(output, f"{outcome}\n".encode())
