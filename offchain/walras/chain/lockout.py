"""What a settlement reads, rebuilt from chain data alone: the book as lock-out fixed it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from eth_utils.address import to_canonical_address, to_checksum_address

from walras.batch import CASH, AccountState, Amendment, BatchState, Product
from walras.bodies import Bodies
from walras.chain.events import Cancelled, Event, Sealed
from walras.decoding import decode
from walras.effects import account_word, with_siblings
from walras.errors import ChainError
from walras.numbers import MAX_UNITS
from walras.opening import Entry
from walras.sealing import SEAL_OVERHEAD, batch_id, seal_hash, unseal

if TYPE_CHECKING:
    from walras.chain.market import Market

__all__ = [
    "PAUSED",
    "STANDING",
    "Book",
    "LiveSeal",
    "as_history",
    "live_seals",
    "read_after",
    "read_book",
]

STANDING: Final = 1  # flags of an account, SPEC §9
PAUSED: Final = 2
UNCOVERED: Final = 4
AMENDED: Final = 8


@dataclass(frozen=True, slots=True)
class LiveSeal:
    """What an account sealed, and the units it declared for it."""

    units: int
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class Book:
    """What lock-out fixed, and what each live account wants, ascending by account."""

    state: BatchState
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class _Live:
    """A live account: its stored words, and what it wants."""

    owner: str
    raw: Sequence[Any]
    entry: Entry
    standing: bool
    amendment: Amendment | None

    @property
    def address(self) -> bytes:
        return to_canonical_address(self.owner)

    def words(self, touched: Iterable[int]) -> frozenset[int]:
        """Products in the words that a settlement may write: the account's own holds its home."""
        home = self.raw[2]
        return with_siblings(touched) | ({home - 1} if home else set())


def live_seals(history: Iterable[tuple[str, int, bytes | None]]) -> dict[str, LiveSeal]:
    """The last seal of every account, from (account, units, ciphertext or None for a cancellation).

    In chain order.
    """
    live: dict[str, LiveSeal] = {}
    for account, units, ciphertext in history:
        if ciphertext is None:
            live.pop(account, None)
        else:
            live[account] = LiveSeal(units, ciphertext)
    return live


def as_history(events: Iterable[Event]) -> Iterator[tuple[str, int, bytes | None]]:
    """Sealed and Cancelled events as `live_seals` takes them."""
    for event in events:
        if isinstance(event, Sealed):
            yield event.account, event.units, event.ct
        elif isinstance(event, Cancelled):
            yield event.account, 0, None


def read_book(
    market: Market,
    batch: int,
    *,
    block: int,
    secret: int,
    seals: Mapping[str, LiveSeal],
    stood: Iterable[str],
    bodies: Bodies,
) -> Book:
    """The book of a batch from its `seals` and the accounts that ever `stood`, as of `block`.

    Live ledgers are the same at every block from lock-out to settlement. `bodies` behind the
    standing hashes have to be known. Raises ChainError if the seals are not those that the
    contract holds, or a body is not known.
    """
    number = batch_id(market.client.chain_id, to_canonical_address(market.address), batch)
    names = ("productCount", batch), ("treasury",), ("batch",), ("unitRent",), ("standing",)
    count, treasury, word, unit_rent, standing = market.read_all(names, block)
    ticking = word[3] if word[0] == batch else 0
    words = market.read_all([("product", k) for k in range(count)], block)
    products = {k: Product(k, *word) for k, word in enumerate(words)}
    ticks = {k: product.tick for k, product in products.items()}
    live = _live(market, batch, block, number, seals, stood, bodies)
    pairs = [
        (one.owner, k)
        for one in live
        for k in (CASH, *sorted(one.words(_products(one, secret, number, ticks))))
    ]
    balances = market.read_all([("balanceOf", owner, k) for owner, k in pairs], block)
    held: dict[str, dict[int, int]] = {one.owner: {} for one in live}
    for (owner, k), amount in zip(pairs, balances, strict=True):
        held[owner][k] = amount
    state = BatchState(
        number=batch,
        batch_id=number,
        scheduled_lock_out=market.schedule.boundaries(batch).lock_out,
        products=products,
        accounts=tuple(_state(one, held[one.owner]) for one in live),
        house_cash=treasury[0],
        secret=secret,
        rent=unit_rent * ticking,
        mark=standing[2] + ticking,
    )
    return Book(state, tuple(one.entry for one in live))


