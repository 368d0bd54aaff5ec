"""Where second thoughts begin: two accounts stand, and batch 2 takes seals."""

from __future__ import annotations

from tests.contract.days import Days, buy, sell
from tests.contract.support import OPERATOR, Bench, address
from walras.batch import CASH
from walras.schedule import Phase

__all__ = ["opened", "rent", "void"]

ALICE = address("alice")


def opened(bench: Bench) -> Days:
    """Batch 2 in OPEN, opened; `a` and `b` stand."""
    found = Days(bench)
    found.go(1)
    found.seal("a", buy(101, 100))
    found.seal("b", sell(99, 80))
    found.settle()
    found.go(2)
    bench.do(ALICE, "open", 2)
    return found


def rent(bench: Bench, units: int) -> int:
    return int(units * bench.look("unitRent"))


# ------------------------------------------------------------------------------------- amending


def void(days: Days, batch: int) -> None:
    """Let a batch die, close it and fill the bond again."""
    bench = days.bench
    days.go(batch, Phase.VOID)
    bench.do(ALICE, "closeVoid", batch)
    bond = bench.parameters["bond"]
    bench.supply(OPERATOR, CASH, bond * bench.units[CASH])
    bench.do(OPERATOR, "addBond", bond * bench.units[CASH])
