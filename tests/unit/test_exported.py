from __future__ import annotations

import ast
import importlib
import importlib.util
from pathlib import Path

import pytest

CORE = [
    "auths",
    "batch",
    "capacity",
    "certificate",
    "chunks",
    "closing",
    "curve",
    "decoding",
    "effects",
    "encoding",
    "errors",
    "numbers",
    "opening",
    "schedule",
    "sealing",
    "settlement",
    "submission",
    "tally",
]


def source_of(module: str) -> ast.Module:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def defined(module: str) -> set[str]:
    """Public names that the module's own text binds at its top level."""
    names: set[str] = set()
    for node in source_of(module).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("name", CORE)
def test_all_lists_every_public_name_and_they_exist(name: str) -> None:
    module = importlib.import_module(f"walras.{name}")
    exported = list(module.__all__)
    assert len(set(exported)) == len(exported)
    assert all(hasattr(module, public) for public in exported)
    assert defined(module.__name__) <= set(exported)


@pytest.mark.parametrize("name", CORE)
def test_the_core_reaches_neither_chain_nor_solver_nor_clock(name: str) -> None:
    imported: set[str] = set()
    for node in ast.walk(source_of(f"walras.{name}")):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module)
    allowed = {f"walras.{core}" for core in CORE}
    assert {module for module in imported if module.startswith("walras")} <= allowed
    roots = {module.partition(".")[0] for module in imported}
    assert not roots & {"web3", "ape", "numpy", "scipy", "cvxpy", "osqp", "time", "datetime"}
