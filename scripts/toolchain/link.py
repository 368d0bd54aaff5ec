"""Put the npm-installed compiler and Foundry where the project looks for them, and try each one.

npm's own launchers of Foundry exit 0 even when the tool fails, so the platform packages' binaries
are linked instead.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
SOLC = ROOT / ".venv" / "solc" / "solc-v0.8.37"
TOOLS = ("anvil", "cast", "forge")
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def foundry_version() -> str:
    """Return the one version that package.json pins for all Foundry tools."""
    pins = json.loads((ROOT / "package.json").read_text())["optionalDependencies"]
    (version,) = {pin for name, pin in pins.items() if name.startswith("@foundry-rs/")}
    return str(version)


def install_for_this_platform(names: list[str], version: str) -> None:
    """Fetch platform packages that the lock does not hold (it has no hash for them)."""
    packages = [f"{name}@{version}" for name in names]
    command = ["npm", "install", "--no-save", "--no-package-lock", "--ignore-scripts", *packages]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        sys.exit(f"Foundry {version} has no npm package for this machine ({', '.join(names)}).")


def link(path: Path, target: Path) -> None:
    """Make `path` a symbolic link to `target`, whatever was there."""
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def must_say(command: Path, version: str) -> None:
    """Stop unless `command --version` succeeds and names `version`."""
    run = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    if run.returncode != 0 or version not in run.stdout:
        sys.exit(f"{command} --version should name {version}: {run.stdout}{run.stderr}")


def main() -> None:
    """Link and try everything."""
    version = foundry_version()
    machine = platform.machine().lower()
    suffix = f"{platform.system().lower()}-{ARCHITECTURES.get(machine, machine)}"
    packages = {tool: f"@foundry-rs/{tool}-{suffix}" for tool in TOOLS}
    binaries = {t: ROOT / "node_modules" / package / "bin" / t for t, package in packages.items()}
    missing = [packages[tool] for tool, binary in binaries.items() if not binary.exists()]
    if missing:
        install_for_this_platform(missing, version)
    for tool, binary in binaries.items():
        link(BIN / tool, binary)
        must_say(BIN / tool, version)
    link(BIN / "ape", ROOT / "scripts" / "toolchain" / "ape")
    link(SOLC, ROOT / "scripts" / "toolchain" / SOLC.name)
    must_say(SOLC, SOLC.name.removeprefix("solc-v"))


if __name__ == "__main__":
    main()
