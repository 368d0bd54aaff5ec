"""Write the golden vectors of tests/vectors, the same bytes in every run.

    python scripts/vectors.py          write them
    python scripts/vectors.py --check  exit with 1 if a committed file differs

Their outputs come from tests/reference alone; tests/vectors/README.md gives the format.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.vectors.cases import (  # noqa: E402 - needs the path above
    books,
    certificate,
    codec,
    curves,
    decode,
    flows,
    formulae,
    schedule,
    sealing,
)

FOLDER = ROOT / "tests" / "vectors"
BUILDERS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "sealing": sealing.build,
    "decode": decode.build,
    "curves": curves.build,
    "certificate": lambda: certificate.build(books.BOOKS),
    "flows": lambda: certificate.build(flows.BOOKS),
    "formulae": formulae.build,
    "schedule": schedule.build,
}


def text(name: str) -> str:
    """Content of tests/vectors/<name>.json."""
    return codec.dumps(BUILDERS[name]())


def main(arguments: list[str]) -> int:
    """Write all files, or compare them."""
    stale = False
    for name in BUILDERS:
        path, content = FOLDER / f"{name}.json", text(name)
        if "--check" not in arguments:
            path.write_text(content)
            print(f"{path.relative_to(ROOT)}: {len(content):,} bytes")
        elif not path.exists() or path.read_text() != content:
            print(f"{path.relative_to(ROOT)} differs; run python scripts/vectors.py")
            stale = True
    return int(stale)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
