"""An order file made ready to seal: what it means, what it locks, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from walras.chain.views import AccountView, MarketView
from walras.cli.output import clock
from walras.cli.session import Session, holdings, market_units
from walras.errors import ChainError, OrderError, UnrepresentableNumber
from walras.numbers import UNIT_GAS, X24, X44
from walras.orders import Conversion, Holdings, Setting, convert, parse_order
from walras.schedule import Phase
from walras.sealing import SEAL_OVERHEAD
from walras.submission import Cover, Submission, cover, encode, required_units
from walras.units import MarketUnits

__all__ = [
    "Prepared",
    "asset_amounts",
    "deposits_for",
    "market_setting",
    "prepare",
    "prepare_text",
    "read_order",
    "rent_per_unit",
    "require_open",
]

_LARGEST_FILE: Final = 1 << 20
# An order without a size may not spend what its own admission costs, should the base fee double.
_FEE_RESERVE: Final = 2
_LARGEST_SCALE: Final = 1 << 54  # cash units X24 per lot (SPEC §1)
_NO_HOME: Final = (1 << 16) - 1  # no product, so nothing of an order is in the account's own word


@dataclass(frozen=True, slots=True)
class Prepared:
    """An order in this market; ``fee`` X40 is what admission costs now.

    ``rent`` X40 is what a standing one pays for each batch at the least base fee, else 0.
    """

    order: Conversion
    body: bytes
    units: int
    fee: int
    rent: int
    need: Cover
    market: MarketUnits
    setting: Setting
    held: Holdings | None

    @property
    def submission(self) -> Submission:
        """What is sealed."""
        return self.order.submission

    @property
    def ciphertext_length(self) -> int:
        """Bytes of the sealed order."""
        return SEAL_OVERHEAD + len(self.body)

    @property
    def missing(self) -> Cover:
        """What has to be deposited before the order is covered, admitted and stays one batch."""
        with_fee = Cover(self.need.cash + self.fee + self.rent, self.need.lots)
        return (self.held or Holdings(0, {})).lacks(with_fee)

    @property
    def covered(self) -> bool:
        """Whether nothing is missing."""
        return not (self.missing.cash or self.missing.lots)


def read_order(path: Path) -> str:
    """The text of an order file; OrderError if it cannot be one."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise OrderError(f"{path} is larger than a megabyte; no order is")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise OrderError(f"there is no order file {path}; check its name") from None
    except UnicodeDecodeError:
        raise OrderError(f"{path} is not JSON: it is not even text") from None


def prepare(
    session: Session,
    path: Path,
    view: MarketView,
    account: AccountView | None,
    deposits: Mapping[int, int] | None = None,
) -> Prepared:
    """Read and convert the order in ``path`` for ``account`` (None: nobody in particular).

    ``deposits``, in ledger units by asset id, are counted as if they were in the ledger already.
    """
    text = read_order(path)
    try:
        return prepare_text(text, view, account, session.market.admission_fee, deposits)
    except (OrderError, UnrepresentableNumber) as error:
        raise OrderError(f"{path}: {error}") from None


def prepare_text(
    text: str,
    view: MarketView,
    account: AccountView | None,
    fee_of: Callable[[int], int],
    deposits: Mapping[int, int] | None = None,
) -> Prepared:
    """As ``prepare``, of an order's text; ``fee_of`` is the admission fee X40 of so many units."""
    market, setting = market_units(view), market_setting(view)
    held, home = None, None
    if account is not None:
        held = _with_deposits(holdings(account), deposits or {}, view.cash.id)
        home = account.home
    if home is None:  # the first product that comes in becomes the home
        home = next((asset for asset in deposits or {} if asset != view.cash.id), None)
    order = parse_order(text)
    found = convert(order, market, held, setting)
    units = required_units(found.submission, home=_worst_home(home, found.submission, held))
    fee = fee_of(units)
    if held is not None:  # open-ended sides have to leave the fee
        after = Holdings(held.cash - _FEE_RESERVE * fee, held.lots)
        found = convert(order, market, after, setting)
    body, need = encode(found.submission), cover(found.submission)
    rent = units * rent_per_unit(view) if order.standing else 0
    return Prepared(found, body, units, fee, rent, need, market, setting, held)


