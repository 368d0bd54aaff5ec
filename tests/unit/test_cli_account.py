"""`walras account`: keys go in encrypted and never come out on a screen."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from eth_account import Account

from walras.chain.accounts import Keystore
from walras.cli.app import run

KEY = "0x" + "4c" * 32
ADDRESS = Account.from_key(KEY).address


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WALRAS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WALRAS_PASSWORD", "open sesame")
    monkeypatch.delenv("WALRAS_PASSWORD_FILE", raising=False)
    monkeypatch.delenv("WALRAS_CONFIG", raising=False)
    return tmp_path / "data"


def json_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> object:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_new__then_list__then_unlock(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = json_of(capsys, "account", "new", "alice", "--light")
    assert isinstance(made, dict)
    assert json_of(capsys, "account", "list") == [made]
    stored = Keystore(data_dir / "accounts")
    assert stored.unlock("alice", "open sesame").address == made["address"]
    assert run(["account", "list"]) == 0
    assert made["address"] in capsys.readouterr().out


def test_new__by_default__is_costly_to_guess(data_dir: Path) -> None:
    assert run(["account", "new", "slow"]) == 0
    document = json.loads((data_dir / "accounts" / "slow.json").read_text())
    assert document["crypto"]["kdfparams"]["n"] >= 1 << 17


def test_list__of_nothing__says_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["account", "list"]) == 0
    assert "walras account new NAME" in capsys.readouterr().out


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_import__key_is_never_shown(
    source: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("key").write_text(KEY + "\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(KEY.encode())))
    file = "key" if source == "file" else "-"
    assert run(["account", "import", "bob", "--key-file", file, "--light"]) == 0
    shown = capsys.readouterr()
    assert ADDRESS in shown.out
    for secret in (KEY[2:], "open sesame"):
        assert secret not in shown.out + shown.err


@pytest.mark.parametrize("key", ["", "zz", "4c" * 31, "00" * 32])
def test_import__no_key__is_refused_without_repeating_it(
    key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("key").write_text(key)
    assert run(["account", "import", "bob", "--key-file", "key"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: that is no private key")
    assert not key or key not in error


def test_taken_name__is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["account", "new", "alice", "--light"]) == 0
    assert run(["account", "new", "alice", "--light"]) == 1
    assert "alice exists" in capsys.readouterr().err


def test_password__from_a_file__wins_over_the_environment(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("pw").write_text("other\n")
    assert run(["--password-file", "pw", "account", "new", "alice", "--light"]) == 0
    Keystore(data_dir / "accounts").unlock("alice", "other")
    assert run(["--password-file", "gone", "account", "new", "bob", "--light"]) == 1
    assert "cannot read the password from gone" in capsys.readouterr().err


def test_password__with_nobody_to_ask__says_how_to_give_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WALRAS_PASSWORD")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert run(["account", "new", "alice"]) == 1
    assert "give --password-file or set WALRAS_PASSWORD" in capsys.readouterr().err


def test_password__asked_for__twice_and_hidden(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WALRAS_PASSWORD")
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    answers = iter(["typed", "typed"])
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: next(answers))
    assert run(["account", "new", "alice", "--light"]) == 0
    Keystore(data_dir / "accounts").unlock("alice", "typed")
    assert list(answers) == []
    assert "typed" not in capsys.readouterr().out
