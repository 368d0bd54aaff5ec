"""Vectors as JSON: integers as decimal strings, bytes as 0x-hex, one case on a line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.reference import curves as reference
from tests.reference.curves import Order
from tests.reference.wire import Reading, guarded
from walras.auths import Auth, Cost, Leg, Limits, Step, Submission, Term
from walras.batch import AccountState, Amendment, BatchState, Product
from walras.opening import Entry

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


def books() -> list[dict[str, Any]]:
    """All certificate cases."""
    return [case for name in ("certificate", "flows") for case in load(name)["cases"]]


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
        "limits": auth.limits and [auth.limits.low, auth.limits.high],
        "first": auth.first,
        "gap": auth.gap,
        "buy": [(step.width, step.increment) for step in auth.buy],
        "sell": [(step.width, step.increment) for step in auth.sell],
    }


def show_order(order: Order) -> dict[str, Any]:
    return {"legs": order.legs, "limits": order.limits, **show_curve(order)}


def show_cost(cost: reference.Cost) -> dict[str, Any]:
    return {"terms": cost.terms, **show_curve(cost)}


def show_curve(curve: Order | reference.Cost) -> dict[str, Any]:
    both = curve.bid is not None and curve.ask is not None
    return {
        "first": curve.ask if curve.bid is None else curve.bid,
        "gap": curve.ask - curve.bid if both else 0,  # type: ignore[operator]
        "buy": curve.buy,
        "sell": curve.sell,
    }


def show_reading(reading: Reading) -> dict[str, Any]:
    return {
        "kind": reading.kind,
        "validUntil": reading.valid_until,
        "auths": [show_order(order) for order in reading.orders],
        "costs": [show_cost(cost) for cost in reading.costs],
    }


def auth_of(shown: Mapping[str, Any]) -> Auth:
    """Inverse of `show_auth`."""
    limits = shown.get("limits")
    return Auth(
        tuple(Leg(*pair) for pair in shown["legs"]),
        *curve_of(shown),
        None if limits is None else Limits(*limits),
    )


def cost_of(shown: Mapping[str, Any]) -> Cost:
    """Inverse of `show_cost`."""
    return Cost(tuple(Term(*pair) for pair in shown["terms"]), *curve_of(shown))


def curve_of(shown: Mapping[str, Any]) -> tuple[int, int, tuple[Step, ...], tuple[Step, ...]]:
    buy, sell = (tuple(Step(*pair) for pair in shown[side]) for side in ("buy", "sell"))
    return shown["first"], shown["gap"], buy, sell


def submission_of(shown: Mapping[str, Any]) -> Submission:
    """Inverse of `show_reading`."""
    return Submission(
        tuple(auth_of(auth) for auth in shown["auths"]),
        shown["validUntil"],
        tuple(cost_of(cost) for cost in shown["costs"]),
        standing=shown["kind"] == 1,
    )


def entries_of(case: Mapping[str, Any]) -> list[Entry]:
    """What the right settlement of a certificate case supplies."""
    return [
        Entry(
            a["address"],
            a["payload"],
            tuple(a["done"]),
            a["amendment"] and a["amendment"]["ciphertext"],
        )
        for a in case["accounts"]
    ]


def shadows_of(case: Mapping[str, Any]) -> dict[bytes, tuple[int, ...]]:
    return {address: tuple(shown) for address, shown in case["posted"]["shadows"].items()}


def items_of(
    case: Mapping[str, Any], items: Sequence[Any]
) -> tuple[list[Entry], dict[bytes, tuple[int, ...]]]:
    """Entries and shadow prices of the `items` of a refusal."""
    right, given = entries_of(case), shadows_of(case)
    entries, shadows = [], {}
    for item in items:
        changes: dict[str, Any] = {"of": item} if isinstance(item, int) else item
        like = right[changes["of"]] if "of" in changes else Entry(b"", b"")
        entry = Entry(
            changes.get("account", like.account),
            changes.get("payload", like.payload),
            tuple(changes.get("done", like.done)),
            changes.get("amendment", like.amendment),
        )
        values = changes.get("shadows", given.get(like.account, ()))
        shadows[entry.account] = tuple(values)
        entries.append(entry)
    return entries, shadows


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
                standing=a["standing"],
                uncovered=a["uncovered"],
                amendment=a["amendment"]
                and Amendment(a["amendment"]["sealHash"], a["amendment"]["units"]),
            )
            for a in case["accounts"]
        ),
        house_cash=changes.get("houseCash", case["houseCash"]),
        secret=case["secret"],
        rent=case["rent"],
    )


def order_of(auth: Auth, guard: int = 0) -> Order:
    """The reference's reading of an auth."""
    return Order(
        legs=tuple((leg.product, leg.weight) for leg in auth.legs),
        bid=auth.first if auth.buy else None,
        ask=auth.first + auth.gap if auth.sell else None,
        buy=tuple((step.width, step.increment) for step in auth.buy),
        sell=tuple((step.width, step.increment) for step in auth.sell),
        limits=None if auth.limits is None else (auth.limits.low, auth.limits.high),
        guard=guard,
    )


def reading_of(submission: Submission) -> Reading:
    """The reference's reading of a whole submission."""
    costs = [
        reference.Cost(
            terms=tuple((term.auth, term.coefficient) for term in cost.terms),
            bid=cost.first if cost.buy else None,
            ask=cost.first + cost.gap if cost.sell else None,
            buy=tuple((step.width, step.increment) for step in cost.buy),
            sell=tuple((step.width, step.increment) for step in cost.sell),
        )
        for cost in submission.costs
    ]
    return Reading(
        products=list(submission.products),
        kind=int(submission.standing),
        valid_until=submission.valid_until,
        orders=guarded([order_of(auth) for auth in submission.auths], costs),
        costs=costs,
    )
