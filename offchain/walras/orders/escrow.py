"""What a submission locks against what an account holds (SPEC §7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from walras.auths import Cover

__all__ = ["Holdings"]


@dataclass(frozen=True, slots=True)
class Holdings:
    """An account's ledger: ``cash`` X40, ``lots`` X44 by product id (absent: none)."""

    cash: int
    lots: Mapping[int, int]

    def less(self, need: Cover) -> Holdings:
        """What ``need`` leaves to others; negative where it is not covered."""
        after = {k: self.lots.get(k, 0) - lots for k, lots in need.lots.items()}
        return Holdings(self.cash - need.cash, {**self.lots, **after})

    def lacks(self, need: Cover) -> Cover:
        """What has to be deposited to cover ``need``: only what is short."""
        lots = {k: n - self.lots.get(k, 0) for k, n in need.lots.items() if n > 0}
        return Cover(max(0, need.cash - self.cash), {k: n for k, n in lots.items() if n > 0})
