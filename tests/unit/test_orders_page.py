"""docs/ORDERS.md: every form in it is an order that the wallet understands and explains."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sample_market import account, fee_of, market_view
from walras.cli.check import Checked, explain
from walras.cli.prepare import prepare_text
from walras.submission import decode

PAGE = Path(__file__).parents[2] / "docs" / "ORDERS.md"
EXAMPLES = re.findall(
    r"^```json\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)


def check(text: str) -> Checked:
    view = market_view()
    return explain(prepare_text(text, view, account(), fee_of), view)


def example(word: str) -> dict[str, Any]:
    """What check says of the one example that contains ``word``."""
    (text,) = [text for text in EXAMPLES if word in text]
    return check(text).data()


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example__is_understood_explained_and_sealable(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = check(text)
    data = json.loads(json.dumps(checked.data()))
    assert data["covered"] is True
    assert all(auth["words"] for auth in data["auths"])
    checked.show()
    shown = capsys.readouterr().out
    assert "Covered: ready to seal." in shown
    prepared = checked.prepared
    decoded = decode(
        prepared.body,
        ciphertext_length=prepared.ciphertext_length,
        units=prepared.units,
        ticks=prepared.market.ticks(),
    )
    assert decoded.submission == prepared.submission


def test_the_page_has_every_field_of_the_language() -> None:
    written = {field for text in EXAMPLES for field in re.findall(r'"([a-z_]+)":', text)}
    assert written >= {
        "auths", "costs", "standing", "per", "valid_until", "name", "auth_id", "portfolio", "data",
        "demand", "rate", "price", "min_rate", "max_rate", "min_trade", "max_trade", "target",
        "group", "min", "max", "batch", "hours",
    }  # fmt: skip


def test_standing_example__says_how_long_and_that_it_is_public() -> None:
    data = example('"exit"')
    assert data["batches_at_full_rate"] == 84  # 5,000 at 60 a minute, one batch a minute
    assert data["escrow"]["AAPL"] == "60"
    assert data["escrow_in_all"]["AAPL"] == "5000"
    assert "Sells up to 60 per minute (−60 AAPL in a batch)" in data["auths"][0]["words"][0]
    assert "1 h 24 min" in " ".join(data["notes"])
    assert "public" in data["notes"][-1]


def test_limit_example__has_its_limit_in_words_and_tiny_escrow() -> None:
    data = example('"room"')
    assert data["costs"][0]["words"][0] == "apple + micro is at most 30 per batch, at any price."
    alone = 30 * 215 + 30 * 410
    assert 0 < float(data["escrow"]["USD"]) - alone < 0.01
