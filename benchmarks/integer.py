"""The integer step on a large market, and what a process pays before its first answer.

Markets here are those of the protocol: integer weights, curves in X40 with the least drop a step
may have, a maker of 2^-10 lot per 100 % of scale.
"""

import math
import resource
import subprocess
import sys
import time
from itertools import accumulate
from statistics import median

import numpy as np

from walras.clearing import Book, clear
from walras.clearing.exact import ExactBook
from walras.clearing.generator import market
from walras.clearing.polish import polish

__all__ = ["integer_step", "start_up"]

_LEGS, _WEIGHT, _LOT = 16, 50, 1000  # legs and weights at most; cash units a lot is worth per price
Row = tuple[str, int, int, float, str, float, int, float]
Ramp = tuple[int, int, int, int]  # side, top X40, drop X40, width

_FIRST = """
import numpy as np
from walras.clearing import Book, clear
book = Book(leg_ptr=[0, 1, 2], leg_product=[0, 0], leg_weight=[1.0, 1.0], curve_ptr=[0, 2, 4],
            curve_rate=[0.0, 5.0, -5.0, 0.0], curve_price=[10.1, 9.5, 10.0, 9.0],
            reference_price=[9.8])
assert clear(book).certified
"""


def integer_step(products: int, orders: int) -> Row:
    """From the float root to accepted integer prices, the exact verification included."""
    exact, book = _books(products, orders)
    root = clear(book).prices.tolist()
    start = [int(math.ldexp(price, 84)) for price in root]
    times = []
    for _ in range(6):
        begun = time.process_time()
        prices = polish(exact, start).prices
        accepted = exact.accepts(prices)
        times.append(time.process_time() - begun)
        assert accepted, "a covered book always settles"
    return "integer step", products, orders, 0.0, "engine", median(times[1:]), 5, 0.0


def start_up() -> Row:
    """Processor seconds of a process that imports the engine and clears one book."""
    times = []
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", _FIRST], check=True)  # noqa: S603 (our own program)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return "import and first solve", 1, 2, 0.0, "engine", median(times[1:]), 3, 0.0


def _books(products: int, orders: int) -> tuple[ExactBook, Book]:
    """The same one-sided market in integers and in floats."""
    plan = market(products, orders, seed=1)
    rng = np.random.default_rng(1)
    reference = [int(price * _LOT * 2**40) for price in plan.reference_price]
    scale = [price >> 16 for price in reference]
    portfolios, curves = [], []
    for i in range(orders):
        legs = slice(plan.leg_ptr[i], min(plan.leg_ptr[i + 1], plan.leg_ptr[i] + _LEGS))
        weight = plan.leg_weight[legs] / np.abs(plan.leg_weight[legs]).max()
        portfolio = [
            (k, (round(w * _WEIGHT) or 1) if len(weight) > 1 else 1)
            for k, w in zip(plan.leg_product[legs].tolist(), weight.tolist(), strict=True)
        ]
        steps = int(plan.curve_ptr[i + 1] - plan.curve_ptr[i] - 1)
        portfolios.append(portfolio)
        curves.append(_ramps(rng, portfolio, reference, steps))
    return ExactBook.build(portfolios, curves, reference, scale), _floats(
        portfolios, curves, reference, scale
    )


def _ramps(
    rng: np.random.Generator, portfolio: list[tuple[int, int]], reference: list[int], steps: int
) -> list[Ramp]:
    worth = sum(weight * reference[k] for k, weight in portfolio)
    gross = sum(abs(weight) * reference[k] for k, weight in portfolio)
    lots = sum(abs(weight) for _, weight in portfolio)
    tau = gross // 10**4
    side = 1 if rng.random() < 0.5 else -1
    top = side * (worth + int(0.005 * rng.standard_t(3) * gross))
    size = int(1e6 * (rng.pareto(1.3) + 1) * _LOT * 2**40 / gross) + 1
    ramps = []
    for _ in range(steps):
        width = min(max(1, size // steps), 2**47)
        drop = int(10 ** rng.uniform(-4, -2) * gross) + max(tau, lots * lots * width)
        ramps.append((side, top, drop, width))
        top -= drop
    return ramps


def _floats(
    portfolios: list[list[tuple[int, int]]],
    curves: list[list[Ramp]],
    reference: list[int],
    scale: list[int],
) -> Book:
    rows = []
    for ramps in curves:
        side, top = ramps[0][:2]
        row, rate = [(0, side * top)], 0
        for _, high, drop, width in ramps:
            rate += width
            row.append((side * rate, side * (high - drop)))
        rows.append(row[::side])
    return Book(
        leg_ptr=[0, *accumulate(map(len, portfolios))],
        leg_product=[k for portfolio in portfolios for k, _ in portfolio],
        leg_weight=[float(w) for portfolio in portfolios for _, w in portfolio],
        curve_ptr=[0, *accumulate(map(len, rows))],
        curve_rate=[float(rate) for row in rows for rate, _ in row],
        curve_price=[price / 2**40 for row in rows for _, price in row],
        reference_price=[price / 2**40 for price in reference],
        maker=[2.0**14 / level for level in scale],
    )
