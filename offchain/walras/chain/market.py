"""A market on chain, typed: views, events and what a settlement needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar, cast

from eth_utils.address import is_address, to_checksum_address

from walras.batch import CASH, Product
from walras.chain import events
from walras.chain.artifacts import load
from walras.chain.client import Client
from walras.chain.interface import call
from walras.chain.lockout import LiveSeal, as_history, live_seals
from walras.chain.logs import read_events
from walras.chain.sender import Sender
from walras.chain.trader import Trader
from walras.chain.views import (
    AccountView,
    Asset,
    BatchView,
    MarketView,
    ProductView,
    Terms,
    Treasury,
)
from walras.errors import ChainError, NoContract, Reverted
from walras.schedule import Phase, Schedule
from walras.sealing import encode_point, keccak256

__all__ = ["Market"]

E = TypeVar("E", bound=events.Event)

VOID_PAID: Final = 1
VOID_UNPAID: Final = 2
_LOOK_BACK: Final = 10_000
_LENS: Final = to_checksum_address(keccak256(b"walras.lens")[:20])


class Market:
    """The contract at one address, and the `terms` it fixed. Accounts are checksummed addresses."""

    def __init__(self, client: Client, address: str) -> None:
        """Raises NoContract unless a market answers at `address`."""
        if not is_address(address):
            raise NoContract(f"{address!r} is no address; it starts with 0x and has 40 hex digits")
        self.client = client
        self.address = to_checksum_address(address)
        try:
            self.terms = _terms(self.read_all([("parameters",)])[0])
        except Reverted:
            raise self._no_market() from None
        # a contract that answers everything, with zeros for example, is none either
        if not self.terms.block_time or not self.terms.schedule.period or not self.terms.capacity:
            raise self._no_market()

    def _no_market(self) -> NoContract:
        return NoContract(
            f"the contract at {self.address} is no market; check the address and the chain"
        )

    def bind(self, sender: Sender) -> Trader:
        """The same market with an account that sends."""
        return Trader(self.client, self.address, sender, self.token)

    def token(self, asset: int) -> str:
        """Address of an asset's token; Reverted if there is no such asset."""
        return to_checksum_address(self.read_all([("listing", asset)])[0][0])

    # ------------------------------------------------------------------------------------- views

    @property
    def schedule(self) -> Schedule:
        """The market's clock."""
        return self.terms.schedule

    def view(self) -> MarketView:
        """The whole market as the next block meets it, in one call."""
        (
            (now, number, chain_id, parameters, current, phase, key_hash),
            (batch, batch_phase, treasury, least, fee, surcharge, cash, products),
        ) = _split(self._look("market"), 7)
        return MarketView(
            address=self.address,
            chain_id=chain_id,
            block_number=number,
            now=now,
            terms=_terms(parameters),
            current=current,
            phase=Phase(phase),
            key_hash=key_hash,
            batch=BatchView(*batch),
            batch_phase=Phase(batch_phase),
            treasury=Treasury(*treasury),
            least_house_cash=least,
            fee=fee + surcharge,
            cash=_asset(cash),
            products=tuple(
                ProductView(_asset(raw), Product(raw[0], *raw[2]), raw[5]) for raw in products
            ),
        )

    def phase(self, batch: int) -> Phase:
        """Phase of a batch at the time the next transaction will meet."""
        secret, outcome = self.read_all([("secret", batch), ("outcome", batch)])
        return self._phase(batch, self.client.now(), published=secret != 0, outcome=outcome)

    def account(self, address: str) -> AccountView:
        """One account's ledger, submission and wallet as the next block meets them."""
        owner = to_checksum_address(address)
        account, live, frozen, claimable, lots, wallet, allowance = self._look("account", owner)
        cash, _, home, batch, units, flags, seal_hash = account
        ids = [CASH, *range(len(lots))]
        return AccountView(
            address=owner,
            cash=cash,
            lots={k: held for k, held in enumerate(lots) if held},
            home=home - 1 if home else None,
            batch=batch,
            units=units,
            seal_hash=seal_hash,
            live=live,
            frozen=frozen,
            claimable=claimable,
            wallet=dict(zip(ids, wallet, strict=True)),
            allowance=dict(zip(ids, allowance, strict=True)),
            flags=flags,
        )

    def admission_fee(self, units: int) -> int:
        """Cash X40 a seal of `units` costs now, surcharge included."""
        ((fee, surcharge),) = self.read_all([("admissionFee", units)], "pending")
        return int(fee + surcharge)

    def batch_key(self, batch: int) -> bytes:
        """Public key of a batch, 65 bytes, from its event and checked against the stored hash."""
        (stored,) = self.read_all([("keyHash", batch)])
        if not any(stored):
            raise ChainError(f"batch {batch} has no key yet; the operator registers it, try later")
        event = self._latest(events.KeyRegistered, batch)
        if event is None or keccak256(event.x.to_bytes(32) + event.y.to_bytes(32)) != stored:
            raise ChainError(
                f"the node does not show the key of batch {batch}; use a node with full logs"
            )
        return encode_point(event.x, event.y)

    # ------------------------------------------------------------------------------------ events

    def sealed_events(self, batch: int, last: int | None = None) -> tuple[events.Event, ...]:
        """Sealed and Cancelled of a batch in chain order, up to block `last`."""
        return self._within(batch, events.Sealed, events.Cancelled, last=last)

    def void_events(self, batch: int) -> tuple[events.Voided, ...]:
        """Submissions of a settled batch that did not trade, and why."""
        found = self._within(batch, events.Voided)
        return tuple(event for event in found if isinstance(event, events.Voided))

    def settled_event(self, batch: int, block: int | None = None) -> events.Settled | None:
        """How a batch settled, or None; `block` is where it did, if that is known."""
        return self._only(batch, events.Settled, block)

    def revealed_event(self, batch: int) -> events.KeyRevealed | None:
        """The publication of a batch's secret, or None."""
        return self._only(batch, events.KeyRevealed)

    def verified_events(self, batch: int) -> tuple[events.Verified, ...]:
        """Chunks of a batch that were verified, in chain order, of all settlers."""
        found = self._within(batch, events.Verified)
        return tuple(event for event in found if isinstance(event, events.Verified))

    def restored_events(self, batch: int) -> tuple[events.Restored, ...]:
        """Chunks of a batch that were taken back, in chain order, before it was over."""
        found = self._within(batch, events.Restored)
        return tuple(event for event in found if isinstance(event, events.Restored))

    def void_closed_event(self, batch: int) -> events.VoidClosed | None:
        """How the bond paid for a void batch, or None."""
        return self._latest(events.VoidClosed, batch)

    def history(
        self, kinds: Sequence[type[events.Event]], first: int = 0, last: int | None = None
    ) -> tuple[events.Event, ...]:
        """Events of `kinds` in blocks first … last (default: the head)."""
        end = self.client.block("latest").number if last is None else last
        return read_events(self.client, self.address, kinds, first=first, last=end)

    def lock_out_block(self, batch: int) -> int:
        """Number of the last block before the batch's lock-out; ChainError before that is past."""
        lock_out = self.schedule.boundaries(batch).lock_out
        head = self.client.block("latest")
        if head.timestamp < lock_out:
            raise ChainError(
                f"batch {batch} locks out at {lock_out}, the chain is at {head.timestamp}; wait"
            )
        return self.client.first_block_from(lock_out, head) - 1

    def seals(self, batch: int) -> dict[str, LiveSeal]:
        """The last seal of every account that sealed in a batch, as its lock-out fixed them."""
        return live_seals(as_history(self.sealed_events(batch, self.lock_out_block(batch))))

    def stood(self, last: int | None = None) -> frozenset[str]:
        """Accounts whose submission ever stood, up to block `last`."""
        found = self.history([events.Joined], last=last)
        return frozenset(event.account for event in found if isinstance(event, events.Joined))

    def applied_block(self, settled: events.Settled) -> int:
        """The block with which a settled batch was written to all its accounts.

        Raises ChainError while accounts wait for it.
        """
        chunks = {event.transaction for event in self.verified_events(settled.batch)}
        if settled.transaction not in chunks:
            return settled.block_number
        ((*_, left),) = self.read_all([("batch",)], settled.block_number)
        if not left:
            return settled.block_number
        found = self.history([events.Applied], settled.block_number)
        own = [e for e in found if isinstance(e, events.Applied) and e.batch == settled.batch]
        waiting = left - sum(event.accounts for event in own)
        if waiting:
            raise ChainError(
                f"batch {settled.batch} is settled but not yet written to {waiting} accounts; "
                "`walras clearer once` writes it"
            )
        return own[-1].block_number

    # ----------------------------------------------------------------------------------- reading

    def read_all(self, calls: Sequence[tuple[Any, ...]], block: int | str = "latest") -> list[Any]:
        """Values of several view functions, each given as (name, *arguments), of one block."""
        return self.client.read_many(
            [call("Walras", self.address, name, *args) for name, *args in calls], block
        )

    def _look(self, name: str, *args: Any) -> Any:
        """Ask the lens, which needs no deployment: the node lends it an address for the call."""
        question = call("WalrasLens", _LENS, name, self.address, *args)
        return self.client.read(question, "pending", code=bytes.fromhex(load("WalrasLens").runtime))

    def _phase(self, batch: int, now: int, *, published: bool, outcome: bytes) -> Phase:
        closed = int.from_bytes(outcome) in (VOID_PAID, VOID_UNPAID)
        return self.schedule.phase(
            batch,
            now,
            key_published=published,
            settled=any(outcome) and not closed,
            leaked=closed,
        )

    def _within(
        self, batch: int, *kinds: type[events.Event], last: int | None = None
    ) -> tuple[events.Event, ...]:
        """Events of a batch that can only happen in its own period."""
        head = self.client.block("latest")
        bounds = self.schedule.boundaries(batch)
        first = self.client.first_block_from(bounds.start, head)
        end = last
        if end is None:
            end = self.client.first_block_from(bounds.end, head) - 1
        return read_events(self.client, self.address, kinds, first=first, last=end, indexed=batch)

    def _only(self, batch: int, kind: type[E], block: int | None = None) -> E | None:
        if block is None:
            found = self._within(batch, kind)
        else:
            found = read_events(
                self.client, self.address, [kind], first=block, last=block, indexed=batch
            )
        return cast("E", found[-1]) if found else None

    def _latest(self, kind: type[E], batch: int) -> E | None:
        """The newest event of one kind about a batch, looking back from the head."""
        last = self.client.block("latest").number
        while last >= 0:
            first = max(last - _LOOK_BACK + 1, 0)
            found = read_events(
                self.client, self.address, [kind], first=first, last=last, indexed=batch
            )
            if found:
                return cast("E", found[-1])
            last = first - 1
        return None


def _terms(raw: tuple[Any, ...]) -> Terms:
    operator, cash, cash_unit, timetable, *rest = raw
    operator, cash = to_checksum_address(operator), to_checksum_address(cash)
    return Terms(operator, cash, cash_unit, Schedule(*timetable), *rest)


def _asset(raw: tuple[Any, ...]) -> Asset:
    """An AssetView of the lens; a token without a readable symbol goes by its address."""
    asset, (token, unit, custody, cap), _, symbol, decimals, _ = raw
    token = to_checksum_address(token)
    readable = symbol if symbol and symbol.isprintable() else token
    return Asset(asset, token, readable, decimals, unit, custody, cap)


def _split(values: tuple[Any, ...], at: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    return values[:at], values[at:]
