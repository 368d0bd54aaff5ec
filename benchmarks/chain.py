"""Whole batches on Anvil, from lock-out to settled, by the operator's own daemon.

    python -m benchmarks.chain --accounts 500 --auths 1 --products 20
    python -m benchmarks.chain --accounts 200 --auths 10 --products 100 --standing --batches 3
    python -m benchmarks.chain --accounts 1000 --auths 10 --handover      in chunks, the operator
        dies half way, another account goes on
    python -m benchmarks.chain --accounts 8 --auths 2 --products 3 --standing --batches 1000

Every account seals once; with --standing the later batches trade what stands. Seconds are wall
clock, the chain's own work included; `own` is the daemon's share: open, solve, prove, encode.
At the end the books must balance to the last bit.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from eth_account import Account
from eth_utils.address import to_canonical_address, to_checksum_address
from rich.console import Console
from rich.progress import track
from rich.table import Table

from walras.auths import Auth, Leg, Limits, Step, Submission, cover
from walras.batch import CASH
from walras.chain.deploy import ProductTerms, deploy_contract, open_market
from walras.chain.devnode import DevNode, start_anvil
from walras.chain.interface import call
from walras.chain.market import Market
from walras.chain.sender import Sender
from walras.chain.token import Token
from walras.chain.transactions import SendPolicy
from walras.chain.views import Terms
from walras.clearing.problem import solve_batch
from walras.numbers import UNIT_GAS, X40, X44, ceil_div
from walras.operator.daemon import Daemon
from walras.operator.keys import BatchKeys
from walras.operator.settings import load_settings
from walras.operator.surroundings import Surroundings
from walras.schedule import Schedule
from walras.sealing import batch_id, encode_point, seal
from walras.store import Journal
from walras.submission import encode, required_units

RESULTS: Final = Path(__file__).parent / "results"
# The first account that every Anvil funds; its key is public and worth nothing anywhere else.
OPERATOR_KEY: Final = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
OTHER_KEY: Final = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
SEED: Final = b"an operator's seed for benchmarks only"
LOT: Final = 10**16
CASH_UNIT: Final = 10**4
PRICE: Final = 1_000  # cash units per lot, everywhere
OWN: Final = ("opened", "solved", "settled")  # the daemon's stages without the chain's


@dataclass
class Recorder:
    """A log that keeps what the daemon says."""

    entries: list[dict[str, Any]] = field(default_factory=list)

    def info(self, event: str, **values: Any) -> None:
        """Keep it."""
        self.entries.append({"event": event, **values})

    warning = error = info

    def last(self, event: str) -> dict[str, Any]:
        """The newest entry of a kind."""
        return next(entry for entry in reversed(self.entries) if entry["event"] == event)


def open_chain(node: DevNode, products: int, capacity: int) -> tuple[Market, Sender]:
    """A funded market of equal products."""
    operator = Sender(node.client, Account.from_key(OPERATOR_KEY), SendPolicy(poll_every=0.005))
    cash = deploy_contract(operator, "MockToken", "Dollar", "USD", 6)
    tokens = [deploy_contract(operator, "MockToken", f"P{k}", f"P{k}", 18) for k in range(products)]
    for token in (cash, *tokens):
        operator.send(token, call("MockToken", token, "mint", operator.address, 10**33).data)
    terms = Terms(
        operator=operator.address,
        cash=cash,
        cash_unit=CASH_UNIT,
        schedule=Schedule(
            node.client.now() + 100_000, 100_000, 30_000, 40_000, 42_000, 50_000, 60_000, 90_000
        ),
        block_time=1,
        capacity=capacity,
        cash_cap=1 << 50,
        cover_cap=1 << 60,
        bond=max(1_000, capacity // 10),
        compensation=1,
        cash_per_wei=1,
        min_base_fee=10**9,
    )
    listed = [ProductTerms(token, LOT, PRICE << 24, 1, 20, 1 << 34) for token in tokens]
    return open_market(node.client, operator, terms, listed), operator


def make_submission(rng: random.Random, auths: int, products: int, life: int) -> Submission:
    """Single buys and sells around the price; they stand for `life` batches at full rate, or 0."""
    pool = rng.sample(range(products), min(products, max(1, auths // 2)))
    wanted = []
    for _ in range(auths):
        size, product = rng.randint(5, 50), rng.choice(pool)
        first = round(PRICE * rng.uniform(0.97, 1.03)) * X40
        steps = (Step(size, round(PRICE * 0.02) * X40),)
        limits = Limits(life * size, life * size) if life else None
        buys, sells = (steps, ()) if rng.random() < 0.5 else ((), steps)
        wanted.append(Auth((Leg(product, 1),), first, 0, buys, sells, limits))
    return Submission(tuple(wanted), standing=life > 0)


class Crowd:
    """Accounts without keys: Anvil sends for them."""

    def __init__(self, node: DevNode, market: Market, count: int) -> None:
        self.client, self.market = node.client, market
        self.nonces: dict[str, int] = {}
        rng = random.Random(count)
        self.owners = [to_checksum_address(rng.getrandbits(160).to_bytes(20)) for _ in range(count)]
        self.client.rpc_many("anvil_setBalance", [(o, hex(10**20)) for o in self.owners])
        self.client.rpc_many("anvil_impersonateAccount", [(o,) for o in self.owners])

    def deposit(self, submissions: Sequence[Submission], times: int) -> None:
        """Bring in what `times` batches of the submissions may need."""
        tokens: dict[int, str] = {}
        for owner, submission in track(
            list(zip(self.owners, submissions, strict=True)), "deposits", transient=True
        ):
            needed = cover(submission)
            amounts = {CASH: (ceil_div(needed.cash * times, X40) + 10**9) * CASH_UNIT}
            for k, lots in needed.lots.items():
                amounts[k] = max(1, ceil_div(lots * times, X44)) * LOT
            calls = []
            for asset, amount in amounts.items():
                token = tokens.setdefault(asset, self.market.token(asset))
                calls += [
                    (token, call("MockToken", token, "mint", owner, amount).data),
                    (token, call("MockToken", token, "approve", self.market.address, amount).data),
                    (self.market.address, self._call("deposit", asset, amount)),
                ]
            self._send([(owner, *one) for one in calls])

    def seal(self, submissions: Sequence[Submission], batch: int, key: bytes) -> None:
        """Seal every submission for a batch, home products known."""
        number = batch_id(self.client.chain_id, to_canonical_address(self.market.address), batch)
        calls = []
        for owner, submission in zip(self.owners, submissions, strict=True):
            ct = seal(key, encode(submission), to_canonical_address(owner), number)
            home = self.market.read_all([("account", owner)])[0][2]
            units = required_units(submission, home=home - 1 if home else None)
            calls.append((owner, self.market.address, self._call("seal", units, ct, batch)))
        self._send(calls)

    def _call(self, name: str, *args: object) -> bytes:
        return call("Walras", self.market.address, name, *args).data

    def _send(self, calls: Sequence[tuple[str, str, bytes]]) -> None:
        requests = []
        for owner, to, data in calls:  # a node takes the requests of a round trip in any order
            nonce = self.nonces[owner] = self.nonces.get(owner, -1) + 1
            sent = {"from": owner, "to": to, "data": "0x" + data.hex(), "gas": hex(2_000_000)}
            requests.append([{**sent, "nonce": hex(nonce)}])
        hashes = self.client.rpc_many("eth_sendTransaction", requests)
        waiting = list(hashes)
        while waiting:
            receipts = self.client.rpc_many("eth_getTransactionReceipt", [(h,) for h in waiting])
            for receipt in receipts:
                if receipt is not None and receipt["status"] != "0x1":
                    raise SystemExit(f"a set-up transaction failed: {receipt}")
            waiting = [h for h, r in zip(waiting, receipts, strict=True) if r is None]


def run_batches(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One line of figures for every batch."""
    rng = random.Random(given.seed)
    life = 1 + given.batches // 2 if given.standing else 0
    wanted = [
        make_submission(rng, given.auths, given.products, life) for _ in range(given.accounts)
    ]
    limits = ("--gas-limit", "100000000", "--max-persisted-states", "20")
    with start_anvil(*limits) as node, tempfile.TemporaryDirectory() as state:
        market, operator = open_chain(node, given.products, given.capacity)
        crowd = Crowd(node, market, given.accounts)
        crowd.deposit(wanted, given.batches + 1)
        keys = BatchKeys(SEED, node.client.chain_id, to_canonical_address(market.address))
        log = Recorder()
        daemon = _daemon(market, operator, Path(state) / "operator", log, keys)
        daemon.once()
        for batch in range(1, given.batches + 1):
            bounds = market.schedule.boundaries(batch)
            node.warp(bounds.start)
            daemon.once()
            if batch == 1 or not given.standing:
                crowd.seal(wanted, batch, encode_point(*keys.public(batch)))
            node.warp(bounds.reveal_from)
            began = time.perf_counter()
            if given.handover:
                _hand_over(node, market, operator, Path(state), log, keys, batch)
            else:
                daemon.once()
            yield _figures(market, log, batch, time.perf_counter() - began, given)
        check_books(market, crowd.owners, operator.address)


