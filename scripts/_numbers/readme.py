"""The README's tables of numbers, written by the scripts that measure them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

__all__ = ["GAS_GOALS", "ROOT", "gas_rows", "stated", "table", "times_rows", "write_block"]

ROOT: Final = Path(__file__).parents[2]
TX_LIMIT: Final = 16_777_216  # EIP-7825
CODE_LIMIT: Final = 24_576  # EIP-170
# What was promised: (place in the snapshot, most).
GAS_GOALS: Final = {
    ("seal", "returning"): 45_000,
    ("seal", "first"): 62_000,
    ("settle_per_auth", "100 accounts"): 25_000,
    ("settle", "500 accounts"): TX_LIMIT,
    ("settle", "full batch, own products"): TX_LIMIT,
    ("settle", "full batch, fresh words"): TX_LIMIT,
    ("code", "Walras"): CODE_LIMIT,
    ("code", "Settlement"): CODE_LIMIT,
}
TIMES_GOALS: Final = {"unseal 10,000": 1.5, "sealed to settled": 30.0}

Rows = Sequence[Sequence[str]]


def gas_rows(snapshot: Mapping[str, Mapping[str, int]]) -> Rows:
    """The README's rows of snapshots/gas.json."""

    def row(name: str, *places: tuple[str, str]) -> list[str]:
        values = (f"{snapshot[topic][case]:,}" for topic, case in places)
        goals = dict.fromkeys(f"{GAS_GOALS[place]:,}" for place in places)
        return [name, " / ".join(values), " / ".join(goals)]

    full = snapshot["full_batch_accounts"]
    own, fresh = full["own products"], full["fresh words"]
    return [
        ["gas (`make gas`, [snapshots/gas.json](snapshots/gas.json))", "measured", "at most"],
        row("seal, one auth, returning / first time", ("seal", "returning"), ("seal", "first")),
        row("settle, per one-auth account, 100 of them", ("settle_per_auth", "100 accounts")),
        row("settle 500 one-auth accounts", ("settle", "500 accounts")),
        row(
            f"settle a full batch: {own} accounts, a product each / {fresh}, 8 fresh words each",
            ("settle", "full batch, own products"),
            ("settle", "full batch, fresh words"),
        ),
        row("bytes of Walras / Settlement", ("code", "Walras"), ("code", "Settlement")),
    ]


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
