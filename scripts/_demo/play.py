"""One auction from an empty chain to empty accounts, step by step."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any, Final

from scripts._demo.book import Bidder
from scripts._demo.clearer import Clearer
from scripts._demo.market import Venue
from scripts._demo.stages import Stages
from scripts._demo.stocks import Stock
from scripts._demo.wallet import CommandFailed, Wallet
from walras.chain.accounts import Keystore
from walras.chain.events import Sealed, Settled
from walras.chain.sender import Sender
from walras.chain.transactions import SendPolicy
from walras.numbers import MIN_UNITS

__all__ = ["BATCH", "VILLAINS", "Play"]

BATCH: Final = 1
# Who seals what cannot trade: noise, somebody else's ciphertext, more than the ledger covers.
VILLAINS: Final = {"mallory": "garbage bytes", "eve": "a copied ciphertext", "ivan": "not covered"}
_POCKET_MONEY: Final = 100  # dollars the three bring for their fees
_NOISE: Final = 150  # bytes


@dataclass
class Play:
    """What everybody does, in order. `addresses` by name; `seal_gas` of every seal."""

    venue: Venue
    wallet: Wallet
    stages: Stages
    bidders: Sequence[Bidder]
    directory: Path
    addresses: dict[str, str] = field(default_factory=dict)
    seal_gas: list[int] = field(default_factory=list)

    @property
    def star(self) -> Bidder:
        """The bidder whose commands are shown."""
        return self.bidders[0]

    @property
    def names(self) -> list[str]:
        """Everybody who seals."""
        return [*(bidder.name for bidder in self.bidders), *VILLAINS]

    def open_accounts(self) -> None:
        """`walras account new` for everybody."""
        words = ("account", "new", self.star.name, "--light")
        with (
            self.stages.stage("accounts", "everybody opens an account", len(self.names)) as step,
            self.wallet.shell(*words) as shown,
        ):
            for name in self.names[1:]:
                self.wallet.json("account", "new", name, "--light")
                step()
            output = shown()
        self.stages.transcript(words, output)
        self.addresses = {a["name"]: a["address"] for a in self.wallet.json("account", "list")}

    def deposit(self, stocks: Sequence[Stock]) -> None:
        """Give out play money, write the orders, bring into the market what each order locks."""
        with self.stages.stage(
            "deposit", "everybody deposits cash and shares", len(self.names) + 1
        ) as step:
            self.venue.endow((self.addresses[name] for name in self.names), stocks)
            step()
            for bidder in self.bidders:
                path = self.order(bidder)
                path.write_text(json.dumps(bidder.order, indent=2) + "\n")
                checked = self.wallet.json("order", "check", str(path), account=bidder.name)
                words = ["deposit", *_words(checked["missing"])]
                how = () if bidder.kind == "investor" else ("--permit",)
                self.wallet.json(*words, *how, account=bidder.name)
                step()
            for name in VILLAINS:
                self.wallet.json("deposit", "cash", str(_POCKET_MONEY), account=name)
                step()

    def seal(self) -> None:
        """`walras order seal` for everybody while the batch is open, then the three bad ones."""
        file = str(self.order(self.star))
        checked = self.wallet.here("order", "check", file, account=self.star.name)
        self.stages.transcript(("order", "check", file), _excerpt(checked))
        words = ("order", "seal", file)
        with (
            self.stages.stage("seal", "everybody seals", len(self.names)) as step,
            self.wallet.shell(*words, account=self.star.name) as shown,
        ):
            for bidder in self.bidders[1:]:
                order = str(self.order(bidder))
                sealed = self.wallet.json("order", "seal", order, account=bidder.name)
                self.seal_gas.append(sealed["gas"])
                step()
            output = shown()
            step()
            self._misbehave()
        self.stages.transcript(words, output)

    def close(self, clearer: Clearer) -> Settled:
        """Move the clock past lock-out and watch the clearer publish the key and settle."""
        market, bounds = self.venue.market, self.venue.market.schedule.boundaries(BATCH)
        with self.stages.stage("reveal", "lock-out; the clearer publishes the key"):
            for moment in (bounds.lock_in, bounds.lock_out, bounds.reveal_from):
                self.venue.to(moment)
            clearer.wait_for(lambda: market.read_all([("secret", BATCH)])[0])
        with self.stages.stage("settle", "the clearer opens, solves and settles"):
            return clearer.wait_for(lambda: market.settled_event(BATCH))

    def withdraw(self) -> Mapping[str, Any]:
        """Everybody takes everything out; meanwhile somebody audits, from chain data alone."""
        title = "everybody withdraws everything, somebody audits"
        with (
            self.wallet.shell("order", "status", account=self.star.name) as status,
            self.wallet.shell("audit", str(BATCH), "--json") as audited,
        ):
            with self.stages.stage("withdraw", title, len(self.names)) as step:
                for name in reversed(self.names):  # the star looks at its fills first
                    self._withdraw(name)
                    step()
            self.stages.transcript(("order", "status"), status())
            with self.stages.stage("audit", "the audit is done"):
                report: Mapping[str, Any] = json.loads(audited())
        if not report["ok"]:
            raise CommandFailed("the audit found something wrong")
        return report

    def order(self, bidder: Bidder) -> Path:
        """Where a bidder's order file is."""
        return self.directory / f"{bidder.name}.json"

    def median_seal_gas(self) -> int:
        """Gas of the seal in the middle."""
        return int(median(self.seal_gas))

    def _withdraw(self, name: str) -> None:
        if any(bidder.name == name and bidder.stands for bidder in self.bidders):
            self.wallet.json("order", "cancel", account=name)
        held = self.wallet.json("balance", account=name)["market"]
        words = [word for asset in _withdrawable(held) for word in (asset, "all")]
        if words:
            self.wallet.json("withdraw", *words, account=name)

    def _misbehave(self) -> None:
        """Seal what the wallet refuses, through the contract itself."""
        market = self.venue.market
        first = next(e for e in market.sealed_events(BATCH) if isinstance(e, Sealed))
        policy = SendPolicy(poll_every=0.02)
        keystore = Keystore(self.wallet.data_dir / "accounts")
        password = self.wallet.password_file.read_text().strip()
        for name, ciphertext, units in (
            ("mallory", secrets.token_bytes(_NOISE), 2 * MIN_UNITS),
            ("eve", first.ct, first.units),
        ):
            sender = Sender(self.venue.node.client, keystore.unlock(name, password), policy)
            market.bind(sender).seal(BATCH, units, ciphertext)
        path = self.directory / "ivan.json"
        path.write_text(json.dumps(self.star.order, indent=2) + "\n")
        self.wallet.json("order", "seal", str(path), "--force", account="ivan")


def _words(missing: Mapping[str, str]) -> list[str]:
    """Arguments of `walras deposit`: whole dollars and some more for the fee, the exact shares."""
    words = []
    for asset, amount in missing.items():
        words += [asset, str(ceil(Fraction(amount)) + 10) if asset == "cash" else amount]
    return words


def _withdrawable(held: Mapping[str, str]) -> list[str]:
    """Assets of which a base unit is in the market: cash has six decimals, stocks have 18."""
    least = {asset: Fraction(1, 10**6 if asset == "USD" else 10**18) for asset in held}
    return [asset for asset, amount in held.items() if Fraction(amount) >= least[asset]]


def _excerpt(text: str) -> str:
    """The first auth and the escrow of `walras order check`, which goes on and on."""
    blocks = text.split("\nAuth ")
    if len(blocks) == 1:
        return text
    tail = text[text.index("\nEscrow") :]
    return f"{blocks[0]}\n… {len(blocks) - 1} more …\n{tail}"
