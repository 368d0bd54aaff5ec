"""A book: every order of one batch as arrays, and everything the clearing price depends on.

Orders and curves are stored row after row ("compressed sparse rows"): the legs of order i are
`leg_product[leg_ptr[i]:leg_ptr[i+1]]` with `leg_weight` beside them, its demand curve the
breakpoints `(curve_rate, curve_price)[curve_ptr[i]:curve_ptr[i+1]]` joined by straight lines.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from walras.errors import ClearingError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

__all__ = ["Book", "BookError"]

_REQUIRED = ("leg_ptr", "leg_product", "leg_weight", "curve_ptr", "curve_rate", "curve_price")
_GROUPS = (
    "group_ptr",
    "group_order",
    "group_coefficient",
    "group_curve_ptr",
    "group_curve_rate",
    "group_curve_price",
)


class BookError(ClearingError):
    """The arrays do not describe a book; the message names the array, the row and the rule."""


class Book:
    """N orders over K products, their demand curves, optional groups, optional market maker.

    All arguments are keywords; arrays are copied, checked once and made read-only.

    leg_ptr (N+1,), leg_product (nnz,), leg_weight (nnz,)
        Portfolio of each order: signed weights over products. Products of one order are distinct.
    curve_ptr (N+1,), curve_rate (M,), curve_price (M,)
        Demand of each order: rates do not decrease, prices do not increase, rate 0 lies inside.
        Equal prices make a flat (price-taking) step, equal rates a vertical one.
    reference_price (K,)
        Where the market maker is neutral, and where the search starts.
    maker (K,), optional
        Slope of the market maker, lots per unit of price: it sells `maker * (price - reference)`.
    group_ptr (G+1,), group_order, group_coefficient, group_curve_ptr (G+1,), group_curve_rate,
    group_curve_price
        Costs: a further demand curve over the linear combination `sum(coefficient * fill)` of some
        orders (DESIGN: V_d). Groups may overlap.

    Raises `BookError` when an array has the wrong length, is not finite or breaks an order rule.
    """

    leg_ptr: Ints
    leg_product: Ints
    leg_weight: Floats
    curve_ptr: Ints
    curve_rate: Floats
    curve_price: Floats
    reference_price: Floats
    maker: Floats | None
    group_ptr: Ints
    group_order: Ints
    group_coefficient: Floats
    group_curve_ptr: Ints
    group_curve_rate: Floats
    group_curve_price: Floats

    def __init__(  # noqa: PLR0913 (the public names of the arrays)
        self,
        *,
        leg_ptr: ArrayLike,
        leg_product: ArrayLike,
        leg_weight: ArrayLike,
        curve_ptr: ArrayLike,
        curve_rate: ArrayLike,
        curve_price: ArrayLike,
        reference_price: ArrayLike,
        maker: ArrayLike | None = None,
        group_ptr: ArrayLike | None = None,
        group_order: ArrayLike | None = None,
        group_coefficient: ArrayLike | None = None,
        group_curve_ptr: ArrayLike | None = None,
        group_curve_rate: ArrayLike | None = None,
        group_curve_price: ArrayLike | None = None,
    ) -> None:
        self.reference_price = _floats("reference_price", reference_price)
        self.leg_ptr = _ints("leg_ptr", leg_ptr)
        self.leg_product = _ints("leg_product", leg_product)
        self.leg_weight = _floats("leg_weight", leg_weight)
        self.curve_ptr = _ints("curve_ptr", curve_ptr)
        self.curve_rate = _floats("curve_rate", curve_rate)
        self.curve_price = _floats("curve_price", curve_price)
        self.maker = None if maker is None else _floats("maker", maker)
        given = (
            group_ptr,
            group_order,
            group_coefficient,
            group_curve_ptr,
            group_curve_rate,
            group_curve_price,
        )
        absent = [name for name, value in zip(_GROUPS, given, strict=True) if value is None]
        if absent and len(absent) < len(_GROUPS):
            raise BookError(f"groups need all six arrays; missing: {', '.join(absent)}")
        empty: tuple[list[int], ...] = ([0], [], [], [0], [], [])
        for name, value, none in zip(_GROUPS, given, empty, strict=True):
            convert: Callable[[str, ArrayLike], NDArray[Any]] = (
                _ints if name.endswith(("ptr", "order")) else _floats
            )
            setattr(self, name, convert(name, none if value is None else value))
        self._check()

    @property
    def products(self) -> int:
        """K, the number of products."""
        return len(self.reference_price)

    @property
    def orders(self) -> int:
        """N, the number of orders."""
        return len(self.leg_ptr) - 1

    @property
    def groups(self) -> int:
        """G, the number of groups (costs)."""
        return len(self.group_ptr) - 1

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every array by its public name; what the book does not have is left out."""
        names = [*_REQUIRED, "reference_price"]
        names += ["maker"] if self.maker is not None else []
        names += _GROUPS if self.groups else []
        return {name: getattr(self, name) for name in names}

    def save(self, path: str | Path) -> None:
        """Write the arrays, under their public names, to a compressed `.npz`."""
        np.savez_compressed(path, **self.arrays())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a book written by `save`, or by anybody who uses the same array names."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        except (OSError, ValueError) as error:
            raise BookError(f"{path}: not a readable .npz book ({error})") from error
        missing = [name for name in (*_REQUIRED, "reference_price") if name not in arrays]
        unknown = sorted(set(arrays) - {*_REQUIRED, *_GROUPS, "reference_price", "maker"})
        if missing or unknown:
            raise BookError(f"{path}: missing arrays {missing}, unknown arrays {unknown}")
        return cls(**arrays)

    def _check(self) -> None:
        _check_rows("leg_ptr", self.leg_ptr, ("leg_product", "leg_weight"), self)
        _check_rows("curve_ptr", self.curve_ptr, ("curve_rate", "curve_price"), self)
        _check_rows("group_ptr", self.group_ptr, ("group_order", "group_coefficient"), self)
        _check_rows(
            "group_curve_ptr", self.group_curve_ptr, ("group_curve_rate", "group_curve_price"), self
        )
        if len(self.curve_ptr) != len(self.leg_ptr):
            raise BookError(
                f"curve_ptr describes {len(self.curve_ptr) - 1} orders, leg_ptr {self.orders}"
            )
        if len(self.group_curve_ptr) != len(self.group_ptr):
            raise BookError("group_curve_ptr and group_ptr describe different numbers of groups")
        _check_targets("leg", self.leg_ptr, self.leg_product, self.products, "product")
        _check_targets("group", self.group_ptr, self.group_order, self.orders, "order")
        _check_curves("curve", "order", self.curve_ptr, self.curve_rate, self.curve_price)
        _check_curves(
            "group_curve",
            "group",
            self.group_curve_ptr,
            self.group_curve_rate,
            self.group_curve_price,
        )
        if self.maker is not None:
            if len(self.maker) != self.products:
                raise BookError(f"maker has {len(self.maker)} slopes for {self.products} products")
            if np.any(self.maker < 0):
                worst = int(np.argmin(self.maker))
                raise BookError(f"maker[{worst}] is negative; a market maker sells as prices rise")


