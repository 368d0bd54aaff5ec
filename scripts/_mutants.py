"""The checks of the contracts that scripts/mutants.py takes out, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["MUTANTS", "Mutant"]

SETTLEMENT: Final = "contracts/libraries/Settlement.sol"
HARNESS: Final = "contracts/mocks/Harness.sol"
WALRAS: Final = "contracts/Walras.sol"
MARKET: Final = "contracts/libraries/Market.sol"
WORD: Final = "contracts/libraries/BatchWords.sol"
LIFECYCLE: Final = "contracts/libraries/Lifecycle.sol"
CLEARER: Final = "tests/adversarial/test_lying_clearer.py"
ATTACKS: Final = "tests/adversarial/test_named_discretion.py"
KNOWN: Final = "tests/contract/test_known.py"
SINGLE: Final = "tests/contract/test_single.py"
SETTLING: Final = "tests/contract/test_settlement.py"
ESCROW: Final = "tests/contract/test_ledger.py"
FUNDS: Final = "tests/contract/test_operator.py"
SEALS: Final = "tests/contract/test_sealing.py"
CLOCK: Final = "tests/contract/test_phases.py"
TOKENS: Final = "tests/contract/test_tokens.py"
COSTS: Final = "tests/contract/test_costs.py"
STANDS: Final = "tests/contract/test_standing.py"
AMENDS: Final = "tests/contract/test_amend.py"
PAUSES: Final = "tests/contract/test_pause.py"
CHUNKS: Final = "tests/contract/test_chunks.py"
AHEAD: Final = "tests/contract/test_ahead.py"
LIARS: Final = "tests/adversarial/test_named_ahead.py"
FLOWS: Final = "tests/adversarial/test_lying_flows.py"
BOOKS: Final = "tests/differential/test_batches.py"
WEIGHED: Final = "tests/differential/test_costs.py"
VECTORS: Final = "tests/differential/test_libraries.py"
BOND: Final = (
    "external {\n        _requireFinished(s);\n        Listing storage listed = s.listings[CASH];"
)


@dataclass(frozen=True)
class Mutant:
    """`old` becomes `new` once in `file`; `compiled` is built again; `tests` have to notice."""

    name: str
    file: str
    old: str
    new: str
    compiled: str
    tests: tuple[str, ...]


def settling(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    """A mutant of what the settlement runs."""
    return Mutant(name, f"contracts/libraries/{file}.sol", old, new, SETTLEMENT, tests)


def reading(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    """A mutant of what reads a submission, seen through the harness."""
    return Mutant(name, f"contracts/libraries/{file}.sol", old, new, HARNESS, tests)


def room(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    """A mutant of a library that is deployed by itself."""
    path = f"contracts/libraries/{file}.sol"
    return Mutant(name, path, old, new, path, tests)


def market(name: str, old: str, new: str, *tests: str) -> Mutant:
    """A mutant of the market itself."""
    return Mutant(name, WALRAS, old, new, WALRAS, tests)


MUTANTS: Final = (
    settling("tolerance", "Certificate", "tolerance + 2) revert", "tolerance + 3) revert", CLEARER),
    settling("accounts-twice", "Pass", "<= uint160(run.last)", "< uint160(run.last)", CLEARER),
    settling("live-count", "Settlement", "run.listed != t.live", "false", CLEARER),
    settling("wrong-bytes", "Pass", "Seal.hash(pos, length) != sealHash", "false", CLEARER),
    settling(
        "wrong-body",
        "Pass",
        "Seal.hash(body, length + DONE_BYTES * w.input.doneCount) != w.account.sealHash",
        "false",
        STANDS,
    ),
    settling("expiry", "Pass", "- 1 < w.terms.lockOut - 1", "- 1 < w.terms.lockOut", ATTACKS),
    settling("lots-cover", "Ledger", "short = Wire.either(short, e.cover > balance);", "", BOOKS),
    settling(
        "home-covers",
        "Ledger",
        "if (Wire.either(short, e.cover > balance))",
        "if (short)",
        SETTLING,
    ),
    settling("home-kept", "Pass", "w.changed = r.homed;", "w.changed = false;", SETTLING),
    settling("unused-price", "Certificate", "if (!line.used)", "if (false)", CLEARER),
    settling("magic", "Seal", "if (magic != MAGIC) return 0;", "", SETTLING),
    settling("reference-cap", "Certificate", "if (move > most) move = most;", "", ATTACKS),
    settling("trailing-bytes", "Submission", "(pos != r.end, ", "(false, ", SETTLING),
    settling(
        "payer-rounds-up",
        "Submission",
        "(-pi * rate) >> PAYMENT_SHIFT",
        "-((pi * rate) >> PAYMENT_SHIFT)",
        SETTLING,
    ),
    settling(
        "cost-clears",
        "Costs",
        "if (shadow != excused)",
        "if (excess > 0 && shadow != excused)",
        COSTS,
    ),
    settling("shadow-range", "Costs", ", shadow > curve.top)", ", false)", COSTS),
    settling("end-of-single", "Single", "rate >= most", "rate > most", SINGLE),
    settling("beyond-falls", "Curve", "if lt(width, least) { width := least }", "", SINGLE),
    settling("single-covers", "Single", "Wire.both(sells, left > a.home)", "false", SINGLE),
    settling("uncovered-twice", "Pass", "flags & AccountWords.UNCOVERED;", "flags & 0;", STANDS),
    settling(
        "paused",
        "Pass",
        "(AccountWords.STANDING | AccountWords.PAUSED) ==",
        "AccountWords.STANDING ==",
        FLOWS,
    ),
    settling(
        "sealed-progress",
        "Pass",
        "if (input.doneCount != 0) revert IWalras.WrongItem(w.owner);",
        "",
        FLOWS,
    ),
    settling("shadow-count", "Submission", "input.shadowCount != needed", "false", FLOWS),
    settling(
        "cost-tolerance", "Costs", "(excess) <= tolerance)", "(excess) <= tolerance + 1)", FLOWS
    ),
    settling("cost-end", "Costs", "if (shadow != excused) revert", "revert", FLOWS, BOOKS),
    settling("cost-floor", "Costs", "r.loss += curve.loss;", "", BOOKS),
    settling("cost-doubt", "Costs", "if (!clear) r.unclear = true;", "", COSTS),
    reading("can-buy", "Costs", "Wire.max(bought, _most(links, cost, 0))", "bought", WEIGHED),
    reading("can-sell", "Costs", "Wire.max(sold, _most(links, cost, 32))", "sold", WEIGHED),
    reading("weight-of-one", "Submission", "leg & 0xffffff != 1", "false", VECTORS),
    reading("steps", "Submission", "- 0x10000 + 0x0f0f", "- 0x10000 + 0x0e0e", VECTORS),
    settling("steps-stand", "Submission", "- 0x10000 + 0x0f0f", "- 0x10000 + 0x0f0e", KNOWN),
    settling(
        "known-home", "Pass", "return a.homeProduct ==", "return true || a.homeProduct ==", KNOWN
    ),
    settling("known-sealed", "Pass", "w.account.units, false)", "w.account.units, true)", KNOWN),
    settling("known-amended", "Pass", "= (0, 0, false);", "= (0, 0, true);", KNOWN),
    reading(
        "known-reads", "Submission", "if (link != 0) {", "if (link != 0 && !r.known) {", WEIGHED
    ),
    reading("far-end", "Curve", "(last < LAST_PRICE, ", "(false, ", VECTORS),
    reading("first-price", "Curve", ", _tooLarge(first)", ", false", VECTORS),
    reading("side-near", "Curve", "switch slt(left, window)", "switch slt(left, 0)", VECTORS),
    settling("used-amendment", "Pass", "if (amendment.batch != w.terms.batch) return;", "", FLOWS),
    settling("amended-kind", "Pass", " && r.kind == 1 &&", " &&", AMENDS),
    settling("rent-once", "Pass", "(a.cash, a.batch) = (cash, mark);", "a.cash = cash;", STANDS),
    settling(
        "limit-reached",
        "Submission",
        "if (rate > toBuy) rate = toBuy;",
        "if (rate > toBuy) rate = toBuy + 1;",
        BOOKS,
    ),
    settling(
        "run-hash",
        "Settlement",
        "keccak256(abi.encode(run)) != s.runs[uint32(t.batch)][from]",
        "false",
        FLOWS,
    ),
    settling(
        "same-board", "Settlement", "if (run.board != posted) revert", "if (false) revert", FLOWS
    ),
    settling(
        "operator-first", "Settlement", "== Phase.CLEARING && msg", "== Phase.VOID && msg", CLEARER
    ),
    room("applied-once", "Application", "a.isDone(mark) == back", "true", CHUNKS),
    room(
        "restored-once", "Application", "a.isDone(mark) == back", "(back || !a.isDone(mark))", AHEAD
    ),
    settling("settled-whole", "Settlement", "s.batch.unapplied = uint32(unapplied);", "", AHEAD),
    room("own-effects", "Application", " || digest != digests[chunk]", "", CHUNKS, AHEAD),
    room(
        "own-digests",
        "Application",
        "keccak256(abi.encodePacked(digests)) == s.digests && ",
        "",
        CHUNKS,
        AHEAD,
    ),
    room("whole-effects", "Application", " || offset != effects.length", "", AHEAD),
    room(
        "live-effects",
        "Application",
        "a.isLive(b.number()) && a.isDone",
        "a.isDone",
        CHUNKS,
    ),
    room(
        "restores-former",
        "Application",
        "AccountWord.wrap(_word(effects, pos + shift))",
        "AccountWord.wrap(_word(effects, pos))",
        AHEAD,
    ),
    room(
        "restores-hash",
        "Application",
        "bytes32(_word(effects, pos + shift))",
        "bytes32(_word(effects, pos))",
        AHEAD,
    ),
    room("restores-pairs", "Application", "pos + 2 + shift)", "pos + 2)", LIARS),
    room("restores-marks", "Application", "back ? b.ticks() : 0", "0", AHEAD),
    room(
        "settled-stays",
        "Application",
        "b.settled() || b.unapplied() == 0) revert IWalras.NothingToRestore",
        "b.unapplied() == 0) revert IWalras.NothingToRestore",
        AHEAD,
    ),
    room(
        "operator-restores", "Application", "exclusive && msg.sender", "false && msg.sender", AHEAD
    ),
    room("pot-of-settler", "Application", "if (!b.closed()) {", "if (false) {", AHEAD),
    room(
        "restored-counts",
        "Application",
        "b.unapplied() - count); // the",
        "b.unapplied()); // the",
        AHEAD,
    ),
    room(
        "paid-counts",
        "Application",
        "b.unapplied() - count);\n    }\n\n    /// @dev Of",
        "b.unapplied());\n    }\n\n    /// @dev Of",
        CHUNKS,
    ),
    settling(
        "one-run-ahead",
        "Settlement",
        "if (t.ahead || from == address(0)) _",
        "if (t.ahead) _",
        AHEAD,
    ),
    settling("own-run-ahead", "Settlement", "if (t.ahead || from", "if (from", AHEAD),
    settling(
        "settles-own",
        "Settlement",
        "        _requireOwn(t, run);\n        Pass",
        "        Pass",
        AHEAD,
    ),
    settling(
        "rested-count",
        "Settlement",
        "s.batch.unapplied = run.listed - run.rested;",
        "s.batch.unapplied = run.listed;",
        AHEAD,
    ),
    settling(
        "digests-ahead",
        "Settlement",
        "keccak256(abi.encodePacked(run.digests));\n            }",
        "0;\n            }",
        AHEAD,
    ),
    settling(
        "ahead-is-applied",
        "Settlement",
        "t.live - run.rested - t.unapplied",
        "t.live - run.rested",
        AHEAD,
    ),
    settling(
        "rested-is-applied",
        "Settlement",
        "t.live - run.rested - t.unapplied",
        "t.live - t.unapplied",
        AHEAD,
        LIARS,
    ),
    settling(
        "operator-ahead",
        "Settlement",
        "(b.unapplied(), phase_ == Phase.CLEARING)",
        "(b.unapplied(), true)",
        AHEAD,
    ),
    settling(
        "without-units",
        "Pass",
        "(w.terms.batch, 0);\n        AccountWord",
        "(w.terms.batch, a.units);\n        AccountWord",
        AHEAD,
    ),
    settling("moved-pairs", "Pass", ", e.pairs != 0)) {", ", false)) {", AHEAD, LIARS),
    settling(
        "moved-ahead", "Ledger", "if (!effects.ahead) return;", "if (effects.ahead) return;", AHEAD
    ),
    settling("moved-late", "Ledger", "if (!effects.ahead) return;", "", CHUNKS),
    settling(
        "pairs-before",
        "Effects",
        "mstore(add(pos, 34), before)",
        "mstore(add(pos, 34), word)",
        LIARS,
    ),
    settling("chunk-fits", "Effects", "gas <= CHUNK_GAS", "true", LIARS),
    settling("emptied-pairs", "Effects", "Wire.both(e.ahead, word == 0)", "false", LIARS),
    settling("chunks-end", "Settlement", "run.digests.length >= MAX_CHUNKS", "false", LIARS),
    Mutant("leaves-ahead", WORD, " | unapplied_);", ");", LIFECYCLE, (LIARS,)),
    room("due-ahead", "Backing", "&& a.units() != 0;", ";", AHEAD),
    room("restoring-burns", "Backing", "burnt -= b.pot;", "", AHEAD),
    room(
        "restoring-bound",
        "Backing",
        "Math.min(burnt / b.unapplied, RESTORE_GAS * block.basefee * p.cashPerWei)",
        "RESTORE_GAS * block.basefee * p.cashPerWei",
        AHEAD,
    ),
    Mutant(
        "moves-ahead",
        MARKET,
        "if (a.isDone(s.standing.rentIndex + b.ticks())) return true;",
        "",
        WALRAS,
        (AHEAD,),
    ),
    Mutant(
        "moves-unapplied",
        MARKET,
        "return !a.isDone(s.standing.rentIndex);",
        "return false;",
        WALRAS,
        (CHUNKS,),
    ),
    Mutant("owes-ahead", MARKET, " || a.batch() > index", "", WALRAS, (AHEAD,)),
    room(
        "last-leaves",
        "Lifecycle",
        "if (phase_ == Phase.VOID && b.live() == 1)",
        "if (false)",
        PAUSES,
    ),
    room("next-waits", "Lifecycle", "if (b.unapplied() != 0) revert", "if (false) revert", CHUNKS),
    room("bond-stays", "Backing", BOND, BOND.replace("_requireFinished(s);", ""), FUNDS),
    room("late-leak", "Backing", "phase_ > Phase.LOCKED_IN", "phase_ > Phase.LOCKED_OUT", CLOCK),
    market("freeze", "_thaw(msg.sender);\n        uint256 ledger;", "uint256 ledger;", ESCROW),
    market("backing", "else if (b.live() == 0) {", "else if (false) {", SEALS),
    market("committed", "if (offset >= LOCK_IN) revert", "if (false) revert", CLOCK),
    market("key-twice", "_s.keyUsed[x] = true;", "", CLOCK),
    Mutant(
        "received",
        "contracts/libraries/Custody.sol",
        "if (received != amount)",
        "if (false)",
        WALRAS,
        (TOKENS,),
    ),
)
