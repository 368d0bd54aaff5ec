"""Synthetic flow-trading markets for benchmarks and tests.

70 / 20 / 10 % single products, pairs and baskets (5 to 50 legs); product popularity by Zipf's law
(0.7), order sizes by Pareto's (1.3, cut at 10 million of cash); 45 / 45 / 10 % buy, sell and
two-sided; one to five steps each 1 basis point to 1 % deep; limits scattered by a heavy-tailed
half per cent.
"""

import numpy as np

from walras.clearing.book import Book, Floats, Ints

__all__ = ["market", "perturbed", "with_groups"]


def market(
    products: int, orders: int, flat: float = 0.0, seed: int = 0, maker: bool = True
) -> Book:
    """A book of `orders` over `products`, a share `flat` of them price-taking steps on a tick.

    With `maker`, every product carries the vanishing market maker of 2^-10 lot per 100 % of its
    price.
    """
    rng = np.random.default_rng(seed)
    truth = np.exp(rng.uniform(np.log(5.0), np.log(500.0), products))
    reference = truth * (1 + 0.002 * rng.standard_normal(products))
    leg_ptr, leg_product, leg_weight = _portfolios(rng, products, orders, truth)
    curve_ptr, rate, price = _curves(rng, leg_ptr, leg_product, leg_weight, truth, flat)
    return Book(
        leg_ptr=leg_ptr,
        leg_product=leg_product,
        leg_weight=leg_weight,
        curve_ptr=curve_ptr,
        curve_rate=rate,
        curve_price=price,
        reference_price=reference,
        maker=2.0**-10 / reference if maker else None,
    )


def perturbed(book: Book, share: float, seed: int = 1) -> Book:
    """The next batch.

    A `share` of the orders replaced by others, true prices moved by 3 basis points.
    """
    rng = np.random.default_rng(seed)
    replaced = rng.random(book.orders) < share
    drift = 1 + 3e-4 * rng.standard_normal(book.products)
    origin = np.add.reduceat(
        book.leg_weight * book.reference_price[book.leg_product], book.leg_ptr[:-1]
    )
    moved = np.add.reduceat(
        book.leg_weight * (book.reference_price * drift)[book.leg_product], book.leg_ptr[:-1]
    )
    gross = np.add.reduceat(
        np.abs(book.leg_weight) * book.reference_price[book.leg_product], book.leg_ptr[:-1]
    )
    shift = np.where(replaced, moved - origin + 0.003 * gross * rng.standard_t(3, book.orders), 0.0)
    size = np.where(replaced, np.exp(0.5 * rng.standard_normal(book.orders)), 1.0)
    steps = np.diff(book.curve_ptr)
    arrays = book.arrays()
    arrays["curve_price"] = book.curve_price + np.repeat(shift, steps)
    arrays["curve_rate"] = book.curve_rate * np.repeat(size, steps)
    return Book(**arrays)


def with_groups(book: Book, share: float, size: int = 4, seed: int = 1) -> Book:
    """Bind a `share` of the orders by joint limits, `size` one-sided orders each."""
    rng = np.random.default_rng(seed)
    low, high = book.curve_rate[book.curve_ptr[:-1]], book.curve_rate[book.curve_ptr[1:] - 1]
    gross = np.add.reduceat(
        np.abs(book.leg_weight) * book.reference_price[book.leg_product], book.leg_ptr[:-1]
    )
    one_sided = rng.permutation(np.flatnonzero((low == 0) | (high == 0)))
    count = min(int(share * book.orders), len(one_sided)) // size
    members = one_sided[: count * size].reshape(count, size)
    limit = 0.5 * ((high - low) * gross)[members].sum(axis=1)
    return Book(
        **book.arrays(),
        group_ptr=np.arange(count + 1) * size,
        group_order=members.ravel(),
        group_coefficient=np.where(high > 0, gross, -gross)[members].ravel(),
        group_curve_ptr=np.arange(count + 1) * 2,
        group_curve_rate=np.stack([np.zeros(count), limit], axis=1).ravel(),
        group_curve_price=np.zeros(2 * count),
    )


