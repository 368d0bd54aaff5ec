"""The ghost's escrow: deposits, withdrawals, bond, house and listing (docs/SPEC.md §5, §7, §8).

Every function is one of the contract's, called with `sender` first: it moves the books or raises
`Refusal`, after which they are worthless (`Ghost.after` works on a copy).
"""

from __future__ import annotations

from tests.reference.formulae import house_log2
from tests.stateful.books import ALL, CASH, NOBODY, X44, Books, Line, Refusal, Token, Vault

U128 = 2**128 - 1


class Escrow(Books):
    """Tokens in and out, and the funds behind a batch."""

    # --------------------------------------------------------------------------------- ledgers

    def deposit(self, sender: str, asset: int, amount: int) -> None:
        self._listed(asset)
        self._thawed(sender)
        self.credit(sender, asset, self._take(sender, asset, amount))

    def deposit_with_permit(
        self, sender: str, asset: int, amount: int, deadline: int, signed: int
    ) -> None:
        """`signed` is the amount of a good signature with the owner's next nonce, -1 if bad."""
        token = self.tokens[self._listed(asset).token]
        if signed == amount and self.now <= deadline:
            token.allowances[sender] = amount
            token.nonces[sender] = token.nonces.get(sender, 0) + 1
        self.deposit(sender, asset, amount)

    def withdraw(self, sender: str, asset: int, amount: int, to: str) -> None:
        self._listed(asset)
        self._thawed(sender)
        base, ledger = self._payable(asset, amount, self.balance(sender, asset))
        self._give(asset, base, ledger, to)
        self.credit(sender, asset, -ledger)

    def claim(self, sender: str, to: str) -> None:
        base, ledger = self._payable(CASH, ALL, self.holder(sender).claimable)
        self._give(CASH, base, ledger, to)
        self.holder(sender).claimable -= ledger

    # -------------------------------------------------------------------------- bond and house

    def add_bond(self, sender: str, amount: int) -> None:
        self.bond += self._take(sender, CASH, amount)

    def draw_bond(self, sender: str, amount: int, to: str) -> None:
        self._operator(sender)
        self._unbound()
        base, ledger = self._payable(CASH, amount, self.bond)
        self._give(CASH, base, ledger, to)
        self.bond -= ledger

    def fund_house(self, sender: str, asset: int, amount: int) -> None:
        self._listed(asset)
        self._set_house(asset, self._house(asset) + self._take(sender, asset, amount))

    def draw_house(self, sender: str, asset: int, amount: int, to: str) -> None:
        self._operator(sender)
        self._unbound()
        self._listed(asset)
        base, ledger = self._payable(asset, amount, max(0, self.spare(asset)))
        self._give(asset, base, ledger, to)
        self._set_house(asset, self._house(asset) - ledger)

    # --------------------------------------------------------------------------------- listing

    def list(
        self,
        sender: str,
        token: str,
        lot: int,
        scale: int,
        tick_bps: int,
        depth_log2: int,
        lots_cap: int,
    ) -> None:
        self._operator(sender)
        if token not in self.tokens:
            raise Refusal("NoToken", token)
        if any(vault.token == token for vault in self.vaults.values()):
            raise Refusal("AlreadyListed", token)
        for name, value, good in (
            ("lot", lot, lot > 0),
            ("scale", scale, 2**24 <= scale <= 2**54),
            ("tickBps", tick_bps, tick_bps > 0),
            ("depthLog2", depth_log2, depth_log2 <= 52),
            ("lotsCap", lots_cap, 0 < lots_cap <= 2**51),
        ):
            if not good:
                raise Refusal("BadParameter", name, value)
        self._cover(self.cover_value + 8 * scale * lots_cap)
        least = house_log2(self.terms["cover_cap"], scale)
        self.vaults[len(self.lines)] = Vault(token, lot, 44, lots_cap * X44)
        since = self.current + 1
        self.lines.append(Line(0, scale << 16, scale, tick_bps, depth_log2, least, since))

    def reset_scale(self, _sender: str, product: int) -> None:
        self._unbound()
        if product >= len(self.lines):
            raise Refusal("UnknownAsset", product)
        line = self.lines[product]
        target = line.reference >> 16
        scale = min(max(target, 2**24), 2**54)
        if scale < 4 * line.scale and 4 * scale > line.scale:
            raise Refusal("ScaleHolds", line.scale, target)
        cap = self.vaults[product].cap // X44
        self._cover(self.cover_value + 8 * (scale - line.scale) * cap)
        line.scale = scale
        line.house_log2 = house_log2(self.terms["cover_cap"], scale)

    # -------------------------------------------------------------------------------- parts

    def spare(self, asset: int) -> int:
        """What the house holds beyond its least, or lacks."""
        least = self.least_house_cash if asset == CASH else X44 << self.lines[asset].house_log2
        return self._house(asset) - least

    def _operator(self, sender: str) -> None:
        if sender != self.terms["operator"]:
            raise Refusal("NotOperator", sender)

    def _unbound(self) -> None:
        if not self.finished:
            raise Refusal("Unfinished", self.round.number)

    def _listed(self, asset: int) -> Vault:
        if asset not in self.vaults:
            raise Refusal("UnknownAsset", asset)
        return self.vaults[asset]

    def _thawed(self, owner: str) -> None:
        if self.frozen(owner):
            raise Refusal("Frozen", owner, self.round.number)
        self.pay_rent(owner)

    def _cover(self, value: int) -> None:
        if value > self.terms["cover_cap"] << 24:
            raise Refusal("BadParameter", "coverCap", value >> 24)

    def _house(self, asset: int) -> int:
        return self.house_cash if asset == CASH else self.lines[asset].house

    def _set_house(self, asset: int, holding: int) -> None:
        if asset == CASH:
            self.house_cash = holding
        else:
            self.lines[asset].house = holding

    def _take(self, owner: str, asset: int, amount: int) -> int:
        """Move base units from a wallet to the market; their ledger units, which must be whole."""
        vault = self.vaults[asset]
        if not 0 < amount <= U128:
            raise Refusal("BadTransfer")
        if (amount << vault.bits) % vault.unit:
            raise Refusal("InexactAmount", amount, amount - amount % _exact_step(vault))
        ledger = (amount << vault.bits) // vault.unit
        if vault.custody + ledger > vault.cap:
            raise Refusal("CapExceeded", vault.custody + ledger, vault.cap)
        self._transfer_from(self.tokens[vault.token], owner, amount)
        vault.custody += ledger
        return ledger

    def _transfer_from(self, token: Token, owner: str, amount: int) -> None:
        """As OpenZeppelin's token: the endless allowance stays."""
        allowed, held = token.allowances.get(owner, 0), token.balances.get(owner, 0)
        if allowed < amount:
            raise Refusal("ERC20InsufficientAllowance", self.market, allowed, amount)
        if held < amount:
            raise Refusal("ERC20InsufficientBalance", owner, held, amount)
        if allowed != ALL:
            token.allowances[owner] = allowed - amount
        token.balances[owner] = held - amount
        token.balances[self.market] = token.balances.get(self.market, 0) + amount

    def _payable(self, asset: int, amount: int, available: int) -> tuple[int, int]:
        """(base units, ledger units they cost, rounded up)."""
        vault = self.vaults[asset]
        if amount == ALL:
            amount = available * vault.unit >> vault.bits
        if amount > U128:
            raise Refusal("BadTransfer")
        ledger = -(-(amount << vault.bits) // vault.unit)
        if ledger > available:
            raise Refusal("InsufficientBalance", ledger, available)
        return amount, ledger

    def _give(self, asset: int, amount: int, ledger: int, to: str) -> None:
        if amount == 0 or to in (NOBODY, self.market):
            raise Refusal("BadTransfer")
        vault = self.vaults[asset]
        balances = self.tokens[vault.token].balances
        balances[self.market] -= amount
        balances[to] = balances.get(to, 0) + amount
        vault.custody -= ledger
        vault.dust += ledger * vault.unit - (amount << vault.bits)


def _exact_step(vault: Vault) -> int:
    """Base units in the least amount that is a whole number of ledger units."""
    step = vault.unit
    for _ in range(vault.bits):
        if step % 2:
            break
        step //= 2
    return step
