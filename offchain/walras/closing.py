"""What a batch comes to once all its accounts are summed: [C-1] to [C-4] (SPEC §6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from walras.batch import CASH, BatchState
from walras.errors import CertificateError
from walras.numbers import LEDGER_BOUND, X44, ceil_div
from walras.tally import Sums, freedom_up, loss_up

__all__ = ["Closing", "check_close", "closing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Sums of a batch, by product id.

    ``volumes`` lots X44 bought, ``residues`` z lots X44, ``excesses`` e and ``tolerances`` c + 2 in
    ulps of X44 lots, ``next_references`` X40. ``house`` lots X44 and ``house_cash`` X40 are what
    the house receives. ``loss_x40`` bounds the welfare lost to rounding, ``freedom_x40`` what
    another accepted price vector could have moved.
    """

    volumes: Mapping[int, int]
    residues: Mapping[int, int]
    excesses: Mapping[int, int]
    tolerances: Mapping[int, int]
    next_references: Mapping[int, int]
    house: Mapping[int, int]
    house_cash: int
    loss_x40: int
    freedom_x40: int


def closing(state: BatchState, sums: Sums, prices: Mapping[int, int]) -> Closing:
    """What ``sums`` come to at ``prices`` (X84), whether or not they clear."""
    products, lines = state.products, sums.lines
    excesses = {k: line.residue - products[k].maker(prices[k]) for k, line in lines.items()}
    squares = sum((abs(e) + 1) ** 2 * products[k].scale for k, e in excesses.items())
    misses = sum((4 * (line.touches + 2)) ** 2 * products[k].scale for k, line in lines.items())
    sizes = sum(ceil_div(line.volume, X44) ** 2 * products[k].scale for k, line in lines.items())
    return Closing(
        volumes={k: line.volume for k, line in lines.items()},
        residues={k: line.residue for k, line in lines.items()},
        excesses=excesses,
        tolerances={k: line.tolerance + 2 for k, line in lines.items()},
        next_references={
            k: products[k].next_reference(p, lines[k].volume) for k, p in prices.items()
        },
        house={k: -line.residue for k, line in lines.items()},
        house_cash=-sums.cash,
        loss_x40=loss_up(sums.slopes, squares, sums.cost_loss),
        freedom_x40=freedom_up(misses, sums.cost_span, sizes),
    )


def check_close(state: BatchState, sums: Sums, found: Closing) -> None:
    """Raise CertificateError unless every posted product is used and clears: [C-1], [C-2]."""
    for k, excess in found.excesses.items():
        if k not in sums.used:
            raise CertificateError("PriceUnused", product=k)
        tolerance = found.tolerances[k]
        if abs(excess) > tolerance:
            raise CertificateError("NotCleared", product=k, excess=excess, tolerance=tolerance)
        _check_house(k, state.products[k].house + found.house[k])
    _check_house(CASH, state.house_cash + found.house_cash)


def _check_house(asset: int, holding: int) -> None:
    if not 0 <= holding < LEDGER_BOUND:
        raise CertificateError("HouseShort", asset=asset, holding=holding)
