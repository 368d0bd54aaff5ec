"""Everything around the wallet can be wrong: it says so in one line, and loses nothing."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.venue import Venue
from tests.unit.wallet import Wallet, order
from walras.chain.client import connect
from walras.cli.app import run
from walras.errors import ChainError
from walras.schedule import Phase

pytestmark = pytest.mark.chain

BUY = {"portfolio": {"APPL": 1}, "demand": {"min_rate": 0, "max_rate": 1, "price": 100}}


@contextmanager
def full_disk(room: int = 8) -> Iterator[None]:
    """No file can grow beyond ``room`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


# ------------------------------------------------------------------------------ the configuration


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"chain_id = true", "c.toml: chain_id must be a whole number"),
        (b'chain_id = "1"', "c.toml: chain_id must be a whole number"),
        (b"rpc = 5", "c.toml: rpc must be text in quotes"),
        (b'data_dir = "\\u0000"', "c.toml: data_dir must be text in quotes, on one line"),
        (b'password_file = "a\\nb"', "c.toml: password_file must be text in quotes, on one line"),
        (b'markt = "0x"', "c.toml: unknown setting 'markt'; known are rpc, market"),
        (b"rpc = ", "c.toml is not TOML"),
        (b"\xff\xfe\x00", "c.toml is not TOML"),
        pytest.param(b"x = " + b"[" * 20_000, "c.toml is nested too deeply", id="deep"),
    ],
)
def test_configuration_that_is_garbage(
    venue: Venue, wallet: Wallet, text: bytes, message: str
) -> None:
    Path("c.toml").write_bytes(text)
    assert message in wallet.refused("--config", "c.toml", "balance")


def test_configuration_that_names_market_and_account__is_for_all_commands(
    venue: Venue, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands `market` and `account` have the same names, and took it for their options'."""
    monkeypatch.delenv("WALRAS_MARKET")
    Path("walras.toml").write_text(f'market = "{venue.market.address}"\naccount = "alice"\n')
    assert wallet.json("market", "show")["market"] == venue.market.address
    assert [one["name"] for one in wallet.json("account", "list")] == ["alice"]
    assert wallet.json("balance")["account"] == wallet.address


def test_an_error_is_one_line__whatever_a_file_is_called(venue: Venue, wallet: Wallet) -> None:
    refused = wallet.refused("order", "check", "a\n\x1b[31mb")
    assert refused == "there is no order file a  [31mb; check its name"


# -------------------------------------------------------------------------------------- the market


def test_contract_that_answers_everything_with_zeros__is_no_market(
    venue: Venue, wallet: Wallet
) -> None:
    zeros = "0x" + "aa" * 20
    venue.node.client.rpc("anvil_setCode", zeros, "0x6104006000f3")  # 1,024 bytes of them
    for command in (["market", "show"], ["audit", "1"], ["history"], ["balance"]):
        assert "is no market" in wallet.refused("--market", zeros, *command)


def test_a_batch_beyond_all_numbers(venue: Venue, wallet: Wallet) -> None:
    for command in (["audit"], ["order", "status", "--batch"], ["history", "--to"]):
        assert run([*command, "99999999999999999999"]) == 2
        assert "is not in the range 1<=x<=4294967295" in wallet.capsys.readouterr().err


# ---------------------------------------------------------------------------------------- the node


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """The address of something that is no node."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            try:
                answer(self)
            except OSError:
                self.close_connection = True  # whoever asked has gone

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def always(body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>\n<h1>hello</h1>\n</html>", "does not answer in JSON"),
        (b"\xff\xfe\x00", "does not answer in JSON"),
        pytest.param(b"[" * 200_000, "does not answer in JSON", id="deep"),
        *(
            (body, "the answer to eth_chainId is no answer of an Ethereum node")
            for body in (
                *(b"[]", b"5", b'"x"', b"null", b"{}", b'[{"id": 1}]', b'{"error": null}'),
                *(b'{"result": null}', b'{"result": 5}', b'{"result": "zz"}', b'{"result": []}'),
                b'{"result": "0x"}',
            )
        ),
        (b'{"error": {"code": "x", "message": {"a": 1}}}', "the node refused eth_chainId: {'a'"),
        (b'{"error": "go away"}', "the node refused eth_chainId: go away"),
        (b'{"result": "0x7a69"}', "the answer to eth_call is no answer"),
    ],
)
def test_node_that_is_none(
    venue: Venue, wallet: Wallet, monkeypatch: pytest.MonkeyPatch, body: bytes, message: str
) -> None:
    monkeypatch.setattr("walras.cli.session._RETRY_SECONDS", 0.1)
    with answering(always(body)) as url:
        assert message in wallet.refused("--rpc", url, "market", "show")


@pytest.mark.parametrize("url", ["http://[::1", "http://", "x", "", "ftp://x", "http://a b"])
def test_address_of_no_node(venue: Venue, wallet: Wallet, url: str) -> None:
    refused = wallet.refused("--rpc", url, "market", "show")
    assert refused.startswith((f"{url} is no address of a node", f"no usable answer from {url}"))


def test_answers_without_an_end__are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def drips(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)

    def floods(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(1_000):
            handler.wfile.write(b" " * 10_000)
        handler.close_connection = True

    monkeypatch.setattr("walras.chain.provider._LARGEST", 100_000, raising=False)
    for answer, message in ((drips, "timed out"), (floods, "the answer has no end")):
        began = time.monotonic()
        with (
            answering(answer) as url,
            pytest.raises(ChainError, match=message),
        ):
            connect(url, timeout=0.3, retry_for=0.1)
        assert time.monotonic() - began < 5


def test_answer_that_breaks_off__is_asked_for_again(venue: Venue) -> None:
    asked: list[int] = []

    def breaks_off(handler: BaseHTTPRequestHandler) -> None:
        asked.append(1)
        body = b'{"jsonrpc": "2.0", "id": 0, "result": "0x5"}'
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body if len(asked) > 1 else body[:20])
        handler.close_connection = True

    with answering(breaks_off) as url:
        assert connect(url, timeout=2.0, retry_for=5.0).chain_id == 5
    assert len(asked) == 2


# ------------------------------------------------------------------------- keystores and passwords


def stored(change: Callable[[dict[str, Any]], object]) -> None:
    path = Path("data/accounts/alice.json")
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("crypto"),
        lambda d: d.update(crypto=5),
        lambda d: d.update(version="x"),
        lambda d: d["crypto"].update(kdf="argon"),
        lambda d: d["crypto"]["kdfparams"].update(salt="zz"),
        lambda d: d["crypto"]["cipherparams"].clear(),
    ],
)
def test_keystore_that_is_damaged(
    venue: Venue, wallet: Wallet, change: Callable[[dict[str, Any]], object]
) -> None:
    stored(change)
    assert "alice.json cannot be decrypted; restore it" in wallet.refused("deposit", "cash", "1")


def test_keystore_with_the_key_of_another_account(venue: Venue, wallet: Wallet) -> None:
    other = venue.operator.sender.address
    stored(lambda d: d.update(address=other))
    refused = wallet.refused("deposit", "cash", "1")
    assert f"says {other}, but its key is that of {wallet.address}; restore it" in refused


@pytest.mark.parametrize(
    "content", [pytest.param(b"[" * 100_000, id="deep"), b"\xff\xfe", b"", b"[]"]
)
def test_keystore_that_is_none(venue: Venue, wallet: Wallet, content: bytes) -> None:
    Path("data/accounts/alice.json").write_bytes(content)
    assert "alice.json is no keystore; restore it" in wallet.refused("deposit", "cash", "1")


def test_accounts_that_cannot_be_read__are_not_none(venue: Venue, wallet: Wallet) -> None:
    accounts = Path("data/accounts")
    accounts.rename("elsewhere")
    accounts.symlink_to("accounts")
    for command in (["account", "list"], ["balance"], ["--account", "alice", "balance"]):
        assert "cannot read" in wallet.refused(*command)
    accounts.unlink()
    assert wallet.json("account", "list") == []


def test_keys_and_passwords_from_odd_files(
    venue: Venue, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("odd").write_bytes(b"\xff\xfe\x00")
    refused = wallet.refused("account", "import", "bob", "--key-file", "odd")
    assert refused.startswith("that is no private key")
    monkeypatch.delenv("WALRAS_PASSWORD")
    assert "it is not text" in wallet.refused("deposit", "cash", "1", "--password-file", "odd")
    endless = wallet.refused("deposit", "cash", "1", "--password-file", "/dev/zero")
    assert endless.startswith("wrong password")


# ---------------------------------------------------------------------------------- files and disks


def test_order_file_without_an_end__and_one_of_windows(venue: Venue, wallet: Wallet) -> None:
    assert "larger than a megabyte" in wallet.refused("order", "check", "/dev/zero")
    text = Path(order(BUY)).read_text()
    Path("order.json").write_text(text, encoding="utf-8-sig")
    assert wallet.json("order", "check", "order.json")["escrow"] == {"USD": "100"}


def test_numbers_off_the_grid__name_the_file(venue: Venue, wallet: Wallet) -> None:
    big = {**BUY, "portfolio": {"APPL": "123456789012345678901234567890"}}
    refused = wallet.refused("order", "check", order(big))
    assert refused.startswith("order.json: auth 1: ")


def test_full_disk__leaves_no_half_of_a_key(venue: Venue, wallet: Wallet) -> None:
    with full_disk():
        refused = wallet.refused("account", "new", "bob", "--light")
        assert "bob.json: File too large; check the directory" in refused
        assert "cannot write the seed seed: File too large" in wallet.refused(
            "clearer", "new-seed", "seed"
        )
    assert not Path("seed").exists()
    assert [path.name for path in Path("data/accounts").iterdir()] == ["alice.json"]
    wallet.text("account", "new", "bob", "--light")
    wallet.text("clearer", "new-seed", "seed")


def test_full_disk__nothing_is_sent_that_cannot_be_noted(venue: Venue, wallet: Wallet) -> None:
    with full_disk():
        assert "File too large" in wallet.refused("deposit", "cash", "5")
    assert wallet.json("balance")["market"]["USD"] == "0"
    wallet.text("deposit", "cash", "5")


def test_history_that_cannot_be_written__leaves_the_old_file(venue: Venue, wallet: Wallet) -> None:
    wallet.text("history", "--format", "json")  # the index has room
    Path("rows.csv").write_text("kept")
    with full_disk(room=64 << 10):
        code = run(["history", "--what", "batches", "--format", "csv", "-o", "rows.csv"])
        assert code == 0
    assert Path("rows.csv").read_text().startswith("batch,time,status")
    Path("rows.csv").write_text("kept")
    assert "No such file" in wallet.refused("history", "--format", "csv", "-o", "nowhere/rows.csv")
    assert run(["history", "--format", "csv", "-o", "/dev/full"]) == 1
    assert "No space left on device" in wallet.capsys.readouterr().err
    assert Path("rows.csv").read_text() == "kept"


def test_data_directory_that_cannot_be_written__warns_and_goes_on(
    venue: Venue, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of a keystore mounted read-only: the money must stay within reach."""
    venue.advance(1, Phase.OPEN)
    for name in ("sent", "sealed"):
        Path("data", name).write_text("in the way")
    assert run(["deposit", "cash", "500"]) == 0
    assert "warning: cannot write data/sent" in wallet.capsys.readouterr().err.replace(
        str(Path.cwd()) + "/", ""
    )
    assert run(["order", "seal", order(BUY)]) == 0
    assert "will not know what is in this seal" in wallet.capsys.readouterr().err
    assert wallet.json("order", "status")["phase"] == "OPEN"


def test_output_that_breaks__is_no_success(venue: Venue, wallet: Wallet) -> None:
    command = [sys.executable, "-c", "from walras.cli import main; main()", "market", "show"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=os.environ
        )
    assert done.returncode == 1
    assert done.stderr == "error: system: No space left on device\n"
