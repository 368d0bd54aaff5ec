from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.simulate.paths import bars
from walras.errors import ConfigError
from walras.simulate.prices import Bar, day_path, read_bars, value_paths


@st.composite
def any_bar(draw: st.DrawFn) -> Bar:
    low = draw(st.floats(0.01, 1e5))
    marks = sorted(draw(st.lists(st.floats(1.0, 1.2), min_size=3, max_size=3)))
    begin, end = draw(st.permutations(marks[:2]))
    return Bar("d", low * begin, low * marks[2], low, low * end)


@given(any_bar(), st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_a_day_goes_from_open_to_close_within_the_real_range(
    bar: Bar, steps: int, seed: int
) -> None:
    path = day_path(bar, np.random.default_rng(seed).standard_normal(steps))
    assert len(path) == steps + 1
    assert (path[0], path[-1]) == (bar.open, bar.close)
    assert bar.low <= path.min() <= path.max() <= bar.high


@given(any_bar(), st.integers(0, 2**32 - 1))
def test_a_day_reaches_its_high_and_low_once_it_leaves_open_and_close(bar: Bar, seed: int) -> None:
    path = day_path(bar, np.random.default_rng(seed).standard_normal(400))
    inner = sorted((bar.open, bar.close))
    if path.max() > inner[1] * (1 + 1e-9):
        assert path.max() == pytest.approx(bar.high, rel=1e-9)
    if path.min() < inner[0] * (1 - 1e-9):
        assert path.min() == pytest.approx(bar.low, rel=1e-9)


def test_days_follow_each_other_with_their_real_opens_and_closes() -> None:
    found = value_paths(bars(), 3, 20, 2_340.0, np.random.default_rng(0))
    assert found.values.shape == (21, 3)
    for k, symbol in enumerate(found.symbols):
        days = bars()[symbol]
        first = [day.date for day in days].index(found.dates[k])
        assert found.values[0, k] == days[first].open
        assert found.values[10, k] == days[first].close
        assert found.values[20, k] == days[first + 1].close


def test_more_products_than_symbols_are_the_same_symbols_on_other_days() -> None:
    found = value_paths(bars(), 7, 5, 4_680.0, np.random.default_rng(1))
    assert found.symbols == ("A", "B", "C", "A.1", "B.1", "C.1", "A.2")
    assert len({found.dates[0], found.dates[3], found.dates[6]}) == 3
    assert len({tuple(column) for column in found.values.T.tolist()}) == 7


def test_paths_are_a_function_of_the_dice() -> None:
    one, same, other = (
        value_paths(bars(), 3, 10, 60.0, np.random.default_rng(seed)).values for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_more_days_than_there_are_is_an_error() -> None:
    with pytest.raises(ConfigError, match="span 4 days, the data has 3"):
        value_paths(bars(), 1, 31, 2_340.0, np.random.default_rng(0))


def test_the_sample_holds_five_real_stocks_on_common_days() -> None:
    found = read_bars()
    assert sorted(found) == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    dates = {tuple(bar.date for bar in series) for series in found.values()}
    assert len(dates) == 1
    assert found["GOOG"][-1].close == 806.19


def test_bars_from_a_file_on_the_days_that_all_symbols_have(tmp_path: Path) -> None:
    file = tmp_path / "days.csv"
    file.write_text(
        "symbol,date,open,high,low,close\nX,2,10,12,9,11\nX,1,8,9,7,9\nY,2,5,6,4,5\n", "utf-8"
    )
    assert read_bars(file) == {"X": [Bar("2", 10, 12, 9, 11)], "Y": [Bar("2", 5, 6, 4, 5)]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("symbol,date,open,high,low,close\n", "no daily prices in it"),
        ("symbol,date,open\nX,1,2\n", "the columns are symbol, date"),
        ("symbol,date,open,high,low,close\nX,1,2,3,two,2\n", "not daily prices"),
        ("symbol,date,open,high,low,close\nX,1,2,3,2.5,2\n", ":2: low lies above open or close"),
        ("symbol,date,open,high,low,close\nX,1,2,3,1,4\n", ":2: high lies below open or close"),
        ("symbol,date,open,high,low,close\nX,1,2,3,0,2\n", ":2: low"),
    ],
)
def test_a_file_that_holds_no_bars_says_where_and_why(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "days.csv"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=message):
        read_bars(file)
