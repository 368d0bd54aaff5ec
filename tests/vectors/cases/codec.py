"""Vectors as JSON: integers as decimal strings, bytes as 0x-hex, one case on a line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.reference.curves import Order
from walras.auths import Auth, Leg, Step
from walras.batch import AccountState, BatchState, Product

FOLDER = Path(__file__).resolve().parent.parent


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


def load(name: str) -> Any:
    """A vector file with its numbers as `int` and its hex as `bytes`."""
    return parsed(json.loads((FOLDER / f"{name}.json").read_text()))


def parsed(value: Any) -> Any:
    """Inverse of `plain`, but for tuples."""
    if isinstance(value, dict):
        return {parsed(k): parsed(v) for k, v in value.items()}
    if isinstance(value, list):
        return [parsed(v) for v in value]
    if not isinstance(value, str):
        return value
    if value.startswith("0x"):
        return bytes.fromhex(value[2:])
    return int(value) if re.fullmatch(r"-?[0-9]+", value) else value


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


def auth_of(shown: Mapping[str, Any]) -> Auth:
    """Inverse of `show_auth`."""
    return Auth(
        legs=tuple(Leg(*pair) for pair in shown["legs"]),
        first=shown["first"],
        gap=shown["gap"],
        buy=tuple(Step(*pair) for pair in shown["buy"]),
        sell=tuple(Step(*pair) for pair in shown["sell"]),
    )


def state_of(case: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> BatchState:
    """The package's view of a certificate case, after the `changes` of a refusal."""
    changes = changes or {}
    house, cash = changes.get("house", {}), changes.get("cash", {})
    return BatchState(
        number=case["number"],
        batch_id=case["batchId"],
        scheduled_lock_out=case["lockOut"],
        products={
            p["id"]: Product(
                id=p["id"],
                house=house.get(p["id"], p["house"]),
                reference=p["reference"],
                scale=p["scale"],
                tick_bps=p["tickBps"],
                depth_log2=p["depthLog2"],
                house_log2=p["houseLog2"],
            )
            for p in case["products"]
        },
        accounts=tuple(
            AccountState(
                address=a["address"],
                cash=cash.get(a["address"], a["cash"]),
                lots=a["lots"],
                home=a["home"],
                units=a["units"],
                seal_hash=a["sealHash"],
            )
            for a in case["accounts"]
        ),
        house_cash=changes.get("houseCash", case["houseCash"]),
        secret=case["secret"],
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
