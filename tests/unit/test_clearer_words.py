"""What a clearer decides can all be said."""

from __future__ import annotations

from typing import get_args

import pytest

from walras.cli.clearer_words import show_decisions
from walras.operator.acting import describe
from walras.operator.decide import Action, Halt, Wait


@pytest.mark.parametrize("action", get_args(Action))
def test_every_action_has_words(action: type, capsys: pytest.CaptureFixture[str]) -> None:
    show_decisions([describe(action(7))])
    said = capsys.readouterr().out
    assert said.endswith("batch 7\n")
    assert "{" not in said


def test_waiting_and_halting_have_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    show_decisions([describe(Wait(5, "it is early")), describe(Halt("it is wrong"))])
    assert capsys.readouterr().out == "wait: it is early\nhalt: it is wrong\n"