def _daemon(
    market: Market,
    sender: Sender,
    state: Path,
    log: Recorder,
    keys: BatchKeys | None,
    checkpoint: Callable[[str], None] = lambda _: None,
) -> Daemon:
    settings = load_settings(state_dir=state, poll=0.01, confirmations=0, keys_ahead=3)
    journal = Journal(settings.database_url(), market.client.chain_id, market.address)
    around = Surroundings(log, time.sleep, solve_batch, checkpoint)
    return Daemon(market, sender, journal, settings, around, keys)


class _GoneError(Exception):
    """The operator is no more."""


def _hand_over(
    node: DevNode,
    market: Market,
    operator: Sender,
    state: Path,
    log: Recorder,
    keys: BatchKeys,
    batch: int,
) -> None:
    """The operator verifies some chunks; another account, knowing only the chain, the rest."""
    units = market.read_all([("batch",)])[0][2]
    left = iter(range(max(1, units * UNIT_GAS // 2**24 // 2)))

    def checkpoint(step: str) -> None:
        if step == "verified" and next(left, None) is None:
            raise _GoneError

    try:
        _daemon(market, operator, state / "gone", log, keys, checkpoint).once()
    except _GoneError:
        log.info("gone", batch=batch)
    node.warp(market.schedule.boundaries(batch).exclusive_until)
    other = Sender(node.client, Account.from_key(OTHER_KEY), SendPolicy(poll_every=0.005))
    _daemon(market, other, state / "other", log, None).once()


def check_books(market: Market, owners: Sequence[str], operator: str) -> None:
    """Nothing was made or lost: every asset's custody is what accounts, house and funds hold."""
    view = market.view()
    funds = view.treasury
    settlers = (operator, Account.from_key(OTHER_KEY).address)
    claims = sum(market.read_all([("claimable", owner) for owner in (*owners, *settlers)]))
    others = claims + funds.house_cash + funds.bond + funds.reserved + view.batch.pot
    for asset in (view.cash, *(product.asset for product in view.products)):
        held = sum(market.read_all([("balanceOf", owner, asset.id) for owner in owners]))
        held += others if asset.is_cash else view.products[asset.id].state.house
        if held != asset.custody:
            raise SystemExit(f"the books of {asset.symbol} are off by {held - asset.custody}")
        tokens = Token(market.client, asset.token).balance_of(market.address)
        if tokens << asset.ledger_bits < asset.custody * asset.unit:
            raise SystemExit(f"the market holds too little {asset.symbol}")


def _figures(
    market: Market, log: Recorder, batch: int, seconds: float, given: argparse.Namespace
) -> dict[str, Any]:
    event = market.settled_event(batch)
    if event is None:
        raise SystemExit(f"batch {batch} did not settle: {log.entries[-3:]}")
    stages = log.last("cleared")["seconds"]
    verified = [e for e in log.entries if e["event"] == "verified" and e["batch"] == batch]
    applied = [e for e in log.entries if e["event"] == "applied" and e["batch"] == batch]
    sent = [e for e in log.entries if e["event"] == "done" and e.get("action") == "Settle"]
    gas = [e["gas"] for e in (*verified, *applied)] or [sent[-1]["gas"]]
    return {
        "batch": batch,
        "accounts": event.live,
        "voids": event.voids,
        "auths": event.live * given.auths,
        "chunks": len(verified) or 1,
        "gas": sum(gas),
        "gas_per_auth": round(sum(gas) / max(1, event.live * given.auths)),
        "seconds": round(seconds, 2),
        "own": round(sum(stages[name] for name in OWN), 3),
        **{f"{name}_s": value for name, value in stages.items()},
    }


def main() -> None:
    """Parse the command line, run, print and store."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chain", description=__doc__)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--auths", type=int, default=1, help="of each account")
    parser.add_argument("--products", type=int, default=20)
    parser.add_argument("--batches", type=int, default=1)
    parser.add_argument("--standing", action="store_true")
    parser.add_argument("--handover", action="store_true", help="the operator dies half way")
    parser.add_argument("--capacity", type=int, default=1 << 18)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    rows = list(run_batches(given))
    kind = "standing" if given.standing else "sealed"
    name = f"chain-{kind}-{given.accounts}x{given.auths}-{given.products}"
    table = Table(title=name)
    for column in rows[0]:
        table.add_column(column, justify="right")
    for row in rows[-20:]:
        table.add_row(*map(str, row.values()))
    Console(width=200).print(table)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
