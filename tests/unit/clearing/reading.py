"""The kernels once more in plain NumPy and Python: slow, obvious, the same results."""

import numpy as np

from walras.clearing.book import Floats, Ints
from walras.clearing.orders import Curves, Legs


def matrix(legs: Legs, products: int) -> Floats:
    """W (n, K)."""
    ptr, product, weight = legs
    whole = np.zeros((len(ptr) - 1, products))
    whole[np.repeat(np.arange(len(ptr) - 1), np.diff(ptr)), product] = weight
    return whole


def demands(curves: Curves, soft: Floats, centre: Floats, level: Floats) -> tuple[Floats, Floats]:
    """Fills and slopes (n,) of softened curves: interpolation between breakpoints."""
    ptr, rate, price = curves
    fill, slope = np.zeros(len(level)), np.zeros(len(level))
    for i, s in enumerate(level):
        x = rate[ptr[i] : ptr[i + 1]]
        m = price[ptr[i] : ptr[i + 1]] - soft[i] * (x - centre[i])
        if s >= m[0]:
            fill[i] = x[0]
        elif s < m[-1]:
            fill[i] = x[-1]
        else:
            j = int(np.flatnonzero(m <= s)[0])
            slope[i] = (x[j] - x[j - 1]) / (m[j - 1] - m[j])
            fill[i] = x[j - 1] + (m[j - 1] - s) * slope[i]
    return fill, slope


def shadow_price(
    share: Floats, curves: Curves, soft: Floats, centre: Floats, level: Floats, own: Curves
) -> tuple[float, Floats]:
    """λ of one cost and the fills of its orders: bisection on the excess, which never falls."""

    def fills(price: float) -> Floats:
        return demands(curves, soft, centre, level - share * price)[0]

    def excess(price: float) -> float:
        joint = demands(own, np.zeros(1), np.zeros(1), np.array([price]))[0][0]
        return float(share @ fills(price) - joint)

    low, high = -1.0, 1.0
    while excess(low) > 0:
        low *= 2
    while excess(high) < 0:
        high *= 2
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return high, fills(high)


def lower(hessian: Floats) -> Floats:
    """Both triangles from the lower one."""
    return np.asarray(np.tril(hessian) + np.tril(hessian, -1).T)


def leaving(piece: Floats, level: Floats) -> Ints:
    """Orders whose level is off their piece."""
    return np.flatnonzero(~((piece[:, 1] <= level) & (level < piece[:, 0])))


def wide_steps(curves: Curves) -> tuple[Ints, Ints]:
    """Order and left breakpoint of every step that has a width."""
    ptr, rate, _ = curves
    found = [
        (i, j)
        for i in range(len(ptr) - 1)
        for j in range(ptr[i], ptr[i + 1] - 1)
        if rate[j + 1] > rate[j]
    ]
    owner, step = np.array(found, np.int64).reshape(-1, 2).T
    return owner, step
