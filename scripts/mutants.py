"""Break the contracts on purpose, one check at a time, and see that a test notices.

    python scripts/mutants.py            all mutants
    python scripts/mutants.py NAME ...   some
    python scripts/mutants.py --list

Each mutant is compiled in a copy of the tree under a temporary directory; the tree itself is never
touched. A mutant survives if the tests named beside it pass. Exit code 1 if any does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts._mutants import MUTANTS, Mutant  # noqa: E402  the path

COPIED: Final = (
    "contracts",
    "offchain",
    "scripts",
    "tests",
    "build",
    "foundry.toml",
    "pyproject.toml",
)
LINKED: Final = ("node_modules", ".venv")


def broken_tree(mutant: Mutant, parent: Path) -> Path:
    """A copy of the tree with the mutant in it."""
    tree = parent / mutant.name
    tree.mkdir()
    skip = shutil.ignore_patterns("__pycache__", "forge*", ".pytest_cache")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=skip)
        else:
            shutil.copy2(source, tree / name)
    for name in LINKED:
        (tree / name).symlink_to(ROOT / name)
    path = tree / mutant.file
    text = path.read_text()
    if text.count(mutant.old) != 1:
        times = text.count(mutant.old)
        sys.exit(f"{mutant.name}: {mutant.file} has {mutant.old!r} {times} times, not once")
    path.write_text(text.replace(mutant.old, mutant.new))
    return tree


def noticed(mutant: Mutant, tree: Path) -> bool:
    """Whether the mutant does not compile or one of its tests fails."""
    environment = {**os.environ, "PYTHONPATH": f"{tree / 'offchain'}:{tree}"}
    python = str(ROOT / ".venv" / "bin" / "python")
    compile_ = [python, "scripts/toolchain/compile.py", mutant.compiled]
    subprocess.run(compile_, cwd=tree, env=environment, check=True, stdout=subprocess.DEVNULL)
    tests = [python, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutant.tests]
    run = subprocess.run(
        tests, cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    if run.returncode not in (0, 1):
        sys.exit(f"{mutant.name}: the tests did not run\n{run.stdout}{run.stderr}")
    return run.returncode == 1


def main() -> None:
    """Try the mutants asked for and say which survive."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help="mutants to try; all if none is given")
    parser.add_argument("--list", action="store_true", help="say what there is")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(f"{m.name:20} {m.file}" for m in MUTANTS))
        return
    chosen = [m for m in MUTANTS if not arguments.names or m.name in arguments.names]
    survivors = []
    for mutant in chosen:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="walras-mutant-") as parent:
            caught = noticed(mutant, broken_tree(mutant, Path(parent)))
        if not caught:
            survivors.append(mutant.name)
        verdict = "caught" if caught else "SURVIVED"
        print(f"{mutant.name:20} {verdict:9} {time.monotonic() - started:4.0f} s", flush=True)
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} caught")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
