from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from walras.simulate.orderbook import OrderBook, Trade


def test_the_better_price_trades_first_and_at_its_own_price() -> None:
    book = OrderBook()
    book.submit("a", -1, 10.2, 5)
    book.submit("b", -1, 10.1, 5)
    _, trades = book.submit("c", 1, 10.3, 7)
    assert trades == [Trade("c", "b", 10.1, 5), Trade("c", "a", 10.2, 2)]
    assert book.best(-1) == 10.2


def test_at_one_price_the_earlier_order_trades_first() -> None:
    book = OrderBook()
    book.submit("first", 1, 9.0, 2)
    book.submit("second", 1, 9.0, 2)
    _, trades = book.submit("seller", -1, 9.0, 3)
    assert [(t.buyer, t.seller, t.size) for t in trades] == [
        ("first", "seller", 2),
        ("second", "seller", 1),
    ]


def test_what_is_left_rests_unless_told_not_to() -> None:
    book = OrderBook()
    book.submit("a", 1, 9.0, 2, rest=False)
    assert book.best(1) is None
    number, _ = book.submit("a", 1, 9.0, 2)
    assert book.best(1) == 9.0
    assert book.cancel(number)
    assert book.best(1) is None
    assert not book.cancel(number)


@given(
    st.lists(
        st.tuples(st.sampled_from((1, -1)), st.integers(90, 110), st.integers(1, 9)), max_size=40
    )
)
def test_bids_stay_below_asks_and_nobody_trades_beyond_the_limit(
    orders: list[tuple[int, int, int]],
) -> None:
    book, limits = OrderBook(), {}
    for number, (side, price, size) in enumerate(orders):
        limits[str(number)] = (side, price)
        _, trades = book.submit(str(number), side, price, size)
        for trade in trades:
            assert limits[trade.buyer][0] == 1
            assert limits[trade.seller][0] == -1
            assert limits[trade.seller][1] <= trade.price <= limits[trade.buyer][1]
        bid, ask = book.best(1), book.best(-1)
        assert bid is None or ask is None or bid < ask
