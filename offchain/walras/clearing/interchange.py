"""The flow-trading interchange format: auctions as JSON, without a chain.

    {"demand_curves": {id: [{"rate", "price"}, …] | {"min_rate"?, "max_rate"?, "price"}},
     "portfolios": {id: {"demand": id | [id, …] | {id: weight},
                         "basis": product | [product, …] | {product: weight}}},
     "reference_prices": {product: price}}                                          (optional)

A portfolio with a demand of its own is an order. A demand that several portfolios share, and the
demands of a portfolio that has several, are groups of the `Book` over portfolios that are free
otherwise. Where a book leaves prices open, they are the ones nearest to the reference prices: a
market maker too small to notice (`_MAKER`) stands there.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from walras.clearing.book import Book
from walras.clearing.solution import Clearing
from walras.errors import ClearingError, OrderError

__all__ = ["Auction", "parse", "report"]

_MAKER = 1e-6  # of a product's capacity per 100 % of its reference price
_AMPLE = 4.0  # an unlimited rate, over what all limited curves could trade
_RELATIVE, _ABSOLUTE = 1e-6, 1e-9  # of surplus and of money on offer: the gap a report may have

_Curve = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Auction:
    """A book with the names of its rows.

    products (K) and portfolios in file order; `order` gives the row of a portfolio, which is
    missing if it has no basis or no demand; `limit` (N,) bounds the rates that the file does not.
    """

    book: Book
    products: tuple[str, ...]
    portfolios: Mapping[str, Mapping[str, float]]
    order: Mapping[str, int]
    limit: Mapping[int, float]


def parse(text: str) -> Auction:
    """The auction in a JSON text; raises OrderError that names the entry and what is wrong."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise OrderError(f"not JSON: {error.msg} at line {error.lineno}") from error
    except (RecursionError, ValueError):
        raise OrderError("not an auction: nested too deeply or with a number too long") from None
    curves = {name: _curve(name, given) for name, given in _section(data, "demand_curves").items()}
    bases: dict[str, Mapping[str, float]] = {}
    demands: dict[str, Mapping[str, float]] = {}
    for name, given in _section(data, "portfolios").items():
        where = f"portfolio {name!r}"
        if not isinstance(given, dict) or set(given) - {"demand", "basis"}:
            raise OrderError(f'{where} must be an object with "demand" and "basis"')
        bases[name] = _weights(where, "basis", given.get("basis", []))
        demands[name] = _weights(where, "demand", given.get("demand", []))
        for demand in demands[name]:
            if demand not in curves:
                raise OrderError(f"{where} names demand {demand!r}, which has no demand curve")
    references = {
        product: _number(f"reference price of {product!r}", price)
        for product, price in _section(data, "reference_prices", optional=True).items()
    }
    return _Builder(curves, bases, demands, references).auction()


def report(auction: Auction, clearing: Clearing) -> dict[str, Any]:
    """The outcome in the interchange format; product rates are one-sided volumes.

    Raises ClearingError if the outcome is not proven optimal to six digits or trades without limit.
    """
    book = auction.book
    _require_proof(book, clearing)
    fills = clearing.fills.tolist()
    for name, row in auction.order.items():
        if abs(fills[row]) >= auction.limit.get(row, math.inf) * (1 - 1e-6):
            raise ClearingError(f"portfolio {name!r} would trade without limit; give its curve one")
    prices = dict(zip(auction.products, clearing.prices.tolist(), strict=True))
    volumes = dict.fromkeys(auction.products, 0.0)
    portfolios = {}
    for name, basis in auction.portfolios.items():
        rate = fills[auction.order[name]] if name in auction.order else 0.0
        for product, weight in basis.items():
            volumes[product] += abs(weight * rate) / 2
        price = sum(weight * prices[product] for product, weight in basis.items())
        portfolios[name] = {"price": price, "rate": rate}
    products = {name: {"price": prices[name], "rate": volumes[name]} for name in auction.products}
    return {
        "products": products,
        "portfolios": portfolios,
        "surplus": clearing.surplus,
        "gap": clearing.gap,
    }


