"""What every view of the contract and of the tokens must say, as the ghost has it."""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak

from tests.stateful.books import ledger
from tests.stateful.ghost import Ghost
from tests.stateful.holders import Holder
from tests.stateful.setting import ADDRESSES
from tests.stateful.survey import Question


def expected(ghost: Ghost, market: str) -> dict[Question, Any]:
    """Every view of the contract and of the tokens, with what the ghost says of it."""
    views: dict[tuple[str, tuple[Any, ...]], Any] = {
        ("batch", ()): _round(ghost),
        ("treasury", ()): (
            *(ghost.house_cash, ghost.bond, ghost.short_houses),
            *(ghost.burnt, ghost.reserved),
        ),
        ("standing", ()): (ghost.standing, ghost.standing_units, ghost.rent_index),
        ("digestsHash", ()): _digests(ghost),
        ("productsListed", ()): len(ghost.lines),
        ("leastHouseCash", ()): ghost.least_house_cash,
        ("currentBatch", ()): ghost.current,
        ("admissionFee", (10,)): ghost.fees(10 + _used(ghost), 10),
    }
    for batch in {0, ghost.round.number, *range(max(ghost.current - 1, 0), ghost.current + 3)}:
        views["phase", (batch,)] = ghost.phase(batch)
        views["keyHash", (batch,)] = _key_hash(ghost.keys.get(batch))
        views["secret", (batch,)] = ghost.secrets.get(batch, 0)
        views["outcome", (batch,)] = ghost.outcomes.get(batch, bytes(32))
        views["batchId", (batch,)] = ghost.ids[batch]
    for batch in (ghost.current, ghost.current + 1):
        views["productCount", (batch,)] = ghost.product_count(batch)
    for asset, vault in ghost.vaults.items():
        views["listing", (asset,)] = (
            *(vault.token.lower(), vault.unit),
            *(vault.custody, vault.cap),
        )
    for k, line in enumerate(ghost.lines):
        bits = (line.tick_bps, line.depth_log2, line.house_log2)
        views["product", (k,)] = (line.house, line.reference, line.scale, *bits)
    for owner in ADDRESSES.values():
        holder, ahead = ghost.holder(owner), ghost.ahead.get(owner)
        views["account", (owner,)] = _account(ahead or holder)
        views["claimable", (owner,)] = holder.claimable
        views["rentOwed", (owner,)] = 0 if ahead else ghost.owed(owner)
        views["amendment", (owner,)] = holder.amendment
        now = (ghost.round.number, owner)
        views["runHash", now] = ghost.runs[now].hash if now in ghost.runs else bytes(32)
        views["isFrozen", (owner,)] = ghost.frozen(owner)
        for asset in ghost.vaults:
            held = ledger(ahead, asset) if ahead else ghost.balance(owner, asset)
            views["balanceOf", (owner, asset)] = held
    questions = {("Walras", market, name, args): v for (name, args), v in views.items()}
    for vault in ghost.vaults.values():
        for owner in (*ADDRESSES.values(), market):
            held = ghost.tokens[vault.token].balances.get(owner, 0)
            questions["MockToken", vault.token, "balanceOf", (owner,)] = held
    return questions


def _used(ghost: Ghost) -> int:
    return ghost.round.units if ghost.round.number == ghost.current else ghost.standing_units


def _round(ghost: Ghost) -> tuple[Any, ...]:
    r = ghost.round
    return r.number, r.live, r.units, r.ticks, r.settled, r.closed, r.pot, ghost.unapplied


def _digests(ghost: Ghost) -> bytes:
    return keccak(b"".join(piece.digest for piece in ghost.pieces)) if ghost.pieces else bytes(32)


def _account(holder: Holder) -> tuple[Any, ...]:
    home = 0 if holder.home is None else holder.home + 1
    at_home = 0 if holder.home is None else holder.lots.get(holder.home, 0)
    mine = (holder.batch, holder.units, holder.flags, holder.seal_hash)
    return holder.cash, at_home, home, *mine


def _key_hash(key: tuple[int, int] | None) -> bytes:
    return keccak(key[0].to_bytes(32) + key[1].to_bytes(32)) if key else bytes(32)
