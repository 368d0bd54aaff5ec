"""Who plays, with what, on which market; and the counts of what happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.contract.support import PARAMETERS, address
from tests.reference import phases

BIDDERS: Final = ("ann", "bob", "cat", "dan")
NAMES: Final = (*BIDDERS, "operator")
KEYS: Final = {
    name: Account.from_key(keccak(text=f"{name} of the state machine")) for name in NAMES
}
ADDRESSES: Final = {
    **{name: to_checksum_address(key.address) for name, key in KEYS.items() if name != "operator"},
    "operator": address("operator"),
}
# token decimals, base units per lot, cash units per lot, lots at most
PRODUCTS: Final = (
    (18, 10**16, 100, 1 << 14),
    (6, 7, 40, 1 << 14),
    (27, 7 * 10**23, 1_000, 1 << 11),
    (8, 10**6, 5, 1 << 14),
    (18, 1, 300, 1 << 14),
)
LISTED: Final = 3  # of PRODUCTS from the beginning
CHANGES: Final = {
    "capacity": 300,
    "cash_cap": 1 << 26,
    "cover_cap": 1 << 28,
    "bond": 40_000,
    "compensation": 1_000,
}
TERMS: Final = {**PARAMETERS, **CHANGES, "operator": ADDRESSES["operator"]}
BATCHES: Final = 60  # no sequence comes further
WALLET: Final = 3 * 10**7  # cash units of everybody
CLOCK: Final = {
    "genesis": "genesis",
    "period": "period",
    "lockIn": "lock_in",
    "lockOut": "lock_out",
    "revealFrom": "reveal_from",
    "keyDeadline": "key_deadline",
    "exclusiveUntil": "exclusive_until",
    "deadline": "deadline",
}
PHASES: Final = {
    value: name for name, value in vars(phases).items() if name.isupper() and isinstance(value, int)
}


@dataclass
class Tally:
    """What happened in a campaign: outcomes of calls, phases in which, reasons of voids."""

    sequences: int = 0
    steps: int = 0
    traded: int = 0  # submissions that were not void
    matched: int = 0  # settlements in which something was bought
    chunked: int = 0  # settlements in chunks
    stood: int = 0  # submissions settled while they stood
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    voids: Counter[int] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)  # of WAYS

    def outcomes(self, name: str) -> dict[str, int]:
        """Outcome -> count of a call."""
        return {outcome: n for (call_, outcome), n in sorted(self.calls.items()) if call_ == name}
