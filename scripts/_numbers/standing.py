"""Gas of what stands, batch after batch, and of settling in chunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from scripts._numbers.shapes import PRICE
from tests.contract.batches import order
from tests.contract.chunks import cut
from tests.contract.days import Days, limited
from tests.contract.node import Chain
from tests.contract.support import OPERATOR, Bench, address, storage_slot
from walras.auths import Auth, Cost, Step, Term
from walras.batch import CASH
from walras.certificate import settle
from walras.clearing.problem import solve_batch
from walras.numbers import X40
from walras.schedule import Phase
from walras.settlement import encode_submissions

__all__ = ["STANDING", "in_chunks", "marginal"]

FEW, MORE = 4, 12
CHUNKED: Final = (240, 120)  # accounts, and of a chunk
TEN_CHUNKED: Final = (60, 30)  # of ten auths each: what a capacity of 10,000 units has room for


@dataclass
class Rich(Days):
    """Accounts that hold enough of what they trade, the home product first."""

    products: tuple[int, ...] = (0,)

    def owner(self, name: str) -> str:
        """Address of a name, endowed the first time."""
        if name not in self.names:
            owner = self.names[name] = address(name)
            for k in self.products:
                self.bench.deposit(owner, k, 10**6 * self.bench.units[k])
            self.bench.deposit(owner, CASH, 10**8 * self.bench.units[CASH])
        return self.names[name]

    def settled(self) -> int:
        """Gas of settling the batch at once."""
        self.bench.go(self.batch, Phase.CLEARING)
        state, opened = self.opened()
        settlement = settle(state, opened, *solve_batch(state, opened))
        data = encode_submissions(self.entries(), settlement.shadows)
        board = (list(settlement.prices), list(settlement.prices.values()))
        receipt = self.bench.do(OPERATOR, "settle", self.batch, *board, data)
        self.learn(settlement)
        return receipt.gas


@dataclass(frozen=True)
class Shape:
    """Auths of the i-th account, and its costs."""

    auths: Callable[[int], tuple[Auth, ...]]
    costs: tuple[Cost, ...] = ()
    products: tuple[int, ...] = (0,)


def side(k: int, turn: int, away: int = -1) -> Auth:
    """Buyers and sellers turn by turn, so many cash units away from trading."""
    if turn % 2:
        return order({k: 1}, PRICE + away, sell=[1_000])
    return order({k: 1}, PRICE - away, buy=[1_000])


def bounded(k: int, turn: int, away: int = -1) -> Auth:
    """The same with limits it does not reach."""
    return limited(side(k, turn, away), 10**6, 10**6)


def cost(*auths: int) -> Cost:
    """Ever dearer together, beyond what they would trade alone."""
    steep = (Step(1_500, 200 * X40),)
    return Cost(tuple(Term(j, 1) for j in auths), 0, 0, steep, steep)


STANDING: Final = {
    "one auth, first product": Shape(lambda i: (side(0, i),)),
    "one auth with limits, first product": Shape(lambda i: (bounded(0, i),)),
    "one auth with limits, unfilled": Shape(lambda i: (bounded(0, i, 20),)),
    "three portfolios": Shape(lambda i: tuple(side(k, i) for k in (0, 1, 2)), products=(0, 1, 2)),
    "three portfolios, two costs": Shape(
        lambda i: tuple(side(k, i) for k in (0, 1, 2)), (cost(0, 1), cost(1, 2)), (0, 1, 2)
    ),
}


def enter(bench: Bench, shape: Shape, count: int, *, standing: bool) -> Rich:
    """Batch 2 past its lock-out; so many accounts traded in the first."""
    days = Rich(bench, products=shape.products)
    for batch in (1, 2):
        days.go(batch)
        for i in range(count):
            if batch == 1 or not standing:
                days.seal(f"x{i}", *shape.auths(i), costs=shape.costs, standing=standing)
        if batch == 1:
            days.settled()
    if standing:
        bench.do(OPERATOR, "open", 2)
    bench.go(2, Phase.CLEARING)
    return days


def marginal(chain: Chain, bench: Bench) -> dict[str, int]:
    """What an account that stands adds to a batch, by its shape."""
    out = {}
    for name, shape in STANDING.items():
        spent = []
        for count in (FEW, MORE):
            with chain.undone():
                spent.append(enter(bench, shape, count, standing=True).settled())
        out[name] = (spent[1] - spent[0]) // (MORE - FEW)
    return out


def ten(i: int) -> tuple[Auth, ...]:
    """One product each, five buyers and five sellers."""
    return tuple(bounded(k, i + k) for k in range(10))


def in_chunks(chain: Chain, bench: Bench) -> dict[str, int]:
    """A batch at once and in chunks: gas of an account, and the overhead."""
    one = STANDING["one auth with limits, first product"]
    many = Shape(ten, products=tuple(range(10)))
    return {
        **_in_chunks(chain, bench, one, CHUNKED, ""),
        **_in_chunks(chain, bench, many, TEN_CHUNKED, ", ten auths"),
    }


def _in_chunks(
    chain: Chain, bench: Bench, shape: Shape, sizes: tuple[int, int], suffix: str
) -> dict[str, int]:
    """By the operator, whose chunks write ahead; by anybody in FALLBACK, applied afterwards."""
    out = {}
    count, size = sizes
    cuts = [size] * (count // size - 1)
    for standing in (True, False):
        kind = ("standing" if standing else "sealed") + suffix
        with chain.undone():
            days = enter(bench, shape, count, standing=standing)
            # as after every batch but a market's first in chunks
            place = storage_slot("digests"), "0x" + "01" * 32
            chain.rpc("anvil_setStorageAt", bench.market, *place)
            with chain.undone():
                once = Rich(bench, 2, days.names, days.sealed, dict(days.standing)).settled()
            with chain.undone():
                chunked = cut(days, *cuts)
                ahead = sum(receipt.gas for receipt in chunked.verify_all())
            chunked.verify(0)
            restored = chunked.restore(0, of=1).gas
            days.go(2, Phase.FALLBACK)
            chunked = cut(days, *cuts)
            verified = sum(receipt.gas for receipt in chunked.verify_all())
            applied = sum(chunked.apply(n).gas for n in range(len(chunked.effects)))
        out[f"at once, {kind}"] = once // count
        for way, gas in (("overhead", ahead), ("fallback overhead", verified + applied)):
            out[f"{way}, {kind}"] = (gas - once) // count
            out[f"{way}, {kind}, %"] = round(100 * gas / once) - 100
        out[f"verified in fallback, {kind}"] = verified // count
        out[f"applied, {kind}"] = applied // count
        out[f"restored, {kind}"] = restored // size
    return out
