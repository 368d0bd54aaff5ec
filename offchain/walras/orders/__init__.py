"""Orders: the JSON people write, its exact meaning on chain, and that meaning in words."""

from walras.orders.auths import Converted
from walras.orders.convert import Conversion, convert
from walras.orders.costs import ConvertedCost
from walras.orders.escrow import Holdings
from walras.orders.model import Constant, HumanAuth, HumanCost, HumanLimits, Order, Point
from walras.orders.parse import parse_order
from walras.orders.setting import Setting

__all__ = [
    "Constant",
    "Conversion",
    "Converted",
    "ConvertedCost",
    "Holdings",
    "HumanAuth",
    "HumanCost",
    "HumanLimits",
    "Order",
    "Point",
    "Setting",
    "convert",
    "parse_order",
]
