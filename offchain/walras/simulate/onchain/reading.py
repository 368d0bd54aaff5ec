"""What a batch came to, read back: events and calldata unfolded, ledgers asked of the contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from eth_utils.address import to_checksum_address

from walras.auths import Submission
from walras.batch import CASH, AccountState, Product
from walras.chain.lockout import STANDING
from walras.chain.market import Market
from walras.chain.unfold import KINDS, Unfolding
from walras.decoding import VoidReason
from walras.errors import ChainError
from walras.history_lines import AccountLine, BatchLine, FillLine, PriceLine
from walras.simulate.venue import Totals

__all__ = ["Books", "History", "Settled"]

_REASONS = {reason.name.lower(): reason for reason in VoidReason}


@dataclass(frozen=True, slots=True)
class Settled:
    """The rows of a settled batch, ascending by account and by product."""

    batch: BatchLine
    prices: Sequence[PriceLine]
    accounts: Sequence[AccountLine]
    fills: Sequence[FillLine]

    @property
    def voids(self) -> dict[bytes, VoidReason]:
        """Who did not trade, and why."""
        return {a.account: _REASONS[a.reason] for a in self.accounts if a.reason}

    @property
    def amended(self) -> frozenset[bytes]:
        """Whose amendment replaced what stood."""
        return frozenset(a.account for a in self.accounts if a.change == "amended")

    def rates(self, submissions: Mapping[bytes, Submission]) -> dict[bytes, tuple[int, ...]]:
        """Portfolio units X44 by auth of those who traded."""
        found = {
            a.account: [0] * len(submissions[a.account].auths)
            for a in self.accounts
            if not a.reason
        }
        for line in self.fills:
            found[line.account][line.auth] = line.rate
        return {account: tuple(rates) for account, rates in found.items()}


class History:
    """Follows a market's events, batch by batch."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._next = market.client.block("latest").number + 1
        self._unfolding = Unfolding(market, {}, {})

    def settled(self, batch: int) -> Settled:
        """What happened since the last call; ChainError unless this batch settled in it."""
        head = self._market.client.block("latest").number
        self._unfolding.take(self._market.history(KINDS, self._next, head))
        self._next = head + 1
        lines = self._unfolding.rows_up_to(head)
        found = [line for line in lines if isinstance(line, BatchLine)]
        if [(one.batch, one.status) for one in found] != [(batch, "settled")]:
            raise ChainError(f"batch {batch} did not settle on the chain; the operator left it")
        return Settled(
            found[0],
            [line for line in lines if isinstance(line, PriceLine)],
            [line for line in lines if isinstance(line, AccountLine)],
            [line for line in lines if isinstance(line, FillLine)],
        )


class Books:
    """What the contract holds for accounts, products and everybody together."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def accounts(
        self, known: Mapping[bytes, AccountState], touched: Mapping[bytes, Iterable[int]]
    ) -> dict[bytes, AccountState]:
        """The accounts of ``touched`` now, with fresh cash and the ledgers of these products."""
        owners = {account: to_checksum_address(account) for account in touched}
        words = self._market.read_all([("account", owner) for owner in owners.values()])
        pairs = [(a, k) for a, products in touched.items() for k in (CASH, *products)]
        amounts = self._market.read_all([("balanceOf", owners[a], k) for a, k in pairs])
        held: dict[bytes, dict[int, int]] = {account: {} for account in touched}
        for (account, k), amount in zip(pairs, amounts, strict=True):
            held[account][k] = amount
        found = {}
        for account, word in zip(touched, words, strict=True):
            cash = held[account].pop(CASH)
            found[account] = replace(
                known[account],
                cash=cash,
                lots={**known[account].lots, **held[account]},
                home=word[2] - 1 if word[2] else None,
                units=word[4],
                seal_hash=word[6],
                standing=bool(word[5] & STANDING),
            )
        return found

    def cash(self, accounts: Sequence[bytes]) -> dict[bytes, int]:
        """Cash X40 of these accounts."""
        calls = [("balanceOf", to_checksum_address(account), CASH) for account in accounts]
        return dict(zip(accounts, self._market.read_all(calls), strict=True))

    def references(self, products: Sequence[int]) -> dict[int, int]:
        """References X40 of these products."""
        words = self._market.read_all([("product", k) for k in products])
        return {k: Product(k, *word).reference for k, word in zip(products, words, strict=True)}

    def totals(self, accounts: Iterable[bytes], settler: str) -> Totals:
        """All there is: every ledger, the houses, and what fees and bond hold.

        Raises ChainError unless it is what the contract says it keeps.
        """
        view = self._market.view()
        owners = [to_checksum_address(account) for account in accounts]
        ids = [CASH, *(product.asset.id for product in view.products)]
        pairs = [(owner, asset) for owner in owners for asset in ids]
        sums = dict.fromkeys(ids, 0)
        amounts = self._market.read_all([("balanceOf", *pair) for pair in pairs])
        for (_, asset), amount in zip(pairs, amounts, strict=True):
            sums[asset] += amount
        for product in view.products:
            sums[product.asset.id] += product.state.house
        (claims,) = self._market.read_all([("claimable", settler)])
        funds = view.treasury
        sums[CASH] += claims + funds.house_cash + funds.bond + funds.reserved + view.batch.pot
        for kept in (view.cash, *(product.asset for product in view.products)):
            if sums[kept.id] != kept.custody:
                raise ChainError(
                    f"the contract keeps {kept.custody} of {kept.symbol}, its ledgers add up to "
                    f"{sums[kept.id]}"
                )
        cash = sums.pop(CASH)
        return Totals(cash, sums)
