"""What a settlement reads of the chain: products, live accounts, the batch (SPEC §1, §6, §7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from walras.numbers import X44, ceil_div, ceil_sqrt, div_toward_zero, floor_div

__all__ = [
    "CASH",
    "AccountState",
    "Amendment",
    "BatchState",
    "Product",
    "house_log2",
    "least_house_cash",
]

CASH = 65_535  # asset id of cash


@dataclass(frozen=True, slots=True)
class Product:
    """A listed product as the contract stores it.

    ``house`` lots X44, ``reference`` cash units X40 per lot, ``scale`` cash units X24 per lot.
    """

    id: int
    house: int
    reference: int
    scale: int
    tick_bps: int
    depth_log2: int
    house_log2: int = 0

    @property
    def tick(self) -> int:
        """Least price step, X40 per lot: ⌈scale·tickBps/10^4⌉."""
        return ceil_div((self.scale << 16) * self.tick_bps, 10_000)

    @property
    def epsilon(self) -> Fraction:
        """Slope of the market maker in lots per cash unit: 2^-10 lot per 100 % of scale."""
        return Fraction(1 << 14, self.scale)

    def maker(self, price: int) -> int:
        """Lots X44 the market maker sells at ``price`` (X84), rounded down."""
        return floor_div(price - self.reference * X44, self.scale << 26)

    def next_reference(self, price: int, volume: int) -> int:
        """Reference X40 after ``volume`` (lots X44) cleared at ``price`` (X84).

        It moves by volume/(volume + depth) of the way, at most 0.5 % of scale, and stays within
        a factor of eight of scale.
        """
        lots = volume >> 44
        move = div_toward_zero(
            (price - self.reference * X44) * lots, (lots + (1 << self.depth_log2)) * X44
        )
        most = (self.scale << 16) // 200
        moved = self.reference + min(max(move, -most), most)
        return min(max(moved, self.scale << 13), self.scale << 19)


@dataclass(frozen=True, slots=True)
class Amendment:
    """What a standing account sealed in the batch to replace its submission (SPEC §9)."""

    seal_hash: bytes
    units: int


@dataclass(frozen=True, slots=True)
class AccountState:
    """A live account at lock-out.

    ``address`` 20 bytes; ``cash`` X40, net of the rent owed from earlier batches; ``lots`` X44 by
    product; ``home`` the product that shares the account's first word, if any; ``units`` declared.
    ``seal_hash`` is the second word: H(ct), or the standHash of a ``standing`` account;
    ``uncovered`` whether that was uncovered in its last batch. ``word`` is its first word as
    stored, which only effects of chunks written ahead need.
    """

    address: bytes
    cash: int
    lots: Mapping[int, int]
    home: int | None
    units: int
    seal_hash: bytes
    standing: bool = False
    uncovered: bool = False
    amendment: Amendment | None = None
    word: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class BatchState:
    """Everything a settlement reads, fixed at lock-out, and the published ``secret``.

    ``accounts`` are the live ones, ascending by address; ``house_cash`` is X40; ``rent`` X40 is
    what each unit of a standing account pays for this batch: ticks·RENT; ``mark`` the rent index
    after it, which only effects of chunks need.
    """

    number: int
    batch_id: bytes
    scheduled_lock_out: int
    products: Mapping[int, Product]
    accounts: tuple[AccountState, ...]
    house_cash: int
    secret: int = field(repr=False)
    rent: int = 0
    mark: int = 0

    @property
    def ticks(self) -> dict[int, int]:
        """Tick X40 of every product, by id."""
        return {product.id: product.tick for product in self.products.values()}


def house_log2(cover_cap: int, scale: int) -> int:
    """Smallest k for which 2^k lots of house stand any batch: 2^k ≥ ⌈√(2·coverCap·2^14/s)⌉ + 1.

    The maker trades at most √(2·E·ε) when all cover is worth E ≤ ``cover_cap`` cash units
    (MATHEMATICS); ``scale`` is X24 per lot.
    """
    return ceil_sqrt(ceil_div(cover_cap << 15, scale)).bit_length()


def least_house_cash(products: Iterable[Product]) -> int:
    """Cash X40 the house must hold: every least house of lots at the highest reference."""
    return sum((8 * product.scale << product.house_log2) << 16 for product in products)
