"""What an account does in a market: every call is simulated, sent and confirmed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from walras.batch import CASH
from walras.chain.client import Client
from walras.chain.interface import call
from walras.chain.sender import Sender
from walras.chain.token import Token
from walras.chain.transactions import Receipt

__all__ = ["EVERYTHING", "NOBODY", "Trader"]

EVERYTHING: Final = 2**256 - 1  # as an amount: all whole base units
NOBODY: Final = "0x" + "00" * 20


class Trader:
    """A market bound to a sending account. Amounts in base units of the asset's token."""

    def __init__(
        self, client: Client, address: str, sender: Sender, token_of: Callable[[int], str]
    ) -> None:
        self.client = client
        self.address = address
        self.sender = sender
        self._token_of = token_of

    def deposit(self, asset: int, amount: int) -> Receipt:
        """Bring `amount` into the own ledger, approving the token first if needed."""
        self._approve({asset: amount})
        return self._send("deposit", asset, amount)

    def deposit_and_seal(
        self, deposits: Mapping[int, int], batch: int, units: int, ciphertext: bytes
    ) -> Receipt:
        """Deposit by asset id and seal, in one transaction after the approvals."""
        self._approve(deposits)
        return self._send("depositAndSeal", list(deposits.items()), units, ciphertext, batch)

    def withdraw(self, asset: int, amount: int = EVERYTHING, to: str | None = None) -> Receipt:
        """Send from the own ledger to `to` (default: oneself)."""
        return self._send("withdraw", asset, amount, to or self.sender.address)

    def claim(self, to: str | None = None) -> Receipt:
        """Send claimable cash to `to` (default: oneself)."""
        return self._send("claim", to or self.sender.address)

    def seal(self, batch: int, units: int, ciphertext: bytes) -> Receipt:
        """Seal for the current batch; replaces the own live submission while that is open."""
        return self._send("seal", units, ciphertext, batch)

    def open(self, batch: int, **how: Any) -> Receipt:
        """Open the current batch: everybody who stands is live in it."""
        return self._send("open", batch, **how)

    def cancel(self) -> Receipt:
        """Take the own submission back."""
        return self._send("cancel")

    def pause(self) -> Receipt:
        """Take the own standing submission out of all batches until `resume`."""
        return self._send("pause")

    def resume(self) -> Receipt:
        """Let the own paused submission trade again."""
        return self._send("resume")

    def compensate(self, account: str) -> Receipt:
        """Credit an account with what its seal in a closed void batch is owed."""
        return self._send("compensate", account)

    def close_void(self, batch: int, **how: Any) -> Receipt:
        """Close a void batch; the bond pays."""
        return self._send("closeVoid", batch, **how)

    def report_leak(self, batch: int, secret: int) -> Receipt:
        """Show that a batch's secret is known before its lock-out."""
        return self._send("reportLeak", batch, secret)

    def register_key(self, batch: int, x: int, y: int, **how: Any) -> Receipt:
        """Register the public key of a future batch (operator)."""
        return self._send("registerKey", batch, x, y, **how)

    def reveal(self, batch: int, secret: int, **how: Any) -> Receipt:
        """Publish the secret key of a batch."""
        return self._send("reveal", batch, secret, **how)

    def settle(
        self, batch: int, prices: Mapping[int, int], submissions: bytes, **how: Any
    ) -> Receipt:
        """Settle at `prices` (X84 by product) with the items of every live account."""
        return self._send("settle", *settle_arguments(batch, prices, submissions), **how)

    def verify(
        self,
        batch: int,
        sender: str | None,
        run: tuple[Any, ...],
        prices: Mapping[int, int],
        submissions: bytes,
        **how: Any,
    ) -> Receipt:
        """Verify a chunk, going on from the `run` of `sender`, or beginning without one."""
        _, *board, data = settle_arguments(batch, prices, submissions)
        return self._send("verify", batch, sender or NOBODY, run, *board, data, **how)

    def apply_chunk(
        self,
        batch: int,
        digests: Sequence[bytes],
        chunk: int,
        effects: bytes,
        most: int = EVERYTHING,
        **how: Any,
    ) -> Receipt:
        """Write what a chunk of a settled batch does, to at most so many accounts."""
        return self._send("applyChunk", batch, list(digests), chunk, effects, most, **how)

    def restore_chunk(
        self,
        batch: int,
        digests: Sequence[bytes],
        chunk: int,
        effects: bytes,
        most: int = EVERYTHING,
        **how: Any,
    ) -> Receipt:
        """Take back what a chunk has written ahead, from at most so many accounts."""
        return self._send("restoreChunk", batch, list(digests), chunk, effects, most, **how)

    def list_product(
        self, token: str, lot: int, scale: int, tick_bps: int, depth_log2: int, lots_cap: int
    ) -> Receipt:
        """List a product from the next batch on (operator)."""
        return self._send("list", token, lot, scale, tick_bps, depth_log2, lots_cap)

    def reset_scale(self, product: int) -> Receipt:
        """Set a product's scale to its reference."""
        return self._send("resetScale", product)

    def fund_house(self, asset: int, amount: int) -> Receipt:
        """Add to the house, approving the token first if needed."""
        self._approve({asset: amount})
        return self._send("fundHouse", asset, amount)

    def draw_house(self, asset: int, amount: int, to: str | None = None) -> Receipt:
        """Take what the house holds above its least (operator)."""
        return self._send("drawHouse", asset, amount, to or self.sender.address)

    def add_bond(self, amount: int) -> Receipt:
        """Add to the operator's bond, approving the cash token first if needed."""
        self._approve({CASH: amount})
        return self._send("addBond", amount)

    def draw_bond(self, amount: int, to: str | None = None) -> Receipt:
        """Take from the bond (operator)."""
        return self._send("drawBond", amount, to or self.sender.address)

    def estimate_settle(self, batch: int, prices: Mapping[int, int], submissions: bytes) -> int:
        """Gas limit that `settle` needs now; Reverted or NodeError if no transaction can do it."""
        arguments = settle_arguments(batch, prices, submissions)
        data = call("Walras", self.address, "settle", *arguments).data
        return self.sender.estimate(self.address, data)

    def _approve(self, amounts: Mapping[int, int]) -> None:
        for asset, amount in amounts.items():
            token = Token(self.client, self._token_of(asset))
            token.ensure_allowance(self.sender, self.address, amount)

    def _send(self, function: str, *args: Any, **how: Any) -> Receipt:
        """`how` goes to the sender: earlier attempts, and who watches."""
        data = call("Walras", self.address, function, *args).data
        return self.sender.send(self.address, data, **how)


def settle_arguments(
    batch: int, prices: Mapping[int, int], submissions: bytes
) -> tuple[int, list[int], list[int], bytes]:
    """Arguments of the contract's `settle`, products in ascending order."""
    products = sorted(prices)
    return batch, products, [prices[k] for k in products], submissions
