"""Contract calls as bytes: arguments in, values out, by the ABI of the compiled contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from eth_abi.abi import encode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from walras.chain.abi import decode
from walras.chain.artifacts import load
from walras.errors import NoContract

__all__ = ["Call", "arguments_of", "call", "creation_code", "erc20_call"]

# Some tokens return nothing from what should return a bool, so those results are not read.
_ERC20: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "symbol": ((), ("string",)),
    "decimals": ((), ("uint8",)),
    "balanceOf": (("address",), ("uint256",)),
    "allowance": (("address", "address"), ("uint256",)),
    "approve": (("address", "uint256"), ()),
    "transfer": (("address", "uint256"), ()),
}


@dataclass(frozen=True, slots=True)
class Call:
    """A call of `name` at `address`; structs come back as tuples in the order of their fields."""

    address: str
    name: str
    data: bytes
    outputs: tuple[str, ...]

    def request(self) -> dict[str, str]:
        """The parameter of `eth_call`."""
        return {"to": self.address, "data": "0x" + self.data.hex()}

    def result(self, answer: str) -> Any:
        """Decode what `eth_call` gave: the value, or a tuple if there are several."""
        if answer in {"0x", ""}:
            raise NoContract(
                f"there is no contract at {self.address}; check the address and the chain"
            )
        try:
            values = decode(self.outputs, bytes.fromhex(answer.removeprefix("0x")))
        except DecodingError as error:
            raise NoContract(
                f"the contract at {self.address} does not answer {self.name}; "
                "it is another contract, check the address"
            ) from error
        shown = tuple(
            to_checksum_address(value) if kind == "address" else value
            for kind, value in zip(self.outputs, values, strict=True)
        )
        return shown[0] if len(shown) == 1 else shown


def call(contract: str, address: str, name: str, *args: Any) -> Call:
    """A call of the function `name` of the compiled `contract`, deployed at `address`."""
    selector, inputs, outputs = _function(contract, name)
    return Call(address, name, selector + encode(inputs, args), outputs)


def arguments_of(contract: str, name: str, data: bytes) -> tuple[Any, ...] | None:
    """Arguments of the function `name` in calldata; None if it is no such call."""
    selector, inputs, _ = _function(contract, name)
    if data[:4] != selector:
        return None
    try:
        return decode(inputs, data[4:])
    except DecodingError:
        return None


def creation_code(contract: str, libraries: Mapping[str, str], *args: Any) -> bytes:
    """The data of the transaction that creates `contract`: linked bytecode, then arguments."""
    artifact = load(contract)
    (inputs,) = [
        tuple(collapse_if_tuple(dict(i)) for i in item["inputs"])
        for item in artifact.abi
        if item["type"] == "constructor"
    ] or [()]
    return artifact.linked(libraries) + encode(inputs, args)


def erc20_call(address: str, name: str, *args: Any) -> Call:
    """A call of a standard token function at `address`."""
    inputs, outputs = _ERC20[name]
    selector = keccak(text=f"{name}({','.join(inputs)})")[:4]
    return Call(address, name, selector + encode(inputs, args), outputs)


@cache
def _function(contract: str, name: str) -> tuple[bytes, tuple[str, ...], tuple[str, ...]]:
    """Selector, argument types and result types."""
    (item,) = (i for i in load(contract).abi if i["type"] == "function" and i["name"] == name)
    inputs = tuple(collapse_if_tuple(dict(i)) for i in item["inputs"])
    outputs = tuple(collapse_if_tuple(dict(o)) for o in item["outputs"])
    return keccak(text=f"{name}({','.join(inputs)})")[:4], inputs, outputs
