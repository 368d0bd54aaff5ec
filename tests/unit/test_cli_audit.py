"""What follows a settlement in its own block is not blamed on it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from eth_utils.address import to_checksum_address

from walras.batch import CASH, AccountState, BatchState
from walras.chain.events import Deposited, Settled, Withdrawn
from walras.chain.market import Market
from walras.cli.audit import without_later_moves
from walras.numbers import X40, X44

OWNER, OTHER = b"\x01" * 20, b"\x02" * 20
LOT, CASH_UNIT = 3, 100


def log(kind: Any, index: int, owner: bytes, asset: int, amount: int) -> Any:
    fields: dict[str, Any] = {"account": to_checksum_address(owner), "asset": asset}
    if kind is Withdrawn:
        fields["to"] = fields["account"]
    return kind(
        block_number=9,
        block_hash=bytes(32),
        log_index=index,
        transaction=bytes(32),
        amount=amount,
        **fields,
    )


def market(*events: Any) -> Market:
    asset = SimpleNamespace(id=4, unit=LOT)
    fake = SimpleNamespace(
        view=lambda: SimpleNamespace(products=[SimpleNamespace(asset=asset)]),
        terms=SimpleNamespace(cash_unit=CASH_UNIT),
        history=lambda kinds, first, last: [
            e for e in events if first <= e.block_number <= last and isinstance(e, tuple(kinds))
        ],
    )
    return cast("Market", fake)


def after(cash: int, lots: int) -> BatchState:
    account = AccountState(OWNER, cash, {4: lots}, 4, 10, bytes(32))
    return BatchState(1, bytes(32), 0, {}, (account,), 0, 1)


def settled(index: int) -> Settled:
    return cast("Settled", SimpleNamespace(batch=1, block_number=9, log_index=index))


def test_moves_after_the_settlement__are_taken_out_exactly() -> None:
    events = (
        log(Deposited, 1, OWNER, CASH, 700),  # before it: counted
        log(Deposited, 6, OWNER, CASH, 200),
        log(Deposited, 7, OWNER, 4, 6),
        log(Withdrawn, 8, OWNER, 4, 1),  # debited rounded up
        log(Withdrawn, 9, OTHER, 4, 1),  # not a live account
    )
    found = without_later_moves(market(*events), after(50 * X40, 10 * X44), settled(5), 9)
    (account,) = found.accounts
    assert account.cash == 48 * X40
    assert account.lots == {4: 8 * X44 + -(-X44 // 3)}


def test_quiet_block__changes_nothing() -> None:
    state = after(5, 6)
    assert without_later_moves(market(), state, settled(0), 9) == state
