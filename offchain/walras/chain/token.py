"""An ERC-20 token as far as a market needs it."""

from __future__ import annotations

from typing import Any

from eth_utils.address import to_checksum_address

from walras.chain.client import Client
from walras.chain.interface import Call, erc20_call
from walras.chain.sender import Sender
from walras.chain.transactions import Receipt
from walras.errors import ChainError

__all__ = ["Token"]


class Token:
    """The token at one address; amounts in its base units."""

    def __init__(self, client: Client, address: str) -> None:
        self.client = client
        self.address = to_checksum_address(address)

    @property
    def symbol(self) -> str:
        """What people call it; its address if it has no readable name."""
        try:
            text = str(self._constant("symbol"))
        except ChainError:
            return self.address
        return text if text.isprintable() and text else self.address

    @property
    def decimals(self) -> int:
        """Digits after the point in human amounts; 0 if the token does not say."""
        try:
            return int(self._constant("decimals"))
        except ChainError:
            return 0

    def balance_of(self, owner: str, block: int | str = "latest") -> int:
        """Holding of an address."""
        return int(self.client.read(self._call("balanceOf", owner), block))

    def allowance(self, owner: str, spender: str) -> int:
        """What `spender` may take from `owner`."""
        return int(self.client.read(self._call("allowance", owner, spender)))

    def approve(self, sender: Sender, spender: str, amount: int) -> Receipt:
        """Let `spender` take `amount` from the sender."""
        return sender.send(self.address, self._call("approve", spender, amount).data)

    def ensure_allowance(self, sender: Sender, spender: str, amount: int) -> None:
        """Approve exactly `amount` unless that much is approved already.

        A remainder is set to zero first: some tokens refuse to change a non-zero allowance.
        """
        allowed = self.allowance(sender.address, spender)
        if allowed >= amount:
            return
        if allowed:
            self.approve(sender, spender, 0)
        self.approve(sender, spender, amount)

    def transfer(self, sender: Sender, to: str, amount: int) -> Receipt:
        """Send `amount` from the sender to `to`."""
        return sender.send(self.address, self._call("transfer", to, amount).data)

    def _constant(self, name: str) -> Any:
        key = (self.address, name)
        if key not in self.client.constants:
            self.client.constants[key] = self.client.read(self._call(name))
        return self.client.constants[key]

    def _call(self, name: str, *args: object) -> Call:
        return erc20_call(self.address, name, *args)
