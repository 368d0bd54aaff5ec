"""Hundreds of views in one `eth_call`: a program made for the questions, run at a borrowed address.

Asking one by one would cost a state machine most of its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from tests.contract.node import Chain
from walras.chain.interface import Call, call

_HOME: Final = "0x" + "5e" * 20  # nobody's address: the program lives there for one call
_OUT: Final = 0x400  # answers start here; below is room for one question
Question = tuple[str, str, str, tuple[Any, ...]]  # contract, address, function, arguments


def ask(
    chain: Chain, questions: Sequence[Question], *, base_fee: int = 0, at: int | None = None
) -> list[Any]:
    """The answers, all at the same block (and time `at`); each result has a fixed size."""
    calls = [_call(*question) for question in questions]
    code = _program([(one.address, one.data, 32 * _words(one.outputs)) for one in calls])
    request = {"to": _HOME, "data": "0x", "gas": hex(2**34)}
    when = {"time": hex(chain.now if at is None else at), "baseFeePerGas": hex(base_fee)}
    raw = chain.rpc("eth_call", request, "latest", {_HOME: {"code": "0x" + code.hex()}}, when)
    answers, at = [], 2
    for one in calls:
        end = at + 64 * _words(one.outputs)
        answers.append(_result(one, raw[at:end]))
        at = end
    return answers


def _program(calls: Iterable[tuple[str, bytes, int]]) -> bytes:
    """Straight-line code: copy a question to memory, ask it, append its answer; return them all."""
    calls = list(calls)
    text = b"".join(data for _, data, _ in calls)
    steps: list[bytes] = []
    length = 66 * len(calls) + 9
    source, target = length, _OUT
    for address, data, size in calls:
        copy = _push(len(data)) + _push(source) + _push(0) + b"\x39"
        ask_it = _push(0) + _push(0) + _push(len(data)) + _push(0) + b"\x73"
        ask_it += bytes.fromhex(address[2:]) + b"\x5a\xfa\x50"
        keep = _push(size) + _push(0) + _push(target) + b"\x3e"
        steps.append(copy + ask_it + keep)
        source, target = source + len(data), target + size
    program = b"".join(steps) + _push(target - _OUT) + _push(_OUT) + b"\xf3"
    assert len(program) == length, len(program)
    return program + text


def _push(value: int) -> bytes:
    return b"\x62" + value.to_bytes(3)


@lru_cache(maxsize=4096)
def _call(contract: str, address: str, name: str, args: tuple[Any, ...]) -> Call:
    return call(contract, address, name, *args)


def _words(outputs: tuple[str, ...]) -> int:
    return sum(kind.count(",") + 1 for kind in outputs)


@lru_cache(maxsize=65536)
def _result(asked: Call, raw: str) -> Any:
    return asked.result("0x" + raw)
