"""Gas of sealing and settling by the shape of a submission: `make gas` writes snapshots/gas.json.

Every figure is a real transaction on Anvil. What an account adds to a settlement is the difference
of two batches that differ in nothing but the number of such accounts; they settle their second
batch, so that what a first batch stores is there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
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

from scripts import gas_standing as standing  # noqa: E402  needs the path
from tests.contract.batches import Book, order  # noqa: E402
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
from walras.auths import Auth, Leg, Step, Submission  # noqa: E402
from walras.batch import CASH  # noqa: E402
from walras.chain.artifacts import load  # noqa: E402
from walras.clearing.problem import solve_batch  # noqa: E402
from walras.numbers import UNIT_GAS, X40  # noqa: E402
from walras.schedule import Phase  # noqa: E402
from walras.sealing import SEAL_OVERHEAD, encode_point, public_key, seal  # noqa: E402
from walras.submission import encode, required_units  # noqa: E402

SNAPSHOT: Final = ROOT / "snapshots" / "gas.json"
PRODUCTS: Final = 24
PRICE: Final = 100  # cash units per lot, everywhere
TX_LIMIT: Final = 16_777_216  # EIP-7825
CODE_LIMIT: Final = 24_576  # EIP-170
CONTRACTS: Final = ("Walras", *load("Walras").gaps)
# What was promised: (place in the snapshot, most).
GOALS: Final = {
    ("seal", "returning"): 45_000,
    ("seal", "first"): 62_000,
    ("settle_per_auth", "100 accounts"): 25_000,
    ("settle", "500 accounts"): TX_LIMIT,
    ("settle", "full batch, fresh words"): TX_LIMIT,
    ("standing", "one auth with limits, first product"): 16_000,
    ("standing", "one auth with limits, unfilled"): 8_000,
    ("standing", "three portfolios, two costs"): 40_000,
    ("chunks", "overhead, standing, %"): 10,
    **{("code", name): CODE_LIMIT for name in CONTRACTS},
}


@dataclass(frozen=True)
class Shape:
    """A kind of submission: auths of the i-th account, and the product it holds first."""

    name: str
    auths: Callable[[int], tuple[Auth, ...]]
    home: int = 0
    garbage: bool = False


def one(k: int, steps: int = 1, limit: int = PRICE) -> Callable[[int], tuple[Auth, ...]]:
    """Buy or sell one product, turn by turn."""
    return lambda i: (side({k: 1}, i, steps, limit),)


def basket(*products: int) -> Callable[[int], tuple[Auth, ...]]:
    """A portfolio of several products."""
    weights = {k: 2 if k % 2 else 1 for k in products}
    return lambda i: (side(weights, i, 1, PRICE * sum(weights.values())),)


def many(*products: int) -> Callable[[int], tuple[Auth, ...]]:
    """Ten single auths, spread over the products."""
    return lambda i: tuple(side({products[j % len(products)]: 1}, i + j) for j in range(10))


def side(weights: dict[int, int], turn: int, steps: int = 1, limit: int = PRICE) -> Auth:
    """Buyers begin a cash unit above the limit, sellers one below, so that both trade."""
    widths = [1_000 // steps] * steps
    if turn % 2:
        return order(weights, limit - 1, sell=widths)
    return order(weights, limit + 1, buy=widths)


def resting(i: int) -> tuple[Auth, ...]:
    """Too far from the market to trade."""
    return (side({0: 1}, i, limit=PRICE + (20 if i % 2 else -20)),)


SHAPES: Final = (
    Shape("one auth, first product", one(0)),
    Shape("one auth, another product", one(0), home=20),
    Shape("one auth, five steps", one(0, steps=5)),
    Shape("one auth, unfilled", resting),
    Shape("three legs, adjacent words", basket(0, 1, 2)),
    Shape("three legs, scattered words", basket(0, 4, 8)),
    Shape("ten auths, 2 products", many(0, 1)),
    Shape("ten auths, 5 words", many(0, 2, 4, 6, 8)),
    Shape("ten auths, 10 words", many(*range(0, 20, 2))),
    Shape("garbage", one(0), garbage=True),
)


def open_market(chain: Chain) -> Bench:
    """A market of the largest capacity with PRODUCTS equal products."""
    bench = new_market(
        chain, new_libraries(chain), new_token(chain, 6), capacity=8_140, bond=1_000_000
    )
    chain.warp(GENESIS - 1)
    for _ in range(PRODUCTS):
        list_product(bench, new_token(chain), 10**16, PRICE)
    bench.fill_house()
    return bench


def endow(bench: Bench, shape: Shape, owner: str, submission: Submission) -> None:
    """Whatever two batches need; the home product first."""
    products = sorted(submission.products, key=lambda k: (k != shape.home, k))
    if shape.home not in products:
        products.insert(0, shape.home)
    for k in products:
        bench.deposit(owner, k, 10**6 * bench.units[k])
    bench.deposit(owner, CASH, 10**8 * bench.units[CASH])


@dataclass
class Run:
    """Gas of one shape with so many accounts: seals and settlement of the second batch."""

    first: list[int]
    returning: list[int]
    settle: int
    units: int


def run(bench: Bench, shape: Shape, count: int, *, held: bool = True) -> Run:
    """Two batches of `count` accounts; `held`: they own what they trade before the first."""
    owners = [address(f"{shape.name} {i}") for i in range(count)]
    bench.go(1, Phase.OPEN)
    for i, owner in enumerate(owners):
        submission = Submission(shape.auths(i))
        if held:
            endow(bench, shape, owner, submission)
        else:
            bench.deposit(owner, shape.home, bench.units[shape.home])
            bench.deposit(owner, CASH, 10**8 * bench.units[CASH])
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
        settled = book.settle(solve_batch(*book.opened()).prices).gas
    return Run(seals[1], seals.get(2, []), settled, units)


def ciphertext(bench: Bench, shape: Shape, batch: int, owner: str, submission: Submission) -> bytes:
    """The sealed submission, or as many bytes of nothing."""
    body = encode(submission)
    if shape.garbage:
        return bytes([2] * (SEAL_OVERHEAD + len(body)))
    key = encode_point(*public_key(bench.key(batch)))
    return seal(key, body, to_canonical_address(owner), bench.id(batch))


def measure(chain: Chain, bench: Bench, progress: Progress) -> dict[str, dict[str, Any]]:
    """Everything, by topic and case."""
    out: dict[str, dict[str, Any]] = {"seal": {}, "settle": {}, "settle_per_auth": {}}
    task = progress.add_task("shapes", total=len(SHAPES) + 6)

    def repeat(shape: Shape, count: int, *, held: bool = True) -> Run:
        with chain.undone():
            return run(bench, shape, count, held=held)

    marginal: dict[str, int] = {}
    declared: dict[str, int] = {}
    for shape in SHAPES:
        few, more = repeat(shape, 6), repeat(shape, 16)
        marginal[shape.name] = (more.settle - few.settle) // 10
        declared[shape.name] = more.units * UNIT_GAS
        if shape is SHAPES[0]:
            medians = {"first": more.first, "returning": more.returning}
            out["seal"] = {case: int(median(gas)) for case, gas in medians.items()}
        if shape.name == "one auth, five steps":
            out["seal"]["returning, five steps"] = int(median(more.returning))
        progress.advance(task)
    for count in (10, 100, 500):
        total = repeat(SHAPES[0], count).settle
        out["settle"][f"{count} accounts"] = total
        out["settle_per_auth"][f"{count} accounts"] = total // count
        progress.advance(task)
    full = full_batch(bench)
    out["settle"]["full batch, fresh words"] = repeat(full[0], full[1], held=False).settle
    out["full_batch_accounts"] = {"fresh words": full[1]}
    progress.advance(task)
    out["settle_marginal"], out["declared_bound"] = marginal, declared
    out["standing"] = standing.marginal(chain, bench)
    progress.advance(task)
    out["chunks"] = standing.in_chunks(chain, bench)
    progress.advance(task)
    out["code"] = {name: len(load(name).runtime) // 2 for name in CONTRACTS}
    return out


def full_batch(bench: Bench) -> tuple[Shape, int]:
    """Buyers of products they never held fill the whole capacity: every balance is a fresh slot."""
    shape = Shape("fresh words", buyer, home=20)
    units = required_units(Submission(shape.auths(0)), home=20)
    return shape, bench.parameters["capacity"] // units


def buyer(_: int) -> tuple[Auth, ...]:
    """Eight products, one to a word; the house sells them thousandths of a lot."""
    return tuple(
        Auth((Leg(k, 1),), (PRICE + 1) * X40, 0, (Step(1_000, X40),), ()) for k in range(0, 16, 2)
    )


def show(console: Console, out: dict[str, dict[str, Any]]) -> bool:
    """Tables; whether every goal is met."""
    for topic, cases in out.items():
        table = Table("case", "gas" if topic != "code" else "bytes", "most", title=topic)
        for case, value in cases.items():
            goal = GOALS.get((topic, case))
            met = goal is None or value <= goal
            colour = "default" if met else "red"
            table.add_row(case, f"[{colour}]{value:,}", f"{goal:,}" if goal else "")
        console.print(table)
    missed = [key for key, most in GOALS.items() if out[key[0]][key[1]] > most]
    over = [s for s, gas in out["settle_marginal"].items() if gas > out["declared_bound"][s]]
    for key in missed:
        console.print(f"[red]{' / '.join(key)} is above {GOALS[key]:,}")
    for name in over:
        console.print(f"[red]{name} costs more than its declared units pay for")
    return not missed and not over


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, show, write; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="do not write the snapshot")
    options = parser.parse_args(arguments)
    console = Console()
    with quick_chain() as chain, Progress(console=console, transient=True) as progress:
        out = measure(chain, open_market(chain), progress)
    met = show(console, out)
    if not options.check:
        SNAPSHOT.parent.mkdir(exist_ok=True)
        SNAPSHOT.write_text(json.dumps(out, indent=2) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
