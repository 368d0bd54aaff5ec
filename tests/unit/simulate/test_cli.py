from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.unit.simulate.paths import bars
from walras.cli.app import run

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """A day of eight batches with prices and agents from files."""
    prices = tmp_path / "days.csv"
    with prices.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("symbol", "date", "open", "high", "low", "close"))
        for symbol, days in bars().items():
            writer.writerows((symbol, d.date, d.open, d.high, d.low, d.close) for d in days)
    agents = tmp_path / "agents.toml"
    agents.write_text(
        'preset = "thin"\nbatches = 8\n[institutions]\nnotional = 50000\nhorizon = 0.4\n', "utf-8"
    )
    return ["simulate", "--agents", str(agents), "--prices", str(prices), "--products", "3"]


def test_tables_say_what_orders_cost(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run([*arguments, "--seed", "3", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "8 batches of 60 s, 3 products" in shown
    assert "institution 1" in shown
    assert "exactly as before the first batch" in shown
    for name in ("prices", "progress", "costs", "market"):
        assert (out / f"{name}.png").read_bytes().startswith(PNG)
    data = json.loads((out / "report.json").read_text("utf-8"))
    assert (data["seed"], data["batches"], data["conserved"]) == (3, 8, True)
    assert {"shortfall", "vwap", "twap"} <= data["costs"][0].keys()


def test_json_is_the_same_for_the_same_seed(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for seed in ("5", "5", "6"):
        assert run([*arguments, "--json", "--seed", seed]) == 0
        data = json.loads(capsys.readouterr().out)
        found.append((data["costs"], data["moves"], data["kinds"]))
    assert found[0] == found[1] != found[2]


def test_what_cannot_be_simulated_is_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", "--agents", "nobody"]) == 1
    assert "neither a scenario file nor one of the presets" in capsys.readouterr().err
    assert run([*arguments, "--engine", "magic"]) == 1
    assert "no engine is called 'magic'" in capsys.readouterr().err
    assert run([*arguments, "--batches", "5000"]) == 1
    assert "take fewer batches" in capsys.readouterr().err
