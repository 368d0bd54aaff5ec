"""The shadow prices of all costs of a book, as prices move: guessed, corrected, solved for."""

import math
from collections.abc import Sequence

import numpy as np

from walras.clearing.coupled import Block, blocks_of
from walras.clearing.exact import PRICE_BITS, QUANTITY_BITS, ExactBook, Response
from walras.clearing.limbs import Floats, Ints, integers
from walras.clearing.reduction import Reduction

__all__ = ["Shadows"]

_CORRECTIONS = 5  # Newton steps of all blocks together; those not done are solved one by one


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
        shadows = self._within(guess)
        answer, slack, open_ = self._look(prices, shadows, self.blocks)
        for _ in range(_CORRECTIONS):
            if not open_:
                return shadows, answer
            shadows = self._corrected(shadows, answer, slack, open_)
            answer, slack, open_ = self._look(prices, shadows, open_)
        for block in open_:
            solved = block.solve(self._levels(block, prices), [shadows[d] for d in block.costs])
            for d, price in zip(block.costs, solved, strict=True):
                shadows[d] = price
        return shadows, self.book.respond(prices, shadows) if open_ else answer

    def _within(self, shadows: Sequence[int]) -> list[int]:
        boxes = zip(shadows, self.book.boxes, strict=True)
        return [min(max(price, low), high) for price, (low, high) in boxes]

    def _look(
        self, prices: list[int], shadows: list[int], blocks: list[Block]
    ) -> tuple[Response, list[int], list[Block]]:
        """The answer, s - S (X72) of each cost, and which of the blocks it does not settle."""
        answer = self.book.respond(prices, shadows)
        slack = [-missing for missing in integers(answer.demand[self.book.products :])]
        return answer, slack, [block for block in blocks if not block.settled(shadows, slack)]

    def _corrected(
        self, shadows: list[int], answer: Response, slack: list[int], blocks: list[Block]
    ) -> list[int]:
        """One Newton step of `blocks`, as floats see it."""
        free = np.zeros(len(shadows), np.int64)
        for block in blocks:
            free[block.movable(shadows, slack)] = 1
        missed = np.array([math.ldexp(units, -QUANTITY_BITS) for units in slack])
        shift = self.reduction.correct(self.book.slopes(answer.ramp), free, missed)
        moves = [int(math.ldexp(cash, PRICE_BITS)) for cash in shift.tolist()]
        return self._within([price + move for price, move in zip(shadows, moves, strict=True)])

    def _levels(self, block: Block, prices: Sequence[int]) -> list[int]:
        """What the portfolios of the block's auths cost, X112."""
        rows, levels = self.book.rows, []
        for auth in block.auths:
            legs = slice(rows.leg_ptr[auth], rows.leg_ptr[auth + 1])
            products, weights = rows.leg_product[legs].tolist(), rows.leg_weight[legs].tolist()
            pairs = zip(products, weights, strict=True)
            levels.append(sum(w * prices[k] for k, w in pairs if k < self.book.products))
        return levels
