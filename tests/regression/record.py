"""Turn a failing sequence into a test that stays: reads pytest's output, prints a test module.

pytest tests/stateful 2>&1 | tee failure.txt
python -m tests.regression.record lost_lots < failure.txt > tests/regression/test_lost_lots.py
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

HEAD = '''"""{title}."""

from __future__ import annotations

import pytest

from tests.stateful.machine import MarketMachine
from walras.auths import Auth, Leg, Step, Submission

pytestmark = pytest.mark.chain


def test_{name}(machine: MarketMachine) -> None:
    state = machine
'''
# pytest marks the lines of a failure with E; hypothesis prints the shortest sequence last
LINE = re.compile(r"^(?:E\s)?\s*(?P<text>.*?)\s*$")
START = re.compile(r"^state = \w+\(\)$")
END = "state.teardown()"


class NoSequenceError(Exception):
    """The text holds no failing sequence."""


def sequence(output: Sequence[str]) -> list[str]:
    """Statements of the last failing sequence in pytest's output, without its frame."""
    texts = [LINE.match(line)["text"] for line in output]  # type: ignore[index]
    starts = [i for i, text in enumerate(texts) if START.match(text)]
    if not starts:
        raise NoSequenceError(
            "no failing sequence in this text; give the whole output of pytest tests/stateful"
        )
    found: list[str] = []
    for text in texts[starts[-1] + 1 :]:
        if text == END:
            return found
        found.append(text)
    raise NoSequenceError("the sequence has no end; give the whole output of pytest tests/stateful")


def module(name: str, statements: Sequence[str]) -> str:
    """The source of a test that makes these moves."""
    title = name.replace("_", " ").capitalize()
    return HEAD.format(title=title, name=name) + "".join(f"    {line}\n" for line in statements)


def main() -> None:
    """Write the module to standard output."""
    if len(sys.argv) != 2 or not sys.argv[1].isidentifier():
        sys.exit("usage: python -m tests.regression.record <test_name> < output-of-pytest")
    try:
        statements = sequence(sys.stdin.read().splitlines())
    except NoSequenceError as error:
        sys.exit(f"error: {error}")
    sys.stdout.write(module(sys.argv[1], statements))


if __name__ == "__main__":
    main()
