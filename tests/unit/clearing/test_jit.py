"""The cache of compiled kernels follows every source of the package."""

from pathlib import Path

from walras.clearing.jit import cache_directory


def test_an_edited_callee_names_another_cache(tmp_path: Path) -> None:
    (tmp_path / "caller.py").write_text("from callee import f\n")
    callee = tmp_path / "callee.py"
    callee.write_text("f = 1\n")
    before = cache_directory(tmp_path)
    assert before.parent == tmp_path / "__pycache__"
    callee.write_text("f = 2\n")
    assert cache_directory(tmp_path) != before
    callee.write_text("f = 1\n")
    assert cache_directory(tmp_path) == before
