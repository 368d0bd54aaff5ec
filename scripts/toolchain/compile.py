"""Compile contracts/**/*.sol into build/contracts/<Name>.json with the settings of foundry.toml.

A source file is compiled again only when it, a file it imports, or a setting has changed. The
product's own contracts are also copied into the Python package, because an installed wheel cannot
see build/.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "contracts"
OUT = ROOT / "build" / "contracts"
STATE = ROOT / "build" / "compiled.json"
PACKAGED = ROOT / "offchain" / "walras" / "chain" / "artifacts"
PRODUCT = ("Application", "Backing", "Lifecycle", "Settlement", "Walras", "WalrasLens")

IMPORT = re.compile(
    r"^\s*(?:import|}\s*from|.*\bfrom)\b[^;\"']*[\"']([^\"']+\.sol)[\"']", re.MULTILINE
)
OUTPUTS = ["abi", "evm.bytecode", "evm.deployedBytecode", "evm.methodIdentifiers", "storageLayout"]


def read_profile() -> dict[str, Any]:
    """Return foundry.toml's default profile."""
    profile: dict[str, Any] = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"][
        "default"
    ]
    return profile


def solc_settings(profile: dict[str, Any], selected: list[str]) -> dict[str, Any]:
    """Translate the profile for standard JSON; only the `selected` sources become code."""
    return {
        "evmVersion": profile["evm_version"],
        "viaIR": profile["via_ir"],
        "optimizer": {"enabled": profile["optimizer"], "runs": profile["optimizer_runs"]},
        "metadata": {"bytecodeHash": profile["bytecode_hash"]},
        "remappings": profile["remappings"],
        "outputSelection": {name: {"*": OUTPUTS} for name in selected},
    }


class Sources:
    """The project's Solidity files and all that they import, under the names solc gives them."""

    def __init__(self, remappings: list[str]) -> None:
        self._remappings = [tuple(line.split("=", 1)) for line in remappings]
        self.text: dict[str, str] = {}
        self._imports: dict[str, list[str]] = {}
        self.entries = [
            path.relative_to(ROOT).as_posix() for path in sorted(SOURCES.rglob("*.sol"))
        ]
        for name in self.entries:
            self._load(name)

    def closure(self, name: str) -> set[str]:
        """Return `name` and every file it reaches through imports."""
        seen: set[str] = set()
        todo = [name]
        while todo:
            if (current := todo.pop()) not in seen:
                seen.add(current)
                todo += self._imports.get(current, [])
        return seen

    def digest(self, name: str, salt: str) -> str:
        """Return a hash of all that decides what `name` compiles to."""
        parts = [salt, *(f"{file}\0{self.text.get(file)}" for file in sorted(self.closure(name)))]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _load(self, name: str) -> None:
        todo = [name]
        while todo:
            current = todo.pop()
            path = ROOT / current
            if current in self.text or not path.is_file():
                continue  # solc says best where a missing import was asked for
            self.text[current] = path.read_text()
            found = IMPORT.findall(self.text[current])
            self._imports[current] = [self._resolve(target, current) for target in found]
            todo += self._imports[current]

    def _resolve(self, target: str, importer: str) -> str:
        if target.startswith("."):
            return os.path.normpath(Path(importer).parent / target)
        for prefix, replacement in self._remappings:
            if target.startswith(prefix):
                return replacement + target.removeprefix(prefix)
        return target


def run_solc(sources: Sources, selected: list[str], profile: dict[str, Any]) -> dict[str, Any]:
    """Compile the `selected` sources; print what solc has to say and stop if it found an error."""
    import solcx  # noqa: PLC0415  slow to import, and not needed when nothing has changed
    from solcx.exceptions import SolcError  # noqa: PLC0415

    needed = sorted(set().union(*(sources.closure(name) for name in selected)))
    request = {
        "language": "Solidity",
        "sources": {n: {"content": sources.text[n]} for n in needed if n in sources.text},
        "settings": solc_settings(profile, selected),
    }
    try:
        result: dict[str, Any] = solcx.compile_standard(
            request, solc_binary=ROOT / profile["solc"], base_path=ROOT, allow_empty=True
        )
    except SolcError as error:
        answer = error.stdout_data or ""
        sys.exit(readable(json.loads(answer)) if answer.startswith("{") else str(error))
    if remarks := readable(result):
        print(remarks, file=sys.stderr)
    contracts: dict[str, Any] = result.get("contracts", {})
    return contracts


