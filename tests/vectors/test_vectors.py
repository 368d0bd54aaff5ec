from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from tests.vectors.cases.codec import FOLDER

SCRIPT = FOLDER.parent.parent / "scripts" / "vectors.py"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vectors_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_file_has_a_builder(generator: ModuleType) -> None:
    assert sorted(generator.BUILDERS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_committed_file_is_what_the_generator_writes(generator: ModuleType, name: str) -> None:
    committed = (FOLDER / f"{name}.json").read_text()
    assert len(committed) < 300_000
    assert generator.text(name) == committed, "run python scripts/vectors.py"
