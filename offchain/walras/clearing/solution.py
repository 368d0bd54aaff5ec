"""The answer of an engine and its proof."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import IO

import numpy as np

from walras.clearing.book import Book, Floats
from walras.clearing.evaluate import Verdict, evaluate

__all__ = ["Clearing"]


@dataclass(frozen=True)
class Clearing:
    """Prices and fills of one book, with everything needed to judge them.

    prices (K,) cash per lot; fills (N,) portfolio units; group_prices (G,) shadow prices of the
    groups; iterations: Newton steps; timings: seconds by stage; tolerance: what was asked of
    `certificate`.
    """

    book: Book = field(repr=False)
    prices: Floats
    fills: Floats
    group_prices: Floats
    iterations: int
    timings: dict[str, float]
    tolerance: float
    engine: str = "walras"

    @cached_property
    def verdict(self) -> Verdict:
        """The judgement of `evaluate`, computed once and from the answer alone."""
        return evaluate(self.book, self.prices, self.fills, self.group_prices)

    def regrets(self) -> Floats:
        """(N + G,) cash that each order, then each group, leaves behind at the prices.

        Never negative.
        """
        return self.verdict.regrets

    @property
    def gap(self) -> float:
        """Upper bound, in cash, of the welfare missed."""
        return self.verdict.gap

    @property
    def residual(self) -> Floats:
        """(K,) lots bought less lots sold, the market maker included."""
        return self.verdict.residual

    @property
    def surplus(self) -> float:
        """Cash gained by trading, over doing nothing."""
        return self.verdict.surplus

    @property
    def certificate(self) -> float:
        """gap / surplus; infinite when undefined."""
        return self.verdict.certificate

    @property
    def certified(self) -> bool:
        """Whether the certificate is within the tolerance asked for."""
        return self.certificate <= self.tolerance

    def save(self, file: IO[bytes]) -> None:
        """Write `prices`, `fills` and `group_prices` to a compressed `.npz`, open as bytes."""
        np.savez_compressed(
            file, prices=self.prices, fills=self.fills, group_prices=self.group_prices
        )
