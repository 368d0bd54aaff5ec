"""`walras history` at a terminal and in files, in tokens and cash tokens."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.e2e.test_standing_book import settle_batch
from tests.e2e.venue import LOT, Venue, buy, sell
from tests.unit.wallet import Wallet
from walras.certificate import Settlement
from walras.chain.trader import Trader
from walras.numbers import X44, X84
from walras.schedule import Phase

pytestmark = pytest.mark.chain

PER_LOT = Fraction(LOT, 10**18)  # tokens
CENT = Fraction(1, 100)  # cash tokens of a cash unit


@pytest.fixture
def traded(venue: Venue, wallet: Wallet) -> tuple[Venue, list[Settlement], list[Trader]]:
    """Two batches: both products, then one."""
    traders = [venue.trader(), venue.trader()]
    settled = []
    for batch, products in ((1, (0, 1)), (2, (0,))):
        venue.advance(batch, Phase.OPEN)
        venue.seal(traders[0], [buy(k, 20, 210 if k == 0 else 60) for k in products], batch)
        venue.seal(traders[1], [sell(k, 30, 190 if k == 0 else 40) for k in products], batch)
        settled.append(settle_batch(venue, batch))
    return venue, settled, traders


Traded = tuple[Venue, list[Settlement], list[Trader]]


def test_prices_are_cash_tokens_for_a_token(traded: Traded, wallet: Wallet) -> None:
    _, settled, _ = traded
    rows = wallet.json("history")
    assert [(row["batch"], row["product"]) for row in rows] == [
        (1, "APPL"),
        (1, "BANA"),
        (2, "APPL"),
    ]
    exact = Fraction(settled[0].prices[0], X84) * CENT / PER_LOT
    assert Fraction(rows[0]["price"]) == pytest.approx(exact, abs=Fraction(1, 10**12))
    assert Fraction(rows[0]["volume"]) == pytest.approx(20 * PER_LOT, abs=Fraction(1, 10**6))
    turnover = Fraction(rows[0]["price"]) * Fraction(rows[0]["volume"])
    assert Fraction(rows[0]["turnover"]) == pytest.approx(turnover, abs=Fraction(1, 10**9))
    assert Fraction(rows[0]["reference"]) == 200 * CENT / PER_LOT
    assert rows[2]["reference"] != rows[0]["reference"]  # it followed the price


def test_fills_of_an_account__add_up_to_what_it_was_paid(traded: Traded, wallet: Wallet) -> None:
    venue, _, (buyer, seller) = traded
    rows = wallet.json("history", "--what", "fills", "--account", buyer.sender.address)
    assert [(row["batch"], row["auth"], row["product"]) for row in rows] == [
        *((1, 1, "APPL"), (1, 2, "BANA"), (2, 1, "APPL")),
    ]
    assert {row["account"] for row in rows} == {buyer.sender.address}
    assert all(Fraction(row["quantity"]) > 0 > Fraction(row["cash"]) for row in rows)
    (account,) = wallet.json(
        *("history", "--what", "accounts", "--account", seller.sender.address),
        *("--from", "2", "--to", "2"),
    )
    sold = wallet.json("history", "--what", "fills", "--account", seller.sender.address)
    assert Fraction(account["cash"]) == pytest.approx(Fraction(sold[-1]["cash"]), abs=1e-9)
    held = venue.market.account(buyer.sender.address).lots[1] - 1_000 * X44
    assert Fraction(rows[1]["quantity"]) == pytest.approx(Fraction(held, X44) * PER_LOT, abs=1e-12)
    assert wallet.json("history", "--what", "fills", "--account", "me") == []


def test_csv_and_parquet_have_the_same_rows(traded: Traded, wallet: Wallet) -> None:
    for what in ("prices", "fills", "batches", "accounts", "shadows"):
        wallet.text("history", "--what", what, "--format", "csv", "-o", "rows.csv")
        wallet.text("history", "--what", what, "--format", "parquet", "-o", "rows.parquet")
        with Path("rows.csv").open() as file:
            rows = list(csv.DictReader(file))
        columnar = pq.read_table("rows.parquet")
        assert columnar.column_names == (list(rows[0]) if rows else columnar.column_names)
        assert columnar.num_rows == len(rows)
        for row, other in zip(rows, columnar.to_pylist(), strict=True):
            moment = datetime.fromisoformat(row["time"])
            assert moment == other["time"]
            assert int(row["batch"]) == other["batch"]
            for name in ("price", "cash", "turnover"):
                if name in row:
                    assert float(row[name]) == pytest.approx(other[name])


def test_batches_say_what_they_cost(traded: Traded, wallet: Wallet) -> None:
    venue, settled, _ = traded
    rows = wallet.json("history", "--what", "batches")
    assert [row["batch"] for row in rows] == [1, 2]
    assert rows[0]["settler"] == venue.operator.sender.address
    assert rows[0]["transactions"] == 2  # the key and the settlement
    assert rows[0]["gas"] > 100_000
    assert Fraction(rows[0]["fee"]) > 0
    assert Fraction(rows[0]["loss"]) == pytest.approx(
        Fraction(settled[0].loss_x40, 1 << 40) * CENT, abs=Fraction(1, 10**12)
    )


def test_a_wide_table__loses_nothing(traded: Traded, wallet: Wallet) -> None:
    text = wallet.text("history", "--what", "batches")
    assert "…" not in text.replace("0xf39F…2266", "")
    newest = text.rstrip().splitlines()[-1].split()
    assert newest[0] == "2"
    assert "settled" in newest


def test_table_shows_the_newest__and_a_chart_is_drawn(traded: Traded, wallet: Wallet) -> None:
    text = wallet.text("history")
    assert "Prices, money in USD" in text
    assert "APPL" in text
    assert "drew 2 products into prices.png" in wallet.text("history", "--chart", "prices.png")
    assert Path("prices.png").read_bytes()[1:4] == b"PNG"
    one = wallet.text("history", "--from", "2", "--chart", "one.svg", "--format", "csv")
    assert "drew 1 product into one.svg" in one
    assert "2," in one


def test_what_cannot_be_is_said(traded: Traded, wallet: Wallet) -> None:
    assert "name a file" in wallet.refused("history", "--format", "parquet")
    assert "cannot write" in wallet.refused("history", "--format", "csv", "-o", "no/where.csv")
    assert "nothing to draw" in wallet.refused("history", "--from", "9", "--chart", "x.png")
    assert "cannot draw" in wallet.refused("history", "--chart", "x.nothing")
    assert "terminal" in wallet.refused("history", "-o", "x.txt")


def test_index_is_kept_in_the_data_directory(
    traded: Traded, wallet: Wallet, tmp_path: Path
) -> None:
    first = wallet.json("history")
    assert (tmp_path / "data" / "history.sqlite").is_file()
    assert wallet.json("history") == first
    assert wallet.json("history", "--database", f"sqlite:///{tmp_path / 'other.sqlite'}") == first
    assert json.dumps(first) == json.dumps(wallet.json("history", "--format", "json"))
