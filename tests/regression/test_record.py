from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.regression.record import NoSequenceError, module, sequence
from tests.stateful.machine import MarketMachine

ROOT = Path(__file__).parents[2]
OUTPUT = """
E       AssertionError: first, longer
E       Failing test case: <state machine>
E       state = MarketMachine()
E       state.refill()
E       state.teardown()
=========
E       AssertionError: batch(): contract (1, 1), ghost (1, 0)
E       Failing test case: <state machine>
E       state = MarketMachine()
E       state.open_market(early=False, funded=False, keys=1, rich=False)
E       state.the_contract_is_the_ghost()
E       state.deposit(asset=0, count=7, extra=0, who='ann')
E       state.teardown()
E       Explanation:
"""
STATEMENTS = [
    "state.open_market(early=False, funded=False, keys=1, rich=False)",
    "state.the_contract_is_the_ghost()",
    "state.deposit(asset=0, count=7, extra=0, who='ann')",
]


def test_the_last_sequence_is_taken() -> None:
    assert sequence(OUTPUT.splitlines()) == STATEMENTS


@pytest.mark.parametrize("text", ["", "E  state = MarketMachine()\nE  state.refill()"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(NoSequenceError):
        sequence(text.splitlines())


@pytest.mark.chain
def test_what_is_recorded_plays(machine: MarketMachine) -> None:
    space: dict[str, object] = {}
    exec(module("seven_lots", STATEMENTS), space)
    play = space["test_seven_lots"]
    assert callable(play)
    play(machine)
    assert machine.world.tally.calls["deposit", "ok"] >= 1


def test_the_script_prints_a_module() -> None:
    command = [sys.executable, "-m", "tests.regression.record", "seven_lots"]
    done = subprocess.run(
        command, input=OUTPUT, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == module("seven_lots", STATEMENTS)
    bad = subprocess.run(command, input="", cwd=ROOT, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert bad.stderr.startswith("error: no failing sequence")
