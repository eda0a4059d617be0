"""The public surface: declared, importable, and no wider than meant."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
SOURCES = sorted(
    path
    for package in ("lancelot", "local_models")
    for path in (PROJECT / package).rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py") and "training" not in path.parts
)


def test_the_package_offers_exactly_this() -> None:
    import lancelot

    assert sorted(lancelot.__all__) == ["LocalModelClient", "ModelRouter", "Redactor", "analysis"]
    for name in lancelot.__all__:
        assert getattr(lancelot, name) is not None
    with pytest.raises(AttributeError):
        _ = lancelot.surprise  # type: ignore[attr-defined]


def _names_all(node: ast.Assign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_module_declares_its_public_names(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    declared = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and _names_all(node)]
    assert declared, "no __all__"
    value = declared[0].value
    assert value is not None
    names = ast.literal_eval(value)
    module = importlib.import_module(".".join(path.relative_to(PROJECT).with_suffix("").parts))
    for name in names:
        assert hasattr(module, name), f"{name} is declared but not there"


def test_importing_the_package_does_no_work() -> None:
    """No heavy library is loaded and nothing is written by `import lancelot`."""
    heavy = "{'duckdb', 'numpy', 'streamlit', 'llama_cpp', 'pandas'}"
    script = f"import sys, lancelot, lancelot.errors, lancelot.settings; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=PROJECT)
