"""A real market on a real Anvil, and the few moves every end-to-end test makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_canonical_address

from walras.auths import Auth, Leg, Step
from walras.batch import CASH
from walras.chain.deploy import ProductTerms, deploy_contract, deploy_market, fund, list_products
from walras.chain.devnode import DevNode
from walras.chain.interface import call
from walras.chain.market import Market
from walras.chain.sender import Sender
from walras.chain.trader import Trader
from walras.chain.transactions import Receipt, SendPolicy
from walras.chain.views import Terms
from walras.operator.keys import BatchKeys
from walras.schedule import Phase, Schedule
from walras.sealing import batch_id, seal
from walras.submission import Submission, encode, required_units

# The first two of the accounts that every Anvil funds.
OPERATOR_KEY: Final = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
FAUCET_KEY: Final = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
SEED: Final = b"an operator's seed for tests only"
QUICK: Final = SendPolicy(poll_every=0.01)
CASH_UNIT: Final = 10**4  # a cent of a six-decimal dollar
LOT: Final = 10**16  # a hundredth of an eighteen-decimal share
X40: Final = 1 << 40
PRICES: Final = (200, 50)  # cash units per lot at listing, by product


def timetable(genesis: int) -> Schedule:
    """Batches of 1,000 s with every phase long enough to stand in."""
    return Schedule(genesis, 1_000, 300, 400, 420, 500, 600, 900)


def terms(operator: str, cash: str, schedule: Schedule) -> Terms:
    """A market of moderate size; one unit of capacity costs about two cash units."""
    return Terms(
        operator=operator,
        cash=cash,
        cash_unit=CASH_UNIT,
        schedule=schedule,
        block_time=1,
        capacity=6_000,
        cash_cap=1 << 40,
        cover_cap=1 << 50,
        bond=1_000,
        compensation=1,
        cash_per_wei=1,
        min_base_fee=10**9,
    )


def buy(product: int, lots: int, limit: int, *, drop: int = 1) -> Auth:
    """Up to `lots` at `limit` cash units falling by `drop`."""
    return Auth((Leg(product, 1),), limit * X40, 0, (Step(lots, drop * X40),), ())


def sell(product: int, lots: int, limit: int, *, rise: int = 1) -> Auth:
    """Up to `lots` at `limit` cash units rising by `rise`."""
    return Auth((Leg(product, 1),), limit * X40, 0, (), (Step(lots, rise * X40),))


@dataclass
class Venue:
    """A market that its operator has opened, with two products, `PRICES` cash units a lot."""

    node: DevNode
    market: Market
    operator: Trader
    faucet: Sender
    keys: BatchKeys
    traders: list[Trader] = field(default_factory=list)

    @property
    def schedule(self) -> Schedule:
        return self.market.schedule

    def signer(self) -> LocalAccount:
        """The operator's account."""
        account: LocalAccount = Account.from_key(OPERATOR_KEY)
        return account

    def mint(self, asset: int, owner: str, amount: int) -> None:
        """Make base units of an asset's token out of nothing."""
        mint(self.faucet, self.market.token(asset), owner, amount)

    def trader(self, *, cash: int = 100_000, lots: int = 1_000) -> Trader:
        """A fresh account with native currency, and `cash` units and `lots` deposited."""
        account = Account.create()
        self.node.set_balance(account.address, 10**20)
        trader = self.market.bind(Sender(self.node.client, account, QUICK))
        for asset, amount in ((CASH, cash * CASH_UNIT), (0, lots * LOT), (1, lots * LOT)):
            if amount:
                self.mint(asset, trader.sender.address, amount)
                trader.deposit(asset, amount)
        self.traders.append(trader)
        return trader

    def to_time(self, timestamp: int) -> None:
        """Mine a block at that time, unless it is past."""
        if self.node.client.block("latest").timestamp < timestamp:
            self.node.warp(timestamp)

    def advance(self, batch: int, phase: Phase) -> None:
        """Bring a batch to a phase, with its key registered and, from CLEARING on, published."""
        bounds = self.schedule.boundaries(batch)
        starts = {
            Phase.OPEN: bounds.start,
            Phase.LOCKED_IN: bounds.lock_in,
            Phase.LOCKED_OUT: bounds.lock_out,
            Phase.REVEAL: bounds.reveal_from,
            Phase.CLEARING: bounds.reveal_from,
            Phase.FALLBACK: bounds.exclusive_until,
            Phase.VOID: bounds.deadline,
        }
        now = self.node.client.now()
        if now < bounds.start and not any(self.market.read_all([("keyHash", batch)])[0]):
            self.operator.register_key(batch, *self.keys.public(batch))
        if phase in (Phase.CLEARING, Phase.FALLBACK):
            self.to_time(bounds.reveal_from)
            if not self.market.read_all([("secret", batch)])[0]:
                self.operator.reveal(batch, self.keys.secret(batch))
        self.to_time(starts[phase])

    def ciphertext(self, trader: Trader, submission: Submission, batch: int) -> bytes:
        """The submission sealed to the batch's key."""
        owner = to_canonical_address(trader.sender.address)
        number = batch_id(
            self.node.client.chain_id, to_canonical_address(self.market.address), batch
        )
        return seal(self.market.batch_key(batch), encode(submission), owner, number)

    def seal(self, trader: Trader, auths: Sequence[Auth], batch: int) -> Receipt:
        """Seal auths for a batch with the units they need."""
        submission = Submission(tuple(auths))
        units = required_units(submission, home=0)
        return trader.seal(batch, units, self.ciphertext(trader, submission, batch))


def mint(sender: Sender, token: str, owner: str, amount: int) -> None:
    """Make base units of a mock token."""
    sender.send(token, call("MockToken", token, "mint", owner, amount).data)


def open_venue(node: DevNode, schedule: Schedule | None = None) -> Venue:
    """Deploy tokens and a market, list two products, fund the house, post the bond."""
    client = node.client
    operator = Sender(client, Account.from_key(OPERATOR_KEY), QUICK)
    cash = deploy_contract(operator, "MockToken", "Dollar", "USD", 6)
    tokens = [
        deploy_contract(operator, "MockToken", name, name[:4].upper(), 18)
        for name in ("Apple", "Banana")
    ]
    for token in (cash, *tokens):
        mint(operator, token, operator.address, 10**27)
    market = deploy_market(
        client, operator, terms(operator.address, cash, schedule or timetable(client.now()))
    )
    list_products(
        market.bind(operator),
        [
            ProductTerms(token, LOT, price << 24, 1, 20, 1 << 34)
            for token, price in zip(tokens, PRICES, strict=True)
        ],
    )
    fund(market, operator)
    keys = BatchKeys(SEED, client.chain_id, to_canonical_address(market.address))
    faucet = Sender(client, Account.from_key(FAUCET_KEY), QUICK)
    return Venue(node, market, market.bind(operator), faucet, keys)
