"""What a campaign must have seen, and the page that says what it saw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.stateful.chunk_moves import ChunkMoves
from tests.stateful.machine import MarketMachine
from tests.stateful.setting import PHASES, Tally
from tests.stateful.standing_moves import StandingMoves
from tests.stateful.ways import STANDING_WAYS, WAYS
from walras.chain.artifacts import load

CALLS: Final = (
    *("deposit", "depositWithPermit", "depositAndSeal", "withdraw", "claim"),
    *("open", "pause", "resume", "verify", "applyChunk", "restoreChunk"),
    *("seal", "cancel", "registerKey", "reveal", "reportLeak", "settle", "closeVoid", "compensate"),
    *("fundHouse", "drawHouse", "addBond", "drawBond", "list", "resetScale"),
)
# what other tests bring about: tokens that misbehave, a thousand products; and what nobody can,
# because a covered book always finds its house and its ledgers wide enough
ELSEWHERE: Final = frozenset(
    (
        *("WrongTransfer", "SafeERC20FailedOperation", "ReentrancyGuardReentrantCall"),
        *("TooManyProducts", "HouseShort", "LedgerOutOfRange"),
        *("ChunkTooLarge", "ShadowOutOfRange", "CostNotCleared", "MarketOver", "TooManyChunks"),
    )
)
ERRORS: Final = {item["name"] for item in load("Walras").abi if item["type"] == "error"} | {
    "ERC20InsufficientAllowance",
    "ERC20InsufficientBalance",
}
VOIDS: Final = {
    1: "UNOPENED",
    2: "MALFORMED",
    3: "OVERSIZED",
    4: "EXPIRED",
    5: "UNCOVERED",
    6: "RENT",
}


def rules() -> set[str]:
    """Names of all moves."""
    return {rule.function.__name__ for rule in MarketMachine.setup_state().rules}


def unseen(tally: Tally, *, everything: bool) -> list[str]:
    """What a run should have exercised and has not.

    `everything` asks for each call both ways, each error, each reason to be void, each of WAYS.
    """
    seen = {outcome for _, outcome in tally.calls}
    done = {name for name, outcome in tally.calls if outcome == "ok"}
    refused = {name for name, outcome in tally.calls if outcome != "ok"}
    rare = set() if everything else {*vars(StandingMoves), *vars(ChunkMoves)}
    missing = [f"move {name}" for name in rules() - rare - set(tally.rules)]
    missing += [f"phase {name}" for name in set(PHASES.values()) - set(tally.phases)]
    missing += [] if tally.matched else ["a batch in which something was bought"]
    if everything:
        missing += [f"{name} accepted" for name in set(CALLS) - done]
        missing += [f"{name} refused" for name in set(CALLS) - refused]
        missing += [f"error {e}" for e in ERRORS - ELSEWHERE - seen]
        missing += [f"way {way}" for way in set(WAYS) - set(tally.ways)]
        missing += [f"void {VOIDS[reason]}" for reason in set(VOIDS) - set(tally.voids)]
    return sorted(missing)


def report(tally: Tally) -> str:
    """The counts as Markdown."""
    return "\n".join(_lines(tally)) + "\n"


def _lines(tally: Tally) -> Iterator[str]:
    calls = sum(tally.calls.values())
    yield f"{tally.sequences:,} sequences, {tally.steps:,} steps, {calls:,} calls, 0 failures.\n"
    yield "| call | accepted | refused | with |"
    yield "|---|--:|--:|---|"
    for name in CALLS:
        outcomes = tally.outcomes(name)
        accepted = outcomes.pop("ok", 0)
        why = ", ".join(f"{error} {count:,}" for error, count in outcomes.items())
        yield f"| `{name}` | {accepted:,} | {sum(outcomes.values()):,} | {why} |"
    yield "\n| phase of the current batch | calls |\n|---|--:|"
    yield from (f"| {name} | {tally.phases[name]:,} |" for name in PHASES.values())
    yield "\n| submission in a settled batch | count |\n|---|--:|"
    yield f"| trades | {tally.traded:,} |"
    yield from (f"| void: {name} | {tally.voids[reason]:,} |" for reason, name in VOIDS.items())
    yield "\n| in chunks | count |\n|---|--:|"
    yield from (f"| {way} | {tally.ways[way]:,} |" for way in (*WAYS, *STANDING_WAYS))
    yield f"\nSomething was bought in {tally.matched:,} of the settled batches.\n"
    yield "| move | steps |\n|---|--:|"
    yield from (f"| {name} | {count:,} |" for name, count in sorted(tally.rules.items()))
