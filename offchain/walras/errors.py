"""Everything Walras raises on purpose.

WalrasError
├── OrderError                  an order that means nothing or exceeds a limit of the protocol
├── UnrepresentableNumber       a number off the grid of the chain's integers
├── SealError                   a key, salt or point that cannot seal or open
├── CertificateError            a settlement the contract would revert
├── ClearingError               a book without accepted prices
├── ChainError
│   ├── NodeUnreachable
│   ├── WrongChain
│   ├── NoContract
│   └── Reverted                a custom error of the contract
├── AccountError                a keystore or its password
├── StoreError                  the journal on disk
└── ConfigError                 settings and environment
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

__all__ = [
    "AccountError",
    "CertificateError",
    "ChainError",
    "ClearingError",
    "ConfigError",
    "NoContract",
    "NodeUnreachable",
    "OrderError",
    "Reverted",
    "SealError",
    "StoreError",
    "UnrepresentableNumber",
    "WalrasError",
    "WrongChain",
]


class WalrasError(Exception):
    """Base of all. ``str(error)`` is one line: what was wrong, where, what to do."""


class OrderError(WalrasError):
    """An order that means nothing or exceeds a limit of the protocol."""


class UnrepresentableNumber(WalrasError):  # noqa: N818 - the name says what is wrong
    """A number that is not on the chain's grid; ``nearest`` is the closest one that is."""

    def __init__(self, number: object, nearest: object, what: str = "number") -> None:
        self.number = number
        self.nearest = nearest
        super().__init__(f"{what} {number} cannot be represented; use {nearest}")


class SealError(WalrasError):
    """A key, salt or point with which nothing can be sealed or opened."""


class CertificateError(WalrasError):
    """A settlement the contract reverts.

    ``reason`` is the name of the contract's custom error, ``values`` are its arguments by name
    (chain integers; addresses as 20 bytes).
    """

    MESSAGES: ClassVar[Mapping[str, str]] = {
        "AccountsNotAscending": "account {account} is not above the one before; "
        "list each live account once, in ascending order",
        "AccountNotLive": "account {account} has no live submission in this batch; leave it out",
        "WrongCiphertext": "account {account} sealed another ciphertext; "
        "take the last one it sealed from the chain",
        "WrongItem": "account {account} has not sealed what its item claims; "
        "give progress to standing submissions only",
        "PriceMissing": "product {product} is listed by a submission but has no price; price it",
        "PriceUnused": "product {product} has a price but no submission lists it; leave it out",
        "ProductsNotAscending": "product {product} is not above the one before; "
        "price each product once, in ascending order",
        "UnknownProduct": "product {product} is not listed in this batch; leave it out",
        "PriceOutOfRange": "price {price} of product {product} is not below 2^138 in X84; "
        "solve again",
        "NotCleared": "product {product} misses clearing by {excess} ulps of X44 lots where "
        "{tolerance} are allowed; solve to more digits",
        "ShadowsMismatch": "{given} shadow prices are given where {needed} are needed; "
        "give one for each cost of a submission that can be read, trading or not",
        "ShadowOutOfRange": "shadow price {shadow} of account {account} lies outside its cost "
        "{cost}; solve again",
        "CostNotCleared": "cost {cost} of account {account} misses its curve by {excess} ulps of "
        "X44 where {tolerance} are allowed; solve to more digits",
        "HouseShort": "the house would hold {holding} of asset {asset}, outside its range; "
        "fund it before the next batch",
        "LiveCountMismatch": "{listed} submissions are listed, {live} accounts are live; "
        "list every live account",
        "LengthMismatch": "{products} products but {prices} prices; give one price each",
        "WrongBoard": "these products and prices hash to {board}, the run began under {expected}; "
        "continue a run under its own prices",
        "ChunkTooLarge": "the chunk has {size} bytes of effects, which take {gas} gas to apply; "
        "verify fewer accounts at a time",
        "TruncatedData": "the list of submissions ends inside one; send it whole",
        "LedgerOutOfRange": "account {account} would hold {balance} of asset {asset}; "
        "solve again, these prices cannot be right",
    }

    def __init__(self, reason: str, **values: object) -> None:
        self.reason = reason
        self.values = values
        shown = {k: _hex(v) if isinstance(v, bytes) else v for k, v in values.items()}
        super().__init__(f"{reason}: {self.MESSAGES[reason].format(**shown)}")


class ClearingError(WalrasError):
    """No prices were found that the certificate accepts."""


class ChainError(WalrasError):
    """The node, the network or the contract did not do what was asked."""


class NodeUnreachable(ChainError):  # noqa: N818 - the name says what is wrong
    """No answer from the node."""


class WrongChain(ChainError):  # noqa: N818 - the name says what is wrong
    """The node serves another chain than the one configured."""


class NoContract(ChainError):  # noqa: N818 - the name says what is wrong
    """There is no market at the address."""


class Reverted(ChainError):  # noqa: N818 - the name says what is wrong
    """The contract refused: ``name`` and ``args`` of its custom error."""

    def __init__(self, name: str, args: Sequence[object] = (), advice: str = "") -> None:
        self.name = name
        self.arguments = tuple(args)
        shown = ", ".join(_hex(a) if isinstance(a, bytes) else str(a) for a in args)
        super().__init__(f"the contract refused: {name}({shown}){'; ' + advice if advice else ''}")


class AccountError(WalrasError):
    """A keystore that cannot be read, written or unlocked."""


class StoreError(WalrasError):
    """The journal on disk cannot be used."""


class ConfigError(WalrasError):
    """A setting is missing or makes no sense."""


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
