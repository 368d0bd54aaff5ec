"""ABI decoding that stands any string: the contracts of others are bound to no character set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eth_abi import decoding, registry
from eth_abi.codec import ABIDecoder

__all__ = ["decode", "printable"]


def _lenient() -> ABIDecoder:
    untyped: tuple[Any, ...] = (registry.registry, registry.BaseEquals, decoding.StringDecoder)
    known, base, string = untyped
    types = known.copy()
    types.unregister_decoder("string")
    types.register_decoder(base("string"), string("surrogateescape"), label="string")
    return ABIDecoder(types)


_DECODER: Final = _lenient()


def decode(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """As eth_abi's; a byte that is no UTF-8 comes as a surrogate, which is not printable."""
    return _DECODER.decode(types, data)


def printable(text: str) -> str:
    """`text` with a replacement character for whatever a terminal might obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
