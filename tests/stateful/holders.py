"""Accounts of the ghost, and how far a settlement in chunks has come with them (SPEC §9, §10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.stateful.items import Item

STANDING, PAUSED, UNCOVERED, AMENDED = 1, 2, 4, 8


@dataclass
class Holder:
    """An account. `lots` by product; `home` is the first product it ever held.

    `batch` is the rent mark of a submission that stands, and `cash` is before the rent since then.
    """

    cash: int = 0
    lots: dict[int, int] = field(default_factory=dict)
    home: int | None = None
    batch: int = 0
    units: int = 0
    flags: int = 0
    seal_hash: bytes = bytes(32)
    amendment: tuple[bytes, int, int] = (bytes(32), 0, 0)  # seal hash, batch, units
    body: bytes = b""  # that stands
    done: tuple[int, ...] = ()
    claimable: int = 0

    @property
    def stands(self) -> bool:
        """Live in every batch, and paying rent."""
        return self.flags & (STANDING | PAUSED) == STANDING

    def pending(self, batch: int) -> int:
        """Units of an amendment in this batch."""
        _, sealed_in, units = self.amendment
        return units if self.flags & AMENDED and sealed_in == batch else 0


@dataclass(frozen=True)
class Piece:
    """A verified chunk. `owners` are those it does something to, which `effects` says as bytes.

    Of one written `ahead` these accounts show it at once; the others of `items` are left alone.
    """

    items: tuple[Item, ...]
    ahead: bool
    owners: tuple[str, ...]
    effects: bytes
    digest: bytes


@dataclass(frozen=True)
class Progress:
    """A run: what it posted, the state the contract has the `hash` of, and its chunks."""

    posted: tuple[Sequence[int], Sequence[int]]
    state: tuple[Any, ...]
    hash: bytes
    pieces: tuple[Piece, ...]
