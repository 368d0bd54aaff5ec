"""The command line as a whole: settings, help, exit codes, one line per error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from walras.cli.app import cli, run
from walras.cli.output import clock, span
from walras.cli.settings import Settings, read_config
from walras.errors import ConfigError


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but those of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WALRAS_DATA_DIR", str(tmp_path / "data"))
    for name in ("RPC", "MARKET", "CHAIN_ID", "ACCOUNT", "PASSWORD", "PASSWORD_FILE", "CONFIG"):
        monkeypatch.delenv(f"WALRAS_{name}", raising=False)


def settings(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What a command is given after these global options."""
    seen: list[Settings] = []

    @click.command()
    @click.pass_obj
    def probe(value: Settings) -> None:
        seen.append(value)

    monkeypatch.setattr(cli, "get_command", lambda *_: probe)
    assert run([*arguments, "probe"]) == 0
    return seen[0]


def test_settings__option_over_environment_over_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("walras.toml").write_text(
        'rpc = "http://file"\nmarket = "0xfile"\naccount = "file"\n'
        'chain_id = 7\ndata_dir = "there"\npassword_file = "secret"\n'
    )
    monkeypatch.delenv("WALRAS_DATA_DIR")
    monkeypatch.setenv("WALRAS_MARKET", "0xenv")
    monkeypatch.setenv("WALRAS_ACCOUNT", "env")
    got = settings("--account", "option", monkeypatch=monkeypatch)
    assert (got.rpc, got.market, got.account, got.chain_id) == ("http://file", "0xenv", "option", 7)
    assert got.data_dir == Path("there")
    assert got.password_file == Path("secret")
    assert got.accounts_dir == Path("there/accounts")


def test_settings__without_any__have_a_local_node(monkeypatch: pytest.MonkeyPatch) -> None:
    got = settings(monkeypatch=monkeypatch)
    assert (got.rpc, got.market, got.chain_id) == ("http://127.0.0.1:8545", None, None)


def test_settings__file_of_the_data_dir__is_second_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "config.toml").write_text('market = "0xdata"\n')
    assert settings(monkeypatch=monkeypatch).market == "0xdata"
    Path("walras.toml").write_text('market = "0xhere"\n')
    assert settings(monkeypatch=monkeypatch).market == "0xhere"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rpc = ", "is not TOML"),
        ("colour = 1", "unknown setting 'colour'; known are rpc, market"),
        ("rpc = 5", "rpc must be text"),
        ('chain_id = "5"', "chain_id must be a whole number"),
    ],
)
def test_config__wrong__says_what(text: str, message: str) -> None:
    path = Path("bad.toml")
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(path)


def test_config__missing_or_wrong__ends_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--config", "nowhere.toml", "account", "list"]) == 1
    assert capsys.readouterr().err == (
        "error: cannot read nowhere.toml: No such file or directory; check --config\n"
    )


def test_help__needs_no_chain_library() -> None:
    program = (
        "import sys; from walras.cli.app import run; code = run(['--help']);"
        "sys.exit(code or 'web3' in sys.modules or 'walras.clearing' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    for command in ("account", "market", "deposit", "order", "audit", "clearer", "clear"):
        assert f"  {command} " in shown


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["nonsense"], 2),
        (["order", "nonsense"], 2),
        (["audit", "first"], 2),
        (["deposit"], 2),
        (["--chain-id", "zero", "account", "list"], 2),
        (["market", "show"], 1),
    ],
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    assert run(arguments) == code


@pytest.mark.parametrize(
    ("failure", "code", "line"),
    [
        (ConfigError("no market; name one"), 1, "error: no market; name one\n"),
        (FileNotFoundError(2, "No such file", "x"), 1, "error: x: No such file\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (click.Abort(), 130, "error: interrupted\n"),
        (click.UsageError("one of each"), 2, "Error: one of each\n"),
        (ZeroDivisionError("oh"), 1, "error: unexpected ZeroDivisionError: oh; "),
    ],
)
def test_failures__are_words_not_tracebacks(
    failure: BaseException,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(cli, "get_command", fail)
    assert run(["anything"]) == code
    assert capsys.readouterr().err.lstrip().startswith(line)


def test_unexpected_failure__with_debug__shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "get_command", fail)
    monkeypatch.setenv("WALRAS_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run(["anything"])


def test_node_down__is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    market = "0x" + "11" * 20
    assert run(["--rpc", "http://127.0.0.1:1", "--market", market, "market", "show"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "check the address and that the node runs" in error


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3_600, "1 h"), (90_061, "1 d 1 h")],
)
def test_span(seconds: int, text: str) -> None:
    assert span(seconds) == text


def test_clock__shows_the_day_when_it_is_another() -> None:
    assert clock(1_700_000_000, 1_699_999_955) == "22:13:20 UTC (in 45 s)"
    assert clock(1_700_000_000, 1_700_000_060) == "22:13:20 UTC (1 min ago)"
    assert clock(1_700_000_000, 1_699_900_000).startswith("2023-11-14 22:13:20 UTC (in 1 d")
