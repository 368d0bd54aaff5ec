"""`walras clear FILE`: the interchange format, the published sample auctions, .npz books."""

from __future__ import annotations

import json
import resource
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from walras.clearing import Book, Clearing, clear, engine_named, engines
from walras.clearing.interchange import parse, report
from walras.cli.app import run
from walras.errors import ClearingError, OrderError

Json = dict[str, Any]
TOLERANCE = 1e-6


def points(*pairs: tuple[float, float]) -> list[Json]:
    return [{"rate": rate, "price": price} for rate, price in pairs]


def flat(price: float, low: float | None = None, high: float | None = None) -> Json:
    return {"min_rate": low, "max_rate": high, "price": price}


def auction(curves: Json, portfolios: Json, **references: float) -> Json:
    return {
        "demand_curves": curves,
        "portfolios": {k: {"demand": d, "basis": b} for k, (d, b) in portfolios.items()},
        "reference_prices": references,
    }


BUY = points((0, 10), (1, 5))

TRIVIAL = auction(
    {"b": BUY, "s": points((-1, 7.5), (0, 7.5))}, {"buyer": ("b", "A"), "seller": ("s", "A")}
)
BASIC = auction(
    {
        "bx": BUY,
        "by": BUY,
        "bxy": points((0, 0), (1, 0)),
        "sx": flat(6.25, -1, 0),
        "sy": flat(6.25, -1, 0),
    },
    {
        "buyerx": (["bx", "bxy"], "A"),
        "buyery": ({"by": 1, "bxy": 1}, {"B": 1}),
        "sellerx": ("sx", ["A"]),
        "sellery": ("sy", "B"),
    },
)
SESSION = auction(
    {"b": points((0, 15), (20, 5)), "s": flat(10, high=0)},
    {"buyer": ("b", "A"), "seller": ("s", "A")},
)
SLOPES = auction(
    {"b": points((0, 11), (10, 9)), "s": points((-10, 11), (0, 9))},
    {"buyer": ("b", "A"), "seller": ("s", "A")},
)


def no_crossing(reference: float) -> Json:
    return auction(
        {"b": points((0, 10), (10, 9)), "s": points((-10, 12), (0, 11))},
        {"buyer": ("b", "A"), "seller": ("s", "A")},
        A=reference,
    )


def call_auction(*orders: tuple[int, float], reference: float) -> Json:
    """Limit orders of a call auction as constant prices: (shares, limit), sells negative."""
    curves = {
        str(i): flat(limit, min(shares, 0), max(shares, 0))
        for i, (shares, limit) in enumerate(orders)
    }
    return auction(curves, {name: (name, "A") for name in curves}, A=reference)


SAMPLES: dict[str, tuple[Json, dict[str, tuple[float, float]], dict[str, float], float]] = {
    "trivial": (TRIVIAL, {"A": (7.5, 0.5)}, {"buyer": 0.5, "seller": -0.5}, 0.625),
    "basic": (
        BASIC,
        {"A": (6.25, 0.5), "B": (6.25, 0.5)},
        {"buyerx": 0.5, "buyery": 0.5, "sellerx": -0.5, "sellery": -0.5},
        2.5,
    ),
    "session": (SESSION, {"A": (10, 10)}, {"buyer": 10, "seller": -10}, 25),
    "slopes": (SLOPES, {"A": (10, 5)}, {"buyer": 5, "seller": -5}, 5),
    "iex 2": (
        call_auction((1500, 10.10), (-1000, 0.0), reference=10.10),
        {"A": (10.10, 1000)},
        {"0": 1000, "1": -1000},
        10_100,
    ),
    "iex 3": (
        call_auction((2000, 10.11), (500, 10.09), (-2000, 10.09), (-600, 10.11), reference=10.10),
        {"A": (10.10, 2000)},
        {"0": 2000, "1": 0, "2": -2000, "3": 0},
        40,
    ),
}


