"""The shadow prices of one submission at given prices, exactly.

Costs that share auths form a block. Its shadow prices λ minimise

    ψ(λ) = Σ_j V_j*(L_j - g_j·λ) + Σ_d V_d*(λ_d),     bottom_d <= λ_d <= top_d,

with L_j what auth j's portfolio costs: convex, quadratic on each cell of a partition, in as many
variables as the block has costs, and ∂ψ/∂λ_d = s_d - S_d. At an end of its prices a cost takes any
s beyond that end, so the minimiser is what [C-5] of SPEC §3 asks for.

Newton on the variables that are free, with an exact line search; a variable that reaches an end
stays there until all others are done and its slope points inside again. Every release lowers ψ and
pieces are finitely many, so it ends. Prices are X112; quantities have 32 bits more than the X72 of
the book, so that what heavy coefficients make of their floors hides nothing.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import gmpy2

from walras.clearing.exact import ExactBook
from walras.clearing.line import Line
from walras.clearing.pieces import FINE, Curve, Piece, curve_of
from walras.errors import ClearingError

__all__ = ["Block", "blocks_of"]

_FLOATS = 10  # Newton steps in floating point before they are taken in long arithmetic
_PRECISION = 512
_MOST = 2_000
_LENGTH_BITS = 256  # a direction may be as long as the longest curve, a ramp as short as an ulp
_FAINT = 2.0**-200  # a curvature below any that a ramp can have

Scalar = float  # or gmpy2.mpfr
Matrix = list[list[Scalar]]


class _Point(NamedTuple):
    shadows: list[int]
    slack: list[int]  # s - S, X104
    pieces: list[Piece | None]  # of the auths, then of the costs


class Block:
    """Costs of one submission that share auths, and those auths.

    costs, auths: their numbers in the book; terms (auth place, cost place, coefficient).
    """

    def __init__(self, book: ExactBook, costs: Sequence[int]) -> None:
        self._book = book
        self.costs = tuple(costs)
        self.auths = tuple(sorted({auth for d in costs for auth, _ in book.costs[d].terms}))
        place = {auth: j for j, auth in enumerate(self.auths)}
        self._terms = [
            [(place[auth], coefficient) for auth, coefficient in book.costs[d].terms] for d in costs
        ]
        self._shares: list[list[tuple[int, int]]] = [[] for _ in self.auths]
        for d, terms in enumerate(self._terms):
            for j, coefficient in terms:
                self._shares[j].append((d, coefficient))
        self._boxes = [book.boxes[d] for d in costs]
        # What rounding λ leaves of a slack X104, and what the floors of D and S do to it in X72.
        self._least = [2 * len(terms) + 8 << FINE for terms in self._terms]
        self._noise = [sum(abs(g) for _, g in terms) + 2 * len(terms) + 16 for terms in self._terms]

    def clamp(self, shadows: Sequence[int]) -> list[int]:
        """The nearest prices within the ends."""
        return [min(max(s, low), high) for s, (low, high) in zip(shadows, self._boxes, strict=True)]

    @cached_property
    def _curves(self) -> list[Curve]:
        book = self._book
        return [curve_of(book.curves[auth], book.rooms[auth]) for auth in self.auths]

    @cached_property
    def _own(self) -> list[Curve]:
        return [curve_of(self._book.costs[d].ramps, None) for d in self.costs]

    def settled(self, shadows: Sequence[int], slack: Sequence[int]) -> bool:
        """Whether shadow prices X112 of the book are solutions here, given its s - S (X72)."""
        return all(
            abs(slack[d]) <= noise or _outward(shadows[d], slack[d], box)
            for d, noise, box in zip(self.costs, self._noise, self._boxes, strict=True)
        )

    def movable(self, shadows: Sequence[int], slack: Sequence[int]) -> list[int]:
        """The costs here that are not at an end which they want to pass."""
        boxes = zip(self.costs, self._boxes, strict=True)
        return [d for d, box in boxes if not _outward(shadows[d], slack[d], box)]

    def solve(self, levels: Sequence[int], start: Sequence[int]) -> list[int]:
        """Shadow prices X112 when the auths' portfolios cost `levels` (X112), sought from `start`.

        Raises ClearingError if the steps do not suffice.
        """
        point = self._at(levels, self.clamp(start))
        free = [low < s < high for s, (low, high) in zip(point.shadows, self._boxes, strict=True)]
        for count in range(_MOST):
            for d in range(len(free)):
                free[d] = free[d] and not self._outward(point, d)
            if not any(free[d] and abs(point.slack[d]) > self._least[d] for d in range(len(free))):
                released = self._released(point, free)
                if released is None:
                    return point.shadows
                free[released] = True
            point = self._step(levels, point, free, long=count >= _FLOATS)
        raise ClearingError(
            f"no shadow prices after {_MOST} exact steps for the costs {self.costs} of the book; "
            "keep the book, it shows a defect"
        )

    def _outward(self, point: _Point, d: int) -> bool:
        return _outward(point.shadows[d], point.slack[d], self._boxes[d])

    def _released(self, point: _Point, free: Sequence[bool]) -> int | None:
        """The fixed cost whose slack points inside most strongly."""
        inside = [
            (abs(point.slack[d]) / self._least[d], d)
            for d in range(len(free))
            if not free[d] and not self._outward(point, d) and abs(point.slack[d]) > self._least[d]
        ]
        return max(inside)[1] if inside else None

    def _step(
        self, levels: Sequence[int], point: _Point, free: list[bool], *, long: bool
    ) -> _Point:
        """One Newton step of the free costs, to where the slope along it vanishes or a price ends.

        A cost that would leave its prices at once is fixed instead (in `free`).
        """
        chosen = self._chosen(point, free)
        direction = self._direction(point, chosen, long=long)
        stuck = [
            d
            for d in chosen
            if direction[d] and point.shadows[d] == self._boxes[d][1 if direction[d] > 0 else 0]
        ]
        for d in stuck:
            free[d] = False
        if stuck:
            return point
        direction = self._within(point.shadows, direction)
        initial = -_dot(point.slack, direction) >> FINE
        if initial <= 0 and not long:  # floats did not see which way is down
            return self._step(levels, point, free, long=True)
        line = Line(_LENGTH_BITS, _LENGTH_BITS)
        while True:
            trial = self._at(levels, self.clamp(line.moved(point.shadows, direction)))
            slope = -_dot(trial.slack, direction) >> FINE
            if (slope >= 0 and line.whole) or 10 * abs(slope) <= initial or line.exhausted:
                return trial
            line.next(slope / initial, self._bend(trial, direction) / initial)

    def _chosen(self, point: _Point, free: Sequence[bool]) -> list[int]:
        """The free costs; if ψ is straight along some of them, the one of these with most to gain.

        Straight directions have no length of their own: together they would zigzag between ends.
        """
        count = len(self.auths)
        curved = {d for d, piece in enumerate(point.pieces[count:]) if piece is not None}
        for piece, shares in zip(point.pieces, self._shares, strict=False):
            curved.update(d for d, _ in shares if piece is not None)
        straight = [
            (abs(point.slack[d]) * (high - low), d)
            for d, (low, high) in enumerate(self._boxes)
            if free[d] and d not in curved and abs(point.slack[d]) > self._least[d]
        ]
        return [max(straight)[1]] if straight else [d for d, inside in enumerate(free) if inside]

    def _within(self, shadows: Sequence[int], direction: Sequence[int]) -> list[int]:
        """The direction, shortened so that its end lies within all prices."""
        share, whole = 1, 1
        for s, move, (low, high) in zip(shadows, direction, self._boxes, strict=True):
            room = high - s if move > 0 else s - low
            if abs(move) * share > room * whole:
                share, whole = room, abs(move)
        if share == whole:
            return list(direction)
        return [move * share // whole for move in direction]

    def _at(self, levels: Sequence[int], shadows: list[int]) -> _Point:
        slack, pieces = [0] * len(shadows), []
        for level, shares, curve in zip(levels, self._shares, self._curves, strict=True):
            relief = sum(coefficient * shadows[d] for d, coefficient in shares)
            rate, piece = curve.demand(level - relief)
            pieces.append(piece)
            for d, coefficient in shares:
                slack[d] += coefficient * rate
        for d, (curve, shadow) in enumerate(zip(self._own, shadows, strict=True)):
            asked, piece = curve.demand(shadow)
            slack[d] -= asked
            pieces.append(piece)
        return _Point(shadows, slack, pieces)

    def _direction(self, point: _Point, chosen: Sequence[int], *, long: bool) -> list[int]:
        """-(∂²ψ)⁻¹ ∂ψ over the chosen costs; where ψ is straight, far beyond an end."""
        with gmpy2.context(gmpy2.get_context(), precision=_PRECISION if long else 53):
            one = gmpy2.mpfr(1) if long else 1.0
            tilt = one * 2.0 ** (-300 if long else -46)
            place = {d: i for i, d in enumerate(chosen)}
            matrix = [[0 * one] * len(chosen) for _ in chosen]
            count = len(self.auths)
            for piece, shares in zip(point.pieces, self._shares, strict=False):
                if piece is not None:
                    slope = one * piece.width / piece.drop
                    held = [(place[d], g) for d, g in shares if d in place]
                    for a, g in held:
                        for b, h in held:
                            matrix[a][b] += slope * (g * h)
            for d, piece in enumerate(point.pieces[count:]):
                if piece is not None and d in place:
                    matrix[place[d]][place[d]] += one * piece.width / piece.drop
            for i in range(len(chosen)):
                matrix[i][i] += matrix[i][i] * tilt + _FAINT
            direction = [0] * len(point.shadows)
            right = [-one * point.slack[d] / (1 << FINE) for d in chosen]
            for d, move in zip(chosen, _solved(matrix, right), strict=True):
                direction[d] = int(move)
            return direction

    def _bend(self, point: _Point, direction: Sequence[int]) -> float:
        """How fast the slope along `direction` falls there."""
        bend = 0.0
        moves = [float(move) for move in direction]
        count = len(self.auths)
        for piece, shares in zip(point.pieces, self._shares, strict=False):
            if piece is not None:
                shift = sum(g * moves[d] for d, g in shares)
                bend += piece.width / piece.drop * shift * shift
        for piece, move in zip(point.pieces[count:], moves, strict=True):
            if piece is not None:
                bend += piece.width / piece.drop * move * move
        return bend


def blocks_of(book: ExactBook) -> list[Block]:
    """The costs of a book, parted so that no two parts share an auth."""
    owner: dict[int, int] = {}
    parts: dict[int, list[int]] = {}
    for d, cost in enumerate(book.costs):
        members = {owner[auth] for auth, _ in cost.terms if auth in owner}
        merged = [d]
        for part in members:
            merged += parts.pop(part)
        parts[d] = merged
        for e in merged:
            for auth, _ in book.costs[e].terms:
                owner[auth] = d
    return [Block(book, sorted(part)) for part in parts.values()]


def _outward(price: int, slack: int, box: tuple[int, int]) -> bool:
    """At an end, and wanting beyond it."""
    return (price == box[0] and slack >= 0) or (price == box[1] and slack <= 0)


def _dot(left: Sequence[int], right: Sequence[int]) -> int:
    return sum(a * b for a, b in zip(left, right, strict=True))


def _solved(matrix: Matrix, right: list[Scalar]) -> list[Scalar]:
    """Solve a symmetric positive definite system of any number type; overwrites both arguments."""
    size = len(right)
    for i in range(size):
        for j in range(i + 1, size):
            factor = matrix[j][i] / matrix[i][i]
            for k in range(i, size):
                matrix[j][k] -= factor * matrix[i][k]
            right[j] -= factor * right[i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            right[i] -= matrix[i][k] * right[k]
        right[i] /= matrix[i][i]
    return right
