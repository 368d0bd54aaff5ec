"""Opening a market: deploy, list, fund the house, post the bond."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Final

from eth_utils.address import to_checksum_address

from walras.batch import CASH
from walras.chain.artifacts import load
from walras.chain.client import Client
from walras.chain.interface import creation_code
from walras.chain.market import Market
from walras.chain.sender import Sender
from walras.chain.trader import Trader
from walras.chain.views import Terms
from walras.errors import ChainError
from walras.numbers import X40, X44, ceil_div

__all__ = [
    "HOUSE_MARGIN",
    "ProductTerms",
    "deploy_contract",
    "deploy_market",
    "fund",
    "list_products",
    "needs",
    "open_market",
]

# Times the least holding. Each settlement moves thousandths of a lot through the house, and below
# its least no seal enters.
HOUSE_MARGIN: Final = 2


@dataclass(frozen=True, slots=True)
class ProductTerms:
    """How a product is listed.

    `lot` base units of `token`; `scale` cash units X24 per lot; tick = `tick_bps`/10^4 of scale;
    2^`depth_log2` lots of volume move the reference half way; `lots_cap` lots in custody at most.
    """

    token: str
    lot: int
    scale: int
    tick_bps: int
    depth_log2: int
    lots_cap: int


def open_market(
    client: Client, sender: Sender, terms: Terms, products: Sequence[ProductTerms]
) -> Market:
    """Deploy a market, list its products and fund it until the first seal can enter.

    The sender must be the operator and hold what house and bond need (see `needs`).
    """
    market = deploy_market(client, sender, terms)
    list_products(market.bind(sender), products)
    fund(market, sender)
    return market


def deploy_market(client: Client, sender: Sender, terms: Terms) -> Market:
    """Deploy an empty market with these terms, after checking its timetable."""
    terms.schedule.check(terms.block_time)
    return Market(client, deploy_contract(sender, "Walras", _parameters(terms)))


def deploy_contract(sender: Sender, name: str, *args: object) -> str:
    """Deploy a compiled contract, its libraries first; its address."""
    libraries = {library: deploy_contract(sender, library) for library in load(name).gaps}
    created = sender.send(None, creation_code(name, libraries, *args)).created
    if created is None:
        raise ChainError(f"the node's receipt does not tell where {name} was deployed")
    return to_checksum_address(created)


def list_products(trader: Trader, products: Sequence[ProductTerms]) -> None:
    """List products in order; they trade from the next batch on."""
    for product in products:
        trader.list_product(*astuple(product))


def needs(market: Market, margin: int = HOUSE_MARGIN) -> dict[int, int]:
    """Base units by asset that house (times `margin`) and bond still lack."""
    view = market.view()
    lacking = {}
    for product in view.products:
        wanted = (margin << product.state.house_log2) * X44 - product.state.house
        lacking[product.asset.id] = ceil_div(max(wanted, 0), X44) * product.asset.unit
    cash_short = max(margin * view.least_house_cash - view.treasury.house_cash, 0)
    lacking[CASH] = ceil_div(cash_short, X40) * view.cash.unit
    return {asset: amount for asset, amount in lacking.items() if amount}


def fund(market: Market, sender: Sender, margin: int = HOUSE_MARGIN) -> None:
    """Fill every house to `margin` times its least holding, and the bond to its full amount."""
    trader = market.bind(sender)
    for asset, amount in needs(market, margin).items():
        trader.fund_house(asset, amount)
    view = market.view()
    missing = ceil_div(max((view.terms.bond << 40) - view.treasury.bond, 0), X40)
    if missing:
        trader.add_bond(missing * view.cash.unit)


def _parameters(terms: Terms) -> tuple[object, ...]:
    """The contract's Parameters, fields in order."""
    schedule = terms.schedule
    timetable = (
        schedule.genesis,
        schedule.period,
        schedule.lock_in,
        schedule.lock_out,
        schedule.reveal_from,
        schedule.key_deadline,
        schedule.exclusive_until,
        schedule.deadline,
    )
    return (
        terms.operator,
        terms.cash,
        terms.cash_unit,
        timetable,
        terms.block_time,
        terms.capacity,
        terms.cash_cap,
        terms.cover_cap,
        terms.bond,
        terms.compensation,
        terms.cash_per_wei,
        terms.min_base_fee,
    )
