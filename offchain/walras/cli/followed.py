"""What a standing order traded: from the index that `walras history` keeps, or from the chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from eth_utils.address import to_canonical_address

from walras.chain import events
from walras.chain.market import Market
from walras.chain.postings import read_posting
from walras.cli.history import index_file, update
from walras.cli.session import Session
from walras.history_lines import AccountLine
from walras.orders.history import Followed, Shown, follow
from walras.orders.progress import Fill
from walras.store.history import Index

__all__ = ["followed"]


def followed(session: Session, owner: str) -> Followed | None:
    """What the last standing submission of ``owner`` traded; None if none was ever shown.

    An index is brought up to the chain's head first; its rows are those that the calldata of the
    settlements since it joined would give.
    """
    market, file = session.market, index_file(session)
    if file.is_file():
        index = Index(f"sqlite:///{file}", session.client.chain_id, market.address)
        try:
            if index.cursors():
                update(session, index)
                lines = _last_stand(index, to_canonical_address(owner))
                if lines and _readable(index, lines):
                    return _from_index(market, index, lines)
        finally:
            index.close()
    return _from_chain(market, owner)


def _last_stand(index: Index, account: bytes) -> list[AccountLine]:
    """The batches of the submission that stood last, ascending.

    Of an amendment that was live in none yet, the batch that put it in its place.
    """
    lines: list[AccountLine] = []
    for line in index.accounts(account=account):
        if line.change == "joined" or (lines and lines[-1].change == "amended"):
            lines = []
        if line.standing or line.change == "joined":
            lines.append(line)
    return lines[-1:] if lines and lines[-1].change == "amended" else lines


def _readable(index: Index, lines: Sequence[AccountLine]) -> bool:
    """Whether no settlement since was hidden by a contract in between."""
    return all(p.house is not None for p in index.prices(lines[0].batch, lines[-1].batch))


def _from_index(market: Market, index: Index, lines: Sequence[AccountLine]) -> Followed | None:
    """The rows of its batches, with the body and the progress that the last one shows."""
    first, last = lines[0], lines[-1]
    settled = market.settled_event(last.batch)
    if settled is None:
        return None
    posting = read_posting(market, settled, market.seals(last.batch))
    amended = last.change == "amended"
    found = follow(last.account, [Shown(last.batch, posting, bool(last.reason), amended)])
    if found is None or amended:
        return found
    rates: dict[int, dict[int, int]] = defaultdict(dict)
    for fill in index.fills(first.batch, last.batch, last.account):
        rates[fill.batch][fill.auth] = fill.rate
    prices: dict[int, dict[int, int]] = defaultdict(dict)
    for price in index.prices(first.batch, last.batch):
        prices[price.batch][price.product] = price.price
    products, auths = set(found.submission.products), range(len(found.submission.auths))
    return replace(
        found,
        first=first.batch,
        fills=[
            Fill(b, tuple(rates[b].get(j, 0) for j in auths), prices[b])
            for b in (line.batch for line in lines)
            if products <= prices[b].keys()
        ],
        voids=[line.batch for line in lines if line.reason],
    )


def _from_chain(market: Market, owner: str) -> Followed | None:
    kinds = (events.Joined, events.Settled, events.Voided, events.Amended)
    history = [e for e in market.history(kinds) if getattr(e, "account", owner) == owner]
    joined = [e.batch for e in history if isinstance(e, events.Joined)]
    if not joined:
        return None
    voids = {e.batch for e in history if isinstance(e, events.Voided)}
    amended = {e.batch for e in history if isinstance(e, events.Amended) and e.replaced}
    settled = [e for e in history if isinstance(e, events.Settled) and e.batch >= joined[-1]]
    shown = (
        Shown(
            event.batch,
            read_posting(market, event, market.seals(event.batch)),
            event.batch in voids,
            event.batch in amended,
        )
        for event in sorted(settled, key=lambda e: e.batch)
    )
    return follow(to_canonical_address(owner), shown)
