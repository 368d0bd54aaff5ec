"""Gas of sealing and settling by the shape of a submission: `make gas` writes snapshots/gas.json.

Every figure is a real transaction on Anvil. What an account adds to a settlement is the difference
of two batches that differ in nothing but the number of such accounts; they settle their second
batch, so that what a first batch stores is there. The README's table is written from the snapshot.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from eth_utils.address import to_canonical_address
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the bench of the contract tests

from scripts._numbers.readme import GAS_AIMS, GAS_GOALS, gas_rows, table, write_block  # noqa: E402  the path
from scripts._numbers.shapes import FRESH_WORDS, OWN_PRODUCTS, PRICE, SHAPES, Shape  # noqa: E402
from scripts._numbers.standing import in_chunks, marginal  # noqa: E402
from tests.contract.batches import Book  # noqa: E402
from tests.contract.node import Chain, quick_chain  # noqa: E402
from tests.contract.support import (  # noqa: E402
    GENESIS,
    Bench,
    address,
    list_product,
    new_libraries,
    new_market,
    new_token,
)
from walras.auths import Submission  # noqa: E402
from walras.batch import CASH  # noqa: E402
from walras.chain.artifacts import load  # noqa: E402
from walras.clearing.problem import solve_batch  # noqa: E402
from walras.numbers import UNIT_GAS  # noqa: E402
from walras.operator.settings import ClearerSettings  # noqa: E402
from walras.schedule import Phase  # noqa: E402
from walras.sealing import SEAL_OVERHEAD, encode_point, public_key, seal  # noqa: E402
from walras.submission import encode, required_units  # noqa: E402

SNAPSHOT: Final = ROOT / "snapshots" / "gas.json"
PRODUCTS: Final = 24
# Units that the operator puts into one transaction: a library is called with 63/64 of its gas.
FULL: Final = int(ClearerSettings.model_fields["transaction_gas"].default) // UNIT_GAS
CONTRACTS: Final = ("Walras", *load("Walras").gaps)


def open_market(chain: Chain, products: int = PRODUCTS) -> Bench:
    """A market of the largest capacity with so many equal products."""
    libraries, cash = new_libraries(chain), new_token(chain, 6)
    bench = new_market(chain, libraries, cash, capacity=10_000, bond=1_000_000)
    chain.warp(GENESIS - 1)
    for _ in range(products):
        list_product(bench, new_token(chain), 10**16, PRICE, lots_cap=(1 << 38) // products)
    bench.fill_house()
    return bench


def endow(bench: Bench, shape: Shape, owner: str, submission: Submission, *, held: bool) -> None:
    """Whatever two batches need, the home product first; only a lot of that unless `held`."""
    home = [] if shape.home is None else [shape.home]
    products = [*home, *(k for k in submission.products if k != shape.home)] if held else home
    for k in products:
        bench.deposit(owner, k, (10**6 if held else 1) * bench.units[k])
    bench.deposit(owner, CASH, 10**8 * bench.units[CASH])


@dataclass
class Run:
    """Gas of one shape with so many accounts: seals and settlement of the last batch."""

    first: list[int]
    returning: list[int]
    settle: int
    units: int


def run(bench: Bench, shape: Shape, count: int, *, held: bool = True) -> Run:
    """Two batches of `count` accounts that own what they trade; one if they do not."""
    owners = [address(f"{shape.name} {i}") for i in range(count)]
    bench.go(1, Phase.OPEN)
    for i, owner in enumerate(owners):
        endow(bench, shape, owner, Submission(shape.auths(i)), held=held)
    seals: dict[int, list[int]] = {}
    units = settled = 0
    for batch in (1, 2) if held else (1,):
        bench.go(batch, Phase.OPEN)
        seals[batch], pairs = [], []
        for i, owner in enumerate(owners):
            submission = Submission(shape.auths(i))
            units = required_units(submission, home=shape.home)
            ct = ciphertext(bench, shape, batch, owner, submission)
            seals[batch].append(bench.do(owner, "seal", units, ct, batch).gas)
            pairs.append((to_canonical_address(owner), ct))
        bench.go(batch, Phase.CLEARING)
        book = Book(bench, batch, {owner: owner for owner in owners}, sorted(pairs))
        settled = book.settle(prices(book, shape)).gas
    return Run(seals[1], seals.get(2, []), settled, units)


def ciphertext(bench: Bench, shape: Shape, batch: int, owner: str, submission: Submission) -> bytes:
    """The sealed submission, or as many bytes of nothing."""
    body = encode(submission)
    if shape.garbage:
        return bytes([2] * (SEAL_OVERHEAD + len(body)))
    key = encode_point(*public_key(bench.key(batch)))
    return seal(key, body, to_canonical_address(owner), bench.id(batch))


def prices(book: Book, shape: Shape) -> dict[int, int]:
    """Clearing prices; where every product has one and the same bidder, all from the first."""
    if shape is not OWN_PRODUCTS:
        return solve_batch(*book.opened()).prices
    first = address(f"{shape.name} 0")
    pairs = [pair for pair in book.pairs if pair[0] == to_canonical_address(first)]
    alone = Book(book.bench, book.batch, {first: first}, pairs)
    (price,) = solve_batch(*alone.opened()).prices.values()
    return dict.fromkeys(range(len(book.pairs)), price)


def measure(chain: Chain, progress: Progress) -> dict[str, dict[str, Any]]:
    """Everything, by topic and case."""
    names = ("seal", "settle", "settle_per_auth", "full_transaction_accounts")
    out: dict[str, dict[str, Any]] = {name: {} for name in (*names, "settle_marginal")}
    out["declared_bound"] = {}
    task = progress.add_task("shapes", total=len(SHAPES) + 7)
    bench = open_market(chain)
    for shape in SHAPES:
        with chain.undone():
            few = run(bench, shape, 6)
        with chain.undone():
            more = run(bench, shape, 16)
        out["settle_marginal"][shape.name] = (more.settle - few.settle) // 10
        out["declared_bound"][shape.name] = more.units * UNIT_GAS
        if shape is SHAPES[0]:
            medians = {"first": more.first, "returning": more.returning}
            out["seal"] = {case: int(median(gas)) for case, gas in medians.items()}
        if shape.name == "one auth, five steps":
            out["seal"]["returning, five steps"] = int(median(more.returning))
        progress.advance(task)
    for count in (10, 100, 500):
        with chain.undone():
            total = run(bench, SHAPES[0], count).settle
        out["settle"][f"{count} accounts"] = total
        out["settle_per_auth"][f"{count} accounts"] = total // count
        progress.advance(task)
    for shape in (FRESH_WORDS, OWN_PRODUCTS):
        count = FULL // required_units(Submission(shape.auths(0)), home=shape.home)
        with chain.undone():
            market = bench if shape is FRESH_WORDS else open_market(chain, count)
            out["settle"][f"full transaction, {shape.name}"] = run(
                market, shape, count, held=False
            ).settle
        out["full_transaction_accounts"][shape.name] = count
        progress.advance(task)
    out["standing"] = marginal(chain, bench)
    progress.advance(task)
    out["chunks"] = in_chunks(chain, bench)
    progress.advance(task)
    out["code"] = {name: len(load(name).runtime) // 2 for name in CONTRACTS}
    return out


def show(console: Console, out: dict[str, dict[str, Any]]) -> bool:
    """Tables; whether every goal is met."""
    for topic, cases in out.items():
        unit = {"code": "bytes", "full_transaction_accounts": "accounts"}.get(topic, "gas")
        shown = Table("case", unit, "most", "aim", title=topic)
        for case, value in cases.items():
            goals = [goals.get((topic, case)) for goals in (GAS_GOALS, GAS_AIMS)]
            most, aim = goals
            colour = (
                "red" if most and value > most else "yellow" if aim and value > aim else "default"
            )
            shown.add_row(case, f"[{colour}]{value:,}", *(f"{g:,}" if g else "" for g in goals))
        console.print(shown)
    missed = [key for key, most in GAS_GOALS.items() if out[key[0]][key[1]] > most]
    over = [s for s, gas in out["settle_marginal"].items() if gas > out["declared_bound"][s]]
    for key in missed:
        console.print(f"[red]{' / '.join(key)} is above {GAS_GOALS[key]:,}")
    for name in over:
        console.print(f"[red]{name} costs more than its declared units pay for")
    return not missed and not over


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, show, write; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write neither snapshot nor README")
    options = parser.parse_args(arguments)
    console = Console()
    with quick_chain() as chain, Progress(console=console, transient=True) as progress:
        out = measure(chain, progress)
    met = show(console, out)
    if not options.check:
        SNAPSHOT.parent.mkdir(exist_ok=True)
        SNAPSHOT.write_text(json.dumps(out, indent=2) + "\n")
        write_block("gas", table(gas_rows(out)))
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
