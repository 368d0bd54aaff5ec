"""Vectors as JSON: integers as decimal strings, bytes as 0x-hex, one case on a line."""

from __future__ import annotations

import json
from typing import Any

from tests.reference.curves import Order
from walras.auths import Auth, Leg, Step


def plain(value: Any) -> Any:
    """`value` in JSON types; keys that are integers or bytes become strings likewise."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items()}
    return [plain(v) for v in value]


def dumps(document: dict[str, Any]) -> str:
    """The text of a vector file."""
    blocks = []
    for name, content in plain(document).items():
        if isinstance(content, list):
            lines = ",\n".join("  " + json.dumps(item, separators=(",", ":")) for item in content)
            blocks.append(f' "{name}": [\n{lines}\n ]')
        else:
            blocks.append(f' "{name}": {json.dumps(content, separators=(",", ":"))}')
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def show_auth(auth: Auth) -> dict[str, Any]:
    return {
        "legs": [(leg.product, leg.weight) for leg in auth.legs],
        "first": auth.first,
        "gap": auth.gap,
        "buy": [(step.width, step.increment) for step in auth.buy],
        "sell": [(step.width, step.increment) for step in auth.sell],
    }


def show_order(order: Order) -> dict[str, Any]:
    both = order.bid is not None and order.ask is not None
    return {
        "legs": order.legs,
        "first": order.ask if order.bid is None else order.bid,
        "gap": order.ask - order.bid if both else 0,  # type: ignore[operator]
        "buy": order.buy,
        "sell": order.sell,
    }


def parse_auth(shown: dict[str, Any]) -> Auth:
    """Inverse of `show_auth`, after JSON."""

    def steps(pairs: list[list[str]]) -> tuple[Step, ...]:
        return tuple(Step(int(width), int(increment)) for width, increment in pairs)

    return Auth(
        legs=tuple(Leg(int(product), int(weight)) for product, weight in shown["legs"]),
        first=int(shown["first"]),
        gap=int(shown["gap"]),
        buy=steps(shown["buy"]),
        sell=steps(shown["sell"]),
    )


def order_of(auth: Auth) -> Order:
    """The reference's reading of an auth."""
    return Order(
        legs=tuple((leg.product, leg.weight) for leg in auth.legs),
        bid=auth.first if auth.buy else None,
        ask=auth.first + auth.gap if auth.sell else None,
        buy=tuple((step.width, step.increment) for step in auth.buy),
        sell=tuple((step.width, step.increment) for step in auth.sell),
    )
