"""`ape run deploy`: from a plan to a market that needs only a key to take seals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from walras.chain.devnode import start_anvil
from walras.chain.market import Market

pytestmark = pytest.mark.chain

ROOT = Path(__file__).parents[2]


def example(tmp_path: Path) -> Path:
    """The handbook's plan with tokens that the script makes."""
    page = (ROOT / "docs" / "OPERATIONS.md").read_text()
    text = page.partition("```toml\n")[2].partition("```")[0]
    text = text.replace('"0x…"', '"mock:USD:6"', 1).replace('"0x…"', '"mock:AAPL:18"')
    plan = tmp_path / "plan.toml"
    plan.write_text(text)
    return plan


def test_the_handbooks_market_opens(tmp_path: Path) -> None:
    ape = Path(sys.executable).parent / "ape"
    with start_anvil() as node:
        network = f"ethereum:local:{node.url}"
        done = subprocess.run(
            [ape, "run", "deploy", example(tmp_path), "--network", network],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        made = json.loads(done.stdout[done.stdout.index("{") :])
        market = Market(node.client, made["market"])
        view = market.view()
        assert view.terms.operator == made["operator"]
        assert [p.asset.token for p in view.products] == made["products"]
        assert view.seals_need == ()
        assert view.treasury.house_cash >= 2 * view.least_house_cash
