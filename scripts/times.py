"""Seconds around the engine: opening seals, and a batch from sealed to settled: `make times`.

Opening is processor time, best of three. The batch is wall time on Anvil: 250 accounts seal 500
auths on 20 products; from the last seal on, a clearer in a process of its own reveals, opens,
solves, checks and settles. The solver is compiled beforehand; mining up to lock-out is included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
from eth_utils.address import to_canonical_address
from rich.console import Console
from rich.table import Table

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from scripts._demo.clearer import AUCTION, running_clearer  # noqa: E402  needs the path
from scripts._demo.market import Venue, open_venue  # noqa: E402
from scripts._demo.play import BATCH  # noqa: E402
from scripts._demo.stocks import Stock  # noqa: E402
from scripts._numbers.readme import TIMES_GOALS, table, times_rows, write_block  # noqa: E402
from tests.contract.batches import order  # noqa: E402
from tests.contract.support import ALL, address  # noqa: E402
from walras.auths import Auth, Submission, cover  # noqa: E402
from walras.batch import CASH  # noqa: E402
from walras.chain.devnode import start_anvil  # noqa: E402
from walras.chain.events import Settled  # noqa: E402
from walras.chain.interface import Call, call  # noqa: E402
from walras.numbers import X40, X44, ceil_div  # noqa: E402
from walras.sealing import batch_id, encode_point, public_key, seal, unseal  # noqa: E402
from walras.submission import encode, required_units  # noqa: E402

SNAPSHOT: Final = ROOT / "snapshots" / "times.json"
SEALS: Final = 10_000
ACCOUNTS: Final = 250
PRODUCTS: Final = 20
SINGLES: Final = 150  # accounts that trade one product; the others trade neighbours in pairs
CLOSE: Final = 100  # dollars a share, everywhere
LEVEL: Final = CLOSE * 100  # the same in cash units a lot
MINING_SECONDS: Final = 60.0


def unsealing() -> float:
    """Processor seconds for opening SEALS one-auth submissions."""
    secret, batch, owner = 7**50, bytes(32), bytes(20)
    point = encode_point(*public_key(secret))
    body = encode(Submission((order({3: 1}, LEVEL, buy=[1_000]),)))
    sealed = [seal(point, body, owner, batch, i.to_bytes(32)) for i in range(SEALS)]
    seconds = []
    for _ in range(3):
        start = time.process_time()
        if not all(unseal(secret, ct, owner, batch) == body for ct in sealed):
            raise SystemExit("a seal did not open")
        seconds.append(time.process_time() - start)
    return min(seconds)


@dataclass(frozen=True, slots=True)
class Bid:
    """An account, what it wants, and what it brings: base units by asset."""

    owner: str
    submission: Submission
    deposits: dict[int, int]
    units: int


def bids(venue: Venue) -> Iterator[Bid]:
    """Buyers and sellers of single products, then of one product against its neighbour."""
    dice = np.random.default_rng(20)
    units = {p.asset.id: p.asset.unit for p in venue.market.view().products}
    for i in range(ACCOUNTS):
        k = i % (PRODUCTS - 1)
        weights = {i % PRODUCTS: 1} if i < SINGLES else {k: 1, k + 1: -1}
        worth = LEVEL if i < SINGLES else 0
        auths = tuple(_auth(weights, worth, dice) for _ in range(2))
        submission = Submission(auths)
        needed = cover(submission)
        deposits = {k: (lots >> 44) * units[k] for k, lots in needed.lots.items() if lots >= X44}
        home = next(iter(deposits), None)
        # the least cash covers the fee
        deposits[CASH] = ceil_div(needed.cash, X40) + 10**7
        yield Bid(
            address(f"bidder {i}"), submission, deposits, required_units(submission, home=home)
        )


def _auth(weights: dict[int, int], worth: int, dice: np.random.Generator) -> Auth:
    """Limit within two per cent of a share around `worth`, up to a hundred shares in two steps."""
    limit = worth + int(dice.integers(-LEVEL // 50, LEVEL // 50))
    widths = dice.integers(100_000, 500_000, 2).tolist()
    return order(weights, limit, **{"buy" if dice.integers(2) else "sell": widths})


def enter(venue: Venue, book: Sequence[Bid]) -> None:
    """Everybody gets what it brings, approves, deposits and seals."""
    market, client = venue.market, venue.node.client
    tokens = {asset: market.token(asset) for asset in (CASH, *range(PRODUCTS))}
    key = market.batch_key(BATCH)
    name = batch_id(client.chain_id, to_canonical_address(market.address), BATCH)
    sent = []
    for bid in book:
        venue.node.set_balance(bid.owner, 10**20)
        calls: list[Call] = []
        for asset, amount in bid.deposits.items():
            mint = call("MockToken", tokens[asset], "mint", bid.owner, amount)
            approve = call("MockToken", tokens[asset], "approve", market.address, ALL)
            calls += [mint, approve]
        ct = seal(key, encode(bid.submission), to_canonical_address(bid.owner), name)
        words = (list(bid.deposits.items()), bid.units, ct, BATCH)
        calls.append(call("Walras", market.address, "depositAndSeal", *words))
        how = {"from": bid.owner, "gas": hex(1_000_000)}
        sent += [[{**c.request(), **how, "nonce": hex(n)}] for n, c in enumerate(calls)]
    client.rpc_many("eth_sendTransaction", sent)
    deadline = time.monotonic() + MINING_SECONDS
    while (live := market.view().batch.live) < len(book):
        if time.monotonic() > deadline:
            raise SystemExit(f"{live} of {len(book)} accounts sealed")
        time.sleep(0.05)


def settling(directory: Path) -> tuple[float, Settled]:
    """Wall seconds from the last seal to the settlement, and the settlement."""
    stocks = [Stock(f"S{k:02}", Decimal(CLOSE), "today", 0.02) for k in range(PRODUCTS)]
    with start_anvil("--auto-impersonate") as node:
        venue = open_venue(node, stocks, directory / "plan.toml")
        market = venue.market
        wallet = venue.wallet(directory)
        auction = directory / "auction.json"
        auction.write_text(json.dumps(AUCTION))
        wallet.here("clear", str(auction))
        book = list(bids(venue))
        with running_clearer(wallet, directory / "clearer.log") as clearer:
            clearer.wait_for(lambda: any(market.read_all([("keyHash", BATCH)])[0]))
            bounds = market.schedule.boundaries(BATCH)
            venue.to(bounds.start)
            enter(venue, book)
            start = time.perf_counter()
            for moment in (bounds.lock_in, bounds.lock_out, bounds.reveal_from):
                venue.to(moment)
            settled = clearer.wait_for(lambda: market.settled_event(BATCH))
            return time.perf_counter() - start, settled


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, show, write; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write neither snapshot nor README")
    options = parser.parse_args(arguments)
    out: dict[str, Any] = {"unseal 10,000": round(unsealing(), 2)}
    with tempfile.TemporaryDirectory(prefix="walras-times-") as directory:
        seconds, settled = settling(Path(directory))
    out["sealed to settled"] = round(seconds, 2)
    out["batch"] = {
        "auths": 2 * ACCOUNTS,
        "accounts": settled.live,
        "voids": settled.voids,
        "products": len(settled.products),
        "products traded": sum(volume > 0 for volume in settled.volumes),
    }
    out["machine"] = (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    )
    shown = Table("what", "seconds", "at most")
    for name, most in TIMES_GOALS.items():
        shown.add_row(name, f"{out[name]:.2f}", f"{most:.1f}")
    Console().print(shown, out["batch"])
    if not options.check:
        SNAPSHOT.write_text(json.dumps(out, indent=2) + "\n")
        write_block("times", table(times_rows(out)))
    return int(any(out[name] > most for name, most in TIMES_GOALS.items()) or settled.voids > 0)


if __name__ == "__main__":
    raise SystemExit(main())