def read_after(market: Market, before: BatchState, block: int) -> BatchState:
    """The same products and accounts as of `block`, once the batch is settled."""
    (treasury,) = market.read_all([("treasury",)], block)
    words = market.read_all([("product", k) for k in before.products], block)
    owners = {account.address: to_checksum_address(account.address) for account in before.accounts}
    stored = market.read_all([("account", owner) for owner in owners.values()], block)
    pairs = [(one.address, k) for one in before.accounts for k in (CASH, *one.lots)]
    balances = market.read_all([("balanceOf", owners[a], k) for a, k in pairs], block)
    held = dict(zip(pairs, balances, strict=True))
    return replace(
        before,
        products={k: Product(k, *w) for k, w in zip(before.products, words, strict=True)},
        house_cash=treasury[0],
        accounts=tuple(
            replace(
                one,
                cash=held[one.address, CASH],
                lots={k: held[one.address, k] for k in one.lots},
                units=raw[4],
                seal_hash=raw[6],
                standing=bool(raw[5] & STANDING),
                uncovered=bool(raw[5] & UNCOVERED),
                amendment=None,
            )
            for one, raw in zip(before.accounts, stored, strict=True)
        ),
    )


def _live(
    market: Market,
    batch: int,
    block: int,
    number: bytes,
    seals: Mapping[str, LiveSeal],
    stood: Iterable[str],
    bodies: Bodies,
) -> list[_Live]:
    owners = sorted({*seals, *stood}, key=to_canonical_address)
    stored = market.read_all([("account", owner) for owner in owners], block)
    marked = [o for o, raw in zip(owners, stored, strict=True) if raw[5] & AMENDED]
    sealed = market.read_all([("amendment", owner) for owner in marked], block)
    amendments = {
        owner: Amendment(raw[0], raw[2])
        for owner, raw in zip(marked, sealed, strict=True)
        if raw[1] == batch
    }
    live = []
    for owner, raw in zip(owners, stored, strict=True):
        seal = seals.get(owner)
        if raw[5] & STANDING:
            if not raw[5] & PAUSED:
                live.append(_standing(owner, raw, bodies, amendments.get(owner), seal, number))
        elif seal is not None:
            if raw[3] != batch or raw[6] != seal_hash(number, seal.ciphertext):
                raise ChainError(_foreign(owner, batch))
            entry = Entry(to_canonical_address(owner), seal.ciphertext)
            live.append(_Live(owner, raw, entry, False, None))
    return live


def _standing(
    owner: str,
    raw: Sequence[Any],
    bodies: Bodies,
    amendment: Amendment | None,
    seal: LiveSeal | None,
    number: bytes,
) -> _Live:
    body = bodies.find(raw[6])
    if body is None:
        raise ChainError(
            f"nothing known stands behind the submission of {owner}; let the node show the "
            "settlements before, or try again"
        )
    ciphertext = None
    if amendment is not None:
        if seal is None or seal_hash(number, seal.ciphertext) != amendment.seal_hash:
            raise ChainError(_foreign(owner, 0))
        ciphertext = seal.ciphertext
    entry = Entry(to_canonical_address(owner), body.body, body.done, ciphertext)
    return _Live(owner, raw, entry, True, amendment)


def _foreign(owner: str, batch: int) -> str:
    where = f" in batch {batch}" if batch else ""
    return (
        f"the seal of {owner}{where} is not the one the contract holds; "
        "the node's logs are incomplete or its chain was reorganised, try again"
    )


def _state(one: _Live, held: Mapping[int, int]) -> AccountState:
    home, units, flags, second = one.raw[2], one.raw[4], one.raw[5], one.raw[6]
    return AccountState(
        address=one.address,
        cash=held[CASH],
        lots={k: amount for k, amount in held.items() if k != CASH},
        home=home - 1 if home else None,
        units=units,
        seal_hash=second,
        standing=one.standing,
        uncovered=bool(flags & UNCOVERED),
        amendment=one.amendment,
        word=account_word(*one.raw[:6]),
    )


def _products(one: _Live, secret: int, number: bytes, ticks: Mapping[int, int]) -> tuple[int, ...]:
    """Products whose ledgers decide whether the submission is covered."""
    body: bytes | None = one.entry.payload
    length, units = SEAL_OVERHEAD + len(one.entry.payload), MAX_UNITS
    if not one.standing:
        body = unseal(secret, one.entry.payload, one.address, number)
        length, units = len(one.entry.payload), one.raw[4]
    if body is None:
        return ()
    decoded = decode(body, ciphertext_length=length, units=units, ticks=ticks)
    return decoded.submission.products if decoded.submission is not None else ()
