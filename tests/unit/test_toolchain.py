"""The tool-chain: one set of compiler settings, honest exit codes, clean locks."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
SOLC = ROOT / ".venv" / "solc" / "solc-v0.8.37"


def run(*command: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)


def solc(source: str) -> dict[str, Any]:
    request = {
        "language": "Solidity",
        "sources": {"A.sol": {"content": source}},
        "settings": {"outputSelection": {"*": {"*": ["abi"]}}},
    }
    done = run(SOLC, "--standard-json", "--base-path", ROOT, stdin=json.dumps(request))
    assert done.returncode == 0
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_ape_and_forge_compile_with_the_same_settings() -> None:
    forge = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"]["default"]
    ape = yaml.safe_load((ROOT / "ape-config.yaml").read_text())["solidity"]
    assert ape["evm_version"] == forge["evm_version"]
    assert ape["via_ir"] == forge["via_ir"]
    assert ape["optimize"] == forge["optimizer"]
    assert ape["optimization_runs"] == forge["optimizer_runs"]
    assert ape["import_remapping"] == [
        line.replace("/=", "=").rstrip("/") for line in forge["remappings"]
    ]
    assert forge["solc"].endswith(f"solc-v{ape['version']}")


@pytest.mark.parametrize("tool", ["anvil", "cast", "forge"])
def test_foundry_tools_report_failure(tool: str) -> None:
    assert run(BIN / tool, "--version").returncode == 0
    assert run(BIN / tool, "--no-such-option").returncode != 0


def test_forge_reports_a_badly_formatted_contract(tmp_path: Path) -> None:
    (tmp_path / "A.sol").write_text("contract   A{ }")
    assert run(BIN / "forge", "fmt", "--check", tmp_path / "A.sol").returncode != 0


def test_compiler_speaks_standard_json() -> None:
    answer = solc("pragma solidity 0.8.37; contract A { function f() external {} }")
    assert [item["name"] for item in answer["contracts"]["A.sol"]["A"]["abi"]] == ["f"]


def test_compiler_finds_what_a_source_imports() -> None:
    token = "node_modules/@openzeppelin/contracts/token/ERC20/IERC20.sol"
    answer = solc(f'pragma solidity 0.8.37; import {{IERC20}} from "{token}";')
    assert set(answer["contracts"][token]) == {"IERC20"}


def test_compiler_names_the_line_of_an_error() -> None:
    (error,) = solc("pragma solidity 0.8.37; contract A { uint x = y; }")["errors"][-1:]
    assert error["severity"] == "error"
    assert "A.sol:1:" in error["formattedMessage"]


def test_compiler_refuses_other_languages_of_command() -> None:
    assert run(SOLC, "--bin", "A.sol").returncode != 0


def test_python_lock_has_a_hash_for_every_requirement_and_no_address() -> None:
    text = (ROOT / "requirements.txt").read_text()
    for requirement in re.findall(r"^[a-z0-9].*(?:\n    --hash.*)*", text, re.MULTILINE):
        assert "==" in requirement
        assert "--hash=sha256:" in requirement
    assert "://" not in text


def test_npm_lock_has_a_hash_for_every_package_and_no_address() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    for name, package in packages.items():
        assert "resolved" not in package
        assert name == "" or package["integrity"].startswith("sha512-")
