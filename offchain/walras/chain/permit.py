"""Deposits allowed by signature (EIP-2612): one transaction instead of two."""

from __future__ import annotations

from typing import Any, Final

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32
from eth_utils.crypto import keccak

from walras.chain.interface import Call, call
from walras.chain.market import Market
from walras.chain.sender import Sender
from walras.chain.transactions import Receipt
from walras.errors import ChainError

__all__ = ["deposit_with_permit"]

_TYPE_HASH: Final = keccak(
    text="Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)
_VALID_SECONDS: Final = 3_600


def deposit_with_permit(
    market: Market, signer: LocalAccount, sender: Sender, asset: int, amount: int
) -> Receipt:
    """Deposit `amount` base units of `asset`; ChainError if its token takes no permits.

    `sender` sends for the `signer`.
    """
    token = market.token(asset)
    deadline = market.client.now() + _VALID_SECONDS
    digest = _digest(market, token, signer.address, amount, deadline)
    signature = signer.unsafe_sign_hash(Hash32(digest))
    arguments = (signature.v, signature.r.to_bytes(32), signature.s.to_bytes(32))
    data = call(
        "Walras", market.address, "depositWithPermit", asset, amount, deadline, *arguments
    ).data
    return sender.send(market.address, data)


def _digest(market: Market, token: str, owner: str, amount: int, deadline: int) -> bytes:
    """What the owner signs: the typed data of EIP-2612 under the token's own domain."""
    try:
        domain = _read(market, token, "DOMAIN_SEPARATOR", (), (), "bytes32")
        nonce = _read(market, token, "nonces", ("address",), (owner,), "uint256")
    except ChainError:
        raise ChainError(f"the token {token} takes no permits; deposit without --permit") from None
    fields = encode(
        ("bytes32", "address", "address", "uint256", "uint256", "uint256"),
        (_TYPE_HASH, owner, market.address, amount, nonce, deadline),
    )
    return keccak(b"\x19\x01" + domain + keccak(fields))


def _read(
    market: Market, token: str, name: str, types: tuple[str, ...], args: tuple[Any, ...], out: str
) -> Any:
    selector = keccak(text=f"{name}({','.join(types)})")[:4]
    return market.client.read(Call(token, name, selector + encode(types, args), (out,)))
