"""Orders: the JSON people write, its exact meaning on chain, and that meaning in words."""

from walras.orders.convert import Converted, convert
from walras.orders.escrow import Holdings
from walras.orders.model import Constant, HumanAuth, Order, Point
from walras.orders.parse import parse_order

__all__ = [
    "Constant",
    "Converted",
    "Holdings",
    "HumanAuth",
    "Order",
    "Point",
    "convert",
    "parse_order",
]