def rent_per_unit(view: MarketView) -> int:
    """RENT of SPEC §9, X40."""
    return UNIT_GAS * view.terms.min_base_fee * view.terms.cash_per_wei // 2


def market_setting(view: MarketView) -> Setting:
    """The market's clock, and the bounds that its caps put on prices."""
    room = (view.terms.cover_cap - view.terms.cash_cap) * X24
    caps = {}
    for product in view.products:
        lots = max(product.asset.cap // X44, 1)
        caps[product.asset.id] = max(min(room // (8 * lots), _LARGEST_SCALE), product.state.scale)
    return Setting(view.terms.schedule, view.now, view.terms.cover_cap, caps)


def require_open(
    view: MarketView, submission: Submission, account: AccountView, *, amends: bool = False
) -> None:
    """ChainError or OrderError in words if sealing for the current batch cannot work now.

    A standing account seals nothing but amendments, by the command that ``amends``.
    """
    if account.standing and not amends:
        raise ChainError(
            f"the order of {account.address} stands; replace it with `walras order amend FILE`, "
            "or cancel it first"
        )
    if amends and not submission.standing:
        raise OrderError(
            'an amendment is a standing order; write "standing": true, '
            "or cancel the one that stands"
        )
    schedule = view.terms.schedule
    if view.phase not in (Phase.OPEN, Phase.LOCKED_IN):
        opens = schedule.start(view.current + 1)
        raise ChainError(
            f"batch {view.current} is {view.phase.name} and takes no more seals; "
            f"batch {view.current + 1} opens at {clock(opens, view.now)}"
        )
    if view.seals_need and not (view.batch.number == view.current and view.batch.live):
        raise ChainError(f"no seal enters now: {'; '.join(view.seals_need)}; ask the operator")
    if account.live and account.batch == view.current and view.phase is Phase.LOCKED_IN:
        raise ChainError(
            f"your submission in batch {view.current} is committed since lock-in; "
            f"seal again when batch {view.current + 1} opens"
        )
    boundaries = schedule.boundaries(view.current)
    if 0 < submission.valid_until < boundaries.lock_out:
        raise OrderError(
            f"the order expires before batch {view.current} locks out at "
            f"{clock(boundaries.lock_out, view.now)}; give a later valid_until"
        )
    for product in submission.products:
        if not view.products[product].trading:
            symbol = view.products[product].asset.symbol
            raise OrderError(f"{symbol} trades from the next batch on; leave it out until then")


def asset_amounts(market: MarketUnits, amounts: Cover) -> dict[str, Fraction]:
    """Human amounts by symbol, cash first; only what is not zero."""
    named: dict[str, Fraction] = {}
    if amounts.cash:
        named[market.cash.symbol] = market.cash.cash(amounts.cash)
    for product, lots in amounts.lots.items():
        if lots:
            named[market.label(product)] = market.by_id(product).tokens_of_ledger(lots)
    return named


def deposits_for(market: MarketUnits, amounts: Cover) -> dict[str, Fraction]:
    """What to deposit, by the names `walras deposit` takes, to bring at least these amounts."""
    named: dict[str, Fraction] = {}
    if amounts.cash:
        named["cash"] = market.cash.least_deposit(amounts.cash)
    for product, lots in amounts.lots.items():
        named[market.label(product)] = market.by_id(product).least_deposit(lots)
    return named


def _worst_home(home: int | None, submission: Submission, held: Holdings | None) -> int | None:
    """The home to declare units for: a deposit that is still to come may bring any other one."""
    need = cover(submission)
    lacking = (held or Holdings(0, {})).lacks(need)
    return _NO_HOME if home is None and held is not None and lacking.lots else home


def _with_deposits(held: Holdings, deposits: Mapping[int, int], cash: int) -> Holdings:
    lots = dict(held.lots)
    for asset, amount in deposits.items():
        if asset != cash:
            lots[asset] = lots.get(asset, 0) + amount
    return Holdings(held.cash + deposits.get(cash, 0), lots)