def _portfolios(
    rng: np.random.Generator, products: int, orders: int, truth: Floats
) -> tuple[Ints, Ints, Floats]:
    popularity = np.arange(1, products + 1) ** -0.7
    popularity = rng.permutation(popularity / popularity.sum())
    kind = rng.random(orders)
    legs = np.where(kind < 0.7, 1, np.where(kind < 0.9, 2, rng.integers(5, 51, orders)))
    legs = np.minimum(legs, products)
    ptr = np.concatenate([[0], np.cumsum(legs)])
    product = rng.choice(products, ptr[-1], p=popularity)
    row = np.repeat(np.arange(orders), legs)
    # a product drawn twice by one order is dropped: baskets get a little shorter
    key = np.unique(row * products + product)
    row, product = key // products, key % products
    ptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=orders))])
    first = ptr[:-1][row]
    sign = np.where(
        (np.diff(ptr)[row] == 2) & (np.arange(len(row)) > first),
        -1.0,
        np.where(rng.random(len(row)) < 0.75, 1.0, -1.0),
    )
    sign[ptr[:-1][np.diff(ptr) == 1]] = 1.0
    value = rng.uniform(0.2, 1.0, len(row))
    unit = np.where(np.diff(ptr) == 1, 1.0, 10.0 ** rng.uniform(-2, 2, orders))
    weight = sign * value / truth[product] * 100.0 * unit[row]
    weight[ptr[:-1][np.diff(ptr) == 1]] = 1.0
    return ptr.astype(np.int64), product.astype(np.int64), weight


def _curves(
    rng: np.random.Generator,
    leg_ptr: Ints,
    product: Ints,
    weight: Floats,
    truth: Floats,
    flat: float,
) -> tuple[Ints, Floats, Floats]:
    orders = len(leg_ptr) - 1
    worth = np.add.reduceat(weight * truth[product], leg_ptr[:-1])
    gross = np.add.reduceat(np.abs(weight) * truth[product], leg_ptr[:-1])
    side = rng.choice([1, -1, 0], orders, p=[0.45, 0.45, 0.1])
    size = np.minimum(1e3 * (rng.pareto(1.3, orders) + 1), 1e7) / gross
    limit = worth + 0.005 * gross * rng.standard_t(3, orders)
    taking = rng.random(orders) < flat
    steps = np.where(taking, 1, rng.integers(1, 6, orders))
    steps = np.where(side == 0, np.maximum(steps, 2 - taking), steps)
    ptr = np.concatenate([[0], np.cumsum(steps + 1)]).astype(np.int64)
    row = np.repeat(np.arange(orders), steps + 1)
    at = np.arange(ptr[-1]) - ptr[row]
    width = np.where(at > 0, rng.exponential(1.0, ptr[-1]) + 0.1, 0.0)
    along = np.cumsum(width)
    along -= along[ptr[row]]
    share = along / along[ptr[row + 1] - 1]
    start = np.where(side == 1, 0.0, np.where(side == -1, -1.0, -0.5))
    rate = (start[row] + share) * size[row]
    rate[ptr[1:][side == -1] - 1] = 0.0
    depth = np.where(at > 0, 10.0 ** rng.uniform(-4, -2, ptr[-1]), 0.0) * gross[row]
    depth[taking[row]] = 0.0
    fall = np.cumsum(depth)
    fall -= fall[ptr[row]]
    # a curve is centred on its limit, a price-taking single order sits on a one-cent tick
    top = limit + 0.5 * fall[ptr[1:] - 1]
    single = taking & (np.diff(leg_ptr) == 1)
    top[single] = np.round(top[single], 2)
    return ptr, rate, top[row] - fall
