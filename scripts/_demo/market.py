"""A private chain with five tokens, a cash token and a market of one auction a day."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eth_account import Account

from scripts._demo.stocks import Stock
from scripts._demo.wallet import CommandFailed, Wallet
from walras.batch import CASH
from walras.chain.deploy import deploy_contract, open_market
from walras.chain.devnode import DevNode
from walras.chain.interface import call
from walras.chain.market import Market
from walras.chain.plan import read_plan
from walras.chain.sender import Sender
from walras.chain.transactions import SendPolicy

__all__ = ["OPERATOR_KEY", "Venue", "open_venue"]

# The first account that every Anvil funds; its key is public and worth nothing anywhere else.
OPERATOR_KEY: Final = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
_FAUCET: Final = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"  # the second one, unlocked
_CASH: Final = ("Dollar", "USD", 6)
_ENDOWMENT: Final = 2_000_000  # dollars of cash and of every stock for every bidder
_ETHER: Final = 10**18
_MINING_SECONDS: Final = 60.0
_PASSWORD: Final = "correct horse battery staple"  # noqa: S105  play money

# One cent a share is one cash unit a lot, so every price in cents is exact.
_MARKET: Final = """\
# What `make demo` opened; `ape run deploy` opens such a plan on any chain (docs/OPERATIONS.md).
[market]
cash = "mock:USD:6"
cash_unit = "0.000001"
block_time = 12
capacity = 6000
cash_cap = "500000000"
bond = "10000"
compensation = "0.05"
native_price = "3000"
min_base_fee = 1_000_000_000

[timetable]               # an auction a day
period = 86400
lock_in = 72000           # 20:00
lock_out = 73800          # 20:30
reveal_from = 74700       # a quarter of an hour until the chain is final
key_deadline = 76500
exclusive_until = 78300
deadline = 82800
"""
_PRODUCT: Final = """
[[product]]
token = "mock:{symbol}:18"
lot = "0.0001"
price = "{price}"          # close of {day}
tick_bps = 1
depth = "20000"
cap = "{cap}"
"""


@dataclass(frozen=True, slots=True)
class Venue:
    """The chain, the market on it and its products' symbols by id."""

    node: DevNode
    market: Market
    symbols: tuple[str, ...]

    def endow(self, owners: Iterable[str], stocks: Sequence[Stock]) -> None:
        """Give every address gas money, and as much cash and stock as anybody may need."""
        amounts = {CASH: _ENDOWMENT * 10 ** _CASH[2]}
        for product, stock in enumerate(stocks):
            amounts[product] = int(_ENDOWMENT / stock.close) * _ETHER
        tokens = {asset: self.market.token(asset) for asset in amounts}
        client = self.node.client
        nonce = self._sent()
        transactions: list[list[dict[str, str]]] = []
        for owner in owners:
            self.node.set_balance(owner, 10 * _ETHER)
            for asset, amount in amounts.items():
                mint = call("MockToken", tokens[asset], "mint", owner, amount)
                sent = {**mint.request(), "from": _FAUCET, "gas": hex(100_000)}
                transactions.append([{**sent, "nonce": hex(nonce + len(transactions))}])
        client.rpc_many("eth_sendTransaction", transactions)
        # Anvil answers before it has mined them; who looks at once sees an empty wallet.
        self._until_sent(nonce + len(transactions))

    def wallet(self, directory: Path) -> Wallet:
        """A terminal whose accounts lie in an existing directory."""
        password = directory / "password"
        password.write_text(_PASSWORD + "\n")
        node = self.node
        return Wallet(node.url, self.market.address, node.client.chain_id, directory, password)

    def to(self, timestamp: int) -> None:
        """Move the chain's clock forward."""
        if self.node.client.block("latest").timestamp < timestamp:
            self.node.warp(timestamp)

    def _until_sent(self, count: int) -> None:
        deadline = time.monotonic() + _MINING_SECONDS
        while (mined := self._sent()) < count:
            if time.monotonic() > deadline:
                raise CommandFailed(f"Anvil mined {mined} of {count} transactions of the faucet")
            time.sleep(0.02)

    def _sent(self) -> int:
        return int(self.node.client.rpc("eth_getTransactionCount", _FAUCET, "latest"), 16)


def open_venue(node: DevNode, stocks: Sequence[Stock], plan: Path) -> Venue:
    """Deploy tokens and market, list the stocks at their last close, fund house and bond."""
    operator = Sender(node.client, Account.from_key(OPERATOR_KEY), SendPolicy(poll_every=0.02))
    tokens = {"mock:USD:6": deploy_contract(operator, "MockToken", *_CASH)}
    for stock in stocks:
        name = f"mock:{stock.symbol}:18"
        tokens[name] = deploy_contract(operator, "MockToken", stock.symbol, stock.symbol, 18)
    for token in tokens.values():
        operator.send(token, call("MockToken", token, "mint", operator.address, 10**30).data)
    plan.write_text(_MARKET + "".join(_listing(stock) for stock in stocks))

    def resolve(name: str) -> tuple[str, int]:
        return tokens[name], int(name.rpartition(":")[2])

    terms = read_plan(plan, operator=operator.address, now=node.client.now(), resolve=resolve)
    market = open_market(node.client, operator, terms.terms, terms.products)
    return Venue(node, market, tuple(stock.symbol for stock in stocks))


def _listing(stock: Stock) -> str:
    cap = int(500_000_000 / stock.close)
    return _PRODUCT.format(symbol=stock.symbol, price=stock.close, day=stock.day, cap=cap)
