"""The lens: everything a wallet needs in one call, whatever the tokens answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode

from tests.contract.batches import buys, enter
from tests.contract.days import Days, buy
from tests.contract.support import OPERATOR, Bench, address
from walras.batch import CASH
from walras.chain.artifacts import load
from walras.chain.interface import call
from walras.schedule import Phase

pytestmark = pytest.mark.chain

ALICE = address("alice")
MARKET = (
    *("time", "block", "chain", "parameters", "current", "phase", "key_hash", "batch"),
    *("batch_phase", "treasury", "least", "fee", "surcharge", "cash", "products"),
)
ASSET = ("id", "listing", "product", "symbol", "decimals", "active")


@pytest.fixture
def lens(bench: Bench) -> str:
    return bench.chain.deploy("WalrasLens", sender=OPERATOR)


def ask(bench: Bench, lens: str, name: str, *args: Any, at: int | None = None) -> Any:
    query = call("WalrasLens", lens, name, bench.market, *args)
    return query.result("0x" + bench.chain.call(lens, query.data, OPERATOR, at=at).hex())


def market(bench: Bench, lens: str, at: int | None = None) -> dict[str, Any]:
    return dict(zip(MARKET, ask(bench, lens, "market", at=at), strict=True))


def assets(view: dict[str, Any]) -> list[dict[str, Any]]:
    """Cash, then the products."""
    return [dict(zip(ASSET, raw, strict=True)) for raw in (view["cash"], *view["products"])]


def test_market_is_what_its_views_say(bench: Bench, lens: str) -> None:
    enter(bench, 1, {"a": buys(0, 100, 1)})
    for at in (bench.chain.now, bench.time(1, Phase.LOCKED_IN), bench.time(2, Phase.OPEN)):
        view = market(bench, lens, at)
        now = bench.look("currentBatch", at=at)
        assert (view["time"], view["chain"]) == (at, bench.chain.chain_id)
        for name, question in (
            ("parameters", ("parameters",)),
            ("current", ("currentBatch",)),
            ("phase", ("phase", now)),
            ("key_hash", ("keyHash", now)),
            ("batch", ("batch",)),
            ("batch_phase", ("phase", 1)),
            ("treasury", ("treasury",)),
            ("least", ("leastHouseCash",)),
        ):
            assert view[name] == bench.look(*question, at=at), name
        assert (view["fee"], view["surcharge"]) == bench.look("admissionFee", 10, at=at)
        cash, *products = assets(view)
        assert (cash["id"], cash["decimals"], cash["symbol"]) == (CASH, 6, "TOK")
        assert [p["decimals"] for p in products] == [18, 8, 6, 27, 18, 18]
        for k, p in enumerate(products):
            assert p["id"] == k
            assert p["active"] is (k < bench.look("productCount", now, at=at))
            assert p["listing"] == bench.look("listing", k, at=at)
            assert p["product"] == bench.look("product", k, at=at)


def test_account_is_what_its_views_say(bench: Bench, lens: str) -> None:
    owner = enter(bench, 1, {"a": buys(0, 100, 1)}).names["a"]
    bench.endow(owner, cash=7, p3=2)
    bench.token(1, owner, "mint", owner, 55)
    bench.token(1, owner, "approve", bench.market, 44)
    for at, live in (
        (bench.chain.now, True),
        (bench.time(1, Phase.LOCKED_IN), True),
        (bench.time(1, Phase.VOID), False),
    ):
        answer = ask(bench, lens, "account", owner, at=at)
        account, is_live, frozen, claimable, lots, wallet, allowance = answer
        assert account == bench.look("account", owner)
        assert is_live is live
        assert frozen is bench.look("isFrozen", owner, at=at)
        assert claimable == 0
        assert list(lots) == [bench.balance(owner, k) for k in range(6)]
        assert list(wallet) == [bench.held(k, owner) for k in (CASH, *range(6))]
        assert allowance[2] == 44


STANDING_VIEW = ("all", "rent", "stands", "paused", "uncovered", "units", "owed", "amendment")


def test_what_stands_is_what_its_views_say(bench: Bench, lens: str) -> None:
    days = Days(bench)
    days.go(1)
    days.seal("a", buy(50, 10))
    days.settle()
    owner = days.names["a"]
    units = days.standing["a"].units

    def seen() -> dict[str, Any]:
        answer = ask(bench, lens, "standing", owner)
        return dict(zip(STANDING_VIEW, answer, strict=True))

    days.day(2)
    rent = bench.look("unitRent")
    none = (bytes(32), 0, 0)
    plain = {"paused": False, "uncovered": False, "units": units, "amendment": none}
    assert seen() == {
        "all": (1, units, 2),
        "rent": rent,
        "stands": True,
        "owed": units * rent,
        **plain,
    }
    account, live, *_ = ask(bench, lens, "account", owner)
    assert (account[0], live) == (bench.balance(owner, CASH), False)
    days.go(3)
    days.seal("a", buy(60, 20), units=33)
    assert ask(bench, lens, "account", owner)[1] is True
    assert seen()["amendment"] == bench.look("amendment", owner) != none
    bench.do(owner, "pause")
    assert (seen()["paused"], seen()["amendment"]) == (True, none)
    assert ask(bench, lens, "account", owner)[1] is False
    bench.do(owner, "cancel")
    assert (seen()["stands"], seen()["units"]) == (False, 0)


def answering(data: bytes) -> str:
    """Code of a contract that answers every question alike."""
    copy = f"61{len(data):04x}80600a5f395ff3"
    assert len(copy) == 2 * 10
    return "0x" + copy + data.hex()


ANSWERS: dict[str, tuple[str, tuple[str, int, int]]] = {
    "no code": ("0x", ("", 0, 0)),
    "reverts": ("0x5f5ffd", ("", 0, 0)),
    "runs out of gas": ("0x5b5f56", ("", 0, 0)),
    "nothing": (answering(b""), ("", 0, 0)),
    "a short word": (answering(b"\x01" * 31), ("", 0, 0)),
    "bytes32": (
        answering(b"MKR".ljust(32, b"\x00")),
        ("MKR", 0, int.from_bytes(b"MKR" + bytes(29))),
    ),
    "bytes32 full": (answering(b"M" * 32), ("M" * 32, 0, int.from_bytes(b"M" * 32))),
    "a large number": (answering((256).to_bytes(32)), ("", 0, 256)),
    "a string": (answering(encode(["string"], ["GOOD"])), ("GOOD", 32, 32)),
    "a string beyond its data": (
        answering((32).to_bytes(32) + (33).to_bytes(32) + b"A" * 32),
        ("", 32, 32),
    ),
    "a string of enormous length": (
        answering((32).to_bytes(32) + b"\xff" * 32 + b"A" * 32),
        ("", 32, 32),
    ),
    "a string that starts elsewhere": (answering(b"\xff" * 96), ("", 0, 2**256 - 1)),
    "a string in another alphabet": (
        answering(encode(["bytes"], [b"G\xd6D"])),
        ("G\udcd6D", 32, 32),
    ),
    "a megabyte": ("0x620fffe05ff3", ("", 0, 0)),
}


@pytest.fixture(params=ANSWERS)
def odd(bench: Bench, request: pytest.FixtureRequest) -> Iterator[tuple[str, int, int]]:
    """Product 1's token answers oddly; symbol, decimals and balances that are to be shown."""
    code, shown = ANSWERS[request.param]
    good = bench.chain.rpc("eth_getCode", bench.tokens[1], "latest")
    bench.chain.rpc("anvil_setCode", bench.tokens[1], code)
    yield shown
    bench.chain.rpc("anvil_setCode", bench.tokens[1], good)


