"""A market on a private chain with the products of a desk, open for the first batch."""

from __future__ import annotations

from typing import Final

from eth_account import Account

from walras.chain.deploy import ProductTerms, deploy_contract, deploy_market, fund, list_products
from walras.chain.devnode import DevNode
from walras.chain.interface import call
from walras.chain.market import Market
from walras.chain.sender import Sender
from walras.chain.transactions import SendPolicy
from walras.chain.views import Terms
from walras.numbers import X24
from walras.schedule import Schedule
from walras.simulate.desk import COVER_CAP, Desk

__all__ = ["CASH_UNIT", "LOT", "open_market", "operator_of"]

# The first account that every Anvil funds; its key is public and worth nothing anywhere else.
_OPERATOR_KEY: Final = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
CASH_UNIT: Final = 100  # base units of a six-decimal dollar: a hundredth of a cent
LOT: Final = 10**16  # base units of an eighteen-decimal share: a hundredth
_CASH_CAP: Final = 1 << 55  # the most there may be, SPEC §7
_LOTS_CAP: Final = 1 << 51
_CAPACITY: Final = 1 << 20
_PLENTY: Final = 10**36
# A phase lasts longer than anything takes that happens in it: the clock is moved, never waited for.
_OFFSETS: Final = (100_000, 30_000, 40_000, 42_000, 50_000, 60_000, 90_000)


def operator_of(node: DevNode) -> Sender:
    """The account that opens and clears the market."""
    return Sender(node.client, Account.from_key(_OPERATOR_KEY), SendPolicy(poll_every=0.002))


def open_market(node: DevNode, operator: Sender, desk: Desk) -> Market:
    """Deploy tokens and market, list the products as the desk has them, fund house and bond.

    Fees and rents are the least a market can ask, so that they decide nothing: 2^-40 cash units for
    each gas of the declared units.
    """
    cash = deploy_contract(operator, "MockToken", "Dollar", "USD", 6)
    tokens = [deploy_contract(operator, "MockToken", name, name, 18) for name in desk.symbols]
    for token in (cash, *tokens):
        mint = call("MockToken", token, "mint", operator.address, _PLENTY)
        operator.send(token, mint.data)
    terms = Terms(
        operator=operator.address,
        cash=cash,
        cash_unit=CASH_UNIT,
        schedule=Schedule(node.client.now(), *_OFFSETS),
        block_time=1,
        capacity=_CAPACITY,
        cash_cap=_CASH_CAP,
        cover_cap=COVER_CAP,
        bond=1,
        compensation=0,
        cash_per_wei=1,
        min_base_fee=1,
    )
    market = deploy_market(node.client, operator, terms)
    list_products(market.bind(operator), _listed(desk, tokens))
    fund(market, operator)
    return market


def _listed(desk: Desk, tokens: list[str]) -> list[ProductTerms]:
    """The desk's products; what the caps leave of the cover is shared evenly."""
    share = (COVER_CAP - _CASH_CAP) // len(tokens) * X24
    return [
        ProductTerms(
            token=token,
            lot=LOT,
            scale=product.scale,
            tick_bps=product.tick_bps,
            depth_log2=product.depth_log2,
            lots_cap=min(_LOTS_CAP, share // (8 * product.scale)),
        )
        for token, product in zip(tokens, desk.products.values(), strict=True)
    ]