@pytest.mark.parametrize("engine", engines())
@pytest.mark.parametrize("sample", SAMPLES)
def test_samples(sample: str, engine: str) -> None:
    data, products, rates, surplus = SAMPLES[sample]
    sold = parse(json.dumps(data))
    outcome = report(sold, engine_named(engine)(sold.book))
    scale = max(rate for _, rate in products.values())
    for name, (price, rate) in products.items():
        # General solvers stop somewhere in an interval; only the maker's choice is the answer.
        near = 0.01 if sample == "iex 3" and engine != "walras" else TOLERANCE
        assert outcome["products"][name]["price"] == pytest.approx(price, abs=near)
        assert outcome["products"][name]["rate"] == pytest.approx(rate, abs=TOLERANCE * scale)
    for name, rate in rates.items():
        assert outcome["portfolios"][name]["rate"] == pytest.approx(rate, abs=TOLERANCE * scale)
    assert outcome["surplus"] == pytest.approx(surplus, rel=TOLERANCE, abs=TOLERANCE * scale)
    assert outcome["gap"] >= 0


@pytest.mark.parametrize("engine", engines())
def test_indifferent_buyer_and_seller_fix_the_price_only(engine: str) -> None:
    """Both name 10.10: any volume up to the smaller one is as good as any other."""
    sold = parse(json.dumps(call_auction((1500, 10.10), (-1000, 10.10), reference=10.10)))
    outcome = report(sold, engine_named(engine)(sold.book))
    assert outcome["products"]["A"]["price"] == pytest.approx(10.10, abs=TOLERANCE)
    assert -TOLERANCE <= outcome["products"]["A"]["rate"] <= 1000 + TOLERANCE
    assert outcome["surplus"] == pytest.approx(0, abs=TOLERANCE)


@pytest.mark.parametrize(("reference", "price"), [(10.25, 10.25), (9.0, 10.0), (13.0, 11.0)])
def test_no_crossing_leaves_the_price_nearest_to_the_reference(
    reference: float, price: float
) -> None:
    sold = parse(json.dumps(no_crossing(reference)))
    outcome = report(sold, clear(sold.book))
    assert outcome["products"]["A"]["price"] == pytest.approx(price, abs=TOLERANCE)
    assert outcome["products"]["A"]["rate"] == pytest.approx(0, abs=10 * TOLERANCE)


def test_weights_of_a_demand_scale_rate_and_price() -> None:
    """Half a unit of demand per portfolio unit: twice the rate at half the price; mirrored too."""
    for weight in (0.5, -0.5):
        data = auction(
            {"b": points((-20, 12), (0, 10), (20, 8)), "s": flat(5 * weight / 0.5, -8, 8)},
            {"twice": ({"b": weight}, "A"), "maker": ("s", "A")},
        )
        sold = parse(json.dumps(data))
        outcome = report(sold, clear(sold.book))
        assert outcome["products"]["A"]["price"] == pytest.approx(5 * weight / 0.5, abs=1e-6)
        assert outcome["portfolios"]["twice"]["rate"] == pytest.approx(0, abs=1e-6)


def test_portfolio_without_basis_trades_nothing() -> None:
    data = SLOPES | {"portfolios": SLOPES["portfolios"] | {"idle": {"demand": "b", "basis": {}}}}
    sold = parse(json.dumps(data))
    assert report(sold, clear(sold.book))["portfolios"]["idle"] == {"price": 0, "rate": 0.0}


def test_trade_without_limit_is_an_error() -> None:
    data = auction({"b": flat(11), "s": flat(10)}, {"b": ("b", "A"), "s": ("s", "A")})
    sold = parse(json.dumps(data))
    with pytest.raises(ClearingError, match="without limit"):
        report(sold, clear(sold.book))


