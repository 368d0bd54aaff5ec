"""The orders of an account that are not over: sealed, standing, or sealed to amend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_utils.address import to_canonical_address

from walras.auths import Cover, Submission, cover
from walras.chain.lockout import AMENDED, as_history, live_seals
from walras.chain.views import AccountView, MarketView
from walras.cli.followed import followed
from walras.cli.notes import Notes
from walras.cli.prepare import rent_per_unit
from walras.cli.session import Session
from walras.decoding import decode
from walras.numbers import MAX_UNITS
from walras.orders.history import Followed
from walras.schedule import Phase
from walras.sealing import SEAL_OVERHEAD, batch_id, seal_hash, stand_hash, unseal

__all__ = ["Pending", "Work", "notes", "pending", "works"]


@dataclass(frozen=True, slots=True)
class Pending:
    """An amendment that waits for the settlement of ``batch``; ``size`` bytes of ciphertext.

    ``submission`` is None while it is sealed, unless it was sealed on this machine.
    """

    batch: int
    units: int
    size: int | None
    submission: Submission | None


@dataclass(frozen=True, slots=True)
class Work:
    """An order that needs cover: ``need`` of the ledger, None if nobody here can read it.

    ``lapse`` says what becomes of it without cover.
    """

    name: str
    need: Cover | None
    lapse: str


def notes(session: Session) -> Notes:
    """What the acting account sealed on this machine."""
    client, market = session.client, session.market
    return Notes(session.settings.data_dir, client.chain_id, market.address, session.address)


def pending(session: Session, view: MarketView, account: AccountView) -> Pending | None:
    """The amendment that has yet to replace what stands; None without one."""
    if not (account.standing and account.flags & AMENDED):
        return None
    market = session.market
    ((hash_, batch, units),) = market.read_all([("amendment", account.address)])
    if batch != view.batch.number or view.batch_phase in (Phase.SETTLED, Phase.VOID):
        return None
    sealed = live_seals(as_history(market.sealed_events(batch))).get(account.address)
    number = batch_id(view.chain_id, to_canonical_address(view.address), batch)
    if sealed is not None and seal_hash(number, sealed.ciphertext) != hash_:
        sealed = None
    body = notes(session).body(hash_)
    (secret,) = market.read_all([("secret", batch)])
    if body is None and secret and sealed is not None:
        owner = to_canonical_address(account.address)
        body = unseal(secret, sealed.ciphertext, owner, number)
    size = None if sealed is None else len(sealed.ciphertext)
    return Pending(batch, units, size, _read(body, view))


def works(session: Session, view: MarketView, account: AccountView) -> Sequence[Work]:
    """What the ledger of an account has to cover. The account is not frozen."""
    if account.standing:
        rent = account.units * rent_per_unit(view)
        found = followed(session, account.address)
        if found is not None and stand_hash(found.body, found.done) != account.seal_hash:
            found = None
        waits = pending(session, view, account)
        stands = [_standing(found, rent, paused=account.paused)]
        if waits is not None:
            need = None if waits.submission is None else _more(cover(waits.submission), rent)
            lapse = "void in each batch without cover, ended after two in a row"
            stands.append(Work(f"your amendment of batch {waits.batch}", need, lapse))
        return stands
    if not account.live or account.batch != view.current or view.phase is not Phase.OPEN:
        return ()
    submission = _read(notes(session).body(account.seal_hash), view)
    need = None if submission is None else cover(submission)
    return (Work("your sealed order", need, f"void in batch {account.batch}"),)


def _standing(found: Followed | None, rent: int, *, paused: bool) -> Work:
    lapse = "void in each batch without cover, ended after two in a row"
    if paused:
        lapse += ", once you resume it"
    need = None if found is None else _more(cover(found.submission, found.done), rent)
    return Work("your standing order", need, lapse)


def _more(need: Cover, cash: int) -> Cover:
    return Cover(need.cash + cash, need.lots)


def _read(body: bytes | None, view: MarketView) -> Submission | None:
    if body is None:
        return None
    ticks = {p.asset.id: p.state.tick for p in view.products}
    length = SEAL_OVERHEAD + len(body)
    return decode(body, ciphertext_length=length, units=MAX_UNITS, ticks=ticks).submission
