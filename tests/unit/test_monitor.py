"""Metrics and health tell what a daemon told them, over HTTP and without waiting for anybody."""

from __future__ import annotations

import json
import socket
import threading
import time
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.unit.test_decide import chain
from walras.errors import ConfigError
from walras.monitor import Health, Metrics, application, ask, serve
from walras.numbers import X44
from walras.operator.decide import Halt, Settle, Wait
from walras.operator.view import Sight
from walras.schedule import Phase


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def sight(undone: int = 0, block: int = 7) -> Sight:
    houses = {0: (3 * X44, 2 * X44), 4: (X44, 2 * X44)}
    return Sight(chain(), 1_000, block, undone, Phase.CLEARING, houses)


def scraped(port: int) -> dict[str, float]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    values = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in values}


def test_health_follows_the_steps() -> None:
    clock = Clock()
    health = Health(10.0, clock)
    assert health.report()[0]  # it has just started
    clock.now += 11
    assert not health.report()[0]
    health.looked(sight())
    health.decided(Settle(3))
    healthy, facts = health.report()
    assert healthy
    assert (facts["block"], facts["phase"], facts["next"]) == (7, "CLEARING", "Settle 3")
    clock.now += 9
    health.passed("signed")  # a transaction that takes long is a sign of life
    clock.now += 9
    healthy, facts = health.report()
    assert healthy
    assert (facts["seconds_since_step"], facts["seconds_since_look"]) == (9.0, 18.0)
    clock.now += 2
    assert not health.report()[0]


def test_health_knows_failures_and_halts() -> None:
    health = Health(10.0, Clock())
    health.failed(2)
    healthy, facts = health.report()
    assert (healthy, facts["failures"]) == (True, 2)
    health.looked(sight())
    assert health.report()[1]["failures"] == 0
    health.decided(Halt("stop"))
    health.halted("stop")
    healthy, facts = health.report()
    assert (healthy, facts["halted"], facts["next"]) == (False, "stop", "stop")


def test_what_is_served_is_what_was_told() -> None:
    clock = Clock()
    metrics = Metrics(10.0, clock)
    metrics.looked(sight(undone=3))
    metrics.decided(Settle(3))
    metrics.decided(Wait(9, "nothing"))
    metrics.cleared({"read": 0.02, "solved": 0.3}, accounts=40, voids=2)
    metrics.used("Settle", 123_456)
    metrics.used("Settle", 4)
    metrics.settled(3)
    metrics.failed(1)
    clock.now += 5
    with serve("127.0.0.1", 0, application(metrics)) as port:
        found = scraped(port)
        assert found['walras_gas_used_total{action="Settle"}'] == 123_460
        assert found['walras_transactions_total{action="Settle"}'] == 2
        assert found['walras_stage_seconds_count{stage="solved"}'] == 1
        assert found['walras_stage_seconds_sum{stage="solved"}'] == 0.3
        assert found['walras_phase{walras_phase="CLEARING"}'] == 1
        assert found['walras_phase{walras_phase="OPEN"}'] == 0
        assert found['walras_house_ratio{product="0"}'] == 1.5
        assert found['walras_house_ratio{product="4"}'] == 0.5
        assert found["walras_look_age_seconds"] == 5
        assert found["walras_reorganised_blocks_total"] == 3
        assert found["walras_failures_in_a_row"] == 1
        assert found["walras_void_submissions_total"] == 2
        assert found['walras_decisions_total{action="Wait"}'] == 1
        assert found["walras_block"] == 7
        told = ask("127.0.0.1", port)
        assert told is not None
        assert (told["healthy"], told["batch"], told["next"]) == (True, 2, "nothing")
        metrics.halted("stop")
        assert scraped(port)["walras_halted"] == 1
        with pytest.raises(HTTPError, match="503"):
            urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
        told = ask("127.0.0.1", port)
        assert told is not None
        assert told["halted"] == "stop"
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"http://127.0.0.1:{port}/secrets", timeout=5)
    assert ask("127.0.0.1", port) is None


def test_a_client_that_says_nothing_holds_nobody_up() -> None:
    metrics = Metrics(10.0)
    with serve("127.0.0.1", 0, application(metrics)) as port:
        with (
            socket.create_connection(("127.0.0.1", port)),
            socket.create_connection(("127.0.0.1", port)),
        ):
            began = time.monotonic()
            assert scraped(port)["walras_halted"] == 0
            assert time.monotonic() - began < 2
        assert any(thread.name == "metrics" for thread in threading.enumerate())
    assert all(thread.name != "metrics" for thread in threading.enumerate())


def test_a_place_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=f"cannot serve metrics at 127.0.0.1:{port}"),
            serve("127.0.0.1", port, application(Metrics(10.0))),
        ):
            pass


def test_something_else_that_answers_is_no_clearer() -> None:
    def other(_environ: object, start: object) -> list[bytes]:
        start("200 OK", [])  # type: ignore[operator]
        return [json.dumps(["hello"]).encode()]

    with serve("127.0.0.1", 0, other) as port:
        assert ask("127.0.0.1", port) is None
