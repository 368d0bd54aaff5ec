"""A standing order's progress: done, left, at what prices beside the market's, until when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from walras.auths import Auth, Submission
from walras.chain.views import AccountView, MarketView
from walras.cli.live import Pending
from walras.cli.output import clock, facts, say, table
from walras.cli.session import market_units
from walras.numbers import X44
from walras.orders.describe import portfolio_text
from walras.orders.history import Followed
from walras.orders.progress import Progress, progress
from walras.units import MarketUnits, exact_text, plain_text
from walras.words import counted

__all__ = ["Stand"]


@dataclass(frozen=True, slots=True)
class Stand:
    """An order that stands, or stood; ``found`` None until a settlement has shown it.

    ``pending`` is the amendment that waits to replace it.
    """

    account: AccountView
    view: MarketView
    found: Followed | None
    pending: Pending | None = None

    def data(self) -> dict[str, Any]:
        """For JSON; amounts in tokens, prices in cash tokens."""
        found = self.found
        return {
            "account": self.account.address,
            "standing": self.account.standing,
            "paused": self.account.paused,
            "units": self.account.units,
            "since": None if found is None else found.first,
            "batches": 0 if found is None else len(found.fills),
            "void_batches": [] if found is None else found.voids,
            "valid_until": None if found is None else found.submission.valid_until,
            "auths": [line.data() for line in self._lines()],
            "amendment": self._amendment(),
        }

    def _amendment(self) -> dict[str, Any] | None:
        waits = self.pending
        if waits is None:
            return None
        lines = None if waits.submission is None else self._fresh(waits.submission)
        return {
            "sealed_in": waits.batch,
            "from_batch": waits.batch + 1,
            "units": waits.units,
            "bytes": waits.size,
            "auths": None if lines is None else [line.data() for line in lines],
        }

    def show(self) -> None:
        """For a person."""
        found, now = self.found, self.view.now
        state = "live" if self.account.standing else "ended"
        if self.account.paused:
            state = "paused; `walras order resume` brings it back"
        if found is None:
            say(f"Standing order, {state}. No settlement has shown it yet.", "bold")
        else:
            self._show_found(found, state, now)
        if self.pending is not None:
            self._show_pending(self.pending)

    def _show_pending(self, waits: Pending) -> None:
        size = "" if waits.size is None else f"{counted(waits.size, 'byte')}, "
        say(f"Replaced from batch {waits.batch + 1} on, once batch {waits.batch} settles:", "bold")
        facts([("sealed", f"{size}{counted(waits.units, 'unit')}")])
        if waits.submission is None:
            say("What it says was sealed elsewhere: nobody can read it before the key is out.")
            return
        lines = [line.row(self.view.now) for line in self._fresh(waits.submission)]
        table("", ("auth", "per", "to do"), [(row[0], row[1], row[3]) for row in lines], left=2)

    def _show_found(self, found: Followed, state: str, now: int) -> None:
        since = f"{counted(len(found.fills), 'batch')} since batch {found.first}"
        if not (found.fills or found.voids):
            since = f"amended, in no batch yet; from batch {found.first} on"
        say(f"Standing order, {state}: {since}.", "bold")
        size = counted(len(found.body), "byte")
        lines = [("sealed", f"{size}, {counted(self.account.units, 'unit')}")]
        if found.voids:
            lines.append(("void", f"in {len(found.voids)} of them, lastly in {found.voids[-1]}"))
        if found.submission.valid_until:
            lines.append(("expires", clock(found.submission.valid_until, now)))
        facts(lines)
        cash = market_units(self.view).cash.symbol
        columns = ("auth", "per", "done", "left", "average", "market", "better by", "complete")
        table(f"Prices in {cash}", columns, [line.row(now) for line in self._lines()], left=2)

    def _fresh(self, submission: Submission) -> Iterator[_Line]:
        """The auths of an order that has traded nothing yet."""
        units = market_units(self.view)
        pairs = zip(submission.auths, progress(submission, ()), strict=True)
        for number, (auth, one) in enumerate(pairs, 1):
            yield _Line(number, auth, one, units, None)

    def _lines(self) -> Iterator[_Line]:
        if self.found is None:
            return
        units = market_units(self.view)
        moved = progress(self.found.submission, self.found.fills)
        for number, (auth, one) in enumerate(
            zip(self.found.submission.auths, moved, strict=True), 1
        ):
            yield _Line(number, auth, one, units, self._end(one))

    def _end(self, one: Progress) -> int | None:
        """When it is complete at the pace so far, unix seconds."""
        batches = one.batches_at_pace()
        if batches is None or one.complete or self.account.paused or not self.account.standing:
            return None
        return self.view.terms.schedule.boundaries(self.view.current + batches).lock_out


@dataclass(frozen=True, slots=True)
class _Line:
    """One auth, counted in tokens of its first product."""

    number: int
    auth: Auth
    progress: Progress
    units: MarketUnits
    end: int | None

    @property
    def _size(self) -> Fraction:
        """Tokens of the first product in a chain portfolio unit."""
        leg = self.auth.legs[0]
        return abs(self.units.by_id(leg.product).tokens(Fraction(leg.weight)))

    @property
    def portfolio(self) -> str:
        """Like ``1 AAPL − 1.5 MSFT``."""
        return portfolio_text(
            [
                (self.units.label(leg.product), self._tokens(leg.product, leg.weight) / self._size)
                for leg in self.auth.legs
            ]
        )

    def _tokens(self, product: int, lots: int) -> Fraction:
        return self.units.by_id(product).tokens(Fraction(lots))

    def _amount(self, units_x44: int | None) -> Fraction | None:
        return None if units_x44 is None else Fraction(units_x44, X44) * self._size

    def _price(self, x84: Fraction | None) -> Fraction | None:
        return None if x84 is None else self.units.cash.cash(x84 / X44) / self._size

    @property
    def _average(self) -> tuple[Fraction | None, int]:
        """Average price on the side that traded more, and which way is better: −1 if it bought."""
        one = self.progress
        bought = one.bought > one.sold
        return self._price(one.paid if bought else one.received), -1 if bought else 1

    @property
    def _better(self) -> Fraction | None:
        """Of the market's average price, by which part its own is better."""
        (average, sign), market = self._average, self._price(self.progress.market)
        if average is None or not market:
            return None
        return sign * (average - market) / abs(market)

    @property
    def _left(self) -> list[tuple[str, Fraction]]:
        sides = (("to buy", self.progress.to_buy), ("to sell", self.progress.to_sell))
        return [(word, amount) for word, x in sides if x and (amount := self._amount(x))]

    def data(self) -> dict[str, Any]:
        """For JSON."""
        one, left = self.progress, dict(self._left)
        return {
            "portfolio": self.portfolio,
            "done": plain_text(self._amount(one.done) or Fraction(0)),
            "bought": plain_text(self._amount(one.bought) or Fraction(0)),
            "sold": plain_text(self._amount(one.sold) or Fraction(0)),
            "to_buy": _plain(left.get("to buy"), one.to_buy),
            "to_sell": _plain(left.get("to sell"), one.to_sell),
            "average_price": _text(self._average[0]),
            "market_average": _text(self._price(one.market)),
            "better_by": _text(self._better),
            "complete": one.complete,
            "expected_end": self.end,
        }

    def row(self, now: int) -> Sequence[str]:
        """For the table."""
        one, better = self.progress, self._better
        left = [f"{exact_text(amount, places=6)} {word}" for word, amount in self._left]
        open_ended = one.to_buy is None or one.to_sell is None
        end = "" if self.end is None else clock(self.end, now)
        return (
            str(self.number),
            self.portfolio,
            exact_text(self._amount(one.done) or Fraction(0), places=6),
            ", ".join(left) or ("no limit" if open_ended else "nothing"),
            _short(self._average[0]),
            _short(self._price(one.market)),
            "" if better is None else f"{float(better) * 10_000:+.1f} bp",
            "complete" if one.complete else end,
        )


def _plain(amount: Fraction | None, left: int | None) -> str | None:
    return None if left is None else plain_text(amount or Fraction(0))


def _text(value: Fraction | None) -> str | None:
    return None if value is None else exact_text(value, places=12).replace(",", "").lstrip("≈")


def _short(value: Fraction | None) -> str:
    return "" if value is None else exact_text(value, places=6).removeprefix("≈")