def test_unproven_outcome_is_an_error() -> None:
    sold = parse(json.dumps(SESSION))
    good = clear(sold.book)
    bad = Clearing(sold.book, good.prices + 1, good.fills, good.group_prices, 0, {}, 1e-10)
    with pytest.raises(ClearingError, match="proves too little"):
        report(sold, bad)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("not json", "not JSON: .* line 1"),
        ([], "an auction is an object"),
        ({"demand_curves": None}, "demand_curves must be an object"),
        ({"demand_curves": {"b": []}}, "'b' must be a list of points or a constant price"),
        ({"demand_curves": {"b": [{"rate": 0}]}}, 'every point of .* "rate" and "price"'),
        ({"demand_curves": {"b": {"max_rate": 1}}}, "'b' must have \"price\""),
        ({"demand_curves": {"b": [{"rate": 0, "price": "x"}]}}, 'must be a finite number, not "x"'),
        ({"demand_curves": {"b": points((0, 5), (1, 6))}}, "nor increase in price"),
        ({"demand_curves": {"b": points((1, 6), (2, 5))}}, "rate 0 inside its range"),
        ({"demand_curves": {}}, "names demand 'b', which has no demand curve"),
        ({"portfolios": {"p": {"basis": "A", "weights": 1}}}, "'p' must be an object with"),
        ({"portfolios": {"p": {"basis": 3, "demand": "b"}}}, "basis of portfolio 'p' must be"),
        ({"reference_prices": {"A": True}}, "reference price of 'A' must be a finite number"),
    ],
)
def test_bad_input(change: Any, message: str) -> None:
    text = change
    if not isinstance(change, str):
        text = json.dumps({**SLOPES, **change} if isinstance(change, dict) else change)
    with pytest.raises(OrderError, match=message):
        parse(text)


def test_command_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "auction.json"
    file.write_text(json.dumps(SESSION))
    assert run(["clear", str(file)]) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["products"] == {"A": {"price": pytest.approx(10), "rate": pytest.approx(10)}}
    assert set(outcome) == {"products", "portfolios", "surplus", "gap"}


def test_command_solves_books(tmp_path: Path) -> None:
    book, result = tmp_path / "book.npz", tmp_path / "result.npz"
    parse(json.dumps(SESSION)).book.save(book)
    assert run(["clear", str(book), "-o", str(result)]) == 0
    with np.load(result) as found:
        assert found["prices"] == pytest.approx([10.0])
        assert found["fills"] == pytest.approx([10.0, -10.0])
    assert Book.load(book).orders == 2


@pytest.mark.parametrize("name", ["result", "result.txt", "résultat.npz"])
def test_command_writes_the_file_that_was_named(tmp_path: Path, name: str) -> None:
    book, into = tmp_path / "book.npz", tmp_path / "into"
    into.mkdir()
    parse(json.dumps(SESSION)).book.save(book)
    assert run(["clear", str(book), "-o", str(into / name)]) == 0
    assert [path.name for path in into.iterdir()] == [name]
    with np.load(into / name) as found:
        assert found["prices"] == pytest.approx([10.0])


def test_command_that_cannot_write__leaves_what_was_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    auction, kept = tmp_path / "auction.json", tmp_path / "kept.json"
    auction.write_text(json.dumps(SESSION))
    kept.write_text("kept")
    size, soft = resource.RLIMIT_FSIZE, resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(size, (16, soft[1]))  # as on a full disk
    try:
        assert run(["clear", str(auction), "-o", str(kept)]) == 1
    finally:
        resource.setrlimit(size, soft)
        signal.signal(signal.SIGXFSZ, before)
    assert capsys.readouterr().err == f"error: {kept}: File too large\n"
    assert kept.read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["auction.json", "kept.json"]


def test_command_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken, missing = tmp_path / "broken.json", tmp_path / "missing.json"
    broken.write_text('{"demand_curves": ')
    for file, words in ((broken, "broken.json: not JSON"), (missing, "missing.json: No such file")):
        assert run(["clear", str(file)]) == 1
        captured = capsys.readouterr()
        assert words in captured.err
        assert captured.err.count("\n") == 1
        assert captured.out == ""
    assert run(["clear", str(tmp_path / "book.npz")]) == 2
