"""The README's tables of numbers, written by the scripts that measure them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from walras.chain.artifacts import load

__all__ = [
    "GAS_AIMS",
    "GAS_GOALS",
    "ROOT",
    "gas_rows",
    "stated",
    "table",
    "times_rows",
    "write_block",
]

ROOT: Final = Path(__file__).parents[2]
TX_LIMIT: Final = 16_777_216  # EIP-7825
CODE_LIMIT: Final = 24_576  # EIP-170
# What must hold: (place in the snapshot, most).
GAS_GOALS: Final = {
    ("seal", "returning"): 45_000,
    ("seal", "first"): 62_000,
    ("settle_per_auth", "100 accounts"): 24_000,
    ("settle", "500 accounts"): TX_LIMIT,
    ("settle", "full transaction, own products"): TX_LIMIT,
    ("settle", "full transaction, fresh words"): TX_LIMIT,
    ("standing", "one auth with limits, first product"): 16_000,
    ("standing", "one auth with limits, unfilled"): 8_000,
    ("standing", "three portfolios, two costs"): 40_000,
    ("chunks", "overhead, standing"): 1_500,
    ("chunks", "overhead, sealed"): 1_500,
    ("chunks", "overhead, standing, %"): 10,
    ("chunks", "overhead, sealed, %"): 10,
    ("chunks", "overhead, standing, ten auths, %"): 10,
    ("chunks", "overhead, sealed, ten auths, %"): 10,
    ("chunks", "fallback overhead, standing"): 8_500,
    ("chunks", "fallback overhead, sealed"): 6_000,
    ("chunks", "fallback overhead, standing, %"): 55,
    ("chunks", "fallback overhead, sealed, %"): 25,
    ("chunks", "restored, standing"): 14_000,
    ("chunks", "restored, sealed"): 14_000,
    **{("code", name): CODE_LIMIT for name in ("Walras", *load("Walras").gaps)},
}
# What is wanted beyond that, and not reached yet.
GAS_AIMS: Final = {
    ("settle_per_auth", "100 accounts"): 18_500,
    ("chunks", "fallback overhead, standing, %"): 10,
    ("chunks", "fallback overhead, sealed, %"): 10,
}
TIMES_GOALS: Final = {"unseal 10,000": 1.5, "sealed to settled": 30.0}

Rows = Sequence[Sequence[str]]


def gas_rows(snapshot: Mapping[str, Mapping[str, int]]) -> Rows:
    """The README's rows of snapshots/gas.json."""

    def row(name: str, *places: tuple[str, str]) -> list[str]:
        values = (f"{snapshot[topic][case]:,}" for topic, case in places)
        return [name, *(" / ".join(dict.fromkeys(v)) for v in (values, map(_goal, places)))]

    accounts = snapshot["full_transaction_accounts"]
    own, fresh = accounts["own products"], accounts["fresh words"]
    largest = max((n for n in snapshot["code"] if n != "Walras"), key=snapshot["code"].__getitem__)
    return [
        ["gas (`make gas`, [snapshots/gas.json](snapshots/gas.json))", "measured", "at most"],
        row("seal, one auth, returning / first time", ("seal", "returning"), ("seal", "first")),
        row("settle, per one-auth account, 100 of them", ("settle_per_auth", "100 accounts")),
        row("settle 500 one-auth accounts", ("settle", "500 accounts")),
        row(
            f"settle a full transaction: {own} accounts, a product each / "
            f"{fresh}, 8 fresh words each",
            ("settle", "full transaction, own products"),
            ("settle", "full transaction, fresh words"),
        ),
        row(
            "settle, per account that stands with limits: trades / does not",
            ("standing", "one auth with limits, first product"),
            ("standing", "one auth with limits, unfilled"),
        ),
        row(
            "settle, per account that stands with three portfolios and two costs",
            ("standing", "three portfolios, two costs"),
        ),
        row(
            "chunks beside one transaction, more per account: standing / sealed",
            ("chunks", "overhead, standing"),
            ("chunks", "overhead, sealed"),
        ),
        row(
            "chunks beside one transaction, % more in all: standing / sealed",
            ("chunks", "overhead, standing, %"),
            ("chunks", "overhead, sealed, %"),
        ),
        row(
            "the same, ten one-product auths an account, % more: standing / sealed",
            ("chunks", "overhead, standing, ten auths, %"),
            ("chunks", "overhead, sealed, ten auths, %"),
        ),
        row(
            "chunks after the operator's window, more per account: standing / sealed",
            ("chunks", "fallback overhead, standing"),
            ("chunks", "fallback overhead, sealed"),
        ),
        row(
            "chunks after the operator's window, % more in all: standing / sealed",
            ("chunks", "fallback overhead, standing, %"),
            ("chunks", "fallback overhead, sealed, %"),
        ),
        row(
            "restoring an account that was written ahead: standing / sealed",
            ("chunks", "restored, standing"),
            ("chunks", "restored, sealed"),
        ),
        row(f"bytes of Walras / {largest}", ("code", "Walras"), ("code", largest)),
    ]


def _goal(place: tuple[str, str]) -> str:
    aim = f" (aim {GAS_AIMS[place]:,})" if place in GAS_AIMS else ""
    return f"{GAS_GOALS[place]:,}{aim}"


def times_rows(snapshot: Mapping[str, Any]) -> Rows:
    """The README's rows of snapshots/times.json."""
    names = {
        "unseal 10,000": "unseal 10,000 submissions, one core",
        "sealed to settled": "500 auths on 20 products, from sealed to settled on Anvil",
    }
    head = "seconds (`make times`, [snapshots/times.json](snapshots/times.json))"
    return [
        [head, "measured", "at most"],
        *([names[k], f"{snapshot[k]:.2f}", f"{most:.1f}"] for k, most in TIMES_GOALS.items()),
    ]


def table(rows: Rows) -> str:
    """Rows in Markdown, the first of them the heading."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def write_block(name: str, text: str, readme: Path = ROOT / "README.md") -> None:
    """Put `text` between the README's marks <!-- name --> and <!-- /name -->."""
    old = readme.read_text()
    begin, end = _marks(name)
    before, _, rest = old.partition(begin)
    _, _, after = rest.partition(end)
    readme.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def stated(name: str, readme: Path = ROOT / "README.md") -> str:
    """What stands between the marks."""
    begin, end = (re.escape(mark) for mark in _marks(name))
    (found,) = re.findall(f"{begin}\n(.*?)\n{end}", readme.read_text(), re.DOTALL)
    return str(found)


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name} -->", f"<!-- /{name} -->"