def _require_proof(book: Book, clearing: Clearing) -> None:
    reach = np.maximum.reduceat(np.abs(book.curve_rate), book.curve_ptr[:-1]) if book.orders else 0
    value = np.maximum.reduceat(np.abs(book.curve_price), book.curve_ptr[:-1]) if book.orders else 0
    allowed = _RELATIVE * clearing.surplus + _ABSOLUTE * float(np.sum(reach * value))
    if not clearing.gap <= allowed:
        others = "another --engine may do better"
        if book.groups:
            others = f"it has {book.groups} shared demands; try --engine clarabel"
        raise ClearingError(
            f"engine {clearing.engine} came within {clearing.gap:.3g} of a surplus of "
            f"{clearing.surplus:.6g}, which proves too little; {others}"
        )


class _Builder:
    """Turns named curves and portfolios into the rows of a book."""

    def __init__(
        self,
        curves: Mapping[str, _Curve],
        bases: Mapping[str, Mapping[str, float]],
        demands: Mapping[str, Mapping[str, float]],
        references: Mapping[str, float],
    ) -> None:
        self._curves, self._bases, self._demands = curves, bases, demands
        self._references = references
        named = [*references, *(product for basis in bases.values() for product in basis)]
        self._products = tuple(dict.fromkeys(named))
        self._traded = [name for name in bases if bases[name] and demands[name]]
        users = Counter(demand for name in self._traded for demand in demands[name])
        self._own = {
            name: next(iter(demands[name]))
            for name in self._traded
            if len(demands[name]) == 1 and users[next(iter(demands[name]))] == 1
        }
        self._shared = [d for d in curves if users[d] and d not in self._own.values()]

    def auction(self) -> Auction:
        ample = self._ample_lots()
        place = {product: k for k, product in enumerate(self._products)}
        orders, limits = [], {}
        for row, name in enumerate(self._traded):
            basis = self._bases[name]
            bound = ample / min(abs(weight) for weight in basis.values())
            curve = self._order_curve(name)
            if any(math.isinf(rate) for rate, _ in curve):
                limits[row] = bound
            orders.append([(min(max(rate, -bound), bound), price) for rate, price in curve])
        legs = [
            [(place[product], w) for product, w in self._bases[name].items()]
            for name in self._traded
        ]
        reference = self._reference_prices()
        level = np.where(reference == 0, 1.0, np.abs(reference))
        book = Book(
            leg_ptr=_pointers(legs),
            leg_product=_column(legs, 0, int),
            leg_weight=_column(legs, 1, float),
            curve_ptr=_pointers(orders),
            curve_rate=_column(orders, 0, float),
            curve_price=_column(orders, 1, float),
            reference_price=reference,
            maker=_MAKER * self._capacity(legs, limits) / level,
            **self._groups(ample),
        )
        rows = {name: row for row, name in enumerate(self._traded)}
        return Auction(book, self._products, self._bases, rows, limits)

    def _groups(self, ample: float) -> dict[str, Any]:
        """The shared demands, over the portfolios that name them."""
        if not self._shared:
            return {}
        joint = [
            [(min(max(rate, -ample), ample), price) for rate, price in self._curves[demand]]
            for demand in self._shared
        ]
        shares = [(row, self._demands[name]) for row, name in enumerate(self._traded)]
        members = [
            [(row, weights[demand]) for row, weights in shares if demand in weights]
            for demand in self._shared
        ]
        return {
            "group_ptr": _pointers(members),
            "group_order": _column(members, 0, int),
            "group_coefficient": _column(members, 1, float),
            "group_curve_ptr": _pointers(joint),
            "group_curve_rate": _column(joint, 0, float),
            "group_curve_price": _column(joint, 1, float),
        }

    def _order_curve(self, name: str) -> _Curve:
        """Of a demand of its own with weight g: rate/g at price·g. Otherwise the order is free."""
        if name not in self._own:
            return [(-math.inf, 0.0), (math.inf, 0.0)]
        weight = self._demands[name][self._own[name]]
        curve = [(rate / weight, price * weight) for rate, price in self._curves[self._own[name]]]
        return curve if weight > 0 else curve[::-1]

    def _ample_lots(self) -> float:
        """More of anything than all limited curves together could trade."""
        total = 0.0
        for name in self._traded:
            gross = sum(abs(weight) for weight in self._bases[name].values())
            for demand, weight in self._demands[name].items():
                rates = [abs(r / weight) for r, _ in self._curves[demand] if math.isfinite(r)]
                total += gross * max(rates, default=0.0)
        return _AMPLE * max(total, 1.0)

    def _capacity(self, legs: Sequence[Any], limits: Mapping[int, float]) -> Any:
        """Lots that the orders with limits could trade, buys and sells added."""
        capacity = np.zeros(len(self._products))
        for row, name in enumerate(self._traded):
            curve = self._order_curve(name)
            for product, weight in legs[row] if row not in limits else []:
                capacity[product] += abs(weight) * (curve[-1][0] - curve[0][0])
        return np.maximum(capacity, 1.0)

    def _reference_prices(self) -> Any:
        """Given ones; else the middle of what single-product orders name for it; else 1."""
        named: dict[str, list[float]] = {product: [] for product in self._products}
        for name in self._own:
            basis = self._bases[name]
            if len(basis) == 1:
                ((product, weight),) = basis.items()
                named[product] += [price / weight for _, price in self._order_curve(name)]
        middle = {
            k: (min(prices) + max(prices)) / 2 if prices else 1.0 for k, prices in named.items()
        }
        return np.array([self._references.get(k, middle[k]) for k in self._products], float)