def readable(result: dict[str, Any]) -> str:
    """Return solc's errors, and its warnings about our own files, as it formats them for people."""
    remarks = [
        remark["formattedMessage"].rstrip()
        for remark in result.get("errors", [])
        if remark["severity"] == "error" or not located_in_library(remark)
    ]
    return "\n".join(remarks)


def located_in_library(remark: dict[str, Any]) -> bool:
    """Tell whether a remark is about a file that npm installed."""
    place: dict[str, Any] = remark.get("sourceLocation") or {}
    return str(place.get("file", "")).startswith("node_modules/")


def artifact(source: str, name: str, output: dict[str, Any]) -> dict[str, Any]:
    """Reduce solc's output for one contract to what the project reads."""
    code, deployed = output["evm"]["bytecode"], output["evm"]["deployedBytecode"]
    return {
        "contractName": name,
        "sourceName": source,
        "abi": output["abi"],
        "bytecode": "0x" + code["object"],
        "deployedBytecode": "0x" + deployed["object"],
        "immutableReferences": deployed.get("immutableReferences", {}),
        "linkReferences": code.get("linkReferences", {}),
        "methodIdentifiers": output["evm"]["methodIdentifiers"],
        "storageLayout": output.get("storageLayout", {}),
    }


def write(path: Path, value: object) -> None:
    """Replace `path` in one step, so that nobody reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(value, indent=1) + "\n")
    draft.replace(path)


def publish(contracts: dict[str, Any]) -> None:
    """Write the artifacts of freshly compiled sources."""
    for source, outputs in contracts.items():
        for name, output in outputs.items():
            made = artifact(source, name, output)
            write(OUT / f"{name}.json", made)
            if name in PRODUCT:
                kept = ("contractName", "abi", "bytecode", "deployedBytecode", "linkReferences")
                write(PACKAGED / f"{name}.json", {key: made[key] for key in kept})


def check_unique(state: dict[str, dict[str, Any]]) -> None:
    """Stop if two sources define the same name: one artifact would overwrite the other."""
    owner: dict[str, str] = {}
    for source, entry in state.items():
        for name in entry["contracts"]:
            if name in owner:
                sys.exit(f"{source} and {owner[name]} both define {name}; rename one of them.")
            owner[name] = source


def intact(entry: dict[str, Any] | None, digest: str) -> bool:
    """Tell whether a source's last compilation still stands."""
    if entry is None or entry["digest"] != digest:
        return False
    return all(path.exists() for name in entry["contracts"] for path in places(name))


def places(name: str) -> list[Path]:
    """Return every file that holds a contract's artifact."""
    return [OUT / f"{name}.json", *([PACKAGED / f"{name}.json"] if name in PRODUCT else [])]


def forget(names: set[str]) -> None:
    """Remove the artifacts of contracts that no source defines any more."""
    for name in names:
        for path in places(name):
            path.unlink(missing_ok=True)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold build/ against other compilations."""
    STATE.parent.mkdir(exist_ok=True)
    with (STATE.parent / ".compile.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def bring_up_to_date(only: list[str], *, force: bool) -> int:
    """Compile what is stale, of the sources in `only` if there are any; return how many were."""
    profile = read_profile()
    sources = Sources(profile["remappings"])
    salt = json.dumps([profile, Path(__file__).read_text()], sort_keys=True)
    digests = {name: sources.digest(name, salt) for name in sources.entries}
    old = json.loads(STATE.read_text()) if STATE.exists() else {}
    state = {name: old[name] for name in digests if name in old}
    stale = [n for n, digest in digests.items() if force or not intact(old.get(n), digest)]
    stale = [name for name in stale if not only or name in only]
    if stale:
        contracts = run_solc(sources, stale, profile)
        for name in stale:
            state[name] = {"digest": digests[name], "contracts": sorted(contracts.get(name, {}))}
        check_unique(state)
        publish(contracts)
    forget(contract_names(old) - contract_names(state))
    if state != old:
        write(STATE, state)
    return len(stale)


def contract_names(state: dict[str, dict[str, Any]]) -> set[str]:
    """Return the names of all contracts that a state accounts for."""
    return {name for entry in state.values() for name in entry["contracts"]}


def main() -> None:
    """Compile, and say so when there was something to do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="*", help="compile these only (contracts/...)")
    parser.add_argument("--force", action="store_true", help="compile everything again")
    arguments = parser.parse_args()
    start = time.perf_counter()
    with one_at_a_time():
        count = bring_up_to_date(arguments.sources, force=arguments.force)
    if count:
        print(f"compiled {count} Solidity files in {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