def _ints(name: str, value: ArrayLike) -> Ints:
    given = np.asarray(value)
    if given.size and given.dtype.kind not in "iu":
        raise BookError(f"{name} must hold integers, not {given.dtype}")
    return _frozen(name, given.astype(np.int64))


def _floats(name: str, value: ArrayLike) -> Floats:
    try:
        array = _frozen(name, np.array(value, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise BookError(f"{name} must hold real numbers ({error})") from error
    if not np.all(np.isfinite(array)):
        where = int(np.flatnonzero(~np.isfinite(array))[0])
        raise BookError(f"{name}[{where}] is {array[where]}; every number of a book is finite")
    return array


def _frozen(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim != 1:
        raise BookError(f"{name} must be one-dimensional, not of shape {array.shape}")
    array.flags.writeable = False
    return array


def _check_rows(name: str, ptr: Ints, columns: tuple[str, ...], book: Book) -> None:
    if len(ptr) == 0 or ptr[0] != 0 or np.any(np.diff(ptr) < 0):
        raise BookError(f"{name} must start at 0 and never decrease")
    for column in columns:
        length = len(getattr(book, column))
        if length != ptr[-1]:
            raise BookError(f"{name} ends at {ptr[-1]} but {column} has {length} entries")


def _check_targets(kind: str, ptr: Ints, target: Ints, bound: int, noun: str) -> None:
    column = f"{kind}_{noun}"
    outside = np.flatnonzero((target < 0) | (target >= bound))
    if len(outside):
        at = int(outside[0])
        raise BookError(f"{column}[{at}] is {target[at]}; {noun}s are 0 to {bound - 1}")
    row = np.repeat(np.arange(len(ptr) - 1), np.diff(ptr))
    key = row * max(bound, 1) + target
    if np.any(np.diff(key) <= 0):
        key = np.sort(key)
    twice = np.flatnonzero(np.diff(key) == 0)
    if len(twice):
        at = int(key[twice[0]])
        raise BookError(
            f"row {at // bound} of {column} names {noun} {at % bound} twice; add them up"
        )


def _check_curves(name: str, noun: str, ptr: Ints, rate: Floats, price: Floats) -> None:
    size = np.diff(ptr)
    if np.any(size == 0):
        raise BookError(f"{noun} {int(np.argmin(size))} has no curve; {name}_ptr must advance")
    if len(size) == 0:
        return
    inside = np.ones(len(rate), bool)
    inside[ptr[:-1]] = False
    for column, step, rule in (
        ("rate", np.diff(rate, prepend=0.0), "rates never decrease"),
        ("price", -np.diff(price, prepend=0.0), "prices never increase"),
    ):
        wrong = np.flatnonzero(inside & (step < 0))
        if len(wrong):
            owner = int(np.searchsorted(ptr, wrong[0], side="right")) - 1
            raise BookError(f"{name}_{column}[{wrong[0]}] ({noun} {owner}): {rule} along a curve")
    beyond = np.flatnonzero((rate[ptr[:-1]] > 0) | (rate[ptr[1:] - 1] < 0))
    if len(beyond):
        raise BookError(f"{noun} {int(beyond[0])}: rate 0 must lie inside its curve")
