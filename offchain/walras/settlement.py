"""What a settlement sends to the contract and what it leaves in the ledgers (SPEC §6, §7, §9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from walras.batch import AccountState, BatchState
from walras.certificate import Settlement, check_prices, settle
from walras.errors import CertificateError
from walras.opening import Entry, open_listed
from walras.sealing import keccak256, stand_hash

__all__ = [
    "apply",
    "decode_submissions",
    "encode_submissions",
    "outcome_hash",
    "replay",
    "stand_hash",
]

_HEAD, _LENGTH, _DONE, _SHADOW = 24, 2, 16, 20  # bytes


def encode_submissions(
    entries: Iterable[Entry], shadows: Mapping[bytes, Sequence[int]] | None = None
) -> bytes:
    """Calldata of ``entries`` in the given order, with the ``shadows`` X84 of accounts with costs.

    An item is account ‖ len u16 ‖ shadows u8 ‖ limits u8 ‖ payload ‖ done i128 … ‖ λ i160 …, then
    len u16 ‖ ciphertext of an amendment.
    """
    given = shadows or {}
    return b"".join(_item(entry, given.get(entry.account, ())) for entry in entries)


def _item(entry: Entry, shadows: Sequence[int]) -> bytes:
    parts = [
        entry.account,
        len(entry.payload).to_bytes(2),
        bytes((len(shadows), len(entry.done))),
        entry.payload,
        *(moved.to_bytes(_DONE, signed=True) for moved in entry.done),
        *(shadow.to_bytes(_SHADOW, signed=True) for shadow in shadows),
    ]
    if entry.amendment is not None:
        parts += [len(entry.amendment).to_bytes(_LENGTH), entry.amendment]
    return b"".join(parts)


def decode_submissions(
    data: bytes, amends: Callable[[bytes, bytes], bool] = lambda _account, _payload: False
) -> tuple[list[Entry], dict[bytes, tuple[int, ...]]]:
    """Inverse of ``encode_submissions``: entries in order, shadow prices by account.

    ``amends`` tells of an account and its payload whether an amendment follows. CertificateError
    TruncatedData if the data ends inside an item.
    """
    reader = _Reader(data)
    entries, shadows = [], {}
    while reader.at < len(data):
        account, length = reader.take(20), reader.number(_LENGTH)
        costs, limits = reader.take(2)
        payload = reader.take(length)
        done = tuple(reader.number(_DONE, signed=True) for _ in range(limits))
        shadows[account] = tuple(reader.number(_SHADOW, signed=True) for _ in range(costs))
        amendment = reader.take(reader.number(_LENGTH)) if amends(account, payload) else None
        entries.append(Entry(account, payload, done, amendment))
    return entries, shadows


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        self.at += size
        if self.at > len(self.data):
            raise CertificateError("TruncatedData")
        return self.data[self.at - size : self.at]

    def number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), signed=signed)


def outcome_hash(products: Sequence[int], prices: Sequence[int]) -> bytes:
    """keccak256(abi.encode(uint16[] products, int256[] prices)), stored for a settled batch."""
    head = (64).to_bytes(32) + (96 + 32 * len(products)).to_bytes(32)
    return keccak256(head + _words(products) + _words(prices))


def replay(
    state: BatchState,
    products: Sequence[int],
    prices: Sequence[int],
    entries: Sequence[Entry],
    shadows: Mapping[bytes, Sequence[int]] | None = None,
) -> Settlement:
    """What the contract's ``settle`` does with these arguments; ``prices``, ``shadows`` X84.

    Raises CertificateError where it reverts.
    """
    check_prices(state, products, prices)
    opened = open_listed(state, entries)
    given = {entry.account: () for entry in entries} | dict(shadows or {})
    return settle(state, opened, dict(zip(products, prices, strict=True)), given)


def apply(state: BatchState, settlement: Settlement) -> BatchState:
    """``state`` with the ledgers, houses, references and standing submissions after the settlement.

    An account without a home takes the lowest product of its submission, if it trades. Amendments
    are used up; who does not stand is no longer live in the next batch.
    """
    products = dict(state.products)
    for k, received in settlement.house.items():
        products[k] = replace(
            products[k],
            house=products[k].house + received,
            reference=settlement.next_references[k],
        )
    return replace(
        state,
        products=products,
        accounts=tuple(_stood(_credited(one, settlement), settlement) for one in state.accounts),
        house_cash=state.house_cash + settlement.house_cash,
    )


def _credited(account: AccountState, settlement: Settlement) -> AccountState:
    fills = settlement.fills.get(account.address)
    cash = account.cash - settlement.rents.get(account.address, 0)
    if fills is None:
        return replace(account, cash=cash)
    lots = dict(account.lots)
    for product, fill in fills.items():
        lots[product] = lots.get(product, 0) + fill
    return replace(
        account,
        cash=cash + settlement.cash[account.address],
        lots=lots,
        home=min(fills) if account.home is None else account.home,
    )


def _stood(account: AccountState, settlement: Settlement) -> AccountState:
    standing = settlement.standing.get(account.address)
    if standing is None:
        return replace(account, standing=False, uncovered=False, amendment=None)
    return replace(
        account,
        units=standing.units,
        seal_hash=standing.hash,
        standing=True,
        uncovered=standing.uncovered,
        amendment=None,
    )


def _words(values: Sequence[int]) -> bytes:
    return len(values).to_bytes(32) + b"".join(v.to_bytes(32, signed=v < 0) for v in values)
