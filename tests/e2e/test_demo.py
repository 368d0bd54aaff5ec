"""`make demo` in small: every step of it, with a process for whoever has one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.chain, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
KEYS = {
    *("batch", "products", "prices", "auths", "filled", "voids", "surplus", "gap", "turnover"),
    *("gas", "seconds"),
}


def test_a_small_market_from_sealed_orders_to_pictures(tmp_path: Path) -> None:
    size = ["--accounts", "3", "--auths", "9"]
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "demo.py", *size, "--out", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report) == KEYS
    assert set(report["gas"]) == {"seal_median", "settle", "settle_per_auth"}
    assert report["voids"] == {"UNOPENED": 2, "UNCOVERED": 1}
    assert report["products"] == list(report["prices"]) == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert (report["batch"], report["auths"]) == (1, 9)
    assert report["filled"] > 0
    assert min(report["prices"].values()) > 0
    assert min(report["surplus"], report["turnover"], report["gap"]) > 0
    assert report["gap"] < 1e-6  # dollars; a limit's own penalty is what its rounding is weighed by
    for picture in ("prices.png", "fills.png"):
        assert (tmp_path / picture).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert "cleared: 5 products, all of them" in done.stdout
    assert "patient seller" in done.stdout
    assert "substituter" in done.stdout
    assert re.search(r"carol +room +\+[\d.,]+ +\+[\d,]+ +-?[\d.]+", done.stdout)


def test_too_few_auths_are_refused_in_words(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "demo.py", "--accounts", "9", "--auths", "4"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert "--auths must not be fewer" in done.stderr
