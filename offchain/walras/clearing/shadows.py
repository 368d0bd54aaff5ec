"""The shadow prices of all costs of a book, as prices move: guessed, checked, solved for."""

from collections.abc import Sequence

import numpy as np

from walras.clearing.coupled import Block, blocks_of
from walras.clearing.exact import ExactBook, Response
from walras.clearing.limbs import Floats, Ints, integers
from walras.clearing.reduction import Reduction

__all__ = ["Shadows"]


class Shadows:
    """The blocks of costs of a book. Shadow prices are X112, in the order of `book.costs`."""

    def __init__(self, book: ExactBook) -> None:
        self.book = book
        self.blocks = blocks_of(book)
        self.reduction = Reduction(book, self.blocks)

    def free(self, shadows: Sequence[int]) -> Ints:
        """(G,) 1 where a shadow price is not at an end."""
        inside = [low < s < high for s, (low, high) in zip(shadows, self.book.boxes, strict=True)]
        return np.array(inside, np.int64)

    def follow(self, answer: Response, shadows: Sequence[int], cash: Floats) -> Floats:
        """(G,) how the shadow prices move with prices that move by `cash`, in cash units."""
        slopes = self.book.slopes(answer.ramp)
        return self.reduction.follow(slopes, self.free(shadows), cash)

    def settle(self, prices: list[int], guess: Sequence[int]) -> tuple[list[int], Response]:
        """The shadow prices at `prices` (X112) and what the book answers to both."""
        boxes = zip(guess, self.book.boxes, strict=True)
        shadows = [min(max(price, low), high) for price, (low, high) in boxes]
        answer = self.book.respond(prices, shadows)
        if not self.blocks:
            return shadows, answer
        slack = [-missing for missing in integers(answer.demand[self.book.products :])]
        moved = False
        for block in self.blocks:
            held = [shadows[d] for d in block.costs]
            if block.settled(held, [slack[d] for d in block.costs]):
                continue
            moved = True
            solved = block.solve(self._levels(block, prices), held)
            for d, price in zip(block.costs, solved, strict=True):
                shadows[d] = price
        return shadows, self.book.respond(prices, shadows) if moved else answer

    def _levels(self, block: Block, prices: Sequence[int]) -> list[int]:
        """What the portfolios of the block's auths cost, X112."""
        rows, levels = self.book.rows, []
        for auth in block.auths:
            legs = slice(rows.leg_ptr[auth], rows.leg_ptr[auth + 1])
            pairs = zip(
                rows.leg_product[legs].tolist(), rows.leg_weight[legs].tolist(), strict=True
            )
            levels.append(sum(w * prices[k] for k, w in pairs if k < self.book.products))
        return levels
