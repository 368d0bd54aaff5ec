"""Small books for the tests of the engine."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from walras.clearing import Book
from walras.clearing.book import Floats


@dataclass
class Draft:
    """A book in the making: orders and groups are appended one by one."""

    reference: list[float]
    maker: float | None = 2.0**-10
    legs: list[dict[int, float]] = field(default_factory=list)
    curves: list[list[tuple[float, float]]] = field(default_factory=list)
    groups: list[dict[int, float]] = field(default_factory=list)
    joint: list[list[tuple[float, float]]] = field(default_factory=list)

    def order(self, legs: dict[int, float], *curve: tuple[float, float]) -> int:
        """Add an order with `legs` {product: weight} and breakpoints (rate, price).

        Returns its row.
        """
        self.legs.append(legs)
        self.curves.append(list(curve))
        return len(self.legs) - 1

    def group(self, members: dict[int, float], *curve: tuple[float, float]) -> None:
        """Add a cost over `members` {order: coefficient}."""
        self.groups.append(members)
        self.joint.append(list(curve))

    def book(self) -> Book:
        """The finished book; the maker trades `maker` lots per 100 % of the reference."""
        leg_ptr, product, weight = _rows([list(leg.items()) for leg in self.legs])
        curve_ptr, rate, price = _rows(self.curves)
        arrays: dict[str, Any] = {
            "leg_ptr": leg_ptr,
            "leg_product": product.astype(int),
            "leg_weight": weight,
            "curve_ptr": curve_ptr,
            "curve_rate": rate,
            "curve_price": price,
            "reference_price": self.reference,
        }
        if self.maker is not None:
            arrays["maker"] = self.maker / np.array(self.reference)
        if self.groups:
            ptr, order, coefficient = _rows([list(group.items()) for group in self.groups])
            joint_ptr, joint_rate, joint_price = _rows(self.joint)
            arrays |= {
                "group_ptr": ptr,
                "group_order": order.astype(int),
                "group_coefficient": coefficient,
                "group_curve_ptr": joint_ptr,
                "group_curve_rate": joint_rate,
                "group_curve_price": joint_price,
            }
        return Book(**arrays)


def _rows(rows: list[list[tuple[float, float]]]) -> tuple[Floats, Floats, Floats]:
    ptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(int)
    flat = np.array([pair for row in rows for pair in row], float).reshape(-1, 2)
    return ptr, flat[:, 0], flat[:, 1]


def random_draft(
    seed: int, products: int, orders: int, *, flat: float = 0.0, maker: float | None = 2.0**-10
) -> Draft:
    """A book of singles and small portfolios around the reference, a share `flat` price-taking."""
    rng = np.random.default_rng(seed)
    reference = np.round(10.0 ** rng.uniform(0, 3, products), 3)
    draft = Draft(reference.tolist(), maker)
    for _ in range(orders):
        count = min(products, int(rng.choice([1, 1, 1, 2, 3])))
        chosen = rng.choice(products, count, replace=False)
        weight = rng.choice([-2.0, -1.0, 1.0, 3.0], count) if count > 1 else np.ones(1)
        legs = {int(k): float(w) for k, w in zip(chosen, weight, strict=True)}
        worth = sum(w * reference[k] for k, w in legs.items())
        gross = sum(abs(w) * reference[k] for k, w in legs.items())
        draft.order(legs, *random_curve(rng, worth, gross, taking=rng.random() < flat))
    return draft


def random_curve(
    rng: np.random.Generator, worth: float, gross: float, *, taking: bool
) -> list[tuple[float, float]]:
    """One to three steps around `worth`, buying, selling or both; one flat step when `taking`."""
    steps = 1 if taking else int(rng.integers(1, 4))
    rate = np.concatenate([[0.0], np.cumsum(rng.uniform(0.1, 1, steps))]) * 10 ** rng.uniform(0, 4)
    side = rng.choice([-1.0, 0.0, 1.0], p=[0.45, 0.1, 0.45])
    rate -= {1.0: 0.0, -1.0: rate[-1], 0.0: 0.5 * rate[-1]}[side]
    fall = np.concatenate([[0.0], np.cumsum(rng.uniform(0.001, 0.01, steps))]) * gross
    if taking:
        fall[:] = 0.0
    top = worth + 0.01 * gross * rng.standard_normal() + 0.5 * fall[-1]
    return list(zip(rate.tolist(), (top - fall).tolist(), strict=True))