def _pointers(rows: Sequence[Sequence[Any]]) -> list[int]:
    return [0, *accumulate(len(row) for row in rows)]


def _column(rows: Sequence[Sequence[Any]], column: int, kind: type) -> Any:
    return np.array([entry[column] for row in rows for entry in row], kind)


def _section(data: Any, name: str, *, optional: bool = False) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise OrderError('an auction is an object with "demand_curves" and "portfolios"')
    section = data.get(name, {} if optional else None)
    if not isinstance(section, dict):
        raise OrderError(f"{name} must be an object of entries by id")
    return section


def _curve(name: str, given: Any) -> _Curve:
    """(rate, price) points; an open end of a constant price is infinite."""
    where = f"demand curve {name!r}"
    if isinstance(given, dict):
        if set(given) - {"min_rate", "max_rate", "price"} or "price" not in given:
            raise OrderError(f'{where} must have "price" and may have "min_rate" and "max_rate"')
        price = _number(f"price of {where}", given["price"])
        least, most = given.get("min_rate"), given.get("max_rate")
        low = -math.inf if least is None else _number(f"min_rate of {where}", least)
        high = math.inf if most is None else _number(f"max_rate of {where}", most)
        curve = [(low, price), (high, price)]
    elif isinstance(given, list) and given:
        if not all(isinstance(point, dict) and set(point) == {"rate", "price"} for point in given):
            raise OrderError(f'every point of {where} must have "rate" and "price"')
        curve = [
            (_number(f"rate in {where}", p["rate"]), _number(f"price in {where}", p["price"]))
            for p in given
        ]
    else:
        raise OrderError(f"{where} must be a list of points or a constant price")
    for (left, upper), (right, lower) in pairwise(curve):
        if right < left or lower > upper:
            raise OrderError(f"{where} must not decrease in rate nor increase in price")
    if not curve[0][0] <= 0 <= curve[-1][0]:
        raise OrderError(f"{where} must have rate 0 inside its range")
    return curve


def _weights(where: str, key: str, given: Any) -> dict[str, float]:
    """One name, a list of names or weights by name; zero weights are left out."""
    if isinstance(given, str):
        return {given: 1.0}
    if isinstance(given, list) and all(isinstance(name, str) for name in given):
        return {name: float(count) for name, count in Counter(given).items()}
    if isinstance(given, dict):
        weights = {
            n: _number(f"weight of {n!r} in the {key} of {where}", w) for n, w in given.items()
        }
        return {name: weight for name, weight in weights.items() if weight}
    raise OrderError(f"{key} of {where} must be a name, a list of names or weights by name")


def _number(what: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise OrderError(f"{what} must be a finite number, not {json.dumps(given)}")
    return float(given)
