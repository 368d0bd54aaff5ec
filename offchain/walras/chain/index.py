"""Follow a market's settled batches into an index of its history, from logs and calldata alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from walras.chain.client import Block, BlockMissing
from walras.chain.market import Market
from walras.chain.unfold import KINDS, Unfolding
from walras.errors import ChainError
from walras.store.base import Cursor
from walras.store.history import Index

__all__ = ["Indexed", "Indexer"]

_PAGE: Final = 10_000  # blocks whose rows are written at once


@dataclass(frozen=True, slots=True)
class Indexed:
    """What following came to: batches added, blocks undone before, the last block looked at.

    ``unread`` batches settled through a contract in between, which hides their fills.
    """

    batches: int
    undone: int
    block: int
    unread: tuple[int, ...] = ()


class Indexer:
    """Brings the index of one market up to the head of the chain."""

    def __init__(self, market: Market, index: Index, *, page: int = _PAGE) -> None:
        self._market = market
        self._client = market.client
        self._index = index
        self._page = page

    def follow(self, tell: Callable[[int, int], None] = lambda _at, _head: None) -> Indexed:
        """Take in everything up to the head; `tell` hears how far it is, in blocks.

        Raises ChainError if the chain is reorganised meanwhile: what was written stays right, or
        is undone by the next call.
        """
        undone = self._rewind()
        head = self._client.block("latest")
        cursors = self._index.cursors()
        first = cursors[0].number + 1 if cursors else self._beginning(head)
        unfolding = Unfolding(self._market, self._index.products(), self._index.declared())
        cursor = first - 1
        while first <= head.number:
            last = min(first + self._page - 1, head.number)
            end = head if last == head.number else self._client.block(last)
            found = self._market.history(KINDS, first, last)
            if self._client.block(last).hash != end.hash:
                raise ChainError("the chain was reorganised while it was read; try again")
            unfolding.take(found)
            cursor = self._write(unfolding, end, cursor)
            tell(last, head.number)
            first = last + 1
        return Indexed(unfolding.batches, undone, head.number, tuple(unfolding.unread))

    def _write(self, unfolding: Unfolding, end: Block, cursor: int) -> int:
        """Write what no later event can change; the block up to which that is."""
        to = min(end.number, unfolding.finished_before - 1)
        if to <= cursor:
            return cursor
        block = end if to == end.number else self._client.block(to)
        self._index.advance(Cursor(to, block.hash), unfolding.rows_up_to(to))
        return to

    def _rewind(self) -> int:
        """Return to the newest block that is still part of the chain."""
        known = self._index.cursors()
        for cursor in known:
            if self._holds(cursor):
                if cursor != known[0]:
                    self._index.rewind(cursor.number)
                return known[0].number - cursor.number
        if not known:
            return 0
        self._index.rewind(-1)
        return known[0].number + 1

    def _holds(self, cursor: Cursor) -> bool:
        try:
            return self._client.block(cursor.number).hash == cursor.hash
        except BlockMissing:
            return False

    def _beginning(self, head: Block) -> int:
        return self._client.first_block_from(self._market.schedule.start(1), head)