def test_odd_token_hides_no_other(bench: Bench, lens: str, odd: tuple[str, int, int]) -> None:
    symbol, decimals, number = odd
    cash, *products = assets(market(bench, lens))
    assert [p["symbol"] for p in (cash, products[0], products[5])] == ["TOK"] * 3
    assert products[1]["decimals"] == decimals
    if symbol:
        assert products[1]["symbol"] == symbol
    answer = ask(bench, lens, "account", ALICE)
    wallet, allowance = answer[5], answer[6]
    assert (wallet[2], allowance[2]) == (number, number)


def test_every_error_is_looked_for_somewhere() -> None:
    """A custom error that no test names is a check that no test makes."""
    here = Path(__file__).parent
    tests = [*here.glob("*.py"), *(here.parent / "adversarial").glob("*.py")]
    text = "\n".join(path.read_text() for path in tests)
    errors = {item["name"] for item in load("Walras").abi if item["type"] == "error"}
    tokens = {"ReentrancyGuardReentrantCall", "SafeERC20FailedOperation"}
    missing = {name for name in errors - tokens if f'"{name}"' not in text}
    beyond_any_book = {"HouseShort", "LedgerOutOfRange"}  # in the golden batches
    assert missing <= beyond_any_book
    vectors = (here.parent / "vectors" / "certificate.json").read_text()
    assert all(f'"{name}"' in vectors for name in beyond_any_book)


def test_every_function_and_event_is_used_somewhere() -> None:
    text = "\n".join(path.read_text() for path in Path(__file__).parent.glob("*.py"))
    abi = [i for i in load("Walras").abi if i["type"] in ("function", "event")]
    missing = {item["name"] for item in abi if f'"{item["name"]}"' not in text}
    assert missing == set()
