"""What a settlement sends to the contract and what it leaves in the ledgers (SPEC §6, §7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from walras.batch import AccountState, BatchState
from walras.certificate import Settlement, check_prices, open_listed, settle
from walras.errors import CertificateError
from walras.sealing import keccak256

__all__ = ["apply", "decode_submissions", "encode_submissions", "outcome_hash", "replay"]

_ENTRY_HEAD = 22  # address and length


def encode_submissions(submissions: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Calldata of (account, ciphertext) pairs in the given order: account ‖ len u16 ‖ ct."""
    return b"".join(
        account + len(ciphertext).to_bytes(2) + ciphertext for account, ciphertext in submissions
    )


def decode_submissions(data: bytes) -> list[tuple[bytes, bytes]]:
    """Inverse of ``encode_submissions``; CertificateError TruncatedData if it ends inside one."""
    submissions = []
    at = 0
    while at < len(data):
        start = at + _ENTRY_HEAD
        end = start + int.from_bytes(data[start - 2 : start])
        if end > len(data):
            raise CertificateError("TruncatedData")
        submissions.append((data[at : at + 20], data[start:end]))
        at = end
    return submissions


def outcome_hash(products: Sequence[int], prices: Sequence[int]) -> bytes:
    """keccak256(abi.encode(uint16[] products, int256[] prices)), stored for a settled batch."""
    head = (64).to_bytes(32) + (96 + 32 * len(products)).to_bytes(32)
    return keccak256(head + _words(products) + _words(prices))


def replay(
    state: BatchState,
    products: Sequence[int],
    prices: Sequence[int],
    submissions: Sequence[tuple[bytes, bytes]],
) -> Settlement:
    """What the contract's ``settle`` does with these arguments; ``prices`` X84.

    Raises CertificateError where it reverts.
    """
    check_prices(state, products, prices)
    opened = open_listed(state, submissions)
    return settle(state, opened, dict(zip(products, prices, strict=True)))


def apply(state: BatchState, settlement: Settlement) -> BatchState:
    """``state`` with the ledgers, houses and references that the settlement leaves.

    An account without a home takes the lowest product of its submission, if it trades.
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
        accounts=tuple(_credited(account, settlement) for account in state.accounts),
        house_cash=state.house_cash + settlement.house_cash,
    )


def _credited(account: AccountState, settlement: Settlement) -> AccountState:
    fills = settlement.fills.get(account.address)
    if fills is None:
        return account
    lots = dict(account.lots)
    for product, fill in fills.items():
        lots[product] = lots.get(product, 0) + fill
    return replace(
        account,
        cash=account.cash + settlement.cash[account.address],
        lots=lots,
        home=min(fills) if account.home is None else account.home,
    )


def _words(values: Sequence[int]) -> bytes:
    return len(values).to_bytes(32) + b"".join(v.to_bytes(32, signed=v < 0) for v in values)
