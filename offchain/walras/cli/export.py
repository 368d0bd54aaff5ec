"""Rows as a table, CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from walras.cli.output import shorten, table
from walras.documents import replacing
from walras.errors import ConfigError
from walras.units import exact_text

__all__ = ["FORMATS", "Column", "Kind", "export"]

_PLACES: Final = 12
_GROUP: Final = 65_536  # rows of a Parquet file held in memory


class Kind(Enum):
    """What a column holds: `WHOLE` int, `NUMBER` Fraction or None, `MOMENT` unix seconds."""

    WHOLE = "whole"
    NUMBER = "number"
    MOMENT = "moment"
    TEXT = "text"
    YES = "yes"


_ARROW: Final[Mapping[Kind, Any]] = {
    Kind.WHOLE: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.MOMENT: pa.timestamp("s", tz="UTC"),
    Kind.TEXT: pa.string(),
    Kind.YES: pa.bool_(),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A named column."""

    name: str
    kind: Kind


Rows = Iterable[Sequence[Any]]


def export(form: str, title: str, columns: Sequence[Column], rows: Rows, path: Path | None) -> None:
    """Write rows to a file, or to standard output if `path` is None."""
    if form == "parquet" and path is None:
        raise ConfigError("Parquet is no text: name a file with --output")
    if form == "table":
        _table(title, columns, rows, path)
        return
    try:
        if path is None:
            _TEXTS[form](columns, rows, sys.stdout)
            return
        with replacing(path) as part:
            if form == "parquet":
                _parquet(columns, rows, part)
                return
            with part.open("w", newline="", encoding="utf-8") as file:
                _TEXTS[form](columns, rows, file)
    except OSError as error:
        raise ConfigError(
            f"cannot write {path or 'the output'}: {error.strerror or error}"
        ) from error


def _csv(columns: Sequence[Column], rows: Rows, file: IO[str]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    for row in rows:
        writer.writerow([_plain(c.kind, value) for c, value in zip(columns, row, strict=True)])


def _json(columns: Sequence[Column], rows: Rows, file: IO[str]) -> None:
    """A list of objects, written one by one; amounts are strings, as in all of walras."""
    file.write("[")
    for number, row in enumerate(rows):
        one = {c.name: _jsonable(c.kind, value) for c, value in zip(columns, row, strict=True)}
        file.write(",\n" if number else "\n")
        file.write(json.dumps(one, ensure_ascii=False))
    file.write("\n]\n")


def _parquet(columns: Sequence[Column], rows: Rows, path: Path) -> None:
    schema = pa.schema([pa.field(column.name, _ARROW[column.kind]) for column in columns])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _groups(rows):
            values = [
                pa.array([_columnar(c.kind, row[i]) for row in group], _ARROW[c.kind])
                for i, c in enumerate(columns)
            ]
            writer.write_table(pa.Table.from_arrays(values, schema=schema))


def _table(title: str, columns: Sequence[Column], rows: Rows, path: Path | None) -> None:
    if path is not None:
        raise ConfigError("a table is for the terminal; write files as csv, json or parquet")
    shown = [[_shown(c, value) for c, value in zip(columns, row, strict=True)] for row in rows]
    table(title, [column.name.replace("_", " ") for column in columns], shown, left=2)


def _groups(rows: Rows) -> Iterator[list[Sequence[Any]]]:
    remaining = iter(rows)
    while group := list(islice(remaining, _GROUP)):
        yield group


def _plain(kind: Kind, value: Any) -> str:
    if value is None:
        return ""
    if kind is Kind.NUMBER:
        return exact_text(value, places=_PLACES).replace(",", "").removeprefix("≈")
    if kind is Kind.MOMENT:
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return str(value).lower() if kind is Kind.YES else str(value)


def _jsonable(kind: Kind, value: Any) -> Any:
    return value if value is None or kind in (Kind.WHOLE, Kind.YES) else _plain(kind, value)


def _columnar(kind: Kind, value: Any) -> Any:
    return float(value) if kind is Kind.NUMBER and value is not None else value


def _shown(column: Column, value: Any) -> str:
    match column.kind:
        case Kind.NUMBER:
            return "" if value is None else exact_text(value, places=6).removeprefix("≈")
        case Kind.MOMENT:
            return f"{datetime.fromtimestamp(value, UTC):%m-%d %H:%M:%S}"
        case Kind.YES:
            return "yes" if value else ""
    return shorten(value) if column.name in ("account", "settler") else str(value)


_TEXTS: Final[Mapping[str, Callable[[Sequence[Column], Rows, IO[str]], None]]] = {
    "csv": _csv,
    "json": _json,
}
FORMATS: Final = ("table", "csv", "json", "parquet")
