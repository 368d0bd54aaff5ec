"""What an agent sees, what it can do, and what all agents have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from walras.auths import Submission
from walras.batch import AccountState
from walras.simulate.desk import Desk, lots_x44, whole_cash_x40

__all__ = ["BPS", "Agent", "Cancel", "Endowment", "Seal", "View", "address_of", "dice_of"]

Floats = NDArray[np.float64]

BPS: Final = 1e-4


@dataclass(frozen=True, slots=True)
class View:
    """The market before a batch's lock-out.

    ``prices`` the last clearing prices and ``values`` what products are worth now (dollars a
    share); only agents with a view of their own look at values, each through its own noise.
    """

    batch: int
    prices: Floats
    values: Floats
    desk: Desk


@dataclass(frozen=True, slots=True)
class Endowment:
    """What an agent brings: dollars, and shares by product."""

    cash: float
    shares: Mapping[int, float]

    @property
    def ledger(self) -> tuple[int, dict[int, int]]:
        """Cash X40 and lots X44 by product: whole cash units and whole lots, up, as tokens are."""
        lots = {k: lots_x44(count) for k, count in self.shares.items() if count}
        return whole_cash_x40(self.cash), lots


@dataclass(frozen=True, slots=True)
class Seal:
    """Send a submission; from a standing account it replaces the old one in the next batch."""

    submission: Submission


@dataclass(frozen=True, slots=True)
class Cancel:
    """Withdraw a standing submission before this batch."""


class Agent(Protocol):
    """A strategy with an account of its own."""

    @property
    def name(self) -> str:
        """Unique in a scenario; the account's address and dice come from it."""
        ...

    @property
    def kind(self) -> str:
        """What reports call it."""
        ...

    def endowment(self, view: View) -> Endowment:
        """What it deposits before the first batch; ``view`` is that of batch 0."""
        ...

    def act(self, view: View, account: AccountState) -> Seal | Cancel | None:
        """What it does in the open phase of ``view.batch``; None leaves things as they are."""
        ...


def address_of(name: str) -> bytes:
    """The account of an agent."""
    return sha256(name.encode()).digest()[:20]


def dice_of(seed: int, name: str) -> np.random.Generator:
    """Random numbers of one agent, whoever else takes part."""
    return np.random.default_rng([seed, int.from_bytes(sha256(name.encode()).digest()[:8])])
