"""The wallet against a real market: what a bidder types, sees, and is told when it cannot be."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.venue import LOT, Venue, sell
from tests.unit.wallet import Wallet, order, points, settle
from walras.batch import CASH
from walras.chain.deploy import deploy_contract
from walras.cli import audit as audit_module
from walras.cli.app import run
from walras.schedule import Phase

pytestmark = pytest.mark.chain

BUY = {"portfolio": {"APPL": 1}, "data": {"demand": [[0, 210], [2, 190]]}}
PAIR = {"portfolio": {"APPL": "0.5", "BANA": "-0.75"}, "data": {"demand": {"max_rate": 2}}}


class Terminal(io.StringIO):
    """Standard input with somebody at it."""

    def isatty(self) -> bool:
        return True


def test_one_batch__from_deposit_to_withdrawal(venue: Venue, wallet: Wallet) -> None:
    venue.advance(1, Phase.OPEN)
    wallet.text("deposit", "cash", "1_000", "BANA", "3")
    wallet.text("deposit", "APPL", "2.5", "--permit")
    assert wallet.json("balance")["market"] == {"USD": "1000", "APPL": "2.5", "BANA": "3"}

    file = order(BUY)
    checked = wallet.json("order", "check", file)
    assert checked["covered"] is True
    assert checked["escrow"] == {"USD": "420"}
    assert checked["auths"][0]["points"][1] == {"rate": "2", "asked": "190", "read": "190"}
    assert "●" in wallet.text("order", "check", file)

    sealed = wallet.json("order", "seal", file)
    assert (sealed["batch"], sealed["units"], sealed["auths"]) == (1, checked["units"], 1)
    paid = 1000 - Fraction(wallet.json("balance")["market"]["USD"])
    assert paid == Fraction(sealed["fee"]) == Fraction(checked["fee"])
    assert wallet.json("order", "status")["phase"] == "OPEN"

    seller = venue.trader()
    venue.seal(seller, [sell(0, 1_000, 195, rise=10)], 1)
    settle(venue, 1)

    status = wallet.json("order", "status")
    assert (status["phase"], status["void"]) == ("SETTLED", None)
    (fill,) = status["fills"]
    assert 0 < Fraction(fill["products"]["APPL"]) < 2
    assert "settled" in wallet.text("order", "status")

    report = wallet.json("audit", "1")
    assert report["ok"]
    assert all(check["passed"] for check in report["checks"])
    assert len(report["checks"]) == 8
    assert report["fills"][wallet.address]["products"] == fill["products"]
    assert 195 <= Fraction(report["prices"]["APPL"]) <= 210
    assert Fraction(report["surplus"]) > 0
    assert "Batch 1 is right" in wallet.text("audit", "1", "--engine", "none")

    wallet.text("withdraw", "cash", "all", "APPL", "all", "BANA", "3")
    after = wallet.json("balance")
    assert all(Fraction(left) < Fraction(1, 10**6) for left in after["market"].values())
    gained = Fraction(after["wallet"]["APPL"]) - 100
    assert abs(gained - Fraction(fill["products"]["APPL"])) < Fraction(1, 10**17)


def test_deposit_and_seal__in_one_transaction__covers_itself(venue: Venue, wallet: Wallet) -> None:
    venue.advance(1, Phase.OPEN)
    pair = {**PAIR, "data": {"demand": {"min_rate": -1, "max_rate": 2, "price": "62.5"}}}
    file = order(BUY, pair)
    wanted = wallet.json("order", "check", file)
    assert not wanted["covered"]
    assert wanted["missing"].keys() == {"cash", "APPL", "BANA"}
    words = [word for pair_ in wanted["missing"].items() for word in pair_]
    assert wallet.refused("order", "seal", file).startswith(
        f"the escrow does not cover this order and its fee; first: walras deposit {words[0]} "
    )
    done = wallet.json("deposit", *words, "--seal", file)
    assert done["deposited"].keys() == {"USD", "APPL", "BANA"}
    assert wallet.json("order", "check", file)["escrow"]["BANA"] == "1.5"
    settle(venue, 1)
    assert wallet.json("order", "status")["void"] is None


def test_unlimited_order__locks_what_there_is_less_the_fee(venue: Venue, wallet: Wallet) -> None:
    venue.advance(1, Phase.OPEN)
    wallet.text("deposit", "cash", "100")
    file = order({"portfolio": {"APPL": 1}, "data": {"demand": {"min_rate": 0, "price": 200}}})
    checked = wallet.json("order", "check", file)
    assert checked["covered"]
    assert checked["escrow"] == {"USD": "98"}  # a lot costs 2, the fee takes less than one
    wallet.text("order", "seal", file)
    settle(venue, 1)
    assert wallet.json("order", "status")["void"] is None


def test_amend_and_cancel__until_lock_in(venue: Venue, wallet: Wallet) -> None:
    venue.advance(1, Phase.OPEN)
    wallet.text("deposit", "cash", "1000")
    wallet.text("order", "seal", order(BUY))
    amended = wallet.json("order", "seal", order(BUY, BUY), "--units", "99")
    assert amended["units"] == 99
    assert "anybody can read" in wallet.text("order", "cancel")
    assert wallet.refused("order", "cancel").endswith("there is nothing to cancel")
    assert "has no submission in batch 1" in wallet.refused("order", "status")


def test_withdraw__warns_and_asks_before_a_sealed_order_loses_its_cover(
    venue: Venue, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue.advance(1, Phase.OPEN)
    wallet.text("deposit", "cash", "1000", "APPL", "1")
    wallet.text("order", "seal", order(BUY))
    free = int(Fraction(wallet.json("balance")["market"]["USD"])) - 420
    wallet.text("withdraw", "cash", str(free))
    wallet.text("withdraw", "APPL", "all")  # it does not sell
    refused = wallet.refused("withdraw", "cash", "100.5")
    assert "your sealed order would lack 99.8" in refused
    assert "USD (void in batch 1)" in refused

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert run(["withdraw", "cash", "100"]) == 1
    said = wallet.capsys.readouterr().err
    assert said.endswith("error: nothing was withdrawn\n")
    assert "warning: your sealed order would lack" in said
    assert "Withdraw it all the same? [y/N]" in said
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert run(["withdraw", "cash", "100"]) == 0
    assert "Withdraw it all the same?" in wallet.capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO())
    for notes in Path("data/sealed").iterdir():
        notes.unlink()
    unknown = wallet.refused("withdraw", "cash", "1")
    assert "your sealed order was sealed on another machine" in unknown
    wallet.text("withdraw", "cash", "1", "-y")


def test_uncovered_order__sealed_with_force__is_void_and_says_so(
    venue: Venue, wallet: Wallet
) -> None:
    venue.advance(1, Phase.OPEN)
    wallet.text("deposit", "cash", "1")
    wallet.text("order", "seal", order(BUY), "--force")
    settle(venue, 1)
    assert wallet.json("order", "status")["void"] == "UNCOVERED"
    assert "the ledger did not cover it" in wallet.text("order", "status")
    report = wallet.json("audit", "1")
    assert report["ok"]
    assert report["voids"] == {wallet.address: "UNCOVERED"}


def test_void_batch__is_told_and_compensated(venue: Venue, wallet: Wallet) -> None:
    venue.advance(1, Phase.OPEN)
    wallet.text("deposit", "cash", "1000")
    wallet.text("order", "seal", order(BUY))
    venue.advance(1, Phase.VOID)
    assert "void" in wallet.text("order", "status")
    assert "Batch 1 is void" in wallet.text("audit", "1")
    assert wallet.json("audit", "1") == {"batch": 1, "ok": True, "phase": "VOID"}
    assert wallet.refused("claim").startswith("nothing is claimable")
    venue.operator.close_void(1)
    assert wallet.json("claim")["cash"] == "0.01"


def test_lying_chain__fails_the_audit_loudly(
    venue: Venue, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue.advance(1, Phase.OPEN)
    wallet.text("deposit", "cash", "1000")
    wallet.text("order", "seal", order(BUY))
    settle(venue, 1)
    true_collect = audit_module.collect

    def lie(*arguments: Any) -> Any:
        book, posted = true_collect(*arguments)
        return book, replace(posted, loss=posted.loss + 1)

    monkeypatch.setattr(audit_module, "collect", lie)
    assert not wallet.json("audit", "1", code=1)["ok"]
    assert run(["audit", "1"]) == 1
    assert "BATCH 1 IS WRONG: figures" in wallet.capsys.readouterr().out


def test_market_show__for_people_and_programs(venue: Venue, wallet: Wallet) -> None:
    before = wallet.json("market", "show")
    assert (before["batch"], before["next"]["event"]) == (0, "batch 1 opens")
    assert "from the next batch on" in wallet.text("market", "show")
    venue.advance(1, Phase.OPEN)
    shown = wallet.json("market", "show")
    assert (shown["phase"], shown["next"]["event"]) == ("OPEN", "lock-in")
    apple, banana = shown["products"]
    assert (apple["symbol"], apple["lot"], apple["reference"]) == ("APPL", "0.01", "200")
    assert (banana["reference"], banana["trading"]) == ("50", True)
    assert abs(Fraction(apple["tick"]) - Fraction(2, 100)) < Fraction(1, 10**12)
    text = wallet.text("market", "show")
    assert "seal, amend or cancel" in text
    assert "APPL" in text


# --------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["deposit", "TIN", "1"], "unknown product 'TIN'; this market lists APPL, BANA"),
        (["deposit", "cash", "0"], "amount of USD must be more than 0"),
        (["deposit", "cash", "lots"], "amount of USD must be a plain decimal number"),
        (["deposit", "cash", "0.0000001"], "amount of USD 0.0000001 cannot be represented"),
        (["deposit", "cash", "1", "USD", "2"], "USD is given twice"),
        (["deposit", "cash", "10001"], "holds 10,000 USD, not 10,001 USD"),
        (["withdraw", "APPL", "1"], "the market holds 0 APPL"),
        (["withdraw", "APPL", "all"], "the market holds 0 APPL"),
        (["withdraw", "APPL", "1e-19"], "finer than the token"),
        (["withdraw", "cash", "1", "--to", "bob"], "'bob' is no address"),
        (["balance", "0x12"], "'0x12' is no address"),
        (["--account", "carl", "balance"], "no account carl"),
        (["deposit", "cash", "1", "--account", "carl"], "no account carl"),
        (["--chain-id", "1", "market", "show"], "serves chain 31337, not 1"),
        (["--market", "0x" + "11" * 20, "market", "show"], "there is no contract at 0x1111"),
        (["--market", "nowhere", "market", "show"], "'nowhere' is no address"),
        (["order", "check", "none.json"], "there is no order file none.json"),
        (["order", "status"], "has no submission in batch 1"),
        (["order", "cancel"], "there is nothing to cancel"),
        (["audit", "1"], "batch 1 is OPEN, there is nothing to audit yet"),
        (["claim"], "nothing is claimable"),
    ],
)
def test_refusals__in_one_line(
    arguments: list[str], message: str, venue: Venue, wallet: Wallet
) -> None:
    venue.advance(1, Phase.OPEN)
    assert message in wallet.refused(*arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "order.json: not JSON"),
        ('{"portfolio": {}, "data": {"demand": {"price": 1}}}', "the portfolio is empty"),
        (
            json.dumps(points({**BUY, "portfolio": {"TIN": 1}})),
            "order.json: unknown product 'TIN'; this market lists APPL, BANA",
        ),
        (
            json.dumps(points({**BUY, "data": {"demand": [[0, 1], [1, 2]]}})),
            "order.json: auth 1: the curve increases",
        ),
        (
            json.dumps(points({**BUY, "data": {"demand": [[1, 2], [2, 1]]}})),
            "order.json: auth 1: rate 0 is outside the curve",
        ),
        (
            json.dumps(points({**BUY, "data": {"demand": [[0, 2], ["0.005", 1]]}})),
            "auth 1: rate 0.005 cannot be represented; use 0.01",
        ),
    ],
)
def test_bad_order_files__in_one_line(
    text: str, message: str, venue: Venue, wallet: Wallet
) -> None:
    venue.advance(1, Phase.OPEN)
    Path("order.json").write_text(text)
    for command in ("check", "seal"):
        assert message in wallet.refused("order", command, "order.json")


def test_binary_and_huge_files__are_no_orders(venue: Venue, wallet: Wallet) -> None:
    Path("binary").write_bytes(b"\xff\xfe\x00")
    assert "not even text" in wallet.refused("order", "check", "binary")
    Path("huge").write_text(" " * (1 << 20) + "1")
    assert "larger than a megabyte" in wallet.refused("order", "check", "huge")


def test_wrong_password__changes_nothing(
    venue: Venue, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WALRAS_PASSWORD", "guess")
    assert wallet.refused("deposit", "cash", "1").startswith("wrong password for account alice")
    assert wallet.json("balance")["market"]["USD"] == "0"


def test_account_without_gas__is_told_before_anything_is_sent(venue: Venue, wallet: Wallet) -> None:
    venue.node.set_balance(wallet.address, 0)
    assert "nothing to pay gas with on chain 31337" in wallet.refused("deposit", "cash", "1")


def test_contract_that_is_no_market(venue: Venue, wallet: Wallet) -> None:
    token = venue.market.token(CASH)
    assert "is no market" in wallet.refused("--market", token, "market", "show")


@pytest.mark.parametrize(
    ("phase", "arguments", "message"),
    [
        (Phase.LOCKED_IN, ["order", "cancel"], "committed since lock-in"),
        (Phase.LOCKED_IN, ["order", "seal", "order.json"], "committed since lock-in"),
        (Phase.LOCKED_IN, ["withdraw", "cash", "1"], "frozen since its lock-in"),
        (Phase.LOCKED_IN, ["deposit", "cash", "1"], "frozen since its lock-in"),
        (Phase.LOCKED_OUT, ["order", "seal", "order.json"], "takes no more seals; batch 2 opens"),
        (Phase.CLEARING, ["withdraw", "cash", "all"], "frozen since its lock-in"),
        (Phase.CLEARING, ["audit", "1"], "batch 1 is CLEARING"),
    ],
)
def test_too_late__says_when_again(
    phase: Phase, arguments: list[str], message: str, venue: Venue, wallet: Wallet
) -> None:
    venue.advance(1, Phase.OPEN)
    wallet.text("deposit", "cash", "1000")
    wallet.text("order", "seal", order(BUY))
    venue.advance(1, phase)
    assert message in wallet.refused(*arguments)
    assert wallet.json("balance")["live_in_batch"] == 1


def test_expired_order__is_refused_before_sealing(venue: Venue, wallet: Wallet) -> None:
    venue.advance(1, Phase.OPEN)
    wallet.text("deposit", "cash", "1000")
    lock_out = venue.schedule.boundaries(1).lock_out
    late = order(BUY, valid_until=lock_out - 1)
    assert "expires before batch 1 locks out" in wallet.refused("order", "seal", late)
    in_time = order(BUY, valid_until=lock_out)
    assert wallet.json("order", "check", in_time)["valid_until"] == lock_out
    assert "Void in batches that lock out after" in wallet.text("order", "check", in_time)
    wallet.text("order", "seal", in_time)


def test_product_listed_today__trades_from_the_next_batch_on(venue: Venue, wallet: Wallet) -> None:
    venue.advance(1, Phase.OPEN)
    wallet.text("deposit", "cash", "1000")
    wallet.text("order", "seal", order(BUY))
    token = deploy_contract(venue.operator.sender, "MockToken", "Cherry", "CHER", 18)
    venue.operator.list_product(token, LOT, 10 << 24, 1, 20, 1 << 34)
    new = order({"portfolio": {"CHER": 1}, "data": {"demand": [[0, 10], [1, 9]]}})
    assert wallet.json("order", "check", new)["escrow"] == {"USD": "10"}
    assert "CHER trades from the next batch on" in wallet.refused("order", "seal", new)


def test_missing_key__is_told_to_the_bidder(venue: Venue, wallet: Wallet) -> None:
    venue.to_time(venue.schedule.boundaries(1).start)
    wallet.text("deposit", "cash", "1000")
    assert "batch 1 has no key" in wallet.refused("order", "seal", order(BUY))


def test_fresh_key__is_not_sealed_to_before_it_is_final(venue: Venue, wallet: Wallet) -> None:
    start = venue.schedule.boundaries(1).start
    venue.to_time(start - 10)
    venue.advance(1, Phase.OPEN)
    wallet.text("deposit", "cash", "1000")
    assert "too fresh to be final; seal again in 20 s" in wallet.refused(
        "order", "seal", order(BUY)
    )
    venue.to_time(start + 30)
    wallet.text("order", "seal", order(BUY))


def test_check__without_an_account__says_what_an_order_needs(
    venue: Venue, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue.advance(1, Phase.OPEN)
    monkeypatch.setenv("WALRAS_DATA_DIR", "elsewhere")
    checked = wallet.json("order", "check", order(BUY))
    assert checked["escrow"] == {"USD": "420"}
    assert (checked["covered"], checked["missing"]) == (None, None)
    assert "?" in wallet.text("order", "check", "order.json")
    assert "walras account new NAME" in wallet.refused("order", "seal", "order.json")
    unlimited = order({"portfolio": {"APPL": 1}, "data": {"demand": {"max_rate": 0, "price": 9}}})
    assert "choose an account with --account" in wallet.refused("order", "check", unlimited)


def test_several_accounts__have_to_be_told_apart(venue: Venue, wallet: Wallet) -> None:
    wallet.text("account", "new", "bob", "--light")
    assert wallet.refused("balance") == "which account? Give --account with one of alice, bob"
    assert wallet.json("--account", "alice", "balance")["account"] == wallet.address
    assert wallet.json("balance", "--account", "alice")["account"] == wallet.address


def test_only_an_address__can_look_but_not_act(venue: Venue, wallet: Wallet) -> None:
    other = venue.trader(cash=5, lots=7)
    address = other.sender.address
    shown = wallet.json("--account", address, "balance")
    assert shown["market"] == {"USD": "0.05", "APPL": "0.07", "BANA": "0.07"}
    refused = wallet.refused("--account", address, "withdraw", "cash", "all")
    assert f"no account {address}" in refused
