"""A market on a quick chain, moved by one-line calls, with the books it must keep.

`Bench` is the contract as nobody's wallet sees it: every call by name with raw arguments, from any
address, at any time. `refusal` answers with the contract's error, or None where it would accept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from eth_utils.address import to_checksum_address

from tests.contract.node import Chain, Receipt
from walras.batch import CASH, Product
from walras.chain.artifacts import load
from walras.chain.interface import Call, call
from walras.errors import Reverted
from walras.numbers import X40
from walras.schedule import Phase, Schedule
from walras.sealing import batch_id, derive_batch_key, keccak256, public_key

GENESIS: Final = 2_000_000_000
TIMETABLE: Final = Schedule(GENESIS, 1_000, 300, 400, 420, 500, 600, 900)
SEED: Final = keccak256(b"seed of the bench")
ALL: Final = 2**256 - 1
BUILT: Final = Path(__file__).parents[2] / "build" / "contracts"
CASH_UNIT: Final = 10**4
# token decimals, base units per lot, cash units per lot
PRODUCTS: Final = (
    (18, 10**16, 100),
    (8, 10**6, 40),
    (6, 10**4, 7),
    (27, 10**24, 1_000),
    (18, 10**18, 100),
    (18, 1, 100),
)
PARAMETERS: Final[Mapping[str, Any]] = {
    "operator": "",
    "cash": "",
    "cash_unit": CASH_UNIT,
    "timetable": TIMETABLE,
    "block_time": 1,
    "capacity": 2_000,
    "cash_cap": 1 << 40,
    "cover_cap": 1 << 50,
    "bond": 200_000,
    "compensation": 1_000,
    # one unit of capacity costs 2,560 gas · 25·2^31 X40 = 125 cash units
    "cash_per_wei": 1 << 20,
    "min_base_fee": 25 << 11,
}
UNIT_FEE: Final = 125 * X40


def address(name: object) -> str:
    """An address that belongs to nobody but its name."""
    return to_checksum_address(keccak256(str(name).encode())[12:])


OPERATOR: Final = address("operator")


@dataclass
class Bench:
    """One deployed market. `tokens` by asset id; `owners` is everybody who ever held anything."""

    chain: Chain
    market: str
    libraries: dict[str, str]
    tokens: dict[int, str]
    units: dict[int, int]
    schedule: Schedule = TIMETABLE
    owners: set[str] = field(default_factory=set)
    excess: int = 0  # cash X40 in custody that a test took from its owner by force

    # --------------------------------------------------------------------------------- calls

    def do(self, sender: str, name: str, *args: Any, base_fee: int | None = None) -> Receipt:
        """A transaction; Reverted if the contract refuses."""
        self.owners.add(sender)
        return self.chain.send(self.market, self._data(name, *args), sender, base_fee=base_fee)

    def refusal(
        self, sender: str, name: str, *args: Any, at: int | None = None, base_fee: int | None = None
    ) -> tuple[Any, ...] | None:
        """The error's name and arguments if the contract would refuse, else None."""
        data = self._data(name, *args)
        try:
            self.chain.call(self.market, data, sender, at=at, base_fee=base_fee)
        except Reverted as error:
            return (error.name, *map(_plain, error.arguments))
        return None

    def look(self, name: str, *args: Any, **when: Any) -> Any:
        """A view; `at` a time, with a `base_fee`."""
        return self._answer(call("Walras", self.market, name, *args), **when)

    def token(self, asset: int, sender: str, name: str, *args: Any) -> Receipt:
        """A transaction to an asset's token."""
        data = call("MockToken", self.tokens[asset], name, *args).data
        return self.chain.send(self.tokens[asset], data, sender)

    def held(self, asset: int, owner: str) -> int:
        """Base units of the asset's token in a wallet."""
        return int(self._answer(call("MockToken", self.tokens[asset], "balanceOf", owner)))

    def _data(self, name: str, *args: Any) -> bytes:
        return call("Walras", self.market, name, *args).data

    def _answer(self, query: Call, **when: Any) -> Any:
        raw = self.chain.call(query.address, query.data, OPERATOR, **when)
        return query.result("0x" + raw.hex())

    # --------------------------------------------------------------------------------- escrow

    def supply(self, owner: str, asset: int, amount: int) -> None:
        """Put base units into a wallet and let the market take them."""
        if amount:
            self.token(asset, owner, "mint", owner, amount)
            self.token(asset, owner, "approve", self.market, ALL)

    def deposit(self, owner: str, asset: int, amount: int) -> Receipt:
        """Supply and deposit base units."""
        self.supply(owner, asset, amount)
        return self.do(owner, "deposit", asset, amount)

    def endow(self, owner: str, cash: int = 0, **lots: int) -> str:
        """Deposit whole cash units and lots (`p0=3` is three lots of product 0)."""
        for asset, count in {CASH: cash, **{int(k[1:]): n for k, n in lots.items()}}.items():
            if count:
                self.deposit(owner, asset, count * self.units[asset])
        return owner

    def fill_house(self) -> None:
        """House of everything to twice its least, and the full bond."""
        for k in range(self.look("productsListed")):
            least = 1 << self.product(k).house_log2
            self.supply(OPERATOR, k, 2 * least * self.units[k])
            self.do(OPERATOR, "fundHouse", k, 2 * least * self.units[k])
        cash = 2 * -(-self.look("leastHouseCash") // X40) * self.units[CASH]
        bond = self.parameters["bond"] * self.units[CASH]
        self.supply(OPERATOR, CASH, cash + bond)
        self.do(OPERATOR, "fundHouse", CASH, cash)
        self.do(OPERATOR, "addBond", bond)

    # ---------------------------------------------------------------------------------- time

    def time(self, batch: int, phase: Phase) -> int:
        """First second of a phase of a batch."""
        edges = self.schedule.boundaries(batch)
        return {
            Phase.PENDING: edges.start - 1,
            Phase.OPEN: edges.start,
            Phase.LOCKED_IN: edges.lock_in,
            Phase.LOCKED_OUT: edges.lock_out,
            Phase.REVEAL: edges.reveal_from,
            Phase.CLEARING: edges.key_deadline - 1,
            Phase.FALLBACK: edges.exclusive_until,
            Phase.VOID: edges.deadline,
        }[phase]

    def go(self, batch: int, phase: Phase) -> None:
        """Warp to a phase; a key is registered on the way to OPEN, revealed on the way past T1."""
        if self.chain.now < self.time(batch, Phase.OPEN) and not any(self.look("keyHash", batch)):
            self.do(OPERATOR, "registerKey", batch, *public_key(self.key(batch)))
        late = phase in (Phase.CLEARING, Phase.FALLBACK)
        if late and not self.look("secret", batch):
            self.chain.warp(self.time(batch, Phase.REVEAL))
            self.do(OPERATOR, "reveal", batch, self.key(batch))
        self.chain.warp(self.time(batch, phase))

    def id(self, batch: int) -> bytes:
        """Name of a batch in every hash."""
        return batch_id(self.chain.chain_id, bytes.fromhex(self.market[2:]), batch)

    def key(self, batch: int) -> int:
        """Secret of a batch."""
        return derive_batch_key(SEED, self.id(batch))

    # ---------------------------------------------------------------------------------- state

    @property
    def parameters(self) -> dict[str, Any]:
        """The constructor's parameters, by the names in PARAMETERS."""
        return dict(zip(PARAMETERS, self.look("parameters"), strict=True))

    def product(self, k: int) -> Product:
        """A product as the contract stores it."""
        return Product(k, *self.look("product", k))

    def treasury(self) -> dict[str, int]:
        names = ("house_cash", "bond", "short_houses", "burnt", "reserved")
        return dict(zip(names, self.look("treasury"), strict=True))

    def account(self, owner: str) -> dict[str, Any]:
        names = ("cash", "home", "home_product", "batch", "units", "flags", "seal_hash")
        return dict(zip(names, self.look("account", owner), strict=True))

    def batch(self) -> dict[str, Any]:
        names = ("number", "live", "units", "ticks", "settled", "closed", "pot", "unapplied")
        return dict(zip(names, self.look("batch"), strict=True))

    def standing(self) -> dict[str, int]:
        names = ("count", "units", "rent_index")
        return dict(zip(names, self.look("standing"), strict=True))

    def balance(self, owner: str, asset: int) -> int:
        """Ledger: lots X44, or cash X40 net of rent."""
        return int(self.look("balanceOf", owner, asset))

    def check_books(self, owners: Iterable[str] = ()) -> None:
        """S1 and S2: custody is what all claims add up to, and the tokens are there.

        Burnt cash is nobody's: it is in the contract but not in custody.
        """
        everybody = self.owners | set(owners)
        treasury = self.treasury()
        for asset, token in self.tokens.items():
            custody = self.look("listing", asset)[2]
            claims = sum(self.balance(owner, asset) for owner in everybody)
            if asset == CASH:
                claims += sum(self.look("claimable", owner) for owner in everybody)
                claims += sum(treasury[k] for k in ("house_cash", "bond", "reserved"))
                claims += self.batch()["pot"] + self.excess
            else:
                claims += self.product(asset).house
            assert claims == custody, f"asset {asset}: claims {claims - custody:+d}"
            bits = 40 if asset == CASH else 44
            assert self.held(asset, self.market) << bits >= custody * self.units[asset], token


def terms(**changes: Any) -> tuple[Any, ...]:
    """The constructor's argument, with changes by the names in PARAMETERS."""
    values = {**PARAMETERS, "operator": OPERATOR, **changes}
    clock = values["timetable"]
    values["timetable"] = (
        clock.genesis,
        clock.period,
        clock.lock_in,
        clock.lock_out,
        clock.reveal_from,
        clock.key_deadline,
        clock.exclusive_until,
        clock.deadline,
    )
    return tuple(values[name] for name in PARAMETERS)


def new_token(chain: Chain, decimals: int = 18, name: str = "MockToken") -> str:
    """A fresh token of a mock contract."""
    words: tuple[Any, ...] = ("Token", "TOK") if name == "MockToken" else ()
    return chain.deploy(name, *words, decimals, sender=OPERATOR)


def new_libraries(chain: Chain) -> dict[str, str]:
    """The rooms of a market that are deployed by themselves, by name."""
    return {name: chain.deploy(name, sender=OPERATOR) for name in load("Walras").gaps}


def new_market(chain: Chain, libraries: Mapping[str, str], cash: str, **changes: Any) -> Bench:
    """An empty market."""
    market = chain.deploy("Walras", terms(cash=cash, **changes), sender=OPERATOR, **libraries)
    unit = changes.get("cash_unit", CASH_UNIT)
    schedule = changes.get("timetable", TIMETABLE)
    return Bench(chain, market, dict(libraries), {CASH: cash}, {CASH: unit}, schedule)


def list_product(
    bench: Bench,
    token: str,
    lot: int,
    price: int,
    *,
    tick_bps: int = 1,
    depth_log2: int = 20,
    lots_cap: int = 1 << 34,
) -> int:
    """List a token at `price` cash units per lot; its id."""
    k = int(bench.look("productsListed"))
    bench.do(OPERATOR, "list", token, lot, price << 24, tick_bps, depth_log2, lots_cap)
    bench.tokens[k], bench.units[k] = token, lot
    return k


def open_bench(chain: Chain) -> Bench:
    """The market of PRODUCTS, funded, in the last second before batch 1, whose key is known."""
    bench = new_market(chain, new_libraries(chain), new_token(chain, 6))
    chain.warp(GENESIS - 1)
    for decimals, lot, price in PRODUCTS:
        list_product(bench, new_token(chain, decimals), lot, price)
    bench.fill_house()
    for batch in (1, 2, 3):
        bench.do(OPERATOR, "registerKey", batch, *public_key(bench.key(batch)))
    bench.go(1, Phase.PENDING)
    return bench


def copy_of(bench: Bench) -> Bench:
    """The same market with records of its own."""
    return replace(
        bench, tokens=dict(bench.tokens), units=dict(bench.units), owners=set(bench.owners)
    )


def storage_slot(label: str) -> str:
    """Where the compiler put a member of the market's state."""
    layout = json.loads((BUILT / "Walras.json").read_text())["storageLayout"]
    (state,) = [entry for entry in layout["storage"] if entry["label"] == "_s"]
    members = layout["types"][state["type"]]["members"]
    (found,) = [entry for entry in members if entry["label"] == label]
    return hex(int(state["slot"]) + int(found["slot"]))


def _plain(value: Any) -> Any:
    """Addresses as everybody writes them."""
    if isinstance(value, str) and value.startswith("0x") and len(value) == 42:
        return to_checksum_address(value)
    return value
